"""Rotation of the athlete in front of an unchanged background."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ..errors import UserError
from ..registry import TASK_UTILS, TRANSFORMS
from ..structures import PoseSequence
from ..teacher import fill_unseen
from .crop_rotation import turn_targets

#: Pairs of COCO-17 joints that are connected by the body.
_LIMBS = (
    (5, 6), (11, 12), (5, 11), (6, 12), (5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16),
)  # fmt: skip

#: Times within the exposure that are averaged for motion blur.
_MOMENTS = np.linspace(-0.5, 0.5, 4)


def _turn(degrees: float) -> np.ndarray:
    """Return the rotation (2, 2) of ``cv2.getRotationMatrix2D``: counter-clockwise in the image."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, s], [-s, c]], np.float32)


@TRANSFORMS.register_module()
class LoadBox(BaseTransform):
    """Load the box of the athlete; tracks are cached.

    Required keys: ``corpus``, ``store`` (CropStore), ``video``, ``frame``.
    Added keys: ``box`` (4,) float32 xyxy, px of the crop.

    Raises:
        UserError: the corpus has no track of the video, or no box in the frame.
    """

    def __init__(self) -> None:
        self._boxes: dict[str, dict[int, np.ndarray]] = {}

    def transform(self, results: dict) -> dict:
        video, frame = results['video'], results['frame']
        if video not in self._boxes:
            track, header = results['corpus'].track(video), results['store'].header(video)
            shared, rows, track_rows = np.intersect1d(header.frame_inds, track.frame_inds, return_indices=True)
            windows = header.windows[rows].astype(np.float32)
            boxes = (track.boxes[track_rows] - np.tile(windows[:, :2], 2)) * (header.size / windows[:, 2:])
            self._boxes[video] = dict(zip(shared.tolist(), boxes, strict=True))
        if frame not in self._boxes[video]:
            raise UserError(f'{results["corpus"].track_path(video)}: no box in frame {frame}, which has a crop')
        results['box'] = self._boxes[video][frame]
        return results


@TRANSFORMS.register_module()
class LoadPose(BaseTransform):
    """Load the pose of the athlete; pose files are cached.

    Required keys: ``corpus``, ``store`` (CropStore), ``video``, ``frame``.
    Added keys: ``joints`` (17, 2) float32, px of the crop, COCO order; ``poses``, a pair of keypoints (2, 17, 2)
    float32, px of the video, and scores (2, 17) of frames t and t-1 (t if it has none), joints of score 0 filled in.

    Args:
        poses: Name of the pose set (``athlete/poses/<name>``).

    Raises:
        UserError: the corpus has no such poses of the video, or none in the frame.
    """

    def __init__(self, poses: str) -> None:
        self.poses = poses
        self._poses: dict[str, tuple[PoseSequence, dict[int, int], dict[int, int]]] = {}

    def transform(self, results: dict) -> dict:
        corpus, video, frame = results['corpus'], results['video'], results['frame']
        header = results['store'].header(video)
        if video not in self._poses:
            poses = fill_unseen(corpus.poses(self.poses, video))
            row_of, window_of = ({f: i for i, f in enumerate(seq.frame_inds.tolist())} for seq in (poses, header))
            self._poses[video] = poses, row_of, window_of
        poses, row_of, window_of = self._poses[video]
        if frame not in row_of:
            raise UserError(f'{corpus.pose_path(self.poses, video)}: no pose in frame {frame} of the samples')
        window = header.windows[window_of[frame]].astype(np.float32)
        both = [row_of[frame], row_of.get(frame - 1, row_of[frame])]
        results['poses'] = poses.keypoints[both], poses.scores[both]
        results['joints'] = (poses.keypoints[both[0]] - window[:2]) * (header.size / window[2:])
        return results


@TRANSFORMS.register_module()
class AthleteRotation(BaseTransform):
    """Rotate the athlete with flow and targets, and inpaint the background from beside the athlete.

    Not in the paper.  After :class:`CropRotation` the background shows the rotation, which it does not in a real
    somersault; here only the athlete is rotated.  The athlete is cut out along the limbs if the sample has ``joints``,
    else by an ellipse in the box.

    Required keys: ``img`` (H, W, 3), ``rng``; ``box`` (4,) xyxy px of the crop (:class:`LoadBox`) or ``joints``
    (17, 2) px (:class:`LoadPose`); optional ``targets`` as for :class:`CropRotation`.
    Modified keys: ``img``, ``flow``, ``targets``; ``mask`` is removed.  Use before :class:`ResizedCrop`.

    Args:
        angle: Largest rotation to either side, degrees.
        prob: Probability.
        feather: Width of the soft edge of the ellipse, relative to its radius.
        spin: Largest angular speed to either side, degrees per frame; causes motion blur, and changes flow and targets.
        shutter: Exposure time as a share of the frame time.
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
        feather: float = 0.15,
        spin: float = 0.0,
        shutter: float = 0.5,
        ellipses: float = 0.0,
        wider: int = 0,
        targets: dict | None = None,
    ) -> None:
        self.angle = angle
        self.ellipses, self.wider = ellipses, wider
        self.targets = TASK_UTILS.build(targets) if targets else None
        self.prob = prob
        self.spin, self.shutter = spin, shutter
        self.feather = feather

    def transform(self, results: dict) -> dict:
        rng = results['rng']
        if rng.random() >= self.prob:
            return results
        height, width = results['img'].shape[:2]
        joints = results.get('joints')
        if joints is None or (self.ellipses and rng.random() < self.ellipses):
            box = np.asarray(results['box'], np.float32)
            middle, cut = (box[:2] + box[2:]) / 2, self.ellipse(box, (height, width))
        else:
            middle, cut = joints[[5, 6, 11, 12]].mean(axis=0), self.limbs(joints, (height, width))
            if self.wider and (more := int(rng.integers(self.wider + 1))):
                cut = cv2.dilate(cut, np.ones((2 * more + 1, 2 * more + 1), np.uint8))
        angle = rng.uniform(-self.angle, self.angle)
        spin = rng.uniform(-self.spin, self.spin) if self.spin else 0.0
        hole, shift = self.hole(cut, rng.random() < 0.5)
        center = [float(c) for c in middle - 0.5]

        def rotate(image: np.ndarray, degrees: float) -> np.ndarray:
            matrix = cv2.getRotationMatrix2D(center, degrees, 1)
            return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)

        def inpaint(image: np.ndarray) -> np.ndarray:
            return cv2.blendLinear(np.roll(image, shift, axis=1), image, hole, 1 - hole)

        # Premultiplied colors and alpha in one image, so that edges stay soft after rotation and blur.
        athlete = np.dstack([results['img'] * cut[..., None], 255 * cut]).round().astype(np.uint8)
        moments = angle + spin * self.shutter * _MOMENTS if spin else [angle]
        athlete = np.mean([rotate(athlete, degrees) for degrees in moments], axis=0, dtype=np.float32)
        background = inpaint(results['img']) * (1 - athlete[..., 3:] / 255)
        results['img'] = np.rint(athlete[..., :3] + background).clip(0, 255).astype(np.uint8)
        now, before = _turn(angle), _turn(angle - spin)
        if 'flow' in results:
            rotated = rotate(np.dstack([results['flow'] * cut[..., None], cut]), angle)
            flow, alpha = rotated[..., :2] @ before.T, rotated[..., 2:]
            if spin:
                x, y = (np.arange(n, dtype=np.float32) - c for n, c in zip((width, height), center))
                (a, b), (c, d) = np.eye(2, dtype=np.float32) - _turn(-spin)
                flow += alpha * np.dstack([a * x + b * y[:, None], c * x + d * y[:, None]])
            results['flow'] = flow + (1 - alpha) * inpaint(results['flow'])
        results.pop('mask', None)
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

    @staticmethod
    def hole(cut: np.ndarray, left: bool) -> tuple[np.ndarray, int]:
        """Return the dilated cut (H, W) to inpaint and the horizontal shift to its source, px."""
        wide = cv2.blur(cv2.dilate(cut, np.ones((7, 7), np.uint8)), (3, 3))
        columns = np.flatnonzero(wide.any(axis=0))
        shift = min(int(columns[-1] - columns[0]) + 1 if len(columns) else 0, cut.shape[1] // 2)
        return wide, -shift if left else shift

    def ellipse(self, box: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Return the soft mask (H, W) float32 of the ellipse in the box."""
        x, y = (np.arange(n, dtype=np.float32) + 0.5 for n in (shape[1], shape[0]))
        middle, radius = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], 2) / 2
        far = np.hypot((x - middle[0]) / radius[0], ((y - middle[1]) / radius[1])[:, None])
        return np.clip((1 + self.feather - far) / self.feather, 0, 1)

    def limbs(self, joints: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
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
