"""Padding and standardization of feature sequences."""

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..errors import UserError
from ..registry import MODELS


@MODELS.register_module()
class SequencePreprocessor(BaseDataPreprocessor):
    """Pad the sequences of a batch on the model's device.

    Takes ``inputs``, N tensors (V, T_i, D), and ``data_samples``.  Returns ``inputs``, a dict of ``feats`` (S, T, D)
    float32, zero after the end of a sequence, ``lengths`` (S,) int64 on the CPU, S = sum of all V, and ``views`` (list
    of N ints); ``data_samples`` are unchanged.

    Args:
        standardize_dims: D; standardize every dimension with mean and variance over the training frames, which are
            part of the checkpoint.  None: no standardization.
    """

    def __init__(self, standardize_dims: int | None = None, non_blocking: bool = False) -> None:
        super().__init__(non_blocking)
        self.standardize = standardize_dims is not None
        if standardize_dims is not None:
            self.register_buffer('frames_seen', torch.zeros((), dtype=torch.float64))
            self.register_buffer('mean', torch.zeros(standardize_dims, dtype=torch.float64))
            self.register_buffer('variance', torch.ones(standardize_dims, dtype=torch.float64))

    def forward(self, data: dict, training: bool = False) -> dict:
        """Pad and standardize a batch.

        Raises:
            UserError: the sequences differ in D, or one has no frame.
        """
        views = [len(item) for item in data['inputs']]
        sequences = [view for item in data['inputs'] for view in item]
        dims = sorted({sequence.shape[-1] for sequence in sequences})
        if len(dims) > 1:
            raise UserError(f'features of one batch have d={dims}; one run uses one kind of features')
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        if not lengths.min():
            raise UserError('a sequence has no frames; clip windows must contain at least one')
        data = self.cast_data({'feats': sequences, 'data_samples': data.get('data_samples')})
        if self.standardize:
            data['feats'] = self._standardized(data['feats'], training)
        feats = pad_sequence(data['feats'], batch_first=True)
        return {
            'inputs': {'feats': feats, 'lengths': lengths, 'views': views},
            'data_samples': data['data_samples'],
        }

    def _standardized(self, sequences: list[Tensor], training: bool) -> list[Tensor]:
        if sequences[0].shape[-1] != len(self.mean):
            dims = sequences[0].shape[-1]
            raise UserError(f'features have d={dims}, standardize_dims is {len(self.mean)}; set it in the config')
        if training:
            self._update(torch.cat(sequences).double())
        mean, scale = self.mean.float(), (self.variance + 1e-6).rsqrt().float()
        return [(sequence - mean) * scale for sequence in sequences]

    @torch.no_grad()
    def _update(self, frames: Tensor) -> None:
        """Update mean and variance with further frames."""
        share = len(frames) / (self.frames_seen + len(frames))
        new_mean, new_variance = frames.mean(0), frames.var(0, correction=0)
        between = (new_mean - self.mean).square() * share * (1 - share)
        self.variance.copy_(self.variance * (1 - share) + new_variance * share + between)
        self.mean.lerp_(new_mean, share)
        self.frames_seen += len(frames)
