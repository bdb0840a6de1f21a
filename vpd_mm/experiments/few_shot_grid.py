"""Run the few-shot grid: one row a run, nothing done twice."""

import csv
import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter

import torch
from mmengine.config import Config

from ..corpus import Corpus
from ..engine.locks import file_lock
from ..engine.paths import newest_best
from ..engine.resume import config_digest, sole_training
from ..engine.run import build_runner
from ..errors import UserError
from ..features.corpus_config import datasets_of
from ..structures import atomic_write
from .few_shot import few_shot_list

PROTOCOLS = ('default', 'paper')


@dataclass(frozen=True)
class GridRow:
    """One finished run; accuracies in percent.

    ``settings`` is a digest of the config: rows of another recipe are other rows.
    """

    config: str
    corpus: str
    features: str
    k: str
    subset: int
    seed: int
    protocol: str
    settings: str
    selected_on: str
    checkpoint: str
    top1: float
    top5: float
    mean1: float
    seconds: float

    @property
    def key(self) -> tuple:
        return (self.config, self.corpus, self.features, self.k, self.subset, self.seed, self.protocol, self.settings)


@dataclass(frozen=True)
class GridRun:
    """What is to be run: one model.

    Args:
        k: Actions a class; None: the whole training split.
        subset: Which of the fixed subsets; 0 with ``k=None``.
        seed: Of weights and batches.
    """

    k: int | None
    subset: int
    seed: int

    @property
    def name(self) -> str:
        return f'{self.k or "all"}_{self.subset}_seed{self.seed}'


def read_rows(path: Path) -> list[GridRow]:
    """Rows of a csv that :func:`write_rows` wrote; none where it does not exist.

    Raises:
        UserError: the file has other columns or values.
    """
    if not path.exists():
        return []
    with path.open(newline='', encoding='utf-8-sig') as f:
        reader = csv.DictReader(f)
        if tuple(reader.fieldnames or ()) != tuple(field.name for field in fields(GridRow)):
            raise UserError(f'{path}: not a table of tools/fewshot.py of this version; move it away')
        kinds = {field.name: field.type for field in fields(GridRow)}
        try:
            return [GridRow(**{name: kinds[name](value) for name, value in row.items()}) for row in reader]  # type: ignore[operator]
        except (TypeError, ValueError) as e:
            raise UserError(f'{path}: line {reader.line_num}: {e}; correct or delete the line') from e


def write_rows(path: Path, rows: Sequence[GridRow]) -> None:
    """Write the table, and beside it ``<stem>_summary.csv``."""
    with atomic_write(path, 'w') as f:
        writer = csv.DictWriter(f, [field.name for field in fields(GridRow)], lineterminator='\n')
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    summary = summarize(rows)
    with atomic_write(path.with_name(f'{path.stem}_summary.csv'), 'w') as f:
        writer = csv.DictWriter(f, list(summary[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(summary)


def add_row(path: Path, row: GridRow) -> None:
    """Put a row into the table, which other processes fill as well."""
    with file_lock(path.with_name(f'.{path.stem}.lock'), wait_sec=60, busy=f'{path}: locked for a minute'):
        rows = {known.key: known for known in read_rows(path)}
        write_rows(path, list((rows | {row.key: row}).values()))


def summarize(rows: Sequence[GridRow]) -> list[dict]:
    """Mean and sample deviation of the runs that differ in subset and seed alone, smallest k first."""
    groups: dict[tuple, list[GridRow]] = defaultdict(list)
    for row in rows:
        groups[(row.config, row.corpus, row.features, row.protocol, row.settings, row.k)].append(row)
    summary = []
    for key in sorted(groups, key=lambda key: (key[:-1], int(key[-1]) if key[-1].isdigit() else 1 << 30)):
        line = dict(zip(('config', 'corpus', 'features', 'protocol', 'settings', 'k'), key, strict=True))
        line['runs'] = len(groups[key])
        for name in ('top1', 'top5', 'mean1'):
            values = [getattr(row, name) for row in groups[key]]
            line[f'{name}_mean'] = round(mean(values), 2)
            line[f'{name}_sd'] = round(stdev(values), 2) if len(values) > 1 else 0.0
        summary.append(line)
    return summary


def run_grid(
    cfg: Config,
    config_name: str,
    runs: Sequence[GridRun],
    work_dir: Path,
    protocol: str = 'default',
    jobs: int = 1,
    allow_short: bool = False,
    report: Callable[[GridRow], None] | None = None,
) -> list[GridRow]:
    """Train and test every run that ``work_dir/fewshot.csv`` lacks; a stopped run goes on from its checkpoint.

    Several processes may fill one ``work_dir``, each with runs of its own.

    Args:
        cfg: As :func:`adapt_config` returns.
        config_name: Goes into the rows.
        runs: What to run.
        work_dir: Holds ``fewshot.csv``, its summary and a folder a run.
        protocol: 'default': the checkpoint is chosen on validation;
            'paper': as published (config field ``paper_selection``).
        jobs: Runs side by side, a process each.  (Several models as one
            batched GRU gain 3 to 9 % on a core, a process a core gains a core.)
        allow_short: Classes with fewer than k actions give all they have.
        report: Called with each new row.

    Returns:
        The rows of ``runs``, in their order.

    Raises:
        UserError: another process is at one of the runs, or what the data sets refuse.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f'protocol must be one of {", ".join(PROTOCOLS)}, found {protocol!r}')
    test = next(datasets_of(cfg, 'test'))
    corpus = Corpus.open(test.corpus)
    selected_on = cfg.get('paper_selection', 'val') if protocol == 'paper' else 'val'
    table = work_dir / 'fewshot.csv'
    rows = {row.key: row for row in read_rows(table)}
    settings = config_digest(cfg)
    names = test.get('features', test.get('poses', 'crops'))  # the rivals read poses or crops
    names = names if isinstance(names, str) else '+'.join(names)
    lists = {run: few_shot_list(corpus, run.k, run.subset, allow_short) for run in runs if run.k is not None}
    wanted, todo = {}, {}
    for run in runs:
        identity = (config_name, corpus.name, names, str(run.k or 'all'), run.subset, run.seed, protocol, settings)
        wanted[run] = identity
        if identity not in rows:
            ids = str(lists[run].relative_to(corpus.root)) if run in lists else None
            todo[run] = _run_config(cfg, ids, run, work_dir / f'{protocol}-{settings}' / run.name, selected_on)
    for run, outcome in _outcomes(todo, jobs):
        row = GridRow(*wanted[run], selected_on=selected_on, **outcome)
        rows[row.key] = row
        add_row(table, row)
        if report:
            report(row)
    return [rows[wanted[run]] for run in runs]


def _outcomes(todo: dict[GridRun, dict], jobs: int) -> Iterator[tuple[GridRun, dict]]:
    """Train and test each config, ``jobs`` at a time, and give what comes as it comes."""
    if jobs == 1:
        for run, cfg_dict in todo.items():
            yield run, _train_and_test_alone(cfg_dict)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context('spawn')) as pool:
        futures = {pool.submit(_train_and_test_alone, cfg_dict): run for run, cfg_dict in todo.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run_config(cfg: Config, ids_file: str | None, run: GridRun, work_dir: Path, selected_on: str) -> dict:
    cfg = Config(cfg._cfg_dict.to_dict())
    for dataset in datasets_of(cfg, 'train'):
        dataset.ids_file = ids_file
    for dataset in datasets_of(cfg, 'val'):
        dataset.split = selected_on
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{work_dir.parent.name}-{work_dir.name}'
    cfg.randomness = {**cfg.get('randomness', {}), 'seed': run.seed}
    cfg.load_from = None
    return cfg._cfg_dict.to_dict()


def _train_and_test_alone(cfg_dict: dict) -> dict:
    """:func:`train_and_test`, on from where the run was stopped, in a folder that no other process trains in."""
    with sole_training(Path(cfg_dict['work_dir'])) as resume:
        return train_and_test(cfg_dict | {'resume': resume})


def train_and_test(cfg_dict: dict) -> dict:
    """Train a config to its end on one thread, then test its best checkpoint.

    Returns:
        ``top1``, ``top5``, ``mean1`` in percent, ``checkpoint`` (file name),
        ``seconds``.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a GRU of this size is no faster on more, and runs side by side are
    start = perf_counter()
    try:
        runner = build_runner(Config(cfg_dict))
        runner.train()
        best = newest_best(Path(runner.work_dir))
        if best is None:
            raise UserError(f'{runner.work_dir}: no best_*.pth; the config needs CheckpointHook with save_best')
        runner.load_checkpoint(str(best))
        found = runner.test()
    finally:
        torch.set_num_threads(threads)
    return {
        'checkpoint': best.name,
        **{name: round(100 * float(found[f'acc/{name}']), 2) for name in ('top1', 'top5', 'mean1')},
        'seconds': round(perf_counter() - start, 1),
    }
