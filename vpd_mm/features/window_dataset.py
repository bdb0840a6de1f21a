"""Uncut videos as feature sequences with frame labels, for detection."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import BaseDataset

from ..corpus import Corpus, VideoInfo, Window
from ..errors import UserError
from ..registry import DATASETS
from ..structures import Action, load_actions, load_classes
from .clips import FeatureReader


@DATASETS.register_module()
class FeatureWindowDataset(BaseDataset):
    """Windows of uncut videos for training, whole videos for testing (paper 4.3), kept in memory.

    A training sample is one view of a window with a random start in each epoch; with ``test_mode`` a sample is a video
    with all views.

    Returns ``inputs`` (V, T, D) float32 and ``data_samples``, an ``ActionDataSample`` with ``gt_frames`` (T, C)
    float32, ``valid`` (T,) bool (a feature is near) and meta ``video``, ``frame_inds`` (T,) at ``fps``,
    ``frame_step`` (frames of the video per frame at ``fps``), ``gt_intervals`` (G, 2) of the video at ``fps``, end
    exclusive, and ``gt_labels`` (G,).

    Args:
        corpus: Folder of the corpus.
        features: As for ``FeatureClipDataset``.
        split: Splits of the videos; the split of a video is the most frequent split of its actions.
        num_classes: C; 1 = action or not, else the number of classes.
        fold: (i, n): leave out fold i of n (training) or use only fold i (``test_mode``); None: all videos.
        max_videos: Number of videos of the split to draw (few labels), before the folds.
        window: Frames of a training window.
        widen: ``before_sec`` and ``after_sec`` added to actions.
        fps: Frame rate of the sequences; None: the rate of the video.
        max_gap_sec: Largest distance of a ``valid`` frame from a feature.
        dims: Expected D; checked.
        seed: Seed of the window starts; ``set_epoch`` overrides it.

    Raises:
        UserError: a video has no features, an action exceeds its video, or an argument is out of range.
    """

    def __init__(
        self,
        corpus: str,
        features: str | Sequence[str],
        split: str | Sequence[str] = 'train',
        num_classes: int = 1,
        fold: Sequence[int] | None = None,
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
        self.num_classes, self.fold, self.max_videos = num_classes, fold, max_videos
        self.window, self.widen = window, Window(**(widen or {}))
        self.fps, self.max_gap_sec = fps, max_gap_sec
        self.set_epoch(0, seed)
        super().__init__(**{'serialize_data': False, **kwargs})

    def set_epoch(self, epoch: int, seed: int) -> None:
        """Set epoch and seed of the window starts."""
        self.epoch, self.seed = epoch, seed

    def load_data_list(self) -> list[dict]:
        """Load one dict per video, or for training per window and view."""
        corpus = Corpus.open(self.corpus_dir)
        classes = load_classes(corpus.classes_path)
        if self.num_classes not in (1, len(classes)):
            raise UserError(
                f'{corpus.classes_path}: {len(classes)} classes, the config has num_classes={self.num_classes}; '
                'set num_classes to that or to 1'
            )
        self._metainfo['classes'] = classes if self.num_classes > 1 else ['action']
        actions = defaultdict(list)
        for action in load_actions(corpus.actions_path, len(classes)):
            actions[action.video].append(action)
        reader = FeatureReader(corpus, self.features, self.dims)
        self.dims = reader.dims
        videos = [self._load_video(corpus, reader, v, actions[v.video]) for v in self._choose_videos(corpus, actions)]
        if self.test_mode:
            return videos
        samples = []
        for video in videos:
            count = -(-video['num_frames'] // self.window)
            samples += [
                {**video, 'feats': video['feats'][view : view + 1], 'slot': (i, count)}
                for view in range(len(video['feats']))
                for i in range(count)
            ]
        return samples

    def _choose_videos(self, corpus: Corpus, actions: dict[str, list[Action]]) -> list[VideoInfo]:
        """Select the videos of the splits, then ``max_videos`` of them, then the fold."""
        videos, split = corpus.videos(), '/'.join(self.splits)
        chosen = []
        for name, of_video in actions.items():
            if name not in videos:
                raise UserError(f'{corpus.actions_path}: video {name} is not in videos.csv')
            splits = [action.split for action in of_video]
            if max(sorted(set(splits)), key=splits.count) in self.splits:
                chosen.append(videos[name])
        if not chosen:
            raise UserError(f'{corpus.actions_path}: no video of split {split}')
        if self.max_videos is not None:
            if not 1 <= self.max_videos <= len(chosen):
                raise UserError(
                    f'{corpus.actions_path}: max_videos must be 1 to {len(chosen)}, the videos of split {split}, found '
                    f'{self.max_videos}'
                )
            chosen.sort(key=lambda video: video.video)
            order = np.random.default_rng((0, 1)).permutation(len(chosen))
            chosen = [chosen[i] for i in sorted(order[: self.max_videos])]
        if self.fold is None:
            return chosen
        # Folds of equal size; the athletes of one file stay together.
        fold, num_folds = self.fold
        files = [video.path or video.video.rpartition('__')[2] for video in chosen]
        names = np.unique(files)
        if len(names) < num_folds:
            raise UserError(f'{num_folds} folds need as many videos, found {len(names)}; take fewer folds')
        in_fold = names[np.random.default_rng(0).permutation(len(names))[fold::num_folds]]
        return [video for video, file in zip(chosen, files, strict=True) if (file in in_fold) == self.test_mode]

    def _load_video(self, corpus: Corpus, reader: FeatureReader, video: VideoInfo, actions: list[Action]) -> dict:
        late = [action for action in actions if action.end_frame > video.num_frames]
        if late:
            raise UserError(
                f'{corpus.actions_path}: {late[0].action_id} ends after its video ({video.num_frames} frames)'
            )
        step = 1.0 if self.fps is None else video.fps / self.fps
        positions = np.arange(0, video.num_frames - 1 + 1e-6, step)
        margins = np.array([-self.widen.before_sec, self.widen.after_sec]) * video.fps
        intervals = np.array([(a.start_frame, a.end_frame) for a in actions]) + margins
        intervals = intervals.clip(0, video.num_frames) / step
        labels = np.array([a.label if self.num_classes > 1 else 0 for a in actions])
        feats = reader.interpolate(video.video, positions)
        if feats is None:
            raise UserError(f'{corpus.root}: video {video.video} has no {self.features} features; extract them')
        gaps = [_distance(sequence.frame_inds, positions) for sequence in reader(video.video) or []]
        middles = np.arange(len(positions)) + 0.5
        targets = np.zeros((len(positions), self.num_classes), np.float32)
        for (start, end), label in zip(intervals, labels, strict=True):
            targets[(middles >= start) & (middles < end), label] = 1
        return {
            'feats': feats,
            'targets': targets,
            'valid': np.max(gaps, axis=0) <= self.max_gap_sec * video.fps,
            'num_frames': len(positions),
            'meta': {'video': video.video, 'frame_step': step, 'gt_intervals': intervals, 'gt_labels': labels},
        }

    def prepare_data(self, idx: int) -> dict:
        """Return sample ``idx``; see the class."""
        idx = int(idx)
        data = self.data_list[idx]
        span = slice(0, data['num_frames'])
        if 'slot' in data:
            # Window i of n starts in the i-th of n equal parts of all possible starts.
            i, count = data['slot']
            offset = np.random.default_rng((self.seed, self.epoch, idx)).random()
            start = round((i + offset) / count * max(0, data['num_frames'] - self.window))
            span = slice(start, start + self.window)
        sample = ActionDataSample(metainfo={**data['meta'], 'frame_inds': np.arange(data['num_frames'])[span]})
        sample.set_field(torch.from_numpy(data['targets'][span]), 'gt_frames')
        sample.set_field(torch.from_numpy(data['valid'][span]), 'valid')
        return {'inputs': torch.from_numpy(np.ascontiguousarray(data['feats'][:, span])), 'data_samples': sample}


def _distance(frame_inds: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the distance (T,) of each position to the nearest frame."""
    padded = np.concatenate([[-np.inf], frame_inds, [np.inf]])
    after = np.searchsorted(frame_inds, positions) + 1
    return np.minimum(positions - padded[after - 1], padded[after] - positions)
