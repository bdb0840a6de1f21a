"""Scores and loss of a graph network in mixed precision."""

import torch
from mmengine.registry import init_default_scope

from vpd_mm.registry import MODELS


def test_scores_are_those_of_float32_features_whatever_autocast_says():
    init_default_scope('vpd_mm')
    torch.manual_seed(0)
    sizes = dict(_scope_='mmaction', num_classes=5, in_channels=8)
    ours = MODELS.build(dict(type='vpd_mm.FullPrecisionGCNHead', **sizes)).eval()
    plain = MODELS.build(dict(type='GCNHead', **sizes)).eval()
    plain.load_state_dict(ours.state_dict())
    features = torch.randn(2, 1, 8, 4, 13)
    with torch.autocast('cpu', torch.bfloat16):
        assert plain(features).dtype == torch.bfloat16
        found = ours(features.bfloat16())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, plain(features.bfloat16().float()), rtol=0, atol=1e-6)
