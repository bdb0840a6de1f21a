"""Build a Runner from a config, for GPUs or CPUs and one or more processes."""

import os

import torch
import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.runner import Runner

from .. import registry
from ..errors import UserError
from .cpu_autocast import on_this_cpu


def build_runner(cfg: Config) -> Runner:
    """Build the Runner of ``cfg``.

    Without CUDA, several processes communicate through gloo; mmengine itself starts them on accelerators only.
    """
    on_cpu = not torch.cuda.is_available()
    if on_cpu and cfg.get('optim_wrapper'):
        cfg.optim_wrapper = on_this_cpu(cfg.optim_wrapper)
    if on_cpu and cfg.get('launcher', 'none') != 'none':
        _init_gloo(cfg.launcher)
        # mmengine's default assigns a GPU to every process
        wrapper = {'type': 'MMDistributedDataParallel', 'broadcast_buffers': False, 'device_ids': None}
        cfg.model_wrapper_cfg = {**wrapper, **(cfg.get('model_wrapper_cfg') or {})}
    if torch_dist.is_initialized() or cfg.get('launcher', 'none') != 'none':
        hooks = list(cfg.get('custom_hooks') or [])
        if not any(hook.get('type') == 'vpd_mm.ReduceLossHook' for hook in hooks):
            cfg.custom_hooks = [*hooks, {'type': 'vpd_mm.ReduceLossHook'}]
    return registry.RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def _init_gloo(launcher: str) -> None:
    """Initialise the default process group on CPUs from the launcher's variables."""
    if torch_dist.is_initialized():
        return
    aliases = {
        'slurm': {'RANK': 'SLURM_PROCID', 'WORLD_SIZE': 'SLURM_NTASKS', 'LOCAL_RANK': 'SLURM_LOCALID'},
        'mpi': {
            'RANK': 'OMPI_COMM_WORLD_RANK',
            'WORLD_SIZE': 'OMPI_COMM_WORLD_SIZE',
            'LOCAL_RANK': 'OMPI_COMM_WORLD_LOCAL_RANK',
        },
    }.get(launcher, {})
    for name, source in aliases.items():
        if source not in os.environ:
            raise UserError(f'--launcher {launcher}: {source} is not set; start with srun or mpirun, or use torchrun')
        os.environ[name] = os.environ[source]
    for name in ('RANK', 'WORLD_SIZE'):
        if name not in os.environ:
            raise UserError(f'--launcher {launcher}: {name} is not set; start with tools/dist_train.sh or torchrun')
    os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
    os.environ.setdefault('MASTER_PORT', '29500')
    torch_dist.init_process_group('gloo')
