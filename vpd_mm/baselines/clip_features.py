"""Features of a clip network (R3D, MC3, R(2+1)D) around each frame (paper, Table 4)."""

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.runner.checkpoint import _load_checkpoint
from torch import nn

from ..corpus import CropStore
from ..corpus.stale_files import Source, digest
from ..engine.paths import find_weights
from ..errors import UserError
from ..files import file_digest
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
        network, checkpoint: As of :func:`build_clip_network`.
        device: Where the network runs.
        clip_len: Frames of a clip.
        stride: Frames between features; readers interpolate.
        size: Side of the input, px.
        batch_size: Clips in a batch, each with two views.
        half: Half precision (autocast), for GPUs.
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
        feats = [np.zeros((0, 2, self.dims), np.float32)]
        for start in range(0, len(centres), self.batch_size):
            feats.append(self._forward(store, video, available, centres[start : start + self.batch_size]))
        joined = np.concatenate(feats)
        if not np.isfinite(joined).all():
            raise UserError(f'{video}: the clip network gives NaN; its checkpoint is damaged')
        return FeatureSequence(centres, joined, np.ones(len(centres), np.float32))

    def extract_all(self, store: CropStore, videos: Iterable[str]) -> Iterator[tuple[str, FeatureSequence]]:
        """Pairs of a video and its features."""
        for video in videos:
            yield video, self.extract(store, video)

    @torch.inference_mode()
    def _forward(self, store: CropStore, video: str, available: np.ndarray, centres: np.ndarray) -> np.ndarray:
        """Features (N, 2, 512) of a batch of frames; a crop is decoded once."""
        wanted = centres[:, None] - self.clip_len // 2 + np.arange(self.clip_len)
        frames = np.stack([clip_frames(available, row) for row in wanted.clip(available[0], available[-1])])
        used, rows = np.unique(frames, return_inverse=True)
        side = self.size, self.size
        crops = np.stack([cv2.resize(store.crop(video, int(i)), side, interpolation=cv2.INTER_AREA) for i in used])
        scaled = (torch.from_numpy(crops).float() / 255 - torch.tensor(_MEAN)) / torch.tensor(_SD)
        clips = scaled[rows.reshape(frames.shape)].permute(0, 4, 1, 2, 3)
        views = torch.cat([clips, clips.flip(-1)]).to(self.device)
        with torch.autocast(self.device.type, enabled=self.half):
            feats = self.network(views)
        return feats.float().reshape(2, len(clips), -1).transpose(0, 1).cpu().numpy()


def build_clip_network(network: str, checkpoint: str | os.PathLike) -> nn.Module:
    """A clip network of torchvision without its classifier: (N, 3, T, H, W) to (N, 512).

    Args:
        network: One of ``NETWORKS``.
        checkpoint: Path or URL of a state dict (plain or under 'state_dict'; the classifier is ignored), or 'random'.

    Raises:
        UserError: unknown network or checkpoint, one that cannot be downloaded, or a checkpoint of another network.
    """
    if network not in NETWORKS:
        raise UserError(f'clip network must be one of {", ".join(NETWORKS)}, found {network!r}')
    from torchvision.models import get_model

    net = get_model(network, weights=None)
    net.fc = nn.Identity()
    if str(checkpoint) == RANDOM:
        LOGGER.warning('%s: RANDOM WEIGHTS, untrained: good for trying the commands, not for results', network)
        return net
    path = find_weights(str(checkpoint))
    state = _load_checkpoint(path, map_location='cpu')  # weights only, see compat/checkpoint_loading.py
    state = state.get('state_dict', state)
    try:
        net.load_state_dict({name: value for name, value in state.items() if not name.startswith('fc.')})
    except (RuntimeError, AttributeError) as e:
        detail = ' '.join(str(e).split())[:300]
        raise UserError(f'checkpoint {checkpoint}: is not of {network}: {detail}') from e
    return net


def clip_run_source(network: str, checkpoint: str, **settings) -> Source:
    """Source of a feature run: network, weights and settings; untrained weights are marked."""
    weights = 'RANDOM WEIGHTS, UNTRAINED' if checkpoint == RANDOM else checkpoint
    content = file_digest(weights) if Path(weights).is_file() else weights
    model = digest([network, content, settings])
    return {'network': network, 'weights': weights, **settings, 'inputs': {'model': model}}


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
