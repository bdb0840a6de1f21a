"""Features of a clip network (R3D, MC3, R(2+1)D) around each frame (paper, Table 4)."""

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor, nn

from ..corpus import CropStore
from ..errors import UserError
from ..structures import FeatureSequence
from .crop_clip_dataset import clip_frames

LOGGER = logging.getLogger(__name__)
#: Names in torchvision.
NETWORKS = ('r2plus1d_18', 'r3d_18', 'mc3_18')
#: Used as checkpoint: an untrained network, whose features must have the word in their name.
RANDOM = 'random'
#: Normalisation of torchvision's weights for Kinetics-400.
_MEAN, _SD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)


class ClipFeatureExtractor:
    """Run a clip network of torchvision over the crops of a video, original and flipped view.

    The feature of frame t is the pooled output (D = 512) on the ``clip_len``
    frames from t - clip_len / 2; the nearest crop replaces a missing one.

    Args:
        network: One of ``NETWORKS``.
        checkpoint: Path or URL of a state dict (plain or under 'state_dict';
            the classifier is ignored), or 'random'.
        device: Where the network runs.
        clip_len: Frames of a clip.
        stride: Frames between features; readers interpolate.
        size: Side of the input, px.
        batch_size: Clips in a batch, each with two views.
        half: Half precision (autocast), for GPUs.

    Raises:
        UserError: unknown network or checkpoint, or a checkpoint of another network.
    """

    dims = 512

    def __init__(
        self,
        network: str,
        checkpoint: str | os.PathLike,
        device: str = 'cpu',
        clip_len: int = 16,
        stride: int = 4,
        size: int = 112,
        batch_size: int = 8,
        half: bool = False,
    ) -> None:
        self.network = build_clip_network(network, checkpoint).to(device).eval()
        self.device = torch.device(device)
        self.clip_len, self.stride, self.size = clip_len, stride, size
        self.batch_size, self.half = batch_size, half

    def extract(self, store: CropStore, video: str) -> FeatureSequence:
        """Features (T, 2, 512) of every ``stride``-th frame of ``video`` that has a crop; scores are 1."""
        available = np.asarray(store.header(video).frame_inds, np.int64)
        centres = available[:: self.stride]
        feats = [self._forward(clips) for clips in self._clips(store, video, available, centres)]
        joined = np.concatenate(feats) if feats else np.zeros((0, 2, self.dims), np.float32)
        if not np.isfinite(joined).all():
            raise UserError(f'{video}: the clip network gives NaN; its checkpoint is damaged')
        return FeatureSequence(centres, joined, np.ones(len(centres), np.float32))

    def extract_all(self, store: CropStore, videos: Iterable[str]) -> Iterator[tuple[str, FeatureSequence]]:
        """Pairs of a video and its features."""
        for video in videos:
            yield video, self.extract(store, video)

    def _clips(self, store: CropStore, video: str, available: np.ndarray, centres: np.ndarray) -> Iterator[Tensor]:
        """Batches (N, 3, clip_len, size, size), normalised; a frame is decoded once a batch."""
        for start in range(0, len(centres), self.batch_size):
            first = centres[start : start + self.batch_size, None] - self.clip_len // 2
            wanted = np.clip(first + np.arange(self.clip_len), available[0], available[-1])
            nearest = [clip_frames(available, row) for row in wanted.astype(np.float64)]
            frames = [row.tolist() for row in nearest if row is not None]  # each has its centre at least
            crops = {i: self._crop(store, video, i) for i in {i for row in frames for i in row}}
            clips = np.stack([[crops[i] for i in row] for row in frames])
            scaled = (torch.from_numpy(clips).float() / 255 - torch.tensor(_MEAN)) / torch.tensor(_SD)
            yield scaled.permute(0, 4, 1, 2, 3)

    def _crop(self, store: CropStore, video: str, frame: int) -> np.ndarray:
        return cv2.resize(store.crop(video, frame), (self.size, self.size), interpolation=cv2.INTER_AREA)

    @torch.inference_mode()
    def _forward(self, clips: Tensor) -> np.ndarray:
        views = torch.cat([clips, clips.flip(-1)]).to(self.device)
        with torch.autocast(self.device.type) if self.half else nullcontext():
            feats = self.network(views)
        return feats.float().reshape(2, len(clips), -1).transpose(0, 1).cpu().numpy()


def build_clip_network(network: str, checkpoint: str | os.PathLike) -> nn.Module:
    """A clip network of torchvision without its classifier: (N, 3, T, H, W) to (N, 512)."""
    if network not in NETWORKS:
        raise UserError(f'clip network must be one of {", ".join(NETWORKS)}, found {network!r}')
    from torchvision.models import get_model

    net = get_model(network, weights=None)
    net.fc = nn.Identity()
    if str(checkpoint) == RANDOM:
        LOGGER.warning('%s: RANDOM WEIGHTS, untrained: good for trying the commands, not for results', network)
        return net
    state = _read_weights(str(checkpoint))
    try:
        net.load_state_dict({name: value for name, value in state.items() if not name.startswith('fc.')})
    except (RuntimeError, AttributeError) as e:
        detail = ' '.join(str(e).split())[:300]
        raise UserError(f'checkpoint {checkpoint}: is not of {network}: {detail}') from e
    return net


def _read_weights(checkpoint: str) -> dict:
    try:
        state = _load_checkpoint(checkpoint, map_location='cpu')  # weights only, see compat/checkpoint.py
    except OSError as e:
        raise UserError(f'checkpoint {checkpoint}: cannot be fetched ({e}); download it and pass its path') from e
    return state['state_dict'] if isinstance(state.get('state_dict'), dict) else state


def clip_run_identity(network: str, checkpoint: str, **settings) -> dict:
    """Identity of a feature run: network, digest of the weights and settings; untrained weights are marked."""
    if checkpoint == RANDOM:
        return {'network': network, 'weights': 'RANDOM WEIGHTS, UNTRAINED', **settings}
    is_file = Path(checkpoint).is_file()
    weights = hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest() if is_file else checkpoint
    return {'network': network, 'weights': weights, **settings}


def run_name(network: str, checkpoint: str, asked: str | None) -> str:
    """Name of the features: ``asked``, else the network; with '-random' for untrained weights.

    Raises:
        UserError: ``asked`` does not say that the weights are random.
    """
    if checkpoint != RANDOM:
        return asked or network
    name = asked or f'{network}-{RANDOM}'
    if RANDOM not in name.lower():
        raise UserError(f"--out {name}: features of random weights must say so; use a name with '{RANDOM}' in it")
    return name
