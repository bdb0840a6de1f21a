"""Frames in a real browser: the page shows the number that is burnt into the picture, and the time of the file."""

import base64
import time
from collections.abc import Callable

import numpy as np
import pytest
from studio_corpus import FRAMES, RUN, make_studio_corpus, vfr_ticks
from studio_server import browser, number_in, open_page, prepared, serve, studio, window  # noqa: F401

from vpd_mm.studio import Workspace

pytestmark = pytest.mark.browser
#: Seconds of the frames of the videos, by the way they were encoded.
SECONDS = {
    'bframes': np.arange(FRAMES) / 25,
    'ntsc': np.arange(FRAMES) * 1001 / 60000,
    'vfr': np.array(vfr_ticks(FRAMES)) / 25,
}
#: At a constant rate the order of decoding is the same: once is enough.
CASES = ['bframes', pytest.param('ntsc', marks=pytest.mark.full), 'vfr']
RATE = 12.5
#: What is on the page, read at once: number, seconds, picture.
SHOWN = """() => {
  const number = document.getElementById('frame-number'), time = document.getElementById('frame-time');
  const picture = document.getElementById('picture').toDataURL('image/png').split(',')[1];
  return [Number(number.textContent), Number(time.dataset.seconds), time.textContent, picture];
}"""


class Player:
    """A page of the player."""

    def __init__(self, page) -> None:
        self.page = page

    def shown(self) -> tuple[int, int, float]:
        """(number on the page, number burnt into the picture, seconds on the page)."""
        number, seconds, text, picture = self.page.evaluate(SHOWN)
        minutes, rest = text.split(':')
        assert 60 * int(minutes) + float(rest) == pytest.approx(seconds, abs=0.00051)
        return number, number_in(base64.b64decode(picture)), seconds

    def wait(self, frame: int) -> tuple[int, int, float]:
        """Wait for a frame; returns as :meth:`shown`."""
        self.page.wait_for_selector(f'#frame-number:text-is("{frame}")')
        return self.shown()

    def wait_until(self, condition: Callable[[int], bool]) -> None:
        """Wait until the number on the page meets a condition."""
        end = time.monotonic() + 60
        while not condition(int(self.page.inner_text('#frame-number'))):
            assert time.monotonic() < end
            self.page.wait_for_timeout(20)

    def press(self, key: str, frame: int) -> tuple[int, int, float]:
        self.page.keyboard.press(key)
        return self.wait(frame)


def nearest(seconds: np.ndarray, wanted: float) -> int:
    """Frame that starts nearest to a time; of two, the later one."""
    return int(np.flatnonzero(np.abs(seconds - wanted) <= np.abs(seconds - wanted).min() + 1e-9)[-1])


@pytest.mark.parametrize('video', CASES)
def test_every_step_shows_the_frame_that_it_names(video, studio, open_page):  # noqa: F811
    seconds = SECONDS[video]
    player = Player(open_page(f'{studio[0]}/#/player/{video}'))
    assert player.wait(0)[:2] == (0, 0)
    frame = 0
    for _ in range(26):
        frame += 1
        assert player.press('ArrowRight', frame) == (frame, frame, pytest.approx(seconds[frame], abs=1e-5))
    for _ in range(6):
        frame -= 1
        assert player.press('ArrowLeft', frame) == (frame, frame, pytest.approx(seconds[frame], abs=1e-5))
    for key, step in (('Control+ArrowRight', 1), ('Control+ArrowLeft', -1), ('Control+Shift+ArrowRight', 5)):
        frame = nearest(seconds, seconds[frame] + step)
        assert player.press(key, frame) == (frame, frame, pytest.approx(seconds[frame], abs=1e-5))
    for key, frame in (
        ('Home', 0),
        ('End', FRAMES - 1),
        ('Control+Shift+ArrowLeft', nearest(seconds, seconds[-1] - 5)),
    ):
        assert player.press(key, frame) == (frame, frame, pytest.approx(seconds[frame], abs=1e-5))
    for frame in (47, 46, 13, 11, 71):
        player.page.fill('#go-to', str(frame))
        assert player.press('Enter', frame) == (frame, frame, pytest.approx(seconds[frame], abs=1e-5))


def test_fast_keys_lose_no_frame(studio, open_page):  # noqa: F811
    player = Player(open_page(f'{studio[0]}/#/player/bframes?frame=30'))
    player.wait(30)
    for key, frame in (('ArrowRight', 50), ('ArrowLeft', 30)):
        for _ in range(20):
            player.page.keyboard.press(key)
        assert player.wait(frame)[1] == frame


@pytest.mark.parametrize('video', CASES)
def test_playback_names_what_it_shows_and_ends_on_an_exact_frame(video, studio, open_page):  # noqa: F811
    player = Player(open_page(f'{studio[0]}/#/player/{video}?frame=5'))
    player.wait(5)
    player.page.keyboard.press('Space')
    player.wait_until(lambda frame: frame > 12)
    playing = [player.shown() for _ in range(5)]
    assert all(number == burnt for number, burnt, _ in playing), playing
    player.page.keyboard.press('Space')
    player.page.wait_for_selector('button[data-command=toggle]:has-text("Play")')
    stopped = player.shown()
    assert stopped[0] == stopped[1] > 12
    player.page.wait_for_timeout(200)
    assert player.shown() == stopped
    assert stopped[2] == pytest.approx(SECONDS[video][stopped[0]], abs=1e-5)
    player.press('ArrowRight', stopped[0] + 1)
    assert player.shown()[:2] == (stopped[0] + 1, stopped[0] + 1)


def test_slow_motion_backward_and_loop(studio, open_page):  # noqa: F811
    player = Player(open_page(f'{studio[0]}/#/player/practice_0?start=35&end=55'))
    player.wait(35)
    player.page.keyboard.press('p')
    seen, readings, end = set(), 0, time.monotonic() + 60
    while readings < 12 or len(seen) < 3:
        assert time.monotonic() < end
        player.page.wait_for_timeout(60)
        number, burnt, _ = player.shown()
        assert number == burnt
        seen.add(number)
        readings += 1
    assert seen <= set(range(35, 55))
    player.page.keyboard.press('p')
    player.page.keyboard.press('k')
    player.page.fill('#go-to', '200')
    player.press('Enter', 200)  # and the keys are the player's again
    player.page.keyboard.press('j')
    player.wait_until(lambda frame: frame < 197)
    player.page.keyboard.press('k')
    number, burnt, _ = player.shown()
    assert number == burnt < 197
    player.page.select_option('#speed', '0.1')
    before, start = number, time.monotonic()
    player.page.keyboard.press('l')
    player.page.wait_for_timeout(1000)
    player.page.keyboard.press('k')
    number, burnt, _ = player.shown()
    assert number == burnt
    assert 0 <= number - before <= 2.5 * (time.monotonic() - start) + 1  # 2.5 frames a second


def test_frames_of_a_resampled_corpus(browser, open_page, tmp_path):  # noqa: F811
    workspace = Workspace(make_studio_corpus(tmp_path, list(SECONDS), RATE), RUN)
    with serve(workspace) as url:
        for video, given in SECONDS.items():
            player = Player(open_page(f'{url}/#/player/{video}?frame=3'))
            player.wait(3)
            for step in (*[1] * 8, *[-1] * 3):
                frame = player.shown()[0] + step
                _, burnt, seconds = player.press('ArrowRight' if step > 0 else 'ArrowLeft', frame)
                assert seconds == pytest.approx(frame / RATE, abs=1e-6)
                # as prepare resamples: the last frame that is nearer to this tick than to the next one
                assert burnt == np.flatnonzero(given < (frame + 0.5) / RATE - 1e-6)[-1]
            player.page.close()
