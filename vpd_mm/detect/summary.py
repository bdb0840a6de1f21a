"""Numbers of a search over a corpus, what they rest on, and reasons to doubt them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import counted
from .proposals import ProposalRule
from .scored_video import ScoredVideo, ap_table, chance_ap
from .temporal_ap import TIOUS

#: AP of fewer intervals of a class is doubtful.
FEW_INTERVALS = 10
#: ``threshold_from`` in words.
SOURCES = {
    'folds': 'chosen on the left-out videos of the folds',
    'val': "chosen on the videos of split 'val'",
    'default': 'not chosen',
    'checkpoint': 'recorded in the checkpoint',
    'argument': 'as given',
}


def measure(
    videos: Sequence[ScoredVideo], rule: ProposalRule, classes: Sequence[str], published: bool, notes: list[str]
) -> dict[str, Any]:
    """AP of labelled videos and what it rests on; reasons to doubt it are added to ``notes``."""
    counts = Counter(classes[label] for video in videos for label in video.labels)
    result: dict[str, Any] = {'frames': sum(int(video.row_edges[-1]) for video in videos), 'intervals': counts.total()}
    if len(classes) > 1 and not np.isnan(rule.mean_frames).all():
        untrained = [name for name, length in zip(classes, rule.mean_frames, strict=True) if np.isnan(length)]
        notes += [f'class {name} has no training action: it cannot be recognised' for name in untrained]
    if not counts:
        notes.append('no searched video has a labelled action, so there is no AP')
        return result
    tables = ap_table(videos, rule, published=published)
    aps = np.mean([*tables.values()], axis=0)
    result |= {f'AP@{tiou:g}': round(float(ap), 4) for tiou, ap in zip(TIOUS, aps, strict=True)}
    result |= {'mAP': round(float(aps.mean()), 4), 'chance_mAP': round(chance_ap(videos, rule, published), 4)}
    if len(classes) > 1:
        rows = {
            classes[c]: {'intervals': counts[classes[c]], 'mAP': round(float(t.mean()), 4)} for c, t in tables.items()
        }
        result['classes'] = {name: {'intervals': 0, 'mAP': None} for name in classes if not counts[name]} | rows
    if few := {name: count for name, count in counts.items() if count < FEW_INTERVALS}:
        shown = ', '.join(f'{count} of {name!r}' for name, count in few.items())
        change = f'one more or less that is found changes it by up to {100 / min(few.values()):.0f} points'
        notes.append(f'AP rests on few intervals ({shown}): {change}; label at least {FEW_INTERVALS}')
    if result['mAP'] <= result['chance_mAP']:
        notes.append(f'mAP {100 * result["mAP"]:.1f} % is not above that of the same scores at random times')
    return result


def describe(result: Mapping[str, Any]) -> list[str]:
    """Lines about a result of :func:`search_corpus`, for people; the last ones are its notes, as warnings."""
    lines = []
    if trained := result.get('trained_on'):
        models = f'{trained["folds"]} folds' if trained['folds'] > 1 else 'one model'
        lines.append(f'trained on {_sizes(trained)}: {models}')
    source = SOURCES.get(result['threshold_from'], f'chosen on {result["threshold_from"]}')
    least = f'merge gap {result["max_gap"]}, at least {result["min_frames"]} frames'
    lines.append(f'threshold {result["threshold"]:g} ({source}), {least}')
    if 'mAP' in result:
        values = ', '.join(f'{name} {100 * result[name]:.1f} %' for name in ('AP@0.3', 'AP@0.5', 'AP@0.7', 'mAP'))
        chance = f'mAP at random times {100 * result["chance_mAP"]:.1f} %'
        lines.append(f'{values} of {_sizes(result)}; {chance}')
    for name, row in result.get('classes', {}).items():
        ap = 'not tested: ' if row['mAP'] is None else f'mAP {100 * row["mAP"]:.1f} % of '
        lines.append(f'  {name}: {ap}{counted(row["intervals"], "interval")}')
    return lines + [f'warning: {note}' for note in result['notes']]


def _sizes(row: Mapping[str, Any]) -> str:
    labelled = row['videos'] - row.get('without_labels', 0)
    return f'{counted(row["intervals"], "interval")} in {counted(labelled, "video")} ({row["frames"]:,} frames)'
