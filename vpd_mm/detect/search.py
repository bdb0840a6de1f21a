"""Detection in a corpus by an ensemble over folds: training, choice of the threshold, scores and result files."""

import copy
import csv
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from mmengine.runner import save_checkpoint

from ..compat import load_checkpoint_safely
from ..corpus import Corpus
from ..engine.checkpoint_choice import best_checkpoint, last_checkpoint
from ..engine.model_files import build_model, class_names, load_weights, record_trained
from ..engine.progress import OnProgress, no_progress
from ..engine.resume import sole_training
from ..engine.run import build_runner
from ..errors import UserError, counted, listed
from ..features import FeatureWindowDataset
from ..features.corpus_content import settings_digest
from ..files import MARK, atomic_write, check_output, is_ours, open_output, read_text, write_json, write_text
from ..registry import DATASETS
from ..structures import FrameTimes, load_classes
from ..visualize.plots import save_figure, timeline_figure
from .proposals import Proposal, ProposalRule, check_threshold
from .scored_video import ScoredVideo, choose_threshold
from .summary import measure

_COLUMNS = ('start_frame', 'end_frame', 'start_sec', 'end_sec', 'label', 'score')
#: Suffixes of the files of a video to the text by which they are recognised.
_RESULTS = {'.json': MARK, '.csv': ','.join(_COLUMNS), '.png': MARK}
KEEPS_CLASSES = 'configs/detect/bigru_detector_classes.py'


def search_corpus(
    cfg: Config,
    work_dir: Path,
    split: str,
    out: Path,
    checkpoints: Sequence[Path] = (),
    threshold: float | None = None,
    num_folds: int | None = None,
    overwrite: bool = False,
    names: Sequence[str] | None = None,
    on_progress: OnProgress = no_progress,
) -> dict:
    """Detect the actions of videos; write ``<video>.json``, ``.csv`` and ``.png`` per video, and ``ap.json``.

    Files of an earlier search about videos that have left the split are removed.

    Training is that of :func:`train_ensemble`.  The threshold, and what else makes intervals of scores
    (:class:`ProposalRule`), are recorded in the checkpoints; a threshold that is not chosen on
    videos only where they have none.

    ``protocol = 'paper'`` in the config: as published, the epoch is chosen on the left-out fold, the threshold on the
    searched videos, the duration is that of all training videos, and AP has ``published=True`` (:func:`ap_at_tiou`).

    Args:
        cfg: Detection config set to a corpus (:func:`vpd_mm.features.corpus_config.adapt_config`).
        work_dir: Folder in which the folds are trained; afterwards it stands for them (``record_trained``).
        split: Split of the videos.
        out: Folder of the results.
        checkpoints: Trained models; default: train ``num_folds`` folds.
        threshold: Score threshold; default: that of the checkpoints, or chosen on the left-out videos of the folds.
        num_folds: Number of models; default: ``folds`` of the config, or the training videos where they are fewer.
        overwrite: Replace files in ``out`` that were not written by this function.
        names: Videos to search instead of those of ``split``, with or without labels; empty: all of the corpus.
        on_progress: Called with (searched, all) videos.

    Returns:
        What is in ``ap.json`` (:func:`~vpd_mm.detect.summary.describe` makes lines of it):

        - ``threshold``, ``threshold_from``: 'folds', 'val', 'default' (0.5), 'checkpoint', 'argument', or the split
          (paper); ``max_gap``, ``min_frames``: as of :class:`ProposalRule`.
        - ``trained_on``: ``folds``, ``videos``, ``frames``, ``intervals``; not with ``checkpoints``.
        - ``videos``, of these those ``without_actions`` (a detection there is false) and ``without_labels`` (they do
          not count), with ``allow_missing`` the videos ``left_out``; ``frames`` and ``intervals`` that AP rests on.
        - Where a video has an action: ``AP@<tiou>``, ``mAP``, its level of chance ``chance_mAP`` (:func:`chance_ap`),
          all in 0..1, and with several classes ``classes``: name to ``intervals`` and ``mAP`` (None of none).
        - ``notes``: reasons to doubt the numbers.

    Raises:
        UserError: a threshold outside 0..1, checkpoints without one, a missing checkpoint, an invalid data set, more
            folds than videos, or a file in ``out`` that was not written by this function, without ``overwrite``.
    """
    check_threshold(threshold)
    cfg = copy.deepcopy(cfg)
    published = cfg.get('protocol') == 'paper'
    training = cfg.train_dataloader.dataset
    corpus = Corpus.open(training.corpus)
    infos = corpus.videos()
    searched = names if names is None else list(names) or list(infos)
    dataset = {**cfg.test_dataloader.dataset, 'split': split, 'videos': searched, 'test_mode': True}
    num_classes = dataset['num_classes']
    classes: Sequence[str] = load_classes(corpus.classes_path) if corpus.classes_path.exists() else []
    for video in infos:
        for suffix, mark in _RESULTS.items():
            check_output(out / f'{video}{suffix}', mark=mark, overwrite=overwrite, inputs=[corpus.root])
    check_output(out / 'ap.json', overwrite=overwrite, inputs=[corpus.root])
    to_search = DATASETS.build(dataset)  # before the training: what is missing is an error here
    left_out, source, trained_on = list[ScoredVideo](), 'argument', dict[str, int]()
    if checkpoints:
        lengths = _mean_lengths(training, num_classes)
    else:
        lengths, trained_on, held_out = prepare_training(cfg, split, num_folds)
        checkpoints, left_out = train_ensemble(cfg, trained_on['folds'], work_dir, held_out)
    scorers = [load_scorer(cfg, path, classes if num_classes > 1 else ()) for path in checkpoints]
    meta = scorers[0].dataset_meta
    classes = class_names(cfg, meta, num_classes) if num_classes > 1 else meta.get('classes') or ['action']
    recorded = None if trained_on else meta.get('proposals')
    rule = ProposalRule.from_json(recorded, num_classes, f'checkpoint {checkpoints[0]}')
    if rule is None:
        rule = ProposalRule(0.5, mean_frames=tuple(lengths.tolist()))
        if not trained_on and threshold is None:
            raise UserError('--checkpoints needs --threshold: these checkpoints record none')
    elif threshold is None:
        source = 'checkpoint'
    videos = score_videos(scorers, to_search, on_progress)
    labelled, notes = [video for video in videos if video.is_labelled], list[str]()
    if trained_on and threshold is None:
        candidates = corpus.settings('paper' if published else 'default').thresholds
        chosen_on, source = (
            (labelled, split) if published else (left_out, 'folds' if trained_on['folds'] > 1 else 'val')
        )
        if any(len(video.labels) for video in chosen_on):
            threshold, note = choose_threshold(chosen_on, rule, candidates, published)
        else:
            threshold, source = rule.threshold, 'default'
            note = f'threshold {threshold:g} is not chosen: no video with an action was left out of the training'
        notes += [note] if note else []
    rule = rule if threshold is None else rule._replace(threshold=threshold)
    print_log(f'threshold {rule.threshold:g}, from: {source}', 'current')
    if trained_on:
        for path in checkpoints:
            record_rule(path, rule, keep=source in ('argument', 'default'))
        record_trained(work_dir, checkpoints)
    for video in videos:
        times = corpus.times(infos[video.video])
        proposals = [video.to_frames(p) for p in rule(video.scores)]
        save_intervals(out / video.video, video.video, times, rule.threshold, proposals, classes)
        figure = timeline_figure(
            video.video,
            times.seconds(video.row_edges[:-1]),
            video.scores,
            detected=[(times.seconds(p.start_frame), times.seconds(p.end_frame)) for p in proposals],
            labelled=[tuple(times.seconds(video.row_edges[rows])) for rows in video.intervals],
            threshold=rule.threshold,
        )
        save_figure(out / f'{video.video}.png', figure)
    gone = infos.keys() - {scored.video for scored in videos} if names is None else ()
    for video in gone:  # of a former split
        for suffix, mark in _RESULTS.items():
            if (path := out / f'{video}{suffix}').is_file() and is_ours(path, mark):
                path.unlink()
    result: dict[str, Any] = {'threshold': rule.threshold, 'threshold_from': source}
    result |= {'max_gap': rule.max_gap, 'min_frames': rule.min_frames}
    result |= {'trained_on': trained_on} if trained_on else {}
    result |= {'videos': len(videos), 'without_actions': sum(not len(video.labels) for video in labelled)}
    result['without_labels'] = len(videos) - len(labelled)
    if dataset.get('allow_missing'):
        result['left_out'] = to_search.num_left_out
    result |= measure(labelled, rule, classes, published, notes)
    known = to_search.classes
    if num_classes == 1 < len(known) and trained_on and not published:
        notes.append(
            f'{len(known)} classes ({listed(known, 3)}) are detected as one, {classes[0]!r}; {KEEPS_CLASSES} keeps them'
        )
    result['notes'] = notes
    with open_output(out / 'ap.json', 'w', overwrite=overwrite) as f:
        json.dump({**result, 'comment': MARK}, f, indent=2)
    return result


def save_intervals(
    stem: Path, video: str, times: FrameTimes, threshold: float, intervals: Sequence[Proposal], classes: Sequence[str]
) -> None:
    """Write ``<stem>.json`` and ``<stem>.csv`` with frames of the video (end exclusive) and seconds."""
    rows = []
    for start, end, score, label in sorted(intervals):
        seconds = (round(float(times.seconds(frame)), 3) for frame in (start, end))
        row = start, end, *seconds, classes[label], round(score, 4)
        rows.append(dict(zip(_COLUMNS, row, strict=True)))
    content = {'video': video, 'fps': times.fps, 'threshold': threshold, 'comment': MARK, 'intervals': rows}
    write_json(stem.with_name(f'{stem.name}.json'), content, indent=2)
    with atomic_write(stem.with_name(f'{stem.name}.csv'), 'w') as f:
        writer = csv.DictWriter(f, _COLUMNS, lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def _mean_lengths(training: Mapping[str, Any], num_classes: int) -> np.ndarray:
    """Mean lengths (C,) of the training actions, NaN where there are none, for checkpoints that record none."""
    splits = ['train', 'val'] if training['split'] == 'train' else training['split']
    try:
        return DATASETS.build({**training, 'split': splits, 'lazy_init': True}).mean_lengths()
    except UserError as e:
        print_log(f'detections keep their length, as the training actions are not known: {e}', 'current')
        return np.full(num_classes, np.nan)


def prepare_training(
    cfg: Config, searched: str, num_folds: int | None
) -> tuple[np.ndarray, dict[str, int], dict[str, Any] | None]:
    """Set the training split of ``cfg``, and fit the number of folds to the training videos.

    Where the config trains on split 'train', the folds, which need no validation split, also train on 'val', unless
    that is searched.  A single model (``num_folds=1``, or one training video) leaves 'val' out.

    Returns:
        Mean lengths (C,) of the training actions, ``trained_on`` of :func:`search_corpus`, and the data set of the
        videos that a single model leaves out, None without any.

    Raises:
        UserError: no training video has an action, or ``num_folds`` does not fit.
    """
    training, published = cfg.train_dataloader.dataset, cfg.get('protocol') == 'paper'
    own, use_val = training.split, training.split == 'train' and searched != 'val'
    training.split = ['train', 'val'] if use_val else own
    available = DATASETS.build({**training, 'lazy_init': True})
    videos = available.labelled_videos()
    most, wanted = available.num_files, num_folds or cfg.get('folds', 5)
    if num_folds is not None and not 1 <= num_folds <= most:
        raise UserError(f'--folds must be 1 to {most}, the number of training videos, found {num_folds}')
    if min(wanted, most) < wanted:
        verb = 'is' if most == 1 else 'are'
        print_log(f'folds: {most} instead of {wanted}, as there {verb} {counted(most, "training video")}', 'current')
    num_folds, held_out = min(wanted, most), None
    if num_folds == 1:
        if published:
            raise UserError(
                '--protocol paper chooses the epoch on a left-out fold: it needs 2 training videos and 2 folds'
            )
        training.split = own
        videos = DATASETS.build({**training, 'lazy_init': True}).labelled_videos()
        if use_val and 'val' in available.split_of.values():
            held_out = {**training, 'split': 'val', 'max_videos': None, 'test_mode': True}
    labelled = {**training, 'max_videos': None} if published else training
    lengths = DATASETS.build({**labelled, 'lazy_init': True}).mean_lengths()
    if np.isnan(lengths).all():
        raise UserError(f'{training.corpus}: no training video has an action; label some in annotations/actions.csv')
    counts = {'intervals': sum(len(actions) for _, actions in videos), 'videos': len({info.file for info, _ in videos})}
    return lengths, {'folds': num_folds, **counts, 'frames': sum(info.num_frames for info, _ in videos)}, held_out


def train_ensemble(
    cfg: Config, num_folds: int, work_dir: Path, held_out: dict[str, Any] | None = None
) -> tuple[list[Path], list[ScoredVideo]]:
    """Train all folds; return the checkpoints and the left-out videos, each scored by the model without it.

    A single model is trained on all videos; the left-out ones are those of the data set ``held_out``.
    """
    checkpoints, left_out = [], []
    for fold in range(num_folds):
        checkpoints.append(train_fold(cfg, fold, num_folds, work_dir))
        of_fold = {**cfg.train_dataloader.dataset, 'fold': (fold, num_folds), 'test_mode': True}
        if dataset := of_fold if num_folds > 1 else held_out:
            left_out += score_videos([load_scorer(cfg, checkpoints[-1])], DATASETS.build(dataset))
        print_log(f'fold {fold + 1} of {num_folds}: {checkpoints[-1]}', 'current')
    return checkpoints, left_out


def use_recorded_rule(cfg: Config, checkpoint: str) -> None:
    """Let the ``TemporalAPMetric`` of the test part of ``cfg`` use the rule that a checkpoint records, if it does."""
    metrics = cfg.get('test_evaluator') or []
    for metric in metrics if isinstance(metrics, list) else [metrics]:
        if str(metric.type).rpartition('.')[2] == 'TemporalAPMetric':
            meta = load_checkpoint_safely(checkpoint).get('meta', {}).get('dataset_meta') or {}
            metric.proposals = meta.get('proposals')


def record_rule(checkpoint: Path, rule: ProposalRule, keep: bool = False) -> None:
    """Write the rule into the metadata of a checkpoint; with ``keep``, a valid one that is there stays."""
    content = load_checkpoint_safely(str(checkpoint))
    meta = content.setdefault('meta', {}).setdefault('dataset_meta', {})
    with suppress(UserError):
        if keep and ProposalRule.from_json(meta.get('proposals'), len(rule.mean_frames), str(checkpoint)):
            return
    if meta.get('proposals') != rule.to_json():
        meta['proposals'] = rule.to_json()
        save_checkpoint(content, str(checkpoint))


def train_fold(cfg: Config, fold: int, num_folds: int, work_dir: Path) -> Path:
    """Train without the videos of ``fold`` and return the checkpoint; finished folds are skipped.

    A stopped one is resumed and ends as if it had not been stopped.

    It is that of the last epoch; with ``protocol = 'paper'`` in the config, of the best one on the left-out fold.
    The folder is named by a digest of the settings and of what is read (:func:`settings_digest`), so folds of other
    settings, labels or features are kept apart.

    Raises:
        UserError: another process trains this fold.
    """
    cfg = Config(cfg._cfg_dict.to_dict())
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), {'type': 'vpd_mm.ExactResumeHook'}]
    folder = work_dir / f'{num_folds}-folds-{settings_digest(cfg)[:8]}' / f'fold{fold}'
    done = folder / 'done.txt'
    if done.is_file():
        return folder / Path(read_text(done).strip()).name
    cfg.train_dataloader.dataset.fold = (fold, num_folds) if num_folds > 1 else None
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
        name = (best_checkpoint(folder) or last_checkpoint(folder)).name
        write_text(done, f'{name}\n')
    return folder / name


def load_scorer(cfg: Config, checkpoint: Path, classes: Sequence[str] = ()) -> torch.nn.Module:
    """Build the model of ``cfg`` with the weights of ``checkpoint``, trained on ``classes`` if given, for inference."""
    model = build_model(cfg)
    model.dataset_meta = load_weights(model, checkpoint, cfg)
    trained = list(model.dataset_meta.get('classes') or classes)
    if classes and trained != list(classes):
        raise UserError(
            f'checkpoint {checkpoint}: was trained on {trained}, searched is {list(classes)}; pass its config'
        )
    return model.to('cuda' if torch.cuda.is_available() else 'cpu')


@torch.no_grad()
def score_videos(
    models: Sequence[torch.nn.Module], videos: FeatureWindowDataset, on_progress: OnProgress = no_progress
) -> list[ScoredVideo]:
    """Average the scores of the models on every video of a data set in test mode."""
    scored = []
    for i in range(len(videos)):
        outputs = [model.test_step(pseudo_collate([videos[i]]))[0] for model in models]
        scores = np.mean([output.frame_scores.cpu().numpy() for output in outputs], axis=0)
        first = outputs[0]
        labels = first.gt_intervals, first.gt_labels, first.labelled
        scored.append(ScoredVideo(first.video, scores, first.row_edges, *labels))
        on_progress(i + 1, len(videos))
    return scored
