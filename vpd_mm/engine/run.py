"""Build a Runner from a config, for GPUs or CPUs and one or more processes."""

import os

import torch
import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.runner import Runner

from .. import registry
from ..errors import UserError
from .cli import LAUNCHERS
from .cpu_autocast import on_this_cpu


def build_runner(cfg: Config) -> Runner:
    """Build the Runner of ``cfg``.

    Without CUDA, several processes communicate through gloo; mmengine itself starts them on accelerators only.
    """
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
    return registry.RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def _init_gloo(launcher: str) -> None:
    """Initialise the default process group on CPUs from the launcher's variables."""
    if torch_dist.is_initialized():
        return
    for name, source in zip(LAUNCHERS['pytorch'], LAUNCHERS[launcher], strict=True):
        if source not in os.environ:
            raise UserError(f'--launcher {launcher}: {source} is not set; start with torchrun, srun or mpirun')
        os.environ[name] = os.environ[source]
    os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
    os.environ.setdefault('MASTER_PORT', '29500')
    torch_dist.init_process_group('gloo')
