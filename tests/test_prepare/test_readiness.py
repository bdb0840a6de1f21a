"""Checks of a corpus: each defect is counted where it is planted, and nothing where there is none."""

import numpy as np
import prepare
import pytest

from vpd_mm.corpus import Corpus, CropWriter, VideoInfo
from vpd_mm.corpus.corpus_check import check_corpus
from vpd_mm.prepare.inspector import inspect_corpus
from vpd_mm.prepare.readiness import CHECKS, box_jumps, implausible_poses, repeated_frames, side_swaps, true_rate
from vpd_mm.structures import AthleteTrack, PoseSequence

FRAMES = 60
FLOW = {'method': 'dis', 'clip': 20.0, 'subtract_median': False}


def walk(num_frames: int = FRAMES) -> np.ndarray:
    """Boxes (T, 4) of a person of 20 x 50 px who walks by 2 px per frame."""
    left = 10 + 2.0 * np.arange(num_frames)
    return np.stack([left, np.full_like(left, 20), left + 20, np.full_like(left, 70)], axis=1).astype(np.float32)


def body(boxes: np.ndarray) -> np.ndarray:
    """COCO-17 joints (T, 17, 2) of a person who walks in these boxes: left joints left of right ones, legs swing."""
    x = np.array([10, 11, 9, 12, 8, 14, 6, 15, 5, 16, 4, 13, 7, 13, 7, 13, 7], np.float64)
    y = np.array([3, 2, 2, 3, 3, 10, 10, 18, 18, 25, 25, 26, 26, 37, 37, 48, 48], np.float64)
    joints = np.stack([x, y], axis=1) + boxes[:, None, :2]
    joints[:, 15, 0] += 3 * np.sin(np.arange(len(boxes)) / 4)
    return joints.astype(np.float32)


def make(root, name, boxes=None, frames=None, joints=None, speed=None, score=0.9, fps=25.0, num_frames=FRAMES):
    """Add a video: boxes and joints of its frames, mean flow ``speed`` (T,) px."""
    boxes = walk() if boxes is None else boxes
    frames = np.arange(len(boxes)) if frames is None else np.asarray(frames)
    boxes, joints = boxes[frames], (body(boxes) if joints is None else joints)[frames]
    speed = np.full(num_frames, 1.5) if speed is None else speed
    corpus = Corpus.create(root)
    corpus.add_videos([VideoInfo(name, '', fps, num_frames, 320, 240)])
    AthleteTrack(frames, boxes, np.ones(len(frames), np.float32)).save(corpus.track_path(name))
    poses = PoseSequence(frames, joints, np.full((len(frames), 17), score, np.float32))
    poses.save(corpus.pose_path('files', name))
    with CropWriter(corpus.crops_dir / 'shard-000.lmdb') as writer, writer.video(name, 16, FLOW) as video:
        for i in frames.tolist():
            flow = np.zeros((16, 16, 2), np.float32)
            flow[..., 0] = speed[i]
            video.add(i, (0, 0, 16), np.zeros((16, 16, 3), np.uint8), flow, start=i == frames[0])
    return corpus


def jumped():
    boxes = walk()
    boxes[30:] += np.float32([120, 0, 120, 0])
    return boxes


def swapped(at=(20, 21, 22)):
    joints = body(walk())
    order = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    joints[list(at)] = joints[list(at)][:, order]
    return joints


@pytest.mark.parametrize(
    ('options', 'check', 'text'),
    [
        ({'frames': [3, 4]}, 'tracked', 'tracked: 3.3% (2 of 60 frames; at least 50%)'),
        ({'boxes': jumped()}, 'box jumps', 'box jumps: 1.7% (1 of 59 steps; at most 1%)'),
        ({'score': 0.3}, 'confident', 'confident: 0.0% (0 of 60 tracked frames; at least 50%)'),
        (
            {
                'joints': body(walk()) + np.float32([0, 30]) * (np.arange(FRAMES) < 6)[:, None, None]
            },  # on the skateboard
            'implausible poses',
            'implausible poses: 11.7% (7 of 60 confident frames; at most 5%)',
        ),
        ({'joints': swapped()}, 'left/right swaps', 'left/right swaps: 3.4% (2 of 59 steps; at most 2%)'),
        (
            {'speed': 3.0 * (np.arange(FRAMES) % 2), 'fps': 50.0},
            'repeated frames',
            'repeated frames: 50.9% (29 of 57 frames in motion; at most 10%)',
        ),
    ],
)
def test_a_planted_defect_is_counted_marked_and_comes_first(tmp_path, options, check, text):
    make(tmp_path / 'c', 'bad', **options)
    result = inspect_corpus(tmp_path / 'c', out=tmp_path / 'images')
    assert f'! {text}' in result.lines
    assert any(line.startswith(f'bad: {text}') for line in result.lines)
    assert result.videos[0].notes == [f'! {check}']
    share = text.split(' (')[0].replace(':', '')
    assert result.lines[-1].startswith(f'first: {share}: ')
    assert check in ('tracked', 'confident') or '; frames ' in next(x for x in result.lines if x.startswith('bad: '))
    if check == 'repeated frames':
        assert 'prepare these videos again with --fps 25,' in result.lines[-1]


@pytest.mark.parametrize(
    ('change', 'frames'),
    [
        (lambda joints: joints, []),
        (lambda joints: joints + np.float32([25, 0]), [20, 21]),  # outside of the box; frame 21 leaps back
        (lambda joints: joints.mean(axis=0) + 0.2 * (joints - joints.mean(axis=0)), [20]),  # much smaller than the box
        (lambda joints: joints + np.float32([0, 45]) * (np.arange(17) == 16)[:, None], [20]),  # a shin too long
    ],
)
def test_implausible_poses(change, frames):
    joints, boxes = body(walk()), walk()
    joints[20] = change(joints[20])
    track = AthleteTrack(np.arange(FRAMES), boxes, np.ones(FRAMES, np.float32))
    poses = PoseSequence(np.arange(FRAMES), joints, np.full((FRAMES, 17), 0.9, np.float32))
    wrong, of = implausible_poses(poses, track, np.zeros(0))
    assert (wrong.tolist(), of) == (frames, FRAMES)
    poses.scores[20] = 0.2  # of low confidence, so no target
    assert 20 not in implausible_poses(poses, track, np.zeros(0))[0]
    none = AthleteTrack(np.arange(2) + 90, boxes[:2], np.ones(2, np.float32))
    assert implausible_poses(poses, none, np.zeros(0))[1] == 0


def test_files_that_disagree_come_first(tmp_path):
    corpus = make(tmp_path / 'c', 'a')
    make(tmp_path / 'c', 'b')
    assert inspect_corpus(corpus.root).lines[-1] == 'ready to train'
    track, poses = corpus.track('b'), corpus.pose_path('files', 'b')
    kept = poses.rename(tmp_path / 'b.npz')
    problems = []
    for reason in (
        'has a track and crops, but no poses, which other videos have',
        'its 60 crops are not of the 40 frames with a box (first difference: frame 40)',
        'has crops, but no track',
    ):
        result = inspect_corpus(corpus.root)
        assert [report.notes[-1:] for report in result.videos] == [[], ['! files disagree']]
        assert f'b: {reason}' in result.lines
        assert result.lines[-1].endswith('again with --redo b; its files disagree')
        assert check_corpus(corpus.root, problems.append).problems == {'inputs': 1}
        assert problems.pop() == f'b: {reason}'
        if kept.is_file():
            kept.rename(poses)
            AthleteTrack(track.frame_inds[:40], track.boxes[:40], track.scores[:40]).save(corpus.track_path('b'))
        else:
            corpus.track_path('b').unlink(missing_ok=True)


def test_a_marked_video_can_be_left_out(tmp_path):
    make(tmp_path / 'c', 'a')
    corpus = make(tmp_path / 'c', 'weak', frames=range(3), num_frames=200)
    *_, last = inspect_corpus(corpus.root).lines
    assert last.startswith('first: tracked 24.2%: look at the contact sheet')
    assert last.endswith(f', or tools/prepare.py leave-out {corpus.root} weak')
    for options, line in ((['weak'], 'ready to train'), (['weak', '--undo'], last)):
        assert prepare.main(['leave-out', str(corpus.root), *options]) == 0
        assert inspect_corpus(corpus.root, out=tmp_path / 'images').lines[-1] == line


def test_a_clean_corpus_is_ready_and_one_weak_video_is_marked(tmp_path):
    for name in ('a', 'b', 'c'):
        make(tmp_path / 'c', name, speed=np.where(np.arange(FRAMES) < 30, 2.0, 0.0))  # then the athlete stands still
    result = inspect_corpus(tmp_path / 'c')
    assert result.lines[-1] == 'ready to train'
    assert not any(line.startswith('!') or ':' not in line for line in result.lines[:-1])
    assert [report.notes for report in result.videos] == [[]] * 3
    make(tmp_path / 'c', 'weak', frames=[3, 4])
    result = inspect_corpus(tmp_path / 'c')
    assert [report.notes for report in result.videos][3] == ['! tracked']
    assert result.lines[-1] == 'ready to train'


def test_failed_videos_stay_listed_until_they_are_prepared(tmp_path):
    corpus = make(tmp_path / 'c', 'a')
    corpus.record_failures(['a', 'dive'], {'dive': 'dive.mp4: no person found'})
    result = inspect_corpus(tmp_path / 'c', out=tmp_path / 'images')
    assert [(r.video, r.failures) for r in result.videos] == [('a', []), ('dive', ['dive.mp4: no person found'])]
    assert result.lines[-1] == 'ready to train, without 1 that failed (first dive)'
    corpus.record_failures(['dive'], {'swim': 'swim.mp4: no person found'}, {'swim': tmp_path / 'gone.mp4'})
    assert corpus.failures() == {}
    assert inspect_corpus(tmp_path / 'c', out=tmp_path / 'images').lines[-1] == 'ready to train'


def test_missing_poses_and_crops_come_first(tmp_path):
    corpus = make(tmp_path / 'c', 'a')
    corpus.add_videos([VideoInfo('b', '', 25.0, FRAMES, 320, 240)])
    corpus.pose_path('files', 'a').unlink()
    corpus.poses_dir('files').rmdir()
    assert inspect_corpus(tmp_path / 'c').lines[-1].startswith('first: run tools/prepare.py again with --poses')
    for shard in corpus.crops_dir.glob('*'):
        shard.unlink()
    assert inspect_corpus(tmp_path / 'c').lines[-1].startswith('first: run tools/prepare.py on the video files')


def test_cuts_gaps_and_growth():
    track = AthleteTrack(np.arange(FRAMES), jumped(), np.ones(FRAMES, np.float32))
    assert [a.tolist() if np.ndim(a) else a for a in box_jumps(track, np.zeros(0))] == [[30], 59]
    assert [a.tolist() if np.ndim(a) else a for a in box_jumps(track, np.array([30]))] == [[], 58], 'a cut is no jump'
    boxes = walk(4)
    boxes[2] = [10, 20, 60, 125]  # the same center to half a side, more than four times the area
    track = AthleteTrack(np.array([0, 1, 2, 9]), boxes, np.ones(4, np.float32))
    assert [a.tolist() if np.ndim(a) else a for a in box_jumps(track, np.zeros(0))] == [[2], 2]


@pytest.mark.parametrize(
    ('pattern', 'share', 'fps', 'rate'),
    [
        ([1, 0], 1 / 2, 50, 25),  # 25 in 50
        ([1, 0, 1, 0, 0], 3 / 5, 60, 24),  # 24 in 60
        ([1, 1, 1, 1, 0], 1 / 5, 30, 24),  # 24 in 30
        ([1, 1, 1, 1, 1, 0], 1 / 6, 30, 25),  # 25 in 30
        ([1, 0, 0, 0], 3 / 4, 50, 12.5),
        ([1, 0.5], 0, 50, 50),  # motion that varies
        ([1, 0.3], 1 / 2, 50, 25),  # an encoder changes repeated frames a little
        ([0.05, 0], 0, 50, 50),  # the noise of a still image
        ([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], 0, 25, 25),  # stop and go
    ],
)
def test_repeated_frames(pattern, share, fps, rate):
    lengths = np.tile(np.float64(pattern), 240 // len(pattern))
    copies, moving = repeated_frames(np.arange(len(lengths)), lengths)
    repeated = len(copies)
    assert (lengths[copies] < 0.5).all()
    assert repeated / max(moving, 1) == pytest.approx(share, abs=0.01)
    assert true_rate(fps, {'repeated frames': (repeated, moving)}) == rate
    copies, moving = repeated_frames(np.arange(5), lengths[:5])
    assert (len(copies), moving) == (0, 0), 'too few to say'


@pytest.mark.parametrize('part', ['arms', 'legs'])
def test_swaps_of_one_pair_of_limbs(part):
    joints, columns = body(walk()), slice(5, 11) if part == 'arms' else slice(11, 17)
    joints[40, columns] = joints[40, columns].reshape(3, 2, 2)[:, ::-1].reshape(6, 2)
    poses = PoseSequence(np.arange(FRAMES), joints, np.ones((FRAMES, 17), np.float32))
    frames, steps = side_swaps(poses, np.zeros(0))
    assert (frames.tolist(), steps) == ([40, 41], 59)
    poses.scores[39, 7:15] = 0.1  # joints of low confidence are not compared
    assert side_swaps(poses, np.zeros(0))[0].tolist() == [41]


def test_every_limit_has_a_reason_and_a_hint():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.reason and check.hint and 0 < check.limit < 1 for check in CHECKS)
