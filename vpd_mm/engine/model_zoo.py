"""Trained models of other OpenMMLab packages, by config path or model-zoo name."""

import difflib
import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import Config
from mmengine.registry import DefaultScope

from ..errors import UserError
from .cli import launcher_rank, local_rank
from .paths import find_config

if TYPE_CHECKING:
    import torch

#: mmpose 1.3 gives only the l model its short name; these are its siblings, trained on the same eight body datasets.
SHORT_NAMES = {f'rtmpose-{size}': f'rtmpose-{size}_8xb256-420e_body8-256x192' for size in ('t', 's', 'm')}


def find_model(package: str, name: str, checkpoint: str | None = None) -> tuple[Config, str]:
    """Config and checkpoint of a model.

    Args:
        package: ``mmdet`` or ``mmpose``.
        name: Path of a config file, ``package::path`` within the package's
            configs, or a name or alias of the package's model zoo
            (``rtmdet-m``, ``rtmpose-m``).
        checkpoint: File or URL; by default the one that the model zoo lists
            for this config.

    Raises:
        UserError: no such config or name, or no checkpoint is known for it.
    """
    if '::' in name or name.endswith('.py'):
        path = find_config(name)
        checkpoint = checkpoint or _listed_weights(package, path)
        if not checkpoint:
            raise UserError(
                f'{package} config {name}: no checkpoint given, and the model zoo lists none; '
                f'pass one: {package}:{name}:<checkpoint.pth>'
            )
        return Config.fromfile(path), checkpoint
    wanted = SHORT_NAMES.get(name.lower(), name.lower())
    for root, entry in _zoo(package, wanted):
        aliases = entry.get('Alias', [])
        names = [entry['Name'], *([aliases] if isinstance(aliases, str) else aliases)]
        if wanted in map(str.lower, names):
            return Config.fromfile(root / entry['Config']), checkpoint or _first(entry['Weights'])
    mention = re.compile(r'(?m)^ *(?:- *)?(?:Name: *|Alias: *|(?<=- ))([a-z]\S*[-_]\S*)$')
    known = {name for text in _metafiles(package) for name in mention.findall(text)}
    close = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4)
    hint = f'; near it: {", ".join(close)}' if close else ''
    raise UserError(f'{package} model {name!r}: neither a config file (.py) nor a name of the model zoo{hint}')


def load_model(package: str, name: str, checkpoint: str | None, device: str) -> 'torch.nn.Module':
    """The model with its weights, in evaluation mode; ``model.cfg`` is its config, ``model.dataset_meta`` the
    checkpoint's (keys in lower case; empty when it carries none).

    Raises:
        UserError: as :func:`find_model`; the checkpoint is missing, damaged,
            cannot be downloaded, or is not one of this config.
    """
    from mmengine.model import revert_sync_batchnorm
    from mmengine.registry import MODELS
    from mmengine.runner import load_checkpoint

    importlib.import_module(f'{package}.apis')
    cfg, weights = find_model(package, name, checkpoint)
    if cfg.model.get('backbone', {}).get('init_cfg'):
        cfg.model.backbone.init_cfg = None  # else weights that the checkpoint replaces would be downloaded first
    cfg.model.train_cfg = None
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', package)):
        model = revert_sync_batchnorm(MODELS.build(cfg.model))
    remote = '://' in weights
    try:
        loaded = load_checkpoint(model, weights, map_location='cpu', logger='silent')
    except OSError as e:
        if not remote:
            raise
        reason = getattr(e, 'reason', e)
        raise UserError(
            f'{package} model {name}: cannot download {weights} ({reason}); '
            f'fetch that file elsewhere and pass it: {package}:{name}:<checkpoint.pth>'
        ) from e
    _check_fit(model, loaded, f'checkpoint {weights}', f'{package} model {name}')
    meta = loaded.get('meta', {})
    dataset_meta = meta.get('dataset_meta') or ({'classes': meta['CLASSES']} if meta.get('CLASSES') else {})
    model.dataset_meta = {key.lower(): value for key, value in dataset_meta.items()}
    model.cfg = cfg
    return model.to(device).eval()


def pick_device(device: str) -> str:
    """``auto`` is a CUDA device where there is one, else the CPU; other names pass through.

    The processes of a launcher share the GPUs of their machine.
    """
    if device != 'auto':
        return device
    import torch

    if not torch.cuda.is_available():
        return 'cpu'
    return f'cuda:{local_rank() % torch.cuda.device_count()}' if launcher_rank()[1] > 1 else 'cuda'


def _check_fit(model: 'torch.nn.Module', loaded: dict, checkpoint: str, name: str) -> None:
    # load_checkpoint is lenient: with a foreign file it would leave the weights random and say so in the log only.
    state = {key.removeprefix('module.'): value for key, value in loaded.get('state_dict', loaded).items()}
    parameters = dict(model.named_parameters())
    off = [key for key, value in parameters.items() if key not in state or state[key].shape != value.shape]
    if off:
        raise UserError(
            f'{checkpoint} does not fit {name}: {len(off)} of {len(parameters)} weights are missing or of '
            f'another shape ({off[0]}, ...); pass the checkpoint that belongs to this config'
        )


def _first(weights: str | list[str]) -> str:
    return weights if isinstance(weights, str) else weights[0]


def _root(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f'{package} is not installed; see requirements/openmmlab.txt')
    folder = Path(spec.submodule_search_locations[0])
    return folder / '.mim' if (folder / '.mim').is_dir() else folder.parent


def _metafiles(package: str) -> Iterator[str]:
    """The text of every metafile in the package's model index."""
    import yaml

    root = _root(package)
    for relative in yaml.safe_load((root / 'model-index.yml').read_text(encoding='utf-8'))['Import']:
        if (root / relative).is_file():
            yield (root / relative).read_text(encoding='utf-8')


def _zoo(package: str, mention: str) -> Iterator[tuple[Path, dict]]:
    """Models with weights in the metafiles that mention a word, and the folder that their ``Config`` is relative to."""
    import yaml

    root = _root(package)
    for text in _metafiles(package):
        if mention in text.lower():  # parsing all of them takes seconds
            for entry in yaml.safe_load(text).get('Models') or ():
                if entry.get('Weights'):
                    yield root, entry


def _listed_weights(package: str, config: Path) -> str | None:
    root = _root(package).resolve()
    if root not in config.parents:
        return None
    for _, entry in _zoo(package, config.name.lower()):
        if (root / entry['Config']).resolve() == config:
            return _first(entry['Weights'])
    return None
