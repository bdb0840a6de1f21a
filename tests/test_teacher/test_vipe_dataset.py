import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, default_collate

from vpd_mm.errors import UserError
from vpd_mm.synthetic import SyntheticPoses
from vpd_mm.synthetic.camera import CameraTrack, look_rotation
from vpd_mm.teacher import VIPE, MultiViewPoseDataset, PoseNoise, flip_joints, normalize_joints
from vpd_mm.teacher.joint_feature import FLIP_ORDER
from vpd_mm.teacher.pose_skeleton import vpd_bones
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
    assert sample['data_samples']['target'].shape == (14, 7)
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


def test_training_draws_mirror_images_as_often_as_poses():
    data = dataset()
    assert len(data) == 40
    drawn = np.stack([sample['data_samples']['joints3d'] for sample in data.__getitems__([(0, 3)] * 400)])
    index = (drawn[:, None] == data.joints).all((2, 3)).argmax(1)
    assert (drawn == data.joints[index]).all()
    assert len(set(index.tolist())) > 70
    assert 0.4 < (index >= 40).mean() < 0.6
    np.testing.assert_allclose(data.joints[40:], data.joints[:40, FLIP_ORDER] * [1, -1, 1])
    again = data.__getitems__([(7, 3)] * 400)  # the draw alone decides
    np.testing.assert_array_equal(again[5]['data_samples']['joints3d'], drawn[5])


def test_each_source_has_its_share_of_a_batch_and_sequences_are_drawn_evenly():
    sources = [dict(SYNTHETIC, draws=3), dict(skeleton='coco17', source=dict(type='SyntheticPoses', num=70, seed=6))]
    data = MultiViewPoseDataset({'coco17': SKELETONS['coco17']}, [sources[0], dict(sources[1], draws=1)])
    rows = [data._draw(100, np.random.default_rng(draw))[0] % 110 for draw in range(20)]
    assert [int((r < 40).sum()) for r in rows] == [75] * 20
    assert data.lengths.tolist() == [40, 60, 10]
    last = np.concatenate(rows) >= 100  # a sequence of 10 poses is drawn as often as one of 60
    assert 0.09 < last.mean() < 0.16


def test_negative_is_a_pose_of_the_same_sequence_in_which_a_bone_differs(tmp_path):
    standing = SyntheticPoses(num=1, sport=0.0).poses()[0][0]
    raised, other = standing.copy(), standing.copy()
    raised[9] = 2 * raised[7] - raised[9]  # left forearm
    other[0, 2] += 0.05  # nose
    names = [f'{sequence}_{i}' for sequence, n in (('a', 2), ('b', 3)) for i in range(n)]
    np.savez(tmp_path / 'p.npz', S=np.stack([standing, raised, *[other] * 3]), imgname=names)
    source = dict(skeleton='coco17', source=dict(type='MocapPoses', path=str(tmp_path / 'p.npz'), up='z'))
    data = MultiViewPoseDataset({'coco17': SKELETONS['coco17']}, [source], negatives=True)
    assert data.lengths.tolist() == [2, 3]
    index, inputs, columns = data._draw(400, np.random.default_rng(0))
    assert inputs.shape == (400, 3, 13, 3)
    np.testing.assert_array_equal(columns['different'], index % 5 < 2)
    sample = data[(0, 0)]
    assert sample['inputs'].shape == (3, 13, 3)
    assert sample['data_samples']['different'].shape == ()
    assert data[0]['inputs'].shape == (2, 13, 3)


def test_projected_views_are_parallel_with_exact_joints():
    data = dataset(noise=dict(jitter=(0.1, 0.1)), projected=1.0)
    index = np.arange(40)
    inputs = data.render(index, np.random.default_rng(0))
    assert ((inputs[..., 2] >= 0) & (inputs[..., 2] <= 0.5)).all()
    rotation, _ = draw_cameras(np.random.default_rng(0), 80)
    seen = np.einsum('nij,nkj->nki', rotation, np.repeat(data.joints[index], 2, axis=0))[..., :2]
    np.testing.assert_allclose(inputs[..., :2].reshape(80, 13, 2), normalize_joints(seen), atol=1e-4)
    half = dataset(noise=dict(jitter=(0.1, 0.1), score=(0.0, 0.4), confident=0), projected=0.5)
    scores = half.render(index, np.random.default_rng(0))[..., 2] + 0.5
    assert 0.3 < (scores >= 0.5).all(-1).mean() < 0.7


def test_twins_are_adjacent_mirror_images():
    data = dataset(twins=True)
    samples = data.__getitems__([(0, 9)] * 5)
    first, twin = samples[2]['data_samples'], samples[3]['data_samples']
    np.testing.assert_allclose(twin['joints3d'], first['joints3d'][list(FLIP_ORDER)] * [1, -1, 1])
    assert not np.allclose(first['target'], twin['target'])
    # its views are the mirrored views in reverse order
    np.testing.assert_array_equal(samples[3]['inputs'], flip_joints(samples[2]['inputs'])[::-1])
    assert not np.allclose(samples[4]['inputs'], flip_joints(samples[3]['inputs'])[::-1])
    np.testing.assert_array_equal(data[5]['inputs'], dataset()[5]['inputs'])


def test_mirrored_image_equals_image_of_the_mirrored_pose():
    """Cameras at azimuth a see a pose as cameras at -a see its mirror image, mirrored."""
    data = dataset()
    points = torch.from_numpy(data.joints[:40])
    seen = torch.stack([points[..., 1], -points[..., 2], torch.zeros_like(points[..., 0])], dim=-1)  # from the front
    twin = torch.from_numpy(data.joints[40:])
    other = torch.stack([twin[..., 1], -twin[..., 2], torch.zeros_like(twin[..., 0])], dim=-1)
    torch.testing.assert_close(flip_joints(seen), other)


@pytest.fixture
def others(tmp_path):
    """A mocap file and a release of 3DPeople, from random numbers."""
    rng = np.random.default_rng(0)
    names = [f'S1_Walking.cam_{i}.jpg' for i in range(8)]
    np.savez(tmp_path / 'h36m.npz', S=rng.normal(size=(8, 17, 4)).astype(np.float32).clip(0.01), imgname=names)
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
    assert np.bincount(data.numbers[:54]).tolist() == [40, 8, 6]
    assert data[50]['data_samples']['target'].shape == (24, 7)
    assert not data.targets[40:48, 16:].any()
    encoder = dict(type='vpd_mm.VIPEEncoder', dims=4, hidden_dims=16)
    model = VIPE(encoder, {name: SKELETONS[name] for name in names}, decoder_dims=8)
    batch = default_collate(data.__getitems__([0, 41, 50, 3]))
    losses = model(**batch, mode='loss')
    sum(losses.values()).backward()
    assert all(head.weight.grad.abs().sum() > 0 for head in model.heads)


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
    different = different_poses(torch.from_numpy(vpd_bones(dataset().joints)))
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
