"""Accuracy over the number of training actions (paper Figure 3)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..structures import atomic_write
from .spec import Section

_MARKERS = 'osD^vP*X<>'
_LINES = ('-', '--', ':', '-.')
#: Of a method's name and k (None: all).
Cells = Mapping[tuple[str, int | None], Any]


def draw_accuracy(path: Path, title: str, section: Section, cells: Cells) -> bool:
    """Write a PNG: a line a method, k on a log axis with 'all' at its end, deviations as bars.

    Each group has its kind of line.  Of a single k: a bar a method, in the order of the table, a group a colour.

    Args:
        path: Of the PNG.
        title: Above the plot.
        section: Its methods and ks.
        cells: What is finished.

    Returns:
        False where nothing is finished, and nothing is written.
    """
    figure = (draw_bars if len(section.ks) == 1 else draw_lines)(title, section, cells)
    if figure is None:
        return False
    with atomic_write(path) as f:
        FigureCanvasAgg(figure).print_png(f)
    return True


def draw_bars(title: str, section: Section, cells: Cells) -> Figure | None:
    """Accuracy of the methods at the one k of the section; None where nothing is finished."""
    found = [(method, cells.get((method.name, section.ks[0]))) for method in section.methods]
    done = [(method, cell) for method, cell in found if cell is not None]
    if not done:
        return None
    groups = list(dict.fromkeys(method.group for method, _ in done))
    figure = Figure(figsize=(8.5, 1.3 + 0.19 * len(done)), dpi=120, layout='constrained')
    axes = figure.add_subplot()
    for g, group in enumerate(groups):
        own = {i: cell for i, (method, cell) in enumerate(done) if method.group == group}
        means, deviations = [cell.mean for cell in own.values()], [cell.deviation for cell in own.values()]
        axes.barh(list(own), means, xerr=deviations, color=colormaps['tab10'](g % 10), label=group, capsize=2)
    axes.set_yticks(range(len(done)), [method.name for method, _ in done], fontsize='small')
    axes.invert_yaxis()
    axes.margins(y=0.01)
    of = 'all training actions' if section.ks[0] is None else f'{section.ks[0]} training actions a class'
    axes.set(xlabel=f'top-1 accuracy, %; {of}', title=title)
    axes.grid(alpha=0.3, axis='x')
    if len(groups) > 1:
        axes.legend(fontsize='small')
    return figure


def draw_lines(title: str, section: Section, cells: Cells) -> Figure | None:
    """Accuracy of the methods over k; None where nothing is finished."""
    done = [method for method in section.methods if any((method.name, k) in cells for k in section.ks)]
    if not done:
        return None
    figure = Figure(figsize=(8.5, 4.8), dpi=120, layout='constrained')
    axes = figure.add_subplot()
    few = [k for k in section.ks if k is not None]
    end = 2.0 * few[-1] if few else 1.0
    places = {k: end if k is None else float(k) for k in section.ks}
    groups = list(dict.fromkeys(method.group for method in done))
    colors = colormaps['tab10' if len(section.methods) <= 10 else 'tab20']
    for i, method in enumerate(done):
        found = {places[k]: cells[method.name, k] for k in section.ks if (method.name, k) in cells}
        shift = 1 + 0.012 * (i - (len(done) - 1) / 2)  # bars side by side
        axes.errorbar(
            [x * shift for x in found],
            [cell.mean for cell in found.values()],
            [cell.deviation for cell in found.values()],
            label=method.name,
            color=colors(section.methods.index(method) % colors.N),  # of a method, whichever are done
            marker=_MARKERS[i % len(_MARKERS)],
            linestyle=_LINES[groups.index(method.group) % len(_LINES)],
            capsize=3,
            markersize=5,
        )
    axes.set_xscale('log')
    axes.set_xticks(list(places.values()), ['all' if k is None else str(k) for k in section.ks])
    axes.minorticks_off()
    axes.set_xlim(min(places.values()) / 1.25, max(places.values()) * 1.25)
    axes.set(xlabel='training actions a class', ylabel='top-1 accuracy, %', title=title)
    axes.grid(alpha=0.3)
    figure.legend(loc='outside right upper', fontsize='small', frameon=False)
    return figure
