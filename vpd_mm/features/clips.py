"""From the features of a video to the sequence of one action: window, rate, gaps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from ..corpus import Corpus, FeatureStore, Window
from ..errors import UserError
from ..structures import Action, FeatureSequence, load_actions, load_classes
from ..structures.table_io import open_text


class EpochDraws:
    """Mixin of data sets: a generator for each time a sample is taken, fixed by seed, epoch, sample and time."""

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Fix the draws of the transforms: the same epoch and seed draw the same, also after a resume."""
        self.seed: int = seed if seed is not None else self.seed
        self.epoch = epoch
        self._times_drawn: dict[int, int] = {}

    def draw(self, idx: int | tuple[int, int]) -> tuple[int, np.random.Generator]:
        """The sample's index and its generator; ``idx`` is an index, or (index, draw) from ``EpochDrawSampler``."""
        if isinstance(idx, tuple):
            return idx[0], np.random.default_rng(idx[1:])
        index = int(idx)
        times = self._times_drawn[index] = self._times_drawn.get(index, -1) + 1
        return index, np.random.default_rng((self.seed, self.epoch, index, times))


def resolve_features(corpus: Corpus, name: str) -> Path:
    """Folder of features ``name``: ``features/vpd``, ``teacher/joints``, or the bare name where only one of them is.

    Raises:
        UserError: there is none, or there are two.
    """
    kind, _, rest = name.rpartition('/')
    folders = {'features': corpus.features_dir, 'teacher': corpus.teacher_dir}
    if kind and kind not in folders:
        raise UserError(f'features {name!r}: must be features/<run>, teacher/<name> or a bare name')
    places = [folders[kind](rest)] if kind else [make(rest) for make in folders.values()]
    found = [place for place in places if place.is_dir()]
    if not found:
        raise UserError(f'features {name!r}: no folder {" or ".join(map(str, places))}; tools/extract_features.py')
    if len(found) == 2:
        raise UserError(f'features {name!r}: both {found[0]} and {found[1]} exist; say which, e.g. teacher/{rest}')
    return found[0]


class FeatureReader:
    """The features of a video from one or several folders (Concat-VPD), each file read once.

    Args:
        corpus: The corpus.
        names: One name, or several whose dims are put one after the other.
        dims: The D that must result; None: any.

    Raises:
        UserError: a folder is missing, or D is not ``dims``.
    """

    def __init__(self, corpus: Corpus, names: str | Sequence[str], dims: int | None = None) -> None:
        self.names = [names] if isinstance(names, str) else list(names)
        self.stores = [FeatureStore(resolve_features(corpus, name)) for name in self.names]
        self.dims = sum(store.dims for store in self.stores)
        if dims is not None and dims != self.dims:
            raise UserError(
                f'{corpus.root}: features {"+".join(self.names)} have d={self.dims}, the config says {dims}'
            )
        self.num_views = min(store.num_views for store in self.stores)
        self._read: dict[str, list[FeatureSequence]] = {}

    def __call__(self, video: str) -> list[FeatureSequence] | None:
        """The sequences of ``video``, one a folder; None where a folder lacks it."""
        if any(video not in store for store in self.stores):
            return None
        if video not in self._read:
            self._read[video] = [store[video] for store in self.stores]
        return self._read[video]


def clip_positions(
    start: int, end: int, video_fps: float, num_frames: int, window: Window, fps: float | None
) -> np.ndarray:
    """(T,) frames, fractional, at which an action is read.

    Args:
        start: First frame of the action.
        end: One past its last frame.
        video_fps: Rate at which the video's frames count.
        num_frames: Frames of the video.
        window: What around the action belongs to it.
        fps: Rate of the result; None: that of the video.

    Returns:
        Empty where the window holds no frame.
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
    """The classes, and the chosen actions, each with the frames (:func:`clip_positions`) that it is read at.

    Every data set of labelled actions reads them here: features, crops and
    skeletons of one action are of the same frames.

    Args:
        corpus: The corpus.
        splits: Of actions.csv.
        ids_file: Only the actions of this list; relative to the corpus.
        window: What around an action belongs to it.
        fps: Rate of the result; None: the video's own.
        num_classes: What the model has; checked.

    Raises:
        UserError: an action has no video, is longer than its video, or its
            window is empty; the number of classes is another.
    """
    classes = load_classes(corpus.classes_path)
    if num_classes not in (None, len(classes)):
        found = f'{len(classes)} classes, the config says {num_classes}'
        raise UserError(f'{corpus.classes_path}: {found}; set num_classes')
    ids_path = None if ids_file is None else Path(corpus.root) / ids_file
    actions = load_actions(corpus.actions_path, len(classes))
    actions = select_actions(actions, splits, ids_path, corpus.actions_path)
    videos = corpus.videos()
    found_windows, faults = [], []
    for action in actions:
        name = action_name(action)
        video = videos.get(action.video)
        if video is None:
            faults.append(f'{name}: no such video in videos.csv')
            continue
        if action.end_frame > video.num_frames:
            faults.append(f'{name}: the video has only {video.num_frames} frames')
            continue
        where = clip_positions(action.start_frame, action.end_frame, video.fps, video.num_frames, window, fps)
        if not len(where):
            faults.append(f'{name}: its window is empty')
            continue
        found_windows.append((action, where))
    if faults:
        raise UserError(f'{corpus.actions_path}: {_listed(faults)}; correct the file')
    return classes, found_windows


def action_name(action: Action) -> str:
    """How messages name an action."""
    return f'{action.action_id} ({action.video} {action.start_frame}..{action.end_frame})'


def report_missing(corpus: Corpus, missing: Sequence[str], total: int, what: str, allow_missing: bool) -> None:
    """Refuse, or with ``allow_missing`` warn, that ``missing`` of ``total`` actions have no ``what``.

    Raises:
        UserError: some are missing and that is not allowed, or all are.
    """
    if not missing:
        return
    found = f'{len(missing)} of {total} actions have no {what}: {_listed(missing)}'
    if not allow_missing or len(missing) == total:
        raise UserError(f'{corpus.root}: {found}; make them, or leave the actions out with allow_missing')
    print_log(f'{corpus.root}: left out: {found}', 'current', level=30)


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return '; '.join(names[:most]) + more


def interpolate(sequence: FeatureSequence, positions: np.ndarray, num_views: int) -> np.ndarray | None:
    """Read ``sequence`` at fractional frames, linearly between its neighbours and held at the ends.

    Only frames between the first and the last position count.

    Returns:
        (V, T, D) float32; None where there is no such frame.
    """
    low, high = np.searchsorted(sequence.frame_inds, [np.ceil(positions[0] - 1e-6), np.floor(positions[-1] + 1e-6) + 1])
    frames, feats = sequence.frame_inds[low:high], sequence.feats[low:high, :num_views]
    if not len(frames):
        return None
    where = np.interp(positions, frames, np.arange(len(frames)))
    before = where.astype(np.int64)
    after = np.minimum(before + 1, len(frames) - 1)
    share = (where - before)[:, None, None].astype(np.float32)
    return np.ascontiguousarray((feats[before] * (1 - share) + feats[after] * share).transpose(1, 0, 2))


def select_actions(
    actions: Sequence[Action], splits: Sequence[str], ids_file: Path | None, source: Path
) -> list[Action]:
    """The actions of some splits, or those of them that an id list names.

    Raises:
        UserError: nothing is left, or the list names an unknown action or one of another split.
    """
    if ids_file is None:
        chosen = [a for a in actions if a.split in splits]
        if not chosen:
            known = ', '.join(sorted({a.split for a in actions})) or 'none'
            raise UserError(f'{source}: no action of split {"/".join(splits)}; it has {known}')
        return chosen
    by_id: Mapping[str, Action] = {a.action_id: a for a in actions}
    if not ids_file.is_file():
        raise UserError(f'{ids_file}: no such id list; one action id a line')
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
