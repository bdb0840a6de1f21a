"""Augmentations that make a person detector robust to acrobatic poses and camera motion."""

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS


class _RandomTransform(BaseTransform):
    """Base of the transforms: change the image with probability ``prob``."""

    def __init__(self, prob: float) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        if np.random.random() < self.prob:
            self._change(results)
        return results


@TRANSFORMS.register_module()
class QuarterTurn(_RandomTransform):
    """Rotate the image by 90 degrees to the left or right, which keeps boxes tight.

    Required keys: ``img``, ``gt_bboxes`` (HorizontalBoxes).  Modified keys: ``img``, ``gt_bboxes``, ``img_shape``.
    """

    def _change(self, results: dict) -> None:
        height, width = results['img'].shape[:2]
        x0, y0, x1, y1 = results['gt_bboxes'].tensor.unbind(-1)
        left = np.random.random() < 0.5
        results['img'] = np.ascontiguousarray(np.rot90(results['img'], 1 if left else -1))
        corners = (y0, width - x1, y1, width - x0) if left else (height - y1, x0, height - y0, x1)
        results['gt_bboxes'].tensor = torch.stack(corners, dim=-1)
        results['img_shape'] = results['img'].shape[:2]


@TRANSFORMS.register_module()
class Tilt(_RandomTransform):
    """Rotate the image about its center by up to 45 degrees to either side; borders are filled by reflection.

    A box becomes the box of the rotated ellipse inscribed in it, which fits people better than that of its rotated
    corners (Kalra et al., Towards Rotation Invariance in Object Detection, ICCV 2021).

    Required keys: ``img``, ``gt_bboxes`` (HorizontalBoxes).  Modified keys: ``img``, ``gt_bboxes``.
    """

    max_angle = 45.0

    def _change(self, results: dict) -> None:
        height, width = results['img'].shape[:2]
        angle = np.deg2rad(np.random.uniform(-self.max_angle, self.max_angle))
        c, s = np.cos(angle), np.sin(angle)
        center = np.array([width, height]) / 2
        turn = np.array([(c, -s), (s, c)])
        # Pixel centers lie half a pixel from the corners.
        shift = center - turn @ center + turn @ (0.5, 0.5) - 0.5
        results['img'] = cv2.warpAffine(
            results['img'], np.column_stack([turn, shift]), (width, height), borderMode=cv2.BORDER_REFLECT_101
        )
        corners = results['gt_bboxes'].tensor.numpy().astype(float)
        centers, sides = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
        centers = (centers - center) @ turn.T + center
        half = np.sqrt(sides**2 @ (turn**2).T) / 2
        turned = np.concatenate([centers - half, centers + half], axis=1)
        # People outside the image get boxes of zero area at its edge, which RandomCrop drops.
        results['gt_bboxes'].tensor[:] = results['gt_bboxes'].tensor.new_tensor(
            turned.clip(0, [width, height, width, height])
        )


@TRANSFORMS.register_module()
class Stretch(_RandomTransform):
    """Change the aspect ratio of the image by a factor of up to 2 either way, drawn log-uniformly.

    Tucked or lying people have other proportions than upright ones.

    Required keys: ``img``, ``gt_bboxes`` (HorizontalBoxes).  Modified keys: ``img``, ``gt_bboxes``, ``img_shape``.
    """

    def _change(self, results: dict) -> None:
        height, width = results['img'].shape[:2]
        part = np.exp(np.random.uniform(-1, 1) * np.log(2.0) / 2)
        size = round(width * part), round(height / part)
        results['img'] = cv2.resize(results['img'], size, interpolation=cv2.INTER_LINEAR)
        results['gt_bboxes'].rescale_((size[0] / width, size[1] / height))
        results['img_shape'] = results['img'].shape[:2]


@TRANSFORMS.register_module()
class MotionBlur(_RandomTransform):
    """Blur the image along a line of 2 to 9 px in a random direction, as a panning camera does.

    Required and modified keys: ``img``.
    """

    length = (2.0, 9.0)

    def _change(self, results: dict) -> None:
        length, angle = np.random.uniform(*self.length), np.random.uniform(0, np.pi)
        half = int(np.ceil(length / 2))
        offset = length / 2 * np.array([np.cos(angle), np.sin(angle)])
        kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
        start, end = (np.rint((half + sign * offset) * 16).astype(int).tolist() for sign in (-1, 1))
        cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_8, 4)
        results['img'] = cv2.filter2D(results['img'], -1, kernel / kernel.sum())
