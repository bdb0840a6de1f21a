"""Turn the athlete and leave the place: who is upside down must not be read off the background."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ..errors import UserError
from ..registry import TASK_UTILS, TRANSFORMS
from ..structures import PoseSequence
from ..teacher import fill_unseen
from .crop_rotation import turn_targets

#: Pairs of COCO-17 joints between which the body is.
_LIMBS = (
    (5, 6), (11, 12), (5, 11), (6, 12), (5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16),
)  # fmt: skip

#: A spin's blur is the mean of these moments of the open shutter.
_MOMENTS = np.linspace(-0.5, 0.5, 4)


def _turn(degrees: float) -> np.ndarray:
    """(2, 2) of ``cv2.getRotationMatrix2D``: counter-clockwise on the screen, y down."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, s], [-s, c]], np.float32)


@TRANSFORMS.register_module()
class LoadBox(BaseTransform):
    """Where the athlete's box lies in the crop; a video's track is read once.

    Required keys: ``corpus``, ``store`` (CropStore), ``video``, ``frame``.
    Added key: ``box`` (4,) float32 xyxy px of the crop.

    Raises:
        UserError: the corpus has no track of the video, or no box in the frame.
    """

    def __init__(self) -> None:
        self._boxes: dict[str, dict[int, np.ndarray]] = {}

    def transform(self, results: dict) -> dict:
        video, frame = results['video'], results['frame']
        if video not in self._boxes:
            track, header = results['corpus'].track(video), results['store'].header(video)
            shared, rows, places = np.intersect1d(header.frame_inds, track.frame_inds, return_indices=True)
            windows = header.windows[rows].astype(np.float32)
            boxes = (track.boxes[places] - np.tile(windows[:, :2], 2)) * (header.size / windows[:, 2:])
            self._boxes[video] = dict(zip(shared.tolist(), boxes, strict=True))
        if frame not in self._boxes[video]:
            raise UserError(f'{results["corpus"].track_path(video)}: no box in frame {frame}, of which there is a crop')
        results['box'] = self._boxes[video][frame]
        return results


@TRANSFORMS.register_module()
class LoadPose(BaseTransform):
    """Where the teacher sees the athlete's joints in the crop; a video's poses are read once.

    Required keys: ``corpus``, ``store`` (CropStore), ``video``, ``frame``.
    Added keys: ``joints`` (17, 2) float32 px of the crop, COCO order; ``poses`` ((2, 17, 2) float32 px of the film,
    (2, 17) scores) of the frame and of the one before (itself where there is none), joints of score 0 filled in.

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
            raise UserError(f'{corpus.pose_path(self.poses, video)}: no pose in frame {frame}, which is trained on')
        window = header.windows[window_of[frame]].astype(np.float32)
        both = [row_of[frame], row_of.get(frame - 1, row_of[frame])]
        results['poses'] = poses.keypoints[both], poses.scores[both]
        results['joints'] = (poses.keypoints[both[0]] - window[:2]) * (header.size / window[2:])
        return results


@TRANSFORMS.register_module()
class AthleteRotation(BaseTransform):
    """Cut the athlete out of the crop, turn him with his flow and his 2D target, put him before the same place.

    Not in the paper.  :class:`CropRotation` turns the whole crop, and a student may learn to find "up" in the
    background, which in a real somersault stays as it is.  Here the athlete alone is turned: limbs about the teacher's
    joints where the sample has them (:class:`LoadPose`), else an ellipse in his box.  Where he was,
    the place is painted with what was beside him.

    Required keys: ``img`` (H, W, 3), ``rng``, ``box`` (4,) xyxy px of the crop (:class:`LoadBox`) or ``joints``
    (17, 2) px (:class:`LoadPose`); ``targets`` as for :class:`CropRotation`, when the sample has targets.  Modified
    keys: ``img``, ``flow``, ``targets``; ``mask`` is dropped.  Goes before :class:`ResizedCrop`.

    Args:
        angle: Largest turn to either side, degrees.
        prob: Share of the samples that are turned.
        feather: Width of the ellipse's soft edge, as a share of its radius.
        spin: Fastest spin to either side, degrees a frame: it blurs the athlete and is in flow and targets.
        shutter: Share of a frame's time that the shutter is open.
        ellipses: Share of the turned samples that are cut by the ellipse although joints are there; needs ``box``, too.
            A student that sees one kind of cut learns to see the cut.
        wider: Cuts along the limbs are made wider by up to so many px.
        targets: Makes the targets of turned poses where they are no 2D joints, for VI-VPD
            ``dict(type='TurnedVipe', ...)``; needs :class:`LoadPose`.

    Raises:
        UserError: the targets are not 2D joints, or not those that ``targets`` makes.
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
        centre = [float(c) for c in middle - 0.5]

        def turned(image: np.ndarray, by: float) -> np.ndarray:
            matrix = cv2.getRotationMatrix2D(centre, by, 1)
            return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)

        def emptied(place: np.ndarray) -> np.ndarray:
            beside = np.roll(place, shift, axis=1)
            return cv2.blendLinear(beside, place, hole, 1 - hole)

        # Colours times alpha, and alpha, in one picture: what is turned and blurred fades out with its edge.
        athlete = np.dstack([results['img'] * cut[..., None], 255 * cut]).round().astype(np.uint8)
        moments = angle + spin * self.shutter * _MOMENTS if spin else [angle]
        athlete = np.mean([turned(athlete, by) for by in moments], axis=0, dtype=np.float32)
        place = emptied(results['img']) * (1 - athlete[..., 3:] / 255)
        results['img'] = np.rint(athlete[..., :3] + place).clip(0, 255).astype(np.uint8)
        now, before = _turn(angle), _turn(angle - spin)
        if 'flow' in results:
            moved = turned(np.dstack([results['flow'] * cut[..., None], cut]), angle)
            flow, over = moved[..., :2] @ before.T, moved[..., 2:]
            if spin:
                x, y = (np.arange(n, dtype=np.float32) - c for n, c in zip((width, height), centre))
                (a, b), (c, d) = np.eye(2, dtype=np.float32) - _turn(-spin)
                flow += over * np.dstack([a * x + b * y[:, None], c * x + d * y[:, None]])
            results['flow'] = flow + (1 - over) * emptied(results['flow'])
        results.pop('mask', None)
        if 'targets' in results:
            results['targets'] = self._turned_targets(results, now, before)
        return results

    def _turned_targets(self, results: dict, now: np.ndarray, before: np.ndarray) -> np.ndarray:
        if self.targets is None:
            return turn_targets(results['targets'], now, before)
        if 'poses' not in results:
            raise UserError('AthleteRotation: targets are made of poses; LoadPose must come before it')
        dims, wanted = self.targets.dims, results['targets'].shape[1]
        if wanted not in (dims, 2 * dims):
            raise UserError(
                f'AthleteRotation: targets of turned poses have d={dims}, those of the teacher {wanted} numbers'
            )
        return self.targets(*results['poses'], (now, before), motion=wanted == 2 * dims)

    @staticmethod
    def hole(cut: np.ndarray, left: bool) -> tuple[np.ndarray, int]:
        """(H, W): where the place is painted, a little more than the athlete; from how many px beside it."""
        wide = cv2.blur(cv2.dilate(cut, np.ones((7, 7), np.uint8)), (3, 3))
        columns = np.flatnonzero(wide.any(axis=0))
        reach = int(columns[-1] - columns[0]) + 1 if len(columns) else 0
        shift = min(reach, cut.shape[1] // 2)
        return wide, -shift if left else shift

    def ellipse(self, box: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """(H, W) float32: 1 within the box's ellipse, 0 outside, soft at its edge."""
        x, y = (np.arange(n, dtype=np.float32) + 0.5 for n in (shape[1], shape[0]))
        middle, radius = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], 2) / 2
        far = np.hypot((x - middle[0]) / radius[0], ((y - middle[1]) / radius[1])[:, None])
        return np.clip((1 + self.feather - far) / self.feather, 0, 1)

    def limbs(self, joints: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """(H, W) float32: 1 about the limbs, trunk and head of (17, 2) joints, 0 elsewhere, soft at the edge."""
        shoulders, hips = joints[[5, 6]], joints[[11, 12]]
        # The trunk's length; seen along its axis it is short, then the hips' distance to the knees stands in.
        sizes = [
            np.linalg.norm(shoulders.mean(0) - hips.mean(0)),
            0.8 * np.linalg.norm(joints[[13, 14]] - hips, axis=1).max(),
        ]
        size = max(*sizes, 4.0)
        cut = np.zeros(shape, np.uint8)
        points = np.rint(joints * 8).astype(np.int32)
        for a, b in _LIMBS:
            cv2.line(cut, points[a].tolist(), points[b].tolist(), 255, max(2, round(0.36 * size)), cv2.LINE_8, 3)
        cv2.fillConvexPoly(cut, points[[5, 6, 12, 11]], 255, cv2.LINE_8, 3)
        head = np.rint(joints[:5].mean(axis=0) * 8).astype(np.int32).tolist()
        cv2.circle(cut, head, round(0.36 * size * 8), 255, -1, cv2.LINE_8, 3)
        return cv2.blur(cut, (3, 3)).astype(np.float32) / 255
