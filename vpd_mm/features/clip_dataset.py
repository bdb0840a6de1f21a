"""Labelled actions as sequences of features, for recognition."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from ..corpus import Corpus
from ..registry import DATASETS
from .clips import EpochDraws, FeatureReader, Window, action_name, action_windows, interpolate, report_missing


@DATASETS.register_module()
class FeatureClipDataset(EpochDraws, BaseDataset):
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
        classes, windows = action_windows(corpus, self.splits, self.ids_file, self.window, self.fps, self.num_classes)
        self._metainfo['classes'] = classes
        reader = FeatureReader(corpus, self.features, self.dims)
        self.dims = reader.dims
        num_views = min(self.views, reader.num_views)
        samples, missing = [], []
        for action, where in windows:
            resampled = [interpolate(sequence, where, num_views) for sequence in reader(action.video) or []]
            parts = [part for part in resampled if part is not None]
            if not parts or len(parts) < len(resampled):
                missing.append(action_name(action))
                continue
            feats: np.ndarray = np.concatenate(parts, axis=2)
            sample = {'gt_label': action.label, 'action_id': action.action_id, 'num_frames': feats.shape[1]}
            views = [feats] if self.test_mode else [feats[v : v + 1] for v in range(num_views)]
            samples += [{**sample, 'feats': view} for view in views]
        report_missing(corpus, missing, len(windows), f'{self.features} features', self.allow_missing)
        return samples

    def prepare_data(self, idx: int | tuple[int, int]) -> Any:
        """The sample ``idx`` through the pipeline; the stored array itself is never changed."""
        index, rng = self.draw(idx)
        return self.pipeline({**self.data_list[index], 'rng': rng})

    def get_cat_ids(self, idx: int) -> list[int]:
        """The class of sample ``idx``, for ``ClassBalancedDataset``."""
        return [self.data_list[idx]['gt_label']]
