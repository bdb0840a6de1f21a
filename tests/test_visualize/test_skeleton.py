"""Skeletons: tables, colours of the sides, joints that are skipped."""

import numpy as np
import pytest

from vpd_mm.teacher.joint_feature import FLIP_ORDER, VPD_JOINTS
from vpd_mm.visualize.skeleton import (
    BACKGROUND,
    COCO17,
    FAINT,
    LEFT,
    MIDDLE,
    RIGHT,
    VPD13,
    draw_pose_panel,
    draw_skeleton,
    place_normalized,
)

SKELETONS = pytest.mark.parametrize('skeleton', [COCO17, VPD13], ids=['coco17', 'vpd13'])


def spread_out(skeleton):
    """Joints far from one another: left in the left column, right in the right one."""
    columns = {LEFT: 30, RIGHT: 170, MIDDLE: 100}
    return np.array([(columns[skeleton.colour(k)], 20 + 10 * k) for k in range(len(skeleton.joints))], float)


@SKELETONS
def test_each_joint_has_the_colour_of_its_side(skeleton):
    keypoints = spread_out(skeleton)
    image = draw_skeleton(np.zeros((220, 200, 3), np.uint8), keypoints, skeleton)
    for (x, y), name in zip(keypoints.astype(int), skeleton.joints, strict=True):
        expected = LEFT if name.startswith('left') else RIGHT if name.startswith('right') else MIDDLE
        assert image[y, x].tolist() == list(expected), name


@SKELETONS
def test_limbs_of_one_side_have_its_colour_and_limbs_between_sides_are_grey(skeleton):
    limbs = {('left_elbow', 'left_wrist'): LEFT, ('right_hip', 'right_knee'): RIGHT, ('left_hip', 'right_hip'): MIDDLE}
    for (a, b), expected in limbs.items():
        keypoints = np.full((len(skeleton.joints), 2), np.nan)
        keypoints[skeleton.joints.index(a)], keypoints[skeleton.joints.index(b)] = (20, 50), (180, 50)
        image = draw_skeleton(np.zeros((100, 200, 3), np.uint8), keypoints, skeleton)
        assert image[50, 100].tolist() == list(expected)


def test_tables_agree_with_mmpose_and_with_the_joints_of_the_teacher():
    from mmengine.config import Config
    from mmengine.utils import get_installed_path

    path = f'{get_installed_path("mmpose")}/.mim/configs/_base_/datasets/coco.py'
    info = Config.fromfile(path).dataset_info
    assert COCO17.joints == tuple(info.keypoint_info[k].name for k in range(17))
    links = [tuple(info.skeleton_info[k].link) for k in range(len(info.skeleton_info))]
    assert [(COCO17.joints[a], COCO17.joints[b]) for a, b in COCO17.limbs] == links
    assert VPD13.joints == tuple(COCO17.joints[k] for k in VPD_JOINTS)
    swapped = [name.replace('left_', 'x_').replace('right_', 'left_').replace('x_', 'right_') for name in VPD13.joints]
    assert [VPD13.joints.index(name) for name in swapped] == list(FLIP_ORDER)


def test_joints_with_low_scores_or_nan_are_skipped():
    keypoints, scores = np.full((13, 2), np.nan), np.ones(13)
    keypoints[[2, 4, 6]], scores[6] = [(40, 20), (40, 50), (140, 50)], 0.2
    image = draw_skeleton(np.zeros((100, 200, 3), np.uint8), keypoints, scores=scores, threshold=0.5)
    assert image[35, 40].tolist() == list(RIGHT)  # limb between joints 2 and 4
    assert image[:, 60:].max() == 0  # joint 6 and its limb
    with pytest.raises(ValueError, match='expected 17 joints'):
        draw_skeleton(image, keypoints, COCO17)
    with pytest.raises(ValueError, match='expected 13 joints'):
        draw_skeleton(image, keypoints, VPD13, scores[:12])
    draw_skeleton(image, np.full((13, 2), 1e12))  # far outside: no overflow


def test_low_scores_may_be_drawn_as_rings():
    keypoints, scores = np.full((13, 2), np.nan), np.ones(13)
    keypoints[[4, 6]], scores[6] = [(40, 50), (140, 50)], 0.2
    image = np.zeros((100, 200, 3), np.uint8)
    draw_skeleton(image, keypoints, scores=scores, threshold=0.5, thickness=4, rings=True)
    assert image[50, 40].tolist() == list(RIGHT)
    column = image[:, 140, 0]
    assert column[44] > 200 < column[56]
    assert column[47] < 40 > column[53]
    assert (image[:, 90, 0] > 200).sum() == 1  # a thin limb


def test_a_pose_panel_has_the_hips_in_its_centre():
    joints = np.zeros((13, 2))
    joints[7], joints[8], joints[11] = (0.1, 0), (-0.1, 0), (0.1, 1)
    placed = place_normalized(joints.ravel(), (80, 80), 64)
    assert placed[[7, 8]].mean(axis=0).tolist() == [80, 80]
    assert placed[11].tolist() == pytest.approx([86.4, 144])
    panel, faint = draw_pose_panel(joints, 160), draw_pose_panel(joints.ravel(), 160, FAINT)
    assert panel[144, 86].tolist() == list(LEFT)
    assert panel[0, 0].tolist() == faint[0, 0].tolist() == list(BACKGROUND)
    assert faint[144, 86].tolist() == pytest.approx([0.5 * b + 0.5 * c for b, c in zip(BACKGROUND, LEFT)], abs=1)
