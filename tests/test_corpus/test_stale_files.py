"""Sources of derived files, and what is made again because an input has changed."""

import os
from itertools import pairwise

import numpy as np
import pytest

from vpd_mm.corpus import Corpus
from vpd_mm.corpus.stale_files import (
    CorpusInputs,
    FileDigests,
    files_digest,
    refresh_features,
    stale_videos,
)
from vpd_mm.errors import UserError
from vpd_mm.files import file_digest
from vpd_mm.structures import FeatureSequence, PoseSequence
from vpd_mm.structures.npz_io import read_source


def _features(path, value=0.0, source=None):
    FeatureSequence(np.arange(2), np.full((2, 1, 3), value, np.float32), np.ones(2, np.float32)).save(path, source)


def test_digest_of_one_and_of_several_files(tmp_path):
    for name in ('a', 'b'):
        (tmp_path / name).write_text(name)
    a, b = tmp_path / 'a', tmp_path / 'b'
    assert file_digest(a) == 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'
    assert len({files_digest(paths) for paths in ([a], [b], [a, b], [b, a])}) == 4
    assert files_digest([]) == files_digest([tmp_path / 'none']) == files_digest([a, tmp_path]) == ''


def test_a_large_file_is_read_again_only_if_it_may_have_changed(tmp_path, monkeypatch):
    """Same size and time of change are not enough: a copy can keep both."""
    video, kept = tmp_path / 'video', tmp_path / 'kept'
    video.write_bytes(bytes(2 << 20))
    monkeypatch.setattr('vpd_mm.corpus.stale_files._CLOCK_STEP_NS', -(10**12))
    reads = []
    monkeypatch.setattr('vpd_mm.corpus.stale_files.file_digest', lambda path: reads.append(1) or file_digest(path))

    def run():
        digests = FileDigests(kept)
        found = digests(video)
        digests.save()
        return found

    zeros = run()
    assert (run(), len(reads)) == (zeros, 1)
    os.utime(video)
    assert (run(), len(reads)) == (zeros, 2)
    assert (run(), len(reads)) == (zeros, 2)
    times, other = video.stat(), tmp_path / 'other'
    other.write_bytes(bytes((2 << 20) - 1) + b'x')
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(video)
    assert run() != zeros


@pytest.mark.parametrize(
    ('made_of', 'inputs', 'expected'),
    [
        ('x', {'boxes': '1', 'video': 'v'}, set()),
        ('x', {'boxes': '2', 'video': 'v'}, {'a'}),
        ('x', {'boxes': '1', 'video': 'w'}, {'a'}),
        ('x', {'boxes': '', 'video': 'v'}, set()),  # the boxes are gone
        ('moved', {'boxes': '1', 'video': 'v'}, set()),
        ('y', {'video': 'v'}, set()),  # boxes are not asked for
        ('y', {'boxes': '2', 'video': 'v'}, r"files made of {'boxes': 'x'}; requested: {'boxes': 'y'}; hint"),
        ('y', {'boxes': '', 'video': 'v'}, r"files made of {'boxes': 'x'}; requested"),
        ('y', {'video': 'w'}, r"files made of {'boxes': 'x'} \(video changed since\); requested"),
    ],
)
def test_stale_videos(tmp_path, made_of, inputs, expected):
    found = {'a': {'boxes': 'x', 'inputs': {'boxes': '1', 'video': 'v'}}, 'b': None}
    wanted = {video: {'boxes': made_of, 'inputs': inputs} for video in found}
    if isinstance(expected, set):
        assert stale_videos(tmp_path, found, wanted, 'hint') == expected
    else:
        with pytest.raises(UserError, match=rf'1 video \(first a\) with {expected}'):
            stale_videos(tmp_path, found, wanted, 'hint')
        assert stale_videos(tmp_path, found, wanted, 'hint', overwrite=True) == {'a'}
    with pytest.raises(UserError, match='made of unknown inputs'):
        stale_videos(tmp_path, found, wanted, 'hint', unknown=False)


def test_features_without_an_input_stay_unless_the_model_has_changed(tmp_path):
    def refresh(model, *videos, **kwargs):
        made_of = {'config': 'x.py', 'inputs': {'model': model}}
        missing = refresh_features(tmp_path, made_of, {video: {'crops': '1'} for video in videos}, **kwargs)
        for video, source in missing.items():
            _features(tmp_path / f'{video}.npz', source=source)
        return sorted(missing)

    assert refresh('m', 'a', 'b') == ['a', 'b']
    assert read_source(tmp_path / 'a.npz') == {'config': 'x.py', 'inputs': {'crops': '1', 'model': 'm'}}
    assert refresh('m', 'a', 'b') == refresh('m', 'a') == []
    assert sorted(path.stem for path in tmp_path.glob('*.npz')) == ['a', 'b']
    assert refresh('n', 'a') == ['a']
    assert sorted(path.stem for path in tmp_path.glob('*.npz')) == ['a']
    (tmp_path / 'a.npz').write_bytes(b'no npz')
    with pytest.raises(UserError, match=r'a\.npz: unreadable.*delete it'):
        refresh('n', 'a')


def test_what_is_made_of_something_that_changed_since_is_refused(tmp_path):
    """Also where the change is two steps back."""
    corpus = Corpus.create(tmp_path / 'c')
    names = 'athlete/poses/p/a.npz', 'teacher/joints/a.npz', 'features/both/a.npz'

    def save_poses(x):
        keypoints = np.full((1, 17, 2), x, np.float32)
        PoseSequence(np.arange(1), keypoints, np.ones((1, 17), np.float32)).save(corpus.root / names[0])

    save_poses(1)
    inputs = CorpusInputs(corpus)
    for made_of, name in pairwise(names):
        _features(corpus.root / name, source={'inputs': inputs.of(made_of, 'teacher/none/a.npz') | {'model': '1'}})
    CorpusInputs(corpus).check(*names)
    _features(corpus.root / names[1], source={'inputs': inputs.of(names[0]), 'note': 'the same content'})
    CorpusInputs(corpus).check(*names)
    save_poses(2)
    message = r'teacher/joints/a\.npz: athlete/poses/p/a\.npz has changed since; make it again with tools/extract_fea'
    for name in names[1:]:
        with pytest.raises(UserError, match=message):
            CorpusInputs(corpus).check(name)
    (corpus.root / names[0]).unlink()
    CorpusInputs(corpus).check(*names)
