"""From finished runs to rows and means."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ..baselines.clip_scores import ClipScores, mean_scores
from ..structures import atomic_write
from .comparison import Method, Section
from .comparison_plan import Plan, Run
from .run_store import RunStore


@dataclass(frozen=True)
class Row:
    """One finished run as a line of results.csv; accuracies in percent, None where the method gives none."""

    section: str
    method: str
    group: str
    kind: str
    config: str
    features: str
    corpus: str
    k: str
    subset: int
    seed: int
    split: str
    selected_on: str
    protocol: str
    settings: str
    commit: str
    checkpoint: str
    top1: float | None
    top5: float | None
    mean1: float | None
    seconds: float
    key: str


@dataclass(frozen=True)
class Cell:
    """Mean and sample deviation of the runs of a method at one k, in percent.

    Args:
        mean, deviation: Of the finished runs.
        runs: How many these are.
        missing: How many are not finished.
    """

    mean: float
    deviation: float
    runs: int
    missing: int = 0

    @classmethod
    def of(cls, values: Sequence[float], planned: int) -> 'Cell':
        """Of the accuracies of the finished ones of ``planned`` runs."""
        deviation = stdev(values) if len(values) > 1 else 0.0
        return cls(mean(values), deviation, len(values), planned - len(values))

    def __str__(self) -> str:
        text = f'{self.mean:.1f} ± {self.deviation:.1f}' if self.runs > 1 else f'{self.mean:.1f}'
        return text + (f' ({self.runs} of {self.runs + self.missing} runs)' if self.missing else '')


def collect_rows(plan: Plan, store: RunStore) -> list[Row]:
    """The finished runs in the order of the tables, with the ensembles of finished runs; detection has its own."""
    rows: list[Row] = []
    for section in plan.comparison.sections:
        if section.name == 'detection':
            continue
        done = {
            method.name: [_row(section, method, store[run.key]) for run in plan.of(section, method) if run.key in store]
            for method in section.methods
            if method.kind != 'ensemble'
        }
        scores: dict[str, ClipScores] = {}
        for method in section.methods:
            rows += _rows_of(section, method, done, scores, store.scores)
    return rows


def _row(section: Section, method: Method, found: dict) -> Row:
    here: dict[str, Any] = {'section': section.name, 'method': method.name, 'group': method.group, 'k': str(found['k'])}
    saved: dict[str, Any] = {item.name: found.get(item.name) for item in fields(Row)}
    return Row(**(saved | here))


def _rows_of(
    section: Section,
    method: Method,
    done: dict[str, list[Row]],
    scores: dict[str, ClipScores],
    load: Callable[[str], ClipScores],
) -> list[Row]:
    """The rows of a method; those of an ensemble are made, from its members' scores of the same k, subset and seed."""
    if method.name in done:
        return done[method.name]
    done[method.name] = []  # ensembles that go in a circle end here
    parts = [_rows_of(section, section.method(name), done, scores, load) for name in method.of]
    for first in max(parts, key=len):
        members = []
        for part in parts:
            # what has no seed (nearest neighbours) goes with every seed
            same = [row for row in part if (row.k, row.subset) == (first.k, first.subset)]
            members += [row for row in same if row.seed == first.seed or row.kind == 'nearest'][:1]
        if len(members) < len(parts):
            continue
        for row in members:
            if row.key not in scores:
                scores[row.key] = load(row.key)
        averaged = mean_scores([scores[row.key] for row in members])
        accuracy = averaged.accuracy()
        row = replace(
            first,
            method=method.name,
            group=method.group,
            kind='ensemble',
            config=' + '.join(dict.fromkeys(row.config or row.features for row in members)),
            features='',
            settings='+'.join(row.settings for row in members),
            commit='+'.join(sorted({row.commit for row in members})),
            checkpoint=' + '.join(row.checkpoint for row in members),
            seconds=0.0,
            key=f'({"+".join(row.key for row in members)})',
            top1=accuracy['top1'],
            top5=accuracy['top5'],
            mean1=accuracy['mean1'],
        )
        scores[row.key] = averaged
        done[method.name].append(row)
    return done[method.name]


def planned_runs(plan: Plan, section: Section, method: Method, k: int | None) -> int:
    """How many runs a cell has when all is done."""
    if method.kind == 'ensemble':
        return max(planned_runs(plan, section, section.method(name), k) for name in method.of)
    return sum(run.k == k for run in plan.of(section, method))


def cell_of(plan: Plan, rows: Sequence[Row], section: Section, method: Method, k: int | None) -> Cell | None:
    """What a table says of a method at one k; None where nothing is finished."""
    found = rows_at(rows, section, method, k)
    values = [row.top1 for row in found if row.top1 is not None]
    return Cell.of(values, planned_runs(plan, section, method, k)) if values else None


def cells_of(plan: Plan, rows: Sequence[Row], section: Section) -> dict[tuple[str, int | None], Cell]:
    """The cells of a section in which something is finished, by method and k."""
    found = {(m.name, k): cell_of(plan, rows, section, m, k) for m in section.methods for k in section.ks}
    return {place: cell for place, cell in found.items() if cell is not None}


def rows_at(rows: Sequence[Row], section: Section, method: Method, k: int | None) -> list[Row]:
    """The rows of one cell."""
    wanted = section.name, method.name, str(k or 'all')
    return [row for row in rows if (row.section, row.method, row.k) == wanted]


def write_csv(path: Path, rows: Sequence[dict]) -> None:
    """Write dicts of the same keys; an empty list writes nothing."""
    if not rows:
        return
    with atomic_write(path, 'w') as f:
        writer = csv.DictWriter(f, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def write_results(path: Path, rows: Sequence[Row]) -> None:
    """Write results.csv, a line a run."""
    write_csv(path, [asdict(row) for row in rows])


def detection_rows(plan: Plan, store: RunStore) -> list[dict]:
    """A dict a finished detection run: what it is, then AP at each temporal IoU between 0 and 1."""
    runs: list[Run] = [run for run in plan.runs if run.section == 'detection' and run.key in store]
    rows = []
    for run in runs:
        found = store[run.key]
        about = {'method': run.method.name, 'group': run.method.group}
        names = ('config', 'features', 'corpus', 'seed', 'split', 'protocol', 'settings', 'commit', 'seconds', 'key')
        aps = {name: value for name, value in found.items() if name.startswith('AP@') or name == 'mAP'}
        rows.append(about | {name: found[name] for name in names} | {'threshold': found['threshold']} | aps)
    return rows
