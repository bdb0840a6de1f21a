"""Corpora of the studio's tests: videos with burnt-in frame numbers, prepared, with labels and features."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from media import build_corpus, make_video, numbered_picture

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.structures import (
    Action,
    AthleteTrack,
    FeatureSequence,
    PoseSequence,
    save_actions,
    save_classes,
)

SIZE = (320, 180)
#: B-frames that are references themselves, and key frames that earlier frames refer to.
OPEN_GOP = {
    'crf': '18',
    'preset': 'veryfast',
    'x264-params': 'open-gop=1:bframes=3:b-adapt=0:b-pyramid=normal:keyint=12:scenecut=0',
}
NTSC = Fraction(60000, 1001)
CLASSES = ('jump', 'spin', 'roll')
#: Frames of the videos whose time stamps are tested, and of those with actions for training.
FRAMES, PRACTICE_FRAMES = 90, 360
PRACTICE = ('practice_0', 'practice_1')
VIDEOS = ('bframes', 'ntsc', 'vfr', 'match', *PRACTICE)
#: Features of the corpora.
RUN = 'vpd'


def vfr_ticks(num_frames: int) -> list[int]:
    """Time stamps in units of 1/25 s whose steps change: 1, 1, 3, 1, 2, and so on."""
    return np.cumsum([0, *np.resize([1, 1, 3, 1, 2], num_frames - 1)]).tolist()


def make_studio_video(folder: Path, name: str) -> Path:
    """A video whose frame n shows the number n."""
    numbers = {'size': SIZE, 'picture': numbered_picture, 'options': {'crf': '18', 'preset': 'ultrafast', 'g': '12'}}
    if name == 'vfr':
        return make_video(folder / 'vfr.mkv', FRAMES, ticks=vfr_ticks(FRAMES), **numbers)
    if name in ('bframes', 'ntsc'):
        fps = NTSC if name == 'ntsc' else 25
        return make_video(folder / f'{name}.mp4', FRAMES, fps=fps, **numbers | {'options': OPEN_GOP})
    return make_video(folder / f'{name}.mp4', PRACTICE_FRAMES if name in PRACTICE else FRAMES, **numbers)


def movement(num_frames: int, left: float) -> tuple[AthleteTrack, PoseSequence]:
    """Box and pose of an athlete who moves back and forth around ``left``; every tenth frame has low confidence."""
    frames = np.arange(num_frames)
    x = (left + 20 * np.sin(frames / 15)).astype(np.float32)
    boxes = np.stack([x, np.full_like(x, 80), x + 50, np.full_like(x, 170)], 1)
    body = np.array(
        [(25, 8), (23, 6), (27, 6), (20, 8), (30, 8), (15, 22), (35, 22), (10, 38), (40, 38), (8, 52), (42, 52)]
        + [(19, 50), (31, 50), (18, 68), (32, 68), (17, 86), (33, 86)],
        np.float32,
    )
    keypoints = body[None] + boxes[:, None, :2] + np.random.default_rng(0).normal(0, 1, (num_frames, 17, 2))
    scores = np.where(frames % 10 == 9, 0.3, 0.9).astype(np.float32)[:, None].repeat(17, 1)
    track = AthleteTrack(frames, boxes.astype(np.float32), np.full(num_frames, 0.95, np.float32))
    return track, PoseSequence(frames, keypoints.astype(np.float32), scores)


def practice_actions() -> list[Action]:
    """Actions of 20 frames every 30 frames, of the three classes in turn; the last video is for tests."""
    return [
        Action(f'{video}:{i}', video, 30 * i + 5, 30 * i + 25, i % len(CLASSES), split)
        for video, split in zip(PRACTICE, ('train', 'test'))
        for i in range(PRACTICE_FRAMES // 30)
    ]


def is_unlabelled(action: Action) -> bool:
    return action.video == PRACTICE[-1] and action.start_frame >= PRACTICE_FRAMES // 2


def features(video: VideoInfo, actions: list[Action]) -> FeatureSequence:
    """Noise, and in an action of class c a wave in dimensions 2 c and 2 c + 1."""
    rng = np.random.default_rng(sum(map(ord, video.video)))
    feats = rng.normal(0, 0.2, (video.num_frames, 2, 8)).astype(np.float32)
    for action in actions:
        if action.video == video.video:
            phase = np.linspace(0, 2 * np.pi, action.num_frames)
            for dim, wave in enumerate((np.sin(phase), np.cos(phase))):
                feats[action.start_frame : action.end_frame, :, 2 * action.label + dim] += 2 * wave[:, None]
    return FeatureSequence(np.arange(video.num_frames), feats, np.ones(video.num_frames, np.float32))


def make_studio_corpus(folder: Path, videos: Sequence[str] = VIDEOS, fps: float | None = None) -> Corpus:
    """Prepare videos below ``folder`` into ``folder/corpus``; features are made up, and boxes and poses of each frame.

    The second half of the last practice video has actions that are not labelled.
    With ``fps`` the box is the whole frame, and there are no poses.
    """
    for name in videos:
        for athlete, left in {'front__': 60, 'back__': 200}.items() if name == 'match' else [('', 130)]:
            track, poses = movement(PRACTICE_FRAMES if name in PRACTICE else FRAMES, left)
            track.save(folder / 'boxes' / f'{athlete}{name}.npz')
            poses.save(folder / 'poses' / f'{athlete}{name}.npz')
    given = {'boxes': str(folder / 'boxes'), 'poses': str(folder / 'poses')} if fps is None else {'fps': fps}
    paths = [make_studio_video(folder / 'videos', name) for name in videos]
    build_corpus(paths, folder / 'corpus', name='numbers', sport='counting', size=64, **given)
    corpus = Corpus.open(folder / 'corpus')
    assert not corpus.failures(), corpus.failures()
    actions = [action for action in practice_actions() if action.video in videos]
    for video in corpus.videos().values():
        features(video, actions).save(corpus.features_dir(RUN) / f'{video.video}.npz')
    corpus.actions_path.parent.mkdir(exist_ok=True)
    save_classes(corpus.classes_path, CLASSES)
    save_actions(corpus.actions_path, [action for action in actions if not is_unlabelled(action)])
    return corpus
