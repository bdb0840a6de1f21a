"""Quality of boxes, joints and scores against ground truth."""

import contextlib
import io
import math

import numpy as np

from vpd_mm.teacher.joint_feature import VPD_JOINTS

#: A joint is correct within this part of the torso, a frame is good with this part of its joints correct.
PCK_PART, GOOD_FRAME = 0.2, 0.8
#: Least IoU of a tracker's box with the athlete's to be correct; to be on the athlete, unless it overlaps another
#: person more.
SAME_BOX, TOUCHING = 0.5, 0.1


def joint_hits(keypoints: np.ndarray, ground_truth: np.ndarray, part: float = PCK_PART) -> np.ndarray:
    """Return the correct joints: nearer to the ground truth than ``part`` of the torso.

    Args:
        keypoints, ground_truth: (T, 17, 2) px; the torso is the longer distance from a shoulder to the opposite hip.

    Returns:
        (T, 13) bool, VPD's joints.
    """
    diagonals = np.linalg.norm(ground_truth[:, (5, 6)] - ground_truth[:, (12, 11)], axis=-1)
    errors = np.linalg.norm(keypoints - ground_truth, axis=-1)[:, VPD_JOINTS]
    return errors < part * diagonals.max(axis=1)[:, None]


def upside_down(keypoints: np.ndarray) -> np.ndarray:
    """Return (T,) bool: the shoulders of (T, 17, 2) px are below the hips in the image."""
    return keypoints[:, (5, 6), 1].mean(axis=1) > keypoints[:, (11, 12), 1].mean(axis=1)


def frame_pck(hits: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return the (T,) part of the counted joints (T, 13) that are correct; NaN where none counts."""
    with np.errstate(invalid='ignore'):
        return (hits & counted).sum(axis=1) / counted.sum(axis=1)


def auroc(scores: np.ndarray, good: np.ndarray) -> float:
    """Return the probability that a good item scores higher than a bad one (ties count half); NaN without one kind."""
    from scipy.stats import rankdata

    num_good, num_bad = int(good.sum()), int((~good).sum())
    if not num_good or not num_bad:
        return math.nan
    wins = rankdata(scores)[good].sum() - num_good * (num_good + 1) / 2
    return float(wins / (num_good * num_bad))


def box_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the (T,) IoU of boxes (T, 4) xyxy with others, row by row."""
    sides = np.minimum(boxes[:, 2:], others[:, 2:]) - np.maximum(boxes[:, :2], others[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (others[:, 2:] - others[:, :2]).prod(axis=1)
    return shared / np.maximum(areas - shared, 1e-9)


def ap50(detections: list[np.ndarray], people: list[np.ndarray], ignored: list[np.ndarray]) -> float:
    """Return the average precision of COCO at IoU 0.5.

    Args:
        detections: Per image (n, 5) xyxy and score.
        people: Per image (m, 4) xyxy that must be detected.
        ignored: Per image (c, 4) xyxy that may be detected or not.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def xywh(box: np.ndarray) -> list[float]:
        return [float(v) for v in (*box[:2], *(box[2:4] - box[:2]))]

    annotations: list[dict] = []
    results: list[dict] = []
    for image_id, (boxes, must, may) in enumerate(zip(detections, people, ignored, strict=True), 1):
        for crowd, group in enumerate((must, may)):
            for box in group:
                _, _, w, h = bbox = xywh(box)
                ids = {'id': len(annotations) + 1, 'image_id': image_id, 'category_id': 1}
                annotations.append({**ids, 'bbox': bbox, 'area': w * h, 'iscrowd': crowd})
        results += [{'image_id': image_id, 'category_id': 1, 'bbox': xywh(b), 'score': float(b[4])} for b in boxes]
    if not results:
        return 0.0
    coco = COCO()
    coco.dataset = {
        'info': {},
        'images': [{'id': i} for i in range(1, len(detections) + 1)],
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'person'}],
    }
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its timing
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), 'bbox')
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval['precision'][0, :, 0, 0, -1]
    return float(precision[precision > -1].mean())


def on_athlete(overlaps: list[np.ndarray]) -> np.ndarray:
    """Return (T,) bool: the box lies on the athlete, and more than on any other person.

    Args:
        overlaps: Of each video (t, 2): IoU of the box with the athlete's, and its largest with another person's.
    """
    own, other = np.concatenate(overlaps).T
    return (own > TOUCHING) & (own > other)
