"""Notes of the inputs that derived files were made from."""

import json

import pytest

from vpd_mm.corpus.provenance import check_source, file_digest, read_run, record_run, record_source
from vpd_mm.errors import UserError

HINT = 'pass another --out'


@pytest.fixture
def folder(tmp_path):
    """A folder with files of videos a and b, made of boxes x with digests 1 and 2."""
    folder = tmp_path / 'tracks'
    record_source(folder, {'boxes': 'x'}, [], {'a': '1', 'b': '2'})
    folder.mkdir()
    for video in ('a', 'b'):
        (folder / f'{video}.npz').touch()
    return folder


def test_digest_of_one_and_of_several_files(tmp_path):
    for name in ('a', 'b'):
        (tmp_path / name).write_text(name)
    one = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'
    assert file_digest(tmp_path / 'a') == file_digest([str(tmp_path / 'a')]) == one
    assert file_digest([tmp_path / 'a', tmp_path / 'b']) != file_digest([tmp_path / 'b', tmp_path / 'a'])


def test_unchanged_changed_and_unknown_inputs(folder):
    def stale(**inputs):
        return check_source(folder, {'boxes': 'x'}, ['a', 'b'], HINT, inputs)

    assert stale(a='1', b='2') == []
    assert stale(a='1', b='3') == ['b']
    assert stale(a='9') == ['a']
    assert stale() == []


def test_another_source_with_the_same_content_is_accepted(folder):
    same, other = {'a': '1', 'b': '2'}, {'a': '1', 'b': '3'}
    assert check_source(folder, {'boxes': 'moved'}, ['a', 'b'], HINT, same) == []
    with pytest.raises(UserError, match=r"1 videos \(first b\) have files made of {'boxes': 'x'}.*pass another --out"):
        check_source(folder, {'boxes': 'moved'}, ['a', 'b'], HINT, other)
    record_source(folder, {'boxes': 'moved'}, ['a', 'b'], same)
    assert check_source(folder, {'boxes': 'moved'}, ['a', 'b'], HINT, other) == ['b']


def test_a_new_video_may_have_another_source(folder):
    assert check_source(folder, {'boxes': 'y'}, [], HINT, {'c': '3'}) == []
    record_source(folder, {'boxes': 'y'}, [], {'c': '3'})
    (folder / 'c.npz').touch()
    notes = json.loads((folder.parent / 'tracks.sources.json').read_text())
    assert notes == [{'boxes': 'x', 'inputs': {'a': '1', 'b': '2'}}, {'boxes': 'y', 'inputs': {'c': '3'}}]
    # files of either recorded source are kept with both
    assert check_source(folder, {'boxes': 'y'}, ['a', 'c'], HINT, {'a': '8', 'c': '3'}) == []


def test_notes_of_older_versions_hold_sources_only(folder):
    note = folder.parent / 'tracks.sources.json'
    for old in ('[{"boxes": "x"}]', '{"boxes": "x"}'):
        note.write_text(old)
        assert check_source(folder, {'boxes': 'x'}, ['a'], HINT, {'a': '7'}) == []
        with pytest.raises(UserError, match='made of'):
            check_source(folder, {'boxes': 'y'}, ['a'], HINT, {'a': '7'})
    record_source(folder, {'boxes': 'x'}, ['a', 'b'], {'a': '7', 'c': '1'})
    assert json.loads(note.read_text()) == [{'boxes': 'x', 'inputs': {'c': '1'}}]


def test_files_of_unknown_origin_are_accepted_and_stay_unknown(folder):
    note = folder.parent / 'tracks.sources.json'
    note.unlink()
    assert check_source(folder, {'boxes': 'y'}, ['a'], HINT, {'a': '7'}) == []
    record_source(folder, {'boxes': 'y'}, ['a'], {'a': '7'})
    assert not note.exists()


def test_a_folder_belongs_to_one_run(tmp_path):
    assert read_run(tmp_path / 'vpd') is None
    for _ in range(2):
        record_run(tmp_path / 'vpd', {'config': 'a.py'})
    assert read_run(tmp_path / 'vpd') == {'config': 'a.py'}
    with pytest.raises(UserError, match=r"features of {'config': 'a.py'}, not of {'config': 'b.py'}; pass another"):
        record_run(tmp_path / 'vpd', {'config': 'b.py'})
    (tmp_path / 'vpd' / 'run.json').write_text('{')
    with pytest.raises(UserError, match=r'run\.json: no valid JSON'):
        read_run(tmp_path / 'vpd')
