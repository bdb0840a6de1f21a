"""Sources of 3D poses: mocap, AMASS, the VPD release, synthetic athletes."""

import pickle
import sys
import types

import numpy as np
import pytest
import torch

from vpd_mm.errors import UserError
from vpd_mm.registry import TASK_UTILS
from vpd_mm.synthetic import SyntheticPoses
from vpd_mm.synthetic.skeleton import COCO_INDEX, NODE

RNG = np.random.default_rng(0)


def build(**cfg):
    return TASK_UTILS.build(cfg)


def test_mocap_axes_are_rotated_and_invisible_poses_left_out(tmp_path):
    joints = RNG.normal(size=(6, 17, 4)).astype(np.float32)
    joints[..., 3] = 1
    joints[4, 3, 3] = 0
    names = [f'S1/{name}.{camera}_{i:06}.jpg' for i, (name, camera) in enumerate(['b1', 'b1', 'a1', 'b1', 'b1', 'b2'])]
    np.savez(tmp_path / 'h36m_train.npz', S=joints, imgname=names)
    poses = build(type='MocapPoses', path=str(tmp_path / 'h36m_train.npz')).poses()
    assert [len(sequence) for sequence in poses] == [1, 3, 1]
    x, y, z = np.moveaxis(joints[[2, 0, 1, 3, 5], :, :3], -1, 0)
    np.testing.assert_allclose(np.concatenate(poses), np.stack([x, z, -y], axis=-1), atol=1e-6)
    upright = build(type='MocapPoses', path=str(tmp_path / 'h36m_train.npz'), up='y').poses()[1]
    assert np.linalg.det(np.linalg.lstsq(joints[0, :, :3], upright[0], rcond=None)[0]) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(upright[0, :, 2], joints[0, :, 1], atol=1e-6)


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        (dict(joints=np.zeros((2, 17, 3))), "has no field 'S', only joints; expected an mmpose mocap file"),
        (dict(S=np.zeros((2, 17, 2)), imgname=['a', 'b']), r"'S' is float64 \(2, 17, 2\)"),
        (dict(S=np.zeros((2, 17, 3)), imgname=['a']), r"'imgname' is <U1 \(1,\)"),
        (dict(S=np.array([{}]), imgname=['a']), 'holds Python objects'),
        (b'PK\x03\x04 cut', 'unreadable as an npz'),
        (None, r'a\.npz: no such file; expected an mmpose mocap file'),
    ],
)
def test_other_files_are_refused(tmp_path, arrays, message):
    if isinstance(arrays, bytes):
        (tmp_path / 'a.npz').write_bytes(arrays)
    elif arrays:
        np.savez(tmp_path / 'a.npz', **arrays)
    with pytest.raises(UserError, match=message):
        build(type='MocapPoses', path=str(tmp_path / 'a.npz')).poses()
    with pytest.raises(UserError, match='up must be one of z, y, -y'):
        build(type='MocapPoses', path='a.npz', up='x')


def release(path, frames):
    path.write_bytes(pickle.dumps({('person', 'action'): frames}))
    return build(type='ReleasePoses', path=str(path), parents=[0, 1, 0])


def test_release_offsets_become_joints(tmp_path):
    offsets = RNG.normal(size=(2, 3, 3))
    frames = [(np.zeros(3), 20.0, offsets[0]), None, (np.ones(3), np.float64(3), offsets[1])]
    (poses,) = release(tmp_path / 'p.pkl', frames).poses()
    assert poses.shape == (2, 4, 3)
    for pose, bone in zip(poses, offsets[..., [1, 0, 2]], strict=True):
        np.testing.assert_allclose(pose, [[0, 0, 0], bone[0], bone[0] + bone[1], bone[2]])


def test_release_axes_are_left_forward_up_and_persons_can_be_excluded(tmp_path):
    """load_nba2k_skeleton of jhong93/vpd gives a right hip at -x and a nose at +y for a person who stands upright."""
    hip_knee_nose = np.array([[-0.1, 0, 0], [0, 0.02, -0.4], [0, 0.1, 0.6]])
    people = {(name, 'walk'): [(np.zeros(3), 0.0, hip_knee_nose)] * n for name, n in (('a', 2), ('b', 1))}
    (tmp_path / 'p.pkl').write_bytes(pickle.dumps(people))
    kwargs = dict(type='ReleasePoses', path=str(tmp_path / 'p.pkl'), parents=[0, 1, 0])
    assert [len(poses) for poses in build(**kwargs).poses()] == [2, 1]
    ((pose,),) = build(**kwargs, exclude=['a']).poses()
    np.testing.assert_allclose(pose, [[0, 0, 0], [0, -0.1, 0], [0.02, -0.1, -0.4], [0.1, 0, 0.6]])
    with pytest.raises(UserError, match='holds no pose'):
        build(**kwargs, exclude=['a', 'b']).poses()


@pytest.mark.parametrize(
    ('frames', 'message'),
    [
        ([(np.zeros(3), 0.0, np.zeros((24, 3)))], r'offsets must be \(3, 3\), found \(24, 3\) float64; name'),
        ([(np.zeros(3), 0.0)], 'found no array'),
        ([None], 'holds no pose'),
        (7, 'must be a list, found a int'),
    ],
)
def test_release_of_another_skeleton_is_refused(tmp_path, frames, message):
    with pytest.raises(UserError, match=message):
        release(tmp_path / 'p.pkl', frames).poses()


def test_release_parents_come_first():
    with pytest.raises(UserError, match='joint 1 must come after its parent, found 1'):
        build(type='ReleasePoses', path='p.pkl', parents=[1, 0])


class FakeBody:
    """Stub of smplx's SMPL-H: joint j is at (j, rotation's first number, first beta)."""

    def __call__(self, betas, global_orient, body_pose, left_hand_pose, right_hand_pose, transl):
        n = len(betas)
        assert (body_pose.shape[1], left_hand_pose.shape[1], right_hand_pose.shape[1]) == (63, 45, 45)
        assert not transl.any()
        joints = torch.zeros(n, 73, 3)
        joints[..., 0] = torch.arange(73)
        joints[..., 1], joints[..., 2] = global_orient[:, :1], betas[:, :1]
        return types.SimpleNamespace(joints=joints)


def write_amass(folder, **change):
    fields = dict(
        poses=np.tile(np.arange(40.0)[:, None], (1, 156)), trans=np.zeros((40, 3)), betas=np.full(16, 0.5),
        gender=np.array('female'), mocap_framerate=np.array(20.0),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / 'walk_poses.npz', **{**fields, **change})


def amass(tmp_path, **kwargs):
    return build(type='AmassPoses', path=str(tmp_path / 'amass'), body_model=str(tmp_path / 'models'), **kwargs)


def test_amass_uses_five_poses_per_second_and_the_body_model(tmp_path, monkeypatch):
    asked = []
    create = lambda *args, **kwargs: asked.append((args, kwargs)) or FakeBody()  # noqa: E731
    monkeypatch.setitem(sys.modules, 'smplx', types.SimpleNamespace(create=create))
    write_amass(tmp_path / 'amass' / 'CMU' / '01')
    with pytest.raises(UserError, match=r'SMPLH_FEMALE\.npz: no such file; download the SMPL-H body model'):
        amass(tmp_path).poses()
    (tmp_path / 'models' / 'smplh').mkdir(parents=True)
    (tmp_path / 'models' / 'smplh' / 'SMPLH_FEMALE.npz').touch()
    (poses,) = amass(tmp_path).poses()
    assert poses.shape == (10, 53, 3)
    np.testing.assert_allclose(poses[:, 52], np.stack([np.full(10, 52), np.arange(0, 40, 4), np.full(10, 0.5)], axis=1))
    assert asked[0][1]['gender'] == 'female'
    assert asked[0][1]['ext'] == 'npz'
    write_amass(tmp_path / 'amass' / 'SFU')
    assert [len(part) for part in amass(tmp_path, repeat=dict(SFU=3)).poses()] == [10] * 4
    assert len(amass(tmp_path, repeat=dict(SFU=0)).poses()) == 1


def test_amass_without_smplx_files_or_with_smplx_bodies(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r'holds no \*_poses\.npz; download AMASS'):
        amass(tmp_path).poses()
    write_amass(tmp_path / 'amass')
    monkeypatch.setitem(sys.modules, 'smplx', None)
    with pytest.raises(UserError, match='AMASS needs the smplx package'):
        amass(tmp_path).poses()
    write_amass(tmp_path / 'amass', poses=np.zeros((40, 165)))
    with pytest.raises(UserError, match=r"'poses' is \(40, 165\); expected \(N, 156\)"):
        amass(tmp_path).poses()


def test_synthetic_seeds_give_different_athletes_with_constant_bones():
    sequences = SyntheticPoses(num=120, seed=3, varied=0.5).poses()
    assert [len(poses) for poses in sequences] == [60, 50, 10]  # a motion, two bodies in no motion
    poses = np.concatenate(sequences)
    assert poses.shape == (120, 17, 3)
    np.testing.assert_array_equal(poses, np.concatenate(SyntheticPoses(num=120, seed=3, varied=0.5).poses()))
    assert not np.isclose(poses[0], SyntheticPoses(num=120, seed=4, varied=0.5).poses()[0][0]).any()
    assert NODE['nose'] == COCO_INDEX[0]
    thighs = np.linalg.norm(poses[:, 11] - poses[:, 13], axis=-1)
    assert 0.3 < thighs.min() < thighs.max() < 0.5
    with pytest.raises(UserError, match='varied must lie in 0 to 1'):
        SyntheticPoses(num=1, varied=2)


def test_varied_poses_are_upright_upside_down_and_between():
    poses = np.concatenate(SyntheticPoses(num=400, varied=1.0).poses())
    up = poses[:, 5:7].mean(1) - poses[:, 11:13].mean(1)
    lean = up[:, 2] / np.linalg.norm(up, axis=1)
    assert (lean > 0.7).mean() > 0.5
    assert (lean < -0.5).mean() > 0.08
    assert (abs(lean) < 0.5).mean() > 0.08
