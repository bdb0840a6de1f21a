"""A corpus whose images, flow and poses tell the number of their frame."""

import shutil
from pathlib import Path

import numpy as np
from media import make_video

from vpd_mm.corpus import SPORTS, Corpus, VideoInfo
from vpd_mm.corpus.crop_writer import CropWriter
from vpd_mm.features import joint_features
from vpd_mm.structures import Action, FeatureSequence, PoseSequence, save_actions, save_classes

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
#: Pose sets, all with the same poses.
POSE_SETS = ('release', 'penn', 'teacher')
#: Name of a data set to the sport, the number of classes and the pose set that its importer writes.
SPORT_CORPORA = {
    'fsjump6': ('figure_skating', 6, 'release'),
    'tennis7': ('tennis', 7, 'release'),
    'fx35': ('floor_exercise', 35, 'release'),
    'diving48': ('diving', 48, 'release'),
    'penn': ('penn_action', 15, 'penn'),
    'synthetic': ('synthetic tumbling', 18, 'teacher'),
}


def pose(frame: int) -> np.ndarray:
    """(17, 2) px: a figure whose left wrist is ``frame`` px to the right of the middle of its hips; torso 20 px."""
    xy = np.full((17, 2), (40, 30), np.float32)
    xy[[5, 6, 11, 12]] = [(46, 24), (34, 24), (46, 40), (34, 40)]  # diagonal 20
    xy[[13, 14, 15, 16]] = [(46, 50), (34, 50), (46, 60), (34, 60)]
    xy[9] = (40 + frame, 40)
    return xy


def make_baseline_corpus(root: Path) -> Corpus:
    """Two videos with crops, flow, three equal pose sets and joint features; two classes."""
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
                    image = np.full((SIDE, SIDE, 3), 4 * frame, np.uint8)
                    video.add(frame, (0, 0, SIDE), image, flow)
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


def make_sport_corpus(root: Path, name: str, base: Corpus) -> Corpus:
    """The data of ``base`` with the sport, the classes and the only pose set of a data set of the paper."""
    sport, num_classes, pose_set = SPORT_CORPORA[name]
    corpus = Corpus.create(root / name, sport=sport, dataset=name if name in SPORTS else '')
    shutil.copytree(base.poses_dir(pose_set), corpus.poses_dir(pose_set))
    shutil.copytree(base.crops_dir, corpus.crops_dir)  # LMDB opens a file once a process
    shutil.copy(base.videos_path, corpus.videos_path)
    shutil.copytree(base.actions_path.parent, corpus.actions_path.parent)
    save_classes(corpus.classes_path, [f'class {i}' for i in range(num_classes)])
    rng = np.random.default_rng(0)
    features = {corpus.teacher_dir('joints'): 26, corpus.teacher_dir('vipe'): 64, corpus.features_dir('vpd'): 26}
    for folder, dims in features.items():
        for video, (_, n) in VIDEOS.items():
            feats = rng.normal(size=(n, 2, dims)).astype(np.float32)
            FeatureSequence(np.arange(n), feats, np.ones(n, np.float32)).save(folder / f'{video}.npz')
    return corpus
