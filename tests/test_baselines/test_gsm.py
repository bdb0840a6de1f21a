"""The gate-shift module by hand, and within a ResNet."""

import copy

import pytest
import torch
from mmengine.registry import init_default_scope

from vpd_mm.baselines import GSM
from vpd_mm.baselines.gsm import GateShift, shift
from vpd_mm.errors import UserError
from vpd_mm.registry import MODELS

RESNET = dict(type='mmaction.ResNet', depth=18, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,))


def build(num_segments: int = 3, **kwargs) -> GSM:
    init_default_scope('vpd_mm')
    return MODELS.build(dict(type='GSM', num_segments=num_segments, backbone=dict(RESNET, **kwargs)))


def open_gates(model: torch.nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, GateShift):
            torch.nn.init.normal_(module.gate.weight, std=0.3)
            torch.nn.init.normal_(module.gate.bias, std=0.3)


def test_shift_moves_whole_frames_and_fills_with_zeros():
    x = torch.arange(1.0, 5).reshape(1, 1, 4, 1, 1)
    assert shift(x, 1).flatten().tolist() == [0, 1, 2, 3]
    assert shift(x, -1).flatten().tolist() == [2, 3, 4, 0]


def test_the_gate_decides_the_shifted_part():
    module = GateShift(4, num_segments=3)
    x = torch.arange(1.0, 13).reshape(3, 4, 1, 1)  # frames (1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12)
    torch.testing.assert_close(module(x), x)
    module.gate.bias.data.fill_(20)  # tanh is 1: the first two channels move forward in time, the others backward
    expected = [[0, 0, 7, 8], [1, 2, 11, 12], [5, 6, 0, 0]]
    torch.testing.assert_close(module(x).reshape(3, 4), torch.tensor(expected, dtype=torch.float32))
    module.gate.bias.data.fill_(float(torch.atanh(torch.tensor(0.5))))
    half = (x.reshape(3, 4) + torch.tensor(expected)) / 2
    torch.testing.assert_close(module(x).reshape(3, 4), half)


def test_clips_of_a_batch_are_independent():
    module = GateShift(2, num_segments=2).eval()
    module.gate.bias.data.fill_(20)
    x = torch.arange(1.0, 9).reshape(4, 2, 1, 1)
    torch.testing.assert_close(module(x), torch.cat([module(x[:2]), module(x[2:])]))


def test_a_gate_reads_neighbouring_frames_of_its_group():
    module = GateShift(4, num_segments=3).eval()
    open_gates(module)
    x = torch.rand(3, 4, 5, 5)
    changed = x.clone()
    changed[2, 3] += 1  # second group, last frame
    before, after = module(x), module(changed)
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert not torch.allclose(before[1, 2], after[1, 2])  # another channel of the group, one frame earlier


def test_closed_gates_give_the_plain_network():
    model = build()
    model.eval()
    plain = copy.deepcopy(model.backbone)
    for layer in (plain.layer1, plain.layer2):
        for block in layer:
            block.conv1 = block.conv1.conv
    x = torch.rand(6, 3, 32, 32)
    torch.testing.assert_close(model(x), plain(x))
    open_gates(model)
    assert not torch.allclose(model(x), plain(x))


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    model = build()
    open_gates(model)
    (model(torch.rand(6, 3, 32, 32)) ** 2).mean().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without


def test_parameters_of_the_gates():
    count = sum(p.numel() for m in build().modules() if isinstance(m, GateShift) for p in m.parameters())
    assert count == sum(29 * c + 2 for c in (64, 64, 64, 128))
    widths = [64, 256, 256, 256, 512, 512, 512, 512, 1024, 1024, 1024, 1024, 1024, 1024, 2048, 2048]
    assert sum(29 * c + 2 for c in widths) == 380512  # ResNet-50


def test_a_checkpoint_of_the_plain_network_is_read(tmp_path):
    init_default_scope('vpd_mm')
    plain = MODELS.build(RESNET)
    torch.save(plain.state_dict(), tmp_path / 'plain.pth')
    model = build(pretrained=str(tmp_path / 'plain.pth'), torchvision_pretrain=False)
    open_gates(model)
    model.init_weights()
    x = torch.rand(3, 3, 32, 32)
    model.eval()
    plain.eval()
    torch.testing.assert_close(model(x), plain(x))


def test_wrong_arguments_are_refused():
    with pytest.raises(UserError, match='even number of channels'):
        GateShift(3, 2)
    with pytest.raises(UserError, match=r'mmaction\.ResNet'):
        MODELS.build(dict(type='GSM', backbone=dict(type='vpd_mm.BiGRU', in_dims=26)))
