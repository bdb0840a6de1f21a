"""VIPE* embeddings of poses, the teacher of VI-VPD (paper 3.1)."""

import os
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import load_state_dict

from ..compat import load_checkpoint_safely
from ..engine.model_files import build_model
from ..errors import UserError
from ..structures import FeatureSequence, PoseSequence
from .joint_feature import VPD_JOINTS, fill_unseen, flip_joints, frame_scores, normalize_joints
from .vipe_encoder import VIPEEncoder
from .vipe_model import VIPE

#: Poses per forward pass.
BATCH = 1024


def pose_inputs(points: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Convert poses to the inputs (N, 13, 3) float32 of :class:`VIPEEncoder`: normalized x, y, and score - 0.5.

    Args:
        points: (N, 13, 2), any unit; y down.
        scores: (N, 13) in [0, 1].

    Raises UserError: wrong shapes, NaN or infinity, or a pose whose joints are all hidden.
    """
    points, scores = np.asarray(points, np.float64), np.asarray(scores, np.float64)
    if points.ndim != 3 or points.shape[1:] != (13, 2) or scores.shape != points.shape[:2]:
        raise UserError(f'VIPE* poses must be (N, 13, 2) with scores (N, 13), found {points.shape} and {scores.shape}')
    finite = np.isfinite(points).all(axis=(1, 2)) & np.isfinite(scores).all(axis=1)
    if not finite.all():
        raise UserError(f'VIPE* pose {int(np.argmin(finite))} holds NaN or infinity; leave it out')
    if (hidden := (scores <= 0).all(axis=1)).any():
        raise UserError(f'VIPE* pose {int(np.argmax(hidden))}: all joints are hidden (score 0); leave it out')
    return np.concatenate([normalize_joints(points), scores[..., None] - 0.5], axis=-1).astype(np.float32)


class VipeFeature:
    """Convert a PoseSequence to a FeatureSequence of VIPE* embeddings, V = 2 views (original, flipped).

    The flipped view is the embedding of the mirrored pose.  Joints of score 0 are filled by ``fill_unseen``; frames
    without visible joints are left out.

    Args:
        encoder: A trained :class:`VIPEEncoder`.
        invert: Append the embedding of the pose upside down (y negated), which doubles D (paper, for Diving48).

    Calling it raises UserError where no frame has a visible joint.
    """

    def __init__(self, encoder: VIPEEncoder, invert: bool = False) -> None:
        self.encoder = encoder.eval()
        self.invert = invert

    @property
    def dims(self) -> int:
        return self.encoder.dims * (2 if self.invert else 1)

    def __call__(self, poses: PoseSequence) -> FeatureSequence:
        inputs, rows = sequence_inputs(poses)
        views = np.stack([inputs, flip_joints(inputs)], axis=1)
        feats = self.embed(views)
        if self.invert:
            feats = np.concatenate([feats, self.embed(views * np.array([1, -1, 1], np.float32))], axis=-1)
        return FeatureSequence(poses.frame_inds[rows], feats, np.clip(frame_scores(poses), 0, 1)[rows])

    def embed(self, inputs: np.ndarray) -> np.ndarray:
        """Embed inputs (N, ..., 13, 3) as (N, ..., D) float32."""
        device = next(self.encoder.parameters()).device
        with torch.inference_mode():
            parts = [self.encoder(part.to(device)).float().cpu() for part in torch.from_numpy(inputs).split(BATCH)]
        return torch.cat(parts).numpy()


def sequence_inputs(poses: PoseSequence) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (T', 13, 3) and rows (T',) of the frames that have a visible joint; UserError where none has."""
    scores = poses.scores[:, VPD_JOINTS]
    rows = np.flatnonzero((scores > 0).any(axis=1))
    if not len(rows):
        raise UserError(f'all joints of all {len(poses)} frames are hidden (score 0); delete this pose file')
    return pose_inputs(fill_unseen(poses).keypoints[rows][:, VPD_JOINTS], scores[rows]), rows


def load_encoder(cfg: Config, checkpoint: str | os.PathLike, device: str = 'cpu') -> VIPEEncoder:
    """Build the encoder of a VIPE config and load its weights from a training checkpoint or a packed one.

    Raises UserError: the config is of another model, or the checkpoint is missing or does not fit.
    """
    model = build_model(cfg)
    if not isinstance(model, VIPE):
        raise UserError(f'{cfg.filename}: its model is {type(model).__name__}, needed is VIPE')
    loaded = load_checkpoint_safely(str(checkpoint))
    weights = loaded.get('state_dict', loaded).items()
    state = {key.removeprefix('encoder.'): value for key, value in weights if key.startswith('encoder.')}
    try:
        load_state_dict(model.encoder, state, strict=True, logger='silent')
    except (RuntimeError, ValueError) as e:
        raise UserError(f'checkpoint {checkpoint}: does not fit {Path(str(cfg.filename)).name}: {e}') from e
    return model.encoder.to(device)
