import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, default_collate

from vpd_mm.errors import UserError
from vpd_mm.teacher import VIPE, MultiViewPoseDataset, flip_joints, normalize_joints
from vpd_mm.teacher.vipe_model import different_poses, mirror_inputs

SKELETONS = Config.fromfile(Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'models' / 'skeletons.py')
SYNTHETIC = dict(skeleton='coco17', source=dict(type='SyntheticPoses', num=40, seed=5))


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
    torch.testing.assert_close(mirror_inputs(seen), other)


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
