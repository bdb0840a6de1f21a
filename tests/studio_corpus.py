"""Corpora of the studio's tests: videos with burnt-in frame numbers, prepared, with labels and features."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from media import build_corpus, make_video, numbered_picture

from vpd_mm.corpus import Corpus
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
    'x264-params': 'open-gop=1:bframes=3:b-pyramid=normal:keyint=12:scenecut=0',
}
NTSC = Fraction(60000, 1001)
CLASSES = ('jump', 'spin', 'roll')
#: Frames of the videos whose time stamps are tested, and of those with actions for training.
FRAMES, PRACTICE_FRAMES = 90, 360
PRACTICE = ('practice_0', 'practice_1')
#: Features of the corpora.
RUN = 'vpd'


def vfr_ticks(num_frames: int) -> list[int]:
    """Time stamps in units of 1/25 s whose steps change: 1, 1, 3, 1, 2, and so on."""
    return np.cumsum([0, *np.resize([1, 1, 3, 1, 2], num_frames - 1)]).tolist()


def make_films(folder: Path) -> list[Path]:
    """Videos of every kind of time stamps; frame n of each shows the number n."""
    return [
        make_video(folder / 'bframes.mp4', FRAMES, SIZE, options=OPEN_GOP, picture=numbered_picture),
        make_video(folder / 'ntsc.mp4', FRAMES, SIZE, NTSC, options=OPEN_GOP, picture=numbered_picture),
        make_video(folder / 'vfr.mkv', FRAMES, SIZE, ticks=vfr_ticks(FRAMES), picture=numbered_picture),
        make_video(folder / 'match.mp4', FRAMES, SIZE, picture=numbered_picture),
        *(make_video(folder / f'{name}.mp4', PRACTICE_FRAMES, SIZE, picture=numbered_picture) for name in PRACTICE),
    ]


def athlete(num_frames: int, left: float, seed: int) -> tuple[AthleteTrack, PoseSequence]:
    """Box and pose of an athlete who moves to and fro around ``left``; the pose is unsure in every tenth frame."""
    frames = np.arange(num_frames)
    x = (left + 20 * np.sin(frames / 15)).astype(np.float32)
    boxes = np.stack([x, np.full_like(x, 80), x + 50, np.full_like(x, 170)], 1)
    body = np.array(
        [(25, 8), (23, 6), (27, 6), (20, 8), (30, 8), (15, 22), (35, 22), (10, 38), (40, 38), (8, 52), (42, 52)]
        + [(19, 50), (31, 50), (18, 68), (32, 68), (17, 86), (33, 86)],
        np.float32,
    )
    keypoints = body[None] + boxes[:, None, :2] + np.random.default_rng(seed).normal(0, 1, (num_frames, 17, 2))
    scores = np.where(frames % 10 == 9, 0.3, 0.9).astype(np.float32)[:, None].repeat(17, 1)
    track = AthleteTrack(frames, boxes.astype(np.float32), np.full(num_frames, 0.95, np.float32))
    return track, PoseSequence(frames, keypoints.astype(np.float32), scores)


def practice_actions() -> list[Action]:
    """Actions of 20 frames every 30 frames, of the three classes in turn; the last video is for tests."""
    return [
        Action(
            f'{video}:{i}',
            video,
            30 * i + 5,
            30 * i + 25,
            i % len(CLASSES),
            'train' if video == PRACTICE[0] else 'test',
        )
        for video in PRACTICE
        for i in range(PRACTICE_FRAMES // 30)
    ]


def features(video: str, num_frames: int, actions: list[Action]) -> FeatureSequence:
    """Noise, and in an action of class c a wave in dimensions 2 c and 2 c + 1."""
    rng = np.random.default_rng(sum(map(ord, video)))
    feats = rng.normal(0, 0.2, (num_frames, 2, 8)).astype(np.float32)
    for action in actions:
        if action.video == video:
            phase = np.linspace(0, 2 * np.pi, action.num_frames)
            for dim, wave in enumerate((np.sin(phase), np.cos(phase))):
                feats[action.start_frame : action.end_frame, :, 2 * action.label + dim] += 2 * wave[:, None]
    return FeatureSequence(np.arange(num_frames), feats, np.ones(num_frames, np.float32))


def make_studio_corpus(folder: Path, fps: float | None = None) -> Corpus:
    """Prepare the videos below ``folder`` into ``folder/corpus``; boxes and poses are given, features are made up."""
    films = make_films(folder / 'films')
    athletes = {film.stem: 130.0 for film in films} | {'front__match': 60.0, 'back__match': 200.0}
    del athletes['match']
    for seed, (name, left) in enumerate(athletes.items()):
        track, poses = athlete(PRACTICE_FRAMES if name in PRACTICE else FRAMES, left, seed)
        track.save(folder / 'boxes' / f'{name}.npz')
        poses.save(folder / 'poses' / f'{name}.npz')
    options = dict(boxes=str(folder / 'boxes'), poses=str(folder / 'poses'), size=64)
    report = build_corpus(films, folder / 'corpus', name='numbers', sport='counting', fps=fps, **options)
    corpus = Corpus.open(folder / 'corpus')
    assert not corpus.failures(), corpus.failures()
    actions = practice_actions()
    for video in corpus.videos().values():
        sequence = features(video.video, video.num_frames, actions)
        sequence.save(corpus.features_dir(RUN) / f'{video.video}.npz')
    save_classes(corpus.classes_path, CLASSES)
    save_actions(corpus.actions_path, actions)
    return corpus
