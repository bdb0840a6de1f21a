"""Accuracy over the number of training actions (paper Figure 3)."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..structures import atomic_write
from .comparison import Section
from .comparison_plan import Plan
from .report import Row, cell_of

_MARKERS = 'osD^vP*X<>'
_LINES = ('-', '--', ':', '-.')


def draw_accuracy(path: Path, plan: Plan, section: Section, rows: Sequence[Row]) -> bool:
    """Write a PNG: a line a method, k on a log axis with 'all' at its end, deviations as bars.

    Each group has its kind of line.  Of a single k: a bar a method, in the order of the table, a group a colour.

    Returns:
        False where nothing is finished, and nothing is written.
    """
    figure = draw_bars(plan, section, rows) if len(section.ks) == 1 else draw_lines(plan, section, rows)
    if figure is None:
        return False
    with atomic_write(path) as f:
        FigureCanvasAgg(figure).print_png(f)
    return True


def draw_bars(plan: Plan, section: Section, rows: Sequence[Row]) -> Figure | None:
    """Accuracy of the methods at the one k of the section; None where nothing is finished."""
    found = [(method, cell_of(plan, rows, section, method, section.ks[0])) for method in section.methods]
    done = [(method, cell) for method, cell in found if cell is not None]
    if not done:
        return None
    groups = list(dict.fromkeys(method.group for method, _ in done))
    figure = Figure(figsize=(8.5, 1.3 + 0.19 * len(done)), dpi=120, layout='constrained')
    axes = figure.add_subplot()
    for group in groups:
        own = [i for i, (method, _) in enumerate(done) if method.group == group]
        means, deviations = [done[i][1].mean for i in own], [done[i][1].deviation for i in own]
        color = colormaps['tab10'](groups.index(group) % 10)
        axes.barh(own, means, xerr=deviations, color=color, label=group, capsize=2)
    axes.set_yticks(range(len(done)), [method.name for method, _ in done], fontsize='small')
    axes.invert_yaxis()
    axes.margins(y=0.01)
    of = 'all training actions' if section.ks[0] is None else f'{section.ks[0]} training actions a class'
    axes.set(xlabel=f'top-1 accuracy, %; {of}', title=plan.comparison.title)
    axes.grid(alpha=0.3, axis='x')
    if len(groups) > 1:
        axes.legend(fontsize='small')
    return figure


def draw_lines(plan: Plan, section: Section, rows: Sequence[Row]) -> Figure | None:
    """Accuracy of the methods over k; None where nothing is finished."""
    figure = Figure(figsize=(8.5, 4.8), dpi=120, layout='constrained')
    axes = figure.add_subplot()
    few = [k for k in section.ks if k is not None]
    end = 2.0 * few[-1] if few else 1.0
    places = {k: end if k is None else float(k) for k in section.ks}
    groups = list(dict.fromkeys(method.group for method in section.methods))
    colors = colormaps['tab10' if len(section.methods) <= 10 else 'tab20']
    drawn = 0
    for i, method in enumerate(section.methods):
        cells = {places[k]: cell_of(plan, rows, section, method, k) for k in section.ks}
        found = {x: cell for x, cell in cells.items() if cell is not None}
        if not found:
            continue
        shift = 1 + 0.012 * (i - (len(section.methods) - 1) / 2)  # bars side by side
        axes.errorbar(
            [x * shift for x in found],
            [cell.mean for cell in found.values()],
            [cell.deviation for cell in found.values()],
            label=method.name,
            color=colors(i % colors.N),
            marker=_MARKERS[i % len(_MARKERS)],
            linestyle=_LINES[groups.index(method.group) % len(_LINES)],
            capsize=3,
            markersize=5,
        )
        drawn += 1
    if not drawn:
        return None
    axes.set_xscale('log')
    axes.set_xticks(list(places.values()), ['all' if k is None else str(k) for k in section.ks])
    axes.minorticks_off()
    axes.set_xlim(min(places.values()) / 1.25, max(places.values()) * 1.25)
    axes.set(xlabel='training actions a class', ylabel='top-1 accuracy, %', title=plan.comparison.title)
    axes.grid(alpha=0.3)
    figure.legend(loc='outside right upper', fontsize='small', frameon=False)
    return figure
