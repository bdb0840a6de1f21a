"""Labeled actions as feature sequences, for recognition."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..corpus import Corpus, VideoInfo
from ..registry import DATASETS
from ..structures import Action
from .action_window_dataset import ActionWindowDataset
from .clips import FeatureReader, split_names


@DATASETS.register_module()
class FeatureClipDataset(ActionWindowDataset):
    """Actions of a corpus as feature sequences at a constant rate (paper 4.1), kept in memory.

    In training every view of an action is a sample; with ``test_mode`` an action is one sample with all views.

    Added keys, besides those of the base: ``feats`` (V, T, D) float32, ``num_frames`` T.

    Args:
        corpus: Folder of the corpus.
        features: Name of the features (``features/<run>``, ``teacher/<name>`` or a bare name), or several names whose
            features are concatenated.
        split: One or several splits of actions.csv.
        dims: Expected D; checked.
        kwargs: Arguments of the base.

    Raises:
        UserError: besides the errors of the base: features are missing, or dims differ.
    """

    def __init__(
        self,
        corpus: str,
        features: str | Sequence[str],
        split: str | Sequence[str] = 'train',
        dims: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.features, self.dims = features, dims
        self.what = f'{"+".join(split_names(features))} features'
        super().__init__(corpus, split, **kwargs)

    def open_corpus(self, corpus: Corpus) -> None:
        self._reader = FeatureReader(corpus, self.features, self.dims)
        self.dims = self._reader.dims

    def read_clip(self, action: Action, video: VideoInfo, positions: np.ndarray) -> dict | None:
        feats = self._reader.interpolate(action.video, positions)
        if feats is not None and 'features' not in self._metainfo:
            self._metainfo['features'] = self._reader.made_of(action.video)
        return None if feats is None else {'feats': feats, 'num_frames': len(positions)}

    def load_data_list(self) -> list[dict]:
        """Load one dict per action and, for training, per view."""
        samples = super().load_data_list()
        del self._reader
        if self.test_mode:
            return samples
        return [{**s, 'feats': s['feats'][v : v + 1]} for s in samples for v in range(len(s['feats']))]
