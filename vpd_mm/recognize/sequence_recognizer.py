"""Action recognition on feature sequences (paper 4.1)."""

import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import nn

from ..features import SequencePreprocessor
from ..registry import MODELS


@MODELS.register_module()
class SequenceRecognizer(BaseModel):
    """Encoder with a BN-dropout-FC-ReLU-BN-dropout-FC head; with ``BiGRU`` the recognizer of the paper.

    Args:
        backbone: Config of an encoder that returns (N, out_dims).
        num_classes: C.
        hidden_dims: Width of the first FC.
        dropout: Rate of both dropouts.
        label_smoothing: Label smoothing of the cross entropy; 0 in the paper.
        data_preprocessor: Config; default ``SequencePreprocessor``.
    """

    def __init__(
        self,
        backbone: dict,
        num_classes: int,
        hidden_dims: int = 256,
        dropout: float = 0.5,
        label_smoothing: float = 0.0,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor or {'type': SequencePreprocessor}, init_cfg)
        self.backbone = MODELS.build(backbone)
        width = self.backbone.out_dims
        self.head = nn.Sequential(
            nn.BatchNorm1d(width),
            nn.Dropout(dropout),
            nn.Linear(width, hidden_dims),
            nn.ReLU(),
            nn.BatchNorm1d(hidden_dims),
            nn.Dropout(dropout),
            nn.Linear(hidden_dims, num_classes),
        )
        self.loss_cls = nn.CrossEntropyLoss(label_smoothing=label_smoothing)

    def forward(self, inputs: dict, data_samples: list[ActionDataSample] | None = None, mode: str = 'tensor'):
        """Run the model.

        Args:
            inputs: Output of ``SequencePreprocessor``: ``feats`` (S, T, D), ``lengths`` (S,), and ``views``, the
                number of the S sequences of each of the N samples.
            data_samples: N samples; 'loss' needs ``gt_label``.
            mode: 'tensor': logits (S, C); 'loss': ``loss_cls`` over all views; 'predict': the samples with
                ``pred_score`` (C,), the mean softmax of the views, and ``pred_label`` (1,).
        """
        logits, views = self.head(self.backbone(inputs['feats'], inputs['lengths'])), inputs['views']
        if mode == 'tensor':
            return logits
        if mode == 'loss':
            labels = [sample.gt_label.expand(n) for sample, n in zip(data_samples or [], views, strict=True)]
            return {'loss_cls': self.loss_cls(logits, torch.cat(labels))}
        if mode == 'predict':
            samples = data_samples or [ActionDataSample() for _ in views]
            for sample, scores in zip(samples, logits.detach().softmax(1).split(views), strict=True):
                score = scores.mean(0)
                sample.set_pred_score(score).set_pred_label(score.argmax(0, keepdim=True))
            return samples
        raise ValueError(f'mode must be tensor, loss or predict, found {mode!r}')
