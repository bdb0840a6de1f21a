"""Command lines of the tools: one error line, the shared arguments, and how they change a config."""

import argparse
import ctypes
import itertools
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import UserError, one_line
from ..files import check_no_link, check_no_links, read_text
from .escaped_output import escaped_output
from .tool_list import name_started_tools

if TYPE_CHECKING:  # check_env starts where they are missing
    from mmengine.config import Config

    from .console import PlainConsole

#: Launcher to the variables that it sets: rank, number of processes, rank on this machine.  Slurm sets rank 0 and
#: SLURM_NTASKS in a batch script, too, which is one process; the number of processes of srun is that of its step.
LAUNCHERS = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_STEP_NUM_TASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


def run_tool(main: Callable[[Sequence[str] | None], int | None], argv: Sequence[str] | None = None) -> NoReturn:
    """Run a tool's ``main(argv)`` and exit; an error becomes one line on stderr, with ``--debug`` a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    keep_freed_memory()
    # The threads of OpenMP, which torch computes with, wait for each other by spinning, and a training step takes much
    # longer where other programs, or the loaders, use the cores as well.  libgomp reads this when torch is imported.
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    warnings.formatwarning = _plain_deprecation  # type: ignore[assignment]
    with escaped_output():
        try:
            status = main(arguments) or 0
            leave_processes()
            sys.exit(status)
        except KeyboardInterrupt:
            print('interrupted; run the same command again to resume', file=sys.stderr)
            sys.exit(130)
        except Exception as e:
            if '--debug' in arguments:
                traceback.print_exc()
            else:
                print(error_line(e), file=sys.stderr)
            sys.exit(1)


def _plain_deprecation(message, category, *where: Any, _format: Callable = warnings.formatwarning) -> str:
    """Format a DeprecationWarning in one line without the source, others as usual."""
    return f'warning: {message}\n' if category is DeprecationWarning else _format(message, category, *where)


def keep_freed_memory() -> None:
    """Let glibc's malloc keep up to 256 MB of freed memory instead of returning it to the kernel.

    The kernel fills new pages with zeros, which slows down loaders, training and extraction
    (``tools/benchmark.py distill``).  Forked processes inherit the setting.
    """
    trim_threshold, mmap_threshold = -1, -3
    _set_malloc({trim_threshold: 256 << 20, mmap_threshold: 32 << 20})


def share_freed_memory() -> None:
    """Let all threads share two heaps of glibc's malloc instead of eight a core: each keeps what is freed in it."""
    arena_max = -8
    _set_malloc({arena_max: 2})


def _set_malloc(values: Mapping[int, int]) -> None:
    with suppress(OSError, AttributeError, TypeError):  # other C libraries have no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in values.items():
            mallopt(parameter, value)


def num_cores() -> int:
    """Number of processor cores that this process may use."""
    allowed = getattr(os, 'sched_getaffinity', None)  # Linux only
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def leave_processes() -> None:
    """Leave the process group together: gloo aborts a process whose peer has ended before."""
    torch = sys.modules.get('torch')
    if torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def error_line(error: BaseException, where: str = '') -> str:
    """Error message on one line, of input ``where``; unexpected errors get their type and a hint at ``--debug``."""
    text = ' '.join(str(error).split())
    if isinstance(error, OSError) and error.strerror and error.filename:
        text = f'{os.fsdecode(error.filename)}: {error.strerror}'
    elif not isinstance(error, UserError):
        text = f'{type(error).__name__}: {text} (--debug shows where)'
    return one_line(f'error: {where}: {text}' if where else f'error: {text}')


@contextmanager
def log_output(path: Path) -> 'Iterator[PlainConsole]':
    """Append all output, also that of child processes, to a file; gives a console on the terminal."""
    from .console import PlainConsole

    path.parent.mkdir(parents=True, exist_ok=True)
    saved = {number: os.dup(number) for number in (1, 2)}
    try:
        with path.open('ab') as log, os.fdopen(os.dup(1), 'w') as terminal:
            for number in saved:
                os.dup2(log.fileno(), number)
            yield PlainConsole(terminal, soft_wrap=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keep the lines of the description and show defaults that the help text does not name."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if 'default' in (action.help or '') or action.default is False or action.default in (None, '', []):
            return action.help
        return super()._get_help_string(action)


class ToolParser(argparse.ArgumentParser):
    """ArgumentParser with ``--debug`` and defaults in ``--help``; reports a bad argument in one line.

    Started by ``vpd-mm``, its help names the tools so: ``vpd-mm prepare``, not ``tools/prepare.py``.
    """

    def __init__(self, description: str | None = None, **kwargs: Any) -> None:
        kwargs.setdefault('formatter_class', _HelpFormatter)
        super().__init__(description=description, **kwargs)
        self.add_argument('--debug', action='store_true', help='show the traceback of an error')

    def format_help(self) -> str:
        return name_started_tools(super().format_help())

    def error(self, message: str) -> NoReturn:
        raise UserError(f'{self.prog}: {message}; see --help')


def add_overwrite_argument(
    parser: argparse.ArgumentParser, text: str = 'also replace files that this tool did not write'
) -> None:
    """Add the argument of every tool that writes a file where the user says (:func:`vpd_mm.files.check_output`)."""
    parser.add_argument('--overwrite', action='store_true', help=text)


def launcher_ranks() -> tuple[int, int, int]:
    """Rank, world size and rank on this machine as set by torchrun, srun or mpirun; (0, 1, 0) without a launcher."""
    for rank, world, local in LAUNCHERS.values():
        if rank in os.environ and world in os.environ:
            return int(os.environ[rank]), int(os.environ[world]), int(os.environ.get(local, os.environ[rank]))
    return 0, 1, 0


def add_cfg_options_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument that overrides fields of a config (:func:`vpd_mm.engine.config.merge_options`)."""
    example = 'override fields of the config, e.g. model.backbone.depth=18 train_cfg.max_epochs=2'
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help=example)


def refuse_options(args: argparse.Namespace, instead: Mapping[str, str]) -> None:
    """Raise UserError for ``--cfg-options`` of a field that an argument of the tool sets, named in ``instead``."""
    for option in args.cfg_options:
        name = option.partition('=')[0].strip().replace('.dataset.dataset.', '.dataset.')  # of a wrapper
        if name in instead:
            raise UserError(f'--cfg-options {name}: pass {instead[name]} instead, which sets it')


def add_run_arguments(parser: argparse.ArgumentParser, instead: str = '') -> None:
    """Add the arguments of every tool that runs a config, named as in mmaction2.

    ``instead``: what may be given in place of a config, for the help text.
    """
    add = parser.add_argument
    add('config', help=f'{instead}a path, a config of this project from any folder, or mmaction::<path>')
    add('--work-dir', help='folder of logs and checkpoints (default: work_dirs/<config name>)')
    add_cfg_options_argument(parser)
    add('--launcher', choices=['none', *LAUNCHERS], default='none', help='how the processes were started')
    add('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of training."""
    add_run_arguments(parser)
    add_epochs_argument(parser)
    add = parser.add_argument
    resume = 'resume from CKPT, or from the last checkpoint in the work dir'
    add('--resume', nargs='?', const='auto', metavar='CKPT', help=resume)
    add('--amp', action='store_true', help='automatic mixed precision')
    add('--no-validate', action='store_true', help='train without validation')
    add('--auto-scale-lr', action='store_true', help='scale the learning rate to the batch size')
    add('--seed', type=int, help='random seed (default: that of the config)')
    add('--diff-rank-seed', action='store_true', help='a different seed in each process')
    add('--deterministic', action='store_true', help='deterministic kernels')


def add_track_argument(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the rules of the tracker, in one option or in several."""
    parser.add_argument('--track', nargs='+', action='extend', default=[], metavar='RULE=VALUE', help=text)


def add_epochs_argument(parser: argparse.ArgumentParser) -> None:
    """Add the length of a training."""
    text = 'epochs of a training, for configs that count epochs; the schedule follows (default: those of the config)'
    parser.add_argument('--epochs', type=int, metavar='N', help=text)


def add_corpus_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that set a config to a corpus (:mod:`vpd_mm.features.corpus_config`)."""
    parser.add_argument('--corpus', metavar='DIR', help='folder of the corpus (default: that of the config)')
    parser.add_argument(
        '--features',
        metavar='NAME',
        help='features/<run>, teacher/<name> or a bare name, several joined by + (default: those of the config)',
    )
    parser.add_argument('--stream', help='input of a baseline, e.g. crop, flow, bone; ablation of a distillation')
    parser.add_argument('--poses', metavar='NAME', help='pose set of a skeleton baseline (default: the only one there)')
    text = "'paper': windows, splits, selection and model as published (python -m vpd_mm paper)"
    parser.add_argument('--protocol', choices=('default', 'paper'), default='default', help=text)


def load_config(args: argparse.Namespace, suffix: str = '', top: Collection[str] = ()) -> 'Config':
    """Read ``args.config`` and merge the arguments that train and test share (:func:`merge_run_arguments`)."""
    from .config import read_config

    return merge_run_arguments(read_config(args.config), args, suffix, top)


def merge_run_arguments(
    cfg: 'Config', args: argparse.Namespace, suffix: str = '', top: Collection[str] = ()
) -> 'Config':
    """Merge the arguments that train and test share into a config, in place.

    ``epochs``, ``launcher``, ``local_rank`` and ``subfolder`` (taken in place of the default work dir that holds it)
    may be absent; ``suffix`` is appended to the name of the default work dir; ``top`` is as of
    :func:`vpd_mm.engine.option_check.check_fields`.
    """
    from ..compat.checkpoint_loading import RUN_CONFIG
    from .config import config_name, epochs_option, merge_options

    epochs = getattr(args, 'epochs', None)
    merge_options(cfg, args.cfg_options + ([] if epochs is None else [epochs_option(cfg, epochs)]), top)
    cfg.launcher = getattr(args, 'launcher', 'none')
    name = '_'.join(filter(None, (config_name(cfg), suffix)))
    folder = getattr(args, 'subfolder', '')
    cfg.work_dir = args.work_dir or str(Path(cfg.get('work_dir') or Path('work_dirs') / name) / folder)
    if folder and not args.work_dir:
        check_no_link(cfg.work_dir)
    check_no_links(cfg.work_dir)
    copy = Path(cfg.work_dir) / RUN_CONFIG
    if copy.exists() and not _is_copy(read_text(copy)):
        raise UserError(f'{copy}: would be replaced by a copy of the config; pass another --work-dir')
    if copy.exists() and launcher_ranks()[0] == 0:
        _keep_edited(copy)
    os.environ.setdefault('LOCAL_RANK', str(getattr(args, 'local_rank', 0)))
    return cfg


def _is_copy(config: str) -> bool:
    """True for the text of a config that a Runner has written into its work dir: without bases and comments."""
    return 'work_dir = ' in config and '_base_' not in config and '#' not in config


def _keep_edited(copy: Path) -> None:
    """Rename a copy that no training of this user wrote, or that was edited: the Runner writes its own in its place."""
    from .written_configs import is_recorded

    if not is_recorded(copy):
        names = (copy.with_name(f'{copy.stem}-{number}.py') for number in itertools.count(1))
        kept = next(path for path in names if not os.path.lexists(path))
        print(f'{copy}: was edited or comes from another place; kept as {kept.name}', file=sys.stderr)
        copy.rename(kept)


def merge_train_arguments(cfg: 'Config', args: argparse.Namespace) -> None:
    """Merge the arguments of training into a config."""
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
        if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
            raise UserError(f'--amp: the config uses optim_wrapper {kind}; only OptimWrapper can be switched')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
        if cfg.load_from and not Path(cfg.load_from).is_file():
            raise UserError(f'--resume {cfg.load_from}: no such checkpoint')
    if args.auto_scale_lr:
        if 'auto_scale_lr' not in cfg:
            raise UserError('--auto-scale-lr: the config has no auto_scale_lr = dict(base_batch_size=...)')
        cfg.auto_scale_lr.enable = True
    given = {name: getattr(args, name) for name in ('seed', 'diff_rank_seed', 'deterministic')}
    cfg.randomness = {**cfg.get('randomness', {}), **{k: v for k, v in given.items() if v not in (None, False)}}
