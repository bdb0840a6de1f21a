"""Detection in a corpus by an ensemble over folds: training, choice of the threshold, scores and result files."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log

from ..corpus import Corpus
from ..engine.model_files import build_model, load_weights
from ..engine.paths import newest_best
from ..engine.resume import last_checkpoint, sole_training
from ..engine.run import build_runner
from ..errors import UserError
from ..features.corpus_content import settings_digest
from ..files import MARK, atomic_write, check_output, is_ours, open_output, read_text
from ..registry import DATASETS
from ..structures import load_classes
from ..visualize.plots import save_figure, timeline_figure
from .proposals import Proposal, find_proposals, fit_proposal
from .temporal_ap import TIOUS, ap_at_tiou, mean_over_classes

_COLUMNS = ('start_frame', 'end_frame', 'start_sec', 'end_sec', 'label', 'score')
#: Suffixes of the files of a video to the text by which they are recognised.
_RESULTS = {'.json': MARK, '.csv': ','.join(_COLUMNS), '.png': MARK}


class ScoredVideo(NamedTuple):
    """Scores and ground truth of a video, one row per frame at the rate of the data set.

    Args:
        video: Name.
        scores: (T, C) in [0, 1].
        row_edges: (T + 1,) the first frame of each row, and the end of the video.
        intervals: (G, 2) rows of the actions, end exclusive.
        labels: (G,) their classes.
    """

    video: str
    scores: np.ndarray
    row_edges: np.ndarray
    intervals: np.ndarray
    labels: np.ndarray

    def to_frames(self, proposal: Proposal) -> Proposal:
        """Convert a proposal in rows to frames of the video, cut at its end."""
        start, end = self.row_edges[np.minimum(proposal[:2], len(self.scores))]
        return proposal._replace(start_frame=int(start), end_frame=int(end))


def search_corpus(
    cfg: Config,
    work_dir: Path,
    split: str,
    out: Path,
    checkpoints: Sequence[Path] = (),
    threshold: float | None = None,
    num_folds: int = 5,
    overwrite: bool = False,
) -> dict:
    """Detect the actions of a split; write ``<video>.json``, ``.csv`` and ``.png`` per video, and ``ap.json``.

    Files of an earlier search about videos that are not of the split are removed.

    Proposals get about the duration of the training actions (:func:`fit_proposal`).  Where the config trains on split
    'train', the folds, which need no validation split, also train on 'val', unless that is searched.

    ``protocol = 'paper'`` in the config: as published, the epoch is chosen on the left-out fold, the threshold on the
    searched videos, the duration is that of all training videos, and AP has ``published=True`` (:func:`ap_at_tiou`).

    Args:
        cfg: Detection config set to a corpus (:func:`vpd_mm.features.corpus_config.adapt_config`).
        work_dir: Folder in which the folds are trained.
        split: Split of the videos.
        out: Folder of the results.
        checkpoints: Trained models; default: train ``num_folds`` folds.
        threshold: Score threshold; default: chosen on the left-out videos of the folds.
        num_folds: Number of models.
        overwrite: Replace files in ``out`` that were not written by this function.

    Returns:
        ``threshold``, ``threshold_from`` ('folds', 'argument' or the split), ``videos``, ``AP@<tiou>`` and ``mAP``.

    Raises:
        UserError: checkpoints without a threshold, a missing checkpoint, an invalid data set, or a file in
            ``out`` that was not written by this function, without ``overwrite``.
    """
    if checkpoints and threshold is None:
        raise UserError('--checkpoints needs --threshold: it was chosen when they were trained (ap.json)')
    cfg = Config(cfg._cfg_dict.to_dict())
    published = cfg.get('protocol') == 'paper'
    training = cfg.train_dataloader.dataset
    if training.split == 'train' and split != 'val':
        training.split = ['train', 'val']
    dataset = {**cfg.test_dataloader.dataset, 'split': split}
    corpus = Corpus.open(dataset['corpus'])
    infos = corpus.videos()
    classes = load_classes(corpus.classes_path) if dataset['num_classes'] > 1 else ['action']
    labelled = {**training, 'max_videos': None} if published else training
    lengths = DATASETS.build({**labelled, 'lazy_init': True}).mean_lengths()
    for video in infos:
        for suffix, mark in _RESULTS.items():
            check_output(out / f'{video}{suffix}', mark=mark, overwrite=overwrite, inputs=[corpus.root])
    check_output(out / 'ap.json', overwrite=overwrite, inputs=[corpus.root])
    left_out: list[ScoredVideo] = []
    if not checkpoints:
        checkpoints, left_out = train_ensemble(cfg, num_folds, work_dir)
    videos = score_videos([load_scorer(cfg, path) for path in checkpoints], dataset)
    source = 'argument'
    if threshold is None:
        candidates = corpus.settings('paper' if published else 'default').thresholds
        chosen_on, source = (videos, split) if published else (left_out, 'folds')
        threshold = choose_threshold(chosen_on, lengths, candidates, published)
        print_log(f'threshold {threshold}, chosen on {source}', 'current')
    for video in videos:
        fps = infos[video.video].fps
        proposals = [video.to_frames(p) for p in propose(video, threshold, lengths)]
        save_intervals(out / video.video, video.video, fps, threshold, proposals, classes)
        figure = timeline_figure(
            video.video,
            video.row_edges[:-1] / fps,
            video.scores,
            detected=[(p.start_frame / fps, p.end_frame / fps) for p in proposals],
            labelled=[tuple(video.row_edges[rows] / fps) for rows in video.intervals],
            threshold=threshold,
        )
        save_figure(out / f'{video.video}.png', figure)
    for video in infos.keys() - {scored.video for scored in videos}:  # of a former split
        for suffix, mark in _RESULTS.items():
            if (path := out / f'{video}{suffix}').is_file() and is_ours(path, mark):
                path.unlink()
    aps = ap_table(videos, threshold, lengths, published=published)
    result = {'threshold': threshold, 'threshold_from': source, 'videos': len(videos)}
    result |= {f'AP@{tiou:g}': round(float(ap), 4) for tiou, ap in zip(TIOUS, aps, strict=True)}
    result['mAP'] = round(float(aps.mean()), 4)
    with open_output(out / 'ap.json', 'w', overwrite=overwrite) as f:
        json.dump({**result, 'comment': MARK}, f, indent=2)
    return result


def save_intervals(
    stem: Path, video: str, fps: float, threshold: float, intervals: Sequence[Proposal], classes: Sequence[str]
) -> None:
    """Write ``<stem>.json`` and ``<stem>.csv`` with frames of the video (end exclusive) and seconds."""
    rows = []
    for start, end, score, label in sorted(intervals):
        row = start, end, round(start / fps, 3), round(end / fps, 3), classes[label], round(score, 4)
        rows.append(dict(zip(_COLUMNS, row, strict=True)))
    with atomic_write(stem.with_name(f'{stem.name}.json'), 'w') as f:
        json.dump({'video': video, 'fps': fps, 'threshold': threshold, 'comment': MARK, 'intervals': rows}, f, indent=2)
        f.write('\n')
    with atomic_write(stem.with_name(f'{stem.name}.csv'), 'w') as f:
        writer = csv.DictWriter(f, _COLUMNS, lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def train_ensemble(cfg: Config, num_folds: int, work_dir: Path) -> tuple[list[Path], list[ScoredVideo]]:
    """Train all folds; return the checkpoints and the left-out videos, each scored by the model without it."""
    checkpoints, left_out = [], []
    for fold in range(num_folds):
        checkpoints.append(train_fold(cfg, fold, num_folds, work_dir))
        dataset = {**cfg.train_dataloader.dataset, 'fold': (fold, num_folds)}
        left_out += score_videos([load_scorer(cfg, checkpoints[-1])], dataset)
        print_log(f'fold {fold + 1} of {num_folds}: {checkpoints[-1]}', 'current')
    return checkpoints, left_out


def train_fold(cfg: Config, fold: int, num_folds: int, work_dir: Path) -> Path:
    """Train without the videos of ``fold`` and return the checkpoint; skip finished folds.

    It is that of the last epoch; with ``protocol = 'paper'`` in the config, of the best one on the left-out fold.
    The folder is named by a digest of the settings and of what is read (:func:`settings_digest`), so folds of other
    settings, labels or features are kept apart.

    Raises:
        UserError: another process trains this fold.
    """
    folder = work_dir / f'{num_folds}-folds-{settings_digest(cfg)[:8]}' / f'fold{fold}'
    done = folder / 'done.txt'
    if done.is_file():
        return folder / Path(read_text(done).strip()).name
    cfg = Config(cfg._cfg_dict.to_dict())
    cfg.train_dataloader.dataset.fold = (fold, num_folds)
    if cfg.get('protocol') == 'paper':
        cfg.val_dataloader.dataset = {**cfg.train_dataloader.dataset, 'test_mode': True}
    else:  # the threshold is chosen on the left-out fold, so it must not be used for validation
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        for name in ('save_best', 'rule'):
            cfg.default_hooks.checkpoint.pop(name, None)
    cfg.work_dir = str(folder)
    cfg.experiment_name = f'{work_dir.name}-{folder.parent.name}-fold{fold}'
    with sole_training(folder) as resume:
        cfg.resume = resume
        build_runner(cfg).train()
        name = (newest_best(folder) or last_checkpoint(folder)).name
        with atomic_write(done, 'w') as f:
            f.write(f'{name}\n')
    return folder / name


def load_scorer(cfg: Config, checkpoint: Path) -> torch.nn.Module:
    """Build the model of ``cfg`` with the weights of ``checkpoint`` for inference."""
    model = build_model(cfg)
    load_weights(model, checkpoint, cfg)
    return model.to('cuda' if torch.cuda.is_available() else 'cpu')


@torch.no_grad()
def score_videos(models: Sequence[torch.nn.Module], dataset: dict) -> list[ScoredVideo]:
    """Average the scores of the models on every video of a ``FeatureWindowDataset`` config."""
    videos = DATASETS.build({**dataset, 'test_mode': True})
    scored = []
    for i in range(len(videos)):
        outputs = [model.test_step(pseudo_collate([videos[i]]))[0] for model in models]
        scores = np.mean([output.frame_scores.cpu().numpy() for output in outputs], axis=0)
        first = outputs[0]
        scored.append(ScoredVideo(first.video, scores, first.row_edges, first.gt_intervals, first.gt_labels))
    return scored


def propose(video: ScoredVideo, threshold: float, lengths: np.ndarray) -> list[Proposal]:
    """Proposals in rows, fitted to the mean lengths (C,) of the training actions."""
    return [fit_proposal(p, lengths[p.label]) for p in find_proposals(video.scores, threshold)]


def ap_table(
    videos: Sequence[ScoredVideo],
    threshold: float,
    lengths: np.ndarray,
    tious: Sequence[float] = TIOUS,
    published: bool = False,
) -> np.ndarray:
    """Compute the AP (len(tious),) of the proposals, mean over the classes that have an action."""
    rows = [(v.video, propose(v, threshold, lengths), v.intervals, v.labels) for v in videos]
    return mean_over_classes(rows, lambda gt, detections: ap_at_tiou(gt, detections, tious, published))


def choose_threshold(
    videos: Sequence[ScoredVideo], lengths: np.ndarray, candidates: Sequence[float], published: bool = False
) -> float:
    """Return the threshold with the best mean AP at tIoU 0.3 to 0.7 (paper 4.3); the middle one of ties."""
    tious = (0.3, 0.4, 0.5, 0.6, 0.7)
    means = np.array([ap_table(videos, t, lengths, tious, published).mean() for t in candidates])
    best = np.flatnonzero(means >= means.max() - 1e-9)
    return candidates[best[len(best) // 2]]
