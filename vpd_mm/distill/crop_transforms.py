"""What happens to a crop and its flow on the way to the student (paper 3.2 and supplement).

Pictures are RGB uint8 (H, W, 3), flow is (u, v) in pixels of the crop, u to the
right, v down, float32 (H, W, 2).  Every random transform draws from
``results['rng']``, which depends on seed, epoch and draw alone, so a run gives
the same samples on one process or many, interrupted or not.
"""

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from ..errors import UserError
from ..registry import TRANSFORMS
from .crop_augmentation import TO_YIQ


@TRANSFORMS.register_module()
class LoadCrop(BaseTransform):
    """Decode the athlete's crop.

    Required keys: ``store`` (CropStore), ``video``, ``frame``.
    Added keys: ``img`` (H, W, 3) uint8 RGB; ``mask`` (H, W) bool, True on the
    athlete, where the store has one and ``with_mask``.

    Args:
        with_mask: Read the mask, for :class:`BackgroundNoise`.
    """

    def __init__(self, with_mask: bool = False) -> None:
        self.with_mask = with_mask

    def transform(self, results: dict) -> dict:
        store, video, frame = results['store'], results['video'], results['frame']
        results['img'] = store.crop(video, frame)
        if self.with_mask:
            mask = store.mask(video, frame)
            if mask is not None:
                results['mask'] = mask > 0
        return results


@TRANSFORMS.register_module()
class LoadFlow(BaseTransform):
    """Decode the flow from frame t-1 to t of the athlete's crop.

    Required keys: ``store``, ``video``, ``frame``.
    Added keys: ``flow`` (H, W, 2) float32 in pixels of the crop.
    """

    def transform(self, results: dict) -> dict:
        results['flow'] = results['store'].flow(results['video'], results['frame'])
        return results


@TRANSFORMS.register_module()
class ResizedCrop(BaseTransform):
    """Cut a random window and resize it; flow is resized and scaled with it.

    A window of w x h pixels that becomes S x S multiplies u by S / w, v by S / h.

    Required keys: ``img``, ``rng``.  Modified keys: ``img``, ``flow``, ``mask``, ``box``, ``joints``.

    Args:
        size: S, the side of the result.
        scale: Range of the window's area, relative to the picture; (1, 1) resizes only.
        ratio: Range of the window's width / height.
    """

    def __init__(
        self, size: int, scale: tuple[float, float] = (0.5, 1.0), ratio: tuple[float, float] = (0.9, 1.1)
    ) -> None:
        if size < 8 or not 0 < scale[0] <= scale[1] <= 1 or not 0 < ratio[0] <= ratio[1]:
            raise UserError(f'ResizedCrop: needs size >= 8, 0 < scale <= 1, ratio > 0; found {size}, {scale}, {ratio}')
        self.size = size
        self.scale = scale
        self.ratio = ratio

    def window(self, height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """(left, top, width, height) of a random window that lies in the picture."""
        if self.scale == (1.0, 1.0):
            return 0, 0, width, height
        area = height * width * rng.uniform(*self.scale)
        ratio = np.exp(rng.uniform(*np.log(self.ratio)))
        w = min(width, max(1, round(np.sqrt(area * ratio))))
        h = min(height, max(1, round(np.sqrt(area / ratio))))
        return int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1)), w, h

    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        left, top, w, h = self.window(height, width, results['rng'])
        if (w, h) == (self.size, self.size) == (width, height):
            return results
        cut = slice(top, top + h), slice(left, left + w)
        side = (self.size, self.size)
        results['img'] = cv2.resize(results['img'][cut], side, interpolation=cv2.INTER_LINEAR)
        if 'flow' in results:
            flow = cv2.resize(results['flow'][cut], side, interpolation=cv2.INTER_LINEAR)
            results['flow'] = cv2.multiply(flow, (self.size / w, self.size / h, 0, 0), dst=flow)
        if 'mask' in results:
            mask = cv2.resize(results['mask'][cut].astype(np.uint8), side, interpolation=cv2.INTER_NEAREST)
            results['mask'] = mask > 0
        factor = np.array([self.size / w, self.size / h], np.float32)
        for key in ('joints', 'box'):
            if key in results:
                moved = (results[key].reshape(-1, 2) - np.array([left, top], np.float32)) * factor
                results[key] = moved.reshape(results[key].shape)
        return results


_FROM_YIQ = np.linalg.inv(TO_YIQ)


@TRANSFORMS.register_module()
class CropColorJitter(BaseTransform):
    """Brightness, contrast, saturation and hue of the picture; flow is left alone.

    All four at once, an affine map of (R, G, B) as on the device (:class:`CropAugmentation`); it saturates once, at its
    end.

    Required keys: ``img``, ``rng``.  Modified keys: ``img``.

    Args:
        brightness: Factor drawn from 1 +- this; likewise contrast (about the mean green), saturation.
        hue: Turn drawn from +- this, in turns of the circle of (I, Q), from red over yellow to green.
    """

    def __init__(
        self, brightness: float = 0.2, contrast: float = 0.2, saturation: float = 0.05, hue: float = 0.05
    ) -> None:
        self.ranges = (brightness, contrast, saturation, hue)

    def transform(self, results: dict) -> dict:
        brightness, contrast, saturation, hue = results['rng'].uniform(-1, 1, 4) * self.ranges
        img = results['img']
        grey = cv2.mean(img)[1] * (1 + brightness)
        cos, sin = (1 + saturation) * np.cos(2 * np.pi * hue), (1 + saturation) * np.sin(2 * np.pi * hue)
        turn = np.array(((1, 0, 0), (0, cos, sin), (0, -sin, cos)))
        colors = np.empty((3, 4))
        colors[:, :3] = (1 + brightness) * (1 + contrast) * (_FROM_YIQ @ turn @ TO_YIQ)
        # what greys lose, whatever their hue and saturation
        colors[:, 3] = -grey * contrast
        results['img'] = cv2.transform(img, colors)
        return results


@TRANSFORMS.register_module()
class BackgroundNoise(BaseTransform):
    """Gaussian noise on what is not the athlete; without a mask nothing happens.

    Required keys: ``img``, ``rng``; ``mask``, or ``store``, ``video`` and
    ``frame``, from which it is read for the samples that get noise (then this
    comes before anything that moves the picture).  Modified keys: ``img``.
    (The published code adds the noise on the athlete: its mask is inverted.)

    Args:
        prob: Share of the samples that get noise.
        variance: Of the noise, for pictures in [0, 1].
    """

    #: Noise is cut from a fixed sheet at a random place: drawing it anew takes longer than decoding the crop.
    SHEET = 512

    def __init__(self, prob: float = 0.5, variance: float = 0.05) -> None:
        self.prob = prob
        sd = 255 * float(np.sqrt(variance))
        sheet = np.rint(np.random.default_rng(0).normal(0, sd, (self.SHEET, self.SHEET, 3)))
        self.above, self.below = (np.clip(part, 0, 255).astype(np.uint8) for part in (sheet, -sheet))

    def transform(self, results: dict) -> dict:
        rng = results['rng']
        if rng.random() >= self.prob:
            return results
        athlete = results.get('mask')
        if athlete is None and 'store' in results:
            athlete = results['store'].mask(results['video'], results['frame'])
        if athlete is None:
            return results
        img = results['img']
        h, w = img.shape[:2]
        if max(h, w) > self.SHEET:
            raise UserError(f'BackgroundNoise: crops may be at most {self.SHEET} pixels wide, found {w} x {h}')
        top, left = rng.integers(self.SHEET - h + 1), rng.integers(self.SHEET - w + 1)
        cut = slice(top, top + h), slice(left, left + w)
        noisy = cv2.subtract(cv2.add(img, self.above[cut]), self.below[cut])  # both saturate
        results['img'] = cv2.copyTo(img, athlete.astype(np.uint8), noisy)
        return results


@TRANSFORMS.register_module()
class ChiralFlip(BaseTransform):
    """Mirror the picture, and with it everything that has a left and a right.

    The picture and the mask are mirrored, flow is mirrored and its u negated,
    and the target becomes the teacher's row of the flipped view (paper 3.2):
    the teacher flips its 2D input, which for VIPE* is not a mirrored embedding.

    Required keys: ``img``, ``rng``; ``targets`` (2, D') when the sample has
    targets.  Modified keys: ``img``, ``flow``, ``mask``, ``view`` (0 as seen, 1 flipped).

    Args:
        prob: Share of the samples that are flipped.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        if self.prob < 1 and results['rng'].random() >= self.prob:
            return results
        if 'targets' in results and len(results['targets']) < 2:
            raise UserError(f'ChiralFlip: the teacher of {results["video"]} has no flipped view; extract it with V = 2')
        results['img'] = cv2.flip(results['img'], 1)
        if 'flow' in results:
            flow = cv2.flip(results['flow'], 1)
            results['flow'] = cv2.multiply(flow, (-1, 1, 0, 0), dst=flow)
        if 'mask' in results:
            results['mask'] = results['mask'][:, ::-1]
        results['view'] = 1 - results.get('view', 0)
        return results


@TRANSFORMS.register_module()
class StackFlow(BaseTransform):
    """Stack picture and flow to the student's input.

    Required keys: ``img``; ``flow`` unless ``with_flow`` is off.
    Added keys: ``inputs`` (5, H, W) float16: R, G, B in 0..255, u, v in pixels;
    (3, H, W) without flow.  The data preprocessor normalises on the device.
    """

    def __init__(self, with_flow: bool = True) -> None:
        self.with_flow = with_flow

    def transform(self, results: dict) -> dict:
        img = torch.from_numpy(results['img'])
        h, w = img.shape[:2]
        inputs = torch.empty((5 if self.with_flow else 3, h, w), dtype=torch.float16)
        inputs[:3] = img.permute(2, 0, 1)
        if self.with_flow:
            inputs[3:] = torch.from_numpy(results['flow']).permute(2, 0, 1)
        results['inputs'] = inputs
        return results


@TRANSFORMS.register_module()
class PackCropInputs(BaseTransform):
    """Keep what the model needs.

    Required keys: ``inputs``, ``index``; ``targets`` (V, D') and ``score`` when there are targets.
    Returned keys: ``inputs`` tensor, ``data_samples`` dict of ``index``,
    ``draw``, and with targets ``target`` (D',) float32 (the row of the view),
    ``flipped_target`` (that of the other view), ``score``, and ``truth`` where there is one.
    """

    def transform(self, results: dict) -> dict:
        sample = {'index': results['index'], 'draw': results.get('draw', 0)}
        if 'targets' in results:
            view = results.get('view', 0)
            sample['target'] = torch.from_numpy(results['targets'][view])
            sample['flipped_target'] = torch.from_numpy(results['targets'][-1 if view == 0 else 0])
            sample['score'] = float(results['score'])
        if 'truth' in results:
            sample['truth'] = torch.from_numpy(results['truth'])
        return {'inputs': results['inputs'], 'data_samples': sample}
