"""The process of a training: reads the labels, learns, and writes the results, complete or not at all."""

import io
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from ..engine.cli import error_line, num_cores
from ..files import read_json, write_json
from ..structures import Action
from .folds import Folds, assign_folds
from .learning import Task, check_labels, learn, same_models
from .predictions import PredictionStore, content_of, make_current, remove_others, save_predictions
from .reviews import Reviews
from .segments import ClipReader, feature_name, read_labels, segment_of
from .workspace import Workspace


def run_training(workspace: Workspace, connection: Connection) -> None:
    """Train in this process; messages are dicts with ``stage``, ``done`` (0..1), at the end ``report`` or ``error``.

    This process becomes the leader of a group, so that ending the group ends all that it has started.
    """
    if hasattr(os, 'setsid'):
        os.setsid()
    torch.set_num_threads(1)
    os.environ['OMP_NUM_THREADS'] = '1'
    sys.stdout = sys.stderr = io.StringIO()  # each model writes a log into its folder

    def send(message: dict[str, Any]) -> None:
        try:
            connection.send(message)
        except BrokenPipeError:  # the server has ended; so do at once this process and those that it has started
            os._exit(1)

    try:
        send({'report': train(workspace, lambda stage, done: send({'stage': stage, 'done': done}))})
    except Exception as e:
        send({'error': error_line(e)})


def train(workspace: Workspace, on_stage: Any) -> dict[str, Any]:
    """Train on the current labels, let the results count, and return the report."""
    store = PredictionStore(workspace)
    with store.lock():
        return _train(workspace, store, on_stage)


def _train(workspace: Workspace, store: PredictionStore, on_stage: Any) -> dict[str, Any]:
    start = time.time()
    before = store.folder
    remove_others(store.root, before.name if before else None)
    task, left_out = make_task(workspace, before, store.root / f'{int(start * 1000)}')
    made_of = content_of(workspace)
    on_stage('train', 0.0)
    predictions, report = learn(task, num_cores(), on_stage)
    on_stage('save', 0.0)
    report |= {'made': start, 'seconds': round(time.time() - start, 1), 'without_features': left_out}
    save_predictions(task.folder, start, made_of, task.classes, predictions)
    write_json(task.folder / 'report.json', report, indent=1)
    reviews = Reviews(workspace)
    reviews.add_training(start, len(task.actions), report['accuracy'])
    make_current(store.root, task.folder.name)
    return report


def usable_labels(workspace: Workspace) -> tuple[list[str], list[Action], int]:
    """Classes, labels to train on, and the number of those that have no features.

    Raises:
        UserError: there are too few labels, of one class, or no features.
    """
    reader, videos = ClipReader(workspace), workspace.corpus.videos()
    classes, actions = read_labels(workspace.corpus)
    usable = [action for action in actions if action.split != 'test' and action.video in videos]
    present = [action for action in usable if reader.read(segment_of(action)) is not None]
    check_labels(classes, present, len(usable) - len(present), workspace.corpus.actions_path)
    return classes, present, len(usable) - len(present)


def make_task(workspace: Workspace, before: Path | None, folder: Path) -> tuple[Task, int]:
    """Collect the labels; returns the task and the number of labels without features; errors as usable_labels."""
    features, videos = feature_name(workspace), workspace.corpus.videos()
    classes, present, without = usable_labels(workspace)
    setup: dict[str, Any] = {}
    if before is not None and (before / 'setup.json').exists():
        setup = read_json(before / 'setup.json', 'delete it and train again')
    folds = Folds(setup['unit'], setup['folds']) if setup else None
    now = assign_folds(present, videos, folds)
    fits = same_models(setup, classes, features) and folds is not None and folds.unit == now.unit
    folder.mkdir(parents=True)
    setup = {'classes': classes, 'features': features, 'unit': now.unit, 'folds': dict(now.of_unit)}
    write_json(folder / 'setup.json', setup, indent=1)
    rejected = [segment for segment in Reviews(workspace).rejected() if segment.video in videos]
    task = Task(workspace, folder, classes, present, now, rejected, before if fits else None)
    return task, without
