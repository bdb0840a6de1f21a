"""The tables that people read, in Markdown: methods by k, ablation, AP."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import UserError
from .comparison import Comparison, Method, Section
from .comparison_plan import Plan
from .report import Cell, Row, cell_of

#: Accuracies that the paper states, by data set, its name of the method, and k.
PAPER_NUMBERS = Path(__file__).with_name('paper_numbers.json')
#: Temporal IoU of the AP table (paper 4.3).
TIOUS = (0.3, 0.4, 0.5, 0.6, 0.7)


def load_reference(comparison: Comparison) -> Mapping[str, Mapping[str, float]]:
    """Published top-1 in percent for this data set: method to k ('16', 'all') to value.

    The file: ``{"source": str, "datasets": {name: {method: {k: value}}}}``.

    Raises:
        UserError: the file is missing or of another shape.
    """
    path = Path(comparison.reference) if comparison.reference else PAPER_NUMBERS
    if not path.is_file():
        raise UserError(f'reference {path}: no such file')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        numbers = content['datasets'].get(comparison.dataset, {})
        if not str(content['source']):
            raise ValueError('source is empty')
        return {name: {k: float(value) for k, value in values.items()} for name, values in numbers.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise UserError(f'{path}: needs source and datasets: {{name: {{method: {{k: percent}}}}}} ({e!r})') from e


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]], numbers: bool = True) -> str:
    """A Markdown table; the first column is text, the others are ``numbers`` or text."""
    rows = ['| ' + ' | '.join(line) + ' |' for line in [header, *lines]]
    rows.insert(1, '|---|' + ('---:|' if numbers else '---|') * (len(header) - 1))
    return '\n'.join(rows) + '\n'


def grouped(section: Section) -> Iterator[tuple[str, list[Method]]]:
    """Headings with their methods, in the order in which they first come."""
    for group in dict.fromkeys(method.group for method in section.methods):
        yield group, [method for method in section.methods if method.group == group]


def accuracy_table(plan: Plan, section: Section, rows: Sequence[Row]) -> str:
    """Methods by k as in the paper's Table 1: top-1 in percent, mean and deviation over subsets and seeds.

    Where the paper states a number for this data set and k, it stands in a
    column beside ours.
    """
    reference = load_reference(plan.comparison)
    names = [method.paper or method.name for method in section.methods]
    stated = {k for k in section.ks if any(str(k or 'all') in reference.get(name, {}) for name in names)}
    header = ['method']
    for k in section.ks:
        header.append('all' if k is None else f'{k}-shot')
        header += ['paper'] if k in stated else []
    lines = []
    for group, methods in grouped(section):
        if group:
            lines.append([f'*{group}*', *[''] * (len(header) - 1)])
        for method in methods:
            line = [method.name]
            for k in section.ks:
                line.append(_text(cell_of(plan, rows, section, method, k)))
                if k in stated:
                    value = reference.get(method.paper or method.name, {}).get(str(k or 'all'))
                    line.append('' if value is None else f'{value:g}')
            lines.append(line)
    return markdown_table(header, lines)


def _text(cell: Cell | None) -> str:
    return '-' if cell is None else str(cell)


def ap_table(section: Section, rows: Sequence[Mapping]) -> str:
    """Methods by temporal IoU: AP in percent, mean and deviation over seeds."""
    header = ['method', *(f'AP@{tiou:g}' for tiou in TIOUS)]
    lines = []
    for group, methods in grouped(section):
        if group:
            lines.append([f'*{group}*', *[''] * len(TIOUS)])
        for method in methods:
            found = [row for row in rows if row['method'] == method.name]
            cells = [Cell.of([100 * row[name] for row in found], len(found)) if found else None for name in header[1:]]
            lines.append([method.name, *map(_text, cells)])
    return markdown_table(header, lines)


def sources_table(rows: Sequence[Row]) -> str:
    """What each number is of: config, subsets, seeds, split, protocol, commit."""
    header = ['method', 'config', 'k', 'subsets', 'seeds', 'checkpoint chosen on', 'protocol', 'commit']
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        config = row.config + (f' on {row.features}' if row.features and row.config else '')
        chosen = '' if row.kind == 'nearest' else row.selected_on
        key = row.section, row.method, config or f'DTW on {row.features}', row.k, chosen, row.protocol
        groups.setdefault(key, []).append(row)
    lines = []
    for (_, method, config, k, chosen, protocol), found in groups.items():
        subsets = 'train' if k == 'all' else _numbers(row.subset for row in found)
        commits = ' '.join(sorted({row.commit for row in found}))
        lines.append([method, config, k, subsets, _numbers(row.seed for row in found), chosen, protocol, commits])
    return markdown_table(header, lines, numbers=False)


def _numbers(values: Iterator[int]) -> str:
    distinct = sorted(set(values))
    if len(distinct) > 2 and distinct == list(range(distinct[0], distinct[-1] + 1)):
        return f'{distinct[0]}-{distinct[-1]}'
    return ', '.join(map(str, distinct))


def report_text(plan: Plan, rows: Sequence[Row], detections: Sequence[Mapping], figure: str = '') -> str:
    """The whole report in Markdown: the tables, the picture, where each number is from."""
    comparison = plan.comparison
    parts = [f'# {comparison.title or comparison.name}\n']
    tested = 'test clips, top-1 in %, mean ± sample deviation over subsets and seeds'
    for section in comparison.sections:
        if section.name == 'table':
            parts.append(f'{comparison.dataset or comparison.corpus}: {tested}.\n')
        else:
            parts.append(f'## {section.title}\n')
        parts.append(
            ap_table(section, detections) if section.name == 'detection' else accuracy_table(plan, section, rows)
        )
        if section.name == 'table' and figure:
            parts.append(f'![Accuracy over the number of actions a class]({figure})\n')
    if plan.faults:
        parts.append('Left out: ' + '; '.join(f'{name} ({why})' for name, why in plan.faults.items()) + '\n')
    if rows:
        parts += ['## Where the numbers are from\n', sources_table(rows)]
    return '\n'.join(parts)
