"""Every pose format gives the same sequence; the athlete is chosen among several people; errors are one line."""

import gzip
import json

import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.importers import read_boxes, read_poses
from vpd_mm.importers.pose_formats import TO_COCO_17
from vpd_mm.structures import AthleteTrack, PoseSequence

FRAMES = (2, 5)


def make_joints(frame, person):
    """(17, 3): a person around (100 * person + 50, 60), scores 0.5 .. 0.98."""
    rng = np.random.default_rng([frame, person])
    xy = np.round(rng.uniform((20, 10), (80, 110), (17, 2)), 1) + (100 * person, 0)
    return np.column_stack([xy, np.round(np.linspace(0.5, 0.98, 17), 2)])


def make_box(person):
    return [100 * person + 10, 0, 80, 120]


def xyxy(box):
    return [box[0], box[1], box[0] + box[2], box[1] + box[3]]


@pytest.fixture
def track():
    """The athlete is person 1."""
    boxes = np.array([xyxy(make_box(1))] * 2, np.float32)
    return AthleteTrack(np.array(FRAMES), boxes, np.ones(2, np.float32))


def write_release(root):
    people = lambda t: [[0.9 - 0.1 * p, make_box(p), make_joints(t, p).tolist()] for p in (0, 1)]  # noqa: E731
    (root / 'v').mkdir()
    entries = [[0, []], *([t, people(t)] for t in FRAMES)]
    (root / 'v/coco_keypoints.json.gz').write_bytes(gzip.compress(json.dumps(entries).encode()))


def mmpose_instances(t):
    return [
        {
            'keypoints': make_joints(t, p)[:, :2].tolist(),
            'keypoint_scores': make_joints(t, p)[:, 2].tolist(),
            'bbox': [xyxy(make_box(p))],
            'bbox_score': 0.9 - 0.1 * p,
        }
        for p in (0, 1)
    ]


def write_mmpose_inferencer(root):
    entries = [{'frame_id': 0, 'instances': []}, *({'frame_id': t, 'instances': mmpose_instances(t)} for t in FRAMES)]
    (root / 'v.json').write_text(json.dumps(entries))


def write_mmpose_demo(root):
    entries = [{'frame_id': t + 1, 'instances': mmpose_instances(t)} for t in FRAMES]
    content = {'meta_info': {'dataset_name': 'coco'}, 'instance_info': entries}
    (root / 'results_v.json').write_text(json.dumps(content))


def write_mmpose_images(root):
    (root / 'v').mkdir()
    for t in FRAMES:
        (root / f'v/{t:06d}.json').write_text(json.dumps(mmpose_instances(t)))


def write_coco_results(root):
    entries = [
        {
            'image_id': t,
            'category_id': 1,
            'keypoints': make_joints(t, p).ravel().tolist(),
            'bbox': make_box(p),
            'score': 0.9 - 0.1 * p,
        }
        for t in FRAMES
        for p in (0, 1)
    ]
    (root / 'v.json').write_text(json.dumps(entries))


def write_openpose(root, count=25):
    (root / 'v').mkdir()
    for t in FRAMES:
        people = []
        for p in (0, 1):
            values = np.zeros((count, 3))
            values[list(TO_COCO_17[count])] = make_joints(t, p)
            people.append({'person_id': [-1], 'pose_keypoints_2d': values.ravel().tolist()})
        (root / f'v/v_{t:012d}_keypoints.json').write_text(json.dumps({'version': 1.3, 'people': people}))


WRITERS = {
    'release': write_release,
    'mmpose inferencer': write_mmpose_inferencer,
    'mmpose demo, frames from 1': write_mmpose_demo,
    'mmpose images': write_mmpose_images,
    'coco results': write_coco_results,
    'openpose': write_openpose,
    'openpose coco-18': lambda root: write_openpose(root, 18),
}


@pytest.mark.parametrize('name', WRITERS)
def test_every_format_gives_the_athlete(tmp_path, track, name):
    WRITERS[name](tmp_path)
    poses = read_poses(tmp_path, 'v', track, num_frames=6)
    assert poses.frame_inds.tolist() == list(FRAMES)
    wanted = np.stack([make_joints(t, 1) for t in FRAMES])
    np.testing.assert_allclose(poses.keypoints, wanted[..., :2], rtol=1e-6)
    np.testing.assert_allclose(poses.scores, wanted[..., 2], rtol=1e-6)


@pytest.mark.parametrize('name', WRITERS)
def test_every_format_refuses_a_frame_past_the_end(tmp_path, name):
    WRITERS[name](tmp_path)
    with pytest.raises(UserError, match='frame 5 is past the end, the video has 5'):
        read_poses(tmp_path, 'v', num_frames=5)


def test_without_a_track_the_best_scored_person(tmp_path):
    write_release(tmp_path)
    np.testing.assert_allclose(read_poses(tmp_path, 'v').keypoints[0], make_joints(2, 0)[:, :2], rtol=1e-6)


def test_frames_with_another_person_or_without_a_box_have_no_pose(tmp_path):
    write_release(tmp_path)
    far = AthleteTrack(np.array([2]), np.array([[500, 500, 600, 600]], np.float32), np.ones(1, np.float32))
    assert len(read_poses(tmp_path, 'v', far)) == 0
    one = AthleteTrack(np.array([5]), np.array([xyxy(make_box(0))], np.float32), np.ones(1, np.float32))
    assert read_poses(tmp_path, 'v', one).frame_inds.tolist() == [5]


def test_athlete_of_a_clip_uses_the_file_with_all_people(tmp_path, track):
    write_mmpose_inferencer(tmp_path)
    assert read_poses(tmp_path, 'front__v', track).frame_inds.tolist() == list(FRAMES)


def test_left_and_right_of_openpose():
    for count, left_wrist, right_ankle in ((25, 7, 11), (18, 7, 10)):
        assert TO_COCO_17[count][9] == left_wrist
        assert TO_COCO_17[count][16] == right_ankle


def test_coco_annotations_with_visibility(tmp_path):
    joints = make_joints(2, 0)
    joints[:, 2] = [0, 1, 2, *[2] * 14]
    content = {
        'images': [{'id': 900, 'file_name': 'v/000002.jpg'}, {'id': 901, 'file_name': 'v/x.jpg', 'frame_id': 3}],
        'annotations': [{'image_id': 900, 'keypoints': joints.ravel().tolist(), 'bbox': make_box(0)}],
    }
    (tmp_path / 'v.json').write_text(json.dumps(content))
    poses = read_poses(tmp_path, 'v', num_frames=4)
    assert poses.frame_inds.tolist() == [2]
    assert poses.scores[0, :4].tolist() == [0, 0.5, 1, 1]
    content['annotations'][0]['keypoints'][2] = 3
    (tmp_path / 'v.json').write_text(json.dumps(content))
    with pytest.raises(UserError, match='annotation 0: visibility must be 0, 1 or 2, found 3'):
        read_poses(tmp_path, 'v')


def test_whole_body_begins_with_coco_and_heatmap_scores_are_clipped(tmp_path):
    joints = np.vstack([make_joints(2, 0), np.zeros((116, 3))])
    instance = {'keypoints': joints[:, :2].tolist(), 'keypoint_scores': [1.07, *joints[1:, 2].tolist()]}
    (tmp_path / 'v.json').write_text(json.dumps([{'frame_id': 2, 'instances': [instance]}]))
    poses = read_poses(tmp_path, 'v')
    assert poses.scores[0, 0] == 1
    np.testing.assert_allclose(poses.keypoints[0], make_joints(2, 0)[:, :2], rtol=1e-6)


def test_own_npz_comes_first(tmp_path):
    write_coco_results(tmp_path)
    own = PoseSequence(np.array([7]), np.zeros((1, 17, 2), np.float32), np.ones((1, 17), np.float32))
    own.save(tmp_path / 'v.npz')
    assert read_poses(tmp_path, 'v').frame_inds.tolist() == [7]
    with pytest.raises(UserError, match=r'v\.npz: frame 7 is past the end'):
        read_poses(tmp_path, 'v', num_frames=7)


def test_real_poses(shared):
    folder = shared / 'videos/poses'
    track = read_boxes(folder, 'wall_flip')['']
    poses = read_poses(folder, 'wall_flip', track, 230)
    assert len(poses) == 208
    np.testing.assert_allclose(poses.keypoints[0, 0], [651.9, 104.91], rtol=1e-6)


def one_release_entry(joints, frame=0, box=(0, 0, 9, 9)):
    return [frame, [[0.9, list(box), joints]]]


GOOD = [[1, 2, 0.5]] * 17


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([one_release_entry(GOOD[:13])], r'entry 0 \(frame 0\): needs 17 COCO joints .* found 13'),
        ([one_release_entry([[1, float('nan'), 1], *GOOD[1:]])], r'a joint .* NaN or infinity at index 1'),
        ([one_release_entry([[1, 2], *GOOD[1:]])], r'needs a joint \[x, y, score\], found a list of 2'),
        ([one_release_entry(GOOD), one_release_entry(GOOD)], r'entry 1: frame 0 occurs twice'),
        ([one_release_entry(GOOD, frame='x')], r"entry 0: frame must be a whole number, found 'x'"),
        ([one_release_entry(GOOD, box=(0, 0))], r'needs a box'),
        ([[0, [[1]]]], r'needs \[score, \[x, y, w, h\], keypoints\]'),
        ([{'frame_id': 0, 'instances': [{'keypoints': [[0, 0]] * 17}]}], r'needs 17 keypoint_scores'),
        ([{'frame_id': 0, 'instances': 3}], r'needs instances, each with keypoints'),
        ({'instance_info': [{'frame_id': 0, 'instances': []}]}, r'frame -1 is negative'),
        ([{'image_id': 0, 'keypoints': [1] * 50}], r'keypoints must be 51 numbers .* found 50'),
        ([{'image_id': 'v_x', 'keypoints': [1] * 51}], r'frame must be a whole number, found None'),
        ({'images': [], 'annotations': [{'image_id': 4, 'keypoints': [1] * 51}]}, r'image_id 4 is not among'),
        ({'poses': 1}, r'needs poses of the VPD release, mmpose, or COCO'),
    ],
)
def test_errors_name_file_and_entry(tmp_path, content, message):
    (tmp_path / 'v.json').write_text(json.dumps(content))
    with pytest.raises(UserError, match=message) as caught:
        read_poses(tmp_path, 'v', num_frames=10)
    assert str(tmp_path / 'v.json') in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('people', 'message'),
    [
        ([{'pose_keypoints_2d': [1.0] * 30}], 'must hold 25 .* found 30'),
        ([{'pose_keypoints_2d': [0.5] * 75}], 'scaled to 0..1; run it with --keypoint_scale 0'),
        (None, 'needs a list of people of OpenPose, found None'),
    ],
)
def test_openpose_errors(tmp_path, people, message):
    (tmp_path / 'v_000000000000_keypoints.json').write_text(json.dumps({'people': people}))
    with pytest.raises(UserError, match=message):
        read_poses(tmp_path, 'v')


def test_missing(tmp_path):
    with pytest.raises(UserError, match=r"no poses of 'v'; expected v\.npz"):
        read_poses(tmp_path, 'v')
