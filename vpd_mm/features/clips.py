"""Selection of actions and their frames, and interpolation of features at these frames."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from ..corpus import Corpus, FeatureStore, Window
from ..errors import UserError
from ..structures import Action, FeatureSequence, load_actions, load_classes
from ..structures.table_io import open_text


class EpochDraws:
    """Mixin of data sets with a reproducible generator per seed, epoch, sample and repetition."""

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Set the epoch, so that random transforms are reproducible after a resume."""
        self.seed: int = seed if seed is not None else self.seed
        self.epoch = epoch
        self._times_drawn: dict[int, int] = {}

    def draw(self, idx: int | tuple[int, int]) -> tuple[int, np.random.Generator]:
        """Return index and generator of ``idx``, an index or (index, draw) from ``EpochDrawSampler``."""
        if isinstance(idx, tuple):
            return idx[0], np.random.default_rng(idx[1:])
        index = int(idx)
        times = self._times_drawn[index] = self._times_drawn.get(index, -1) + 1
        return index, np.random.default_rng((self.seed, self.epoch, index, times))


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
        names: One name, or several names whose features are concatenated.
        dims: Expected total D; None: any.

    Raises:
        UserError: a folder is missing, or D is not ``dims``.
    """

    def __init__(self, corpus: Corpus, names: str | Sequence[str], dims: int | None = None) -> None:
        self.names = [names] if isinstance(names, str) else list(names)
        self.stores = [FeatureStore(resolve_features(corpus, name)) for name in self.names]
        self.dims = sum(store.dims for store in self.stores)
        if dims is not None and dims != self.dims:
            raise UserError(
                f'{corpus.root}: features {"+".join(self.names)} have d={self.dims}, the config has dims={dims}'
            )
        self.num_views = min(store.num_views for store in self.stores)
        self._cache: dict[str, list[FeatureSequence]] = {}

    def __call__(self, video: str) -> list[FeatureSequence] | None:
        """Return the sequences of ``video``, one per folder; None if a folder lacks it."""
        if any(video not in store for store in self.stores):
            return None
        if video not in self._cache:
            self._cache[video] = [store[video] for store in self.stores]
        return self._cache[video]

    def interpolate(self, video: str, positions: np.ndarray, num_views: int) -> np.ndarray | None:
        """Return the concatenated features (V, T, D) at fractional frames (T,); None if some are missing."""
        parts = [interpolate(sequence, positions, num_views) for sequence in self(video) or []]
        complete = [part for part in parts if part is not None]
        return np.concatenate(complete, axis=2) if parts and len(complete) == len(parts) else None


def clip_positions(
    start: int, end: int, video_fps: float, num_frames: int, window: Window, fps: float | None
) -> np.ndarray:
    """Return the fractional frames (T,) of an action in its window; T is 0 if the window is empty.

    Args:
        start: First frame of the action.
        end: End frame, exclusive.
        video_fps: Frame rate of the video.
        num_frames: Frames of the video.
        window: Margins around the action.
        fps: Frame rate of the result; None: the rate of the video.

    Example:
        >>> clip_positions(10, 14, 50.0, 100, Window(), 25.0)
        array([10., 12.])
    """
    first = max(0.0, start - window.before_sec * video_fps)
    last = min(num_frames, end + window.after_sec * video_fps) - 1.0
    step = 1.0 if fps is None else video_fps / fps
    if last < first:
        return np.zeros(0)
    return first + step * np.arange(int((last - first) / step + 1e-6) + 1)


def action_windows(
    corpus: Corpus,
    splits: Sequence[str],
    ids_file: str | None,
    window: Window,
    fps: float | None,
    num_classes: int | None = None,
) -> tuple[list[str], list[tuple[Action, np.ndarray]]]:
    """Return the classes, and the selected actions with their frames (:func:`clip_positions`).

    All data sets of labeled actions use it, so that features, crops and skeletons have the same frames.

    Args:
        corpus: The corpus.
        splits: Splits of actions.csv.
        ids_file: List of the action ids to use, relative to the corpus.
        window: Margins around the action.
        fps: Frame rate of the result; None: the rate of the video.
        num_classes: Expected number of classes; checked.

    Raises:
        UserError: an action has no video, exceeds its video, or has an empty window; the number of classes differs.
    """
    classes = load_classes(corpus.classes_path)
    if num_classes not in (None, len(classes)):
        raise UserError(
            f'{corpus.classes_path}: {len(classes)} classes, the config has num_classes={num_classes}; set num_classes'
        )
    ids_path = None if ids_file is None else Path(corpus.root) / ids_file
    actions = load_actions(corpus.actions_path, len(classes))
    actions = select_actions(actions, splits, ids_path, corpus.actions_path)
    videos = corpus.videos()
    windows, problems = [], []
    for action in actions:
        name = action_name(action)
        video = videos.get(action.video)
        if video is None:
            problems.append(f'{name}: no such video in videos.csv')
            continue
        if action.end_frame > video.num_frames:
            problems.append(f'{name}: the video has only {video.num_frames} frames')
            continue
        positions = clip_positions(action.start_frame, action.end_frame, video.fps, video.num_frames, window, fps)
        if len(positions):
            windows.append((action, positions))
        else:
            problems.append(f'{name}: its window is empty')
    if problems:
        raise UserError(f'{corpus.actions_path}: {_listed(problems)}; correct the file')
    return classes, windows


def action_name(action: Action) -> str:
    """Return the name of an action in messages."""
    return f'{action.action_id} ({action.video} {action.start_frame}..{action.end_frame})'


def report_missing(corpus: Corpus, missing: Sequence[str], total: int, what: str, allow_missing: bool) -> None:
    """Warn that ``missing`` of ``total`` actions have no ``what``.

    Raises:
        UserError: some are missing without ``allow_missing``, or all are.
    """
    if not missing:
        return
    problem = f'{len(missing)} of {total} actions have no {what}: {_listed(missing)}'
    if not allow_missing or len(missing) == total:
        raise UserError(f'{corpus.root}: {problem}; make them, or leave the actions out with allow_missing')
    print_log(f'{corpus.root}: left out: {problem}', 'current', level=30)


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return '; '.join(names[:most]) + more


def interpolate(sequence: FeatureSequence, positions: np.ndarray, num_views: int) -> np.ndarray | None:
    """Interpolate ``sequence`` linearly at fractional frames (T,), constant beyond its ends.

    Only frames between the first and the last position are used.

    Returns:
        (V, T, D) float32; None if there is no such frame.
    """
    low, high = np.searchsorted(sequence.frame_inds, [np.ceil(positions[0] - 1e-6), np.floor(positions[-1] + 1e-6) + 1])
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


def select_actions(
    actions: Sequence[Action], splits: Sequence[str], ids_file: Path | None, source: Path
) -> list[Action]:
    """Select the actions of some splits, and of an id list if given.

    Raises:
        UserError: no action is left, or the list contains an unknown action or one of another split.
    """
    if ids_file is None:
        chosen = [a for a in actions if a.split in splits]
        if not chosen:
            known = ', '.join(sorted({a.split for a in actions})) or 'none'
            raise UserError(f'{source}: no action of split {"/".join(splits)}; it has {known}')
        return chosen
    by_id: Mapping[str, Action] = {a.action_id: a for a in actions}
    if not ids_file.is_file():
        raise UserError(f'{ids_file}: no such id list; it needs one action id per line')
    with open_text(ids_file) as f:
        ids = [line.strip() for line in f.read().splitlines() if line.strip()]
    for action_id in ids:
        if action_id not in by_id:
            raise UserError(f'{ids_file}: action {action_id!r} is not in {source}')
        if by_id[action_id].split not in splits:
            raise UserError(f'{ids_file}: action {action_id!r} is of split {by_id[action_id].split}, not {splits}')
    if not ids or len(set(ids)) != len(ids):
        raise UserError(f'{ids_file}: is empty or names an action twice')
    return [by_id[action_id] for action_id in ids]
