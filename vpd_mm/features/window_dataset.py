"""Uncut videos as sequences of features with a label a frame, for detection."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import BaseDataset

from ..corpus import Corpus, VideoInfo
from ..errors import UserError
from ..registry import DATASETS
from ..structures import Action, load_actions, load_classes
from .clips import FeatureReader, Window, interpolate


def assign_folds(videos: Sequence[VideoInfo], num_folds: int, seed: int) -> dict[str, int]:
    """Video name to fold; athletes of one file stay together, folds differ by one file at most.

    Raises:
        UserError: fewer files than folds.
    """
    groups = {video.video: video.path or video.video.rpartition('__')[2] for video in videos}
    names = sorted(set(groups.values()))
    if len(names) < num_folds:
        raise UserError(f'{num_folds} folds need as many videos, found {len(names)}; take fewer folds')
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[i]: place % num_folds for place, i in enumerate(order)}
    return {video: fold_of[group] for video, group in groups.items()}


def frame_targets(intervals: np.ndarray, labels: np.ndarray, num_frames: int, num_classes: int) -> np.ndarray:
    """(T, C) float32: 1 where the middle of a frame lies in an interval (G, 2) of the class (label < C)."""
    middles = np.arange(num_frames) + 0.5
    targets = np.zeros((num_frames, num_classes), dtype=np.float32)
    for (start, end), label in zip(intervals, labels, strict=True):
        targets[(middles >= start) & (middles < end), label] = 1
    return targets


@DATASETS.register_module()
class FeatureWindowDataset(BaseDataset):
    """Windows of uncut videos for training, whole videos for testing (paper 4.3).

    Everything is read and resampled when the data set is made.  A training
    sample is one view of a window whose start is drawn anew each epoch; with
    ``test_mode`` a sample is a video with all its views.

    Returns ``inputs`` (V, T, D) float32 and ``data_samples``, an
    ``ActionDataSample`` with ``gt_frames`` (T, C) float32, ``valid`` (T,) bool
    (the frame or a neighbour has a feature) and, as meta, ``video``,
    ``frame_inds`` (T,) frames counted at ``fps``, ``frame_step`` (frames of
    the video for one of these), and the video's ``gt_intervals`` (G, 2), end
    exclusive, counted at ``fps`` too, and ``gt_labels`` (G,).

    Args:
        corpus: Folder of the corpus.
        features: As for ``FeatureClipDataset``.
        split: Videos with actions of these splits; a video counts to the
            split that most of its actions have.
        num_classes: C: 1 = action or not, else the number of classes.
        fold: (i, n): of n folds by video, leave i out (training) or use only i
            (``test_mode``); None: all videos.
        fold_seed: Decides the folds, and which videos ``max_videos`` keeps.
        max_videos: Use only so many videos of the split (few labels), drawn once; the folds part those.
        window: Frames of a training window.
        widen: ``before_sec`` and ``after_sec`` that widen actions.
        fps: Rate that sequences are brought to; None: the video's own.
        max_gap_sec: Frames farther than this from a feature are not ``valid``.
        dims: The D that the model expects; checked.
        seed: Of the windows' starts; ``set_epoch`` overrides it.

    Raises:
        UserError: a video has no features, an action is longer than its video.
    """

    def __init__(
        self,
        corpus: str,
        features: str | Sequence[str],
        split: str | Sequence[str] = 'train',
        num_classes: int = 1,
        fold: Sequence[int] | None = None,
        fold_seed: int = 0,
        max_videos: int | None = None,
        window: int = 250,
        widen: dict | None = None,
        fps: float | None = 25.0,
        max_gap_sec: float = 0.5,
        dims: int | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.corpus_dir, self.features, self.dims = corpus, features, dims
        self.splits = [split] if isinstance(split, str) else list(split)
        self.num_classes = num_classes
        self.fold, self.fold_seed, self.max_videos = fold, fold_seed, max_videos
        self.window, self.widen = window, Window(**(widen or {}))
        self.fps, self.max_gap_sec = fps, max_gap_sec
        self.set_epoch(0, seed)
        kwargs.setdefault('serialize_data', False)
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """One dict a video, or for training a window of a view."""
        corpus = Corpus.open(self.corpus_dir)
        classes = load_classes(corpus.classes_path)
        if self.num_classes not in (1, len(classes)):
            found = f'{len(classes)} classes, the config says {self.num_classes}'
            raise UserError(f'{corpus.classes_path}: {found}; set num_classes to that or to 1')
        self._metainfo['classes'] = classes if self.num_classes > 1 else ['action']
        by_video: dict[str, list[Action]] = {}
        for action in load_actions(corpus.actions_path, len(classes)):
            by_video.setdefault(action.video, []).append(action)
        reader = FeatureReader(corpus, self.features, self.dims)
        self.dims = reader.dims
        videos = [
            self._load_video(corpus, reader, video, by_video[video.video]) for video in self._chosen(corpus, by_video)
        ]
        if self.test_mode:
            return videos
        samples = []
        for video in videos:
            for view in range(len(video['feats'])):
                count = -(-video['num_frames'] // self.window)
                samples += [
                    {**video, 'feats': video['feats'][view : view + 1], 'slot': (i, count)} for i in range(count)
                ]
        return samples

    def _chosen(self, corpus: Corpus, by_video: dict[str, list[Action]]) -> list[VideoInfo]:
        videos = corpus.videos()
        unknown = sorted(set(by_video) - set(videos))
        if unknown:
            raise UserError(f'{corpus.actions_path}: video {unknown[0]} is not in videos.csv')
        chosen = []
        for name, actions in by_video.items():
            splits = [action.split for action in actions]
            if max(sorted(set(splits)), key=splits.count) in self.splits:
                chosen.append(videos[name])
        if not chosen:
            raise UserError(f'{corpus.actions_path}: no video of split {"/".join(self.splits)}')
        if self.max_videos is not None:
            if not 1 <= self.max_videos <= len(chosen):
                raise UserError(
                    f'{corpus.actions_path}: max_videos must be 1 to {len(chosen)}, the videos of split '
                    f'{"/".join(self.splits)}, found {self.max_videos}'
                )
            chosen.sort(key=lambda video: video.video)
            order = np.random.default_rng((self.fold_seed, 1)).permutation(len(chosen))
            chosen = [chosen[i] for i in sorted(order[: self.max_videos])]
        if self.fold is None:
            return chosen
        index, count = self.fold
        folds = assign_folds(chosen, count, self.fold_seed)
        return [video for video in chosen if (folds[video.video] == index) == self.test_mode]

    def _load_video(self, corpus: Corpus, reader: FeatureReader, video: VideoInfo, actions: list[Action]) -> dict:
        late = [action for action in actions if action.end_frame > video.num_frames]
        if late:
            raise UserError(
                f'{corpus.actions_path}: {late[0].action_id} ends after its video ({video.num_frames} frames)'
            )
        sequences = reader(video.video)
        step = 1.0 if self.fps is None else video.fps / self.fps
        positions = np.arange(0, video.num_frames - 1 + 1e-6, step)
        widened = [
            (a.start_frame - self.widen.before_sec * video.fps, a.end_frame + self.widen.after_sec * video.fps)
            for a in actions
        ]
        intervals = np.array(widened, dtype=np.float64).clip(0, video.num_frames) / step
        labels = np.array([a.label if self.num_classes > 1 else 0 for a in actions])
        found = [interpolate(sequence, positions, reader.num_views) for sequence in sequences or []]
        parts = [part for part in found if part is not None]
        if not parts or len(parts) < len(found):
            raise UserError(f'{corpus.root}: video {video.video} has no {self.features} features; extract them')
        gaps = [np.abs(positions - _nearest(sequence.frame_inds, positions)) for sequence in sequences or []]
        return {
            'feats': np.concatenate(parts, axis=2),
            'targets': frame_targets(intervals, labels, len(positions), self.num_classes),
            'valid': np.max(gaps, axis=0) <= self.max_gap_sec * video.fps,
            'num_frames': len(positions),
            'meta': {
                'video': video.video,
                'frame_step': step,
                'gt_intervals': intervals,
                'gt_labels': labels,
            },
        }

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Fix where windows start: the same epoch and seed, the same windows, also after a resume."""
        self.seed: int = seed if seed is not None else self.seed
        self.epoch = epoch

    def prepare_data(self, idx: int) -> dict:
        """Sample ``idx``; see the class."""
        idx = int(idx)
        data = self.data_list[idx]
        span = slice(0, data['num_frames'])
        if 'slot' in data:
            # window i of n starts somewhere in the i-th of n equal parts of all possible starts
            i, count = data['slot']
            room = max(0, data['num_frames'] - self.window)
            share = np.random.default_rng((self.seed, self.epoch, idx)).random()
            start = round((i + share) / count * room)
            span = slice(start, start + self.window)
        sample = ActionDataSample(metainfo={**data['meta'], 'frame_inds': np.arange(data['num_frames'])[span]})
        sample.set_field(torch.from_numpy(data['targets'][span]), 'gt_frames')
        sample.set_field(torch.from_numpy(data['valid'][span]), 'valid')
        return {'inputs': torch.from_numpy(np.ascontiguousarray(data['feats'][:, span])), 'data_samples': sample}


def _nearest(frame_inds: np.ndarray, positions: np.ndarray) -> np.ndarray:
    right = np.searchsorted(frame_inds, positions).clip(1, max(1, len(frame_inds) - 1))
    below = frame_inds[right - 1]
    above = frame_inds[np.minimum(right, len(frame_inds) - 1)]
    return np.where(positions - below <= above - positions, below, above)
