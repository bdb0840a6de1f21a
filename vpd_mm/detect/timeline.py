"""What was found in a video: JSON, CSV and a picture."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..structures import atomic_write
from .proposals import Proposal


def save_intervals(
    stem: Path, video: str, fps: float, threshold: float, intervals: Sequence[Proposal], classes: Sequence[str]
) -> None:
    """Write ``<stem>.json`` and ``<stem>.csv``; frames of the video, end exclusive, and seconds."""
    rows = [
        {
            'start_frame': p.start_frame,
            'end_frame': p.end_frame,
            'start_sec': round(p.start_frame / fps, 3),
            'end_sec': round(p.end_frame / fps, 3),
            'label': classes[p.label],
            'score': round(p.score, 4),
        }
        for p in sorted(intervals)
    ]
    with atomic_write(stem.with_name(f'{stem.name}.json'), 'w') as f:
        json.dump({'video': video, 'fps': fps, 'threshold': threshold, 'intervals': rows}, f, indent=2)
        f.write('\n')
    with atomic_write(stem.with_name(f'{stem.name}.csv'), 'w') as f:
        columns = ('start_frame', 'end_frame', 'start_sec', 'end_sec', 'label', 'score')
        writer = csv.DictWriter(f, columns, lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def draw_timeline(
    path: Path,
    video: str,
    seconds: np.ndarray,
    scores: np.ndarray,
    found: Sequence[tuple[float, float]],
    truth: Sequence[tuple[float, float]],
    threshold: float,
) -> None:
    """Write a PNG: the scores over time, what was found, what is labelled.

    Args:
        path: Of the picture.
        video: Its title.
        seconds: (T,) time of the scores.
        scores: (T, C).
        found, truth: Intervals in seconds.
        threshold: Drawn as a line.
    """
    figure = Figure(
        figsize=(max(8.0, min(40.0, seconds[-1] / 3 if len(seconds) else 8.0)), 3), dpi=100, layout='constrained'
    )
    canvas = FigureCanvasAgg(figure)
    scores_axes, bars = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    scores_axes.plot(seconds, scores.max(axis=1), color='tab:blue', linewidth=1)
    scores_axes.axhline(threshold, color='gray', linestyle='--', linewidth=0.8)
    scores_axes.set(ylim=(0, 1), ylabel='score', title=video)
    for row, (intervals, color) in enumerate(((truth, 'tab:green'), (found, 'tab:orange'))):
        bars.broken_barh([(start, end - start) for start, end in intervals], (row, 0.8), color=color)
    bars.set(yticks=(0.4, 1.4), yticklabels=('labelled', 'found'), ylim=(0, 2), xlabel='seconds')
    with atomic_write(path) as f:
        canvas.print_png(f)
