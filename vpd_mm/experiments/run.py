"""One run, from its training to its saved result."""

from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from mmengine import dist
from mmengine.config import Config

from ..baselines.clip_scores import ClipScoreMetric, ClipScores, mean_scores
from ..compat import find_latest_checkpoint
from ..corpus import Corpus
from ..detect.search import search_corpus
from ..engine.checkpoint_choice import best_checkpoint
from ..engine.locks import file_lock
from ..engine.progress import OnProgress, no_progress
from ..engine.run import ProgressHook, build_runner
from ..errors import UserError
from ..features import select_actions
from ..features.corpus_config import datasets_of
from ..files import check_no_link, check_no_links, disk_errors_name, list_folder
from ..retrieve import NEAREST, ActionClips, DTWRetriever, items_to_exclude, load_clips, rank_corpus
from ..structures import load_actions, load_classes
from .plan import Run
from .store import AP_COLUMNS, PRECISIONS, RunStore, code_commit

#: A run that was just killed may hold its lock for a moment.
LOCK_WAIT_SEC = 5.0


def execute(
    run: Run, store: RunStore, launcher: str = 'none', rank: int = 0, on_progress: OnProgress = no_progress
) -> None:
    """Do a run and save its result; a finished run is left alone.

    A stopped training resumes from its last whole checkpoint and ends as if it had not been stopped
    (``ExactResumeHook``).  ``launcher`` is how the processes of this run were started; only ``rank`` 0 writes.
    ``on_progress`` gets the steps of a training.

    Raises:
        UserError: another process does this run, the run is not possible, or its folder is or has a link.
    """
    work_dir = store.work_dir(run.key)
    store.root.mkdir(parents=True, exist_ok=True)
    busy = f'{work_dir}: another process does this run'
    with file_lock(store.root / f'.{run.key}-{rank}.lock', wait_sec=LOCK_WAIT_SEC, busy=busy):
        if run.key in store:
            return
        check_no_link(work_dir)
        check_no_links(work_dir)
        start, commit = perf_counter(), code_commit()
        kinds = {'nearest': _nearest, 'retrieve': _retrieve, 'detect': _detect, 'ensemble': _ensemble}
        kinds['train'] = partial(_train, on_progress=on_progress)
        result = kinds[run.method.kind](run, store, launcher)
        if rank == 0:
            store.save(run, {'commit': commit, **result, 'seconds': round(perf_counter() - start, 1)})
            for pattern in ('epoch_*.pth', 'iter_*.pth', 'last_checkpoint') if run.method.kind == 'train' else ():
                for path in list_folder(work_dir, pattern):
                    path.unlink()  # the best checkpoint stays


def _train(run: Run, store: RunStore, launcher: str, on_progress: OnProgress) -> dict[str, Any]:
    cfg = _train_config(run, store, launcher)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small networks are no faster on more, and several runs share the cores
    try:
        with disk_errors_name(cfg.work_dir):
            runner = build_runner(cfg)
            runner.register_hook(ProgressHook(on_progress))
            tested = runner.test_loop.dataloader.dataset  # before the training: what is missing is an error here
            runner.train()
        best = best_checkpoint(Path(runner.work_dir))
        if best is None:
            raise UserError(f'{runner.work_dir}: no best_*.pth; the config needs CheckpointHook with save_best')
        runner.load_checkpoint(str(best), strict=True)
        runner.test_loop.evaluator.metrics.append(ClipScoreMetric(str(store.scores_path(run.key))))
        runner.test()
    finally:
        torch.set_num_threads(threads)
    dist.barrier()
    if dist.get_rank() != 0:
        return {}
    result = {**_accuracy(run, store.scores(run.key)), 'checkpoint': str(best.relative_to(store.root))}
    if any(dataset.get('allow_missing') for dataset in datasets_of(cfg)):
        used = [runner.train_dataloader.dataset, runner.val_dataloader.dataset, tested]
        result['left_out'] = sum(map(_num_left_out, used))
    return result


def _accuracy(run: Run, scores: ClipScores) -> dict[str, Any]:
    """Accuracy and chance (:meth:`ClipScores.accuracy`), and the number of videos of the clips."""
    actions, tested = load_actions(Corpus.open(run.corpus).actions_path), set(scores.action_ids.tolist())
    videos = {action.video for action in actions if action.action_id in tested}
    return {**scores.accuracy(), 'videos': len(videos) or None}


def _num_left_out(dataset: Any) -> int:
    """Number of actions without data that a data set, or those that it wraps, left out."""
    inner = getattr(dataset, 'datasets', None) or filter(None, [getattr(dataset, 'dataset', None)])
    return getattr(dataset, 'num_left_out', 0) + sum(map(_num_left_out, inner))


def _seeded_config(run: Run) -> Config:
    """The config of a run's method with its seed."""
    cfg = Config(dict(run.cfg))
    cfg.randomness = {**cfg.get('randomness', {}), 'seed': run.seed}
    return cfg


def _train_config(run: Run, store: RunStore, launcher: str) -> Config:
    """The config that a run trains, with its id list, seed and work dir; a stopped training ends as if it was not."""
    cfg = _seeded_config(run)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), {'type': 'vpd_mm.ExactResumeHook'}]
    for dataset in datasets_of(cfg, 'train'):
        dataset.ids_file = None if run.k is None else run.split
    work_dir = store.work_dir(run.key)
    cfg.work_dir, cfg.experiment_name, cfg.launcher = str(work_dir), f'run-{run.key}', launcher
    cfg.resume = find_latest_checkpoint(work_dir) is not None
    if cfg.resume:
        cfg.load_from = None
    return cfg


def _nearest(run: Run, store: RunStore, launcher: str) -> dict[str, Any]:
    """Give each test clip the class of the nearest training clip under DTW."""
    corpus = Corpus.open(run.corpus)
    sport = corpus.settings(run.protocol)
    clips = load_clips(corpus, settings=sport, **run.cfg)
    queries, gallery = clips.of_split('test'), clips.of_split(sport.train_splits)
    if run.k is not None:
        actions = load_actions(corpus.actions_path)
        few = select_actions(actions, sport.train_splits, corpus.root / run.split, corpus.actions_path)
        ids = {action.action_id for action in few}
        kept = [i for i, action in enumerate(gallery.actions) if action.action_id in ids]
        missing = [action for action in gallery.missing if action.action_id in ids]
        gallery = ActionClips([gallery.actions[i] for i in kept], [gallery.clips[i] for i in kept], missing)
    retriever = DTWRetriever(gallery.clips, gallery.names, **NEAREST[run.protocol])
    exclude = items_to_exclude(queries.actions, gallery.actions, run.protocol)
    neighbours = retriever.search(queries.clips, 1, exclude, queries.names)
    if alone := [name for name, i in zip(queries.names, neighbours.inds[:, 0]) if i < 0]:
        raise UserError(f'{alone[0]}: all training clips overlap with this test clip; correct {corpus.actions_path}')
    nearest = gallery.labels[neighbours.inds[:, 0]]
    votes = np.eye(len(load_classes(corpus.classes_path)), dtype=np.float32)[nearest]
    scores = ClipScores(np.array([a.action_id for a in queries.actions]), votes, queries.labels)
    scores.save(store.scores_path(run.key))
    left_out = {'left_out': len(queries.missing) + len(gallery.missing)} if run.cfg['allow_missing'] else {}
    return {**_accuracy(run, scores), 'top5': None, **left_out}  # one neighbour names one class


def _retrieve(run: Run, store: RunStore, launcher: str) -> dict[str, Any]:
    """Precision, in percent, among the actions of all splits that are nearest to each query."""
    corpus = Corpus.open(run.corpus)
    sport = corpus.settings(run.protocol)
    clips = load_clips(corpus, settings=sport, **run.cfg)
    ks = {name: k for name, k in PRECISIONS.items() if k < len(clips)}
    _, metrics = rank_corpus(clips.of_split(sport.queries), clips, list(ks.values()), protocol=run.protocol)
    missing = {'left_out': len(clips.missing)} if run.cfg['allow_missing'] else {}
    return {name: round(100 * metrics[f'precision@{k}'], 2) for name, k in ks.items()} | missing


def _detect(run: Run, store: RunStore, launcher: str) -> dict[str, Any]:
    """AP, in percent, of intervals in the test videos, by the ensemble of folds of tools/detect.py."""
    cfg, work_dir = _seeded_config(run), store.work_dir(run.key)
    if run.k is not None:
        cfg.train_dataloader.dataset |= {'max_videos': run.k, 'subset': run.subset}
    result = search_corpus(cfg, work_dir, 'test', work_dir / 'test', overwrite=True)
    aps = {name: round(100 * result[name], 2) for name in (*AP_COLUMNS, 'mAP') if name in result}
    return {'threshold': result['threshold'], **aps, 'left_out': result.get('left_out')}


def _ensemble(run: Run, store: RunStore, launcher: str) -> dict[str, Any]:
    """Accuracy of the mean of the members' class scores."""
    scores = mean_scores([store.scores(member.key) for member in run.members])
    scores.save(store.scores_path(run.key))
    commits = sorted({store[member.key]['commit'] for member in run.members})
    return {'commit': '+'.join(commits), **_accuracy(run, scores)}
