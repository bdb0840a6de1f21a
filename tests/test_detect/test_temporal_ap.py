from pathlib import Path

import numpy as np
import pytest

from vpd_mm.detect import (
    Detection,
    ap_at_tiou,
    find_proposals,
    fit_proposal,
    interpolated_ap,
    spotting_ap,
    temporal_iou,
)
from vpd_mm.detect.temporal_ap import TIOUS, published_interpolated_ap
from vpd_mm.errors import UserError
from vpd_mm.registry import METRICS

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden_detect.npz'
# tests/data holds the published compute_ap; below, AP at tIoU 0.1 to 0.9 of the published calc_ap_at_threshold(0.5) on
# frame_scores(seed), with 39, 41 and 37 merged actions.
PUBLISHED = {
    1: [0.965865, 0.965865, 0.965865, 0.929148, 0.929148, 0.659634, 0.470238, 0.28312, 0.103175],
    4: [0.896791, 0.896791, 0.896791, 0.884157, 0.837002, 0.716017, 0.549248, 0.295122, 0.02439],
    5: [0.945811, 0.945811, 0.940405, 0.940405, 0.833231, 0.73928, 0.456759, 0.246463, 0.073662],
}


def test_a_detection_in_a_video_without_actions_is_false():
    """Two actions in video a, none in b: right at ranks 2 and 3 gives (2/3 + 2/3) / 2; without b, 1."""
    ground_truth = {'a': np.array([[0, 10], [20, 30]]), 'b': np.zeros((0, 2))}
    right = [Detection('a', (0, 10), 0.8), Detection('a', (20, 30), 0.7)]
    assert ap_at_tiou(ground_truth, right, (0.5,)) == 1
    for published in (False, True):
        ap = ap_at_tiou(ground_truth, [Detection('b', (0, 11), 0.9), *right], (0.5,), published)
        assert ap == pytest.approx([2 / 3])
    spots = {'a': np.array([5]), 'b': np.zeros(0)}
    assert spotting_ap(spots, [Detection('b', 5, 0.9), Detection('a', 6, 0.8)], 1) == 0.5


@pytest.mark.parametrize('case', range(6))
def test_golden_values(case):
    with np.load(GOLDEN) as golden:
        hits, count, expected = golden[f'ap_tp_{case}'], int(golden[f'ap_npos_{case}']), float(golden[f'ap_{case}'])
    assert published_interpolated_ap(hits, count) == pytest.approx(expected, abs=1e-12)
    assert expected <= interpolated_ap(hits, count) + 1e-12 < expected + 0.0025


def frame_scores(seed):
    """Noisy scores of six videos of 400 frames, and their actions, some of which touch or overlap."""
    rng = np.random.default_rng(seed)
    scores, actions = {}, {}
    for video in 'abcdef':
        starts, lengths = np.cumsum(rng.integers(8, 45, 8)), rng.integers(6, 30, 8)
        actions[video] = np.stack([starts, starts + lengths], axis=1)
        frames = np.zeros(400)
        for start, end in actions[video]:
            frames[start:end] = 1
        frames = np.convolve(frames, np.ones(5) / 5, 'same') + rng.normal(0, 0.25, 400)
        scores[video] = 1 / (1 + np.exp(-4 * (frames - 0.5)))
    return scores, actions


@pytest.mark.parametrize('seed', PUBLISHED)
def test_the_published_ap(seed):
    scores, actions = frame_scores(seed)
    length = np.mean([end - start for intervals in actions.values() for start, end in intervals])
    ground_truth = {}
    for video, intervals in actions.items():
        frames = np.zeros(500)
        for start, end in intervals:
            frames[start:end] = 1
        steps = np.diff(frames, prepend=0)
        ground_truth[video] = np.stack([np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)], axis=1)
    found = [(video, fit_proposal(p, length)) for video in scores for p in find_proposals(scores[video])]
    detections = [Detection(video, p[:2], p.score) for video, p in found]
    published = ap_at_tiou(ground_truth, detections, published=True)
    np.testing.assert_allclose(published, PUBLISHED[seed], atol=1e-6)
    assert not np.allclose(ap_at_tiou(ground_truth, detections), published, atol=1e-3)


def test_a_published_detection_recalls_several_actions_at_once():
    ground_truth = {'a': np.array([[0, 4], [6, 10]]), 'b': np.array([[0, 10]])}
    detections = [Detection('b', (0, 11), 0.9), Detection('a', (0, 11), 0.8), Detection('a', (6, 11), 0.7)]
    # the second one takes both actions; nothing is left for the third
    assert ap_at_tiou(ground_truth, detections, (0.3,), published=True) == pytest.approx(2 / 3)
    assert ap_at_tiou(ground_truth, detections, (0.3,)) == 1


def test_published_rounding_and_ends():
    """Frames 0 to 9 found, 0 to 2 labelled: 3/9 in the published code, whose detections lack their last frame."""
    ground_truth = {'a': np.array([[0, 3], [50, 60]])}
    for end, at_most in ((10, 0.3), (11, 0.2)):  # 3/9, and 3/10, which is below 0.1 * 3 = 0.30000000000000004
        found = [Detection('a', (50, 61), 0.9), Detection('a', (0, end), 0.8)]
        aps = ap_at_tiou(ground_truth, found, published=True)
        assert [tiou for tiou, ap in zip(TIOUS, aps, strict=True) if ap == 1] == [t for t in TIOUS if t <= at_most]


def test_interpolated_ap_by_value():
    assert interpolated_ap([True, True], 2) == 1
    assert interpolated_ap([False, True], 2) == pytest.approx(0.25)
    assert interpolated_ap([False, True, True], 4) == pytest.approx(2 * (2 / 3) / 4)
    assert interpolated_ap([], 3) == 0
    assert np.isnan(interpolated_ap([], 0))


def test_temporal_iou_by_value():
    others = np.array([[0, 10], [5, 15], [10, 20], [2, 4]])
    np.testing.assert_allclose(temporal_iou((0, 10), others), [1, 1 / 3, 0, 0.2])


def test_action_is_matched_once_and_ends_are_exclusive():
    ground_truth = {'a': np.array([[0, 10], [20, 30]]), 'b': np.array([[0, 10]])}
    detections = [
        Detection('a', (0, 10), 0.9),
        Detection('a', (1, 11), 0.8),  # the same action again
        Detection('c', (0, 10), 0.7),  # another video
        Detection('b', (0, 7), 0.6),  # IoU exactly 0.7
    ]
    result = ap_at_tiou(ground_truth, detections, (0.5, 0.7, 0.71))
    np.testing.assert_allclose(result, [(1 + 0.5) / 3, (1 + 0.5) / 3, 1 / 3])


def random_case(seed):
    rng = np.random.default_rng(seed)
    ground_truth, detections = {}, []
    for video in 'abcd':
        starts = rng.uniform(0, 300, rng.integers(1, 7))
        ground_truth[video] = np.stack([starts, starts + rng.uniform(5, 60, len(starts))], axis=1)
        for start, end in ground_truth[video][rng.integers(0, len(starts), 9)]:
            shifted = sorted((start + rng.normal(0, 8), end + rng.normal(0, 8)))
            detections.append(Detection(video, tuple(shifted), float(rng.random())))
    return ground_truth, [*detections, Detection('unlabeled', (0.0, 5.0), 0.99)]


@pytest.mark.parametrize('seed', range(5))
def test_equals_mmaction(seed):
    from mmaction.evaluation.functional.accuracy import average_precision_at_temporal_iou
    from mmaction.evaluation.functional.eval_detection import compute_average_precision_detection

    ground_truth, detections = random_case(seed)
    tious = np.linspace(0.1, 0.9, 9)
    result = ap_at_tiou(ground_truth, detections, tious)
    rows = np.array([[d.video, 0, *d.position, d.score] for d in detections])
    np.testing.assert_allclose(result, average_precision_at_temporal_iou(ground_truth, rows, tious), atol=1e-6)
    theirs = compute_average_precision_detection(
        [{'video-id': v, 't-start': s, 't-end': e} for v, intervals in ground_truth.items() for s, e in intervals],
        [{'video-id': d.video, 't-start': d.position[0], 't-end': d.position[1], 'score': d.score} for d in detections],
        tious,
    )
    np.testing.assert_allclose(result, theirs, atol=1e-12)
    assert result[0] > result[-1]


def test_spotting_within_a_tolerance():
    ground_truth = {'a': np.array([10, 14]), 'b': np.array([5])}
    detections = [Detection('a', 12, 0.9), Detection('a', 13, 0.8), Detection('b', 9, 0.7)]
    assert spotting_ap(ground_truth, detections, 0) == 0
    assert spotting_ap(ground_truth, detections, 1) == pytest.approx(0.5 / 3)
    assert spotting_ap(ground_truth, detections, 2) == pytest.approx(2 / 3)
    assert spotting_ap(ground_truth, detections, 4) == pytest.approx(1)


def sample(video, inds, scores, intervals, labels):
    return {
        'video': video,
        'frame_inds': np.asarray(inds),
        'frame_scores': np.asarray(scores, np.float32),
        'gt_intervals': np.array(intervals),
        'gt_labels': np.array(labels),
    }


def test_metric_stitches_windows_of_a_video():
    metric = METRICS.build(dict(type='TemporalAPMetric', tious=(0.3, 0.7), tolerances=(0, 2)))
    scores = np.zeros((60, 2))
    scores[10:20, 0] = scores[40:44, 0] = scores[30:36, 1] = 0.9
    ground_truth = ([[10, 20], [30, 40]], [0, 1])
    metric.process(None, [sample('a', np.arange(40), scores[:40], *ground_truth)])
    metric.process(None, [sample('a', np.arange(20, 60), scores[20:], *ground_truth)])
    assert len(find_proposals(scores)) == 2
    result = metric.evaluate(2)
    assert result['detect/AP@0.3'] == 1
    assert result['detect/AP@0.7'] == 0.5  # (30, 36) covers 0.6 of class 1
    assert result['detect/mAP'] == 0.75
    assert 0 <= result['detect/spotting_mAP@0'] <= result['detect/spotting_mAP@2'] <= 1


def test_metric_ignores_classes_without_actions_and_needs_one_action():
    metric = METRICS.build(dict(type='TemporalAPMetric', tious=(0.5,)))
    scores = np.zeros((30, 3))
    scores[5:15, 2] = 1
    metric.process(None, [sample('a', np.arange(30), scores, [[5, 15]], [2])])
    assert metric.evaluate(1)['detect/AP@0.5'] == 1
    metric.process(None, [sample('a', np.arange(30), scores, np.zeros((0, 2)), np.zeros(0, int))])
    with pytest.raises(UserError, match='no video has an action'):
        metric.evaluate(1)
    with pytest.raises(UserError, match='video a has label 3, scores have 3 classes'):
        metric.process(None, [sample('a', np.arange(30), scores, [[5, 15]], [3])])
