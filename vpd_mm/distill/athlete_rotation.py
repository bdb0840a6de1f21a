"""Turn the athlete and leave the place: who is upside down must not be read off the background."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ..errors import UserError
from ..registry import TRANSFORMS
from .crop_rotation import turn_targets


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
class AthleteRotation(BaseTransform):
    """Cut the athlete out of the crop, turn him with his flow and his 2D target, put him before the same place.

    Not in the paper.  :class:`CropRotation` turns the whole crop, and a student may learn to find "up" in the
    background, which in a real somersault stays as it is.  Here an ellipse in the athlete's box is turned; behind it
    comes the crop itself, moved sideways by half its width, so that the middle shows what was beside the athlete.

    Required keys: ``img`` (H, W, 3), ``rng``, ``box`` (4,) xyxy px of the crop (:class:`LoadBox`); ``targets`` as for
    :class:`CropRotation`, when the sample has targets.  Modified keys: ``img``, ``flow``, ``targets``; ``mask`` is
    dropped.  Goes before :class:`ResizedCrop`.

    Args:
        angle: Largest turn to either side, degrees.
        prob: Share of the samples that are turned.
        feather: Width of the ellipse's soft edge, as a share of its radius.

    Raises:
        UserError: the targets are not 2D joints.
    """

    def __init__(self, angle: float = 180.0, prob: float = 0.6, feather: float = 0.15) -> None:
        self.angle = angle
        self.prob = prob
        self.feather = feather

    def transform(self, results: dict) -> dict:
        rng = results['rng']
        if rng.random() >= self.prob:
            return results
        height, width = results['img'].shape[:2]
        box = np.asarray(results['box'], np.float32)
        middle = (box[:2] + box[2:]) / 2
        matrix = cv2.getRotationMatrix2D([float(c) for c in middle - 0.5], rng.uniform(-self.angle, self.angle), 1)
        turn = matrix[:, :2].astype(np.float32)

        def turned(image: np.ndarray) -> np.ndarray:
            return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)

        cut = turned(self.ellipse(box, (height, width)))[..., None]

        def compose(athlete: np.ndarray, place: np.ndarray) -> np.ndarray:
            return cut * athlete + (1 - cut) * np.roll(place, width // 2, axis=1)

        img = compose(turned(results['img']), results['img'])
        results['img'] = np.rint(img).clip(0, 255).astype(np.uint8)
        if 'flow' in results:
            results['flow'] = compose(turned(results['flow']) @ turn.T, results['flow']).astype(np.float32)
        results.pop('mask', None)
        if 'targets' in results:
            results['targets'] = turn_targets(results['targets'], turn)
        return results

    def ellipse(self, box: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """(H, W) float32: 1 within the box's ellipse, 0 outside, soft at its edge."""
        x, y = (np.arange(n, dtype=np.float32) + 0.5 for n in (shape[1], shape[0]))
        middle, radius = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], 2) / 2
        far = np.hypot((x - middle[0]) / radius[0], ((y - middle[1]) / radius[1])[:, None])
        return np.clip((1 + self.feather - far) / self.feather, 0, 1)
