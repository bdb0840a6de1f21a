"""Search the uncut videos of a corpus: ensemble, intervals, timelines, AP."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

from ..corpus import Corpus
from ..errors import UserError
from ..structures import atomic_write, load_classes
from .fold_ensemble import ap_table, load_scorer, score_videos, train_ensemble
from .proposals import find_proposals
from .temporal_ap import TIOUS
from .timeline import draw_timeline, save_intervals


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
        draw_timeline(
            out / f'{video.video}.png',
            video.video,
            np.arange(len(video.scores)) * seconds,
            video.scores,
            [(p.start_frame * seconds, p.end_frame * seconds) for p in proposals],
            [(start * seconds, end * seconds) for start, end in video.intervals],
            threshold,
        )
    aps = ap_table(videos, threshold)
    found = {'threshold': threshold, 'videos': len(videos)}
    found |= {f'AP@{tiou:g}': round(float(ap), 4) for tiou, ap in zip(TIOUS, aps, strict=True)}
    found['mAP'] = round(float(aps.mean()), 4)
    with atomic_write(out / 'ap.json', 'w') as f:
        json.dump(found, f, indent=2)
    return found
