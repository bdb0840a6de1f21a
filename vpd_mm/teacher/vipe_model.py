"""Training of VIPE*: views of one pose together, different poses apart, both decoded to 3D (paper, supplement)."""

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import nn
from torch.nn import functional as F

from ..errors import UserError
from ..registry import MODELS
from .joint_feature import FLIP_ORDER
from .pose_skeleton import Skeleton


@MODELS.register_module()
class VIPE(BaseModel):
    """Encoder, and a decoder a skeleton.

    Args:
        encoder: Config of :class:`VIPEEncoder`.
        skeletons: Name to the arguments of :class:`Skeleton`, those of the data set.
        margin: Different poses are pushed at least so far apart.
        min_angle: Poses are different where some bone is turned by more, in degrees.
        mining: Which different pose of the batch is pushed away: 'random' (the paper) or 'hard', the nearest.
        decoder_dims: Width of the decoders' two hidden layers.
        decode_weight: Factor of the decoders' loss.

    ``forward(inputs, data_samples, mode)`` takes inputs (N, V, 13, 3), or (N, 13, 3) with 'tensor', and the collated
    samples of :class:`MultiViewPoseDataset`:

    - 'tensor': embeddings (N, D) or (N, V, D);
    - 'loss' (V = 2): ``loss_pull`` = mean distance of the two views' embeddings; ``loss_push`` = mean of
      max(0, margin - distance) to a different pose's; ``loss_decode`` = mean squared error of the decoded target;
    - 'predict': one dict for the batch: ``embedding`` and ``mirrored`` (of the pictures' mirror images), both
      (N, V, D), ``inputs``, and the samples' entries.
    """

    def __init__(
        self,
        encoder: dict,
        skeletons: dict[str, dict],
        margin: float = 1.0,
        min_angle: float = 45.0,
        mining: str = 'random',
        decoder_dims: int = 512,
        decode_weight: float = 1.0,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor or {'type': 'mmengine.BaseDataPreprocessor'}, init_cfg)
        if mining not in ('random', 'hard'):
            raise UserError(f"VIPE: mining must be 'random' or 'hard', found {mining!r}")
        self.encoder = MODELS.build(encoder)
        self.margin, self.mining, self.decode_weight = margin, mining, decode_weight
        self.max_cos = float(np.cos(np.deg2rad(min_angle)))
        self.target_dims = [Skeleton(**skeleton).target_dims for skeleton in skeletons.values()]
        self.decoders = nn.ModuleList(
            nn.Sequential(
                nn.Linear(self.encoder.dims, decoder_dims),
                nn.ReLU(),
                nn.Linear(decoder_dims, decoder_dims),
                nn.ReLU(),
                nn.Linear(decoder_dims, dims),
            )
            for dims in self.target_dims
        )

    def forward(self, inputs: torch.Tensor, data_samples: dict | None = None, mode: str = 'tensor'):
        embedding = self.encoder(inputs)
        if mode == 'tensor':
            return embedding
        if mode == 'loss':
            return self.loss(embedding, data_samples or {})
        if mode == 'predict':
            mirrored = self.encoder(mirror_inputs(inputs))
            return [{**(data_samples or {}), 'inputs': inputs, 'embedding': embedding, 'mirrored': mirrored}]
        raise ValueError(f"VIPE: mode must be 'tensor', 'loss' or 'predict', found {mode!r}")

    def loss(self, embedding: torch.Tensor, samples: dict) -> dict[str, torch.Tensor]:
        """The three terms, of embeddings (N, 2, D) and the samples' ``bones``, ``target``, ``skeleton``."""
        if embedding.ndim != 3 or embedding.shape[1] != 2:
            raise UserError(f'VIPE: training needs two views a pose (N, 2, D), found {tuple(embedding.shape)}')
        seen, other = embedding.float().unbind(1)
        return {
            'loss_pull': F.pairwise_distance(seen, other).mean(),
            'loss_push': self.push_loss(seen, other, different_poses(samples['bones'], self.max_cos)),
            'loss_decode': self.decode_weight * self.decode_loss(embedding, samples),
        }

    def push_loss(self, seen: torch.Tensor, other: torch.Tensor, different: torch.Tensor) -> torch.Tensor:
        """Mean over the poses that have a different one (N, N) of max(0, margin - distance to its other view)."""
        distances = torch.cdist(seen, other)
        pushed = (self.margin - distances).clamp(min=0) * different
        if self.mining == 'hard':
            partner = pushed.detach().argmax(1)
        else:
            partner = torch.rand_like(distances).masked_fill(~different, -1).argmax(1)
        return pushed.gather(1, partner[:, None]).sum() / different.any(1).sum().clamp(min=1)

    def decode_loss(self, embedding: torch.Tensor, samples: dict) -> torch.Tensor:
        """Squared error, mean over a target's numbers, then over views and poses."""
        total = embedding.new_zeros((), dtype=torch.float32)
        for i, (decoder, dims) in enumerate(zip(self.decoders, self.target_dims, strict=True)):
            rows = samples['skeleton'] == i
            # A decoder without a pose in this batch still takes part: gradients are gathered over processes.
            mine = embedding[rows] if rows.any() else embedding[:1]
            decoded = decoder(mine).float()
            if not rows.any():
                total = total + 0 * decoded.sum()
                continue
            target = samples['target'][rows, None, :dims]
            total = total + (decoded - target).square().mean(-1).sum()
        return total / (embedding.shape[0] * embedding.shape[1])


def different_poses(bones: torch.Tensor, max_cos: float) -> torch.Tensor:
    """(N, B, 3) unit bones to (N, N) bool: some bone of the two poses differs by more than the angle of ``max_cos``."""
    cosines = torch.einsum('ibc,jbc->ijb', bones, bones)
    present = bones.square().sum(-1) > 0.5
    both = present[:, None] & present[None]
    return ((cosines < max_cos) & both).any(-1)


def mirror_inputs(inputs: torch.Tensor) -> torch.Tensor:
    """(..., 13, 3) of the mirrored picture: left and right exchanged, x negated; confidences go with their joints."""
    mirrored = inputs[..., list(FLIP_ORDER), :].clone()
    mirrored[..., 0] *= -1
    return mirrored
