"""Boxes and poses from files: values, formats, athletes, errors with file and entry in one line."""

import gzip
import json
from collections import Counter

import numpy as np
import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from vpd_mm.corpus import VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.importers import read_boxes, read_poses
from vpd_mm.importers.joint_sets import JOINT_SETS
from vpd_mm.structures import AthleteTrack, PoseSequence
from vpd_mm.visualize.skeleton import COCO17

FRAMES = (2, 5)


def video(num_frames):
    return VideoInfo('v', '', 25, num_frames, 400, 200)


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


def of_set(count, joints):
    """The 3 numbers of each joint of a larger joint set, in a row."""
    values = np.zeros((count, 3))
    values[list(JOINT_SETS[count].rows)] = joints
    return values.ravel().tolist()


def openpose_people(t, count, people='people', joints='pose_keypoints_2d'):
    return {'version': 1.3, people: [{joints: of_set(count, make_joints(t, p)), 'person_id': [-1]} for p in (0, 1)]}


def write_openpose(root, count=25, name='v/v_{:012d}_keypoints.json'):
    for t in FRAMES:
        path = root / name.format(t)
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(openpose_people(t, count)))


def write_alphapose(root):
    people = [(t, p) for t in FRAMES for p in (0, 1)]
    entries = [
        {'image_id': f'{t}.jpg', 'keypoints': of_set(136, make_joints(t, p)), 'score': 3.1, 'box': make_box(p)}
        for t, p in people
    ]
    (root / 'v').mkdir()
    (root / 'v/alphapose-results.json').write_text(json.dumps(entries))


def write_alphapose_cmu(root):
    content = {f'frame_{t:06d}.png': openpose_people(t, 18, 'bodies', 'joints') for t in FRAMES}
    (root / 'v.json').write_text(json.dumps(content))


WRITERS = {
    'COCO-17, release': write_release,
    'COCO-17, mmpose inferencer': write_mmpose_inferencer,
    'COCO-17, mmpose demo, frames from 1': write_mmpose_demo,
    'COCO-17, mmpose images': write_mmpose_images,
    'COCO-17, coco results': write_coco_results,
    'OpenPose BODY_25': write_openpose,
    'OpenPose BODY_25, all videos in one folder': lambda root: write_openpose(root, name='v_{:012d}_keypoints.json'),
    'OpenPose COCO-18': lambda root: write_openpose(root, 18),
    'OpenPose BODY_25, --image_dir': lambda root: write_openpose(root, 25, 'v/{:06d}_keypoints.json'),
    'Halpe-26, Pose2Sim': lambda root: write_openpose(root, 26, 'v_json/v_{:06d}.json'),
    'COCO-17, Sports2D': lambda root: write_openpose(root, 17, 'v_json/v_{}.json'),
    'COCO-WholeBody-133, other names': lambda root: write_openpose(root, 133, 'v/shot 3_{}.json'),
    'Halpe-136, AlphaPose': write_alphapose,
    'OpenPose COCO-18, AlphaPose --format cmu': write_alphapose_cmu,
}


@pytest.mark.parametrize('name', WRITERS)
def test_every_format_gives_the_athlete(tmp_path, track, name):
    WRITERS[name](tmp_path)
    counts = Counter()
    poses = read_poses(tmp_path, 'v', track, video(6), counts)
    assert counts == {f'people with {name.partition(", ")[0]} joints': 4}
    assert poses.frame_inds.tolist() == list(FRAMES)
    wanted = np.stack([make_joints(t, 1) for t in FRAMES])
    np.testing.assert_allclose(poses.keypoints, wanted[..., :2], rtol=1e-6)
    np.testing.assert_allclose(poses.scores, wanted[..., 2], rtol=1e-6)


@pytest.mark.parametrize('name', WRITERS)
def test_every_format_refuses_a_frame_past_the_end(tmp_path, name):
    WRITERS[name](tmp_path)
    with pytest.raises(UserError, match='frame 5 is past the end, the video has 5'):
        read_poses(tmp_path, 'v', video=video(5))


def test_without_a_track_the_best_scored_person(tmp_path):
    write_release(tmp_path)
    np.testing.assert_allclose(read_poses(tmp_path, 'v').keypoints[0], make_joints(2, 0)[:, :2], rtol=1e-6)


def test_frames_with_another_person_or_without_a_box_have_no_pose(tmp_path):
    write_release(tmp_path)
    one = AthleteTrack(np.array([5]), np.array([xyxy(make_box(0))], np.float32), np.ones(1, np.float32))
    assert read_poses(tmp_path, 'v', one).frame_inds.tolist() == [5]


def test_athlete_of_a_clip_uses_the_file_with_all_people(tmp_path, track):
    write_mmpose_inferencer(tmp_path)
    assert read_poses(
        tmp_path, 'front__v', track, VideoInfo('front__v', 'v.mp4', 25, 6, 400, 200)
    ).frame_inds.tolist() == list(FRAMES)


#: OpenPose's documentation of BODY_25.
BODY_25 = [
    *('nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder', 'left_elbow', 'left_wrist'),
    *('mid_hip', 'right_hip', 'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle'),
    *('right_eye', 'left_eye', 'right_ear', 'left_ear'),
]


@pytest.mark.parametrize(
    ('count', 'names'),
    [
        (25, BODY_25),
        *((17, 'coco'), (18, 'coco_openpose'), (26, 'halpe26'), (133, 'coco_wholebody'), (136, 'halpe')),
    ],
)
def test_left_and_right_of_the_joint_sets(count, names):
    if isinstance(names, str):
        meta = parse_pose_metainfo(dict(from_file=f'configs/_base_/datasets/{names}.py'))
        names = [meta['keypoint_id2name'][i] for i in range(meta['num_keypoints'])]
        assert len(names) == count
    assert tuple(names[i] for i in JOINT_SETS[count].rows) == COCO17.joints


def test_coco_annotations_with_visibility(tmp_path):
    joints = make_joints(2, 0)
    joints[:, 2] = [0, 1, 2, *[2] * 14]
    content = {
        'images': [{'id': 900, 'file_name': 'v/000002.jpg'}, {'id': 901, 'file_name': 'v/x.jpg', 'frame_id': 3}],
        'annotations': [{'image_id': 900, 'keypoints': joints.ravel().tolist(), 'bbox': make_box(0)}],
    }
    (tmp_path / 'v.json').write_text(json.dumps(content))
    poses = read_poses(tmp_path, 'v', video=video(4))
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


def test_real_boxes_and_poses(shared):
    folder = shared / 'videos/poses'
    track = read_boxes(folder, 'wall_flip', (1768, 994), 230)['']
    assert len(track) == 225
    assert track.boxes[0].tolist() == [578.0, 98.0, 752.0, 472.0]
    poses = read_poses(folder, 'wall_flip', track, VideoInfo('wall_flip', '', 30, 230, 1768, 994))
    assert len(poses) == 208
    np.testing.assert_allclose(poses.keypoints[0, 0], [651.9, 104.91], rtol=1e-6)


def one_release_entry(joints, frame=0, box=(0, 0, 9, 9)):
    return [frame, [[0.9, list(box), joints]]]


GOOD = [[1, 2, 0.5]] * 17


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([one_release_entry(GOOD[:13])], r'entry 0 \(frame 0\): 13 joints; poses must have 17 \(COCO-17\), 18'),
        ([one_release_entry([[1, 2], *GOOD[1:]])], r'needs a joint \[x, y, score\], found a list of 2'),
        ([one_release_entry(GOOD), one_release_entry(GOOD)], r'entry 1: frame 0 occurs twice'),
        ([one_release_entry(GOOD, frame='x')], r"entry 0: frame must be a whole number, found 'x'"),
        ([one_release_entry(GOOD, box=(0, 0))], r'needs a box'),
        ([[0, [[1]]]], r'needs \[score, \[x, y, w, h\], keypoints\]'),
        ([{'frame_id': 0, 'instances': [{'keypoints': [[0, 0]] * 17}]}], r'needs 17 keypoint_scores'),
        ([{'frame_id': 0, 'instances': 3}], r'needs people of OpenPose, or instances, each with keypoints'),
        ({'instance_info': [{'frame_id': 0, 'instances': []}]}, r'frame -1 is negative'),
        ([{'image_id': 0, 'keypoints': [1] * 50}], r'needs x, y, score of each joint in a row, found a list of 50'),
        ([{'image_id': 'v_x', 'keypoints': [1] * 51}], r'frame must be a whole number, found None'),
        ({'images': [], 'annotations': [{'image_id': 4, 'keypoints': [1] * 51}]}, r'image_id 4 is not among'),
        ({'poses': 1}, r'needs poses of the VPD release, mmpose, COCO, AlphaPose or OpenPose'),
        ({'people': [{'pose_keypoints_2d': [1.0] * 30}]}, 'person 0: 10 joints; poses must have'),
        (
            {'people': [{'pose_keypoints_2d': [0.5] * 75}]},
            r'scaled to 0\.\.1, not pixels \(OpenPose: .* 0\)',
        ),
        ({'people': None}, 'needs a list of people of OpenPose, found None'),
        ([[0, [[True, [0, 0, 9, 9], GOOD]]]], 'needs a score, found True'),
        ([[0, [['0.9', [0, 0, 9, 9], GOOD]]]], "needs a score, found '0.9'"),
        ([one_release_entry(['1', *GOOD[1:]])], "needs a joint .* found '1'"),
        ([one_release_entry(GOOD, box=(0, 0, 9, False))], 'needs a box .* found False'),
        ([one_release_entry(GOOD, frame=True)], 'frame must be a whole number, found True'),
        ([one_release_entry(GOOD, frame=10**400)], 'frame must be a whole number, found inf'),
        ([{'image_id': '\ud800', 'keypoints': [1] * 51}], 'surrogates not allowed'),
    ],
)
def test_pose_errors_name_file_and_entry_in_one_line(tmp_path, content, message):
    name = 'v_000000000000_keypoints.json' if 'people' in content else 'v.json'
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(UserError, match=message) as caught:
        read_poses(tmp_path, 'v', video=video(10))
    assert str(tmp_path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_an_error_does_not_print_what_is_deep_or_long(tmp_path):
    deep = '[' * 900 + ']' * 900
    for entry in (deep, '{"a": ' + deep + '}', '[' + '1,' * 300_000 + '1]'):
        (tmp_path / 'v.json').write_text(f'[[{entry}, []]]')
        with pytest.raises(UserError, match=r'entry 0: frame must be a whole number, found a (list|dict) of \d+$'):
            read_poses(tmp_path, 'v')


def test_an_athlete_of_a_folder_above_has_no_files(tmp_path, track):
    write_release(tmp_path)
    (tmp_path / 'v/inner').mkdir()
    with pytest.raises(UserError, match='no poses of'):
        read_poses(tmp_path / 'v/inner', 'front__..', track, VideoInfo('front__..', '', 25, 6, 400, 200))


def test_own_npz_comes_first(tmp_path):
    write_coco_results(tmp_path)
    write_boxes(tmp_path, 'v', [[0, [0, 0, 5, 5]]])
    poses = PoseSequence(np.array([7]), np.zeros((1, 17, 2), np.float32), np.ones((1, 17), np.float32))
    track = AthleteTrack(np.array([7]), np.array([[1, 2, 3, 4]], np.float32), np.ones(1, np.float32))
    for own, read, length in ((poses, read_poses, {'video': video(7)}), (track, read_boxes, {'num_frames': 7})):
        own.save(tmp_path / 'v.npz')
        found = read(tmp_path, 'v')
        assert (found[''] if read is read_boxes else found).frame_inds.tolist() == [7]
        with pytest.raises(UserError, match=r'v\.npz: frame 7 is past the end, the video has 7'):
            read(tmp_path, 'v', **length)


def test_missing(tmp_path):
    with pytest.raises(UserError, match=r"no poses of 'v'; expected v\.npz"):
        read_poses(tmp_path, 'v')
    with pytest.raises(UserError, match=r"no boxes of 'v'; expected v\.npz, v/boxes\.json"):
        read_boxes(tmp_path, 'v')
    with pytest.raises(UserError, match='no such folder of boxes'):
        read_boxes(tmp_path / 'x', 'v')


def write_boxes(root, video, entries):
    folder = root / video
    folder.mkdir(parents=True, exist_ok=True)
    content = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    (folder / 'boxes.json').write_bytes(content)


def test_xywh_becomes_xyxy_in_order_of_frames(tmp_path):
    write_boxes(tmp_path, 'v', [[3, [10, 20, 30, 40]], [1, [-5, 0, 10.5, 8]]])
    track = read_boxes(tmp_path, 'v', (100, 100), 4)['']
    assert track.frame_inds.tolist() == [1, 3]
    assert track.boxes.tolist() == [[-5, 0, 5.5, 8], [10, 20, 40, 60]]
    assert track.scores.tolist() == [1, 1]


def test_two_players_of_one_clip(tmp_path):
    write_boxes(tmp_path, 'front__clip', [[0, [0, 0, 5, 5]]])
    write_boxes(tmp_path, 'back__clip', [[0, [9, 0, 5, 5]]])
    write_boxes(tmp_path, 'front__other', [[0, [1, 1, 5, 5]]])
    tracks = read_boxes(tmp_path, 'clip')
    assert list(tracks) == ['back', 'front']
    assert tracks['back'].boxes[0, 0] == 9
    assert list(read_boxes(tmp_path, 'front__clip')) == ['']


@pytest.mark.parametrize(
    ('entries', 'message'),
    [
        ([[0, [0, 0, 5, 5]], [0, [1, 0, 5, 5]]], r'entry 1: frame 0 occurs twice'),
        ([[9, [0, 0, 5, 5]]], r'frame 9 is past the end, the video has 9'),
        ([[-1, [0, 0, 5, 5]]], r'entry 0: frame -1 is negative'),
        ([[1.5, [0, 0, 5, 5]]], r'entry 0: frame must be a whole number'),
        ([[10**400, [0, 0, 5, 5]]], r'entry 0: frame must be a whole number'),
        ([[0, [100, 0, 5, 5]]], r'1 of 1 boxes, first \[100\.0, 0\.0, 105\.0, 5\.0\] \(xyxy\) of frame 0'),
        ([[0, [0.3, 0.2, 0.4, 0.5]]], r'boxes are scaled to 0\.\.1, not pixels'),
        (
            [[0, [40, 5, 90, 45]], [1, [42, 6, 92, 46]], [2, None]],
            '2 of 2 boxes leave the frame, read as x, y, width, height; read as x1, y1, x2, y2 none does: convert them',
        ),
        ([[0, [0, 0, 5]]], r'entry 0 \(frame 0\): needs a box \[x, y, w, h\], found a list of 3'),
        ([[0, 'box']], r'entry 0 \(frame 0\): needs a box'),
        ([0], r'entry 0: needs \[frame, \[x, y, w, h\]\]'),
        ({'a': 1}, r'needs a list of \[frame, \[x, y, w, h\]\]'),
        (b'[[0, [1, 2, 3', 'truncated'),
        (b'', 'truncated'),
        (b'\xff\xfe', 'truncated'),
        (b'[' * 200_000, 'nested too deep'),
        (gzip.compress(b'[[0, [1, 2, 3, 4]]]', mtime=0)[:-9], 'gzip is truncated or damaged'),
        (b'\x1f\x8bxxxxxxxx', 'gzip is truncated or damaged'),
        (lambda: gzip.compress(b' ' * (40 << 20)), 'unpacks to more than'),
        (lambda: gzip.compress(b'[' + b'{},' * (2 << 20) + b'0]'), 'holds too many values'),
    ],
    ids=range(20),
)
def test_box_errors_name_file_and_entry_in_one_line(tmp_path, entries, message):
    write_boxes(tmp_path, 'v', entries() if callable(entries) else entries)
    with pytest.raises(UserError, match=rf'boxes\.json: .*{message}') as caught:
        read_boxes(tmp_path, 'v', (100, 50), 9)
    assert '\n' not in str(caught.value)


def test_a_null_box_is_left_out(tmp_path):
    write_boxes(tmp_path, 'v', [[0, [1, 2, 30, 20]], [1, None], [2, [2, 2, 30, 20]]])
    counts = Counter()
    assert read_boxes(tmp_path, 'v', (100, 50), 9, counts)[''].frame_inds.tolist() == [0, 2]
    assert counts == {'boxes not usable, left out': 1}


def test_a_damaged_file_of_one_frame_is_left_out(tmp_path, track):
    write_openpose(tmp_path)
    (tmp_path / 'v/v_000000000007_keypoints.json').write_text('{"people": [')
    counts = Counter()
    assert read_poses(tmp_path, 'v', track, video(10), counts).frame_inds.tolist() == list(FRAMES)
    assert counts['files of a frame that are damaged, left out'] == 1
    for t in FRAMES:
        (tmp_path / f'v/v_{t:012d}_keypoints.json').write_text('')
    with pytest.raises(UserError, match=r'v_000000000002_keypoints\.json: truncated or not JSON'):
        read_poses(tmp_path, 'v', track, video(10))
