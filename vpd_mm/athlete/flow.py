"""Optical flow between two crops."""

import os
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..compat import load_checkpoint_safely
from ..errors import UserError
from ..files.download import DownloadError

METHODS = ('dis', 'farneback', 'raft', 'none')

Pair = Callable[[np.ndarray, np.ndarray], np.ndarray]


class FlowEstimator:
    """Estimate the flow from the previous crop to the current one, clipped to 20 px.

    u > 0 is motion to the right, v > 0 is motion down, in px of the given crops.

    Args:
        method: ``dis`` (OpenCV, dense inverse search at half resolution, 0.7 ms per 128x128 crop), ``farneback``
            (OpenCV), ``raft`` (torchvision) or ``none``.
        subtract_median: Subtract the median u and v (camera motion) before clipping.
        checkpoint: raft: state_dict of torchvision's raft_small or raft_large; default: torchvision's raft_small
            weights are downloaded.
        device: raft: 'auto' (GPU if there is one), 'cpu', 'cuda', ...

    Raises UserError: an option is invalid, or the weights cannot be loaded.

    Example:
        >>> import numpy as np
        >>> crop = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
        >>> FlowEstimator('dis')(crop, crop).shape
        (128, 128, 2)
    """

    #: Largest absolute u and v, px (paper, section 3.2).
    clip = 20.0

    def __init__(
        self,
        method: str = 'dis',
        subtract_median: bool = False,
        checkpoint: str | os.PathLike | None = None,
        device: str = 'auto',
    ) -> None:
        if method not in METHODS:
            raise UserError(f'flow method must be one of {", ".join(METHODS)}, found {method!r}')
        if checkpoint is not None and method != 'raft':
            raise UserError(f'a flow checkpoint goes with raft, not with {method}; drop it or choose raft')
        self.method, self.subtract_median = method, subtract_median
        self._pair: Pair | None = None
        if method != 'none':
            self._pair = _raft(checkpoint, device) if method == 'raft' else _opencv(method)

    @property
    def settings(self) -> dict | None:
        """Settings that a crop header stores; None for ``none``."""
        return flow_settings(self.method, self.subtract_median)

    def __call__(self, previous: np.ndarray | None, current: np.ndarray) -> np.ndarray | None:
        """Return (H, W, 2) float32 (u, v) at every pixel of ``previous``; None for method ``none``.

        The crops (H, W, 3) uint8 RGB of frames t-1 and t have the same window; without ``previous`` the flow is zero.
        """
        if self._pair is None:
            return None
        if previous is None:
            return np.zeros((*current.shape[:2], 2), np.float32)
        flow = self._pair(previous, current)
        if self.subtract_median:
            flow = flow - np.median(flow, axis=(0, 1))
        return np.clip(flow, -self.clip, self.clip)


def flow_settings(method: str, subtract_median: bool) -> dict | None:
    """Return the settings that a crop header stores; None for ``none``."""
    flow = {'method': method, 'clip': FlowEstimator.clip, 'subtract_median': subtract_median}
    return None if method == 'none' else flow


def _opencv(method: str) -> Pair:
    if method == 'farneback':
        algorithm: Any = cv2.FarnebackOpticalFlow.create(
            numLevels=3, pyrScale=0.5, fastPyramids=False, winSize=15, numIters=3, polyN=5, polySigma=1.2, flags=0
        )
    else:
        # OpenCV's fast presets stop at quarter resolution, which is no better than zero flow on real 128 px crops, and
        # medium takes 2 ms.  Finest scale 1 without variational refinement is as accurate in a third of the time.
        algorithm = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        algorithm.setFinestScale(1)
        algorithm.setGradientDescentIterations(25)
        algorithm.setVariationalRefinementIterations(0)

    def pair(previous: np.ndarray, current: np.ndarray) -> np.ndarray:
        grey = (cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for rgb in (previous, current))
        return algorithm.calc(*grey, None)

    return pair


def _raft(checkpoint: str | os.PathLike | None, device: str) -> Pair:
    import torch

    from ..engine.model_zoo import pick_device  # imports torch

    device = pick_device(device)
    model = _raft_model(checkpoint).eval().to(device)

    def pair(previous: np.ndarray, current: np.ndarray) -> np.ndarray:
        height, width = current.shape[:2]
        if height % 8 or width % 8 or min(height, width) < 128:
            raise UserError(f'raft needs crops of at least 128 px, a multiple of 8, found {width}x{height}; set --size')
        images = torch.from_numpy(np.stack((previous, current))).to(device).permute(0, 3, 1, 2)
        images = images.float() / 127.5 - 1
        with torch.inference_mode():
            flow = model(images[:1], images[1:])[-1][0]
        return flow.permute(1, 2, 0).float().cpu().numpy()

    return pair


def _raft_model(checkpoint: str | os.PathLike | None):
    from torchvision.models.optical_flow import Raft_Small_Weights, raft_large, raft_small

    if checkpoint is None:
        from ..engine.checkpoint_download import fetch_weights  # imports torch

        try:
            checkpoint = fetch_weights(Raft_Small_Weights.DEFAULT.url)
        except DownloadError as e:
            hint = 'pass a state_dict of torchvision raft_small or raft_large as --flow-checkpoint, or use --flow dis'
            raise UserError(f'flow raft: {e}; {hint}') from e
    state = load_checkpoint_safely(str(checkpoint))
    for model in (raft_small(), raft_large()):
        if isinstance(state, dict) and state.keys() == model.state_dict().keys():
            model.load_state_dict(state)
            return model
    raise UserError(f'{checkpoint}: not a state_dict of torchvision raft_small or raft_large')
