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
from ..engine.resume import config_digest, sole_training
from ..engine.run import build_runner
from ..errors import UserError
from ..registry import DATASETS
from ..structures import atomic_write, load_classes
from ..visualize.plots import save_figure, timeline_figure
from .proposals import Proposal, find_proposals
from .temporal_ap import TIOUS, ap_at_tiou, mean_over_classes

#: Candidate thresholds.
THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))


class ScoredVideo(NamedTuple):
    """Scores and ground truth of a video.

    Args:
        video: Name.
        scores: (T, C) in [0, 1], at the rate of the data set.
        frame_step: Frames of the video per frame of the scores.
        intervals: (G, 2) actions at the rate of the scores, end exclusive.
        labels: (G,) their classes.
    """

    video: str
    scores: np.ndarray
    frame_step: float
    intervals: np.ndarray
    labels: np.ndarray

    def to_frames(self, proposal: Proposal) -> Proposal:
        """Convert a proposal to frames of the video."""
        start = round(proposal.start_frame * self.frame_step)
        end = max(start + 1, round(proposal.end_frame * self.frame_step))
        return proposal._replace(start_frame=start, end_frame=end)


def search_corpus(
    cfg: Config,
    work_dir: Path,
    split: str,
    out: Path,
    checkpoints: Sequence[Path] = (),
    threshold: float | None = None,
    num_folds: int = 5,
) -> dict:
    """Detect the actions of a split; write ``<video>.json``, ``.csv`` and ``.png`` per video, and ``ap.json``.

    Args:
        cfg: Detection config set to a corpus (:func:`vpd_mm.features.corpus_config.adapt_config`).
        work_dir: Folder in which the folds are trained.
        split: Split of the videos.
        out: Folder of the results.
        checkpoints: Trained models; default: train ``num_folds`` folds.
        threshold: Score threshold; default: chosen on the left-out videos of the folds.
        num_folds: Number of models.

    Returns:
        ``threshold``, ``videos``, ``AP@<tiou>`` and ``mAP``.

    Raises:
        UserError: checkpoints without a threshold, a missing checkpoint, or an invalid data set.
    """
    if not checkpoints:
        checkpoints, chosen = train_ensemble(cfg, num_folds, work_dir)
        threshold = chosen if threshold is None else threshold
    elif threshold is None:
        raise UserError('--checkpoints needs --threshold: it was chosen when they were trained (ap.json)')
    dataset = {**cfg.test_dataloader.dataset, 'split': split}
    corpus = Corpus.open(dataset['corpus'])
    infos = corpus.videos()
    classes = load_classes(corpus.classes_path) if dataset['num_classes'] > 1 else ['action']
    videos = score_videos([load_scorer(cfg, path) for path in checkpoints], dataset)
    for video in videos:
        fps = infos[video.video].fps
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
    result = {'threshold': threshold, 'videos': len(videos)}
    result |= {f'AP@{tiou:g}': round(float(ap), 4) for tiou, ap in zip(TIOUS, aps, strict=True)}
    result['mAP'] = round(float(aps.mean()), 4)
    with atomic_write(out / 'ap.json', 'w') as f:
        json.dump(result, f, indent=2)
    return result


def save_intervals(
    stem: Path, video: str, fps: float, threshold: float, intervals: Sequence[Proposal], classes: Sequence[str]
) -> None:
    """Write ``<stem>.json`` and ``<stem>.csv`` with frames of the video (end exclusive) and seconds."""
    columns = ('start_frame', 'end_frame', 'start_sec', 'end_sec', 'label', 'score')
    rows = []
    for start, end, score, label in sorted(intervals):
        row = start, end, round(start / fps, 3), round(end / fps, 3), classes[label], round(score, 4)
        rows.append(dict(zip(columns, row, strict=True)))
    with atomic_write(stem.with_name(f'{stem.name}.json'), 'w') as f:
        json.dump({'video': video, 'fps': fps, 'threshold': threshold, 'intervals': rows}, f, indent=2)
        f.write('\n')
    with atomic_write(stem.with_name(f'{stem.name}.csv'), 'w') as f:
        writer = csv.DictWriter(f, columns, lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def train_ensemble(cfg: Config, num_folds: int, work_dir: Path) -> tuple[list[Path], float]:
    """Train all folds and choose the threshold on their left-out videos; return the checkpoints and the threshold."""
    checkpoints, left_out = [], []
    for fold in range(num_folds):
        checkpoints.append(train_fold(cfg, fold, num_folds, work_dir))
        dataset = {**cfg.train_dataloader.dataset, 'fold': (fold, num_folds)}
        left_out += score_videos([load_scorer(cfg, checkpoints[-1])], dataset)
        print_log(f'fold {fold + 1} of {num_folds}: {checkpoints[-1]}', 'current')
    threshold = choose_threshold(left_out)
    print_log(f'threshold {threshold}, chosen on the left-out videos', 'current')
    return checkpoints, threshold


def train_fold(cfg: Config, fold: int, num_folds: int, work_dir: Path) -> Path:
    """Train without the videos of ``fold`` to the last epoch and return the checkpoint; skip finished folds.

    The folder is named by a digest of the settings, so folds of other settings are kept apart.

    Raises:
        UserError: another process trains this fold.
    """
    settings = config_digest(cfg, load_from=cfg.get('load_from'))
    folder = work_dir / f'{num_folds}-folds-{settings}' / f'fold{fold}'
    done = folder / 'done.txt'
    if done.is_file():
        return folder / done.read_text(encoding='utf-8').strip()
    cfg = Config(cfg._cfg_dict.to_dict())
    cfg.train_dataloader.dataset.fold = (fold, num_folds)
    # The threshold is chosen on the left-out fold, so it must not be used for validation.
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    for name in ('save_best', 'rule'):
        cfg.default_hooks.checkpoint.pop(name, None)
    cfg.work_dir = str(folder)
    cfg.experiment_name = f'{work_dir.name}-{folder.parent.name}-fold{fold}'
    with sole_training(folder) as resume:
        cfg.resume = resume
        build_runner(cfg).train()
        name = Path((folder / 'last_checkpoint').read_text(encoding='utf-8').strip()).name
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
        scored.append(ScoredVideo(first.video, scores, first.frame_step, first.gt_intervals, first.gt_labels))
    return scored


def ap_table(videos: Sequence[ScoredVideo], threshold: float, tious: Sequence[float] = TIOUS) -> np.ndarray:
    """Compute the AP (len(tious),) of the proposals, mean over the classes that have an action."""
    rows = [(v.video, find_proposals(v.scores, threshold), v.intervals, v.labels) for v in videos]
    return mean_over_classes(rows, lambda ground_truth, detections: ap_at_tiou(ground_truth, detections, tious))


def choose_threshold(videos: Sequence[ScoredVideo]) -> float:
    """Return the threshold with the best mean AP at tIoU 0.3 to 0.7 (paper 4.3); the middle one of ties."""
    means = np.array([ap_table(videos, t, (0.3, 0.4, 0.5, 0.6, 0.7)).mean() for t in THRESHOLDS])
    best = np.flatnonzero(means >= means.max() - 1e-9)
    return THRESHOLDS[best[len(best) // 2]]
