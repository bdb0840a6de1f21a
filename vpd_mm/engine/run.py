"""Build a Runner from a config, for GPUs or CPUs and one or more processes."""

import copy
import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as torch_dist
from mmengine import dist
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch.utils.data import DataLoader

from .. import registry
from ..compat.checkpoint_loading import RUN_CONFIG
from ..errors import UserError
from ..files import atomic_write, check_no_link, check_no_links, disk_errors_name
from .checkpoint_choice import best_checkpoint, last_checkpoint
from .cli import LAUNCHERS
from .config import config_name, set_filename
from .cpu_autocast import on_this_cpu
from .network_device import device_towards
from .progress import OnProgress
from .resume import sole_training
from .training_console import ConsoleHook, quiet_console
from .written_configs import record_configs

#: Where a Runner writes: the last two are its logs, in a folder named by the second.
_WORK_DIR_LEVELS = ('*', '[0-9]*_[0-9]*/*', '[0-9]*_[0-9]*/vis_data/*')


def build_runner(cfg: Config) -> Runner:
    """Build the Runner of ``cfg``, which writes it as ``config.py`` into its work dir.

    Without CUDA, several processes communicate through gloo; mmengine itself starts them on accelerators only.  In
    training, a batch of one value a channel is normalised with the running statistics, as it has no variance.

    Raises:
        UserError: a file or folder of the work dir is a link, through which the Runner would write.
    """
    check_no_links(cfg.work_dir, *_WORK_DIR_LEVELS)
    for loader in filter(None, (cfg.get(f'{part}_dataloader') for part in ('train', 'val', 'test'))):
        if not loader.get('num_workers'):  # torch refuses these without workers
            for name in ('persistent_workers', 'prefetch_factor', 'multiprocessing_context', 'timeout'):
                loader.pop(name, None)
    cfg = copy.copy(cfg)
    cfg.setdefault('experiment_name', config_name(cfg))
    set_filename(cfg, RUN_CONFIG)
    launcher = cfg.get('launcher', 'none')
    if not torch.cuda.is_available():
        if cfg.get('optim_wrapper'):
            cfg.optim_wrapper = on_this_cpu(cfg.optim_wrapper)
        if launcher != 'none':
            _init_gloo(launcher)
            # mmengine's default assigns a GPU to every process
            wrapper = {'type': 'MMDistributedDataParallel', 'broadcast_buffers': False, 'device_ids': None}
            cfg.model_wrapper_cfg = {**wrapper, **(cfg.get('model_wrapper_cfg') or {})}
    if torch_dist.is_initialized() or launcher != 'none':
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), {'type': 'vpd_mm.ReduceLossHook'}]
    hooks = cfg.get('custom_hooks') or []
    if cfg.get('resume') and not any(str(hook['type']).endswith('ExactResumeHook') for hook in hooks):
        cfg.custom_hooks = [*hooks, {'type': 'vpd_mm.RepeatValidationHook'}]
    runner = registry.RUNNERS.build(cfg) if 'runner_type' in cfg else QuietRunner.from_cfg(cfg)
    runner.register_hook(ConsoleHook())
    for module in runner.model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.register_forward_pre_hook(_use_running_statistics)
            module.register_forward_hook(_use_own_statistics)
    if dist.is_main_process():
        written = Path(runner.work_dir) / RUN_CONFIG, Path(runner.log_dir) / 'vis_data' / 'config.py'
        record_configs(path for path in written if path.is_file())
    return runner


class QuietRunner(Runner):
    """A Runner with a short console (:mod:`vpd_mm.engine.training_console`), which refuses a loader without a batch."""

    def build_logger(self, *args, **kwargs) -> MMLogger:
        return quiet_console(super().build_logger(*args, **kwargs))

    def build_visualizer(self, visualizer: Any = None) -> Visualizer:
        """Build one for this training alone: mmengine's serves all of a name that start in the same second."""
        if isinstance(visualizer, dict):
            visualizer = {'name': f'{self.experiment_name} {self.work_dir}', **visualizer}
        return super().build_visualizer(visualizer)

    @staticmethod
    def build_dataloader(*args, **kwargs) -> DataLoader:
        loader = Runner.build_dataloader(*args, **kwargs)
        if not len(loader):
            name, drawn = type(loader.dataset).__name__, len(loader.batch_sampler.sampler)
            raise UserError(f'{name}: {drawn} samples give no batch; lower batch_size, or set drop_last=False')
        return loader


def _use_running_statistics(module: torch.nn.Module, inputs: tuple) -> None:
    if module.training and inputs[0].numel() == inputs[0].shape[1]:
        module.training, module.is_single = False, True


def _use_own_statistics(module: torch.nn.Module, inputs: tuple, output: torch.Tensor) -> None:
    if module.__dict__.pop('is_single', False):
        module.training = True


def train_once(cfg: Config, work_dir: Path, on_progress: OnProgress) -> Path:
    """Train to the end, resume a stopped training or skip a finished one.

    Returns the best checkpoint, or the last one where the config selects none.  The name of ``work_dir`` has to say
    what the training depends on (``features.corpus_content.settings_digest``): a finished one is not repeated.

    Raises:
        UserError: another process trains in this folder.
    """
    cfg.experiment_name = work_dir.name
    mark = work_dir.with_suffix('.finished')
    if not mark.is_file():
        with sole_training(work_dir) as resume:
            cfg.work_dir, cfg.resume = str(work_dir), resume
            with disk_errors_name(work_dir):
                runner = build_runner(cfg)
                runner.register_hook(ProgressHook(on_progress))
                runner.train()
        with atomic_write(mark):
            pass
    return best_checkpoint(work_dir) or last_checkpoint(work_dir)


def test(cfg: Config, checkpoint: Path) -> dict[str, float]:
    """Metrics of a checkpoint on the test part of its config; logs go into the folder of the checkpoint."""
    cfg = copy.deepcopy(cfg)
    cfg.work_dir, cfg.load_from, cfg.resume = str(checkpoint.parent / 'test'), str(checkpoint), False
    cfg.experiment_name = f'{checkpoint.parent.name}-test'
    check_no_link(cfg.work_dir)
    return build_runner(cfg).test()


class ProgressHook(Hook):
    """Pass the steps of a training to ``on_progress``."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.on_progress = on_progress

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs: dict | None = None) -> None:
        self.on_progress(runner.iter + 1, runner.max_iters)


def _init_gloo(launcher: str) -> None:
    """Initialise the default process group on CPUs from the launcher's variables; UserError where one is missing."""
    if torch_dist.is_initialized():
        return
    for name, source in zip(LAUNCHERS['pytorch'], LAUNCHERS[launcher], strict=True):
        if source not in os.environ:
            raise UserError(f'--launcher {launcher}: {source} is not set; start with torchrun, srun or mpirun')
        os.environ[name] = os.environ[source]
    if 'MASTER_ADDR' not in os.environ and int(os.environ.get('SLURM_STEP_NUM_NODES', '1')) > 1:
        raise UserError(
            f'--launcher {launcher}: without GPUs, several machines need MASTER_ADDR, that of the first one'
        )
    address = os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
    os.environ.setdefault('MASTER_PORT', '29500')
    # gloo takes the device that the name of this machine leads to, which is the loopback device on many machines
    if device := device_towards(address):
        os.environ.setdefault('GLOO_SOCKET_IFNAME', device)
    torch_dist.init_process_group('gloo')
