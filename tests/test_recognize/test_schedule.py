"""Schedule and selection of the paper's recogniser, against values of the published code."""

from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from mmengine.config import Config

from vpd_mm.features.corpus_config import apply_protocol
from vpd_mm.recognize import LogLoss
from vpd_mm.registry import HOOKS, PARAM_SCHEDULERS

#: Step, learning rate and weight decay of the published ``CyclicLRWithRestarts``: 1,050 clips, batch 50, period 50.  It
#: restarts one step late (1050, 3150): left out.
PUBLISHED = [
    (0, 0.001, 0.0003086067),
    (1, 0.000999997762, 0.000308606009),
    (525, 0.00050005, 0.00015430335),
    (1049, 1.0223778e-07, 6.90662904e-10),
    (1051, 0.000999999441, 0.000218217768),
    (2100, 0.00050005, 0.000109108945),
    (3149, 1.00559445e-07, 1.22093174e-10),
    (3500, 0.000982964617, 0.00015167447),
]


def test_learning_rate_and_weight_decay_of_the_published_code():
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    schedulers = []
    for cfg in Config.fromfile('configs/recognize/bigru.py').param_scheduler:
        kind = PARAM_SCHEDULERS.get(cfg.pop('type'))
        del cfg['convert_to_iter_based']
        schedulers.append(kind.build_iter_from_epoch(optimizer, **cfg, epoch_length=21))
    values = []
    for _ in range(3501):
        values.append((optimizer.param_groups[0]['lr'], optimizer.param_groups[0]['weight_decay']))
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    for step, *expected in PUBLISHED:
        assert values[step] == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_restarts_of_500_and_of_200_epochs():
    for name, restarts in (('bigru', [50, 150, 350]), ('bigru_200e', [20, 60, 140])):
        cfg = Config.fromfile(f'configs/recognize/{name}.py')
        for scheduler in cfg.param_scheduler:
            assert np.cumsum(scheduler.periods)[:3].tolist() == restarts
            assert sum(scheduler.periods) > cfg.train_cfg.max_epochs


@pytest.mark.parametrize(('name', 'num_epochs'), [('bigru', 500), ('bigru_200e', 200)])
def test_the_end_of_the_published_code(name, num_epochs):
    """It ends as soon as a validation without gain is more than a third of the epochs after the best one."""
    cfg = Config.fromfile(f'configs/recognize/{name}.py')
    assert 'custom_hooks' not in cfg
    apply_protocol(cfg, 'paper')
    for rising in (1, 3):  # validations, the last of which is the best one
        runner, hook = MagicMock(), HOOKS.build(cfg.custom_hooks[0])
        runner.train_loop.stop_training = False
        epochs = range(cfg.train_cfg.val_interval, num_epochs + 1, cfg.train_cfg.val_interval)
        values = [0.5, 0.6, 0.6][-rising:] + [0.55] * len(epochs)  # an equal one counts as a gain
        for epoch, value in zip(epochs, values, strict=False):
            hook.after_val_epoch(runner, {'nll/top1_then_loss': value})
            assert runner.train_loop.stop_training == (epoch - num_epochs // 3 > epochs[rising - 1])


def test_the_fast_configs_do_not_end_early():
    for path in Path('configs/recognize').glob('bigru_fast*.py'):
        assert not Config.fromfile(path).get('paper')


def test_ties_of_the_accuracy_are_broken_by_the_loss():
    def value(*rows):
        metric = LogLoss()
        metric.process({}, [{'pred_score': torch.tensor(row), 'gt_label': torch.tensor([0])} for row in rows])
        return metric.evaluate(len(rows))['nll/top1_then_loss']

    high, less = (0.9, 0.1), (0.6, 0.4)
    bad, worse = (0.4, 0.6), (0.0, 1.0)
    assert value(high, bad) > value(less, bad) > value(less, worse)
    assert value(less, less) > value(high, worse) > value(bad, bad)
