"""How good boxes, joints and their scores are, where the truth is known."""

import contextlib
import io
import math

import numpy as np

from vpd_mm.teacher.joint_feature import VPD_JOINTS

#: A joint is right within this part of the torso, a frame is good with this part of its joints right.
PCK_PART, GOOD_FRAME = 0.2, 0.8
#: IoU of a tracker's box with the athlete's from which on it is as good as the athlete's; from which on it is on the
#: athlete, unless it is more on somebody else.
SAME_BOX, TOUCHING = 0.5, 0.1


def joint_hits(found: np.ndarray, truth: np.ndarray, part: float = PCK_PART) -> np.ndarray:
    """Which joints are right: nearer to the truth than ``part`` of the torso.

    Args:
        found, truth: (T, 17, 2) px; the torso is the longer one of shoulder to opposite hip of the truth.

    Returns:
        (T, 13) bool, VPD's joints.
    """
    diagonals = np.linalg.norm(truth[:, (5, 6)] - truth[:, (12, 11)], axis=-1)
    errors = np.linalg.norm(found - truth, axis=-1)[:, VPD_JOINTS]
    return errors < part * diagonals.max(axis=1)[:, None]


def upside_down(truth: np.ndarray) -> np.ndarray:
    """(T,) bool: the shoulders of (T, 17, 2) px are seen below the hips."""
    return truth[:, (5, 6), 1].mean(axis=1) > truth[:, (11, 12), 1].mean(axis=1)


def frame_pck(hits: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(T,) part of the counted joints (T, 13) that are right; NaN where none counts."""
    with np.errstate(invalid='ignore'):
        return (hits & counted).sum(axis=1) / counted.sum(axis=1)


def auroc(scores: np.ndarray, good: np.ndarray) -> float:
    """Probability that a good one scores higher than a bad one (ties count half); NaN where one kind is missing."""
    from scipy.stats import rankdata

    num_good, num_bad = int(good.sum()), int((~good).sum())
    if not num_good or not num_bad:
        return math.nan
    wins = rankdata(scores)[good].sum() - num_good * (num_good + 1) / 2
    return float(wins / (num_good * num_bad))


def box_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(T,) IoU of boxes (T, 4) xyxy with others, row by row."""
    sides = np.minimum(boxes[:, 2:], others[:, 2:]) - np.maximum(boxes[:, :2], others[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (others[:, 2:] - others[:, :2]).prod(axis=1)
    return shared / np.maximum(areas - shared, 1e-9)


def ap50(found: list[np.ndarray], people: list[np.ndarray], ignored: list[np.ndarray]) -> float:
    """COCO's average precision at IoU 0.5.

    Args:
        found: Per picture (n, 5) xyxy and score.
        people: Per picture (m, 4) xyxy who must be found.
        ignored: Per picture (c, 4) xyxy who may be found or not.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def xywh(box: np.ndarray) -> list[float]:
        return [float(v) for v in (*box[:2], *(box[2:4] - box[:2]))]

    truth: list[dict] = []
    results: list[dict] = []
    for image_id, (boxes, must, may) in enumerate(zip(found, people, ignored, strict=True), 1):
        for crowd, group in enumerate((must, may)):
            for box in group:
                _, _, w, h = bbox = xywh(box)
                ids = {'id': len(truth) + 1, 'image_id': image_id, 'category_id': 1}
                truth.append({**ids, 'bbox': bbox, 'area': w * h, 'iscrowd': crowd})
        results += [{'image_id': image_id, 'category_id': 1, 'bbox': xywh(b), 'score': float(b[4])} for b in boxes]
    if not results:
        return 0.0
    coco = COCO()
    coco.dataset = {
        'info': {},
        'images': [{'id': i} for i in range(1, len(found) + 1)],
        'annotations': truth,
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


def on_athlete(kept: list[np.ndarray]) -> np.ndarray:
    """(T,) bool: the box lies on the athlete and on nobody else more.

    Args:
        kept: Of each film (t, 2): IoU of the box with the athlete's, and its largest with another person's.
    """
    own, other = np.concatenate(kept).T
    return (own > TOUCHING) & (own > other)
