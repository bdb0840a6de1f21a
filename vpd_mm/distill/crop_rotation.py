"""Turn a crop with its flow and its 2D target: an athlete upside down is one that stands, turned."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ..errors import UserError
from ..registry import TRANSFORMS
from ..teacher import JointFeature


@TRANSFORMS.register_module()
class CropRotation(BaseTransform):
    """Turn the picture about its middle, and with it flow and target.

    Not in the paper: with minutes of film there are few frames of an athlete upside down in which the teacher is sure,
    and this makes them from those in which he stands.  What the turn brings in from outside is mirrored, not black, so
    that its edge does not tell the angle.

    Required keys: ``img``, ``rng``; ``targets`` (V, 26) or (V, 52), normalised joints and their change, when the sample
    has targets.  Modified keys: ``img``, ``flow``, ``mask``, ``targets``.  Goes before :class:`ChiralFlip`.

    Args:
        angle: Largest turn to either side, degrees.
        prob: Share of the samples that are turned.

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
        middle = (width - 1) / 2, (height - 1) / 2
        matrix = cv2.getRotationMatrix2D(middle, rng.uniform(-self.angle, self.angle), 1)
        turn = matrix[:, :2].astype(np.float32)

        def turned(image: np.ndarray, how: int) -> np.ndarray:
            return cv2.warpAffine(image, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REFLECT_101)

        results['img'] = turned(results['img'], cv2.INTER_LINEAR)
        if 'flow' in results:
            results['flow'] = turned(results['flow'], cv2.INTER_LINEAR) @ turn.T
        if 'mask' in results:
            results['mask'] = turned(results['mask'].astype(np.uint8), cv2.INTER_NEAREST) > 0
        if 'targets' in results:
            results['targets'] = turn_targets(results['targets'], turn)
        return results


def turn_targets(targets: np.ndarray, turn: np.ndarray, turn_before: np.ndarray | None = None) -> np.ndarray:
    """(V, 26) or (V, 52) 2D joints, and their change, turned by (2, 2) ``turn``; a mirrored view turns the other way.

    With ``turn_before`` the pose of the frame before was turned by that, so that the change holds a spin.

    Raises:
        UserError: the targets are not 2D joints.
    """
    dims = JointFeature.dims
    if targets.shape[1] not in (dims, 2 * dims):
        raise UserError(f'only 2D joints (d=26) can be turned, these targets have {targets.shape[1]} numbers')
    turn_before = turn if turn_before is None else turn_before
    made = []
    for row, t, b in zip(targets, (turn, turn.T), (turn_before, turn_before.T)):
        now = row[:dims].reshape(-1, 2)
        change = [now @ t.T - (now - row[dims:].reshape(-1, 2)) @ b.T] if len(row) > dims else []
        made.append(np.concatenate([(now @ t.T).reshape(-1), *(c.reshape(-1) for c in change)]))
    return np.stack(made).astype(targets.dtype)
