"""Scores and loss of a network in mixed precision."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from vpd_mm.registry import MODELS

HEADS = [
    ('GCNHead', {}, (2, 1, 8, 4, 13), ()),
    ('TSNHead', dict(dropout_ratio=0.0), (8, 8, 3, 3), (4,)),
    ('TRNHead', dict(num_segments=4, hidden_dim=6, dropout_ratio=0.0), (8, 8, 3, 3), (4,)),
    ('TimeSformerHead', {}, (2, 8), ()),
    ('I3DHead', dict(dropout_ratio=0.0), (2, 8, 2, 3, 3), ()),
]


@pytest.mark.parametrize(('name', 'more', 'shape', 'args'), HEADS, ids=[row[0] for row in HEADS])
def test_scores_are_float32_under_autocast(name, more, shape, args):
    init_default_scope('vpd_mm')
    torch.manual_seed(0)
    sizes = dict(_scope_='mmaction', num_classes=5, in_channels=8, **more)
    ours = MODELS.build(dict(type=f'vpd_mm.FullPrecision{name}', **sizes)).eval()
    plain = MODELS.build(dict(type=name, **sizes)).eval()
    plain.load_state_dict(ours.state_dict())
    features = torch.randn(*shape)

    def scores(head, x):
        np.random.seed(0)  # TRN draws some of the relations
        return head(x, *args)

    with torch.autocast('cpu', torch.bfloat16):
        assert scores(plain, features).dtype == torch.bfloat16
        result = scores(ours, features.bfloat16())
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, scores(plain, features.bfloat16().float()), rtol=0, atol=1e-6)
