import copy
import logging

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import nn

from vpd_mm.engine import cpu_autocast, run
from vpd_mm.engine.cpu_autocast import CpuAutocastOptimWrapper, cpu_has_bfloat16
from vpd_mm.engine.hooks import ChannelsLastHook
from vpd_mm.registry import MODELS


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 2))


def one_step(model: nn.Module, wrapper) -> torch.Tensor:
    inputs = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with wrapper.optim_context(model):
        out = model(inputs)
        seen = out.dtype
    wrapper.update_params(out.float().square().mean())
    assert all(p.dtype == torch.float32 for p in model.parameters())
    return seen


def test_forward_is_bfloat16_and_weights_stay_float32_and_close():
    plain, mixed = network(), network()
    before = copy.deepcopy(mixed.state_dict())
    assert one_step(mixed, CpuAutocastOptimWrapper(torch.optim.SGD(mixed.parameters(), 0.1))) == torch.bfloat16
    assert one_step(plain, OptimWrapper(torch.optim.SGD(plain.parameters(), 0.1))) == torch.float32
    for name, value in mixed.state_dict().items():
        assert not torch.equal(value, before[name])
        torch.testing.assert_close(value, plain.state_dict()[name], atol=2e-3, rtol=0)


@pytest.mark.parametrize('has', [True, False])
def test_amp_without_an_accelerator(has, monkeypatch, caplog, tmp_path):
    if torch.cuda.is_available():
        pytest.skip('has an accelerator')

    class Model(BaseModel):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, inputs, data_samples=None, mode='tensor'):
            return {'loss': self.net(inputs).float().square().mean()}

    monkeypatch.setattr(cpu_autocast, 'cpu_has_bfloat16', lambda: has)
    monkeypatch.setitem(MODELS.module_dict, 'AutocastProbe', Model)
    optim = dict(type='AmpOptimWrapper', loss_scale='dynamic', optimizer=dict(type='SGD', lr=0.1))
    cfg = Config(
        dict(
            model=dict(type='AutocastProbe'),
            work_dir=str(tmp_path),
            default_scope='vpd_mm',
            optim_wrapper=optim,
            train_cfg=dict(by_epoch=True, max_epochs=1),
            train_dataloader=dict(batch_size=1, dataset=[0], sampler=dict(type='DefaultSampler')),
            log_level='ERROR',
            experiment_name=f'autocast{has}',
        )
    )
    with caplog.at_level(logging.WARNING):
        runner = run.build_runner(cfg)
    wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    assert isinstance(wrapper, CpuAutocastOptimWrapper) is has
    assert ('bfloat16' in caplog.text) is not has


@pytest.mark.parametrize(('probe', 'expected'), [(lambda: True, True), (lambda: False, False), (None, False)])
def test_bfloat16_is_used_only_where_torch_reports_it(monkeypatch, probe, expected):
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', probe, raising=False)
    assert cpu_has_bfloat16() is expected


def test_channels_last_changes_the_layout_and_not_the_answer():
    class Runner:
        model = nn.Sequential(network(), nn.Unflatten(1, (1, 1, 1, 2)), nn.Conv3d(1, 1, 1))

    inputs = torch.randn(2, 3, 8, 8)
    before = Runner.model(inputs)
    ChannelsLastHook().before_run(Runner)
    assert Runner.model[0][0].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(Runner.model(inputs), before)
