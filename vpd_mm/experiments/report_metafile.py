"""A number is a row: rows of OpenMMLab's metafile.yml, and README tables made from them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..errors import UserError
from ..structures import atomic_write
from .comparison import Comparison, Section
from .comparison_plan import Plan
from .report import Cell, Row, cell_of, rows_at
from .report_tables import TIOUS, markdown_table

_TASK = 'Action Recognition'
_DETECTION = 'Temporal Action Localization'


def metafile_rows(plan: Plan, rows: Sequence[Row], detections: Sequence[Mapping], results: str) -> list[dict]:
    """One entry of ``Models`` for every method and k that has a finished run.

    Args:
        plan: The comparison.
        rows, detections: What is finished.
        results: Path of results.csv, as training log.
    """
    models = []
    for section in plan.comparison.sections:
        for method in section.methods:
            if section.name == 'detection':
                found = [row for row in detections if row['method'] == method.name]
                if found:
                    models.append(_detection_row(plan, method.group, found, results))
                continue
            for k in section.ks:
                cell = cell_of(plan, rows, section, method, k)
                if cell is not None:
                    few = _few(k)
                    metrics = {'Top 1 Accuracy': round(cell.mean, 2), 'Top 1 Deviation': round(cell.deviation, 2)}
                    here = rows_at(rows, section, method, k)
                    models.append(_model(plan, section, here, few, _TASK, metrics, cell.runs, results))
    return models


def _few(k: int | None) -> str:
    return 'all' if k is None else f'{k}-shot'


def _model(
    plan: Plan, section: Section, rows: Sequence[Row], few: str, task: str, metrics: dict, runs: int, results: str
) -> dict[str, Any]:
    first = rows[0]
    dataset = plan.comparison.dataset or plan.corpus.name
    splits = sorted({row.split for row in rows})
    return {
        'Name': f'{plan.comparison.name}-{section.name}: {first.method}, {few}',
        'Config': first.config or f'DTW nearest neighbour on {first.features}',
        'In Collection': first.group or first.method,
        'Metadata': {
            'Comparison': plan.comparison.name,
            'Section': section.name,
            'Method': first.method,
            'Training Data': f'{dataset}, {few}',
            'Features': first.features,
            'Split': splits,
            'Subsets': sorted({row.subset for row in rows}),
            'Seeds': sorted({row.seed for row in rows}),
            'Runs': runs,
            'Protocol': first.protocol,
            'Commit': ' '.join(sorted({row.commit for row in rows})),
        },
        'Results': [{'Task': task, 'Dataset': dataset, 'Metrics': metrics}],
        'Training Log': results,
    }


def _detection_row(plan: Plan, group: str, found: Sequence[Mapping], results: str) -> dict[str, Any]:
    first, dataset = found[0], plan.comparison.dataset or plan.corpus.name
    names = [f'AP@{tiou:g}' for tiou in TIOUS]
    metrics = {name: round(100 * sum(row[name] for row in found) / len(found), 2) for name in names}
    return {
        'Name': f'{plan.comparison.name}-detection: {first["method"]}',
        'Config': first['config'],
        'In Collection': group or first['method'],
        'Metadata': {
            'Comparison': plan.comparison.name,
            'Section': 'detection',
            'Method': first['method'],
            'Training Data': dataset,
            'Features': first['features'],
            'Split': ['train'],
            'Seeds': sorted({row['seed'] for row in found}),
            'Runs': len(found),
            'Protocol': first['protocol'],
            'Commit': ' '.join(sorted({row['commit'] for row in found})),
        },
        'Results': [{'Task': _DETECTION, 'Dataset': dataset, 'Metrics': metrics}],
        'Training Log': results,
    }


def merge_metafile(path: Path, models: Sequence[Mapping], comparison: Comparison) -> list[dict]:
    """Put the rows of a comparison into a metafile; rows of others stay.

    So do rows of methods that the comparison still has but that have no finished run here: they were run elsewhere.

    Args:
        path: The metafile; need not be there.
        models: What is finished (``metafile_rows``).
        comparison: All its methods, in their order.

    Returns:
        The comparison's rows as they are in the file now.

    Raises:
        UserError: the file is no metafile.
    """
    content: Any = {}
    if path.is_file():
        try:
            content = yaml.safe_load(path.read_text(encoding='utf-8')) or {}
        except yaml.YAMLError as e:
            raise UserError(f'{path}: no valid YAML ({e}); correct it or pass another --metafile') from e
    lists = [content.get(name, []) for name in ('Collections', 'Models')] if isinstance(content, dict) else [None]
    if not all(isinstance(entries, list) and all(isinstance(e, dict) for e in entries) for entries in lists):
        raise UserError(f'{path}: is no metafile with Collections and Models; pass another --metafile')
    known = {row.get('Name'): row for row in [*content.get('Models', []), *map(dict, models)]}
    own = [known[name] for name in _row_names(comparison) if name in known]
    others = [
        row for row in content.get('Models', []) if (row.get('Metadata') or {}).get('Comparison') != comparison.name
    ]
    everything = [*others, *own]
    collections = {entry.get('Name'): entry for entry in content.get('Collections', [])}
    names = dict.fromkeys(row.get('In Collection') for row in everything)
    content |= {'Collections': [collections.get(name, {'Name': name}) for name in names], 'Models': everything}
    with atomic_write(path, 'w') as f:
        yaml.safe_dump(content, f, sort_keys=False, allow_unicode=True, width=120)
    return own


def _row_names(comparison: Comparison) -> list[str]:
    names = []
    for section in comparison.sections:
        for method in section.methods:
            name = f'{comparison.name}-{section.name}: {method.name}'
            names += [name] if section.name == 'detection' else [f'{name}, {_few(k)}' for k in section.ks]
    return names


def metafile_cells(models: Sequence[Mapping], section: Section) -> dict[tuple[str, int | None], Cell]:
    """The cells of a section by method and k, from metafile rows."""
    cells = {}
    for row in models:
        about, metrics = row['Metadata'], row['Results'][0]['Metrics']
        for k in section.ks:
            if about['Section'] == section.name and about['Training Data'].endswith(f', {_few(k)}'):
                cell = Cell(metrics['Top 1 Accuracy'], metrics['Top 1 Deviation'], about['Runs'])
                cells[about['Method'], k] = cell
    return cells


def readme_tables(models: Sequence[Mapping]) -> str:
    """Markdown tables of metafile rows: methods by training data (top-1), then AP where there is any."""
    parts = []
    for section in dict.fromkeys(row['Metadata']['Section'] for row in models):
        rows = [row for row in models if row['Metadata']['Section'] == section]
        columns = dict.fromkeys(row['Metadata']['Training Data'].rpartition(', ')[2] for row in rows)
        if section == 'detection':
            columns = dict.fromkeys(name for row in rows for name in row['Results'][0]['Metrics'])
        lines = []
        for method in dict.fromkeys(row['Metadata']['Method'] for row in rows):
            own = [row for row in rows if row['Metadata']['Method'] == method]
            lines.append([method, *(_value(own, column) for column in columns)])
        parts.append(markdown_table(['method', *columns], lines))
    detected = any(row['Metadata']['Section'] == 'detection' for row in models)
    runs = max((row['Metadata']['Runs'] for row in models), default=0)
    protocol = ', '.join(sorted({row['Metadata']['Protocol'] for row in models}))
    of = f'mean ± sample deviation of up to {runs} runs; protocol {protocol}; commits in the metafile'
    parts.append(f'Top-1 and AP in %, {of}.\n' if detected else f'Top-1 in %, {of}.\n')
    return '\n'.join(parts)


def _value(rows: Sequence[Mapping], column: str) -> str:
    for row in rows:
        metrics = row['Results'][0]['Metrics']
        if column in metrics:
            return f'{metrics[column]:.1f}'
        if row['Metadata']['Training Data'].endswith(f', {column}'):
            spread = f' ± {metrics["Top 1 Deviation"]:.1f}' if row['Metadata']['Runs'] > 1 else ''
            return f'{metrics["Top 1 Accuracy"]:.1f}{spread}'
    return '-'


def update_readme(path: Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- compare:<name> -->`` and ``<!-- /compare -->``.

    Raises:
        UserError: the file or the marks are missing.
    """
    begin, end = f'<!-- compare:{name} -->', '<!-- /compare -->'
    if not path.is_file():
        raise UserError(f'--readme {path}: no such file')
    content = path.read_text(encoding='utf-8')
    before, opened, rest = content.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise UserError(f'--readme {path}: needs the lines {begin} and {end}, between which the table goes')
    with atomic_write(path, 'w') as f:
        f.write(f'{before}{begin}\n{text.strip()}\n{end}{after}')
