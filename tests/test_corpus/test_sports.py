"""Settings of the data sets, found by the ``dataset`` of corpus.json."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import vpd_mm.corpus.sports
from vpd_mm.corpus import SPORTS, Corpus, Window
from vpd_mm.corpus.sports import Sport, find_sport
from vpd_mm.errors import UserError
from vpd_mm.structures import FrameTimes

IMPORTERS = Path(vpd_mm.corpus.sports.__file__).parents[1] / 'importers'


def test_importers_and_settings_name_the_same_data_sets():
    written = re.findall(r"\bdataset='(\w+)'", ''.join(path.read_text() for path in IMPORTERS.glob('*.py')))
    assert set(written) == set(SPORTS)


def test_only_the_data_set_decides_not_the_name_of_the_sport(tmp_path):
    assert Corpus.create(tmp_path / 'tennis7', sport='tennis').settings() == Sport()
    corpus = Corpus.create(tmp_path / 'a', sport='my tennis', dataset='tennis7')
    assert corpus.settings() == SPORTS['tennis7']
    assert find_sport('golf').window == find_sport('golf').widen == Window(0.0, 0.0)


def test_an_import_adds_the_data_set_to_a_corpus_and_refuses_another(tmp_path):
    Corpus.create(tmp_path / 'a', sport='tennis')
    assert Corpus.create(tmp_path / 'a', dataset='tennis7').sport == 'tennis'
    assert Corpus.open(tmp_path / 'a').dataset == Corpus.create(tmp_path / 'a').dataset == 'tennis7'
    with pytest.raises(UserError, match="dataset is 'tennis7', importing 'fx35'"):
        Corpus.create(tmp_path / 'a', dataset='fx35')


def test_a_window_of_the_corpus_replaces_that_of_the_data_set():
    settings = find_sport('tennis7', Window(1.0, 2.0))
    assert settings.window == Window(1.0, 2.0)
    assert settings.widen == SPORTS['tennis7'].widen


def test_the_published_protocol():
    for name in ('fx35', 'diving48'):
        assert SPORTS[name].under('paper').train_splits == ('train', 'val')
        assert (SPORTS[name].under('paper').selection, SPORTS[name].under('default').selection) == ('test', 'val')
    for name in ('fsjump6', 'tennis7'):
        assert (SPORTS[name].under('paper').fps, SPORTS[name].fps) == (None, 25.0)
        assert SPORTS[name].under('paper').selection == 'val'
    with pytest.raises(UserError, match="protocol must be one of default, paper, found 'x'"):
        SPORTS['fx35'].under('x')


@pytest.mark.parametrize(
    ('window', 'action', 'fps', 'span'),
    [
        (Window(2.5, 0.5, 'middle'), (100, 120), 25.0, (47, 122)),
        (Window(2.5, 0.5, 'middle'), (100, 180), 25.0, (77, 180)),  # a long spin is not cut
        (Window(0.5, 0.5, 'start'), (100, 101), 25.0, (87, 112)),  # 25 frames
        (Window(0.1, 0.1, 'start'), (100, 101), 25.0, (97, 102)),  # 5 frames, 200 ms
        (Window(0.1, 0.1, 'start'), (1, 2), 25.0, (-2, 3)),
        (Window(0.25, 0.0), (100, 150), 25.0, (93, 150)),
        (Window(), (3, 9), 29.97, (3, 9)),
    ],
)
def test_windows_are_whole_frames(window, action, fps, span):
    assert window.span(*action, FrameTimes(fps)) == span


def test_the_windows_of_the_published_code():
    """min(start, int(mid - 2.5 fps)) to max(end, int(mid + 0.5 fps)); int(contact -+ 0.5 fps)."""
    rng = np.random.default_rng(0)
    for start, length in zip(rng.integers(200, 900, 50).tolist(), rng.integers(5, 120, 50).tolist()):
        for fps in (25.0, 29.97):
            end, middle = start + length, start + length / 2
            published = min(start, int(middle - 2.5 * fps)), max(end, int(middle + 0.5 * fps))
            assert SPORTS['fsjump6'].window.span(start, end, FrameTimes(fps)) == published
            for window, half in ((SPORTS['tennis7'].window, 0.5), (SPORTS['tennis7'].widen, 0.1)):
                assert window.span(start, start + 1, FrameTimes(fps)) == (
                    int(start - half * fps),
                    int(start + half * fps),
                )


def test_an_unknown_anchor_is_refused():
    with pytest.raises(UserError, match="around must be ends, middle or start, found 'centre'"):
        Window(1.0, 1.0, 'centre')


def test_examples():
    assert doctest.testmod(vpd_mm.corpus.sports).failed == 0
