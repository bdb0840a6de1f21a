"""SequencePreprocessor: padding and lengths."""

import pytest
import torch

from vpd_mm.errors import UserError
from vpd_mm.features import SequencePreprocessor


def test_pads_to_the_longest_of_the_batch():
    inputs = [torch.ones(2, 3, 4), 2 * torch.ones(1, 5, 4)]
    out = SequencePreprocessor()({'inputs': inputs, 'data_samples': ['a', 'b']})
    assert out['inputs']['feats'].shape == (3, 5, 4)
    assert out['inputs']['lengths'].tolist() == [3, 3, 5]
    assert out['inputs']['views'] == [2, 1]
    assert out['inputs']['feats'][0, :, 0].tolist() == [1, 1, 1, 0, 0]
    assert out['data_samples'] == ['a', 'b']


def test_refuses_mixed_dims_and_empty_sequences():
    with pytest.raises(UserError, match=r'd=\[3, 4\]'):
        SequencePreprocessor()({'inputs': [torch.ones(1, 2, 4), torch.ones(1, 2, 3)]})
    with pytest.raises(UserError, match='no frames'):
        SequencePreprocessor()({'inputs': [torch.ones(1, 0, 4)]})
