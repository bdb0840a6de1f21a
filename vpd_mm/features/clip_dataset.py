"""Labelled actions as sequences of features, for recognition."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from ..corpus import Corpus
from ..errors import UserError
from ..registry import DATASETS
from ..structures import load_actions, load_classes
from .clips import FeatureReader, Window, clip_positions, interpolate, select_actions


@DATASETS.register_module()
class FeatureClipDataset(BaseDataset):
    """Actions of a corpus, each a sequence of features at one rate (paper 4.1).

    Everything is read, checked and resampled when the data set is made, and
    kept in memory.  For training, every view of an action is a sample of its
    own; with ``test_mode`` an action is one sample with all its views.

    Added keys: ``feats`` (V, T, D) float32, ``gt_label`` int, ``action_id``
    str, ``num_frames`` T, ``rng`` a ``np.random.Generator``.

    Args:
        corpus: Folder of the corpus.
        features: Name of the features (``features/<run>``, ``teacher/<name>``
            or a bare name), or several that are put one after the other.
        split: One split of actions.csv, or several.
        ids_file: Use only the actions of this list; relative to the corpus.
        window: ``before_sec`` and ``after_sec`` around the action, see
            :class:`Window`.
        fps: Rate that sequences are brought to; None: the video's own.
        dims: The D that the model expects; checked.
        num_classes: The number of classes that the model has; checked.
        views: Use at most this many views (2 = as seen and flipped).
        allow_missing: Leave out actions without features (with a warning)
            instead of refusing.
        seed: Of the draws that transforms make; ``set_epoch`` overrides it.
        kwargs: As in ``mmengine.dataset.BaseDataset`` (``pipeline``,
            ``test_mode``, ``indices``).

    Raises:
        UserError: features are missing, an action is longer than its video or
            its window is empty, the number of classes or dims is another.
    """

    def __init__(
        self,
        corpus: str,
        features: str | Sequence[str],
        split: str | Sequence[str] = 'train',
        ids_file: str | None = None,
        window: dict | None = None,
        fps: float | None = 25.0,
        dims: int | None = None,
        num_classes: int | None = None,
        views: int = 2,
        allow_missing: bool = False,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.corpus_dir = corpus
        self.features = features
        self.splits = [split] if isinstance(split, str) else list(split)
        self.ids_file = ids_file
        self.window = Window(**(window or {}))
        self.fps = fps
        self.dims = dims
        self.num_classes = num_classes
        self.views = views
        self.allow_missing = allow_missing
        self.set_epoch(0, seed)
        kwargs.setdefault('serialize_data', False)
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """One dict an action and, for training, a view."""
        corpus = Corpus.open(self.corpus_dir)
        classes = load_classes(corpus.classes_path)
        if self.num_classes not in (None, len(classes)):
            found = f'{len(classes)} classes, the config says {self.num_classes}'
            raise UserError(f'{corpus.classes_path}: {found}; set num_classes')
        self._metainfo['classes'] = classes
        ids_file = None if self.ids_file is None else Path(corpus.root) / self.ids_file
        actions = load_actions(corpus.actions_path, len(classes))
        actions = select_actions(actions, self.splits, ids_file, corpus.actions_path)
        videos = corpus.videos()
        reader = FeatureReader(corpus, self.features, self.dims)
        self.dims = reader.dims
        num_views = min(self.views, reader.num_views)
        samples, faults, missing = [], [], []
        for action in actions:
            name = f'{action.action_id} ({action.video} {action.start_frame}..{action.end_frame})'
            video = videos.get(action.video)
            if video is None:
                faults.append(f'{name}: no such video in videos.csv')
                continue
            if action.end_frame > video.num_frames:
                faults.append(f'{name}: the video has only {video.num_frames} frames')
                continue
            where = clip_positions(
                action.start_frame, action.end_frame, video.fps, video.num_frames, self.window, self.fps
            )
            if not len(where):
                faults.append(f'{name}: its window is empty')
                continue
            resampled = [interpolate(sequence, where, num_views) for sequence in reader(action.video) or []]
            parts = [part for part in resampled if part is not None]
            if not parts or len(parts) < len(resampled):
                missing.append(name)
                continue
            feats: np.ndarray = np.concatenate(parts, axis=2)
            sample = {'gt_label': action.label, 'action_id': action.action_id, 'num_frames': feats.shape[1]}
            views = [feats] if self.test_mode else [feats[v : v + 1] for v in range(num_views)]
            samples += [{**sample, 'feats': view} for view in views]
        self._report(corpus, faults, missing, len(actions))
        return samples

    def _report(self, corpus: Corpus, faults: list[str], missing: list[str], total: int) -> None:
        if faults:
            raise UserError(f'{corpus.actions_path}: {_listed(faults)}; correct the file')
        if missing:
            what = f'{len(missing)} of {total} actions have no {self.features} features: {_listed(missing)}'
            if not self.allow_missing or len(missing) == total:
                raise UserError(f'{corpus.root}: {what}; extract them, or leave the actions out with allow_missing')
            print_log(f'{corpus.root}: left out: {what}', 'current', level=30)

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Fix the draws of the transforms: the same epoch and seed draw the same, also after a resume."""
        self.seed: int = seed if seed is not None else self.seed
        self.epoch = epoch
        self._times_drawn: dict[int, int] = {}

    def prepare_data(self, idx: int) -> Any:
        """The sample ``idx`` through the pipeline; the stored array itself is never changed."""
        idx = int(idx)
        times = self._times_drawn[idx] = self._times_drawn.get(idx, -1) + 1
        rng = np.random.default_rng((self.seed, self.epoch, idx, times))
        return self.pipeline({**self.data_list[idx], 'rng': rng})

    def get_cat_ids(self, idx: int) -> list[int]:
        """The class of sample ``idx``, for ``ClassBalancedDataset``."""
        return [self.data_list[idx]['gt_label']]


def _listed(names: list[str], most: int = 5) -> str:
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return '; '.join(names[:most]) + more
