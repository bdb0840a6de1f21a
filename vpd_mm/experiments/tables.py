"""Tables of finished runs: means, Markdown, metafile rows, README blocks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..errors import UserError
from ..files import MARK, atomic_write, read_json, read_text
from ..visualize import plots
from .plan import Plan
from .predictions import INTERVAL_TEXT, share_of, test_set_text
from .spec import Section, Spec
from .store import AP_COLUMNS, COUNTS, PRECISIONS

#: Published numbers in percent, by data set, name of the row in the paper, and column ('16', 'all', 'AP@0.5').
PAPER_NUMBERS = Path(__file__).with_name('paper_numbers.json')
_ROW = ['section', 'method', 'group', 'kind', 'config', 'features', 'stream', 'corpus', 'protocol', 'settings', 'k']
#: Fields of ``Metadata`` in a metafile, and the columns of the summary that they state; '' = none.
_METADATA = {'Comparison': '', 'Section': 'section', 'Method': 'method', 'Training Data': '', 'Few Shot': 'k'}
_METADATA |= {'Features': 'features', 'Stream': 'stream', 'Split': 'split', 'Subsets': 'subset', 'Seeds': 'seed'}
_METADATA |= {'Runs': 'runs', 'Protocol': 'protocol', 'Commit': ''}
_METRICS = ('top1', 'top5', 'mean1', *AP_COLUMNS, 'mAP', *PRECISIONS)
#: Columns of the sections that are not of top-1: temporal IoU 0.3 to 0.7 (paper 4.3), precision (4.2).
_COLUMNS = {'detection': AP_COLUMNS[2:7], 'retrieval': tuple(PRECISIONS)}
_TASKS = {'detection': 'Temporal Action Localization', 'retrieval': 'Action Retrieval'}


def summarize(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and sample deviation over the runs (:meth:`RunStore.to_frame`) that differ in subset and seed alone.

    Returns one row a method and k, in order of appearance: its columns, ``runs``, ``<metric>_mean`` and, of several
    runs, ``<metric>_sd``, the largest ``left_out`` where there is one, and ``split``, ``subset``, ``seed``, ``commit``
    (sorted lists).  Of recognition: :data:`COUNTS` of the test set, ``top1_low`` and ``top1_high``, the interval of
    the mean (:func:`share_of`), in percent, and ``warning``, '' where it is above chance.
    """
    rows = []
    for values, runs in frame.groupby(_ROW, sort=False, dropna=False):
        row = dict(zip(_ROW, values, strict=True)) | {'runs': len(runs), 'selected_on': runs['selected_on'].iloc[0]}
        row |= {name: sorted(set(runs[name])) for name in ('split', 'subset', 'seed', 'commit')}
        for name in _METRICS:
            numbers = runs[name].dropna().astype(float)
            if len(numbers):
                row |= {f'{name}_mean': numbers.mean(), f'{name}_sd': numbers.std()}
        row |= {name: known.iloc[0] for name in COUNTS if name in runs and len(known := runs[name].dropna())}
        if share := share_of(row):
            low, high = (round(100 * bound, 2) for bound in share.interval)
            row |= {'top1_low': low, 'top1_high': high, 'warning': share.warning}
        if 'left_out' in runs and runs['left_out'].notna().any():
            row['left_out'] = int(runs['left_out'].max())
        rows.append(row)
    return pd.DataFrame(rows, columns=None if rows else [*_ROW, 'runs'])


def draw_section(path: Path, spec: Spec, summary: pd.DataFrame) -> bool:
    """Plot the first table of a comparison (top-1 over k, or bars of a single k) as PNG.

    ``summary`` is that of :func:`summarize` or :func:`read_metafile_rows`.  Returns False where nothing is finished,
    and nothing is written.
    """
    section = spec.sections[0]
    if section.name in _COLUMNS:
        return False
    methods: dict[str, dict] = {method.name: {} for method in section.methods}
    for (method, k), row in _rows_of(summary, section.name).items():
        deviation = row.get('top1_sd')
        methods[method][None if k == 'all' else k] = row['top1_mean'], 0.0 if pd.isna(deviation) else deviation
    groups = {method.name: method.group for method in section.methods}
    figure = plots.accuracy_figure(spec.title, section.ks, methods, groups)
    if figure is not None:
        plots.save_figure(path, figure)
    return figure is not None


def _rows_of(summary: pd.DataFrame, section: str) -> dict[tuple[str, int | str], dict]:
    """Rows of a section by method and k ('all' = the whole training split)."""
    rows = summary[summary['section'] == section] if len(summary) else summary
    return {(row['method'], row['k']): row for row in rows.to_dict('records')}


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]], align: str = '---:') -> str:
    """A Markdown table; ``align`` is that of all columns but the first."""
    rows = ['| ' + ' | '.join(line) + ' |' for line in [header, *lines]]
    rows.insert(1, '|---|' + f'{align}|' * (len(header) - 1))
    return '\n'.join(rows) + '\n'


def cell_text(row: Mapping[str, Any] | None, metric: str, planned: int = 0) -> str:
    """``mean ± deviation``, and how many of the ``planned`` runs these are where some are missing; '-' without any."""
    if row is None or pd.isna(row.get(f'{metric}_mean')):
        return '-'
    deviation = row.get(f'{metric}_sd')
    spread = f' ± {deviation:.1f}' if row['runs'] > 1 and not pd.isna(deviation) else ''
    missing = f' ({row["runs"]} of {planned} runs)' if row['runs'] < planned else ''
    return f'{row[f"{metric}_mean"]:.1f}{spread}{missing}'


def section_table(spec: Spec, plan: Plan, section: Section, summary: pd.DataFrame) -> str:
    """Methods by k (top-1 or precision) or temporal IoU (AP), in percent, with the number of the paper beside ours."""
    columns = [('top1', k or 'all') for k in section.ks]
    if section.name in _COLUMNS:
        columns = [(name, k) for _, k in columns for name in _COLUMNS[section.name]]
    reference = load_reference(spec)
    paper = {method.name: reference.get(method.paper or method.name, {}) for method in section.methods}
    planned = Counter((run.method.name, run.k or 'all') for run in plan.runs if run.section == section.name)
    groups = {method.name: method.group for method in section.methods}
    return _results_table(_rows_of(summary, section.name), columns, groups, planned, paper)


def _results_table(
    rows: Mapping[tuple, Mapping],
    columns: Sequence[tuple[str, int | str]],
    groups: Mapping[str, str],
    planned: Mapping[tuple, int],
    paper: Mapping[str, Mapping[str, float]],
) -> str:
    """A table of methods (name to group) by columns (metric, k)."""
    names = [str(k) if metric == 'top1' else metric for metric, k in columns]  # as in the published numbers
    published = {name for numbers in paper.values() for name in numbers}
    header, several = ['method'], len({k for _, k in columns}) > 1
    for (metric, k), name in zip(columns, names, strict=True):
        title = metric + _amount('detection', k) * several
        header += [_few_shot(k) if metric == 'top1' else title, *['paper'] * (name in published)]
    lines: list[list[str]] = []
    for group in dict.fromkeys(groups.values()):
        lines += [[f'*{group}*', *[''] * (len(header) - 1)]] if group else []
        for method in [method for method in groups if groups[method] == group]:
            line = [method]
            for (metric, k), name in zip(columns, names, strict=True):
                line.append(cell_text(rows.get((method, k)), metric, planned.get((method, k), 0)))
                if name in published:
                    line.append(f'{paper[method][name]:g}' if name in paper[method] else '')
            lines.append(line)
    return markdown_table(header, lines)


def _few_shot(k: int | str | None) -> str:
    return 'all' if k in (None, 'all') else f'{k}-shot'


def load_reference(spec: Spec) -> Mapping[str, Mapping[str, float]]:
    """Published numbers of the comparison's data set: row of the paper to column ('16', 'all', 'AP@0.5') to percent.

    Raises:
        UserError: the file is missing, or is not ``{"source": str, "datasets": {name: {row: {column: value}}}}``.
    """
    path = Path(spec.reference) if spec.reference else PAPER_NUMBERS
    content = read_json(path, 'correct the reference of the comparison')
    try:
        numbers = content['datasets'].get(spec.dataset, {})
        if not str(content['source']):
            raise ValueError('source is empty')
        return {name: {k: float(value) for k, value in values.items()} for name, values in numbers.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise UserError(f'{path}: needs source and datasets: {{name: {{row: {{column: percent}}}}}} ({e})') from e


def sources_table(summary: pd.DataFrame) -> str:
    """Origin of each number: config, subsets, seeds, split, protocol, commit."""
    header = ['method', 'config', 'k', 'subsets', 'seeds', 'checkpoint selected on', 'protocol', 'commit']
    lines = []
    for row in summary.to_dict('records'):
        source = ' on '.join(part for part in (row['config'], row['features'], row['stream']) if part)
        source = source if row['config'] else f'DTW on {row["features"]}'
        subsets = 'train' if row['k'] == 'all' else _numbers(row['subset'])
        line = [row['method'], source, str(row['k']), subsets, _numbers(row['seed']), row['selected_on']]
        lines.append([*line, row['protocol'], ' '.join(row['commit'])])
    return markdown_table(header, lines, '---')


def _numbers(values: Sequence[int]) -> str:
    if len(values) > 2 and list(values) == list(range(values[0], values[-1] + 1)):
        return f'{values[0]}-{values[-1]}'
    return ', '.join(map(str, values))


def report_text(spec: Spec, plan: Plan, summary: pd.DataFrame, figure: str = '') -> str:
    """The whole report in Markdown: tables, plot, origin of each number."""
    parts = [f'# {spec.title or spec.name}\n']
    for section in spec.sections:
        if section.name == 'table':
            tested = 'test clips, top-1 in %, mean ± sample deviation over subsets and seeds'
            parts.append(f'{spec.dataset or spec.corpus}: {tested}.\n')
        else:
            parts.append(f'## {section.title}\n')
        parts.append(section_table(spec, plan, section, summary))
        if section.name == 'table' and figure:
            parts.append(f'![Accuracy over the number of actions a class]({figure})\n')
    parts += chance_texts(summary)
    if plan.problems:
        earlier = len(summary) and set(plan.problems) & set(summary['method'])
        parts.append(f'{"Results of earlier runs, now" if earlier else "Left out"}: {plan.why()}\n')
    if len(summary):
        parts += ['## Origin of the numbers\n', sources_table(summary)]
    parts.append(f'<!-- {MARK} -->\n')
    return '\n'.join(parts)


def chance_texts(summary: pd.DataFrame) -> list[str]:
    """Top-1 accuracy of each method and k with its interval, beside chance, for the report; empty without clips."""
    judged = [(row, share) for row in summary.to_dict('records') if (share := share_of(row))]
    if not judged:
        return []
    header = ['method', 'k', 'top-1', '95 % interval', 'chance', 'warning']
    lines = [
        [row['method'], str(row['k']), f'{100 * s.value:.1f}', s.interval_text, f'{100 * s.chance:.1f}', s.warning]
        for row, s in judged
    ]
    sizes = dict.fromkeys(test_set_text(row) for row, _ in judged)
    return [
        '## Top-1 and chance\n',
        *(f'{text}.\n' for text in sizes),
        markdown_table(header, lines),
        f'{INTERVAL_TEXT}.\n',
        'Every clip is in predictions.csv, the confusion of the classes in confusion.csv.\n',
    ]


def metafile_rows(spec: Spec, summary: pd.DataFrame, results: str) -> list[dict]:
    """One entry of ``Models`` (metafile.yml of OpenMMLab) for each row of a summary (:func:`summarize`).

    ``results`` is the path of results.csv, which stands for the training log.
    """
    models = []
    for row in summary.to_dict('records'):
        dataset = spec.dataset or Path(spec.corpus).name
        if row['section'] in _COLUMNS:
            metrics = {name: row.get(f'{name}_mean') for name in _COLUMNS[row['section']]}
        else:
            metrics = {'Top 1 Accuracy': row['top1_mean'], 'Top 1 Deviation': row['top1_sd']}
        metrics = {name: value for name, value in metrics.items() if not pd.isna(value)}
        about = {
            'Comparison': spec.name,
            'Training Data': f'{dataset}{_amount(row["section"], row["k"])}',
            'Commit': ' '.join(row['commit']),
        }
        metadata = {name: row[column] if column else about[name] for name, column in _METADATA.items()}
        result = {
            'Task': _TASKS.get(row['section'], 'Action Recognition'),
            'Dataset': dataset,
            'Metrics': {name: round(float(value), 2) for name, value in metrics.items()},
        }
        model = {
            'Name': _row_name(spec, row['section'], row['method'], row['k']),
            'Config': row['config'] or f'DTW nearest neighbour on {row["features"]}',
            'In Collection': row['group'] or row['method'],
            'Metadata': metadata,
            'Results': [result],
            'Training Log': results,
        }
        models.append(model)
    return models


def _row_name(spec: Spec, section: str, method: str, k: int | str | None) -> str:
    return f'{spec.name}-{section}: {method}{_amount(section, k)}'


def _amount(section: str, k: int | str | None) -> str:
    if section in _COLUMNS:
        return '' if k in (None, 'all') else f', {k} videos'
    return f', {_few_shot(k)}'


def read_metafile_rows(models: Sequence[Mapping]) -> pd.DataFrame:
    """The summary (:func:`summarize`) that metafile rows state.

    Raises:
        UserError: a row lacks a field.
    """
    rows = []
    for model in models:
        try:
            about, metrics = model['Metadata'], model['Results'][0]['Metrics']
            row = {_METADATA[name]: about[name] for name in ('Section', 'Method', 'Runs', 'Protocol', 'Few Shot')}
        except (KeyError, IndexError, TypeError) as e:
            raise UserError(f'metafile row {model.get("Name")!r}: has no {e}; write it with tools/compare.py') from e
        names = {'Top 1 Accuracy': 'top1_mean', 'Top 1 Deviation': 'top1_sd'}
        rows.append(row | {names.get(name, f'{name}_mean'): value for name, value in metrics.items()})
    return pd.DataFrame(rows)


def merge_metafile(path: Path, models: Sequence[Mapping], spec: Spec, overwrite: bool = False) -> list[dict]:
    """Put the rows of finished runs (:func:`metafile_rows`) into a metafile, which need not exist.

    Rows of other comparisons stay, and rows of methods that have no finished run here: they were run elsewhere.
    Returns the comparison's rows in the file, in the order of its methods; ``spec`` has them all.

    Raises:
        UserError: the file is not a metafile, or has comments, which would be lost, without ``overwrite``.
    """
    content: Any = {}
    if path.exists():
        text = read_text(path)
        if not overwrite and any(line.lstrip().startswith('#') for line in text.splitlines()):
            raise UserError(f'{path}: has comments, which would be lost; pass another --metafile or --overwrite')
        try:
            content = yaml.safe_load(text) or {}
        except (yaml.YAMLError, RecursionError) as e:
            raise UserError(f'{path}: not valid YAML ({e}); correct it or pass another --metafile') from e
    named = isinstance(content, dict) and (not content or content.keys() & {'Collections', 'Models'})
    lists = [content.get(name, []) for name in ('Collections', 'Models')] if named else [None]
    if not all(isinstance(entries, list) and all(isinstance(e, dict) for e in entries) for entries in lists):
        raise UserError(f'{path}: not a metafile with Collections and Models; pass another --metafile')
    known = {row.get('Name'): row for row in [*content.get('Models', []), *map(dict, models)]}
    names = [_row_name(spec, s.name, method.name, k) for s in spec.sections for method in s.methods for k in s.ks]
    own = [known[name] for name in names if name in known]
    others = [row for row in content.get('Models', []) if (row.get('Metadata') or {}).get('Comparison') != spec.name]
    collections = {entry.get('Name'): entry for entry in content.get('Collections', [])}
    used = dict.fromkeys(row.get('In Collection') for row in [*others, *own])
    content |= {'Collections': [collections.get(name, {'Name': name}) for name in used], 'Models': [*others, *own]}
    with atomic_write(path, 'w') as f:
        yaml.safe_dump(content, f, sort_keys=False, allow_unicode=True, width=120)
    return own


def readme_tables(models: Sequence[Mapping]) -> str:
    """Markdown tables of metafile rows: methods by training data (top-1), then AP where there is any.

    Raises:
        UserError: there are no rows, or one lacks a field.
    """
    if not models:
        raise UserError('no finished run, and no row in the metafile, to write a table of')
    summary, parts = read_metafile_rows(models), []
    for section in dict.fromkeys(summary['section']):
        rows = _rows_of(summary, section)
        columns = [('top1', k) for k in dict.fromkeys(k for _, k in rows)]
        if section in _COLUMNS:
            names = [name for name in _COLUMNS[section] if f'{name}_mean' in summary]
            columns = [(name, k) for _, k in columns for name in names]
        parts.append(_results_table(rows, columns, dict.fromkeys((method for method, _ in rows), ''), {}, {}))
    measured = 'Top-1 and AP in %' if 'detection' in set(summary['section']) else 'Top-1 in %'
    protocol = ', '.join(sorted(set(summary['protocol'])))
    of = f'mean ± sample deviation of up to {summary["runs"].max()} runs; protocol {protocol}; commits in the metafile'
    parts.append(f'{measured}, {of}.\n')
    return '\n'.join(parts)


def update_readme(path: Path, name: str, text: str) -> None:
    """Replace the block between ``<!-- compare:<name> -->`` and ``<!-- /compare -->``.

    Raises:
        UserError: the file or the marks are missing.
    """
    begin, end = f'<!-- compare:{name} -->', '<!-- /compare -->'
    before, opened, rest = read_text(path).partition(begin)
    inside, closed, after = rest.partition(end)
    if not opened or not closed or '<!-- compare:' in inside:
        raise UserError(
            f'--readme {path}: needs the lines {begin} and {end} around the table, and no other section inside'
        )
    with atomic_write(path, 'w') as f:
        f.write(f'{before}{begin}\n{text.strip()}\n{end}{after}')
