"""A corpus whose pictures, flow and poses say which frame they are of."""

import numpy as np
import pytest
from media import make_video

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.corpus.crop_writer import CropWriter
from vpd_mm.features import joint_features
from vpd_mm.structures import Action, PoseSequence, save_actions, save_classes

SIDE = 32
#: Name to (fps, frames).
VIDEOS = {'a': (25.0, 50), 'b': (50.0, 60)}
ACTIONS = [
    Action('a1', 'a', 6, 20, 0, 'train'),
    Action('a2', 'a', 30, 46, 1, 'train'),
    Action('b1', 'b', 10, 40, 1, 'train'),
    Action('b2', 'b', 20, 50, 0, 'val'),
    Action('a3', 'a', 22, 28, 1, 'test'),
]
#: The pose sets that the configs of the rivals name.
POSE_SETS = ('release', 'penn', 'teacher')


def pose(frame: int) -> np.ndarray:
    """(17, 2) px: a figure whose left wrist lies ``frame`` px to the right of the hips' middle; its torso is 20 px."""
    xy = np.full((17, 2), (40, 30), np.float32)
    xy[[5, 6, 11, 12]] = [(46, 24), (34, 24), (46, 40), (34, 40)]  # diagonal 20
    xy[[13, 14, 15, 16]] = [(46, 50), (34, 50), (46, 60), (34, 60)]
    xy[9] = (40 + frame, 40)
    return xy


@pytest.fixture(scope='session')
def rival_corpus(tmp_path_factory) -> Corpus:
    root = tmp_path_factory.mktemp('rivals')
    corpus = Corpus.create(root / 'corpus')
    rows = []
    with CropWriter(corpus.crops_dir / 'shard-000.lmdb') as writer:
        for name, (fps, n) in VIDEOS.items():
            path = make_video(root / f'{name}.mp4', n, fps=int(fps))
            rows.append(VideoInfo(name, str(path), fps, n, 64, 48))
            with writer.video(name, size=SIDE, flow={'method': 'known', 'clip': 20.0}) as video:
                for frame in range(n):
                    flow = np.zeros((SIDE, SIDE, 2), np.float32)
                    flow[..., 0] = frame / 5
                    picture = np.full((SIDE, SIDE, 3), 4 * frame, np.uint8)
                    video.add(frame, (0, 0, SIDE), picture, flow)
            keypoints = np.stack([pose(frame) for frame in range(n)])
            for pose_set in POSE_SETS:
                poses = PoseSequence(np.arange(n), keypoints, np.ones((n, 17), np.float32))
                poses.save(corpus.pose_path(pose_set, name))
    corpus.add_videos(rows)
    save_classes(corpus.classes_path, ['jump', 'spin'])
    save_actions(corpus.actions_path, ACTIONS)
    (corpus.root / 'annotations' / 'fewshot').mkdir()
    corpus.fewshot_path(1, 0).write_text('a1\nb1\n')
    joint_features(corpus, 'penn')
    return corpus
