from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from vpd_mm.errors import UserError
from vpd_mm.synthetic import SyntheticPoses
from vpd_mm.synthetic.skeleton import rot_y, rot_z
from vpd_mm.teacher import Skeleton
from vpd_mm.teacher.joint_feature import FLIP_ORDER
from vpd_mm.teacher.pose_skeleton import VPD_BONES, bone_angles, face_forward, vpd_bones

SKELETONS = Config.fromfile(Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'models' / 'skeletons.py')
NAMES = ('coco17', 'h36m', 'smplh', 'people3d', 'nba2k')
PARTS = ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')
VPD_NAMES = ['nose'] + [f'{side}_{part}' for part in PARTS for side in ('left', 'right')]
#: What sources call these joints.
OTHER_NAMES = {
    'people3d': dict(zip(PARTS, ('arm', 'forearm', 'hand', 'up_leg', 'leg', 'foot'), strict=True)),
}


def chain(points):
    """A skeleton of points in a row, each the parent of the next; its 13 joints are arbitrary."""
    tree = [(f'j{i}', i, f'j{i - 1}' if i else None) for i in range(points)]
    return Skeleton(points, [0] * 13, tree)


@pytest.mark.parametrize('name', NAMES)
def test_vpd_joints_of_every_source_are_in_its_tree(name):
    entry = SKELETONS[name]
    places = {joint: place for joint, place, _ in entry['tree']}
    for joint, place in zip(VPD_NAMES, entry['vpd_joints'], strict=True):
        part = joint.rpartition('_')[2]
        own = joint.replace(part, OTHER_NAMES.get(name, {}).get(part, part))
        if isinstance(place, int):
            assert places[own] == place, joint
        else:  # 3DPeople: the nose is between the eyes
            assert sorted(place) == sorted((places['left_eye'], places['right_eye']))


@pytest.mark.parametrize('name', ['people3d', 'nba2k'])
def test_parents_of_the_release_equal_those_of_the_tree(name):
    assert Skeleton(**SKELETONS[name]).parents[1:].tolist() == SKELETONS[f'{name}_parents']


def test_bone_angles_by_value():
    x, y = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    diagonal = np.array([1.0, 1, 0]) / np.sqrt(2)
    angles = bone_angles(np.stack([x, x, x, x]), np.stack([x, diagonal, y, -x]))
    np.testing.assert_allclose(angles, [0, np.pi / 4, np.pi / 2, np.pi])


def test_target_of_a_bent_chain_by_value():
    joints = np.array([[[0, 0, 1.0], [0, 0, 3], [0, 5, 3], [0, 5, 3]]])  # up 2, left 5, and a bone of no length
    target = chain(4).target(joints)[0]
    assert target.shape == (chain(4).target_dims,) == (20,)
    np.testing.assert_allclose(target[:9], [0, 0, 1, 0, 1, 0, 0, 0, 0])
    np.testing.assert_allclose(target[9:11], [0, 0])  # right angles: arccos / pi - 0.5 = 0
    sloped = np.array([0, 5, 2]) / np.sqrt(29)
    np.testing.assert_allclose(target[11:], [0, 0, 1, *sloped, *sloped], atol=1e-6)


def test_straight_and_folded_chains_have_extreme_angles():
    straight = np.array([[[0, 0, 0.0], [0, 0, 1], [0, 0, 2]]])
    folded = np.array([[[0, 0, 0.0], [0, 0, 1], [0, 0, 0.5]]])
    assert chain(3).target(straight)[0, 6] == -0.5
    assert chain(3).target(folded)[0, 6] == 0.5


def test_face_forward_removes_heading_position_and_size_but_not_tilt():
    coco = Skeleton(**SKELETONS['coco17'])
    poses = SyntheticPoses(40, seed=0).poses().astype(float)
    forward = face_forward(poses, coco.vpd(poses))
    turned = np.einsum('nij,nkj->nki', rot_z(np.linspace(-3, 3, 40)), poses) * 1.7 + [3, -2, 1]
    np.testing.assert_allclose(face_forward(turned, coco.vpd(turned)), forward, atol=1e-9)
    joints = coco.vpd(forward)
    left = joints[:, 1] - joints[:, 2] + joints[:, 7] - joints[:, 8]
    np.testing.assert_allclose(left[:, 0], 0, atol=1e-9)
    assert (left[:, 1] > 0).all()
    np.testing.assert_allclose(joints[:, 7] + joints[:, 8], 0, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(joints[:, 1:3].mean(1), axis=1), 1)
    upside_down = np.einsum('ij,nkj->nki', rot_y(np.pi), poses)
    np.testing.assert_allclose(face_forward(upside_down, coco.vpd(upside_down))[..., 2], -forward[..., 2], atol=1e-9)


def test_bones_are_unit_vectors_and_mirroring_swaps_sides():
    joints = np.random.default_rng(0).normal(size=(5, 13, 3))
    bones = vpd_bones(joints)
    np.testing.assert_allclose(np.linalg.norm(bones, axis=-1), 1)
    mirrored = vpd_bones(joints[:, FLIP_ORDER] * [1, -1, 1])
    left, right = VPD_BONES.index((1, 3)), VPD_BONES.index((2, 4))
    np.testing.assert_allclose(mirrored[:, left], bones[:, right] * [1, -1, 1])


@pytest.mark.parametrize(
    ('poses', 'message'),
    [
        (np.zeros((3, 13, 3)), r'poses have shape \(3, 13, 3\), this skeleton needs \(N, 17, 3\)'),
        (np.zeros((0, 17, 3)), 'holds no pose'),
        (np.full((3, 17, 3), np.nan), 'pose 0 holds NaN'),
    ],
)
def test_poses_of_another_skeleton_are_refused(poses, message):
    with pytest.raises(UserError, match=f'file.npz: {message}'):
        Skeleton(**SKELETONS['coco17']).check(poses, 'file.npz')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(vpd_joints=[0] * 12), 'must name 13 joints, found 12'),
        (dict(vpd_joints=[17] * 13), '17 is no joint of 17'),
        (dict(tree=[('a', 0, None), ('b', 1, 'c')]), "'b': its parent 'c'"),
        (dict(tree=[('a', 0, None), ('b', 1, None)]), "'b': its parent None"),
    ],
)
def test_invalid_skeleton_is_refused(change, message):
    with pytest.raises(UserError, match=message):
        Skeleton(**{**SKELETONS['coco17'], **change})


def test_mirrored_target_equals_the_target_of_the_mirrored_pose():
    coco = Skeleton(**SKELETONS['coco17'])
    poses = SyntheticPoses(20, seed=1).poses().astype(float)
    forward = face_forward(poses, coco.vpd(poses))
    mirrored = forward[:, [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]] * [1, -1, 1]
    np.testing.assert_allclose(coco.target(forward, mirrored=True), coco.target(mirrored), atol=1e-6)
    assert abs(coco.target(forward) - coco.target(mirrored)).max() > 0.3
