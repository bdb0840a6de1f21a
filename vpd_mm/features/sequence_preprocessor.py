"""Padding of feature sequences."""

import torch
from mmengine.model import BaseDataPreprocessor
from torch.nn.utils.rnn import pad_sequence

from ..errors import UserError
from ..registry import MODELS


@MODELS.register_module()
class SequencePreprocessor(BaseDataPreprocessor):
    """Pad the sequences of a batch on the model's device.

    Takes ``inputs``, N tensors (V, T_i, D), and ``data_samples``.  Returns ``inputs``, a dict of ``feats`` (S, T, D)
    float32, zero after the end of a sequence, ``lengths`` (S,) int64 on the CPU, S = sum of all V, and ``views`` (list
    of N ints); ``data_samples`` are unchanged.

    Raises:
        UserError: the sequences differ in D, or one has no frame.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        views = [len(item) for item in data['inputs']]
        sequences = [view for item in data['inputs'] for view in item]
        dims = sorted({sequence.shape[-1] for sequence in sequences})
        if len(dims) > 1:
            raise UserError(f'features of one batch have d={dims}; one run uses one kind of features')
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        if not lengths.min():
            raise UserError('a sequence has no frames; clip windows must contain at least one')
        data = self.cast_data({'feats': sequences, 'data_samples': data.get('data_samples')})
        feats = pad_sequence(data['feats'], batch_first=True)
        return {
            'inputs': {'feats': feats, 'lengths': lengths, 'views': views},
            'data_samples': data['data_samples'],
        }
