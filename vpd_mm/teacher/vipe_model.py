"""Training of VIPE* with contrastive and 3D decoding losses (paper, supplement)."""

import math

import torch
from mmengine.model import BaseModel
from torch import nn

from ..errors import UserError
from ..registry import MODELS
from .joint_feature import flip_joints
from .pose_skeleton import Skeleton


@MODELS.register_module()
class VIPE(BaseModel):
    """Encoder, and a decoder with one output layer per skeleton.

    ``forward(inputs, data_samples, mode)`` takes inputs (N, V, 13, 3), or (N, 13, 3) with 'tensor', and the collated
    samples of :class:`MultiViewPoseDataset`:

    - 'tensor': embeddings (N, D) or (N, V, D);
    - 'loss': means over the poses of ``loss_pull`` = distance of the embeddings of the two views; ``loss_push`` =
      max(0, margin - distance) of the first view to a different pose: the third view (V = 3, where ``different`` is
      True), or the nearest second view in the batch (V = 2, not in the paper); ``loss_decode`` = ``decode_weight`` x
      squared error of the decoded target, summed over its numbers and both views;
    - 'predict': one dict for the batch: ``embedding`` and ``mirrored`` (of the mirrored inputs), both (N, V, D),
      ``inputs``, and the entries of the samples.

    Args:
        encoder: Config of :class:`VIPEEncoder`.
        skeletons: Name to arguments of :class:`Skeleton`; the same as of the data set.
        margin: Least distance of different poses.
        decode_weight: Weight of the 3D loss.
        decoder_dims: Width of the two hidden layers of the decoder.
    """

    #: Modules that a packed checkpoint leaves out.
    training_only = ('decoder', 'heads')

    def __init__(
        self,
        encoder: dict,
        skeletons: dict[str, dict],
        margin: float = 1.0,
        decode_weight: float = 1.0,
        decoder_dims: int = 512,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor or {'type': 'mmengine.BaseDataPreprocessor'}, init_cfg)
        self.encoder = MODELS.build(encoder)
        self.margin, self.decode_weight = margin, decode_weight
        self.num_bones = [Skeleton(**skeleton).num_bones for skeleton in skeletons.values()]
        self.decoder = nn.Sequential(
            nn.Linear(self.encoder.dims, decoder_dims), nn.ReLU(), nn.Linear(decoder_dims, decoder_dims), nn.ReLU()
        )
        self.heads = nn.ModuleList(nn.Linear(decoder_dims, 7 * bones) for bones in self.num_bones)

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
        """Return the three loss terms of embeddings (N, 2, D) or (N, 3, D) and the samples of the data set."""
        if embedding.ndim != 3 or embedding.shape[1] not in (2, 3):
            raise UserError(f'VIPE: training needs two views a pose (N, 2, D), found {tuple(embedding.shape)}')
        first, second, *others = embedding.float().unbind(1)
        if others:
            distances, different = (first - others[0]).norm(dim=-1), samples['different']
        else:
            distances = torch.cdist(first, second).masked_fill(~different_poses(samples['bones']), math.inf).amin(1)
            different = distances.isfinite()
        return {
            'loss_pull': (first - second).norm(dim=-1).mean(),
            'loss_push': ((self.margin - distances).clamp(min=0) * different).mean(),
            'loss_decode': self.decode_weight * self.decode_loss(embedding[:, :2], samples),
        }

    def decode_loss(self, embedding: torch.Tensor, samples: dict) -> torch.Tensor:
        """Return the squared error summed over the numbers of the target and both views, mean over poses."""
        hidden = self.decoder(embedding)
        errors = []
        for i, (head, bones) in enumerate(zip(self.heads, self.num_bones, strict=True)):
            target = samples['target'][:, None, :bones].flatten(2)
            # A head without poses in the batch still needs a gradient for distributed training.
            errors.append((head(hidden).float() - target).square().sum((1, 2)) * (samples['skeleton'] == i))
        return sum(errors).mean()


def different_poses(bones: torch.Tensor) -> torch.Tensor:
    """Compare unit bones (N, B, 3): (N, N) bool, True if a bone differs by more than 45 degrees."""
    cosines = torch.einsum('ibc,jbc->ijb', bones, bones)
    present = bones.square().sum(-1) > 0.5
    both = present[:, None] & present[None]
    return ((cosines < math.cos(math.pi / 4)) & both).any(-1)
