"""Search the uncut videos of a corpus: ensemble, intervals, timelines, AP."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

from ..corpus import Corpus
from ..errors import UserError
from ..structures import atomic_write, load_classes
from ..visualize.plots import save_figure, timeline_figure
from .fold_ensemble import ap_table, load_scorer, score_videos, train_ensemble
from .proposals import Proposal, find_proposals
from .temporal_ap import TIOUS


def search_corpus(
    cfg: Config,
    work_dir: Path,
    split: str,
    out: Path,
    checkpoints: Sequence[Path] = (),
    threshold: float | None = None,
    num_folds: int = 5,
    report: Callable[[str], None] = print,
) -> dict:
    """Write, for every video of ``split``, ``<video>.json``, ``.csv`` and ``.png``, and ``ap.json`` for all.

    Args:
        cfg: As :func:`vpd_mm.features.corpus_config.adapt_config` returns.
        work_dir: The folds are trained there.
        split: Of the videos.
        out: Folder of the results.
        checkpoints: Trained models; none: train ``num_folds`` folds.
        threshold: None: chosen on the videos that the folds left out.
        num_folds: Models of the ensemble.
        report: Called with what happens.

    Returns:
        ``threshold``, ``videos``, ``AP@<tiou>`` and ``mAP``.

    Raises:
        UserError: checkpoints without a threshold, or what the data set refuses.
    """
    if checkpoints:
        if threshold is None:
            raise UserError('--checkpoints needs --threshold: it was chosen when they were trained (ap.json)')
        missing = [path for path in checkpoints if not path.is_file()]
        if missing:
            raise UserError(f'checkpoint {missing[0]}: no such file')
        paths = list(checkpoints)
    else:
        paths, chosen = train_ensemble(cfg, num_folds, work_dir, report)
        threshold = chosen if threshold is None else threshold
    dataset = {**cfg.test_dataloader.dataset, 'split': split}
    corpus = Corpus.open(dataset['corpus'])
    table = corpus.videos()
    classes = load_classes(corpus.classes_path) if dataset['num_classes'] > 1 else ['action']
    videos = score_videos([load_scorer(cfg, path) for path in paths], dataset)
    for video in videos:
        fps = table[video.video].fps
        proposals = find_proposals(video.scores, threshold)
        save_intervals(out / video.video, video.video, fps, threshold, [video.to_frames(p) for p in proposals], classes)
        seconds = video.frame_step / fps
        figure = timeline_figure(
            video.video,
            np.arange(len(video.scores)) * seconds,
            video.scores,
            detected=[(p.start_frame * seconds, p.end_frame * seconds) for p in proposals],
            labelled=[(start * seconds, end * seconds) for start, end in video.intervals],
            threshold=threshold,
        )
        save_figure(out / f'{video.video}.png', figure)
    aps = ap_table(videos, threshold)
    found = {'threshold': threshold, 'videos': len(videos)}
    found |= {f'AP@{tiou:g}': round(float(ap), 4) for tiou, ap in zip(TIOUS, aps, strict=True)}
    found['mAP'] = round(float(aps.mean()), 4)
    with atomic_write(out / 'ap.json', 'w') as f:
        json.dump(found, f, indent=2)
    return found


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
