from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from vpd_mm.errors import UserError
from vpd_mm.synthetic import SyntheticPoses
from vpd_mm.synthetic.skeleton import rot_y, rot_z
from vpd_mm.teacher import Skeleton
from vpd_mm.teacher.joint_feature import FLIP_ORDER
from vpd_mm.teacher.pose_skeleton import VPD_BONES, bone_angles, vpd_bones

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
        if (name, joint) == ('smplh', 'nose'):
            assert place == 52  # the vertex; the published tree has no nose
        elif isinstance(place, int):
            assert places[own] == place, joint
        else:  # 3DPeople: the nose is the middle of head and eyes
            assert sorted(place) == sorted(places[joint] for joint in ('head', 'left_eye', 'right_eye'))


@pytest.mark.parametrize('name', ['people3d', 'nba2k'])
def test_parents_of_the_release_equal_those_of_the_tree(name):
    index = {joint: i for joint, i, _ in SKELETONS[name]['tree']}
    parents = {i: index[parent] for _, i, parent in SKELETONS[name]['tree'] if parent}
    assert [parents[i] for i in range(1, 25)] == SKELETONS[f'{name}_parents']


def test_bone_angles_by_value():
    x, y = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    diagonal = np.array([1.0, 1, 0]) / np.sqrt(2)
    angles = bone_angles(np.stack([x, x, x, x]), np.stack([x, diagonal, y, -x]))
    np.testing.assert_allclose(angles, [0, np.pi / 4, np.pi / 2, np.pi])


def test_target_of_a_bent_chain_by_value():
    joints = np.array([[[0, 0, 1.0], [0, 0, 3], [0, 5, 3], [0, 5, 3]]])  # up 2, left 5, and a bone of no length
    target = chain(4).target(joints)[0]
    assert target.shape == (chain(4).num_bones, 7) == (3, 7)
    np.testing.assert_allclose(target[:, :3], [[0, 0, 1], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_allclose(target[:, 3], [-0.5, 0, 0])  # the first bone; right angles: arccos / pi - 0.5 = 0
    sloped = np.array([0, 5, 2]) / np.sqrt(29)
    np.testing.assert_allclose(target[:, 4:], [[0, 0, 1], sloped, sloped], atol=1e-6)


def test_straight_and_folded_chains_have_extreme_angles():
    straight = np.array([[[0, 0, 0.0], [0, 0, 1], [0, 0, 2]]])
    folded = np.array([[[0, 0, 0.0], [0, 0, 1], [0, 0, 0.5]]])
    assert chain(3).target(straight)[0, 1, 3] == -0.5
    assert chain(3).target(folded)[0, 1, 3] == 0.5


@pytest.mark.parametrize(
    ('name', 'rows', 'mirrored_row', 'total'),
    [
        (
            'people3d',
            [
                [0.61898, -0.7751, 0.1268, -0.5, 0.61898, -0.7751, 0.1268],
                [-0.25289, -0.22845, 0.94014, -0.33171, 0.57243, -0.66943, 0.47348],
                [-0.5842, 0.38477, -0.71461, -0.21161, -0.14199, -0.10349, -0.98444],
            ],
            [0.91146, 0.15101, 0.38266, -0.26957, 0.62695, -0.62553, -0.46438],
            76.3784605,
        ),
        (
            'nba2k',
            [
                [0.61898, -0.7751, 0.1268, -0.27832, 0.61898, -0.7751, 0.1268],
                [-0.25289, -0.22845, 0.94014, 0.19595, 0.97288, 0.04431, 0.22704],
                [-0.5842, 0.38477, -0.71461, 0.17758, 0.77653, 0.51714, 0.35996],
            ],
            [0.89603, 0.32357, -0.30404, 0.2109, 0.16132, 0.67921, -0.71599],
            74.0836644,
        ),
    ],
)
def test_target_equals_that_of_the_published_code(name, rows, mirrored_row, total):
    """Random offsets; numbers of rows 0, 9, 23 by get_3d_features of jhong93/vpd, whose x is left and y forward."""
    skeleton = Skeleton(**SKELETONS[name])
    order = np.array([joint - 1 for _, joint, _ in SKELETONS[name]['tree'][1:]])
    joints = np.zeros((1, 25, 3))
    for i, (offset, parent) in enumerate(
        zip(np.random.default_rng(3).normal(size=(24, 3)), SKELETONS[f'{name}_parents'])
    ):
        joints[0, i + 1] = joints[0, parent] + offset[[1, 0, 2]]
    published = [1, 0, 2, 3, 5, 4, 6]
    target = np.empty((24, 7))
    target[order] = skeleton.target(joints)[0][:, published]
    np.testing.assert_allclose(target[[0, 9, 23]], rows, atol=1e-5)
    assert abs(target).sum() == pytest.approx(total, rel=1e-6)
    target[order] = skeleton.target(joints, mirrored=True)[0][:, published]
    np.testing.assert_allclose(target[9], mirrored_row, atol=1e-5)


@pytest.mark.parametrize(
    ('lean', 'hip', 'nose'),
    [
        (0, (0, -1, 0), (1, 0, 0)),
        (60, (0, -1, 0), (0.5, 0, -0.8660)),
        (100, (0, -1, 0), (-0.1736, 0, -0.9848)),
        (170, (0, 1, 0), (0.9848, 0, -0.1736)),
    ],
)
def test_torso_gives_the_heading_of_the_published_code(lean, hip, nose):
    """Right hip and nose of a person who leans forward, by load_nba2k_skeleton of jhong93/vpd (x and y exchanged)."""
    joints = np.zeros((25, 3))
    joints[[1, 4, 7, 8, 9]] = [0, -0.1, 0], [0, 0.1, 0], [0.01, 0, 0.2], [0, 0, 0.5], [0.03, 0, 0.6]
    joints[[10, 13, 24]] = [0, 0.18, 0.48], [0, -0.18, 0.48], [0.13, 0, 0.6]
    turned = joints @ rot_y(np.deg2rad(lean)).T @ rot_z(np.array([0.7]))[0].T
    forward = Skeleton(**SKELETONS['nba2k']).face_forward(turned[None])[0]
    np.testing.assert_allclose(forward[1] / np.linalg.norm(forward[1]), hip, atol=1e-4)
    np.testing.assert_allclose((forward[24] - forward[9]) / np.linalg.norm(forward[24] - forward[9]), nose, atol=1e-4)


def test_face_forward_removes_heading_position_and_size_but_not_tilt():
    coco = Skeleton(**SKELETONS['coco17'])
    poses = np.concatenate(SyntheticPoses(40, seed=0).poses()).astype(float)
    forward = coco.face_forward(poses)
    turned = np.einsum('nij,nkj->nki', rot_z(np.linspace(-3, 3, 40)), poses) * 1.7 + [3, -2, 1]
    np.testing.assert_allclose(coco.face_forward(turned), forward, atol=1e-9)
    joints = coco.vpd(forward)
    left = joints[:, 1] - joints[:, 2] + joints[:, 7] - joints[:, 8]
    np.testing.assert_allclose(left[:, 0], 0, atol=1e-9)
    assert (left[:, 1] > 0).all()
    np.testing.assert_allclose(joints[:, 7] + joints[:, 8], 0, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(joints[:, 1:3].mean(1), axis=1), 1)
    upside_down = np.einsum('ij,nkj->nki', rot_y(np.pi), poses)
    np.testing.assert_allclose(coco.face_forward(upside_down)[..., 2], -forward[..., 2], atol=1e-9)


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
    poses = np.concatenate(SyntheticPoses(20, seed=1).poses()).astype(float)
    forward = coco.face_forward(poses)
    mirrored = forward[:, [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]] * [1, -1, 1]
    np.testing.assert_allclose(coco.target(forward, mirrored=True), coco.target(mirrored), atol=1e-6)
    assert abs(coco.target(forward) - coco.target(mirrored)).max() > 0.3
