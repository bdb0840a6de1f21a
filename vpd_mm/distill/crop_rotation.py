"""Rotation of crops together with flow and 2D targets."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ..errors import UserError
from ..registry import TRANSFORMS
from ..teacher import JointFeature


@TRANSFORMS.register_module()
class CropRotation(BaseTransform):
    """Rotate the image about its center together with flow and target.

    Not in the paper: short videos have few confident frames of an inverted athlete, and this makes them from upright
    ones.  Borders are filled by reflection, so that they do not reveal the angle.  Use before :class:`ChiralFlip`.

    Required keys: ``img``, ``rng``; optional ``targets`` (V, 26) or (V, 52), normalized joints and their change.
    Modified keys: ``img``, ``flow``, ``mask``, ``targets``.

    Args:
        angle: Largest rotation to either side, degrees.
        prob: Probability.

    Raises:
        UserError: the targets are not 2D joints.
    """

    def __init__(self, angle: float = 180.0, prob: float = 1.0) -> None:
        self.angle = angle
        self.prob = prob

    def transform(self, results: dict) -> dict:
        rng = results['rng']
        if self.prob < 1 and rng.random() >= self.prob:
            return results
        height, width = results['img'].shape[:2]
        center = (width - 1) / 2, (height - 1) / 2
        matrix = cv2.getRotationMatrix2D(center, rng.uniform(-self.angle, self.angle), 1)
        turn = matrix[:, :2].astype(np.float32)

        def rotate(image: np.ndarray, flags: int) -> np.ndarray:
            return cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)

        results['img'] = rotate(results['img'], cv2.INTER_LINEAR)
        if 'flow' in results:
            results['flow'] = rotate(results['flow'], cv2.INTER_LINEAR) @ turn.T
        if 'mask' in results:
            results['mask'] = rotate(results['mask'].astype(np.uint8), cv2.INTER_NEAREST) > 0
        if 'targets' in results:
            results['targets'] = turn_targets(results['targets'], turn)
        return results


def turn_targets(targets: np.ndarray, turn: np.ndarray, turn_before: np.ndarray | None = None) -> np.ndarray:
    """Rotate 2D joints (V, 26), or joints and their change (V, 52); the flipped view rotates the other way.

    Args:
        targets: Views [original, flipped].
        turn: (2, 2) rotation of frame t.
        turn_before: (2, 2) rotation of frame t-1, for a spin; default: ``turn``.

    Raises:
        UserError: the targets are not 2D joints.
    """
    dims = JointFeature.dims
    if targets.shape[1] not in (dims, 2 * dims):
        raise UserError(f'only 2D joints (d=26) can be rotated, these targets have {targets.shape[1]} numbers')
    turn_before = turn if turn_before is None else turn_before
    rotated = []
    for row, t, b in zip(targets, (turn, turn.T), (turn_before, turn_before.T)):
        now = row[:dims].reshape(-1, 2)
        change = [now @ t.T - (now - row[dims:].reshape(-1, 2)) @ b.T] if len(row) > dims else []
        rotated.append(np.concatenate([(now @ t.T).reshape(-1), *(c.reshape(-1) for c in change)]))
    return np.stack(rotated).astype(targets.dtype)
