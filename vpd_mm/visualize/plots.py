"""Plots: accuracy over k, detection timeline, confusion matrix, training curves.

Each function returns a matplotlib figure without global state.  Write it by :func:`save_figure`, or embed it into a
report by ``report.figure_uri``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..structures import atomic_write

#: Colours that colour-blind readers tell apart (Okabe and Ito).
SCORES, DETECTED, LABELLED = '#0072b2', '#d55e00', '#009e73'
_MARKERS = 'osD^vP*X<>'
_LINES = ('-', '--', ':', '-.')


@dataclass(frozen=True)
class Method:
    """Accuracy of one method.

    Args:
        name: In the legend.
        accuracy: k (training actions per class; None = all) to (mean, standard deviation), percent; only what is known.
        group: Methods of one group share the kind of line, or the colour of bars.
    """

    name: str
    accuracy: Mapping[int | None, tuple[float, float]]
    group: str = ''


def accuracy_figure(title: str, ks: Sequence[int | None], methods: Sequence[Method]) -> Figure | None:
    """Accuracy over the number of training actions per class (paper, Figure 3).

    Several ks: one line per method over a log axis with 'all' at its end.  One k: one bar per method.  Error bars are
    standard deviations.

    Args:
        title: Above the plot.
        ks: The axis, ascending; None = all training actions.
        methods: In the order of legend and colours; one without any accuracy keeps its colour and is left out.

    Returns:
        None where no method has an accuracy.
    """
    known = [m for m in methods if any(k in m.accuracy for k in ks)]
    if not known:
        return None
    return _bars(title, ks[0], known) if len(ks) == 1 else _lines(title, ks, methods, known)


def _bars(title: str, k: int | None, methods: Sequence[Method]) -> Figure:
    figure = Figure(figsize=(8.5, 1.5 + 0.24 * len(methods)), dpi=120, layout='constrained')
    axes = figure.add_subplot()
    groups = list(dict.fromkeys(method.group for method in methods))
    for g, group in enumerate(groups):
        rows = {i: m.accuracy[k] for i, m in enumerate(methods) if m.group == group}
        means, deviations = zip(*rows.values())
        axes.barh(list(rows), means, xerr=deviations, color=colormaps['tab10'](g % 10), label=group, capsize=2)
    axes.set_yticks(range(len(methods)), [method.name for method in methods], fontsize='small')
    axes.invert_yaxis()
    axes.margins(y=0.01)
    number = 'all training actions' if k is None else f'{k} training actions per class'
    axes.set(xlabel=f'top-1 accuracy, %; {number}', title=title)
    axes.grid(alpha=0.3, axis='x')
    if len(groups) > 1:
        figure.legend(loc='outside lower right', ncols=3, fontsize='small', frameon=False)
    return figure


def _lines(title: str, ks: Sequence[int | None], methods: Sequence[Method], known: Sequence[Method]) -> Figure:
    figure = Figure(figsize=(8.5, 4.8), dpi=120, layout='constrained')
    axes = figure.add_subplot()
    few = [k for k in ks if k is not None]
    ticks = {k: 2.0 * few[-1] if k is None else float(k) for k in ks}
    groups = list(dict.fromkeys(method.group for method in known))
    colours = colormaps['tab10' if len(methods) <= 10 else 'tab20']
    for i, method in enumerate(known):
        accuracy = {ticks[k]: method.accuracy[k] for k in ks if k in method.accuracy}
        means, deviations = zip(*accuracy.values())
        shift = 1 + 0.012 * (i - (len(known) - 1) / 2)  # keeps error bars apart
        axes.errorbar(
            [x * shift for x in accuracy],
            means,
            deviations,
            label=method.name,
            color=colours(methods.index(method) % colours.N),
            marker=_MARKERS[i % len(_MARKERS)],
            linestyle=_LINES[groups.index(method.group) % len(_LINES)],
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
    """Scores of the frames over time, above the detected and the labelled intervals.

    Args:
        title: Above the plot.
        seconds: (T,) time of the scores.
        scores: (T, C); the largest of a frame is drawn.
        detected, labelled: (start, end) of intervals, seconds.
        threshold: Drawn as a dashed line.
    """
    width = max(8.0, min(40.0, seconds[-1] / 3 if len(seconds) else 8.0))
    figure = Figure(figsize=(width, 3), dpi=100, layout='constrained')
    curve, bars = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    curve.plot(seconds, scores.max(axis=1), color=SCORES, linewidth=1)
    curve.axhline(threshold, color='gray', linestyle='--', linewidth=0.8)
    curve.set(ylim=(0, 1), ylabel='score', title=title)
    for row, (intervals, colour) in enumerate(((labelled, LABELLED), (detected, DETECTED))):
        bars.broken_barh([(start, end - start) for start, end in intervals], (row + 0.1, 0.8), color=colour)
    bars.set(yticks=(0.5, 1.5), yticklabels=('labelled', 'detected'), ylim=(0, 2), xlabel='seconds')
    bars.set_xlim(0, seconds[-1] if len(seconds) > 1 else 1)
    return figure


def confusion_figure(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """Confusion matrix with its counts; the colour is the share within the true class.

    Args:
        matrix: (C, C) counts; row = true class, column = predicted class.
        classes: C names.
    """
    n = len(matrix)
    side = min(4 + 0.4 * n, 30)
    figure = Figure(figsize=(side, side), dpi=100, layout='constrained')
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    axes.set(xlabel='predicted', ylabel='true')
    axes.set_xticks(range(n), classes, rotation=90)
    axes.set_yticks(range(n), classes)
    for i, j in zip(*np.nonzero(matrix)):
        colour = 'white' if shares[i, j] > 0.6 else 'black'
        axes.text(j, i, str(matrix[i, j]), ha='center', va='center', color=colour, fontsize=9)
    return figure


def curves_figure(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], ylabel: str, xlabel: str = 'epoch'
) -> Figure:
    """Curves over the training, from zero up: losses, validation errors.

    Args:
        curves: Name in the legend to (x, y).  A curve of fewer than 50 points gets markers.
        ylabel, xlabel: Of the axes.
    """
    figure = Figure(figsize=(5.6, 3.2), layout='constrained')
    axes = figure.add_subplot()
    for (name, (x, y)), colour in zip(curves.items(), (SCORES, DETECTED, LABELLED, '#cc79a7', '#56b4e9') * len(curves)):
        axes.plot(x, y, label=name, color=colour, marker='o' if len(x) < 50 else None, markersize=4)
    axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, None))
    axes.legend(fontsize='small')
    axes.grid(alpha=0.3)
    return figure


def training_figure(work_dir: Path, loss: str, error: str, ylabel: str) -> Figure:
    """Loss and validation error over the epochs, from the logs of mmengine.

    Args:
        work_dir: Folder of a training, with the logs of all its resumed parts.
        loss, error: Keys in the log, for example 'loss' and 'distill/sq_error'.
        ylabel: Of the axis.
    """
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(line) for log in logs for line in log.read_text(encoding='utf-8').splitlines()]
    errors = {row['step']: row[error] for row in rows if error in row}
    losses = {row['step']: row[loss] for row in rows if loss in row}
    epochs = [step * max(errors, default=1) / max(losses) for step in losses]
    curves = {'training': (epochs, list(losses.values())), 'validation': (list(errors), list(errors.values()))}
    return curves_figure(curves, ylabel)


def figure_to_rgb(figure: Figure) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_figure(path: Path, figure: Figure) -> Path:
    """Write a figure as PNG, atomically; returns ``path``."""
    with atomic_write(path) as f:
        FigureCanvasAgg(figure).print_png(f)
    return path
