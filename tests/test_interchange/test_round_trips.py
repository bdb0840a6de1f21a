"""Every format, both ways: labels of any rate come back to the same frame, athlete and class."""

import pytest
from interchange_corpus import LABELS, content, export, make_corpus, merge, without_labels

from vpd_mm.interchange import FORMATS


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp('corpus') / 'c')


@pytest.mark.parametrize('name', FORMATS)
def test_labels_come_back_to_their_frames(corpus, tmp_path, name):
    files = export(corpus, name)
    other = without_labels(corpus, tmp_path / 'c')
    report = merge(other, name, files)
    assert content(other) == content(corpus)
    assert (report.added, report.unchanged, report.conflicts, report.skipped) == (7 * len(LABELS), 0, [], [])
    again = merge(other, name, files)
    assert (again.added, again.unchanged, again.conflicts) == (0, 7 * len(LABELS), [])
    assert export(other, name).keys() == files.keys()


@pytest.mark.parametrize('name', FORMATS)
def test_chosen_videos_only(corpus, tmp_path, name):
    other = without_labels(corpus, tmp_path / 'c')
    merge(other, name, export(corpus, name, ['fast', 'ben__match']))
    assert {video for video, *_ in content(other)} == {'fast', 'ben__match'}
