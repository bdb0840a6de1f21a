"""BiGRU equals PyTorch's GRU on packed sequences and ignores padding and batch order."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from vpd_mm.errors import UserError
from vpd_mm.recognize import BiGRU
from vpd_mm.recognize.bigru import run_bigru

LENGTHS = torch.tensor([9, 7, 7, 3, 1])


def batch(lengths=LENGTHS, dims=5, seed=0):
    torch.manual_seed(seed)
    feats = torch.randn(len(lengths), int(lengths.max()), dims)
    return feats * (torch.arange(feats.shape[1]) < lengths[:, None])[..., None]


@pytest.mark.parametrize('layers', [1, 2, 3])
def test_scan_equals_nn_gru_in_value_and_gradient(layers):
    torch.manual_seed(1)
    gru = nn.GRU(5, 8, layers, bidirectional=True).double()
    feats = batch().double().transpose(0, 1).requires_grad_()
    inside = (torch.arange(9)[:, None] < LENGTHS)[..., None]
    weight = torch.randn(9, 5, 16, dtype=torch.double)
    packed, _ = pad_packed_sequence(gru(pack_padded_sequence(feats, LENGTHS))[0])
    ours = run_bigru(gru, feats, LENGTHS)
    torch.testing.assert_close(ours * inside, packed, atol=1e-12, rtol=1e-9)
    tensors = [feats, *gru.parameters()]
    expected = torch.autograd.grad((packed * weight).sum(), tensors)
    gradients = torch.autograd.grad((ours * inside * weight).sum(), tensors)
    for a, b in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-9)


def test_gradient_of_padding_is_ignored():
    gru = nn.GRU(5, 8, 1, bidirectional=True)
    feats = batch().transpose(0, 1).contiguous().requires_grad_()
    inside = (torch.arange(9)[:, None] < LENGTHS)[..., None]
    states = run_bigru(gru, feats, LENGTHS)
    clean = torch.autograd.grad((states * inside).sum(), gru.weight_hh_l0, retain_graph=True)[0]
    leaky = torch.autograd.grad(states.sum(), gru.weight_hh_l0)[0]
    torch.testing.assert_close(clean, leaky)


@pytest.mark.parametrize('pool', ['max', None])
def test_output_depends_on_neither_padding_nor_batch_order(pool):
    torch.manual_seed(2)
    model = BiGRU(5, 8, pool=pool).eval()
    feats = batch()
    out = model(feats, LENGTHS)
    garbage = feats.clone()
    for i, n in enumerate(LENGTHS):
        garbage[i, n:] = 1e3
    garbage = torch.cat([garbage, torch.full((5, 4, 5), -1e3)], dim=1)
    padded = model(garbage, LENGTHS)
    torch.testing.assert_close(padded[:, :9] if pool is None else padded, out)
    order = torch.tensor([3, 0, 4, 2, 1])
    torch.testing.assert_close(model(feats[order], LENGTHS[order]), out[order])
    for i, n in enumerate(LENGTHS):
        single = model(feats[i : i + 1, :n], LENGTHS[i : i + 1])
        torch.testing.assert_close(single[0], out[i, :n] if pool is None else out[i], atol=1e-6, rtol=1e-5)


def test_packed_path_gives_the_same_output():
    torch.manual_seed(3)
    model = BiGRU(5, 8).eval()
    expected = model(batch(), LENGTHS)
    model._run = lambda feats, lengths: pad_packed_sequence(model.gru(pack_padded_sequence(feats, lengths))[0])[0]
    torch.testing.assert_close(model(batch(), LENGTHS), expected)


def test_wrong_dims_and_pools_are_refused():
    with pytest.raises(UserError, match='takes d=4, the features have d=5'):
        BiGRU(4)(batch(), LENGTHS)
    with pytest.raises(UserError, match="found 'mean'"):
        BiGRU(4, pool='mean')
