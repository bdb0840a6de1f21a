"""One run of a comparison, from its training to its saved result."""

from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from mmengine import dist
from mmengine.config import Config

from ..baselines.clip_scores import ClipScores
from ..corpus import Corpus
from ..detect.search import search_corpus
from ..engine.locks import file_lock
from ..engine.resume import prepare_resume
from ..features import Window, select_actions
from ..features.corpus_config import datasets_of
from ..retrieve import ActionClips, DTWRetriever, load_clips, own_positions, vote
from ..structures import load_actions, load_classes
from .comparison import Comparison
from .comparison_plan import Run
from .few_shot_grid import train_and_test
from .run_store import RunStore, code_commit


def execute(run: Run, comparison: Comparison, store: RunStore, launcher: str = 'none', rank: int = 0) -> None:
    """Do a run and save what it found; a finished one is left alone.

    A training that was stopped goes on from its last whole checkpoint and ends
    as if it had not been stopped (``ExactResumeHook``).

    Args:
        run: What to do.
        comparison: Where it belongs.
        store: Where it is kept.
        launcher: How the processes of this run were started.
        rank: Of this process; 0 alone writes results.

    Raises:
        UserError: another process does this run, or the run cannot be done.
    """
    if run.key in store:
        return
    store.root.mkdir(parents=True, exist_ok=True)
    busy = f'{store.work_dir(run.key)}: another process is at this run'
    with file_lock(store.root / f'.{run.key}-{rank}.lock', busy=busy):
        if run.key in store:
            return
        start, commit = perf_counter(), code_commit()
        if run.method.kind == 'train':
            found = _train(run, comparison, store, launcher)
        elif run.method.kind == 'nearest':
            found = _nearest(run, comparison, store)
        else:
            found = _detect(run, store)
        if rank == 0:
            about = {
                'method': run.method.name,
                'kind': run.method.kind,
                'config': run.config,
                'features': run.method.features,
                'corpus': comparison.corpus,
                'k': run.k or 'all',
                'subset': run.subset,
                'seed': run.seed,
                'split': run.split,
                'protocol': comparison.protocol,
                'selected_on': comparison.selected_on,
                'settings': run.settings,
                'commit': commit,
            }
            store.save(run.key, {**about, **found, 'seconds': round(perf_counter() - start, 1)})


def _train(run: Run, comparison: Comparison, store: RunStore, launcher: str) -> dict[str, Any]:
    cfg = run_config(run, comparison, store, launcher)
    found = train_and_test(cfg._cfg_dict.to_dict())
    dist.barrier()
    if dist.get_rank() == 0:
        work_dir = Path(cfg.work_dir)
        for path in [*work_dir.glob('epoch_*.pth'), *work_dir.glob('iter_*.pth'), work_dir / 'last_checkpoint']:
            path.unlink(missing_ok=True)  # the best one stays
    checkpoint = store.work_dir(run.key) / found['checkpoint']
    return {**store.scores(run.key).accuracy(), 'checkpoint': str(checkpoint.relative_to(store.root))}


def run_config(run: Run, comparison: Comparison, store: RunStore, launcher: str = 'none') -> Config:
    """The config that a run trains: the method's, with its id list, seed, place, saved scores."""
    assert run.cfg is not None
    cfg = Config(run.cfg._cfg_dict.to_dict())
    if run.k is not None:
        for dataset in datasets_of(cfg, 'train'):
            dataset.ids_file = run.split
    if comparison.selected_on != 'val':
        for dataset in datasets_of(cfg, 'val'):
            dataset.split = comparison.selected_on
    work_dir = store.work_dir(run.key)
    cfg.work_dir, cfg.experiment_name, cfg.launcher = str(work_dir), f'compare-{run.key}', launcher
    cfg.randomness = {**cfg.get('randomness', {}), 'seed': run.seed}
    cfg.resume = prepare_resume(work_dir)
    if cfg.resume:
        cfg.load_from = None
    metrics = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    cfg.test_evaluator = [*metrics, {'type': 'vpd_mm.ClipScoreMetric', 'out_file': str(store.scores_path(run.key))}]
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), {'type': 'vpd_mm.ExactResumeHook'}]
    return cfg


def _nearest(run: Run, comparison: Comparison, store: RunStore) -> dict[str, Any]:
    """Each test clip gets the class of the nearest training clip under DTW."""
    corpus = Corpus.open(comparison.corpus)
    window = Window(**comparison.window)
    features = run.method.features.split('+')
    clips = load_clips(corpus, features, window, comparison.fps or None, comparison.allow_missing)
    queries, gallery = clips.of_split('test'), clips.of_split('train')
    if run.k is not None:
        listed = select_actions(
            load_actions(corpus.actions_path), ['train'], corpus.root / run.split, corpus.actions_path
        )
        ids = {action.action_id for action in listed}
        kept = [i for i, action in enumerate(gallery.actions) if action.action_id in ids]
        gallery = ActionClips([gallery.actions[i] for i in kept], [gallery.clips[i] for i in kept])
    found = DTWRetriever(gallery.clips, names=gallery.names).search(
        queries.clips, 1, own_positions(queries, gallery), queries.names
    )
    votes = np.eye(len(load_classes(corpus.classes_path)), dtype=np.float32)[vote(found.inds, gallery.labels)]
    scores = ClipScores(np.array([a.action_id for a in queries.actions]), votes, queries.labels)
    scores.save(store.scores_path(run.key))
    return {**scores.accuracy(), 'top5': None, 'checkpoint': ''}  # one neighbour names one class


def _detect(run: Run, store: RunStore) -> dict[str, Any]:
    """AP of intervals in the test videos, by the ensemble of tools/detect.py."""
    assert run.cfg is not None
    cfg = Config(run.cfg._cfg_dict.to_dict())
    cfg.randomness = {**cfg.get('randomness', {}), 'seed': run.seed}
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), {'type': 'vpd_mm.ExactResumeHook'}]
    work_dir = store.work_dir(run.key)
    aps = search_corpus(cfg, work_dir, 'test', work_dir / 'test', num_folds=cfg.get('folds', 5))
    return {**aps, 'checkpoint': ''}
