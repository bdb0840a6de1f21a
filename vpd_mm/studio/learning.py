"""Train the recogniser and the frame scorer on the current labels, validate them, and predict the whole corpus.

Both are ensembles of :data:`~vpd_mm.studio.folds.NUM_FOLDS` models (``configs/studio``), each trained without the
labels of one fold: by video where enough videos have labels.  The left-out labels validate.  Labels of split 'test'
are neither trained on nor tested.  Recognition also asks the nearest labels (:mod:`~vpd_mm.studio.dtw_votes`).

Labels are few and videos may be labelled in part, so a frame without a label may still show an action.  The frame
scorer learns labels against all other frames of the videos that have labels, and against rejected predictions; its
threshold is the one with the largest recall of left-out labels, squared, for the number of proposals: a criterion for
positive and unlabelled data (Lee and Liu, ICML 2003), which does not count an unlabelled action as an error.
"""

import copy
import multiprocessing
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.utils.dl_utils import collect_env

from ..compat import find_latest_checkpoint
from ..detect import Proposal, ProposalRule, temporal_iou
from ..detect.search import score_videos
from ..engine.config import read_config
from ..engine.model_files import build_model, load_weights
from ..engine.progress import OnProgress
from ..engine.run import ProgressHook, build_runner
from ..errors import UserError, counted
from ..features.corpus_config import adapt_config
from ..files import disk_errors_name, write_lines
from ..registry import DATASETS, TRANSFORMS
from ..structures import Action, Share, guess_chance
from .calibration import calibrate, temper
from .dtw_votes import DTWVotes
from .folds import NUM_FOLDS, Folds
from .predictions import Prediction, disagreement, save_frame_scores
from .segments import ClipReader, Segment, feature_name, segment_of
from .workspace import Workspace

CONFIGS = {'recognizer': 'configs/studio/recognizer.py', 'scorer': 'configs/studio/scorer.py'}
#: Fewest labels of a class that counts, and fewest such classes.
MIN_LABELS, MIN_CLASSES = 2, 2
#: Share of the steps of a training that starts from the last models.
WARM_STEPS = 0.5
#: Fewest steps of a frame scorer from random weights: few videos are seen more often than the config says.
SCORER_STEPS = 60
#: Least intersection over union at which a proposal has found a label.
FOUND_TIOU = 0.5
THRESHOLDS = np.linspace(0.05, 0.95, 19)
#: Of a process of :func:`run_jobs`.
_jobs: Sequence[Callable[[OnProgress], Any]]
_shares: Any


@dataclass(frozen=True)
class Task:
    """Labels to learn from, and what goes with them.

    Args:
        workspace: Corpus and features.
        folder: Folder of the training.
        classes: Class names.
        actions: The labels that are trained on, all with features.
        folds: Their folds.
        rejected: Segments that are no action.
        before: Folder of the last training where its models fit; None: train from random weights.
    """

    workspace: Workspace
    folder: Path
    classes: Sequence[str]
    actions: Sequence[Action]
    folds: Folds
    rejected: Sequence[Segment] = ()
    before: Path | None = None
    _configs: dict[str, Config] = field(default_factory=dict, init=False, repr=False)

    def in_fold(self, fold: int) -> np.ndarray:
        """(N,) bool: which labels a fold has."""
        videos = self.workspace.corpus.videos()
        return np.array([self.folds.of(action, videos) == fold for action in self.actions])

    def of_fold(self, fold: int, left_out: bool) -> list[Action]:
        """The labels of a fold, or all others."""
        return [action for action, inside in zip(self.actions, self.in_fold(fold), strict=True) if inside == left_out]

    def config(self, kind: str) -> Config:
        """The config of a kind of model, set to the corpus; read once, a copy each time."""
        if kind not in self._configs:
            root, features = str(self.workspace.corpus.root), feature_name(self.workspace)
            cfg = adapt_config(read_config(CONFIGS[kind]), root, features=features, allow_missing=True)
            self._configs[kind] = cfg
        init_default_scope(self._configs[kind].default_scope)
        return copy.deepcopy(self._configs[kind])


def check_labels(classes: Sequence[str], actions: Sequence[Action], without_features: int, where: Path) -> None:
    """Raise UserError, in one line, where there is too little to learn from."""
    counts = Counter(action.label for action in actions)
    enough = [label for label, count in counts.items() if count >= MIN_LABELS]
    if not actions and without_features:
        raise UserError(
            f'{where}: none of the {without_features} labels has features; extract features of their videos'
        )
    if not actions:
        raise UserError(f'{where}: no labels yet; label {MIN_LABELS} actions of {MIN_CLASSES} classes or more')
    if len(counts) < MIN_CLASSES:
        name = classes[next(iter(counts))]
        raise UserError(f'{where}: all labels are of one class ({name}); label actions of another class, too')
    if len(enough) < MIN_CLASSES:
        has = f'{counted(len(actions), "label")} of {counted(len(counts), "class")}'
        raise UserError(f'{where}: too few labels: {has}; label {MIN_LABELS} actions of {MIN_CLASSES} classes or more')


def run_jobs(
    jobs: Sequence[Callable[[OnProgress], Any]], num_workers: int, on_progress: Callable[[float], None]
) -> list[Any]:
    """Run functions in processes and return their results; ``on_progress`` gets the done share of all jobs.

    The first error of a job is raised; UserError where a process was killed.  The processes end with this one.
    """
    context: Any = multiprocessing.get_context('fork' if sys.platform == 'linux' else 'spawn')
    shares = context.Array('d', len(jobs))
    pool = ProcessPoolExecutor(min(num_workers, len(jobs)), context, _start_process, (jobs, shares))
    try:
        futures = [pool.submit(_run_job, i) for i in range(len(jobs))]
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=0.2)
            for future in done:
                future.result()
            on_progress(sum(shares) / len(jobs))
        return [future.result() for future in futures]
    except BrokenProcessPool:
        raise UserError('a process of the training was killed; is there enough memory?') from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start_process(jobs: Sequence[Callable[[OnProgress], Any]], shares: Any) -> None:
    """Set up a process of :func:`run_jobs`."""
    global _jobs, _shares

    def end_with_parent() -> None:
        multiprocessing.parent_process().join()  # type: ignore[union-attr]
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _jobs, _shares = jobs, shares


def _run_job(i: int) -> Any:
    def on_progress(done: float, total: int) -> None:
        _shares[i] = min(done / max(total, 1), 1.0)

    result = _jobs[i](on_progress)
    _shares[i] = 1.0
    return result


def train_recognizer(task: Task, fold: int, on_progress: OnProgress) -> tuple[list[str], np.ndarray]:
    """Train the recogniser without a fold; return the ids of the left-out labels and their probabilities (N, C)."""
    cfg = task.config('recognizer')
    folder = task.folder / f'recognizer_{fold}'
    ids = task.folder / f'recognizer_{fold}.txt'
    write_lines(ids, (action.action_id for action in task.of_fold(fold, left_out=False)))
    dataset = cfg.train_dataloader.dataset
    dataset.split, dataset.ids_file = ['train', 'val'], str(ids.resolve())
    before = _start_from(task, folder.name)
    steps = round(cfg.train_cfg.max_iters * (WARM_STEPS if before else 1))
    cfg.train_cfg.max_iters = cfg.train_cfg.val_interval = cfg.default_hooks.checkpoint.interval = steps
    cfg.param_scheduler[0].end = cfg.param_scheduler[1].begin = steps // 7
    _train(cfg, folder, before, on_progress)
    left_out = task.of_fold(fold, left_out=True)
    return [a.action_id for a in left_out], class_scores(
        task, load_models(task, 'recognizer', [fold]), _read_clips(task, left_out)
    )[0]


def train_scorer(task: Task, fold: int | None, on_progress: OnProgress) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Train the frame scorer without the videos of a fold; return names, scores and row edges of these videos.

    None: on all videos, which leaves none out.
    """
    cfg = task.config('scorer')
    infos = task.workspace.corpus.videos()
    held_out = {a.video for a in task.of_fold(fold, left_out=True)} if fold is not None else set()
    files = {infos[video].file for video in held_out}
    labelled = {action.video for action in task.actions} - held_out
    rejected = {segment.video for segment in task.rejected if infos[segment.video].file not in files}
    cfg.train_dataloader.dataset.videos = sorted(labelled | rejected)
    left_out = {**cfg.test_dataloader.dataset, 'videos': sorted(held_out), 'test_mode': True}
    before = _start_from(task, f'scorer_{fold or 0}')
    windows = sum(-(-infos[video].num_frames // cfg.model.window) for video in labelled | rejected)
    epochs = max(cfg.train_cfg.max_epochs, -(-SCORER_STEPS * cfg.train_dataloader.batch_size // (2 * windows)))
    epochs = max(1, round(epochs * (WARM_STEPS if before else 1)))
    cfg.train_cfg.max_epochs = cfg.default_hooks.checkpoint.interval = epochs

    def only_rejected(sample: dict) -> None:
        """Of a video without labels, only the frames of rejected predictions are known."""
        video = sample['meta']['video']
        if video not in labelled:
            rows = sample['meta']['row_edges'][:-1]
            spans = [(s.start_frame, s.end_frame) for s in task.rejected if s.video == video]
            inside = np.any([(rows >= start) & (rows < end) for start, end in spans], axis=0)
            sample['valid'] = sample['valid'] & inside

    _train(cfg, task.folder / f'scorer_{fold or 0}', before, on_progress, only_rejected)
    if not held_out:
        return []
    scored = score_videos([*load_models(task, 'scorer', [fold]).values()], DATASETS.build(left_out))
    return [(video.video, video.scores, video.row_edges) for video in scored]


def _train(
    cfg: Config,
    folder: Path,
    before: Path | None,
    on_progress: OnProgress,
    change: Callable[[dict], None] | None = None,
) -> None:
    """Train to the last step, without validation: what is left out of a fold chooses nothing."""
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    for name in ('save_best', 'rule'):
        cfg.default_hooks.checkpoint.pop(name, None)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 1
    cfg.work_dir, cfg.experiment_name = str(folder), f'{folder.parent.name}-{folder.name}'
    cfg.load_from = None if before is None else str(before)
    with disk_errors_name(folder):
        runner = build_runner(cfg)
        for sample in runner.train_loop.dataloader.dataset.data_list if change else ():
            change(sample)
        runner.register_hook(ProgressHook(on_progress))
        runner.train()


def _start_from(task: Task, name: str) -> Path | None:
    checkpoint = task.before and find_latest_checkpoint(task.before / name)
    return Path(checkpoint) if checkpoint else None


def load_models(task: Task, kind: str, folds: Iterable[int | None]) -> dict[int, torch.nn.Module]:
    """Trained models of some folds; None is 0."""
    cfg, models = task.config(kind), {}
    for fold in folds:
        models[fold or 0] = build_model(cfg)
        load_weights(models[fold or 0], str(find_latest_checkpoint(task.folder / f'{kind}_{fold or 0}')), cfg)
    return models


@torch.no_grad()
def class_scores(task: Task, models: Mapping[int, torch.nn.Module], clips: Sequence[np.ndarray]) -> np.ndarray:
    """Class probabilities (M, N, C) of clips (T, V, D) by the recognisers and the DTW votes of M folds.

    A probability is the geometric mean of the two; both know the labels of the other folds.
    """
    pipeline = Compose([TRANSFORMS.build(step) for step in task.config('recognizer').test_dataloader.dataset.pipeline])
    samples = [pipeline({'feats': clip.transpose(1, 0, 2), 'label': 0, 'action_id': ''}) for clip in clips]
    scores = np.zeros((len(models), len(clips), len(task.classes)), np.float32)
    if not clips:
        return scores
    labels = [action.label for action in task.actions]
    votes = DTWVotes(_read_clips(task, task.actions), labels, len(task.classes))
    distances = votes.distances(clips)
    for m, (fold, model) in enumerate(models.items()):
        for first in range(0, len(samples), 100):
            outputs = model.test_step(pseudo_collate(samples[first : first + 100]))
            scores[m, first : first + len(outputs)] = [output.pred_score.numpy() for output in outputs]
        scores[m] = temper(scores[m] * votes.probabilities(distances, task.in_fold(fold)), 2.0)
    return scores


def _read_clips(task: Task, actions: Sequence[Action]) -> list[np.ndarray]:
    """Features (T, V, D) of labels that have them."""
    reader = ClipReader(task.workspace)
    clips = [reader.read(segment_of(action)) for action in actions]
    return [clip for clip in clips if clip is not None]


def choose_rule(
    scored: Sequence[tuple[str, np.ndarray, np.ndarray]], actions: Sequence[Action], mean_frames: float
) -> tuple[ProposalRule, dict[str, Any] | None]:
    """Choose the threshold of the frame scores on left-out videos; see the module.

    Returns:
        The rule, and ``threshold``, ``found`` (share of the labels, with chance by shifted proposals),
        ``num_proposals`` and ``num_labels``; None where no video was left out.
    """
    spans: dict[str, list[tuple[int, int]]] = {}
    for action in actions:
        spans.setdefault(action.video, []).append((action.start_frame, action.end_frame))
    tried: list[tuple[float, ProposalRule, int, int]] = []
    for threshold in THRESHOLDS:
        rule = ProposalRule(float(round(threshold, 2)), mean_frames=(mean_frames,))
        proposals = {video: _in_frames(rule(scores), edges) for video, scores, edges in scored}
        num_right = sum(_num_found(proposals[video], spans.get(video, [])) for video, _, _ in scored)
        num = sum(map(len, proposals.values()))
        tried.append((num_right**2 / max(num, 1), rule, num_right, num))
    num_labels = sum(len(spans.get(video, [])) for video, _, _ in scored)
    if not num_labels:
        return ProposalRule(0.5, mean_frames=(mean_frames,)), None
    most = max(value for value, *_ in tried)
    equal = [row for row in tried if row[0] == most]  # the middle one has the ends of actions least wide or narrow
    _, rule, num_right, num = equal[len(equal) // 2]
    rng, by_chance = np.random.default_rng(0), []
    for _ in range(20):
        for video, scores, edges in scored:
            shifted = np.roll(scores, rng.integers(len(scores)), axis=0)
            by_chance.append(_num_found(_in_frames(rule(shifted), edges), spans.get(video, [])))
    share = Share(num_right / num_labels, num_labels, sum(by_chance) / 20 / num_labels, 'label')
    report = {'threshold': rule.threshold, 'found': share_json(share), 'num_proposals': num, 'num_labels': num_labels}
    return rule, report


def _in_frames(proposals: Sequence[Proposal], edges: np.ndarray) -> np.ndarray:
    """Proposals in rows as intervals (N, 2) of frames."""
    rows = np.array([p[:2] for p in proposals], np.int64).reshape(-1, 2)
    return edges[np.minimum(rows, len(edges) - 1)]


def _num_found(proposals: np.ndarray, spans: Sequence[tuple[int, int]]) -> int:
    if not len(proposals):
        return 0
    return sum(bool((temporal_iou(span, proposals) >= FOUND_TIOU).any()) for span in spans)


def share_json(share: Share) -> dict[str, Any]:
    """A share with its interval, chance and warning, in JSON types."""
    numbers = {'value': share.value, 'n': share.n, 'chance': share.chance, 'interval': list(share.interval)}
    return {**numbers, 'text': str(share), 'warning': share.warning}


def predict(
    task: Task,
    videos: Sequence[str],
    scorers: Sequence[torch.nn.Module],
    recognizers: Mapping[int, torch.nn.Module],
    rule: ProposalRule,
    temperature: float,
    whole: bool,
    on_progress: OnProgress,
) -> list[Prediction]:
    """Score the frames of some videos, and recognise the proposals; rejected segments are left out.

    Args:
        task, videos: Names of videos with features.
        scorers, recognizers: The models; the recognisers by their fold.
        rule: From frame scores to proposals.
        temperature: Of the class probabilities.
        whole: Take each whole video as a proposal: where labels are of whole videos there is nothing to find in them.
    """
    dataset = {**task.config('scorer').test_dataloader.dataset, 'videos': list(videos), 'test_mode': True}
    proposals: list[tuple[Segment, float, np.ndarray]] = []
    reader = ClipReader(task.workspace)
    for scored in score_videos(scorers, DATASETS.build(dataset), on_progress):
        scores = scored.scores[:, 0].astype(np.float32)
        save_frame_scores(task.folder, scored.video, scored.row_edges[:-1].astype(np.int64), scores)
        intervals = [(0, len(scores), float(scores.mean()))] if whole else [p[:3] for p in rule(scored.scores)]
        for start, end, score in intervals:
            frames = scored.row_edges[np.minimum([start, end], len(scores))]
            segment = Segment(scored.video, int(frames[0]), int(frames[1]))
            clip = reader.read(segment) if frames[0] < frames[1] else None
            if clip is not None and not segment.overlaps_any(task.rejected, FOUND_TIOU):
                proposals.append((segment, float(score), clip))
    if not proposals:
        return []
    members = temper(class_scores(task, recognizers, [clip for _, _, clip in proposals]), temperature)
    doubts, means = disagreement(members), members.mean(0)
    return [
        Prediction(
            segment,
            task.classes[int(mean.argmax())],
            {name: round(float(p), 4) for name, p in zip(task.classes, mean, strict=True)},
            round(score, 4),
            round(float(doubt), 4),
        )
        for (segment, score, _), mean, doubt in zip(proposals, means, doubts, strict=True)
    ]


def validate(task: Task, held_out: Sequence[tuple[Sequence[str], np.ndarray]]) -> tuple[float, dict[str, Any]]:
    """The temperature, and the report on the left-out labels.

    Returns ``accuracy`` (:func:`share_json`), ``validated_by`` ('video' or 'label'), ``classes`` with ``labels`` and
    ``recall`` of each, ``confusion`` (true class, predicted class) and ``calibration`` (:func:`calibrate`).
    """
    label_of = {action.action_id: action.label for action in task.actions}
    labels = np.array([label_of[name] for ids, _ in held_out for name in ids])
    scores = np.concatenate([scores for _, scores in held_out])
    folds = np.repeat(np.arange(len(held_out)), [len(ids) for ids, _ in held_out])
    temperature, calibration = calibrate(scores, labels, folds)
    predicted = scores.argmax(1)
    num = len(task.classes)
    confusion = np.bincount(labels * num + predicted, minlength=num * num).reshape(num, num)
    right = float((predicted == labels).mean())
    accuracy = Share(right, len(labels), max(guess_chance(labels, num)), 'label')
    totals = confusion.sum(1)
    classes = [
        {'name': name, 'labels': int(n), 'recall': round(float(confusion[i, i] / n), 4) if n else None}
        for i, (name, n) in enumerate(zip(task.classes, totals, strict=True))
    ]
    return temperature, {
        'accuracy': share_json(accuracy),
        'validated_by': task.folds.unit,
        'classes': classes,
        'confusion': confusion.tolist(),
        'calibration': calibration,
    }


def learn(task: Task, num_workers: int, on_stage: Callable[[str, float], None]) -> tuple[list[Prediction], dict]:
    """Train, validate and predict; return the predictions and the report.

    ``on_stage`` gets the stage, 'train' or 'predict', and its done share.
    """
    collect_env()  # imports what every Runner asks for: once, before the processes part
    build_model(task.config('recognizer'))
    scorer_folds: list[int | None] = [*range(NUM_FOLDS)] if task.folds.unit == 'video' else [None]
    jobs: list[Callable] = [partial(train_recognizer, task, fold) for fold in range(NUM_FOLDS)]
    jobs += [partial(train_scorer, task, fold) for fold in scorer_folds]
    results = run_jobs(jobs, num_workers, partial(on_stage, 'train'))
    temperature, report = validate(task, results[:NUM_FOLDS])
    lengths = _mean_rows(task)
    rule, detection = choose_rule([v for videos in results[NUM_FOLDS:] for v in videos], task.actions, lengths)
    videos = _videos_with_features(task.workspace)
    infos = task.workspace.corpus.videos()
    whole = sum(a.num_frames > 0.9 * infos[a.video].num_frames for a in task.actions) > len(task.actions) / 2
    parts = [videos[i :: 2 * num_workers] for i in range(2 * num_workers)]
    scorers = [*load_models(task, 'scorer', scorer_folds).values()]
    recognizers = load_models(task, 'recognizer', range(NUM_FOLDS))
    models = (scorers, recognizers, rule, temperature, whole)
    jobs = [partial(predict, task, part, *models) for part in filter(None, parts)]
    predictions = [p for part in run_jobs(jobs, num_workers, partial(on_stage, 'predict')) for p in part]
    predictions.sort(key=lambda p: p.segment)
    notes = []
    if task.folds.unit == 'label':
        notes.append(f'labels of fewer than {NUM_FOLDS} video files: validated on labels of the same videos, too good')
    if whole:
        notes.append('labels last for whole videos: each video is one prediction, and none is searched for actions')
    report |= {'detection': detection, 'num_predictions': len(predictions), 'notes': notes}
    return predictions, report | {'warm': task.before is not None, 'num_labels': len(task.actions)}


def _mean_rows(task: Task) -> float:
    """Mean length of the labels in rows of the scorer's rate."""
    corpus, infos = task.workspace.corpus, task.workspace.corpus.videos()
    fps = corpus.settings().fps or np.inf
    rows = [a.num_frames * min(1.0, fps / infos[a.video].fps) for a in task.actions]
    return float(np.mean(rows))


def _videos_with_features(workspace: Workspace) -> list[str]:
    """The videos of the corpus that have features, sorted."""
    stores = ClipReader(workspace).reader.stores
    return [v for v in sorted(workspace.corpus.videos()) if all(v in store for store in stores)]


def same_models(before: Mapping[str, Any], classes: Sequence[str], features: str) -> bool:
    """Tell if the models of a training (its ``setup.json``) can be trained further: same classes and features."""
    return before.get('classes') == list(classes) and before.get('features') == features
