"""Checks that the content of a checkpoint fits a model and the training that resumes from it.

torch and mmengine take what a checkpoint has: a training without the state of its optimizer, or with other types in it,
continues and gives other numbers, or stops at a later step.  The functions raise ValueError with the reason.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

#: States of an optimizer that have the shape of their parameter.
PARAMETER_SHAPED = ('exp_avg', 'exp_avg_sq', 'max_exp_avg_sq', 'momentum_buffer')


def check_kinds(model: Any, weights: Mapping) -> None:
    """Require the kind (whole, floating, complex, truth) of the model's weights; other precisions are converted."""

    def kind(value: Any) -> tuple:
        half = value.is_floating_point() and value.element_size() > 1  # no float8
        return value.is_floating_point(), half, value.is_complex(), str(value.dtype) == 'torch.bool'

    for key, value in model.state_dict().items():
        saved: Any = weights.get(key)
        if hasattr(saved, 'dtype') and hasattr(value, 'dtype') and kind(saved) != kind(value):
            raise ValueError(f'{key} has {saved.dtype} where the model has {value.dtype}')


def load_fitting(model: Any, weights: Mapping, strict: bool) -> tuple[str, bool]:
    """Load the weights that a model has, in the same shape; with ``strict`` all must fit.

    Modules that a model names in ``training_only`` may be missing, as in a packed checkpoint.

    Returns:
        A line that counts what was loaded, and whether everything fitted.
    """
    check_kinds(model, weights)
    own = model.state_dict()
    shapes = {key: (tuple(value.shape), tuple(own[key].shape)) for key, value in weights.items() if key in own}
    differing = {key: pair for key, pair in shapes.items() if pair[0] != pair[1]}
    other = [f'{key} {saved}, in the model {expected}' for key, (saved, expected) in differing.items()]
    fitting = OrderedDict((key, value) for key, value in weights.items() if key not in differing)
    if (metadata := getattr(weights, '_metadata', None)) is not None:
        fitting._metadata = metadata  # type: ignore[attr-defined]
    absent, foreign = model.load_state_dict(fitting, strict=False)
    optional = tuple(f'{name}.' for name in getattr(model, 'training_only', ()))
    missing = [key for key in absent if key not in shapes and 'num_batches_tracked' not in key]
    missing = [key for key in missing if not key.startswith(optional)]
    groups = {'missing': missing, 'of another shape': other, 'not of this model': foreign}
    problems = [f'{len(keys)} {what} ({keys[0]}{", ..." * (len(keys) > 1)})' for what, keys in groups.items() if keys]
    num_loaded = len(own) - len(absent)
    line = f'{num_loaded} of the {len(own)} weights of the model are loaded' + ''.join(
        f'; {problem}' for problem in problems
    )
    if problems and strict:
        raise ValueError(f'{"; ".join(problems)}; pass the checkpoint of this config')
    return line, not problems


def check_start(runner: Any, content: Mapping, strict: bool) -> None:
    """Require that a model got weights from a checkpoint; with ``strict`` also that its classes are those of the test.

    Raises ValueError.
    """
    saved = content.get('state_dict', content)
    own = getattr(runner.model, 'module', runner.model).state_dict()
    if not own.keys() & {key.removeprefix('module.') for key in saved}:
        raise ValueError(f'none of its {len(saved)} weights is one of this model')
    dataset = getattr(getattr(runner._test_loop, 'dataloader', None), 'dataset', None)
    trained = ((content.get('meta') or {}).get('dataset_meta') or {}).get('classes')
    tested = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    if strict and trained and tested and list(trained) != list(tested):
        raise ValueError(f'it was trained on the classes {_few(trained)}, the test has {_few(tested)}')


def _few(names: Sequence[str]) -> str:
    return f'{", ".join(map(str, names[:5]))}{", ..." * (len(names) > 5)} ({len(names)})'


def check_resume(runner: Any, content: dict) -> None:
    """Require that a checkpoint has all that a Runner of this training writes, in the same types."""
    meta = content['meta']
    unit = 'epoch' if _by_epoch(runner.train_loop) else 'iter'
    if meta[unit] > (last := getattr(runner.train_loop, f'max_{unit}s')):
        hint = f'raise train_cfg.max_{unit}s'
        raise ValueError(f'its training is already finished: it is at {unit} {meta[unit]}, this one has {last}; {hint}')
    average = content.get('ema_state_dict', {})
    for weights in (content['state_dict'], {key.removeprefix('module.'): value for key, value in average.items()}):
        check_kinds(getattr(runner.model, 'module', runner.model), weights)
    _check_hub(content['message_hub'])
    optimizer = getattr(runner.optim_wrapper, 'optimizer', None)
    if 'optimizer' not in content:
        raise ValueError(
            'it has no state of the optimizer, as a best_*.pth has none; pass an epoch_*.pth or iter_*.pth'
        )
    if optimizer is not None:
        _check_optimizer(content['optimizer'], optimizer, meta['iter'])
    content.pop('param_schedulers', None)  # follow_config computes it


@contextmanager
def follow_config(runner: Any) -> Iterator[None]:
    """After the resume inside, continue with the settings and on the schedule of the config, as if always trained so.

    The learning rate is that of the config's schedule at this step, also where it has more or fewer epochs than the
    stopped training; a jump is logged.  The count of an EarlyStoppingHook is restored.
    """
    from mmengine.hooks import EarlyStoppingHook

    loop = runner.train_loop
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    schedulers = _all(runner.param_schedulers)
    settings = [{k: v for k, v in group.items() if k != 'params'} for group in _groups(runner)]
    yield
    groups, length = _groups(runner), len(runner.train_dataloader)
    saved = [group.get('lr') for group in groups]
    if _by_epoch(loop):
        loop._iter = loop.epoch * length  # batches of another size make another number of steps
    if not any(getattr(scheduler, 'need_val_args', False) for scheduler in schedulers):  # these need past metrics
        for group, own in zip(groups, settings, strict=True):
            group.update(own)
        for scheduler in schedulers:
            scheduler.optimizer._global_step = 0  # it was used: no warning
        for step in range(1, loop.iter + 1):
            for scheduler in schedulers:
                if not scheduler.by_epoch or (_by_epoch(loop) and step % length == 0):
                    scheduler.step()
    for old, group in zip(saved, groups, strict=True):
        if old is not None and not math.isclose(old, group['lr'], rel_tol=1e-6, abs_tol=1e-12):
            runner.logger.warning(
                f'the learning rate was {old:.3g} when the training stopped, and continues at {group["lr"]:.3g} on the '
                'schedule of this config'
            )
            break
    for hook in runner.hooks:
        if isinstance(hook, EarlyStoppingHook) and f'val/{hook.monitor}' in runner.message_hub.log_scalars:
            values, _ = runner.message_hub.get_scalar(f'val/{hook.monitor}').data
            ends = [hook._check_stop_condition(value) for value in values]
            if ends and ends[-1][0]:
                loop.stop_training = True
                runner.logger.warning(f'this training is over: {ends[-1][1]}')


def _by_epoch(loop: Any) -> bool:
    return type(loop).__name__.startswith('Epoch')


def _all(parts: Any) -> list:
    """The items of a list, or of the lists of a dict (one per optimizer)."""
    return [item for part in parts.values() for item in part] if isinstance(parts, dict) else list(parts or ())


def _groups(runner: Any) -> list[dict]:
    return _all(runner.optim_wrapper.param_groups)


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
