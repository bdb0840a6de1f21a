"""Notes of the inputs that derived files were made from."""

import json

import pytest

from vpd_mm.corpus.provenance import file_digest, record_run, refresh_source
from vpd_mm.errors import UserError

HINT = 'pass another --out'


@pytest.fixture
def folder(tmp_path):
    """A folder with files of videos a and b, made of boxes x with digests 1 and 2."""
    folder = tmp_path / 'tracks'
    refresh_source(folder, {'boxes': 'x'}, [], HINT, {'a': '1', 'b': '2'})
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


def _refresh(folder, source, existing, **inputs):
    return refresh_source(folder, {'boxes': source}, existing, HINT, inputs)


def _notes(folder):
    return json.loads((folder.parent / 'tracks.sources.json').read_text())


@pytest.mark.parametrize(
    ('inputs', 'stale'), [({'a': '1', 'b': '2'}, []), ({'a': '1', 'b': '3'}, ['b']), ({'a': '9'}, ['a']), ({}, [])]
)
def test_files_with_a_changed_input_are_removed(folder, inputs, stale):
    kept = _refresh(folder, 'x', ['a', 'b'], **inputs)
    assert kept == {'a', 'b'} - set(stale)
    assert {path.stem for path in folder.glob('*.npz')} == kept
    assert _notes(folder) == [{'boxes': 'x', 'inputs': {'a': '1', 'b': '2'} | inputs}]


def test_another_source_with_the_same_content_is_accepted(folder):
    with pytest.raises(UserError, match=r"1 videos \(first b\) have files made of {'boxes': 'x'}.*pass another --out"):
        _refresh(folder, 'moved', ['a', 'b'], a='1', b='3')
    assert _refresh(folder, 'moved', ['a', 'b'], a='1', b='2') == {'a', 'b'}
    assert _refresh(folder, 'moved', ['a', 'b'], a='1', b='3') == {'a'}


def test_a_new_video_may_have_another_source(folder):
    assert _refresh(folder, 'y', [], c='3') == set()
    (folder / 'c.npz').touch()
    assert _notes(folder) == [{'boxes': 'x', 'inputs': {'a': '1', 'b': '2'}}, {'boxes': 'y', 'inputs': {'c': '3'}}]
    # files of either recorded source are kept with both
    assert _refresh(folder, 'y', ['a', 'c'], a='8', c='3') == {'a', 'c'}


def test_a_source_without_digests(folder):
    (folder.parent / 'tracks.sources.json').write_text('[{"boxes": "x"}]')
    with pytest.raises(UserError, match='made of'):
        _refresh(folder, 'y', ['a'], a='7')
    assert _refresh(folder, 'x', ['a', 'b'], a='7', c='1') == {'a', 'b'}
    assert _notes(folder) == [{'boxes': 'x', 'inputs': {'c': '1'}}]


def test_files_of_unknown_origin_are_accepted_and_stay_unknown(folder):
    note = folder.parent / 'tracks.sources.json'
    note.unlink()
    assert _refresh(folder, 'y', ['a'], a='7') == {'a'}
    assert not note.exists()


def test_a_folder_belongs_to_one_run(tmp_path):
    for _ in range(2):
        record_run(tmp_path / 'vpd', {'config': 'a.py'})
    assert json.loads((tmp_path / 'vpd' / 'run.json').read_text()) == {'config': 'a.py'}
    with pytest.raises(UserError, match=r"features of {'config': 'a.py'}, not of {'config': 'b.py'}; pass another"):
        record_run(tmp_path / 'vpd', {'config': 'b.py'})
    (tmp_path / 'vpd' / 'run.json').write_text('{')
    with pytest.raises(UserError, match=r'run\.json: truncated or not JSON'):
        record_run(tmp_path / 'vpd', {'config': 'a.py'})
