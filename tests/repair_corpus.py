"""A corpus whose poses can be repaired, and a tiny student of it."""

from pathlib import Path

import numpy as np
from inference_files import STUDENT, save_model
from tiny_corpus import make_tiny

from vpd_mm.corpus import Corpus
from vpd_mm.distill.trained_videos import TrainedVideos
from vpd_mm.features import joint_features
from vpd_mm.structures import PoseSequence

TRAINING = """
train_dataloader = dict(dataset=dict(type='CropDataset', corpus={corpus!r}, teacher='joints', holdout='block',
    require_previous_pose=False, pipeline=[]))
"""


def make_repairable(root: Path, videos: dict[str, int]) -> Corpus:
    """A corpus with poses 'made' of an athlete who stands, of whom every tenth frame is missing."""
    corpus = make_tiny(root, videos)
    rng = np.random.default_rng(0)
    pose = np.stack([np.tile([14, 18], 9)[:17], np.linspace(4, 28, 17)], axis=1)
    for name, count in videos.items():
        frames = np.flatnonzero(np.arange(count) % 10 != 7)
        keypoints = (pose + rng.normal(0, 0.2, (len(frames), 17, 2))).astype(np.float32)
        poses = PoseSequence(frames, keypoints, np.full((len(frames), 17), 0.9, np.float32))
        poses.save(corpus.pose_path('made', name))
    joint_features(corpus, 'made', overwrite=True)
    return corpus


def save_student(folder: Path, corpus: Corpus, name='student', dims=26, trained_on=('a', 'b')) -> str:
    """Write config and checkpoint; returns CONFIG:CHECKPOINT."""
    meta = {'trained_on': TrainedVideos.of(corpus, trained_on).to_json()} if trained_on is not None else {}
    return save_model(folder, name, STUDENT.format(dims=dims) + TRAINING.format(corpus=str(corpus.root)), meta=meta)
