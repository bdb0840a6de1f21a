"""An option that nothing reads is an error with the field that was meant."""

import pytest

from vpd_mm.engine.config import epochs_option, merge_options, read_config
from vpd_mm.errors import UserError

REAL, BIGRU = 'configs/distill/resnet18_2d-vpd_40e_real.py', 'configs/recognize/bigru_fast_features.py'
DETECTOR = 'configs/detect/bigru_detector.py'


@pytest.mark.parametrize(
    ('config', 'key', 'meant'),
    [
        (REAL, 'data.corpus', '--corpus DIR'),
        (REAL, 'corpus', '--corpus DIR'),
        (REAL, 'max_epochs', 'train_cfg.max_epochs'),
        (REAL, 'train_cfg.max_epoch', 'train_cfg.max_epochs'),
        (REAL, 'lr', 'optim_wrapper.optimizer.lr'),
        (REAL, 'optim_wrapper.optimizer.lrr', 'optim_wrapper.optimizer.lr'),
        (REAL, 'train_dataloader.batchsize', 'train_dataloader.batch_size'),
        (REAL, 'train_dataloader.dataset.min_scor', 'train_dataloader.dataset.min_score'),
        (REAL, 'model.student.backbone.dept', 'model.student.backbone.depth'),
        (REAL, 'modle.student', 'model.student'),
        (REAL, 'default_hooks.checkpiont.interval', 'default_hooks.checkpoint.interval'),
        (REAL, 'param_scheduler.Tmax', 'param_scheduler.T_max'),
        (REAL, 'randomness.sed', 'randomness.seed'),
        (REAL, 'vis_backends', 'visualizer.vis_backends'),
        (BIGRU, 'max_iters', 'train_cfg.max_iters'),
        (BIGRU, 'pack.0.num_frames', 'train_dataloader.dataset.pipeline.1.num_frames or '),
        (BIGRU, 'vipe.features', 'train_dataloader.dataset.features or val_dataloader.dataset.features or '),
        (DETECTOR, 'val_evaluator.thresh', 'val_evaluator.threshold'),
        (DETECTOR, 'fold', 'folds'),
    ],
)
def test_the_field_that_was_meant_is_named(config, key, meant):
    with pytest.raises(UserError) as error:
        merge_options(read_config(config), [f'{key}=1'])
    assert str(error.value).startswith(f'--cfg-options {key}: changes nothing: ')
    assert f'did you mean {meant}' in str(error.value)


@pytest.mark.parametrize(
    ('config', 'key'),
    [
        (REAL, 'train_dataloader.dataset.min_score'),  # an argument of the data set that the config leaves out
        (REAL, 'train_dataloader.prefetch_factor'),
        (REAL, 'optim_wrapper.optimizer.weight_decay'),
        (REAL, 'optim_wrapper.accumulative_counts'),
        (REAL, 'model.student.backbone.norm_eval'),
        (REAL, 'default_hooks.checkpoint.filename_tmpl'),
        (REAL, 'train_cfg.val_begin'),
        (REAL, 'load_from'),
        (REAL, 'sync_bn'),
        (BIGRU, 'train_dataloader.dataset.pipeline.0.max_share'),
        (BIGRU, 'param_scheduler.0.end'),
        (DETECTOR, 'folds'),
        (DETECTOR, 'auto_scale_lr.base_batch_size'),
    ],
)
def test_a_field_that_is_read_is_set(config, key):
    merge_options(cfg := read_config(config), [f'{key}=3'])
    value = cfg
    for part in key.split('.'):
        value = value[int(part) if part.isdigit() else part]
    assert value == 3


@pytest.mark.parametrize(
    ('config', 'key', 'message'),
    [
        (BIGRU, 'zzz', "the config has no 'zzz'; it has custom_hooks, default_hooks, .*train_cfg"),
        (REAL, 'train_cfg.max_iters', "train_cfg has no 'max_iters'; it has by_epoch, max_epochs, val_interval$"),
        (BIGRU, 'train_cfg.max_epochs', "train_cfg has no 'max_epochs'; it has "),
        (DETECTOR, 'val_evaluator.0.foo', "val_evaluator has no '0'; it has threshold, tolerances, type"),
        (DETECTOR, 'val_evaluator.foo', "val_evaluator has no 'foo'; it has threshold, tolerances, type"),
    ],
)
def test_a_name_that_is_like_no_other_gets_the_list(config, key, message):
    with pytest.raises(UserError, match=message):
        merge_options(read_config(config), [f'{key}=1'])


def test_epochs_set_the_length_of_trainings_that_count_them():
    assert epochs_option(read_config(REAL), 3) == 'train_cfg.max_epochs=3'
    for config, epochs, message in (
        (REAL, 0, '--epochs 0: must be 1 or more'),
        (BIGRU, 3, r'bigru_fast_features counts iterations: --cfg-options train_cfg\.max_iters=N, now 1000'),
        ('configs/compare/penn_action.py', 3, 'penn_action is no training'),
    ):
        with pytest.raises(UserError, match=message):
            epochs_option(read_config(config), epochs)
