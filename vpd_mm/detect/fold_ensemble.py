"""Models of several folds, one score: train them, find the threshold where none of them looked, score videos."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

from ..engine.resume import config_digest, sole_training
from ..engine.run import build_runner
from ..errors import UserError
from ..registry import DATASETS, MODELS
from ..structures import atomic_write
from .proposals import Proposal, find_proposals
from .temporal_ap import TIOUS, Detection, ap_at_tiou

_LOG = logging.getLogger(__name__)
#: Thresholds among which the best on the validation folds is taken.
THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))


@dataclass(frozen=True)
class ScoredVideo:
    """The scores of a video.

    Args:
        video: Name.
        scores: (T, C), between 0 and 1, at the rate of the data set.
        frame_step: Frames of the video for one of these.
        intervals: (G, 2) true actions at the same rate, end exclusive.
        labels: (G,) their classes.
    """

    video: str
    scores: np.ndarray
    frame_step: float
    intervals: np.ndarray
    labels: np.ndarray

    def to_frames(self, proposal: Proposal) -> Proposal:
        """A proposal in frames of the video."""
        start = round(proposal.start_frame * self.frame_step)
        end = max(start + 1, round(proposal.end_frame * self.frame_step))
        return proposal._replace(start_frame=start, end_frame=end)


def train_fold(cfg: Config, fold: int, num_folds: int, work_dir: Path) -> Path:
    """Train without fold ``fold`` of the training videos, to the last epoch; what is finished is not done again.

    The folder is that of the settings, so that a fold of others is neither taken for this one nor lost.

    Returns:
        The checkpoint.

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
    # the threshold is chosen on the fold that is left out, so nothing else is chosen there
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.pop('save_best', None)
    cfg.default_hooks.checkpoint.pop('rule', None)
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
    """The model of ``cfg`` with the weights of ``checkpoint``, ready to predict."""
    init_default_scope(cfg.get('default_scope', 'vpd_mm'))
    model = MODELS.build(cfg.model)
    load_checkpoint(model, str(checkpoint), map_location='cpu')
    return model.to('cuda' if torch.cuda.is_available() else 'cpu').eval()


@torch.no_grad()
def score_videos(models: Sequence[torch.nn.Module], dataset: dict) -> list[ScoredVideo]:
    """Mean of the models' scores on every video of a ``FeatureWindowDataset`` (config, ``test_mode`` is set)."""
    videos = DATASETS.build({**dataset, 'test_mode': True})
    scored = []
    for i in range(len(videos)):
        outputs = [model.test_step(pseudo_collate([videos[i]]))[0] for model in models]
        scores = np.mean([output.frame_scores.cpu().numpy() for output in outputs], axis=0)
        meta = outputs[0]
        scored.append(ScoredVideo(meta.video, scores, meta.frame_step, meta.gt_intervals, meta.gt_labels))
    return scored


def ap_table(
    videos: Sequence[ScoredVideo],
    threshold: float,
    tious: Sequence[float] = TIOUS,
    max_gap: int = 1,
    min_frames: int = 5,
) -> np.ndarray:
    """(len(tious),) AP, mean over the classes that have an action.

    Args:
        videos: Scored videos with their actions.
        threshold: Of :func:`find_proposals`.
        tious: Temporal IoU thresholds.
        max_gap, min_frames: Of :func:`find_proposals`.
    """
    classes = sorted({int(label) for video in videos for label in video.labels})
    if not classes:
        raise UserError('no video that is scored has an action; actions.csv must label the split')
    found = {video.video: find_proposals(video.scores, threshold, max_gap, min_frames) for video in videos}
    tables = []
    for label in classes:
        truth = {video.video: video.intervals[video.labels == label] for video in videos}
        detections = [
            Detection(name, (p.start_frame, p.end_frame), p.score)
            for name, proposals in found.items()
            for p in proposals
            if p.label == label
        ]
        tables.append(ap_at_tiou(truth, detections, tious))
    return np.mean(tables, axis=0)


def choose_threshold(videos: Sequence[ScoredVideo], **options: int) -> float:
    """The threshold with the best mean AP at tIoU 0.3 to 0.7 (paper 4.3); of equal ones, the middle one."""
    means = np.array([ap_table(videos, t, (0.3, 0.4, 0.5, 0.6, 0.7), **options).mean() for t in THRESHOLDS])
    best = np.flatnonzero(means >= means.max() - 1e-9)
    return THRESHOLDS[best[len(best) // 2]]


def train_ensemble(
    cfg: Config, num_folds: int, work_dir: Path, report: Callable[[str], None] = _LOG.info
) -> tuple[list[Path], float]:
    """Train all folds and choose the threshold on the videos that each left out.

    Returns:
        The checkpoints and the threshold.
    """
    checkpoints, left_out = [], []
    for fold in range(num_folds):
        checkpoints.append(train_fold(cfg, fold, num_folds, work_dir))
        dataset = {**cfg.train_dataloader.dataset, 'fold': (fold, num_folds)}
        left_out += score_videos([load_scorer(cfg, checkpoints[-1])], dataset)
        report(f'fold {fold + 1} of {num_folds}: {checkpoints[-1]}')
    threshold = choose_threshold(left_out)
    report(f'threshold {threshold}, chosen on the folds left out')
    return checkpoints, threshold
