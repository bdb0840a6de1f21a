"""A tiny corpus: two videos of a bright square that moves, with a teacher of known features."""

from pathlib import Path

import numpy as np
import pytest

from vpd_mm.corpus import Corpus, CropWriter, VideoInfo
from vpd_mm.structures import Action, FeatureSequence, PoseSequence, save_actions, save_classes

SIDE = 32
VIDEOS = {'a': 60, 'b': 30}


def picture(frame: int) -> np.ndarray:
    """A dark picture with a bright square at x = frame % 20."""
    rgb = np.full((SIDE, SIDE, 3), (40, 80, 120), np.uint8)
    x = frame % 20
    rgb[10:20, x : x + 8] = (220, 200, 40)
    return rgb


def teacher(num_frames: int, seed: int) -> FeatureSequence:
    """26-d features; every fifth frame is unsure, frame 7 is missing."""
    rng = np.random.default_rng(seed)
    frames = np.delete(np.arange(num_frames), 7)
    feats = rng.normal(0, 0.3, (len(frames), 2, 26)).astype(np.float32)
    scores = np.where(frames % 5 == 0, 0.2, 0.9).astype(np.float32)
    return FeatureSequence(frames, feats, scores)


def make_tiny(root: Path, videos: dict[str, int]) -> Corpus:
    """A corpus of videos ``a`` and ``b``, of so many frames."""
    corpus = Corpus.create(root)
    with CropWriter(corpus.crops_dir / 'shard-000.lmdb') as writer:
        for name, n in videos.items():
            with writer.video(name, size=SIDE, flow={'method': 'known', 'clip': 20.0}) as video:
                for frame in range(n):
                    flow = np.zeros((SIDE, SIDE, 2), np.float32)
                    flow[..., 0], flow[..., 1] = 3, -1
                    video.add(frame, (0, 0, SIDE), picture(frame), flow)
    corpus.add_videos(VideoInfo(name, '', 25.0, n, SIDE, SIDE) for name, n in videos.items())
    for seed, (name, n) in enumerate(videos.items()):
        sequence = teacher(n, seed)
        sequence.save(corpus.teacher_dir('joints') / f'{name}.npz')
        keypoints = np.random.default_rng(seed).uniform(0, SIDE, (n, 17, 2)).astype(np.float32)
        poses = PoseSequence(np.arange(n), keypoints, np.ones((n, 17), np.float32))
        poses.save(corpus.root / 'ground_truth' / f'{name}.npz')
    save_classes(corpus.classes_path, ['jump'])
    save_actions(corpus.actions_path, [Action('a:0', 'a', 10, 20, 0, 'train'), Action('b:0', 'b', 0, 5, 0, 'test')])
    return corpus


@pytest.fixture(scope='session')
def corpus(tmp_path_factory) -> Corpus:
    return make_tiny(tmp_path_factory.mktemp('data') / 'tiny', VIDEOS)
