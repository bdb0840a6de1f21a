"""Uncut videos as feature sequences with frame labels, for detection."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from ..corpus import Corpus, VideoInfo, Window
from ..errors import UserError, counted
from ..files import list_folder
from ..registry import DATASETS
from ..structures import Action, load_actions, load_classes, load_splits, read_lines
from .clips import FeatureReader, clip_positions, split_names


@DATASETS.register_module()
class FeatureWindowDataset(BaseDataset):
    """Windows of uncut videos for training, whole videos for testing (paper 4.3), kept in memory.

    A training sample is one view of a window with a random start in each epoch; with ``test_mode`` a sample is a video
    with all views.  With one class the actions are those of annotations/detect.csv, where it exists.

    Returns ``inputs`` (V, T, D) float32 and ``data_samples``, an ``ActionDataSample`` with ``gt_frames`` (T, C)
    float32, ``valid`` (T,) bool (a feature is near) and meta ``video``, ``frame_inds`` (T,), the rows of the sequence,
    ``row_edges`` (rows + 1,), the first frame of each row and the end of the video, ``gt_intervals`` (G, 2) of the
    video in rows, end exclusive, ``gt_labels`` (G,) and ``labelled``, False of a video without a split.  Actions of a
    class that touch or overlap are one interval.

    Args:
        corpus: Folder of the corpus.
        features: As for ``FeatureClipDataset``.
        split: Splits of the videos; the split of a video is that of annotations/splits.csv, which may list videos
            without an action, else the most frequent split of its actions.
        videos: Names of videos to use instead of those of ``split``; they may have no labels.
        num_classes: C; 1 = action or not, else the number of classes.
        fold: (i, n): leave out fold i of n (training) or use only fold i (``test_mode``); None: all videos.
        max_videos: Number of video files of the split (few labels), with all their athletes, before the folds; None:
            all.
        subset: The first files of annotations/localize/<subset>.txt; where it is missing, they are drawn.
        window: Frames of a training window.
        num_windows: Windows of an epoch, from sequences drawn in proportion to their length beyond one window; None:
            windows cover every sequence once.
        widen: Fields of the :class:`Window` of an action.
        fps: Rate to which faster videos are reduced; None: every frame.
        max_gap_sec: Largest distance of a ``valid`` frame from a feature.
        dims: Expected D; checked.
        allow_missing: Leave out videos without features with a warning instead of raising an error.
        seed: Seed of the window starts; ``set_epoch`` overrides it.

    Raises:
        UserError: a video has no features, an action exceeds its video, or an argument is out of range.
    """

    def __init__(
        self,
        corpus: str,
        features: str | Sequence[str],
        split: str | Sequence[str] = 'train',
        videos: Sequence[str] | None = None,
        num_classes: int = 1,
        fold: Sequence[int] | None = None,
        max_videos: int | None = None,
        subset: int = 0,
        window: int = 250,
        num_windows: int | None = None,
        widen: dict | None = None,
        fps: float | None = 25.0,
        max_gap_sec: float = 0.5,
        dims: int | None = None,
        allow_missing: bool = False,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.features, self.dims = features, dims
        self.splits, self.videos = [split] if isinstance(split, str) else list(split), videos
        self.num_classes, self.fold, self.max_videos, self.subset = num_classes, fold, max_videos, subset
        self.window, self.num_windows, self.widen = window, num_windows, Window(**(widen or {}))
        self.fps, self.max_gap_sec, self.allow_missing = fps, max_gap_sec, allow_missing
        self._corpus = Corpus.open(corpus)
        self.set_epoch(0, seed)
        super().__init__(**{'serialize_data': False, **kwargs})

    def set_epoch(self, epoch: int, seed: int) -> None:
        """Set epoch and seed of the window starts."""
        self.epoch, self.seed = epoch, seed

    def load_data_list(self) -> list[dict]:
        """Load one dict per video, or for training per window and view."""
        corpus = self._corpus
        reader = FeatureReader(corpus, self.features, self.dims)
        self.dims = reader.dims
        videos, missing = [], []
        for video, actions in self.labelled_videos():
            data = self._load_video(reader, video, actions)
            videos += [data] if data else []
            if data and 'features' not in self._metainfo:
                self._metainfo['features'] = reader.made_of(video.video)
            missing += [] if data else [video.video]
        self.num_left_out = len(missing)
        if missing:
            named = '+'.join(split_names(self.features))
            problem = f'{counted(len(missing), "video")} without {named} features, the first is {missing[0]}'
            if not videos or not self.allow_missing:
                raise UserError(f'{corpus.root}: {problem}; extract them, or leave the videos out with --allow-missing')
            print_log(f'{corpus.root}: left out: {problem}', 'current', level=30)
        if self.test_mode:
            return videos
        views = [{**v, 'feats': v['feats'][i : i + 1]} for v in videos for i in range(len(v['feats']))]
        if self.num_windows is None:
            counts = [-(-view['num_frames'] // self.window) for view in views]
            return [{**view, 'slot': (i, count)} for view, count in zip(views, counts) for i in range(count)]
        self._views, weights = views, np.array([max(0, view['num_frames'] - self.window) for view in views])
        if not weights.any():
            raise UserError(f'{corpus.root}: no video is longer than window={self.window} frames; take a shorter one')
        self._weights = weights / weights.sum()
        return [{'num_frames': self.window} for _ in range(self.num_windows)]

    def used_videos(self) -> list[str]:
        """List the videos of the samples."""
        data = self.data_list if self.num_windows is None or self.test_mode else self._views
        return sorted({sample['meta']['video'] for sample in data})

    def summary(self) -> list[str]:
        """Describe the samples in a line for people."""
        windows = '' if self.test_mode else f'{len(self)} windows of {self.window} frames of '
        return [f'{windows}{counted(len(self.used_videos()), "video")} of {self._corpus.root}']

    def labelled_videos(self) -> list[tuple[VideoInfo, list[Action]]]:
        """The chosen videos with their actions; reads no features."""
        corpus = self._corpus
        path = corpus.detect_path if self.num_classes == 1 and corpus.detect_path.is_file() else corpus.actions_path
        classes, actions = self._read_labels(corpus, path)
        self.classes = classes
        self._metainfo['classes'] = classes if self.num_classes == len(classes) else ['action']
        videos = corpus.videos()
        if self.videos is None:
            names = [name for name, split in self.split_of.items() if split in self.splits]
            if not names:
                known = ', '.join(sorted({*self.split_of.values()})) or 'none'
                raise UserError(f'{path}: no video of split {"/".join(self.splits)}; it has {known}')
        else:
            names = list(self.videos)
        for name in names:
            if name not in videos:
                known = f'it holds {len(videos)}, as {next(iter(videos), "none")}'
                raise UserError(f'{corpus.videos_path}: no video {name!r}; {known}')
            for action in actions[name]:
                if action.end_frame > (frames := videos[name].num_frames):
                    raise UserError(f'{path}: {action.action_id} ends after its video ({frames} frames)')
        files = {name: videos[name].file for name in names}
        chosen = set(self._few_files(corpus, files))
        names = sorted(self._with_features(corpus, files, chosen) if self.allow_missing else chosen)
        self.num_files = len(names)
        if self.fold is not None:  # folds of equal size; the athletes of one file stay together
            fold, num_folds = self.fold
            if not 2 <= num_folds <= len(names):
                raise UserError(f'folds must be 2 to {len(names)}, the training videos, found {num_folds}')
            in_fold = np.random.default_rng(0).permutation(names)[fold::num_folds]
            chosen = chosen.intersection(in_fold) if self.test_mode else chosen.difference(in_fold)
        return [(videos[name], actions[name]) for name in files if files[name] in chosen]

    def _read_labels(self, corpus: Corpus, path: Path) -> tuple[list[str], dict[str, list[Action]]]:
        """Read classes and the actions of ``path`` by video, and set ``split_of``; named videos need no such files."""
        if self.videos is not None and not corpus.actions_path.exists():
            self.split_of: dict[str, str] = load_splits(corpus.splits_path)
            classes = [f'class {i}' for i in range(self.num_classes)] if self.num_classes > 1 else ['action']
            return classes, defaultdict(list)
        classes = load_classes(corpus.classes_path)
        if self.num_classes not in (1, len(classes)):
            raise UserError(
                f'{corpus.classes_path}: {len(classes)} classes, the config has num_classes={self.num_classes}; '
                'set num_classes to that or to 1'
            )
        self.split_of = {}
        by_path: dict[Path, dict[str, list[Action]]] = {}
        for table in dict.fromkeys([corpus.actions_path, path]):  # a video may have actions, but none to detect
            by_path[table] = defaultdict(list)
            for action in load_actions(table, len(classes)):
                by_path[table][action.video].append(action)
            for name, of_video in by_path[table].items():
                splits = [action.split for action in of_video]
                self.split_of[name] = max(sorted(set(splits)), key=splits.count)
        self.split_of |= load_splits(corpus.splits_path)
        return classes, by_path[path]

    def _with_features(self, corpus: Corpus, files: dict[str, str], chosen: set[str]) -> set[str]:
        stores = FeatureReader(corpus, self.features).stores
        return {file for name, file in files.items() if file in chosen and all(name in store for store in stores)}

    def _few_files(self, corpus: Corpus, files: dict[str, str]) -> list[str]:
        """The ``max_videos`` files of ``files`` (video to file)."""
        names = sorted(set(files.values()))
        if self.max_videos is None:
            return names
        path = corpus.localize_path(self.subset)
        if path.is_file():
            names = list(dict.fromkeys(files[line] for line in read_lines(path) if line in files))
        elif lists := list_folder(path.parent, '*.txt'):
            raise UserError(f'{path}: no such list of videos; subset must be one of {", ".join(p.stem for p in lists)}')
        else:
            names = list(np.random.default_rng((self.subset, 1)).permutation(names))
            print_log(f'{path}: no such list of videos; {self.max_videos} are drawn with seed {self.subset}', 'current')
        if not 1 <= self.max_videos <= len(names):
            split = '/'.join(self.splits)
            raise UserError(
                f'{path}: max_videos must be 1 to {len(names)}, the video files of split {split}, found '
                f'{self.max_videos}'
            )
        return names[: self.max_videos]

    def _rows(self, video: VideoInfo) -> np.ndarray:
        return clip_positions(0, video.num_frames, self._corpus.times(video), video.num_frames, Window(), self.fps)

    def _intervals(self, video: VideoInfo, actions: Sequence[Action], rows: np.ndarray) -> np.ndarray:
        """Rows (G, 2) of the actions, at least one each."""
        times = self._corpus.times(video)
        spans = [self.widen.span(action.start_frame, action.end_frame, times) for action in actions]
        first, end = np.searchsorted(rows, np.reshape(spans, (-1, 2))).T
        first = np.minimum(first, len(rows) - 1)
        return np.stack([first, np.maximum(end, first + 1)], axis=1)

    def mean_lengths(self) -> np.ndarray:
        """Mean length (C,) of the actions of a class in rows, NaN of a class without any; reads no features."""
        lengths: list[list[float]] = [[] for _ in range(self.num_classes)]
        for video, actions in self.labelled_videos():
            intervals = self._intervals(video, actions, self._rows(video))
            for action, (first, end) in zip(actions, intervals, strict=True):
                lengths[action.label if self.num_classes > 1 else 0].append(end - first)
        return np.array([np.mean(of_class) if of_class else np.nan for of_class in lengths])

    def ground_truth(self, video: VideoInfo, actions: Sequence[Action]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Targets (T, C) of the rows, and their runs: intervals (G, 2), end exclusive, and labels (G,)."""
        rows = self._rows(video)
        targets = np.zeros((len(rows), self.num_classes), np.float32)
        for action, (first, end) in zip(actions, self._intervals(video, actions, rows), strict=True):
            targets[first:end, action.label if self.num_classes > 1 else 0] = 1
        steps = np.diff(np.pad(targets, ((1, 1), (0, 0))), axis=0).T
        labels, starts = np.nonzero(steps > 0)
        return targets, np.stack([starts, np.nonzero(steps < 0)[1]], axis=1), labels

    def _load_video(self, reader: FeatureReader, video: VideoInfo, actions: list[Action]) -> dict | None:
        rows = self._rows(video)
        feats = reader.interpolate(video.video, rows)
        if feats is None:
            return None
        times = self._corpus.times(video)
        known = [times.seconds(sequence.frame_inds) for sequence in reader(video.video) or []]
        gaps = [_distance(seconds, times.seconds(rows)) for seconds in known]
        targets, intervals, labels = self.ground_truth(video, actions)
        labelled = video.video in self.split_of
        meta = {'video': video.video, 'labelled': labelled, 'gt_intervals': intervals, 'gt_labels': labels}
        return {
            'feats': feats,
            'targets': targets,
            'valid': np.max(gaps, axis=0) <= self.max_gap_sec + 1e-6,
            'num_frames': len(rows),
            'meta': meta | {'row_edges': np.append(rows, video.num_frames)},
        }

    def prepare_data(self, idx: int) -> dict:
        """Return sample ``idx``; see the class."""
        idx = int(idx)
        data = self.data_list[idx]
        span = slice(0, data['num_frames'])
        rng = np.random.default_rng((self.seed, self.epoch, idx))
        if 'meta' not in data:
            data = self._views[rng.choice(len(self._views), p=self._weights)]
            start = rng.integers(data['num_frames'] - self.window)
            span = slice(start, start + self.window)
        elif 'slot' in data:
            # Window i of n starts in the i-th of n equal parts of all possible starts.
            i, count = data['slot']
            start = round((i + rng.random()) / count * max(0, data['num_frames'] - self.window))
            span = slice(start, start + self.window)
        sample = ActionDataSample(metainfo={**data['meta'], 'frame_inds': np.arange(data['num_frames'])[span]})
        sample.set_field(torch.from_numpy(data['targets'][span]), 'gt_frames')
        sample.set_field(torch.from_numpy(data['valid'][span]), 'valid')
        return {'inputs': torch.from_numpy(np.ascontiguousarray(data['feats'][:, span])), 'data_samples': sample}


def _distance(known: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the distance (T,) of each position to the nearest known one."""
    padded = np.concatenate([[-np.inf], known, [np.inf]])
    after = np.searchsorted(known, positions) + 1
    return np.minimum(positions - padded[after - 1], padded[after] - positions)
