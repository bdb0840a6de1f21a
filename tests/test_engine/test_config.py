"""One number decides the length of a training: the schedule follows it."""

import pytest
import torch

from vpd_mm.engine.config import merge_options, read_config
from vpd_mm.registry import PARAM_SCHEDULERS

STEPS = 8  # an epoch


def rates(cfg) -> list[float]:
    """The learning rate of every step."""
    unit, length = next((k, v) for k, v in cfg.train_cfg.items() if k in ('max_epochs', 'max_iters'))
    steps = length * STEPS if unit == 'max_epochs' else length
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, weight_decay=1.0)
    entries = cfg.param_scheduler if isinstance(cfg.param_scheduler, list) else [cfg.param_scheduler]
    schedulers = []
    for entry in entries:
        end = length if entry.get('by_epoch', True) else steps  # as the Runner of mmengine does
        fields = {'optimizer': optimizer, 'epoch_length': STEPS}
        schedulers.append(PARAM_SCHEDULERS.build({'end': end, **entry}, default_args=fields))
    seen = []
    for step in range(1, steps + 1):
        seen.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or step % STEPS == 0:
                scheduler.step()
    return seen


@pytest.mark.parametrize(
    ('config', 'option', 'peak'),
    [
        ('detect/bigru_detector.py', 'train_cfg.max_epochs=4', 0),
        ('baselines/stgcn.py', 'train_cfg.max_epochs=4', STEPS - 1),
        ('baselines/stgcn.py', 'train_cfg.max_epochs=120', 3 * STEPS - 1),
        ('recognize/bigru.py', 'train_cfg.max_epochs=30', 0),
        ('recognize/bigru_fast.py', 'train_cfg.max_iters=100', 14),
        ('mmaction::skeleton/stgcn/stgcn_8xb16-joint-u100-80e_ntu60-xsub-keypoint-2d.py', 'train_cfg.max_epochs=4', 0),
    ],
)
def test_the_schedule_follows_the_number_of_epochs(config, option, peak):
    cfg = read_config(config)
    merge_options(cfg, [option])
    seen = rates(cfg)
    assert seen[peak] == max(seen) == pytest.approx(1)
    if 'bigru.py' in config:  # restarts after 3, 9 and 21 epochs of 30
        assert [i // STEPS for i in range(1, len(seen)) if seen[i] > seen[i - 1]] == [3, 9, 21]
    else:
        assert seen[-1] < 0.03


def test_a_given_schedule_stays_and_one_epoch_is_a_warm_up():
    cfg = read_config('baselines/stgcn.py')
    merge_options(cfg, ['train_cfg.max_epochs=1'])
    assert [scheduler.type for scheduler in cfg.param_scheduler] == ['LinearLR']
    cfg = read_config('detect/bigru_detector.py')
    merge_options(cfg, ['train_cfg.max_epochs=4', 'param_scheduler.T_max=40'])
    assert cfg.param_scheduler.T_max == 40
    assert rates(cfg)[-1] > 0.9
