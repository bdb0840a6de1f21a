"""Labeled actions as feature sequences, for recognition."""

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import BaseDataset

from ..corpus import Corpus
from ..registry import DATASETS
from .clips import EpochDraws, FeatureReader, Window, action_name, action_windows, report_missing


@DATASETS.register_module()
class FeatureClipDataset(EpochDraws, BaseDataset):
    """Actions of a corpus as feature sequences at a constant rate (paper 4.1), kept in memory.

    In training every view of an action is a sample; with ``test_mode`` an action is one sample with all views.

    Added keys: ``feats`` (V, T, D) float32, ``gt_label`` int, ``action_id`` str, ``num_frames`` T, ``rng`` a
    ``np.random.Generator``.

    Args:
        corpus: Folder of the corpus.
        features: Name of the features (``features/<run>``, ``teacher/<name>`` or a bare name), or several names whose
            features are concatenated.
        split: One or several splits of actions.csv.
        ids_file: List of the action ids to use, relative to the corpus.
        window: ``before_sec`` and ``after_sec`` around the action, see :class:`Window`.
        fps: Frame rate of the sequences; None: the rate of the video.
        dims: Expected D; checked.
        num_classes: Expected number of classes; checked.
        views: Largest number of views (2 = original and flipped).
        allow_missing: Leave out actions without features with a warning instead of raising an error.
        seed: Seed of the random transforms; ``set_epoch`` overrides it.
        kwargs: Arguments of ``mmengine.dataset.BaseDataset`` (``pipeline``, ``test_mode``, ``indices``).

    Raises:
        UserError: features are missing, an action exceeds its video, a window is empty, or dims or the number of
            classes differ.
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
        """Load one dict per action and, for training, per view."""
        corpus = Corpus.open(self.corpus_dir)
        classes, windows = action_windows(corpus, self.splits, self.ids_file, self.window, self.fps, self.num_classes)
        self._metainfo['classes'] = classes
        reader = FeatureReader(corpus, self.features, self.dims)
        self.dims = reader.dims
        num_views = min(self.views, reader.num_views)
        samples, missing = [], []
        for action, positions in windows:
            feats = reader.interpolate(action.video, positions, num_views)
            if feats is None:
                missing.append(action_name(action))
                continue
            sample = {'gt_label': action.label, 'action_id': action.action_id, 'num_frames': feats.shape[1]}
            views = [feats] if self.test_mode else [feats[v : v + 1] for v in range(num_views)]
            samples += [{**sample, 'feats': view} for view in views]
        report_missing(corpus, missing, len(windows), f'{self.features} features', self.allow_missing)
        return samples

    def prepare_data(self, idx: int | tuple[int, int]) -> Any:
        """Return sample ``idx`` after the pipeline."""
        index, rng = self.draw(idx)
        return self.pipeline({**self.data_list[index], 'rng': rng})

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class of sample ``idx`` for ``ClassBalancedDataset``."""
        return [self.data_list[idx]['gt_label']]
