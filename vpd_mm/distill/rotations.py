"""Rotations of whole crops, and of the athlete in front of an unchanged background."""

import os

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ..engine.config import read_config
from ..engine.paths import find_weights
from ..errors import UserError
from ..registry import TASK_UTILS, TRANSFORMS
from ..structures import VPD_JOINTS
from ..teacher import JointFeature, VipeFeature, flip_joints, load_encoder, pose_inputs
from .crop_transforms import flow_to_px

#: Pairs of COCO-17 joints that are connected by the body.
_LIMBS = (
    (5, 6), (11, 12), (5, 11), (6, 12), (5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16),
)  # fmt: skip
#: Times that are averaged for motion blur, in frames; the shutter is open for half a frame.
_EXPOSURE = 0.5 * np.linspace(-0.5, 0.5, 4)
#: Width of the soft edge of the ellipse around an athlete, relative to its radius.
_SOFT_EDGE = 0.15


@TRANSFORMS.register_module()
class CropRotation(BaseTransform):
    """Rotate the image about its center together with flow and target.

    Not in the paper: short videos have few confident frames of an inverted athlete, and this makes them from upright
    ones.  Borders are filled by reflection, so that they do not reveal the angle.  Use before :class:`ChiralFlip`.

    Required keys: ``img``, ``rng``; optional ``targets`` (V, 26) or (V, 52), normalized joints and their change.
    Modified keys: ``img``, ``flow``, ``targets``.

    ``angle`` is the largest rotation to either side, degrees.  Targets other than 2D joints raise UserError.
    """

    def __init__(self, angle: float = 180.0, prob: float = 1.0) -> None:
        self.angle, self.prob = angle, prob

    def transform(self, results: dict) -> dict:
        rng = results['rng']
        flow_to_px(results)  # of all samples, which are collated
        if self.prob < 1 and rng.random() >= self.prob:
            return results
        height, width = results['img'].shape[:2]
        center = (width - 1) / 2, (height - 1) / 2
        matrix = cv2.getRotationMatrix2D(center, rng.uniform(-self.angle, self.angle), 1)
        turn = matrix[:, :2].astype(np.float32)

        def rotate(image: np.ndarray) -> np.ndarray:
            return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)

        results['img'] = rotate(results['img'])
        if 'flow' in results:
            results['flow'] = rotate(results['flow']) @ turn.T
        if 'targets' in results:
            results['targets'] = turn_targets(results['targets'], turn, turn)
        return results


def turn_targets(targets: np.ndarray, now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Rotate 2D joints (V, 26), or joints and their change (V, 52), by the (2, 2) rotations of frames t and t-1.

    Views are [original, flipped]; the flipped one rotates the other way.  Other targets raise UserError.
    """
    if targets.shape[1] not in (JointFeature.dims, 2 * JointFeature.dims):
        raise UserError(f'only 2D joints (d=26) can be rotated, these targets have {targets.shape[1]} numbers')
    rotated = []
    for row, t, b in zip(targets, (now, now.T), (before, before.T)):
        pose, *change = row.reshape(-1, JointFeature.dims // 2, 2)
        turned = [pose @ t.T, *(pose @ t.T - (pose - c) @ b.T for c in change)]
        rotated.append(np.concatenate(turned).reshape(-1))
    return np.stack(rotated).astype(targets.dtype)


@TASK_UTILS.register_module()
class TurnedVipe:
    """VIPE* targets of rotated athletes for :class:`AthleteRotation`, embedded again from the rotated poses.

    ``config`` and ``checkpoint`` are those of the teacher's features; UserError as of :func:`load_encoder`.
    """

    def __init__(self, config: str | os.PathLike, checkpoint: str | os.PathLike) -> None:
        self.feature = VipeFeature(load_encoder(read_config(config), find_weights(str(checkpoint))))
        self.dims = self.feature.dims

    def __call__(
        self, joints: np.ndarray, scores: np.ndarray, turns: tuple[np.ndarray, np.ndarray], motion: bool
    ) -> np.ndarray:
        """Return targets (2, D), or (2, 2 D) = [p_t ; p_t - p_(t-1)] with motion, views [original, flipped].

        ``joints`` (2, 17, 2) px, ``scores`` (2, 17) and rotations ``turns`` (2, 2) are of frames t and t-1; each frame
        may have its own origin and scale.
        """
        turned = np.stack([pose @ turn.T for pose, turn in zip(joints[:, VPD_JOINTS], turns, strict=True)])
        inputs = pose_inputs(turned, scores[:, VPD_JOINTS])
        now, before = self.feature.embed(np.stack([inputs, flip_joints(inputs)], axis=1))
        return np.concatenate([now, now - before], axis=-1) if motion else now


@TRANSFORMS.register_module()
class AthleteRotation(BaseTransform):
    """Rotate the athlete with flow and targets, and inpaint the background from beside the athlete.

    Not in the paper.  After :class:`CropRotation` the background shows the rotation, which it does not in a real
    somersault; here only the athlete is rotated.  The athlete is cut out along the limbs if the sample has ``joints``,
    else by an ellipse in the box.

    Required keys: ``img`` (H, W, 3), ``rng``; ``box`` (4,) xyxy px of the crop (:class:`LoadBox`) or ``joints``
    (17, 2) px (:class:`LoadPose`); optional ``targets`` as for :class:`CropRotation`.
    Modified keys: ``img``, ``flow``, ``targets``.  Use before :class:`ResizedCrop`.

    Args:
        angle: Largest rotation to either side, degrees.
        prob: Probability.
        spin: Largest angular speed to either side, degrees per frame; causes motion blur, and changes flow and targets.
        ellipses: Share of the rotated samples that use the ellipse despite joints (needs ``box``), so that the student
            does not recognize the cut.
        wider: Largest random dilation of the cut along the limbs, px.
        targets: Component that computes targets other than 2D joints from rotated poses, such as
            ``dict(type='TurnedVipe', ...)``; needs :class:`LoadPose`.

    Raises:
        UserError: the targets are neither 2D joints nor those of the component ``targets``.
    """

    def __init__(
        self,
        angle: float = 180.0,
        prob: float = 0.6,
        spin: float = 0.0,
        ellipses: float = 0.0,
        wider: int = 0,
        targets: dict | None = None,
    ) -> None:
        self.angle, self.prob, self.spin = angle, prob, spin
        self.ellipses, self.wider = ellipses, wider
        self.targets = TASK_UTILS.build(targets) if targets else None

    def transform(self, results: dict) -> dict:
        rng = results['rng']
        flow_to_px(results)  # of all samples, which are collated
        if rng.random() >= self.prob:
            return results
        height, width = results['img'].shape[:2]
        joints = results.get('joints')
        if joints is None or (self.ellipses and rng.random() < self.ellipses):
            box = results['box'].reshape(2, 2)
            middle, cut = box.sum(axis=0) / 2, _ellipse(box, (height, width))
        else:
            middle, cut = joints[[5, 6, 11, 12]].mean(axis=0), _limbs(joints, (height, width))
            if self.wider and (more := int(rng.integers(self.wider + 1))):
                cut = cv2.dilate(cut, np.ones((2 * more + 1, 2 * more + 1), np.uint8))
        angle = rng.uniform(-self.angle, self.angle)
        spin = rng.uniform(-self.spin, self.spin) if self.spin else 0.0
        hole, shift = _hole(cut, rng.random() < 0.5)
        center = [float(c) for c in middle - 0.5]

        def rotate(image: np.ndarray, degrees: float) -> np.ndarray:
            matrix = cv2.getRotationMatrix2D(center, degrees, 1)
            return cv2.warpAffine(image, matrix, (width, height))

        def inpaint(image: np.ndarray) -> np.ndarray:
            shifted = np.concatenate([image[:, -shift:], image[:, :-shift]], axis=1)
            return cv2.blendLinear(shifted, image, hole, 1 - hole)

        # NumPy is slow where it repeats a mask for each channel, so masks are merged to images.
        # Premultiplied colors and alpha in one image, so that edges stay soft after rotation and blur.
        athlete = cv2.cvtColor(results['img'], cv2.COLOR_RGB2RGBA) * cv2.merge([cut] * 4)
        athlete = athlete.round().astype(np.uint8)
        moments = angle + spin * _EXPOSURE if spin else [angle]
        total = np.zeros(athlete.shape, np.float32)
        for degrees in moments:
            cv2.accumulate(rotate(athlete, degrees), total)
        *colors, alpha = cv2.split(total / len(moments))
        background = inpaint(results['img']) * cv2.merge([1 - alpha / 255] * 3)
        results['img'] = np.rint(cv2.merge(colors) + background).clip(0, 255).astype(np.uint8)
        now, before = _turn(angle), _turn(angle - spin)
        if 'flow' in results:
            u, v = cv2.split(results['flow'])
            u, v, alpha = cv2.split(rotate(cv2.merge([u * cut, v * cut, cut]), angle))
            flow = cv2.merge([u, v]) @ before.T
            if spin:
                x, y = (np.arange(n, dtype=np.float32) - c for n, c in zip((width, height), center))
                (a, b), (c, d) = np.eye(2, dtype=np.float32) - _turn(-spin)
                y = y[:, None]
                flow += cv2.merge([alpha * (a * x + b * y), alpha * (c * x + d * y)])
            results['flow'] = flow + cv2.merge([1 - alpha] * 2) * inpaint(results['flow'])
        if 'targets' in results:
            results['targets'] = self._turned_targets(results, now, before)
        return results

    def _turned_targets(self, results: dict, now: np.ndarray, before: np.ndarray) -> np.ndarray:
        if self.targets is None:
            return turn_targets(results['targets'], now, before)
        if 'poses' not in results:
            raise UserError('AthleteRotation: targets are computed from poses; put LoadPose before it')
        dims, wanted = self.targets.dims, results['targets'].shape[1]
        if wanted not in (dims, 2 * dims):
            raise UserError(
                f'AthleteRotation: targets of rotated poses have d={dims}, those of the teacher {wanted} numbers'
            )
        return self.targets(*results['poses'], (now, before), motion=wanted == 2 * dims)


def _turn(degrees: float) -> np.ndarray:
    """Return the rotation (2, 2) of ``cv2.getRotationMatrix2D``: counter-clockwise in the image."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, s], [-s, c]], np.float32)


def _hole(cut: np.ndarray, left: bool) -> tuple[np.ndarray, int]:
    """Return the dilated cut (H, W) to inpaint and the horizontal shift to its source, px."""
    wide = cv2.blur(cv2.dilate(cut, np.ones((7, 7), np.uint8)), (3, 3))
    columns = np.flatnonzero(wide.any(axis=0))
    shift = min(int(columns[-1] - columns[0]) + 1 if len(columns) else 0, cut.shape[1] // 2)
    return wide, -shift if left else shift


def _ellipse(box: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the soft mask (H, W) float32 of the ellipse in the box, two corners (2, 2)."""
    x, y = (np.arange(n, dtype=np.float32) + 0.5 for n in shape[::-1])
    middle, radius = box.sum(axis=0) / 2, np.maximum(box[1] - box[0], 2) / 2
    distance = np.hypot((x - middle[0]) / radius[0], ((y - middle[1]) / radius[1])[:, None])
    return np.clip((1 + _SOFT_EDGE - distance) / _SOFT_EDGE, 0, 1)


def _limbs(joints: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the soft mask (H, W) float32 of limbs, trunk and head of (17, 2) joints."""
    shoulders, hips = joints[[5, 6]], joints[[11, 12]]
    # Length of the trunk, or of the thighs if the trunk is foreshortened.
    trunk = np.linalg.norm(shoulders.mean(0) - hips.mean(0))
    size = max(trunk, 0.8 * np.linalg.norm(joints[[13, 14]] - hips, axis=1).max(), 4.0)
    cut = np.zeros(shape, np.uint8)
    points = np.rint(joints * 8).astype(np.int32)
    for a, b in _LIMBS:
        cv2.line(cut, points[a].tolist(), points[b].tolist(), 255, max(2, round(0.36 * size)), cv2.LINE_8, 3)
    cv2.fillConvexPoly(cut, points[[5, 6, 12, 11]], 255, cv2.LINE_8, 3)
    head = np.rint(joints[:5].mean(axis=0) * 8).astype(np.int32).tolist()
    cv2.circle(cut, head, round(0.36 * size * 8), 255, -1, cv2.LINE_8, 3)
    return cv2.blur(cut, (3, 3)).astype(np.float32) / 255
