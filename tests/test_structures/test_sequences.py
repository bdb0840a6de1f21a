import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.structures import AthleteTrack, FeatureSequence, PoseSequence


def valid(kind, n=4, seed=0):
    rng = np.random.default_rng(seed)
    frame_inds = np.cumsum(rng.integers(1, 4, n)).astype(np.int64)
    if kind is AthleteTrack:
        corner = rng.uniform(-10, 100, (n, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(1, 50, (n, 2))], 1).astype(np.float32)
        return {'frame_inds': frame_inds, 'boxes': boxes, 'scores': rng.random(n, np.float32)}
    if kind is PoseSequence:
        keypoints = rng.normal(0, 100, (n, 17, 2)).astype(np.float32)
        return {'frame_inds': frame_inds, 'keypoints': keypoints, 'scores': rng.random((n, 17), np.float32)}
    feats = rng.normal(0, 1, (n, 2, 26)).astype(np.float32)
    return {'frame_inds': frame_inds, 'feats': feats, 'scores': rng.random(n, np.float32)}


KINDS = [AthleteTrack, PoseSequence, FeatureSequence]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('n', [0, 1, 4])
def test_round_trip(kind, n, tmp_path):
    arrays = valid(kind, n)
    kind(**arrays).save(tmp_path / 'x.npz')
    back = kind.load(tmp_path / 'x.npz')
    assert len(back) == n
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(back, name), array)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda a: a | {'frame_inds': a['frame_inds'].astype(np.int32)}, 'frame_inds must be a int64'),
        (lambda a: a | {'frame_inds': a['frame_inds'][::-1].copy()}, 'strictly increase'),
        (lambda a: a | {'frame_inds': np.array([1, 1, 2, 3])}, 'no duplicate frame'),
        (lambda a: a | {'frame_inds': a['frame_inds'] - 100}, 'start at 0'),
        (lambda a: a | {'scores': a['scores'][:-1]}, 'scores must have shape'),
        (lambda a: a | {'scores': a['scores'] + 1}, r'scores must lie in \[0, 1\]'),
        (lambda a: a | {'scores': a['scores'] * np.float32('nan')}, 'scores holds NaN'),
    ],
)
def test_invalid_arrays_are_named(kind, change, message):
    with pytest.raises(UserError, match=message):
        kind(**change(valid(kind)))


def test_box_without_area_names_its_frame():
    arrays = valid(AthleteTrack)
    arrays['boxes'][2, 2] = arrays['boxes'][2, 0]
    with pytest.raises(UserError, match=f'of frame {arrays["frame_inds"][2]} has no area'):
        AthleteTrack(**arrays)


def test_feature_needs_one_or_two_views():
    arrays = valid(FeatureSequence)
    arrays['feats'] = np.zeros((4, 3, 26), np.float32)
    with pytest.raises(UserError, match='V 1 or 2'):
        FeatureSequence(**arrays)


def test_loading_names_the_file(tmp_path):
    valid_file = tmp_path / 'x.npz'
    AthleteTrack(**valid(AthleteTrack)).save(valid_file)
    with pytest.raises(UserError, match=r'x\.npz: holds .*AthleteTrack/1.*expected vpd_mm/PoseSequence/1'):
        PoseSequence.load(valid_file)
