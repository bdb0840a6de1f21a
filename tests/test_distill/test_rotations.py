"""CropRotation and AthleteRotation: image, flow and targets rotate together."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from vpd_mm.corpus import Corpus, CropStore
from vpd_mm.corpus.crop_writer import CropWriter
from vpd_mm.distill import AthleteRotation, CropRotation, LoadBox, LoadPose, ResizedCrop, TurnedVipe
from vpd_mm.errors import UserError
from vpd_mm.structures import AthleteTrack, PoseSequence
from vpd_mm.teacher.joint_feature import JointFeature, flip_joints


class Fixed:
    """Stub of a generator: a fixed angle, always rotated."""

    def __init__(self, angle):
        self.angle = angle

    def uniform(self, low, high):
        assert low <= self.angle <= high
        return self.angle

    def random(self):
        return 0.0


def standing(angle, **extra):
    """A red bar upright in a crop of 64 px, its head green, moving up by 2 px; the target's nose points up."""
    img = np.full((64, 64, 3), 90, np.uint8)
    img[16:48, 30:34] = (200, 0, 0)
    img[16:22, 30:34] = (0, 200, 0)
    flow = np.zeros((64, 64, 2), np.float32)
    flow[16:48, 30:34] = (0, -2)
    joints = np.zeros((1, 13, 2), np.float32)
    joints[0, 0] = (0.1, -0.7)  # nose: above, a little to the right
    joints[0, 3] = (0.3, 0.2)  # left elbow
    views = np.concatenate([joints, flip_joints(joints)]).reshape(2, 26)
    return {'img': img, 'flow': flow, 'targets': np.concatenate([views, 0.1 * views], 1), 'rng': Fixed(angle), **extra}


BOX = np.array([27, 15, 37, 49], np.float32)


def test_quarter_turn_is_counter_clockwise():
    img, flow = np.zeros((5, 5, 3), np.uint8), np.zeros((5, 5, 2), np.float32)
    img[2, 4], flow[2, 4] = 200, (3, 1)  # right of the middle
    turned = CropRotation()({'img': img, 'flow': flow, 'rng': Fixed(90)})
    assert turned['img'][0, 2].tolist() == [200] * 3  # above it
    assert turned['img'].sum() == 600
    np.testing.assert_allclose(turned['flow'][0, 2], (1, -3), atol=1e-4)


def test_targets_equal_those_of_the_rotated_athlete():
    keypoints = np.random.default_rng(0).normal(64, 20, (1, 17, 2)).astype(np.float32)
    turn = cv2.getRotationMatrix2D((0, 0), 40, 1)[:, :2]
    turned = ((keypoints - 63.5) @ turn.T + 63.5).astype(np.float32)
    before, after = (
        JointFeature()(PoseSequence(np.arange(1), k, np.ones((1, 17), np.float32))).feats[0]
        for k in (keypoints, turned)
    )
    targets = np.concatenate([before, 0.1 * before], axis=1)
    sample = {'img': np.zeros((128, 128, 3), np.uint8), 'targets': targets, 'rng': Fixed(40)}
    np.testing.assert_allclose(
        CropRotation()(sample)['targets'], np.concatenate([after, 0.1 * after], axis=1), atol=1e-5
    )


@pytest.mark.parametrize('kind', [CropRotation, AthleteRotation])
def test_codes_of_flow_are_rotated_as_flow_in_px(kind):
    expected = kind(prob=0.5)(standing(37, box=BOX))['flow']
    code = (standing(0)['flow'] * 4 + 128).astype(np.uint8)
    coded = kind(prob=0.5)(standing(37, box=BOX, flow=code, flow_scale=np.array((0.25, 0.25), np.float32)))
    np.testing.assert_allclose(coded['flow'], expected, atol=1e-5)
    assert 'flow_scale' not in coded
    left = kind(prob=0)(standing(37, box=BOX, flow=code, flow_scale=np.array((0.25, 0.25), np.float32)))
    np.testing.assert_array_equal(left['flow'], standing(0)['flow'])  # samples of a batch are alike


def test_rotation_depends_on_prob_and_generator():
    img = np.arange(64, dtype=np.uint8).reshape(8, 8, 1).repeat(3, axis=2)
    same, one, two = (
        CropRotation(prob=prob)({'img': img, 'rng': np.random.default_rng(1)})['img'] for prob in (0, 1, 1)
    )
    np.testing.assert_array_equal(same, img)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, img)


@pytest.mark.parametrize('transform', [CropRotation(), AthleteRotation()])
def test_inverted_athlete_has_head_flow_and_target_below(transform):
    out = transform(standing(180, box=BOX))
    head = out['img'][42:46, 31:33].reshape(-1, 3).mean(0)
    assert head[1] > 150 > 80 > head[0]
    assert out['flow'][20:44, 31:33, 1].mean() == pytest.approx(2, abs=0.1)
    seen = out['targets'][0, :26].reshape(13, 2)
    assert seen[0] == pytest.approx([-0.1, 0.7], abs=1e-6)
    assert out['targets'][:, 26:] == pytest.approx(0.1 * out['targets'][:, :26], abs=1e-6)


@pytest.mark.parametrize('transform', [CropRotation(), AthleteRotation()])
@pytest.mark.parametrize('angle', [90, 37])
def test_image_flow_and_target_rotate_in_the_same_direction(transform, angle):
    out = transform(standing(angle, box=BOX))
    turn = cv2.getRotationMatrix2D((0, 0), angle, 1)[:, :2]
    up = turn @ (0, -1)
    green = out['img'][..., 1].astype(int) - out['img'][..., 0]
    y, x = np.nonzero(green[:, 8:56] > 60)  # the inpainted background shows halves of the athlete at its borders
    assert (np.array([x.mean() + 8, y.mean()]) - 31.5) @ up == pytest.approx(13, abs=1)
    flow = out['flow'][:, 8:56]
    assert flow[np.linalg.norm(flow, axis=-1) > 1.5].mean(0) == pytest.approx(2 * up, abs=0.1)
    assert out['targets'][0, :2] == pytest.approx(turn @ (0.1, -0.7), abs=1e-6)


@pytest.mark.parametrize('transform', [CropRotation(), AthleteRotation()])
def test_flip_and_rotation_of_targets_are_consistent(transform):
    out = transform(standing(50, box=BOX))
    seen, flipped = out['targets'][:, :26].reshape(2, 13, 2)
    assert flip_joints(seen) == pytest.approx(flipped, abs=1e-6)


def test_background_stays_and_the_athlete_is_removed_from_it():
    sample = standing(90, box=BOX)
    sample['img'][56:] = (0, 0, 200)  # the floor, below the athlete
    out = AthleteRotation()(sample)
    assert (out['img'][58:, :, 2] == 200).all()
    assert (out['img'][8:12, 28:36] == 90).all()  # no upright bar behind the turned one
    assert out['img'][31:33, 17:21, 1].mean() > 180  # the head lies to the left


def figure():
    """Joints (17, 2) of the bar: head at its top, ankles at its bottom."""
    heights = [18, 17, 17, 18, 18, 23, 23, 27, 27, 31, 31, 33, 33, 40, 40, 46, 46]
    return np.stack([np.where(np.arange(17) % 2, 31, 33), heights], axis=-1).astype(np.float32)


def test_only_the_limbs_are_rotated_with_joints():
    sample = standing(90, joints=figure())
    sample['img'][:, :24] = (0, 0, 200)  # background beside the athlete, inside the ellipse of a wide box
    out = AthleteRotation()(sample)
    assert (out['img'][:20, :20] == (0, 0, 200)).all()
    assert (out['img'][44:, :20] == (0, 0, 200)).all()
    assert out['img'][27:29, 20:24, 1].mean() > 150  # the head lies to the left, in front of the background
    assert out['img'][27:29, 36:44, 0].mean() > 150
    assert (out['img'][52:, 26:38] == 90).all()
    assert (out['img'][18:22, 30:34, :2] < 130).all()


@pytest.mark.parametrize('spin', [30.0, -12.0])
def test_spin_changes_flow_and_targets_by_the_rotation_between_frames(spin):
    sample = standing(90, joints=figure())
    sample['rng'] = type('Two', (), {'numbers': [90.0, spin], 'random': lambda self: 0.0})()
    sample['rng'].uniform = lambda low, high: sample['rng'].numbers.pop(0)
    sharp, joints = sample['img'].copy(), sample['targets'].copy()
    out = AthleteRotation(spin=30)(sample)
    now, before = (cv2.getRotationMatrix2D((0, 0), a, 1)[:, :2] for a in (90, 90 - spin))
    center = figure()[[5, 6, 11, 12]].mean(0) - 0.5
    for y in (20, 44):  # a pixel of the head and one of the feet
        here = now @ (np.array([31.5, y]) - center)
        was = before @ (np.array([31.5, y]) - center - (0, -2))
        x, row = np.rint(here + center).astype(int)
        assert out['flow'][row, x] == pytest.approx(here - was, abs=0.6)
    p, change = joints[0, :26].reshape(13, 2), joints[0, 26:].reshape(13, 2)
    assert out['targets'][0, 26:].reshape(13, 2) == pytest.approx(p @ now.T - (p - change) @ before.T, abs=1e-5)
    flipped = flip_joints(out['targets'][0, 26:].reshape(13, 2))
    assert out['targets'][1, 26:].reshape(13, 2) == pytest.approx(flipped, abs=1e-5)
    assert (out['img'] != AthleteRotation()(standing(90, joints=figure()))['img']).any()
    assert (sharp != out['img']).any()


def test_resized_crop_scales_joints_and_box():
    sample = standing(0, joints=figure(), box=BOX)
    out = ResizedCrop(size=96, scale=(1.0, 1.0))(sample)
    assert out['joints'] == pytest.approx(figure() * 1.5)
    assert out['box'] == pytest.approx(BOX * 1.5)


def test_poses_and_boxes_are_converted_to_crop_pixels(tmp_path):
    corpus = Corpus.create(tmp_path / 'c')
    with CropWriter(corpus.crops_dir / 'shard-a.lmdb') as writer, writer.video('jump', size=64) as video:
        for frame in (3, 4, 5):
            video.add(frame, (100, -20, 128), np.zeros((64, 64, 3), np.uint8))
    boxes = np.array([[120, 0, 160, 90], [130, 10, 150, 80]], np.float32)
    AthleteTrack(np.array([3, 5]), boxes, np.ones(2, np.float32)).save(corpus.track_path('jump'))
    sample = {'corpus': corpus, 'store': CropStore(corpus.crops_dir), 'video': 'jump'}
    points = np.full((1, 17, 2), (120, 0), np.float32)
    PoseSequence(np.array([3]), points, np.ones((1, 17), np.float32)).save(corpus.pose_path('files', 'jump'))
    assert LoadPose('files')({**sample, 'frame': 3})['joints'].tolist() == [[10, 10]] * 17
    assert LoadPose()({**sample, 'frame': 3})['joints'].tolist() == [[10, 10]] * 17  # of the only pose set
    with pytest.raises(UserError, match='no pose in frame 4'):
        LoadPose('files')({**sample, 'frame': 4})
    corpus.pose_path('other', 'jump').parent.mkdir()
    with pytest.raises(UserError, match='has the pose sets files, other; name one in LoadPose of the config'):
        LoadPose()({**sample, 'frame': 3})
    load = LoadBox()
    assert load({**sample, 'frame': 5})['box'].tolist() == [15, 15, 25, 50]
    assert load({**sample, 'frame': 3})['box'].tolist() == [10, 10, 30, 55]
    with pytest.raises(UserError, match='no box in frame 4'):
        load({**sample, 'frame': 4})


def test_targets_of_a_rotated_athlete_are_embeddings_of_the_rotated_pose():
    from vpd_mm.synthetic.checkpoints import packed_model
    from vpd_mm.teacher.vipe_feature import VipeFeature

    config, checkpoint = packed_model('vipe')
    packed = {'type': 'TurnedVipe', 'config': config, 'checkpoint': checkpoint}
    vipe = TurnedVipe('configs/teacher/' + Path(config).name, 'vpd_mm/synthetic/checkpoints/' + Path(checkpoint).name)
    both = np.stack([figure(), figure() + np.arange(17)[:, None].astype(np.float32)])
    scores = np.full((2, 17), 0.8, np.float32)
    teacher = VipeFeature(vipe.feature.encoder)(PoseSequence(np.array([4, 5]), both[::-1].copy(), scores)).feats
    same = (np.eye(2), np.eye(2))
    made = vipe(both, scores, same, motion=True)
    assert made == pytest.approx(np.concatenate([teacher[1], teacher[1] - teacher[0]], axis=-1), abs=1e-4)
    assert vipe(both, scores, same, motion=False) == pytest.approx(teacher[1], abs=1e-4)
    sample = standing(90, joints=figure(), poses=(both, scores))
    sample['targets'] = np.zeros((2, 128), np.float32)
    out = AthleteRotation(targets=packed)(sample)['targets']
    turn = cv2.getRotationMatrix2D((0, 0), 90, 1)[:, :2]
    turned = PoseSequence(np.array([4, 5]), (both[::-1] @ turn.T).astype(np.float32), scores)
    assert out[:, :64] == pytest.approx(VipeFeature(vipe.feature.encoder)(turned).feats[1], abs=1e-4)
    with pytest.raises(UserError, match='d=64, those of the teacher 52'):
        AthleteRotation(targets=packed)(standing(90, joints=figure(), poses=(both, scores)))


def test_unsupported_targets_are_refused_and_prob_zero_changes_nothing():
    with pytest.raises(UserError, match='only 2D joints'):
        CropRotation()({**standing(10), 'targets': np.zeros((2, 64), np.float32)})
    untouched = standing(10)
    untouched['rng'] = np.random.default_rng(0)
    assert AthleteRotation(prob=0.0)(dict(untouched))['img'] is untouched['img']
