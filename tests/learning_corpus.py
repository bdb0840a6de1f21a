"""A corpus whose features make its classes, and where actions are, easy to learn; a short training of the studio."""

from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.structures import Action, FeatureSequence, save_actions, save_classes
from vpd_mm.studio import Workspace, learning
from vpd_mm.studio.training_worker import run_training

CLASSES = ['rise', 'fall', 'wave']
FRAMES, LENGTH, GAP, RAMP = 200, 20, 20, 6


def motion(label: int, length: int = LENGTH) -> np.ndarray:
    """The curve (length, 2) of a class, away from the background at 0."""
    t = np.linspace(0, 1, length)
    curve = [t, 1 - t, 0.5 + 0.5 * np.sin(4 * np.pi * t)][label]
    return np.stack([3 + 2 * curve, 2 - curve], 1)


def make_learning_corpus(root: Path, num_videos: int = 6, labelled: int = 4, seed: int = 0) -> Corpus:
    """Videos ``v0`` ... of four actions each at frames 20, 60, 100 and 140, of which the first ones are labelled."""
    rng, corpus, actions = np.random.default_rng(seed), Corpus.create(root), []
    corpus.add_videos(VideoInfo(f'v{i}', '', 25.0, FRAMES, 64, 64) for i in range(num_videos))
    for i in range(num_videos):
        feats = rng.normal(0, 0.05, (FRAMES, 2))
        for j, start in enumerate(range(GAP, FRAMES - LENGTH, LENGTH + GAP)):
            label = (i + j) % len(CLASSES)
            curve = motion(label)
            feats[start : start + LENGTH] += curve
            for k in range(1, RAMP):  # no jump at the ends of an action
                feats[start - k] += curve[0] * (1 - k / RAMP)
                feats[start + LENGTH - 1 + k] += curve[-1] * (1 - k / RAMP)
            if i < labelled:
                actions.append(Action(f'v{i}:{j}', f'v{i}', start, start + LENGTH, label, 'train'))
        both = np.stack([feats, feats * [1, -1]], axis=1).astype(np.float32)
        path = corpus.features_dir('vpd') / f'v{i}.npz'
        FeatureSequence(np.arange(FRAMES), both, np.ones(FRAMES, np.float32)).save(path)
    corpus.actions_path.parent.mkdir()
    save_classes(corpus.classes_path, CLASSES)
    save_actions(corpus.actions_path, actions)
    return corpus


def run_short_training(workspace: Workspace, connection: Connection) -> None:
    """``run_training``, which is the only work of its process, with fewer steps."""
    config = learning.Task.config

    def short_config(task, kind):
        cfg = config(task, kind)
        cfg.train_cfg.update({'max_iters': 80} if kind == 'recognizer' else {'max_epochs': 1})
        return cfg

    learning.Task.config, learning.SCORER_STEPS = short_config, 20
    run_training(workspace, connection)
