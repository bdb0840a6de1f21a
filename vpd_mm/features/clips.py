"""Features of a corpus at the frames of an action."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..corpus import Corpus, FeatureStore, Window
from ..corpus.stale_files import NOT_SETTINGS, CorpusInputs
from ..errors import UserError
from ..files import npz_path
from ..structures import FeatureSequence, FrameTimes
from ..structures.npz_io import read_source

#: Version of the choice of frames of a clip; part of the key of a run, so that older results are not taken for new.
FRAMES_VERSION = 2


def split_names(names: str | Sequence[str]) -> list[str]:
    """The names of features that are concatenated: ``'vpd+vipe'`` or ``['vpd', 'vipe']``."""
    return [name for part in ([names] if isinstance(names, str) else names) for name in part.split('+')]


def resolve_features(corpus: Corpus, name: str) -> Path:
    """Return the folder of features ``features/<run>``, ``teacher/<name>``, or of an unambiguous bare name.

    Raises:
        UserError: the folder does not exist, or a bare name is ambiguous.
    """
    kind, _, rest = name.rpartition('/')
    folders = {'features': corpus.features_dir, 'teacher': corpus.teacher_dir}
    if kind and kind not in folders:
        raise UserError(f'features {name!r}: must be features/<run>, teacher/<name> or a bare name')
    candidates = [folders[kind](rest)] if kind else [folder(rest) for folder in folders.values()]
    existing = [path for path in candidates if path.is_dir()]
    if not existing:
        raise UserError(f'features {name!r}: no folder {" or ".join(map(str, candidates))}; tools/extract_features.py')
    if len(existing) == 2:
        raise UserError(f'features {name!r}: {existing[0]} and {existing[1]} exist; choose one, e.g. teacher/{rest}')
    return existing[0]


class FeatureReader:
    """Read and cache features of videos from one or several folders (Concat-VPD).

    Args:
        corpus: The corpus.
        names: One name, or several names, also joined by ``+``, whose features are concatenated.
        dims: Expected total D; None: any.

    Raises:
        UserError: a folder is missing, or D is not ``dims``; on reading, what features were made of has changed since.
    """

    def __init__(self, corpus: Corpus, names: str | Sequence[str], dims: int | None = None) -> None:
        names = split_names(names)
        self.stores = [FeatureStore(resolve_features(corpus, name)) for name in names]
        self.dims = sum(store.dims for store in self.stores)
        if dims not in (None, self.dims):
            raise UserError(f'{corpus.root}: features {"+".join(names)} have d={self.dims}, the config has dims={dims}')
        self.num_views = min(store.num_views for store in self.stores)
        self._cache: dict[str, list[FeatureSequence]] = {}
        self._inputs = CorpusInputs(corpus)

    def made_of(self, video: str) -> list[dict[str, Any]] | None:
        """Return what the user named for the features of ``video`` in each folder, and the digest ``model``, '' = none.

        None where it is unknown.
        """
        sources = [read_source(npz_path(store.directory, video)) for store in self.stores if video in store]
        known = [source for source in sources if source is not None]
        if len(known) < len(self.stores):
            return None
        return [
            {k: v for k, v in s.items() if k not in NOT_SETTINGS} | {'model': s['inputs'].get('model', '')}
            for s in known
        ]

    def trained_on(self, video: str) -> bool | None:
        """Tell if a student of these features was trained on ``video``; None where no file records it."""
        sources = [read_source(npz_path(store.directory, video)) for store in self.stores if video in store]
        known = [source['trained_on'] is True for source in sources if source and 'trained_on' in source]
        return any(known) if known else None

    def __call__(self, video: str) -> list[FeatureSequence] | None:
        """Return the sequences of ``video``, one per folder; None if a folder lacks it."""
        if any(video not in store for store in self.stores):
            return None
        if video not in self._cache:
            self._inputs.check(*(self._inputs.name(npz_path(store.directory, video)) for store in self.stores))
            self._cache[video] = [store[video] for store in self.stores]
        return self._cache[video]

    def interpolate(self, video: str, positions: np.ndarray) -> np.ndarray | None:
        """Return the concatenated features (V, T, D) at frames (T,) int64; None if some are missing."""
        parts = [interpolate(sequence, positions, self.num_views) for sequence in self(video) or []]
        complete = [part for part in parts if part is not None]
        return np.concatenate(complete, axis=2) if parts and len(complete) == len(parts) else None


def clip_positions(
    start: int, end: int, times: FrameTimes, num_frames: int, window: Window, fps: float | None
) -> np.ndarray:
    """Return the frames (T,) int64 of an action in its window, each at most once; T is 0 if the window is empty.

    Args:
        start, end: Frames of the action, end exclusive.
        times, num_frames: Times and number of frames of the video.
        window: Margins around the action.
        fps: Frames of faster videos, or of faster parts, are left out to reach this rate; None: every frame.

    Example:
        >>> clip_positions(10, 14, FrameTimes(50.0), 100, Window(), 25.0)
        array([10, 12])
    """
    first, last = np.clip(window.span(start, end, times), 0, num_frames)
    if fps is None:
        return np.arange(first, last)
    begin, stop = times.seconds(first), times.seconds(last)
    samples = begin + np.arange(np.ceil((stop - begin) * fps - 1e-6)) / fps
    if times.edges is not None:  # a frame that is a little late is not lost
        samples += 0.25 / fps
    return np.unique(np.floor(times.frames(samples) + 1e-6).astype(np.int64).clip(first, last - 1))


def interpolate(sequence: FeatureSequence, positions: np.ndarray, num_views: int) -> np.ndarray | None:
    """Interpolate ``sequence`` linearly at frames (T,) int64, constant beyond its ends.

    Only frames between the first and the last position are used.

    Returns:
        (V, T, D) float32; None if there is no such frame.
    """
    low, high = np.searchsorted(sequence.frame_inds, [positions[0], positions[-1] + 1])
    frames, feats = sequence.frame_inds[low:high], sequence.feats[low:high, :num_views]
    if not len(frames):
        return None
    rows = np.interp(positions, frames, np.arange(len(frames)))
    return np.ascontiguousarray(read_at(feats.transpose(1, 0, 2), rows))


def read_at(feats: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Interpolate (V, T, D) linearly at fractional frames (N,) in [0, T - 1]: (V, N, D)."""
    before = np.minimum(positions.astype(np.int64), feats.shape[1] - 1)
    after = np.minimum(before + 1, feats.shape[1] - 1)
    weight = (positions - before)[:, None].astype(feats.dtype)
    return feats[:, before] * (1 - weight) + feats[:, after] * weight
