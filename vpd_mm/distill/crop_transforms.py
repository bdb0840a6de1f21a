"""Transforms of crops and their flow (paper 3.2 and supplement).

Images are RGB uint8 (H, W, 3).  Flow (H, W, 2) is (u, v), u to the right, v down: uint8 codes as they are stored, with
``flow_scale`` (px of a step of u and of v; code 128 is 0), or float32 px of the crop without ``flow_scale``.  Random
transforms draw from ``results['rng']``, which depends on seed, epoch and draw only, so that runs are reproducible on
any number of processes.
"""

from collections.abc import Sequence
from math import cos, exp, log, sin, sqrt, tau

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from ..corpus.crop_codec import FLOW_ZERO
from ..errors import UserError
from ..registry import TRANSFORMS
from ..structures import AthleteTrack, PoseSequence, rows_of
from ..teacher import fill_unseen

#: RGB to YIQ; a change of hue is a rotation of (I, Q).
_TO_YIQ = np.array(((0.299, 0.587, 0.114), (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)))
#: Affine maps (3, 4) of (R, G, B), flat, that the jitter adds up: grey of a colour, its chroma, its chroma turned by 90
#: degrees.
_GREY_AND_CHROMA = np.stack(
    [
        np.pad(np.linalg.inv(_TO_YIQ) @ turn @ _TO_YIQ, ((0, 0), (0, 1))).ravel()
        for turn in np.array([np.diag([1, 0, 0]), np.diag([0, 1, 1]), [(0, 0, 0), (0, 0, 1), (0, -1, 0)]])
    ]
)


@TRANSFORMS.register_module()
class LoadCrop(BaseTransform):
    """Load the crop of the athlete.

    Required keys: ``store`` (CropStore), ``video``, ``frame``.  Added keys: ``img`` (H, W, 3) uint8 RGB.
    """

    def transform(self, results: dict) -> dict:
        results['img'] = results['store'].crop(results['video'], results['frame'])
        return results


@TRANSFORMS.register_module()
class LoadFlow(BaseTransform):
    """Load the flow from frame t-1 to t.

    Required keys: ``store``, ``video``, ``frame``.  Added keys: ``flow`` (H, W, 2) uint8, ``flow_scale`` (2,).
    """

    def transform(self, results: dict) -> dict:
        results['flow'], step = results['store'].flow_code(results['video'], results['frame'])
        results['flow_scale'] = step, step
        return results


def flow_to_px(results: dict) -> None:
    """Convert codes of flow to float32 px of the crop, for transforms that compute with both components."""
    if 'flow_scale' in results:
        results['flow'] = (results['flow'].astype(np.float32) - FLOW_ZERO) * np.float32(results.pop('flow_scale'))


def scale_flow(results: dict, u: float, v: float) -> None:
    """Multiply u and v of the flow, or the scale of its codes."""
    if 'flow_scale' in results:
        of_u, of_v = results['flow_scale']
        results['flow_scale'] = of_u * u, of_v * v
    else:
        results['flow'] = results['flow'] * np.array((u, v), np.float32)


def _to_crop(points: np.ndarray, results: dict) -> np.ndarray:
    """Convert points (..., 2) from px of the video to px of the crop."""
    header = results['store'].header(results['video'])
    window = header.windows[np.searchsorted(header.frame_inds, results['frame'])].astype(np.float32)
    return (points - window[:2]) * (header.size / window[2:])


@TRANSFORMS.register_module()
class LoadBox(BaseTransform):
    """Load the box of the athlete; tracks are cached.

    Required keys: ``corpus``, ``store``, ``video``, ``frame``.
    Added keys: ``box`` (4,) float32 xyxy, px of the crop.

    Raises:
        UserError: the corpus has no track of the video, or no box in the frame.
    """

    def __init__(self) -> None:
        self._tracks: dict[str, AthleteTrack] = {}

    def transform(self, results: dict) -> dict:
        corpus, video, frame = results['corpus'], results['video'], results['frame']
        if video not in self._tracks:
            self._tracks[video] = corpus.track(video)
        track = self._tracks[video]
        (row,) = rows_of(track.frame_inds, [frame])
        if row < 0:
            raise UserError(f'{corpus.track_path(video)}: no box in frame {frame}, which has a crop')
        results['box'] = _to_crop(track.boxes[row].reshape(2, 2), results).reshape(4)
        return results


@TRANSFORMS.register_module()
class LoadPose(BaseTransform):
    """Load the pose of the athlete; pose files are cached.

    Required keys: ``corpus``, ``store``, ``video``, ``frame``.
    Added keys: ``joints`` (17, 2) float32, px of the crop, COCO order; ``poses``, a pair of keypoints (2, 17, 2)
    float32, px of the video, and scores (2, 17) of frames t and t-1 (t if it has none), joints of score 0 filled in.
    The argument ``poses`` is the name of the pose set (``athlete/poses/<name>``); None: the only one of the corpus.

    Raises:
        UserError: the corpus has no such poses of the video, or none in the frame, or several sets and no name.
    """

    def __init__(self, poses: str | None = None) -> None:
        self.poses = poses
        self._sequences: dict[str, PoseSequence] = {}

    def transform(self, results: dict) -> dict:
        corpus, video, frame = results['corpus'], results['video'], results['frame']
        self.poses = self.poses or corpus.only_poses('; name one in LoadPose of the config')
        if video not in self._sequences:
            self._sequences[video] = fill_unseen(corpus.poses(self.poses, video))
        sequence = self._sequences[video]
        now, before = rows_of(sequence.frame_inds, [frame, frame - 1])
        if now < 0:
            raise UserError(f'{corpus.pose_path(self.poses, video)}: no pose in frame {frame} of the samples')
        both = [now, before if before >= 0 else now]
        results['poses'] = sequence.keypoints[both], sequence.scores[both]
        results['joints'] = _to_crop(sequence.keypoints[now], results)
        return results


@TRANSFORMS.register_module()
class ResizedCrop(BaseTransform):
    """Crop a random window and resize it; flow is resized and scaled by size / window size.

    Required keys: ``img``, ``rng``.  Modified keys: ``img``, ``flow``, ``box``, ``joints``.

    Args:
        size: Side of the result, px.
        scale: Range of the area of the window relative to the image; (1, 1) only resizes.
        ratio: Range of width / height of the window.
    """

    def __init__(
        self, size: int, scale: tuple[float, float] = (0.5, 1.0), ratio: tuple[float, float] = (0.9, 1.1)
    ) -> None:
        if size < 8 or not 0 < scale[0] <= scale[1] <= 1 or not 0 < ratio[0] <= ratio[1]:
            raise UserError(f'ResizedCrop: needs size >= 8, 0 < scale <= 1, ratio > 0; found {size}, {scale}, {ratio}')
        self.size, self.scale, self.ratio = size, (scale[0], scale[1]), ratio
        self._log_ratio = log(ratio[0]), log(ratio[1])

    def window(self, height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Draw a window (left, top, width, height) inside the image."""
        if self.scale == (1.0, 1.0):
            return 0, 0, width, height
        (smallest, largest), (lowest, highest) = self.scale, self._log_ratio
        area = height * width * (smallest + (largest - smallest) * rng.random())
        ratio = exp(lowest + (highest - lowest) * rng.random())
        w = min(width, max(1, round(sqrt(area * ratio))))
        h = min(height, max(1, round(sqrt(area / ratio))))
        return int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1)), w, h

    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        left, top, w, h = self.window(height, width, results['rng'])
        if (w, h) == (self.size, self.size) == (width, height):
            return results
        rows, columns, side = slice(top, top + h), slice(left, left + w), (self.size, self.size)
        results['img'] = cv2.resize(results['img'][rows, columns], side)
        if 'flow' in results:
            flow = results['flow']
            planes = np.empty((2, *side), flow.dtype)
            for channel in (0, 1):
                cv2.resize(flow[rows, columns, channel], side, planes[channel])
            results['flow'] = planes.transpose(1, 2, 0)
            scale_flow(results, self.size / w, self.size / h)
        for key in ('joints', 'box'):
            if key in results:
                factor = np.array([self.size / w, self.size / h], np.float32)
                moved = (results[key].reshape(-1, 2) - np.array([left, top], np.float32)) * factor
                results[key] = moved.reshape(results[key].shape)
        return results


@TRANSFORMS.register_module()
class CropColorJitter(BaseTransform):
    """Change brightness, contrast, saturation and hue of the image in one affine map of (R, G, B); flow is unchanged.

    Required keys: ``img``, ``rng``.  Modified keys: ``img``.

    Args:
        brightness, contrast, saturation: Factors are drawn from 1 +- this; contrast is about the mean green.
        hue: Rotation of (I, Q) is drawn from +- this, in full turns.
    """

    def __init__(
        self, brightness: float = 0.2, contrast: float = 0.2, saturation: float = 0.05, hue: float = 0.05
    ) -> None:
        self.ranges = np.array((brightness, contrast, saturation, hue))

    def matrix(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the map (3, 4) of (R, G, B, mean green) to (R, G, B)."""
        brightness, contrast, saturation, hue = (rng.uniform(-1, 1, 4) * self.ranges).tolist()
        gain = (1 + brightness) * (1 + contrast)
        chroma = gain * (1 + saturation)
        matrix = np.dot((gain, chroma * cos(tau * hue), chroma * sin(tau * hue)), _GREY_AND_CHROMA).reshape(3, 4)
        matrix[:, 3] = -contrast * (1 + brightness)
        return matrix

    def transform(self, results: dict) -> dict:
        img, matrix = results['img'], self.matrix(results['rng'])
        matrix[:, 3] *= cv2.mean(cv2.extractChannel(img, 1))[0]
        results['img'] = cv2.transform(img, matrix)
        return results


@TRANSFORMS.register_module()
class BackgroundNoise(BaseTransform):
    """Add Gaussian noise to the background; an image without a stored mask is unchanged.

    The published code inverts the mask and adds the noise to the athlete.  Use before geometric transforms.

    Required keys: ``img``, ``rng``, ``store``, ``video``, ``frame``.  Modified keys: ``img``.

    ``variance`` is that of the noise for normalized images, ``std`` the R, G, B of :class:`CropPreprocessor`.
    """

    #: Noise is cropped from a fixed sheet at a random position, because drawing it takes longer than decoding the crop.
    SHEET = 512

    def __init__(
        self, prob: float = 0.5, variance: float = 0.05, std: Sequence[float] = (58.395, 57.12, 57.375)
    ) -> None:
        self.prob = prob
        #: Standard deviation of the noise of R, G, B.
        self.sd = np.sqrt(variance) * np.array(std)
        #: (3, SHEET, SHEET) int16, the noise.
        self.sheet = np.rint(self.sd * self.unit_sheet()).astype(np.int16).transpose(2, 0, 1).copy()

    @classmethod
    def unit_sheet(cls) -> np.ndarray:
        """Return the sheet (SHEET, SHEET, 3) of standard deviation 1."""
        return np.random.default_rng(0).standard_normal((cls.SHEET, cls.SHEET, 3))

    def place(self, results: dict, h: int, w: int) -> tuple[np.ndarray, int, int] | None:
        """Draw the place (mask of the athlete, top, left) of the noise of an image of h x w; None: no noise."""
        rng = results['rng']
        if rng.random() >= self.prob:
            return None
        mask = results['store'].mask(results['video'], results['frame'])
        if mask is None:
            return None
        if mask.shape != (h, w):
            raise UserError('BackgroundNoise: use it before ResizedCrop, as the mask is that of the whole crop')
        if max(h, w) > self.SHEET:
            raise UserError(f'BackgroundNoise: crops may be at most {self.SHEET} pixels wide, found {w} x {h}')
        return mask, int(rng.integers(self.SHEET - h + 1)), int(rng.integers(self.SHEET - w + 1))

    def transform(self, results: dict) -> dict:
        img = results['img']
        h, w = img.shape[:2]
        if (place := self.place(results, h, w)) is None:
            return results
        mask, top, left = place
        noise = self.sheet[:, top : top + h, left : left + w].transpose(1, 2, 0)
        results['img'] = np.where(mask[..., None], img, np.clip(img + noise, 0, 255)).astype(np.uint8)
        return results


@TRANSFORMS.register_module()
class ChiralFlip(BaseTransform):
    """Mirror image and flow, negate u, and select the teacher's target of the flipped view (paper 3.2).

    Required keys: ``img``, ``rng``; optional ``targets`` (2, D').
    Modified keys: ``img``, ``flow`` (mirrored views of the arrays), ``view`` (0 original, 1 flipped).

    A teacher without a flipped view raises UserError.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def flips(self, results: dict) -> bool:
        """Draw whether the sample is flipped, and select its view."""
        if self.prob < 1 and results['rng'].random() >= self.prob:
            return False
        if 'targets' in results and len(results['targets']) < 2:
            raise UserError(f'ChiralFlip: the teacher of {results["video"]} has no flipped view; extract it with V = 2')
        results['view'] = 1 - results.get('view', 0)
        return True

    def transform(self, results: dict) -> dict:
        if not self.flips(results):
            return results
        results['img'] = results['img'][:, ::-1]
        if 'flow' in results:
            results['flow'] = results['flow'][:, ::-1]
            scale_flow(results, -1, 1)
        return results


@TRANSFORMS.register_module()
class StackFlow(BaseTransform):
    """Stack image and flow to the input of the student, which the data preprocessor normalizes.

    Required keys: ``img``; ``flow`` unless ``with_flow`` is False.
    Added keys: ``inputs`` (5, H, W), (3, H, W) without flow: R, G, B in 0..255, u, v; uint8 where image and flow are,
    else float16 with flow in px.
    """

    def __init__(self, with_flow: bool = True) -> None:
        self.with_flow = with_flow

    def transform(self, results: dict) -> dict:
        if results['img'].dtype != np.uint8:
            flow_to_px(results)
        img, flow = results['img'], results['flow'] if self.with_flow else np.zeros((0, 0, 0), np.uint8)
        coded = img.dtype == flow.dtype == np.uint8
        inputs = np.empty((3 + flow.shape[2], *img.shape[:2]), np.uint8 if coded else np.float16)
        inputs[:3] = img.transpose(2, 0, 1)
        if self.with_flow:
            inputs[3:] = flow.transpose(2, 0, 1)
        results['inputs'] = torch.from_numpy(inputs)
        return results


@TRANSFORMS.register_module()
class PackCropInputs(BaseTransform):
    """Pack the model inputs and the targets of the view.

    Required keys: ``inputs``, ``index``; optional ``targets`` (V, D') with ``score``, ``ground_truth``.
    Returned keys: ``inputs``; ``data_samples`` dict of ``index``, and as far as given ``target`` (D',) float32,
    ``score``, ``ground_truth`` (26,), and ``flow_scale`` (2,) float32 with uint8 ``inputs``.
    """

    def transform(self, results: dict) -> dict:
        sample = {'index': results['index']}
        if 'flow_scale' in results and getattr(results['inputs'], 'dtype', torch.uint8) == torch.uint8:
            sample['flow_scale'] = np.array(results['flow_scale'], np.float32)
        if 'targets' in results:
            sample['target'] = results['targets'][results.get('view', 0)]
            sample['score'] = float(results['score'])
        if 'ground_truth' in results:
            sample['ground_truth'] = results['ground_truth']
        return {'inputs': results['inputs'], 'data_samples': sample}
