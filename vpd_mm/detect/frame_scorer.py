"""Frame-wise action scores (paper 4.3)."""

import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn

from ..features import SequencePreprocessor
from ..registry import MODELS


def window_starts(frames: int, window: int) -> list[int]:
    """Return starts of windows that cover ``frames`` and overlap by half; the last window ends at the end."""
    last = max(0, frames - window)
    return [*range(0, last, max(1, window // 2)), last]


class FrameHead(nn.Sequential):
    """BN-dropout-FC-ReLU-BN-dropout-FC of the paper on (..., D): logits (..., C), the second minus the first of two."""

    def __init__(self, dims: int, num_classes: int, dropout: float) -> None:
        first = (nn.BatchNorm1d(dims), nn.Dropout(dropout), nn.Linear(dims, dims), nn.ReLU())
        super().__init__(*first, nn.BatchNorm1d(dims), nn.Dropout(dropout), nn.Linear(dims, 2 * num_classes))
        self.num_classes = num_classes

    def forward(self, states: Tensor) -> Tensor:
        pairs = super().forward(states.reshape(-1, states.shape[-1]))
        pairs = pairs.reshape(*states.shape[:-1], self.num_classes, 2)  # -1 would have no size in ONNX
        return pairs[..., 1] - pairs[..., 0]


@MODELS.register_module()
class FrameScorer(BaseModel):
    """Frame encoder with a score of each class in 0..1; with ``BiGRU`` the detector of the paper.

    Args:
        backbone: Config of an encoder that returns (N, T, out_dims), such as ``BiGRU`` with ``pool=None``.
        num_classes: C; 1 = action or not.
        window: Frames of a training window; longer sequences are scored in windows of this length that overlap by
            half, and averaged.  None: as a whole.
        dropout: Rate of both dropouts of the head.
        data_preprocessor: Config; default ``SequencePreprocessor``.
    """

    def __init__(
        self,
        backbone: dict,
        num_classes: int = 1,
        window: int | None = 250,
        dropout: float = 0.5,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor or {'type': SequencePreprocessor}, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.window = window
        self.head = FrameHead(self.backbone.out_dims, num_classes, dropout)

    def forward(self, inputs: dict, data_samples: list[ActionDataSample] | None = None, mode: str = 'tensor'):
        """Run the model.

        Args:
            inputs: Output of ``SequencePreprocessor``.
            data_samples: N samples; 'loss' needs ``gt_frames`` (T, C) and ``valid`` (T,).
            mode: 'tensor': logits (S, T, C); 'loss': ``loss_frames``, mean over valid frames; 'predict': the samples
                with ``frame_scores`` (T, C), mean over the views.
        """
        feats, lengths, views = inputs['feats'], inputs['lengths'], inputs['views']
        if mode == 'predict':
            samples = data_samples or [ActionDataSample() for _ in views]
            scores = iter([self._score(f[:n]) for f, n in zip(feats, lengths.tolist(), strict=True)])
            for sample, n in zip(samples, views, strict=True):
                sample.set_field(torch.stack([next(scores) for _ in range(n)]).mean(0).detach(), 'frame_scores')
            return samples
        states = self.backbone(feats, lengths)
        if mode == 'tensor':
            return self.head(states)
        if mode == 'loss':
            repeated = [sample for sample, n in zip(data_samples or [], views, strict=True) for _ in range(n)]
            return self.loss(states, repeated)
        raise ValueError(f'mode must be tensor, loss or predict, found {mode!r}')

    def loss(self, states: Tensor, samples: list[ActionDataSample]) -> dict[str, Tensor]:
        """Cross entropy of action or not, summed over the classes, mean over the valid frames of all sequences."""
        chosen = torch.cat([frames[: len(s.valid)][s.valid] for frames, s in zip(states, samples, strict=True)])
        if len(chosen) < 2:  # batch normalisation needs two
            return {'loss_frames': states.sum() * 0}
        targets = torch.cat([sample.gt_frames[sample.valid] for sample in samples])
        loss = nn.functional.binary_cross_entropy_with_logits(self.head(chosen), targets, reduction='sum')
        return {'loss_frames': loss / len(chosen)}

    def _score(self, feats: Tensor) -> Tensor:
        """Score a sequence (T, D): (T, C)."""
        window = self.window or len(feats)
        starts = window_starts(len(feats), window)
        windows = torch.stack([feats[s : s + window] for s in starts])
        scores = self.head(self.backbone(windows, torch.full((len(starts),), windows.shape[1]))).sigmoid()
        total = scores.new_zeros(len(feats), scores.shape[-1])
        covered = scores.new_zeros(len(feats), 1)
        for start, score in zip(starts, scores, strict=True):
            total[start : start + len(score)] += score
            covered[start : start + len(score)] += 1
        return total / covered
