from pathlib import Path

import numpy as np
import pytest

from vpd_mm.detect import Detection, ap_at_tiou, find_proposals, interpolated_ap, spotting_ap, temporal_iou
from vpd_mm.errors import UserError
from vpd_mm.registry import METRICS

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden_detect.npz'
# The golden scores had ties, which the published code counts as one step, the miss with the hit; ActivityNet's
# definition counts one after the other.  These are the ranks (from 0) of hits that share their score with a miss.
GOLDEN_TIES = {0: [12], 1: [20], 2: [14], 3: [], 4: [16, 21, 23], 5: []}


@pytest.mark.parametrize(('case', 'ties'), GOLDEN_TIES.items())
def test_golden_values(case, ties):
    with np.load(GOLDEN) as golden:
        hits, count, expected = golden[f'ap_tp_{case}'], int(golden[f'ap_npos_{case}']), float(golden[f'ap_{case}'])
    assert expected <= interpolated_ap(hits, count) + 1e-12 < expected + 0.0025
    for rank in ties:
        hits[[rank, rank + 1]] = hits[[rank + 1, rank]]
    assert interpolated_ap(hits, count) == pytest.approx(expected, abs=1e-12)


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
