"""Corpora for the tests of interchange: every kind of rate, one video file with two athletes, boxes and poses."""

from pathlib import Path

import numpy as np

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.interchange import export_labels, find_format, merge_files
from vpd_mm.interchange.entries import Source
from vpd_mm.structures import Action, AthleteTrack, FrameTimes, PoseSequence, load_actions, save_actions, save_classes
from vpd_mm.studio.labels import LabelStore

CLASSES = ['kong vault', 'safety vault', 'Läufer']
NUM_FRAMES = 600
#: Video to its rate; 'variable' has frames of 4 to 90 ms.
RATES = {'cinema': 24000 / 1001, 'pal': 25.0, 'ntsc': 30000 / 1001, 'fast': 60000 / 1001, 'variable': 25.0}
#: Athletes of one file.
ATHLETES = ('anna__match', 'ben__match')
LABELS = [(0, 1), (1, 2), (3, 17), (17, 40), (101, 222), (455, 599), (599, 600)]


def variable_times() -> FrameTimes:
    steps = np.random.default_rng(0).uniform(0.004, 0.09, NUM_FRAMES)
    return FrameTimes.variable(np.concatenate([[0.0], np.cumsum(steps)]))


def make_corpus(root: Path) -> Corpus:
    """Every video has the actions of ``LABELS``; classes and splits take turns."""
    corpus = Corpus.create(root)
    infos = [VideoInfo(name, f'/videos/{name}.mp4', fps, NUM_FRAMES, 640, 360) for name, fps in RATES.items()]
    infos += [VideoInfo(name, '/videos/match.mp4', 25.0, NUM_FRAMES, 640, 360) for name in ATHLETES]
    times = variable_times()
    infos = [
        info if info.video != 'variable' else VideoInfo('variable', info.path, times.fps, NUM_FRAMES, 640, 360)
        for info in infos
    ]
    corpus.add_videos(infos)
    corpus.save_times('variable', times)
    corpus.actions_path.parent.mkdir(exist_ok=True)
    save_classes(corpus.classes_path, CLASSES)
    actions = []
    for v, info in enumerate(infos):
        for i, (start, end) in enumerate(LABELS):
            split = ('train', 'val', 'test')[v % 3]
            actions.append(Action(f'{info.video}:{i}', info.video, start, end, (v + i) % 3, split))
    save_actions(corpus.actions_path, actions)
    rng = np.random.default_rng(0)
    for video in (*ATHLETES, 'pal'):
        frames = np.delete(np.arange(60), [0, 20, 21]).astype(np.int64)
        corner = rng.uniform(0, 300, (len(frames), 2))
        boxes = np.concatenate([corner, corner + rng.uniform(10, 60, (len(frames), 2))], axis=1).astype(np.float32)
        AthleteTrack(frames, boxes, np.ones(len(frames), np.float32)).save(corpus.track_path(video))
        scores = rng.choice([0.0, 0.3, 0.9], (len(frames), 17)).astype(np.float32)
        keypoints = rng.uniform(0, 300, (len(frames), 17, 2)).astype(np.float32)
        PoseSequence(frames, keypoints, scores).save(corpus.pose_path('made', video))
    return corpus


def content(corpus: Corpus) -> set[tuple]:
    """Labels of a corpus, without their ids."""
    classes = corpus.classes_path.read_text(encoding='utf-8').split('\n')
    actions = load_actions(corpus.actions_path) if corpus.actions_path.exists() else []
    return {(a.video, a.start_frame, a.end_frame, classes[a.label]) for a in actions}


def without_labels(corpus: Corpus, root: Path) -> Corpus:
    """The same videos and classes, without labels, boxes and poses."""
    other = Corpus.create(root)
    other.add_videos(corpus.videos().values())
    for info in corpus.videos().values():
        other.save_times(info.video, corpus.times(info))
    other.classes_path.parent.mkdir(exist_ok=True)
    save_classes(other.classes_path, CLASSES)
    return other


def export(corpus: Corpus, name: str, videos=()) -> dict[str, bytes]:
    return export_labels(LabelStore(corpus), find_format(name), videos)


def merge(corpus: Corpus, name: str, files: dict[str, bytes] | bytes | str, **options):
    """Merge files by name, or the content of one called ``file``."""
    if not isinstance(files, dict):
        files = {'file': files}
    data = {key: value.encode() if isinstance(value, str) else value for key, value in files.items()}
    sources = [Source(key, value) for key, value in data.items()]
    return merge_files(LabelStore(corpus), find_format(name), sources, **options)
