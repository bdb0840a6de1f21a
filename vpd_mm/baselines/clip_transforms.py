"""Load and flip clips of crops, flow and frames within mmaction2's pipelines."""

import numpy as np
from mmcv.transforms import BaseTransform

from ..registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadClip(BaseTransform):
    """Read the sampled frames of a clip of ``CropClipDataset``; replaces mmaction2's decoding.

    Required keys: ``frame_inds`` (N,) within the clip, those of the data set.  Added: ``imgs``, a list of N images:
    (H, W, 3) uint8 RGB, or for flow (S, S, 2 ``flow_stack``) float32, u and v of that frame and the next ones in px
    of the crop (the last frame of the clip is repeated); ``img_shape``, ``original_shape``, ``is_flow``.  Modified:
    ``modality`` becomes 'RGB', as flow has its channels last (for 'Flow' mmaction2 expects single-channel images).
    """

    def __init__(self, flow_stack: int = 5) -> None:
        self.flow_stack = flow_stack

    def transform(self, results: dict) -> dict:
        results['is_flow'] = results['modality'] == 'Flow'
        step = self.flow_stack if results['is_flow'] else 1
        inds = np.reshape(results['frame_inds'], (-1, 1)) + np.arange(step)
        frames = results['clip_frames'][np.minimum(inds, results['total_frames'] - 1).ravel()]
        images = results['source'].read(results['video_info'], frames)
        if results['is_flow']:
            images = [np.concatenate(images[i : i + step], axis=2) for i in range(0, len(images), step)]
        results['imgs'] = images
        results['modality'] = 'RGB'
        results['img_shape'] = results['original_shape'] = images[0].shape[:2]
        return results


@TRANSFORMS.register_module()
class ClipFlip(BaseTransform):
    """Flip a clip horizontally with probability ``prob``; u of flow is negated.

    Required keys: ``imgs`` as :class:`LoadClip` gives them, ``is_flow``, ``rng``.  Modified: ``imgs``.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        if results['rng'].random() < self.prob:
            results['imgs'] = [np.ascontiguousarray(img[:, ::-1]) for img in results['imgs']]
            if results['is_flow']:
                for img in results['imgs']:
                    img[..., ::2] *= -1
        return results
