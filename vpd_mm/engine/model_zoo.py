"""Load trained models of other OpenMMLab packages by config path or model zoo name."""

import difflib
import importlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ..errors import UserError, errors_name
from ..files import check_file, list_folder
from ..files.download import DownloadError
from .cli import launcher_ranks
from .config import read_config
from .paths import find_config, find_weights, zoo_dir

if TYPE_CHECKING:
    import torch

#: mmpose 1.3 has a short name for the l model only; these are its siblings, trained on the same eight body datasets.
SHORT_NAMES = {f'rtmpose-{size}': f'rtmpose-{size}_8xb256-420e_body8-256x192' for size in ('t', 's', 'm')}


def find_model(package: str, name: str, checkpoint: str | None = None) -> tuple[Config, str]:
    """Find config and checkpoint of a model of ``mmdet`` or ``mmpose``.

    Args:
        package: The package.
        name: Path of a config file, ``package::path`` within the package's configs, a name or alias of the package's
            model zoo (``rtmdet-m``, ``rtmpose-m``), or the name of any config file that the package carries, with or
            without ``.py`` and the folder that the package's documentation writes (``configs/rtmdet/...``).
        checkpoint: File or URL; None: the one that the model zoo lists for this config.

    Raises:
        UserError: no such config or name, or no checkpoint is known for it.
    """
    path = _find_config(package, name)
    if path is None or checkpoint is None:
        listed = list(_zoo_models(package))
        key = SHORT_NAMES.get(name.lower(), name.lower())
        named = [(config, weights) for _, config, weights in listed if config == path]
        named += [(config, weights) for names, config, weights in listed if key in names]
        if path is None and not named:
            known = {name for names, *_ in listed for name in names} | {p.stem.lower() for p in _carried(package)}
            close = difflib.get_close_matches(
                Path(key).name.removesuffix('.py'), known | SHORT_NAMES.keys(), n=3, cutoff=0.4
            )
            hint = f'; did you mean {", ".join(close)}?' if close else ''
            kind = 'no such file, and no config' if name.endswith('.py') else 'neither a config file (.py) nor a name'
            raise UserError(f'{package} model {name!r}: {kind} of the model zoo{hint}')
        if checkpoint is None and not named:
            raise UserError(
                f'{package} config {name}: no checkpoint given, and the model zoo lists none; '
                f'pass one: {package}:{name}:<checkpoint.pth>'
            )
        path, checkpoint = path or named[0][0], checkpoint or named[0][1]
    return read_config(path), checkpoint


def _find_config(package: str, name: str) -> Path | None:
    """Find a config file of the user, or one that a package carries; None for another name."""
    if '::' in name or (name.endswith('.py') and Path(name).is_file()):
        return find_config(name)
    key = name.lower().removesuffix('.py')
    paths = [path for path in _carried(package) if f'/{path.with_suffix("")}'.lower().endswith(f'/{key}')]
    if len(paths) > 1:
        choices = ' or '.join(f'{package}::{path.relative_to("configs")}' for path in paths)
        raise UserError(f'{package} model {name!r}: several configs have this name; pass {choices}')
    if paths:
        return (zoo_dir(package) / paths[0]).resolve()
    with suppress(UserError):
        return find_config(name)
    return None


def _carried(package: str) -> list[Path]:
    """Paths ``configs/...py`` of the configs that a package carries, within its folder."""
    root = zoo_dir(package)
    return [path.relative_to(root) for path in list_folder(root, 'configs/*/**/*.py') if '_base_' not in path.parts]


def _zoo_models(package: str) -> Iterator[tuple[list[str], Path, str]]:
    """Yield names in lower case, config and checkpoint of the models in a package's model zoo."""
    from mmengine.infer import BaseInferencer

    root = zoo_dir(package)
    for entry in BaseInferencer._get_models_from_metafile(str(root)):
        if weights := entry.get('Weights'):
            aliases = entry.get('Alias', [])
            names = [entry['Name'], *([aliases] if isinstance(aliases, str) else aliases)]
            weights = weights if isinstance(weights, str) else weights[0]
            yield [n.lower() for n in names], (root / entry['Config']).resolve(), weights


def fetch_model(package: str, name: str, checkpoint: str | None = None) -> tuple[Config, str]:
    """Find config and checkpoint as :func:`find_model`; a checkpoint on a web server is downloaded, once.

    Raises:
        DownloadError: the checkpoint cannot be downloaded.
        UserError: as :func:`find_model`; the checkpoint is missing.
    """
    cfg, weights = find_model(package, name, checkpoint)
    try:
        weights = find_weights(weights)
    except DownloadError as e:
        hint = f'download that file elsewhere and pass it: {package}:{name}:<checkpoint.pth>'
        raise DownloadError(f'{package} model {name}: {e}; {hint}') from e
    if '://' not in weights:
        with errors_name('checkpoint'):
            check_file(weights)
    return cfg, weights


def load_model(package: str, name: str, checkpoint: str | None, device: str) -> 'torch.nn.Module':
    """Load a model in evaluation mode, arguments as of :func:`find_model`.

    ``model.cfg`` is its config, ``model.dataset_meta`` the checkpoint's (keys in lower case; may be empty).

    Raises:
        UserError: as :func:`fetch_model`; the checkpoint is damaged, or does not fit.
    """
    from mmengine.model import revert_sync_batchnorm
    from mmengine.registry import MODELS
    from mmengine.runner import load_checkpoint

    importlib.import_module(f'{package}.apis')
    cfg, weights = fetch_model(package, name, checkpoint)
    cfg.setdefault('default_scope', package)
    if cfg.model.get('backbone', {}).get('init_cfg'):
        cfg.model.backbone.init_cfg = None  # do not download weights that the checkpoint replaces
    cfg.model.train_cfg = None
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = revert_sync_batchnorm(MODELS.build(cfg.model))
    loaded = load_checkpoint(model, weights, map_location='cpu', logger='silent')
    # load_checkpoint is not strict: with a checkpoint of another model it only logs that weights stay random
    state = {key.removeprefix('module.'): value for key, value in loaded.get('state_dict', loaded).items()}
    parameters = dict(model.named_parameters())
    missing = [key for key, value in parameters.items() if key not in state or state[key].shape != value.shape]
    if missing:
        raise UserError(
            f'checkpoint {weights} does not fit {package} model {name}: {len(missing)} of {len(parameters)} weights '
            f'are missing or of another shape ({missing[0]}, ...); pass the checkpoint that belongs to this config'
        )
    meta = loaded.get('meta', {})
    dataset_meta = meta.get('dataset_meta') or ({'classes': meta['CLASSES']} if meta.get('CLASSES') else {})
    model.dataset_meta = {str(key).lower(): value for key, value in dict(dataset_meta).items()}
    model.cfg = cfg
    return model.to(device).eval()


class ZooModel:
    """A model of another package that runs on frames through a pipeline of its own, in half precision on CUDA.

    Arguments as of :func:`find_model`; ``device``: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` ...

    Raises:
        UserError: as :func:`load_model`, or the batch size is below 1.
    """

    def __init__(self, package: str, name: str, checkpoint: str | None, device: str, batch_size: int) -> None:
        if batch_size < 1:
            raise UserError(f'{type(self).__name__}: batch_size must be at least 1, got {batch_size}')
        device = pick_device(device)
        self.model = load_model(package, name, checkpoint, device)
        self.batch_size = batch_size
        self.half = device.startswith('cuda')

    def set_pipeline(self, steps: list[dict]) -> None:
        """Build the data transforms, in the scope of the model."""
        from mmengine.dataset import Compose

        with DefaultScope.overwrite_default_scope(self.model.cfg.default_scope):
            self._pipeline = Compose(steps)

    def predict(self, samples: list[dict]) -> list:
        """Return ``pred_instances`` of one batch; a sample is an input of the pipeline, its ``img`` uint8 RGB."""
        import torch
        from mmengine.dataset import pseudo_collate

        # OpenMMLab expects images in memory as BGR; the model's preprocessor converts them if its weights need RGB.
        data = [self._pipeline({**s, 'img': np.ascontiguousarray(s['img'][..., ::-1])}) for s in samples]
        device = next(self.model.parameters()).device.type
        with torch.inference_mode(), torch.autocast(device, torch.float16, enabled=self.half):
            return [result.pred_instances for result in self.model.test_step(pseudo_collate(data))]


def pick_device(device: str) -> str:
    """Resolve ``auto`` to a CUDA device where there is one, else the CPU; other names pass through.

    The processes of a launcher share the GPUs of their machine.
    """
    if device != 'auto':
        return device
    import torch

    if not torch.cuda.is_available():
        return 'cpu'
    _, world, local = launcher_ranks()
    return f'cuda:{local % torch.cuda.device_count()}' if world > 1 else 'cuda'
