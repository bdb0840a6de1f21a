"""Digest of the settings of a training, in which content stands for the files and folders that it reads."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..corpus import Corpus
from ..corpus.crop_store import CropStore
from ..corpus.stale_files import digest
from ..engine.resume import config_digest
from ..files import composed, file_digest, list_folder, npz_path
from ..structures import left_out_videos, load_actions, load_splits
from ..structures.npz_io import npz_checksums
from .clips import FRAMES_VERSION, resolve_features, split_names
from .corpus_config import datasets_of


def settings_digest(cfg: Config, known: 'CorpusContent | None' = None) -> str:
    """Digest of a config: its settings, and the content of the corpora and files that it names.

    Two trainings of one digest give the same numbers, whatever the names of their folders.  ``known`` is the content of
    all corpora of the config, where it is read already.
    """
    cfg, content_of = Config(cfg._cfg_dict.to_dict()), cache(lambda root: known or CorpusContent(Corpus.open(root)))
    for dataset in datasets_of(cfg):
        if root := dataset.get('corpus'):
            content = content_of(root)
            dataset.corpus = content.labels
            if names := feature_names(dataset):
                dataset.features = list(map(content.features, names))
            if dataset.get('poses'):
                dataset.poses = content.poses(dataset.poses)
            if dataset.get('source'):
                dataset.crops = content.crops(content.videos)
            if dataset.get('teacher'):  # all videos are read, with or without labels
                folder = content.corpus.teacher_dir(dataset.teacher)
                dataset.teacher = content.arrays(
                    folder, tuple(composed(path.stem) for path in list_folder(folder, '*.npz'))
                )
                dataset.crops = content.crops(None)
            if dataset.get('max_videos'):
                lists = list_folder(content.corpus.localize_path(0).parent, '*.txt')
                dataset.localize = [(path.name, file_digest(path)) for path in lists]
    cfg = Config(_by_content(cfg._cfg_dict.to_dict()))
    return digest([config_digest(cfg), cfg.get('load_from') or ''])


def _by_content(value: Any) -> Any:
    """Replace the names of files in a config, such as pre-trained weights, by their digests."""
    if isinstance(value, dict):
        return {key: _by_content(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_by_content(item) for item in value]
    return file_digest(value) if isinstance(value, str) and '.' in value and os.path.isfile(value) else value


def feature_names(dataset: Mapping[str, Any]) -> list[str]:
    """Names of the features that a data set reads."""
    return split_names(dataset.get('features') or [])


class CorpusContent:
    """Digests of what runs read from a corpus: by content; where it has labels, of the videos with action or split."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus, table = corpus, corpus.videos()
        tables = [path for path in (corpus.actions_path, corpus.detect_path) if path.is_file()]
        actions = [load_actions(path) for path in tables]
        self.actions = actions[0] if corpus.actions_path in tables else []
        used = {action.video for of_table in actions for action in of_table} | load_splits(corpus.splits_path).keys()
        self.videos = tuple(sorted(used or table))
        files = [file_digest(path) for path in (corpus.actions_path, corpus.classes_path) if path.is_file()]
        files += [file_digest(path) for path in (corpus.detect_path, corpus.splits_path) if path.is_file()]
        files += sorted(left_out_videos(corpus.root))
        rows = [vars(table[name]) for name in self.videos if name in table]
        #: Digest of the tables of labels and splits, the videos' rows and times, and the choice of frames.
        self.labels = digest([FRAMES_VERSION, *files, rows, self._arrays(corpus.times_dir)])
        #: Digest of the npz files of a folder, from the checksums that they carry; default: of ``videos``.
        self.arrays = cache(self._arrays)
        #: Digest of the headers of the crops of some videos; None: of all.
        self.crops = cache(self._crops)

    def features(self, name: str) -> str:
        """Digest of features, as :func:`resolve_features` names them."""
        return self.arrays(resolve_features(self.corpus, name))

    def poses(self, name: str) -> str:
        """Digest of a pose set: its name, or a folder relative to the corpus."""
        return self.arrays(self.corpus.root / name if '/' in name else self.corpus.poses_dir(name))

    def _arrays(self, folder: Path, videos: tuple[str, ...] | None = None) -> str:
        paths = [path for video in videos or self.videos if (path := npz_path(folder, video)).exists()]
        return digest([(path.stem, npz_checksums(path)) for path in paths])

    def _crops(self, videos: tuple[str, ...] | None) -> str:
        store = CropStore(self.corpus.crops_dir)
        chosen = store.videos() if videos is None else videos
        return digest([store.header(video).to_json() for video in chosen if video in store])
