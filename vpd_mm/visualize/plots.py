"""Plots as matplotlib figures without global state: accuracy over k, timeline, confusion matrix, training curves."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import UserError
from ..files import MARK, atomic_write, list_folder, parse_json, read_text

#: Colours that colour-blind readers tell apart (Okabe and Ito).
SCORES, DETECTED, LABELLED = '#0072b2', '#d55e00', '#009e73'
_MARKERS = 'osD^vP*X<>'
_LINES = ('-', '--', ':', '-.')


#: k (training actions per class; None = all) to (mean, standard deviation) of a method, percent; only what is known.
Accuracy = Mapping[int | None, tuple[float, float]]


def literal(text: str) -> str:
    """Return a text that matplotlib draws as it is: dollars enclose no formula, and a legend keeps a leading ``_``."""
    return ('\u200b' if text.startswith('_') else '') + text.replace('$', r'\$')


def accuracy_figure(
    title: str, ks: Sequence[int | None], methods: Mapping[str, Accuracy], groups: Mapping[str, str] | None = None
) -> Figure | None:
    """Accuracy over the number of training actions per class (paper, Figure 3).

    Several ks, ascending: one line per method over a log axis with 'all' (None) at its end.  One k: one bar per method.
    Error bars are standard deviations.  A method without accuracy keeps its colour and is left out.  A group shares the
    kind of line, or the colour of bars.  Returns None where no method has an accuracy.
    """
    title, methods = literal(title), {literal(name): accuracy for name, accuracy in methods.items()}
    groups = {literal(name): literal(group) for name, group in (groups or {}).items()}
    known = [name for name, accuracy in methods.items() if any(k in accuracy for k in ks)]
    if not known:
        return None
    grouped: dict[str, list[str]] = {}
    for name in known:
        grouped.setdefault(groups.get(name, ''), []).append(name)
    draw = _bars if len(ks) == 1 else _lines
    return draw(title, ks, methods, known, grouped)


def _bars(title: str, ks: Sequence, methods: Mapping, known: list[str], groups: Mapping[str, list[str]]) -> Figure:
    figure = Figure(figsize=(4.8, 1 + 0.3 * len(known)), dpi=150, layout='constrained')
    axes = figure.add_subplot()
    for g, (group, names) in enumerate(groups.items()):
        means, deviations = zip(*(methods[name][ks[0]] for name in names))
        rows = [known.index(name) for name in names]
        error = deviations if any(deviations) else None
        bars = axes.barh(rows, means, color=colormaps['tab10'](g % 10), label=group, xerr=error, capsize=2)
        axes.bar_label(bars, [f'{mean:.1f}' for mean in means], padding=4, fontsize='small')
    axes.set_yticks(range(len(known)), known)
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.01)
    axes.set_xlim(left=0)
    axes.spines[['top', 'right']].set_visible(False)
    number = 'all training actions' if ks[0] is None else f'{ks[0]} training actions per class'
    axes.set(xlabel=f'top-1 accuracy, %; {number}', title=title)
    if len(groups) > 1:
        figure.legend(loc='outside lower right', ncols=3, fontsize='small', frameon=False)
    return figure


def _lines(title: str, ks: Sequence, methods: Mapping, known: list[str], groups: Mapping[str, list[str]]) -> Figure:
    figure = Figure(figsize=(8.5, 4.8), dpi=120, layout='constrained')
    axes = figure.add_subplot()
    few = [k for k in ks if k is not None]
    ticks = {k: 2.0 * few[-1] if k is None else float(k) for k in ks}
    styles = {name: _LINES[g % len(_LINES)] for g, names in enumerate(groups.values()) for name in names}
    colours = colormaps['tab10' if len(methods) <= 10 else 'tab20']
    for i, name in enumerate(known):
        accuracy = {ticks[k]: methods[name][k] for k in ks if k in methods[name]}
        means, deviations = zip(*accuracy.values())
        shift = 1 + 0.012 * (i - (len(known) - 1) / 2)  # keeps error bars apart
        axes.errorbar(
            [x * shift for x in accuracy],
            means,
            deviations,
            label=name,
            color=colours([*methods].index(name) % colours.N),
            marker=_MARKERS[i % len(_MARKERS)],
            linestyle=styles[name],
            capsize=3,
            markersize=5,
        )
    axes.set_xscale('log')
    axes.set_xticks(list(ticks.values()), ['all' if k is None else str(k) for k in ks])
    axes.minorticks_off()
    axes.set_xlim(min(ticks.values()) / 1.25, max(ticks.values()) * 1.25)
    axes.set(xlabel='training actions per class', ylabel='top-1 accuracy, %', title=title)
    axes.grid(alpha=0.3)
    figure.legend(loc='outside right upper', fontsize='small', frameon=False)
    return figure


def timeline_figure(
    title: str,
    seconds: np.ndarray,
    scores: np.ndarray,
    detected: Sequence[tuple[float, float]],
    labelled: Sequence[tuple[float, float]],
    threshold: float,
) -> Figure:
    """The largest of the scores (T, C) of each frame over ``seconds`` (T,), above the intervals (start, end), seconds.

    The threshold is a dashed line; a legend names the lines.
    """
    width = np.clip(seconds[-1] / 3, 6, 40) if len(seconds) else 6
    figure = Figure(figsize=(width, 3.4), dpi=100, layout='constrained')
    curve, bars = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    curve.plot(seconds, scores.max(axis=1), color=SCORES, linewidth=1, label='largest score of any class')
    curve.axhline(threshold, color='gray', linestyle='--', linewidth=0.8, label=f'threshold {threshold:g}')
    curve.set(ylim=(0, 1), ylabel='score', title=literal(title))
    figure.legend(loc='outside lower center', ncols=2, fontsize='small', frameon=False)
    for row, (intervals, colour) in enumerate(((labelled, LABELLED), (detected, DETECTED))):
        bars.broken_barh([(start, end - start) for start, end in intervals], (row + 0.1, 0.8), color=colour)
    bars.set(yticks=(0.5, 1.5), yticklabels=('labelled', 'detected'), ylim=(0, 2), xlabel='seconds')
    bars.set_xlim(0, seconds[-1] if len(seconds) > 1 else 1)
    return figure


def confusion_figure(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """Confusion matrix (C, C) of counts, row = true class; the colour is the share within the true class."""
    n = len(matrix)
    side = min(1.4 + 0.24 * n + 0.07 * max(map(len, classes)), 30)
    figure = Figure(figsize=(side, side), dpi=120, layout='constrained')
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    axes.set(xlabel='predicted class', ylabel='true class')
    figure.suptitle(f'number of clips (of {matrix.sum()});\ndarker: larger share of the true class', fontsize=8)
    names = [literal(name) for name in classes]
    axes.set_xticks(range(n), names, rotation=90, fontsize=8)
    axes.set_yticks(range(n), names, fontsize=8)
    for i, j in zip(*np.nonzero(matrix)):
        colour = 'white' if shares[i, j] > 0.6 else 'black'
        axes.text(j, i, str(matrix[i, j]), ha='center', va='center', color=colour, fontsize=7)
    return figure


def training_figure(work_dir: Path, loss: str, error: str, ylabel: str) -> Figure:
    """Loss and validation error over the epochs, from the logs of mmengine of a training and its resumed parts.

    ``loss`` and ``error`` are keys in the log, for example 'loss' and 'distill/sq_error'.
    """
    logs = list_folder(work_dir, '*/vis_data/scalars.json')
    rows = [row for log in logs for row in read_log(log)]
    losses, errors = ({row['step']: row[key] for row in rows if key in row} for key in (loss, error))
    epochs = [step * max(errors, default=1) / max(losses, default=1) for step in losses]
    figure = Figure(figsize=(4.8, 3), layout='constrained')
    axes = figure.add_subplot()
    curves = (('training', SCORES, epochs, losses), ('validation', DETECTED, list(errors), errors))
    for name, colour, x, values in curves:
        axes.plot(x, list(values.values()), label=name, color=colour, marker='o' if len(x) < 50 else None, markersize=4)
    axes.set(xlabel='epoch', ylabel=ylabel)
    axes.set_xlim(0, 1.05 * max([1, *errors]))
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(fontsize='small')
    axes.grid(alpha=0.3)
    return figure


def read_log(path: Path) -> list[dict[str, float]]:
    """Return the finite numbers of each line of a ``scalars.json``; a line that was cut by a crash is left out."""
    rows = []
    for line in read_text(path).splitlines():
        with suppress(UserError):
            row = parse_json(line, path, '')
            numbers = row.items() if isinstance(row, dict) else ()
            rows.append({name: v for name, v in numbers if isinstance(v, (int, float)) and np.isfinite(v)})
    return [row for row in rows if 'step' in row]


def figure_to_rgb(figure: Figure) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_figure(path: Path, figure: Figure) -> Path:
    """Write a figure as PNG with the mark of this project, atomically; returns ``path``."""
    with atomic_write(path) as f:
        FigureCanvasAgg(figure).print_png(f, metadata={'Comment': MARK})
    return path
