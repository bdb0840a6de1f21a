"""What a detector of athletes should have seen and photographs of everyday people do not show."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class QuarterTurn(BaseTransform):
    """Turn the picture by 90 degrees to the left or right: who somersaults is still a person.

    Unlike a turn by any angle this leaves boxes as tight as they were.

    Required keys: ``img``, ``gt_bboxes`` (HorizontalBoxes).  Modified keys: ``img``, ``gt_bboxes``, ``img_shape``.

    Args:
        prob: Share of the pictures that are turned.
    """

    def __init__(self, prob: float = 0.3) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        if np.random.random() >= self.prob:
            return results
        height, width = results['img'].shape[:2]
        x0, y0, x1, y1 = results['gt_bboxes'].tensor.unbind(-1)
        left = np.random.random() < 0.5
        results['img'] = np.ascontiguousarray(np.rot90(results['img'], 1 if left else -1))
        corners = (y0, width - x1, y1, width - x0) if left else (height - y1, x0, height - y0, x1)
        boxes = results['gt_bboxes'].clone()
        for i, corner in enumerate(corners):
            boxes.tensor[:, i] = corner
        results['gt_bboxes'] = boxes
        results['img_shape'] = results['img'].shape[:2]
        return results


@TRANSFORMS.register_module()
class MotionBlur(BaseTransform):
    """Smear the picture along a line of any direction, as a camera that pans with the action does.

    Required and modified keys: ``img``.

    Args:
        length: Shortest and longest line, px.
        prob: Share of the pictures that are smeared.
    """

    def __init__(self, length: tuple[float, float] = (2.0, 9.0), prob: float = 0.3) -> None:
        self.length = length
        self.prob = prob

    def transform(self, results: dict) -> dict:
        if np.random.random() >= self.prob:
            return results
        length, angle = np.random.uniform(*self.length), np.random.uniform(0, np.pi)
        half = int(np.ceil(length / 2))
        offset = length / 2 * np.array([np.cos(angle), np.sin(angle)])
        kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
        start, end = (np.rint((half + sign * offset) * 16).astype(int).tolist() for sign in (-1, 1))
        cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_8, 4)
        results['img'] = cv2.filter2D(results['img'], -1, kernel / kernel.sum())
        return results
