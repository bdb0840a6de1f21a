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


@MODELS.register_module()
class FrameScorer(BaseModel):
    """Frame encoder with one sigmoid per class.

    Args:
        backbone: Config of an encoder that returns (N, T, out_dims), such as ``BiGRU`` with ``pool=None``.
        num_classes: C; 1 = action or not.
        window: Frames of a training window; longer sequences are scored in windows of this length that overlap by
            half, and averaged.
        dropout: Dropout rate before the last layer.
        data_preprocessor: Config; default ``SequencePreprocessor``.
    """

    def __init__(
        self,
        backbone: dict,
        num_classes: int = 1,
        window: int = 250,
        dropout: float = 0.5,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor or {'type': SequencePreprocessor}, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.window = window
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.backbone.out_dims, num_classes))

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
        logits = self.head(self.backbone(feats, lengths))
        if mode == 'tensor':
            return logits
        if mode == 'loss':
            repeated = [sample for sample, n in zip(data_samples or [], views, strict=True) for _ in range(n)]
            return self.loss(logits, repeated)
        raise ValueError(f'mode must be tensor, loss or predict, found {mode!r}')

    @staticmethod
    def loss(logits: Tensor, samples: list[ActionDataSample]) -> dict[str, Tensor]:
        """Binary cross entropy, summed over the classes, mean over the valid frames of all sequences."""
        total, count = logits.sum() * 0, 0
        for frames, sample in zip(logits, samples, strict=True):
            target = sample.gt_frames[sample.valid]
            chosen = frames[: len(sample.valid)][sample.valid]
            total = total + nn.functional.binary_cross_entropy_with_logits(chosen, target, reduction='sum')
            count += len(chosen)
        return {'loss_frames': total / max(count, 1)}

    def _score(self, feats: Tensor) -> Tensor:
        """Score a sequence (T, D): (T, C)."""
        starts = window_starts(len(feats), self.window)
        windows = torch.stack([feats[s : s + self.window] for s in starts])
        scores = self.head(self.backbone(windows, torch.full((len(starts),), windows.shape[1]))).sigmoid()
        total = scores.new_zeros(len(feats), scores.shape[-1])
        covered = scores.new_zeros(len(feats), 1)
        for start, score in zip(starts, scores, strict=True):
            total[start : start + len(score)] += score
            covered[start : start + len(score)] += 1
        return total / covered
