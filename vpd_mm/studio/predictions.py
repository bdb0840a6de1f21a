"""Predictions of the last training: segments with class probabilities, and the scores of all frames.

A training writes all of its results into a new folder ``<corpus>/studio/trainings/<name>/``; ``current.json`` names the
one that counts and is written last, so that results are always those of one complete training:

- ``predictions.json``: ``made`` (seconds since 1970), ``made_of`` (:func:`content_of`), ``classes``, ``predictions``.
- ``report.json``: see :mod:`vpd_mm.studio.training`.
- ``scores/<video>.npz``: scores of the frames of a video.
- ``recognizer_<fold>.pth``, ``scorer_<fold>.pth``: the models, with the ``config.py`` of each kind.
"""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..corpus import Corpus
from ..corpus.stale_files import digest
from ..engine.locks import file_lock
from ..errors import UserError
from ..files import checked_name, file_state, list_folder, npz_path, read_json, write_json
from ..structures.npz_io import load_npz, npz_checksums, save_npz
from .history import History, renames
from .segments import Segment, feature_name, read_labels
from .workspace import Workspace

_SCORES = 'FrameScores/1'
_HINT = 'train again'


@dataclass(frozen=True)
class Prediction:
    """A segment that the models take for an action.

    Args:
        segment: The interval.
        label: The most probable class.
        scores: Class name to probability, mean over the models, calibrated.
        frame_score: Mean score of the frames, 0..1.
        disagreement: Mean divergence of the models from their mean, 0 (all agree) to 1 (:func:`disagreement`).
    """

    segment: Segment
    label: str
    scores: dict[str, float]
    frame_score: float
    disagreement: float

    @property
    def score(self) -> float:
        """Probability of the label."""
        return self.scores[self.label]

    def to_json(self) -> dict[str, Any]:
        return {
            **vars(self.segment),
            'label': self.label,
            'score': self.score,
            'scores': self.scores,
            'frame_score': self.frame_score,
            'disagreement': self.disagreement,
        }

    @classmethod
    def from_json(cls, content: Any) -> 'Prediction':
        try:
            scores = {str(name): float(score) for name, score in content['scores'].items()}
            numbers = float(content['frame_score']), float(content['disagreement'])
            return cls(Segment.from_json(content), content['label'], scores, *numbers)
        except (AttributeError, KeyError, TypeError, ValueError) as e:
            raise UserError(f'a prediction is not valid ({e!r})') from e


class Predictions(NamedTuple):
    """All predictions; ``made`` is None before the first training."""

    made: float | None
    made_of: dict[str, str]
    classes: list[str]
    of_video: dict[str, list[Prediction]]

    def all(self) -> list[Prediction]:
        """In the order of video and time."""
        return [prediction for video in sorted(self.of_video) for prediction in self.of_video[video]]


class PredictionStore:
    """Read what the last training has written."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.root = workspace.folder / 'trainings'

    @property
    def folder(self) -> Path | None:
        """Folder of the last complete training; None before the first one."""
        path = self.root / 'current.json'
        if not path.exists():
            return None
        content = read_json(path, 'delete it and train again')
        if not isinstance(content, dict) or not isinstance(content.get('training'), str):
            raise UserError(f'{path}: names no training; delete it and train again')
        folder = self.root / checked_name('training', content['training'])
        return folder if folder.is_dir() else None

    def read(self) -> Predictions:
        """Read the predictions, with the classes that the studio has renamed since; each training is read once."""
        folder, history = self.folder, self.workspace.folder / 'history.jsonl'
        if folder is None:
            return Predictions(None, {}, [], {})
        return _renamed(folder / 'predictions.json', history, history.stat().st_size if history.exists() else 0)

    def is_stale(self) -> bool:
        """Tell if labels, classes or features have changed, or cannot be read, since the predictions were made."""
        predictions = self.read()
        if predictions.made is None:
            return False
        try:
            return predictions.made_of != content_of(self.workspace)
        except UserError:
            return True

    def report(self) -> dict[str, Any] | None:
        """Report of the last complete training."""
        folder = self.folder
        return None if folder is None else read_json(folder / 'report.json', _HINT)

    def lock(self) -> AbstractContextManager[None]:
        """Hold what one training of a corpus holds; UserError where another one, of any studio, runs."""
        busy = f'{self.root}: another studio trains on this corpus; wait for it'
        return file_lock(self.workspace.folder / '.training.lock', busy=busy)

    def frame_scores(self, video: str) -> tuple[np.ndarray, np.ndarray]:
        """Frames (T,) int64 and their scores (T,) float32; empty where there are none."""
        folder = self.folder
        path = None if folder is None else npz_path(folder / 'scores', video)
        if path is None or not path.exists():
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        arrays = load_npz(path, _SCORES, ('frame_inds', 'scores'))
        return arrays['frame_inds'], arrays['scores']


def save_frame_scores(folder: Path, video: str, frame_inds: np.ndarray, scores: np.ndarray) -> None:
    """Write what :meth:`PredictionStore.frame_scores` reads."""
    save_npz(npz_path(folder / 'scores', video), _SCORES, {'frame_inds': frame_inds, 'scores': scores})


def save_predictions(
    folder: Path, made: float, made_of: dict[str, str], classes: Sequence[str], predictions: Sequence[Prediction]
) -> None:
    """Write predictions.json of a training."""
    content = {'made': made, 'made_of': made_of, 'classes': list(classes)}
    write_json(folder / 'predictions.json', {**content, 'predictions': [p.to_json() for p in predictions]})


def make_current(root: Path, name: str) -> None:
    """Let a training count, and remove all others."""
    write_json(root / 'current.json', {'training': name})
    remove_others(root, name)


def remove_others(root: Path, name: str | None) -> None:
    """Remove the folders of trainings that do not count, which earlier or killed trainings left."""
    for folder in list_folder(root):
        if folder.is_dir() and folder.name != name:
            shutil.rmtree(folder, ignore_errors=True)


def content_of(workspace: Workspace) -> dict[str, str]:
    """Digests of what a training learns from: ``labels`` (with the classes) and ``features``."""
    from ..features.clips import resolve_features, split_names  # imports torch

    corpus: Corpus = workspace.corpus
    classes, actions = read_labels(corpus)
    labels = digest([classes, sorted(tuple(vars(action).values()) for action in actions)])
    name = feature_name(workspace)
    folders = [resolve_features(corpus, part) for part in split_names(name)]
    paths = [path for folder in folders for path in list_folder(folder, '*.npz')]
    return {'labels': labels, 'features': digest([name, [(p.stem, _checksums(p, file_state(p))) for p in paths]])}


@lru_cache(maxsize=100_000)
def _checksums(path: Path, state: tuple[int, ...]) -> list:
    """Checksums of an npz in this state."""
    return npz_checksums(path)


@lru_cache(maxsize=2)
def _renamed(path: Path, history: Path, size: int) -> Predictions:
    """Predictions under the present names of their classes; ``size``: of the history, which only grows."""
    read = _load(path)
    new = renames((entry for _, entry in History(history).entries(containing=b'"classes"')), read.classes)
    if list(new.values()) == read.classes:
        return read

    def renamed(prediction: Prediction) -> Prediction:
        scores = {new.get(name, name): score for name, score in prediction.scores.items()}
        return replace(prediction, label=new.get(prediction.label, prediction.label), scores=scores)

    of_video = {video: [renamed(p) for p in predictions] for video, predictions in read.of_video.items()}
    return read._replace(classes=list(new.values()), of_video=of_video)


@lru_cache(maxsize=2)
def _load(path: Path) -> Predictions:
    content = read_json(path, _HINT)
    of_video: dict[str, list[Prediction]] = {}
    try:
        for row in content['predictions']:
            prediction = Prediction.from_json(row)
            of_video.setdefault(prediction.segment.video, []).append(prediction)
        return Predictions(float(content['made']), dict(content['made_of']), list(content['classes']), of_video)
    except (UserError, KeyError, TypeError, ValueError) as e:
        raise UserError(f'{path}: damaged ({e}); {_HINT}') from e


def disagreement(members: np.ndarray) -> np.ndarray:
    """Generalised Jensen-Shannon divergence of the models, in 0..1: entropy of the mean minus mean entropy.

    Args:
        members: (M, N, C) probabilities of M models.

    Returns:
        (N,), divided by the logarithm of M.

    Example:
        >>> disagreement(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
        array([1.])
    """
    if len(members) < 2:
        return np.zeros(members.shape[1])
    return (entropy(members.mean(0)) - entropy(members).mean(0)).clip(0) / np.log(len(members))


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of the last axis, in nats."""
    return -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(-1)
