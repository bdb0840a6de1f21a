"""Input of several frames (not in the paper)."""

from collections.abc import Sequence

import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose

from ..registry import TRANSFORMS
from ..structures import rows_of


@TRANSFORMS.register_module()
class NeighborFrames(BaseTransform):
    """Apply transforms to frame t and, with the same random numbers, to its neighbors; stack their inputs.

    A neighbor without a crop, or on the other side of a camera cut, is replaced by frame t.  The student needs
    ``in_channels=5 F`` for F frames.

    Required keys: ``store``, ``video``, ``frame``, ``rng``.
    Added keys: those of the transforms for frame t; ``inputs`` is (5 F, H, W), R, G, B, u, v of frame t first.

    Args:
        transforms: Up to :class:`StackFlow`, with flow.
        offsets: Of the neighbors from t, frames.

    Example:
        >>> three = NeighborFrames([dict(type='LoadCrop'), dict(type='LoadFlow'), dict(type='StackFlow')])
        >>> three({'store': store, 'video': 'wall_flip', 'frame': 9, 'rng': None})['inputs'].shape
        torch.Size([15, 128, 128])
    """

    def __init__(self, transforms: Sequence[dict], offsets: Sequence[int] = (-1, 1)) -> None:
        self.transforms, self.offsets = Compose(list(transforms)), tuple(offsets)

    def transform(self, results: dict) -> dict:
        given, frame, rng = dict(results), results['frame'], results['rng']
        header, state = results['store'].header(results['video']), rng and rng.bit_generator.state
        results = self.transforms(results)
        inputs = [results['inputs']]
        for other in (frame + offset for offset in self.offsets):
            first, last = sorted((frame, other))
            is_cut = ((first < header.starts) & (header.starts <= last)).any()
            if is_cut or rows_of(header.frame_inds, [other])[0] < 0:
                inputs.append(inputs[0])
                continue
            if rng:
                rng.bit_generator.state = state
            inputs.append(self.transforms({**given, 'frame': other})['inputs'])
        results['inputs'] = torch.cat(inputs)
        return results
