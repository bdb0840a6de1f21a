"""What the tools share: one error line, the arguments of train and test, the config that results."""

import argparse
import ast
import difflib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import UserError
from .memory import keep_freed_memory

if TYPE_CHECKING:
    from mmengine.config import Config
    from rich.console import Console

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
#: What torchrun, srun and mpirun call the rank, the number of processes and the rank on this machine.
_RANKS = (
    ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
)


def run_tool(main: Callable[[Sequence[str] | None], int | None], argv: Sequence[str] | None = None) -> NoReturn:
    """Run a tool's ``main(argv)`` and exit.

    An exception becomes one line on stderr and exit status 1; with ``--debug``
    among the arguments the traceback is shown as well.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    keep_freed_memory()
    try:
        status = main(arguments) or 0
        leave_processes()
        sys.exit(status)
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here', file=sys.stderr)
        sys.exit(130)
    except Exception as e:
        if '--debug' in arguments:
            raise
        print(error_line(e), file=sys.stderr)
        sys.exit(1)


def leave_processes() -> None:
    """End together with the other processes of a run: gloo may abort who still listens to one that is gone."""
    torch = sys.modules.get('torch')
    if torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def error_line(error: BaseException) -> str:
    """One line for a person: the message; for what we did not foresee, its type and how to see more."""
    text = ' '.join(str(error).split())
    if isinstance(error, UserError):
        return f'error: {text}'
    if isinstance(error, OSError) and error.strerror:
        return f'error: {error.filename or "file"}: {error.strerror}'
    return f'error: {type(error).__name__}: {text} (--debug shows where)'


@contextmanager
def log_output(path: Path) -> Iterator['Console']:
    """Append all output, also that of child processes, to a file; gives a console on the terminal."""
    from rich.console import Console

    path.parent.mkdir(parents=True, exist_ok=True)
    saved = {number: os.dup(number) for number in (1, 2)}
    try:
        with path.open('ab') as log, os.fdopen(os.dup(1), 'w') as terminal:
            for number in saved:
                os.dup2(log.fileno(), number)
            yield Console(file=terminal, soft_wrap=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)


class ToolParser(argparse.ArgumentParser):
    """An ArgumentParser that knows ``--debug``, prints defaults and reports a bad argument in one line."""

    def __init__(self, description: str | None = None, **kwargs: Any) -> None:
        kwargs.setdefault('formatter_class', argparse.ArgumentDefaultsHelpFormatter)
        super().__init__(description=description, **kwargs)
        self.add_argument('--debug', action='store_true', help='show the traceback of an error')

    def error(self, message: str) -> NoReturn:
        raise UserError(f'{self.prog}: {message}; see --help')


def parse_rules(rules: Sequence[str]) -> dict[str, Any]:
    """What follows ``--track``: ['max_gap=5'] to {'max_gap': 5}; what is no Python literal stays text."""
    parsed: dict[str, Any] = {}
    for rule in rules:
        key, equals, value = rule.partition('=')
        if not equals or not key.isidentifier():
            raise UserError(f'--track {rule!r}: must be RULE=VALUE')
        try:
            parsed[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parsed[key] = value
    return parsed


def launcher_rank() -> tuple[int, int]:
    """(rank, world size) as torchrun, srun or mpirun set them; (0, 1) without a launcher."""
    for rank, world, _ in _RANKS:
        if rank in os.environ and world in os.environ:
            return int(os.environ[rank]), int(os.environ[world])
    return 0, 1


def local_rank() -> int:
    """Rank among the processes of this machine; 0 without a launcher."""
    for rank, world, local in _RANKS:
        if rank in os.environ and world in os.environ:
            return int(os.environ.get(local, os.environ[rank]))
    return 0


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of every tool that runs a config (mm habits)."""
    parser.add_argument('config', help='a path, a config of this project from any folder, or mmaction::<path>')
    parser.add_argument('--work-dir', help='logs and checkpoints go here; default work_dirs/<config name>')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='override fields, e.g. model.backbone.depth=18 train_cfg.max_epochs=2',
    )
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none', help='how the processes were started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of training."""
    add_run_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from CKPT, or from the last one in the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision')
    parser.add_argument('--no-validate', action='store_true', help='leave validation out')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate to the batch size')
    parser.add_argument('--seed', type=int, help='random seed; default: that of the config')
    parser.add_argument('--diff-rank-seed', action='store_true', help='a seed of its own for every process')
    parser.add_argument('--deterministic', action='store_true', help='deterministic kernels')


def add_corpus_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that set a config to a corpus (:mod:`vpd_mm.features.corpus_config`)."""
    parser.add_argument('--corpus', metavar='DIR', help='folder of the corpus; default: that of the config')
    parser.add_argument(
        '--features',
        metavar='NAME',
        help='features/<run>, teacher/<name> or a bare name, several joined by +; default: those of the config',
    )
    parser.add_argument('--stream', help='input of a baseline: crop, frame or flow; joint or bone')
    parser.add_argument('--poses', metavar='NAME', help='pose set of a skeleton baseline; default: the only one there')


def load_config(args: argparse.Namespace) -> 'Config':
    """Read ``args.config`` and merge the arguments that train and test share.

    Raises:
        UserError: the config is missing or does not parse, or an option does not fit it.
    """
    from .config import read_config

    return merge_run_arguments(read_config(args.config), args)


def merge_run_arguments(cfg: 'Config', args: argparse.Namespace, suffix: str = '') -> 'Config':
    """Merge the arguments that train and test share into a config.

    Args:
        cfg: Changed in place.
        args: ``cfg_options`` and ``work_dir``; ``launcher`` and ``local_rank`` where the tool has them.
        suffix: Appended to the name of the default work dir.

    Raises:
        UserError: an option does not fit the config.
    """
    merge_options(cfg, args.cfg_options)
    cfg.launcher = getattr(args, 'launcher', 'none')
    name = '_'.join(filter(None, (Path(cfg.filename).stem, suffix)))
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / name)
    os.environ.setdefault('LOCAL_RANK', str(getattr(args, 'local_rank', 0)))
    return cfg


def merge_options(cfg: 'Config', options: Sequence[str]) -> None:
    """Merge ``KEY=VALUE`` options into a config.

    A first key that neither the config nor the Runner knows is refused: mmengine
    would take it and do nothing.
    """
    from mmengine.config import DictAction
    from mmengine.runner import Runner

    known = set(cfg.keys()) | set(inspect.signature(Runner.__init__).parameters) | {'sync_bn', 'compile'}
    values = {}
    for option in options:
        key, equals, value = option.partition('=')
        if not equals or not key:
            raise UserError(f'--cfg-options {option}: must be KEY=VALUE')
        top = key.split('.')[0]
        if top not in known:
            near = difflib.get_close_matches(top, known, n=1)
            raise UserError(f'--cfg-options {key}: the config has no {top!r}' + (f'; {near[0]!r}?' if near else ''))
        values[key] = DictAction._parse_iterable(value)
    try:
        cfg.merge_from_dict(values)
    except (KeyError, IndexError, TypeError, ValueError) as e:
        raise UserError(f'--cfg-options {" ".join(options)}: does not fit the config: {e}') from e


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
    randomness = dict(cfg.get('randomness') or {})
    if args.seed is not None:
        randomness['seed'] = args.seed
    for flag in ('diff_rank_seed', 'deterministic'):
        if getattr(args, flag):
            randomness[flag] = True
    cfg.randomness = randomness
