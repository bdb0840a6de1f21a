"""Check that an option of a config changes what is built from it."""

import difflib
import inspect
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.optim import OptimWrapper
from mmengine.registry import Registry
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from .. import registry
from ..errors import UserError

#: Keys that no signature has: of the whole config, of a dataloader, of a loop, and of anything with a ``type``.
_TOP = {'sync_bn', 'compile', 'model_wrapper_cfg', 'find_unused_parameters', 'activation_checkpointing', 'runner_type'}
_LOADER, _LOOP = {'num_batch_per_epoch'}, {'by_epoch', 'type', 'fp16'}
_TYPED = {
    'type',
    'init_cfg',
    'priority',
    'convert_to_iter_based',
    'constructor',
    'paramwise_cfg',
    '_scope_',
    '_delete_',
}
#: Top-level fields of this project's configs, where they have them: ``tools/detect.py`` reads them.
_OWN = {'folds', 'protocol'}
_RANDOMNESS = {'seed', 'diff_rank_seed', 'deterministic'}


def check_fields(cfg: Config, values: Mapping[str, Any], option: str, top: Collection[str] = ()) -> None:
    """Check that something reads each field that values set: their dotted keys, and those of dicts among them.

    A variable of the config, whose value other fields took when it was read, is none, nor is a misspelt name.  A field
    that the config does not have is accepted if the class that it configures has such an argument.

    Args:
        cfg: The config.
        values: Of keys such as ``train_dataloader.dataset.min_score`` or ``param_scheduler.0.begin``.
        option: How the values were given, for the message.
        top: Top-level fields of a config that is not for a Runner.

    Raises:
        UserError: nothing reads the field; the message has the nearest one.
    """
    for key, value in values.items():
        if isinstance(value, Mapping) and value and not value.keys() & {'type', '_delete_'}:
            check_fields(cfg, {f'{key}.{name}': part for name, part in value.items()}, option, top)
        else:
            _check_field(cfg, key, option, top)


def _check_field(cfg: Config, key: str, option: str, top: Collection[str]) -> None:
    known = set(top) or _parameters(Runner) | _TOP | (_OWN & cfg.keys())
    node: Any = cfg._cfg_dict
    parts = key.split('.')
    for i, part in enumerate(parts):
        if isinstance(node, list | tuple) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
            continue
        if not isinstance(node, Mapping):
            return  # the merge reports it
        names, strict = (known, True) if i == 0 else _fields(node, parts[:i])
        own = names if i == 0 else names | node.keys()
        nearest = difflib.get_close_matches(part, own, n=1, cutoff=0.8)
        if part not in own and (strict or nearest or part.isdigit()):
            fields = {name: value for name, value in node.items() if name in known} if i == 0 else {}
            near = [] if part in node else ['.'.join([*parts[:i], name, *parts[i + 1 :]]) for name in nearest]
            near = (
                near
                or _same_name(fields, parts[-1])
                or difflib.get_close_matches(key, list(_keys(fields)), n=1, cutoff=0.5)
            )
            reason = f'{".".join(parts[:i]) or "the config"} has no {part!r}'
            if part in node:
                reason = f'{part!r} is a variable of the config, which is used up when it is read'
            hint = f'did you mean {" or ".join(near)}?' if near else f'it has {", ".join(sorted(own & node.keys()))}'
            raise UserError(f'{option} {key}: changes nothing: {reason}; {hint}')
        if part not in node:
            return
        node = node[part]


def _same_name(fields: Mapping, name: str) -> list[str]:
    """Up to three fields whose last key is ``name``, or the argument of the tools that sets them all."""
    same = [field for field in _keys(fields) if field.rpartition('.')[2] == name]
    return ['--corpus DIR'] if same and name == 'corpus' else same[:3]


def _keys(node: Any, prefix: str = '') -> Iterator[str]:
    """All dotted keys below a node."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list | tuple) else ()
    for name, value in items:
        yield f'{prefix}{name}'
        yield from _keys(value, f'{prefix}{name}.')


def _fields(node: Mapping, path: list[str]) -> tuple[set[str], bool]:
    """The fields that something reads in a part of a config, as far as known; True if there are no others."""
    if cls := _find_class(node.get('type')):
        return _parameters(cls) | _TYPED, not _takes_any(cls)
    if path[-1].endswith('_dataloader'):
        return _parameters(DataLoader) | _LOADER, True
    if path == ['train_cfg']:
        return _parameters(EpochBasedTrainLoop if node.get('by_epoch', True) else IterBasedTrainLoop) | _LOOP, True
    if path == ['optim_wrapper']:
        return _parameters(OptimWrapper) | _TYPED, False
    return (_RANDOMNESS, True) if path == ['randomness'] else (set(), False)


def _find_class(name: Any) -> Any:
    roots = [value for value in vars(registry).values() if isinstance(value, Registry)] if isinstance(name, str) else []
    return next(filter(None, (root.get(name) for root in roots)), None) if roots else name


def _parameters(cls: Any) -> set[str]:
    """Names of the arguments of a class, and of its base classes where it passes any on."""
    classes = [base for base in inspect.getmro(cls) if base is not object] if inspect.isclass(cls) else [cls]
    return {name for base in classes for name in inspect.signature(base).parameters}


def _takes_any(cls: Any) -> bool:
    """True if arguments are accepted that no signature names."""
    if inspect.isclass(cls) and issubclass(cls, BaseMetric | BaseLoop):  # they pass the others on to these
        return False
    kinds = [parameter.kind for parameter in inspect.signature(cls).parameters.values()]
    return inspect.Parameter.VAR_KEYWORD in kinds
