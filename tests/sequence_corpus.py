"""Small corpora with known numbers, made on the spot."""

from pathlib import Path

import numpy as np

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.structures import Action, FeatureSequence, save_actions, save_classes


def make_corpus(
    root: Path,
    videos: dict[str, tuple[float, int]],
    actions: list[Action],
    num_classes: int = 2,
    dims: int = 2,
    missing: tuple[str, ...] = (),
    frames: dict[str, np.ndarray] | None = None,
    dataset: str = '',
) -> Corpus:
    """A corpus whose features say where they are from: as seen (frame, 0, ...), flipped (-frame, 0, ...).

    Args:
        videos: Name to (fps, frames).
    """
    corpus = Corpus.create(root, dataset=dataset)
    corpus.add_videos([VideoInfo(name, '', fps, n, 64, 64) for name, (fps, n) in videos.items()])
    corpus.actions_path.parent.mkdir()
    save_classes(corpus.classes_path, [f'class{i}' for i in range(num_classes)])
    save_actions(corpus.actions_path, actions)
    for name, (_, n) in videos.items():
        if name not in missing:
            inds = np.arange(n) if frames is None or name not in frames else frames[name]
            feats = np.zeros((len(inds), 2, dims), np.float32)
            feats[:, 0, 0], feats[:, 1, 0] = inds, -inds
            path = corpus.teacher_dir('joints') / f'{name}.npz'
            FeatureSequence(inds.astype(np.int64), feats, np.ones(len(inds), np.float32)).save(path)
    return corpus
