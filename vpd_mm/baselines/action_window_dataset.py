"""Base of the baselines' data sets: labelled actions, read at the same frames as by ``FeatureClipDataset``."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from ..corpus import Corpus, VideoInfo
from ..features import EpochDraws, Window, action_name, action_windows, report_missing
from ..structures import Action


class ActionWindowDataset(EpochDraws, BaseDataset):
    """Labelled actions of a corpus as mmaction2's clips; subclasses read the clips.

    The arguments are those of ``FeatureClipDataset`` but features, dims and views, and select the same actions and
    frames.

    Added keys: ``label`` int, ``action_id`` and ``video`` str, ``total_frames`` T, ``start_index`` (0), ``rng`` a
    ``np.random.Generator``, ``test_mode``.

    Raises:
        UserError: a clip is missing, an action is longer than its video, a window is empty, or the number of classes
            differs.
    """

    #: Name of the data in messages about missing clips.
    what = 'clip'

    def __init__(
        self,
        corpus: str,
        split: str | Sequence[str] = 'train',
        ids_file: str | None = None,
        window: dict | None = None,
        fps: float | None = 25.0,
        num_classes: int | None = None,
        allow_missing: bool = False,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.corpus_dir = corpus
        self.splits = [split] if isinstance(split, str) else list(split)
        self.ids_file = ids_file
        self.window = Window(**(window or {}))
        self.fps = fps
        self.num_classes = num_classes
        self.allow_missing = allow_missing
        self.set_epoch(0, seed)
        kwargs.setdefault('serialize_data', False)
        super().__init__(**kwargs)

    @abstractmethod
    def open_corpus(self, corpus: Corpus) -> None:
        """Prepare to read; called once, before the first :meth:`read_clip`."""

    @abstractmethod
    def read_clip(self, action: Action, video: VideoInfo, positions: np.ndarray) -> dict | None:
        """Keys of the sample of ``action`` at ``positions`` (T,), fractional frames of ``video``; None: no data."""

    def load_data_list(self) -> list[dict]:
        """One dict for each action."""
        corpus = Corpus.open(self.corpus_dir)
        classes, windows = action_windows(corpus, self.splits, self.ids_file, self.window, self.fps, self.num_classes)
        self._metainfo['classes'] = classes
        self.open_corpus(corpus)
        videos = corpus.videos()
        samples, missing = [], []
        for action, positions in windows:
            clip = self.read_clip(action, videos[action.video], positions)
            if clip is None:
                missing.append(action_name(action))
                continue
            sample = {'label': action.label, 'action_id': action.action_id, 'video': action.video}
            samples.append({**sample, 'total_frames': len(positions), 'start_index': 0, **clip})
        report_missing(corpus, missing, len(windows), self.what, self.allow_missing)
        return samples

    def prepare_data(self, idx: int | tuple[int, int]) -> Any:
        """Return sample ``idx`` after the pipeline, which gets copies of the arrays."""
        index, rng = self.draw(idx)
        sample = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in self.data_list[index].items()}
        return self.pipeline({**sample, 'rng': rng, 'test_mode': self.test_mode})
