"""Training of VIPE* with contrastive and 3D decoding losses (paper, supplement)."""

import math

import torch
from mmengine.model import BaseModel
from torch import nn
from torch.nn import functional as F

from ..errors import UserError
from ..registry import MODELS
from .joint_feature import flip_joints
from .pose_skeleton import Skeleton


@MODELS.register_module()
class VIPE(BaseModel):
    """Encoder with one decoder per skeleton.

    ``forward(inputs, data_samples, mode)`` takes inputs (N, V, 13, 3), or (N, 13, 3) with 'tensor', and the collated
    samples of :class:`MultiViewPoseDataset`:

    - 'tensor': embeddings (N, D) or (N, V, D);
    - 'loss' (V = 2): ``loss_pull`` = mean distance of the embeddings of the two views; ``loss_push`` = mean of
      max(0, margin - distance) to a different pose; ``loss_decode`` = mean squared error of the decoded targets;
    - 'predict': one dict for the batch: ``embedding`` and ``mirrored`` (of the mirrored inputs), both (N, V, D),
      ``inputs``, and the entries of the samples.

    Args:
        encoder: Config of :class:`VIPEEncoder`.
        skeletons: Name to arguments of :class:`Skeleton`; the same as of the data set.
        margin: Least distance of different poses.
        mining: Choice of the different pose in the batch: 'random' (paper) or 'hard' (the nearest).
        decoder_dims: Width of the two hidden layers of a decoder.
    """

    def __init__(
        self,
        encoder: dict,
        skeletons: dict[str, dict],
        margin: float = 1.0,
        mining: str = 'random',
        decoder_dims: int = 512,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor or {'type': 'mmengine.BaseDataPreprocessor'}, init_cfg)
        if mining not in ('random', 'hard'):
            raise UserError(f"VIPE: mining must be 'random' or 'hard', found {mining!r}")
        self.encoder = MODELS.build(encoder)
        self.margin, self.mining = margin, mining
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
            mirrored = self.encoder(flip_joints(inputs))
            return [{**(data_samples or {}), 'inputs': inputs, 'embedding': embedding, 'mirrored': mirrored}]
        raise ValueError(f"VIPE: mode must be 'tensor', 'loss' or 'predict', found {mode!r}")

    def loss(self, embedding: torch.Tensor, samples: dict) -> dict[str, torch.Tensor]:
        """Return the three loss terms of embeddings (N, 2, D) and the samples' ``bones``, ``target``, ``skeleton``."""
        if embedding.ndim != 3 or embedding.shape[1] != 2:
            raise UserError(f'VIPE: training needs two views a pose (N, 2, D), found {tuple(embedding.shape)}')
        first, second = embedding.float().unbind(1)
        return {
            'loss_pull': F.pairwise_distance(first, second).mean(),
            'loss_push': self.push_loss(first, second, different_poses(samples['bones'])),
            'loss_decode': self.decode_loss(embedding, samples),
        }

    def push_loss(self, first: torch.Tensor, second: torch.Tensor, different: torch.Tensor) -> torch.Tensor:
        """Return the mean of max(0, margin - distance to the second view of a different pose (N, N))."""
        distances = torch.cdist(first, second)
        pushed = (self.margin - distances).clamp(min=0) * different
        if self.mining == 'hard':
            partner = pushed.detach().argmax(1)
        else:
            partner = torch.rand_like(distances).masked_fill(~different, -1).argmax(1)
        return pushed.gather(1, partner[:, None]).sum() / different.any(1).sum().clamp(min=1)

    def decode_loss(self, embedding: torch.Tensor, samples: dict) -> torch.Tensor:
        """Return the squared error, mean over the numbers of a target, then over views and poses."""
        total = embedding.new_zeros((), dtype=torch.float32)
        for i, (decoder, dims) in enumerate(zip(self.decoders, self.target_dims, strict=True)):
            rows = samples['skeleton'] == i
            if rows.any():
                errors = decoder(embedding[rows]).float() - samples['target'][rows, None, :dims]
                total = total + errors.square().mean(-1).sum()
            else:  # distributed training needs a gradient of every decoder
                total = total + 0 * decoder(embedding[:1]).float().sum()
        return total / (embedding.shape[0] * embedding.shape[1])


def different_poses(bones: torch.Tensor) -> torch.Tensor:
    """Compare unit bones (N, B, 3): (N, N) bool, True if a bone differs by more than 45 degrees."""
    cosines = torch.einsum('ibc,jbc->ijb', bones, bones)
    present = bones.square().sum(-1) > 0.5
    both = present[:, None] & present[None]
    return ((cosines < math.cos(math.pi / 4)) & both).any(-1)
