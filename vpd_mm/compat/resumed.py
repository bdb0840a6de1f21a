"""Checks that the content of a checkpoint fits a model and the training that resumes from it.

torch and mmengine take what a checkpoint has: a training without the state of its optimizer, or with other types in it,
continues and gives other numbers, or stops at a later step.  The functions raise ValueError with the reason.
"""

import math
from collections.abc import Mapping
from typing import Any

#: States of an optimizer that have the shape of their parameter.
PARAMETER_SHAPED = ('exp_avg', 'exp_avg_sq', 'max_exp_avg_sq', 'momentum_buffer')
#: Steps that a scheduler may be ahead of its training: it counts one when it is made.
AHEAD = 2


def check_kinds(model: Any, weights: Mapping) -> None:
    """Require the kind (whole, floating, complex, truth) of the model's weights; other precisions are converted."""

    def kind(value: Any) -> tuple:
        half = value.is_floating_point() and value.element_size() > 1  # no float8
        return value.is_floating_point(), half, value.is_complex(), str(value.dtype) == 'torch.bool'

    for key, value in model.state_dict().items():
        saved: Any = weights.get(key)
        if hasattr(saved, 'dtype') and hasattr(value, 'dtype') and kind(saved) != kind(value):
            raise ValueError(f'{key} has {saved.dtype} where the model has {value.dtype}')


def check_resume(runner: Any, content: dict) -> None:
    """Require that a checkpoint has all that a Runner of this training writes, in the same types."""
    meta = content['meta']
    for name in ('epoch', 'iter'):
        last = getattr(runner.train_loop, f'max_{name}s')
        if meta[name] > last:
            raise ValueError(f'its training is already finished: it is at {name} {meta[name]}, this one has {last}')
    average = content.get('ema_state_dict', {})
    for weights in (content['state_dict'], {key.removeprefix('module.'): value for key, value in average.items()}):
        check_kinds(getattr(runner.model, 'module', runner.model), weights)
    _check_hub(content['message_hub'])
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    optimizer = getattr(runner.optim_wrapper, 'optimizer', None)
    if 'optimizer' not in content:
        raise ValueError(
            'it has no state of the optimizer, as a best_*.pth has none; pass an epoch_*.pth or iter_*.pth'
        )
    if optimizer is not None:
        _check_optimizer(content['optimizer'], optimizer, meta['iter'])
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
        _check_schedulers(content.get('param_schedulers'), runner.param_schedulers, max(meta['epoch'], meta['iter']))


def _check_hub(hub: dict) -> None:
    for key, value in hub.get('runtime_info', {}).items():
        if key.startswith('best_score') and not _is_number(value):
            raise ValueError(f'its {key} is no finite number')
    for key, history in hub.get('log_scalars', {}).items():
        arrays: list[Any] = [getattr(history, name, None) for name in ('_log_history', '_count_history')]
        kinds = [array.dtype.kind for array in arrays if getattr(array, 'ndim', None) == 1]
        if len(kinds) < 2 or not set(kinds) <= set('iufb') or len(arrays[0]) != len(arrays[1]):
            raise ValueError(f'its log of {key} has no numbers')


def _check_optimizer(saved: Any, optimizer: Any, steps: int) -> None:
    own = optimizer.state_dict()
    groups, state = saved['param_groups'], saved['state']
    if not isinstance(state, dict) or not isinstance(groups, list) or len(groups) != len(own['param_groups']):
        raise ValueError('the groups of its optimizer are others')
    for group, expected in zip(groups, own['param_groups'], strict=True):
        if group['params'] != expected['params']:
            raise ValueError('the parameters of its optimizer are others')
        _check_same_types(group, expected, 'optimizer')
    parameters = [p for group in optimizer.param_groups for p in group['params']]
    if steps and not state and any(group.get('momentum', 1) for group in groups):
        raise ValueError('the state of its optimizer is empty')
    for index, values in state.items():
        parameter = parameters[index]
        for name, value in values.items():
            shape = getattr(value, 'shape', None)
            fits = shape == parameter.shape and value.is_floating_point() if name in PARAMETER_SHAPED else True
            if name == 'step':
                fits = (shape is None or value.numel() == 1) and _is_number(value) and 0 <= float(value) <= steps
            if not fits and value is not None:
                raise ValueError(f'{name} of parameter {index} of its optimizer does not fit')


def _check_schedulers(saved: Any, own: Any, steps: int) -> None:
    if type(saved) is not type(own) or len(saved) != len(own):
        raise ValueError('its param_schedulers are missing or others')
    if isinstance(own, dict):
        for name, schedulers in own.items():
            _check_schedulers(saved[name], schedulers, steps)
        return
    for state, scheduler in zip(saved, own, strict=True):
        expected = scheduler.state_dict()
        if set(state) - set(expected):  # a further name would replace a method
            raise ValueError(f'{min(set(state) - set(expected))} of its param_schedulers is not what a training writes')
        _check_same_types(state, expected, 'param_schedulers')
        for name in ('last_step', '_global_step'):
            if not -1 <= state[name] <= steps + AHEAD:
                raise ValueError(f'{name} of its param_schedulers is {state[name]} after {steps} steps')


def _check_same_types(saved: Any, own: dict, where: str) -> None:
    for name, expected in own.items():
        if name not in saved and (expected is None or isinstance(expected, bool)):
            continue  # a flag that an older release does not write
        if not _same_type(saved[name], expected):
            raise ValueError(f'{name} of its {where} is not what a training writes')


def _same_type(value: Any, expected: Any) -> bool:
    if expected is None:
        return value is None or isinstance(value, bool | str) or _is_number(value)
    if isinstance(expected, bool | str):
        return value is None or isinstance(value, type(expected))
    if isinstance(expected, list | tuple):
        pairs = zip(value, expected, strict=False) if isinstance(value, list | tuple) else ()
        return isinstance(value, list | tuple) and len(value) == len(expected) and all(_same_type(*p) for p in pairs)
    if _is_number(expected):
        return _is_number(value)
    return type(value) is type(expected)


def _is_number(value: Any) -> bool:
    """Tell whether a value is one finite number, of Python, NumPy or torch."""
    if getattr(value, 'ndim', 0) or isinstance(value, bool | str | bytes):
        return False
    try:
        return math.isfinite(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return False
