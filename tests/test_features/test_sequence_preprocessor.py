"""SequencePreprocessor: padding, lengths, standardization."""

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
    with pytest.raises(UserError, match='standardize_dims is 2'):
        SequencePreprocessor(2)({'inputs': [torch.ones(1, 2, 4)]})


def test_standardizes_by_all_training_frames():
    torch.manual_seed(0)
    batches = [3 + 2 * torch.randn(1, n, 2) for n in (40, 7, 300)]
    preprocessor = SequencePreprocessor(2)
    for batch in batches:
        preprocessor({'inputs': [batch]}, training=True)
    frames = torch.cat(batches, dim=1)[0].double()
    torch.testing.assert_close(preprocessor.mean, frames.mean(0))
    torch.testing.assert_close(preprocessor.variance, frames.var(0, correction=0))
    loaded = SequencePreprocessor(2)
    loaded.load_state_dict(preprocessor.state_dict())
    out = loaded({'inputs': [torch.cat(batches, dim=1)]})['inputs']['feats'][0]
    torch.testing.assert_close(out.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(0, correction=0), torch.ones(2), atol=1e-4, rtol=0)
    assert loaded.frames_seen == 347
