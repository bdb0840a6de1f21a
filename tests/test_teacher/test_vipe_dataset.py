import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, default_collate

from vpd_mm.errors import UserError
from vpd_mm.synthetic.camera import CameraTrack, look_rotation
from vpd_mm.teacher import VIPE, MultiViewPoseDataset, PoseNoise, flip_joints, normalize_joints
from vpd_mm.teacher.vipe_dataset import camera_rotation, draw_cameras, project
from vpd_mm.teacher.vipe_model import different_poses

SKELETONS = Config.fromfile(Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'models' / 'skeletons.py')
SYNTHETIC = dict(skeleton='coco17', source=dict(type='SyntheticPoses', num=40, seed=5))
POINTS = np.random.default_rng(1).normal(size=(3000, 13, 2))
TRUNK = np.full(3000, 2.0)


def dataset(*others, names=('coco17',), **kwargs):
    return MultiViewPoseDataset({name: SKELETONS[name] for name in names}, [SYNTHETIC, *others], **kwargs)


def test_sample_has_two_views_and_the_target_of_one_pose():
    data = dataset()
    sample = data[3]
    assert sample['inputs'].shape == (2, 13, 3)
    assert sample['inputs'].dtype == np.float32
    assert (sample['inputs'][..., 2] == 0.5).all()  # score 1
    points = sample['inputs'][..., :2].astype(float)
    np.testing.assert_allclose(normalize_joints(points), points, atol=1e-6)
    assert abs(points[0] - points[1]).max() > 0.05
    assert sample['data_samples']['target'].shape == (95,)
    assert sample['data_samples']['skeleton'] == 0


def test_index_has_fixed_views_and_draws_have_new_ones():
    data = dataset(noise={})
    np.testing.assert_array_equal(data[7]['inputs'], data[7]['inputs'])
    np.testing.assert_array_equal(data[7]['inputs'], data.__getitems__([2, 7])[1]['inputs'])
    assert not np.array_equal(data[7]['inputs'], dataset(noise={}, seed=1)[7]['inputs'])
    assert not np.array_equal(data[(7, 0)]['inputs'], data[(7, 1)]['inputs'])
    np.testing.assert_array_equal(data[(7, 1)]['inputs'], data[(7, 1)]['inputs'])


def test_views_of_upright_people_are_upright():
    people = dict(skeleton='coco17', source=dict(type='SyntheticPoses', num=40, sport=0.0))
    data = MultiViewPoseDataset({'coco17': SKELETONS['coco17']}, [people], num_views=6)
    inputs = np.stack([data[i]['inputs'] for i in range(40)])
    assert (inputs[..., 1:3, 1].mean(-1) < 0).mean() > 0.97  # y points down, the hips are at 0
    assert 0.3 < (inputs[..., 1, 0] > inputs[..., 2, 0]).mean() < 0.7  # seen from the front as often as from behind


def test_twins_are_adjacent_mirror_images():
    data = dataset(twins=True)
    assert len(data) == 80
    samples = data.__getitems__([(i, 9) for i in (0, 50, 70, 3, 12)])
    first, twin = samples[2]['data_samples'], samples[3]['data_samples']
    mirrored = torch.from_numpy(first['joints3d'])[None] * torch.tensor([1.0, -1, 1])
    order = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11]
    torch.testing.assert_close(torch.from_numpy(twin['joints3d']), mirrored[0, order])
    np.testing.assert_array_equal(twin['target'], data.targets[30])
    assert not np.allclose(first['target'], twin['target'])
    # its views are the mirrored views in reverse order
    np.testing.assert_array_equal(samples[3]['inputs'], flip_joints(samples[2]['inputs'])[::-1])
    assert not np.allclose(samples[4]['inputs'], flip_joints(samples[3]['inputs'])[::-1])
    single = dataset()
    np.testing.assert_array_equal(data.joints[:40], single.joints)
    np.testing.assert_array_equal(data[5]['inputs'], single[5]['inputs'])


def test_mirrored_image_equals_image_of_the_mirrored_pose():
    """Cameras at azimuth a see a pose as cameras at -a see its mirror image, mirrored."""
    data = dataset(twins=True)
    points = torch.from_numpy(data.joints[:40])
    seen = torch.stack([points[..., 1], -points[..., 2], torch.zeros_like(points[..., 0])], dim=-1)  # from the front
    twin = torch.from_numpy(data.joints[40:])
    other = torch.stack([twin[..., 1], -twin[..., 2], torch.zeros_like(twin[..., 0])], dim=-1)
    torch.testing.assert_close(flip_joints(seen), other)


@pytest.fixture
def others(tmp_path):
    """A mocap file and a release of 3DPeople, from random numbers."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / 'h36m.npz', S=rng.normal(size=(8, 17, 4)).astype(np.float32).clip(0.01))
    frames = [(np.zeros(3), 0.0, rng.normal(size=(24, 3))) for _ in range(6)]
    (tmp_path / 'people.pkl').write_bytes(pickle.dumps({('p', 'a'): frames}))
    people = dict(type='ReleasePoses', path=str(tmp_path / 'people.pkl'), parents=SKELETONS.people3d_parents)
    return [
        dict(skeleton='h36m', source=dict(type='MocapPoses', path=str(tmp_path / 'h36m.npz'))),
        dict(skeleton='people3d', source=people),
    ]


def test_sources_train_jointly(others):
    names = ('coco17', 'h36m', 'people3d')
    data = dataset(*others, names=names)
    assert len(data) == 40 + 8 + 6
    assert np.bincount(data.numbers).tolist() == [40, 8, 6]
    assert data[50]['data_samples']['target'].shape == (165,)
    assert not data.targets[40:48, 109:].any()
    encoder = dict(type='vpd_mm.VIPEEncoder', dims=4, hidden_dims=16)
    model = VIPE(encoder, {name: SKELETONS[name] for name in names}, decoder_dims=8)
    batch = default_collate(data.__getitems__([0, 41, 50, 3]))
    losses = model(**batch, mode='loss')
    sum(losses.values()).backward()
    assert all(decoder[0].weight.grad.abs().sum() > 0 for decoder in model.decoders)


def test_file_of_another_skeleton_is_named(others):
    wrong = dict(others[0], skeleton='smplh')
    with pytest.raises(UserError, match=r'h36m\.npz: poses have shape \(8, 17, 3\), this skeleton needs \(N, 53, 3\)'):
        dataset(wrong, names=('coco17', 'smplh'))
    with pytest.raises(UserError, match="no skeleton 'h36m'; there are coco17"):
        dataset(others[0])
    with pytest.raises(UserError, match='at least one source'):
        MultiViewPoseDataset({}, [])


def test_workers_give_the_same_samples_as_one_process():
    data = dataset(noise={})
    draws = [[(i, 4 * b + i) for i in range(4)] for b in range(3)]
    one, two = ([batch['inputs'] for batch in DataLoader(data, batch_sampler=draws, num_workers=n)] for n in (0, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_different_poses_of_the_sport():
    data = dataset(twins=True)
    different = different_poses(torch.from_numpy(data.bones))
    assert not different.diagonal().any()
    assert 0.5 < different.float().mean() < 1


def project_point(point, azimuth=0.0, elevation=0.0, roll=0.0, distance=10.0):
    angles = (np.deg2rad(np.array([a], float)) for a in (azimuth, elevation, roll))
    return project(np.array([[point]], float), camera_rotation(*angles), np.array([distance]))[0, 0]


@pytest.mark.parametrize(
    ('point', 'camera', 'expected'),
    [
        ((0, 0, 0), {}, (0, 0)),
        ((0, 0, 1), {}, (0, -0.1)),  # up is up
        ((0, 1, 0), {}, (0.1, 0)),  # the left side of a person facing the camera is on the right
        ((2, 1, 0), {}, (0.125, 0)),  # nearer is larger
        ((0, 1, 0), dict(azimuth=180), (-0.1, 0)),  # seen from behind
        ((1, 0, 0), dict(azimuth=90), (-0.1, 0)),
        ((1, 0, 0), dict(elevation=90), (0, 0.1)),  # from above, what lies towards the camera's foot is below
        ((0, 0, 1), dict(roll=90), (0.1, 0)),  # clockwise
        ((20, 1, 0), {}, (1, 0)),  # behind the camera: held at a tenth of the distance
    ],
)
def test_projection_by_value(point, camera, expected):
    np.testing.assert_allclose(project_point(point, **camera), expected, atol=1e-12)


def test_equals_the_cameras_of_the_synthetic_sport():
    rng = np.random.default_rng(0)
    azimuth, elevation, roll = rng.uniform(-1, 1, (3, 1))
    points, distance = rng.normal(size=(1, 6, 3)), 7.0
    towards = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    rotation = look_rotation(azimuth + np.pi, -elevation, roll)
    track = CameraTrack(distance * towards[:, 0], rotation, np.ones(1), (0, 0))
    own = project(points, camera_rotation(azimuth, elevation, roll), np.array([distance]))
    np.testing.assert_allclose(own, track.project(points)[..., :2], atol=1e-9)


def test_drawn_cameras_are_within_the_limits():
    rotation, distance = draw_cameras(np.random.default_rng(0), 4000)
    product = rotation @ rotation.transpose(0, 2, 1)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), (4000, 3, 3)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    towards = -rotation[:, 2]
    assert 0.45 < towards[:, 2].max() <= 0.5
    assert -0.5 <= towards[:, 2].min() < -0.45
    quarters = np.bincount(((np.arctan2(towards[:, 1], towards[:, 0]) + np.pi) // (np.pi / 2)).astype(int), minlength=4)
    assert (abs(quarters[:4] - 1000) < 120).all()
    assert (abs(rotation[:, 0, 2]) <= np.sin(np.deg2rad(30)) + 1e-9).all()  # the horizon tilts by the roll
    assert 6 <= distance.min() < distance.max() <= 40


def spoil(**kwargs):
    return PoseNoise(**kwargs)(POINTS, TRUNK, np.random.default_rng(0))


def test_without_noise_nothing_changes():
    points, scores = spoil(jitter=(0, 0), score=(1, 1), drop=0)
    np.testing.assert_array_equal(points, POINTS)
    assert (scores == 1).all()


def test_noise_is_in_trunk_lengths_and_grows_as_scores_fall():
    points, scores = spoil(jitter=(0.05, 0.05), score=(0, 1), confident=0, drop=0)
    for score in (0.1, 0.5, 0.9):
        near = abs(scores - score) < 0.05
        assert (points - POINTS)[near].std() == pytest.approx(0.05 * 2 * (3 - 2 * score), rel=0.05)


def test_dropped_joints_have_low_scores_and_five_remain():
    points, scores = spoil(jitter=(0, 0), score=(0.5, 1), drop=0.3)
    lost = (points != POINTS).any(-1)
    assert lost.mean() == pytest.approx(0.3, abs=0.02)
    assert scores[lost].max() <= 0.2
    assert 0.4 < (scores[lost] == 0).mean() < 0.6
    assert scores[~lost].min() >= 0.5
    assert ((spoil(jitter=(0, 0), score=(1, 1), drop=0.99)[1] == 1).sum(1) == 5).mean() > 0.9


def test_dropped_joint_may_be_at_the_mean_of_the_others():
    points, _ = spoil(jitter=(0, 0), score=(1, 1), drop=0.1)
    lost = (points != POINTS).any(-1)
    middle = np.where(lost[..., None], 0, POINTS).sum(1) / (~lost).sum(1)[:, None]
    at_mean = np.isclose(points, middle[:, None]).all(-1)[lost].mean()
    assert at_mean == pytest.approx(0.3, abs=0.04)


def test_left_and_right_are_never_swapped():
    points, _ = spoil(jitter=(0.02, 0.02), drop=0)
    as_said = np.linalg.norm(points[:, 1] - POINTS[:, 1], axis=-1)
    assert (as_said < 0.5).all()


@pytest.mark.parametrize('kwargs', [dict(jitter=(0.2, 0.1)), dict(score=(0, 2)), dict(drop=1.0), dict(confident=-1)])
def test_invalid_numbers_are_refused(kwargs):
    with pytest.raises(UserError, match='PoseNoise'):
        PoseNoise(**kwargs)


def test_former_argument_name_is_deprecated():
    with pytest.warns(DeprecationWarning, match='sure is deprecated since 0.2, removed in 0.3; use confident'):
        assert PoseNoise(**{'sure': 0.5}).confident == 0.5
    with pytest.raises(TypeError, match="unexpected argument 'certain'"):
        PoseNoise(certain=0.5)
