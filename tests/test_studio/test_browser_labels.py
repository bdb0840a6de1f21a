"""Labels in a real browser: made with keys, dragged, merged, split, changed in two tabs."""

import httpx
import pytest
from studio_corpus import PRACTICE_FRAMES
from studio_server import browser, open_page, prepared, studio, window  # noqa: F401

from vpd_mm.structures import load_actions, load_classes

pytestmark = pytest.mark.browser


@pytest.fixture
def labels(studio):  # noqa: F811
    """Function that gives the labels of a video, as stored: [(start, end, class)]."""

    def stored(video: str) -> list[tuple[int, int, str]]:
        corpus = studio[1]
        names = load_classes(corpus.classes_path)
        actions = [action for action in load_actions(corpus.actions_path, len(names)) if action.video == video]
        return sorted((action.start_frame, action.end_frame, names[action.label]) for action in actions)

    return stored


@pytest.fixture
def player(studio, open_page):  # noqa: F811
    """Function that opens a video in the player."""

    def open_player(video: str, frame: int = 0, **options):
        page = open_page(f'{studio[0]}/#/player/{video}?frame={frame}', **options)
        at(page, frame)
        page.wait_for_selector('#save-state:has-text("Saved")')
        return page

    return open_player


def at(page, frame: int) -> None:
    page.wait_for_selector(f'#frame-number:text-is("{frame}")')


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def saved(page) -> None:
    page.wait_for_selector('#save-state[data-state=saved]')


def rows(page) -> list[tuple[int, int, str]]:
    """Labels in the table of the page."""
    found = page.evaluate("""() => [...document.querySelectorAll('#labels tbody tr')].map((row) => {
      const [start, end] = [...row.querySelectorAll('input')].map((input) => Number(input.value));
      return [start, end, row.querySelector('button span').textContent];
    })""")
    return sorted(map(tuple, found))


def test_label_by_keys_with_note_undo_and_redo(player, labels, studio):  # noqa: F811
    page = player('bframes', 10)
    press(page, 'i', *['ArrowRight'] * 15)
    at(page, 25)
    press(page, 'o', '2', 'a')
    saved(page)
    assert rows(page) == labels('bframes') == [(10, 26, 'spin')]  # the end is the frame after the last one
    press(page, 'Control+z')
    saved(page)
    assert rows(page) == labels('bframes') == []
    press(page, 'Control+Shift+z')
    saved(page)
    assert rows(page) == labels('bframes') == [(10, 26, 'spin')]
    press(page, ']')
    if page.get_attribute('#labels tbody tr', 'aria-selected') != 'true':
        press(page, '[')
    press(page, 'n')
    page.keyboard.type('late take-off, "left" foot')
    press(page, 'Escape', '3')
    saved(page)
    assert labels('bframes') == [(10, 26, 'roll')]
    [label] = httpx.get(f'{studio[0]}/api/labels?video=bframes').json()['labels']
    assert label['note'] == 'late take-off, "left" foot'
    page.reload()
    at(page, 10)
    page.wait_for_selector('#labels tbody tr')
    assert 'late take-off' in page.inner_text('#labels')
    press(page, '[', ']', 'Delete')
    saved(page)
    assert labels('bframes') == []


def test_escape_and_wrong_marks_add_nothing(player, labels):
    page = player('vfr', 30)
    press(page, 'a')  # nothing is marked
    press(page, 'i', 'Escape', 'a')
    press(page, 'i', 'a')  # no class
    page.wait_for_selector('#messages:has-text("class")')
    saved(page)
    assert labels('vfr') == rows(page) == []


def test_drag_an_edge(player, labels):
    page = player('practice_1')
    page.wait_for_selector('[data-action-id="practice_1:3"]')
    assert (95, 115, 'jump') in labels('practice_1')
    box = page.locator('#timeline').bounding_box()
    gutter = 112

    def x(frame: int) -> float:
        return box['x'] + gutter + frame / PRACTICE_FRAMES * (box['width'] - gutter)

    y = box['y'] + 36
    page.mouse.click(x(105), y)
    page.wait_for_selector('#selection:has-text("frames 95 to 115")')
    page.mouse.move(x(115), y)
    page.mouse.down()
    page.mouse.move(x(119), y, steps=4)
    page.mouse.move(x(123), y, steps=4)
    at(page, 122)  # the last frame of the label is on screen while its end is dragged
    page.mouse.up()
    saved(page)
    assert (95, 123, 'jump') in labels('practice_1')
    page.mouse.move(x(95), y)
    page.mouse.down()
    page.mouse.move(x(99), y, steps=4)
    at(page, 99)
    page.mouse.up()
    saved(page)
    assert (99, 123, 'jump') in labels('practice_1')
    page.mouse.move(x(99), y)
    page.mouse.down()
    page.mouse.move(x(80), y, steps=4)
    press(page, 'Escape')  # gives the drag up
    page.mouse.up()
    press(page, 'Control+z')
    saved(page)
    assert (95, 123, 'jump') in labels('practice_1')
    press(page, 'Control+z')
    saved(page)
    assert (95, 115, 'jump') in labels('practice_1')


def test_split_and_merge(player, labels):
    page = player('ntsc', 20)
    press(page, 'i', '1')
    page.fill('#go-to', '59')
    press(page, 'Enter')
    at(page, 59)
    press(page, 'a', '[')  # without O, the segment ends at this frame
    saved(page)
    assert labels('ntsc') == [(20, 60, 'jump')]
    page.fill('#go-to', '40')
    press(page, 'Enter')
    at(page, 40)
    press(page, 's')
    saved(page)
    assert rows(page) == labels('ntsc') == [(20, 40, 'jump'), (40, 60, 'jump')]
    press(page, 'm')
    saved(page)
    assert rows(page) == labels('ntsc') == [(20, 60, 'jump')]
    press(page, 'Control+z', 'Control+z')
    saved(page)
    assert labels('ntsc') == [(20, 60, 'jump')]


def test_labels_of_two_athletes(player, labels):
    page = player('front__match', 5)
    press(page, '1', 'i', 'ArrowRight')
    at(page, 6)
    press(page, 'a')
    saved(page)
    press(page, 'ArrowDown', '2', 'i', 'ArrowRight')
    at(page, 7)
    press(page, 'a')
    saved(page)
    assert labels('front__match') == [(5, 7, 'jump')]
    assert labels('back__match') == [(6, 8, 'spin')]


def change_class(page, action_id: str, key: str) -> None:
    page.click(f'[data-action-id="{action_id}"] button')
    press(page, key)


@pytest.mark.parametrize(('choice', 'kept'), [('Keep mine', 'roll'), ('Keep the other', 'jump')])
def test_two_tabs_change_the_same_label(choice, kept, player, labels):
    conflict = '409.*api/labels'  # the browser logs every answer that is no success
    mine, other = player('practice_0', expected=conflict), player('practice_0')
    action_id, span = ('practice_0:1', (35, 55)) if kept == 'roll' else ('practice_0:4', (125, 145))
    assert (*span, 'spin') in labels('practice_0')
    mine.evaluate('for (let i = 0; i < 10000; i++) clearInterval(i)')  # does not look for changes of others
    change_class(other, action_id, '1')
    saved(other)
    assert (*span, 'jump') in labels('practice_0')
    change_class(mine, action_id, '3')
    dialog = mine.locator('dialog.conflict')
    dialog.wait_for()
    assert 'roll' in dialog.locator('.mine').inner_text()
    assert 'jump' in dialog.locator('.theirs').inner_text()
    dialog.get_by_role('button', name=choice).click()
    saved(mine)
    assert (*span, kept) in labels('practice_0')
    assert (*span, kept) in rows(mine)
    if kept == 'roll':  # the other tab learns of it
        other.wait_for_selector(f'[data-action-id="{action_id}"]:has-text("roll")')


def test_two_tabs_change_different_labels(player, labels):
    pages = [player('practice_0'), player('practice_0')]
    change_class(pages[0], 'practice_0:6', '2')
    change_class(pages[1], 'practice_0:8', '1')
    for page in pages:
        saved(page)
        page.wait_for_selector('[data-action-id="practice_0:6"]:has-text("spin")')
        page.wait_for_selector('[data-action-id="practice_0:8"]:has-text("jump")')
    assert {(185, 205, 'spin'), (245, 265, 'jump')} <= set(labels('practice_0'))


def test_a_new_class(player, studio):  # noqa: F811
    page = player('bframes')
    page.click('summary:has-text("Add or rename a class")')
    page.fill('#new-class', 'Rückwärts 1/2')
    press(page, 'Enter')
    page.wait_for_selector('#classes button:has-text("Rückwärts 1/2")')
    assert load_classes(studio[1].classes_path) == ['jump', 'spin', 'roll', 'Rückwärts 1/2']
