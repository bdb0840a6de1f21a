"""What the demonstration shows: student and teacher on the films, neighbours, curves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from vpd_mm.visualize.corpus_pictures import flow_colours
from vpd_mm.visualize.report_page import figure_uri, jpeg_uri, render

from vpd_mm.athlete import VideoReader
from vpd_mm.corpus import Corpus, CropStore, FeatureStore
from vpd_mm.features.preview import draw_pose
from vpd_mm.structures import PoseSequence, load_actions, load_classes
from vpd_mm.teacher import JointFeature

SIDE = 112


@dataclass(frozen=True, eq=False)
class Study:
    """Frames with the true pose, N of them; poses are (N, 26) normalised joints.

    Args:
        videos, frames: Where each is.
        scores: (N,) the teacher's confidence.
        teacher, student, truth: Poses.
        teacher_errors, student_errors: (N,) mean joint distance to the truth, torso sizes.
    """

    videos: list[str]
    frames: np.ndarray
    scores: np.ndarray
    teacher: np.ndarray
    student: np.ndarray
    truth: np.ndarray
    teacher_errors: np.ndarray
    student_errors: np.ndarray

    def apart(self, order: np.ndarray, count: int, frames: int = 12) -> list[int]:
        """The first of ``order`` that lie at least ``frames`` apart in their film."""
        chosen: list[int] = []
        for i in order.tolist():
            near = (self.videos[i] == self.videos[j] and abs(self.frames[i] - self.frames[j]) < frames for j in chosen)
            if len(chosen) < count and not any(near):
                chosen.append(i)
        return chosen


def study_frames(corpus: Corpus, truth_dir: Path, run: str, decode, split: str = 'test') -> Study:
    """Teacher, student and truth on the films of a split.

    Args:
        corpus: With ``teacher/joints`` and ``features/<run>``.
        truth_dir: True poses.
        run: The student's features.
        decode: (T, V, D) features to (T, 26) poses.
        split: Films with actions of it.
    """
    from vpd_mm.distill.distill_metric import joint_errors

    teacher, student = FeatureStore(corpus.teacher_dir('joints')), FeatureStore(corpus.features_dir(run))
    videos = sorted({a.video for a in load_actions(corpus.actions_path) if a.split == split})
    names: list[str] = []
    columns: list[list[np.ndarray]] = []
    for video in videos:
        true = JointFeature()(PoseSequence.load(truth_dir / f'{video}.npz'))
        said, guess = teacher[video], student[video]
        common = np.intersect1d(np.intersect1d(true.frame_inds, said.frame_inds), guess.frame_inds)
        rows = [np.searchsorted(s.frame_inds, common) for s in (true, said, guess)]
        poses = decode(guess.feats[rows[2]])
        columns.append([common, said.scores[rows[1]], said.feats[rows[1], 0], poses, true.feats[rows[0], 0]])
        names += [video] * len(common)
    frames, scores, says, poses, truth = (np.concatenate(c) for c in zip(*columns, strict=True))
    errors = [joint_errors(p, truth).mean(axis=1) for p in (says, poses)]
    return Study(names, frames, scores, says, poses, truth, *errors)


def strip(study: Study, store: CropStore, chosen: Sequence[int], gate: float = 0.5) -> np.ndarray:
    """A column a frame: crop, teacher, student, truth; RGB."""
    columns = []
    for i in chosen:
        crop = cv2.resize(store.crop(study.videos[i], int(study.frames[i])), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        poses = [
            draw_pose(study.teacher[i], SIDE, faint=study.scores[i] < gate),
            draw_pose(study.student[i], SIDE),
            draw_pose(study.truth[i], SIDE),
        ]
        texts = f'{study.teacher_errors[i]:.2f}', f'{study.student_errors[i]:.2f}', ''
        for pose, text in zip(poses, texts):
            cv2.putText(pose, text, (3, SIDE - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (60, 60, 60), 1, cv2.LINE_AA)
        columns.append(np.concatenate([crop, *poses]))
    return _labelled(np.concatenate(columns, axis=1), ('crop', 'teacher', 'student', 'truth'))


def _labelled(image: np.ndarray, names: Sequence[str]) -> np.ndarray:
    margin = np.full((image.shape[0], 52, 3), 255, np.uint8)
    for row, name in enumerate(names):
        place = 2, row * SIDE + SIDE // 2
        cv2.putText(margin, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (60, 60, 60), 1, cv2.LINE_AA)
    return np.concatenate([margin, image], axis=1)


def vpd_picture(study: Study, corpus: Corpus, films: Path, gate: float = 0.5) -> Markup:
    """The method in one drawing, with pictures of this run, whose films lie in ``films``."""
    store = CropStore(corpus.crops_dir)
    unsure = study.scores < gate
    if unsure.all():
        unsure = study.scores < np.median(study.scores)
    gain = np.where(unsure, study.teacher_errors - study.student_errors, -np.inf)
    bad, good = int(gain.argmax()), int(study.scores.argmax())

    def crop(i: int) -> np.ndarray:
        return store.crop(study.videos[i], int(study.frames[i]))

    def flow(i: int) -> np.ndarray:
        return flow_colours(store.flow(study.videos[i], int(study.frames[i])))

    return render(
        'vpd_picture.html',
        frame=jpeg_uri(_film_frame(corpus, films, study.videos[good], int(study.frames[good]))),
        crop=jpeg_uri(crop(good)),
        flow=jpeg_uri(flow(good)),
        sure_crop=jpeg_uri(crop(good)),
        sure_pose=jpeg_uri(draw_pose(study.teacher[good])),
        sure_score=f'{study.scores[good]:.2f}',
        unsure_crop=jpeg_uri(crop(bad)),
        unsure_flow=jpeg_uri(flow(bad)),
        unsure_pose=jpeg_uri(draw_pose(study.teacher[bad], faint=True)),
        unsure_score=f'{study.scores[bad]:.2f}',
        student_pose=jpeg_uri(draw_pose(study.student[bad])),
    )


def _film_frame(corpus: Corpus, films: Path, video: str, frame: int) -> np.ndarray:
    """A frame of the film with the athlete's box."""
    track = corpus.track(video)
    for frame_ind, rgb in VideoReader(films / f'{video}.mp4', corpus.fps):
        if frame_ind == frame:
            image = np.ascontiguousarray(rgb)
            x1, y1, x2, y2 = track.boxes[np.searchsorted(track.frame_inds, frame)].round().astype(int).tolist()
            cv2.rectangle(image, (x1, y1), (x2, y2), (255, 220, 0), max(1, image.shape[0] // 128))
            return image
    raise AssertionError(f'{video} has no frame {frame}, but a crop of it')


def neighbour_strips(corpus: Corpus, features: str, count: int = 3) -> list[tuple[str, str]]:
    """Test actions and their nearest training actions: (data URI, caption) a row; first a hit, then a miss."""
    from vpd_mm.retrieve import ClipPainter, Shot, load_clips, rank_corpus

    clips, classes = load_clips(corpus, features), load_classes(corpus.classes_path)
    queries, gallery = clips.of_split('test'), clips.of_split('train')
    found, _ = rank_corpus(queries, gallery, (min(count, len(gallery)),))
    right = gallery.labels[found.inds[:, 0]] == queries.labels
    examples = [int(np.flatnonzero(group)[0]) for group in (right, ~right) if group.any()]
    painter, strips = ClipPainter(corpus), []
    for q in examples:
        actions = [queries.actions[q], *(gallery.actions[i] for i in found.inds[q])]
        names = ['looked for', *(f'{rank}. (distance {d:.3f})' for rank, d in enumerate(found.distances[q], 1))]
        for action, name in zip(actions, names):
            tiles = painter.tiles(Shot(action.video, action.start_frame, action.end_frame, ''), 6)
            strips.append((jpeg_uri(np.concatenate(tiles, axis=1), 75), f'{name}: {classes[action.label]}'))
    return strips


def accuracy_plot(rows: Sequence[Mapping]) -> str:
    """Accuracy over k, log axis, a deviation up and down, as the paper's Figure 3; a data URI."""
    figure = Figure(figsize=(5.2, 3.6), layout='constrained')
    axes = figure.add_subplot()
    methods = list(dict.fromkeys(row['method'] for row in rows))
    for place, method in enumerate(methods):
        mine = sorted((row for row in rows if row['method'] == method and row['k'] != 'all'), key=lambda row: row['k'])
        if mine:
            shift = 1.03 ** (place - (len(methods) - 1) / 2)
            axes.errorbar(
                [row['k'] * shift for row in mine],
                [row['top1_mean'] for row in mine],
                [row['top1_std'] for row in mine],
                marker='o',
                capsize=3,
                label=method,
            )
    ks = sorted({row['k'] for row in rows if row['k'] != 'all'})
    axes.set(xscale='log', xlabel='training clips a class (k)', ylabel='top-1 accuracy, %', ylim=(0, 100))
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.minorticks_off()
    axes.set_xlim(min(ks) / 1.5, max(ks) * 1.5)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return figure_uri(figure)


def loss_plot(work_dir: Path) -> str | None:
    """The training's loss and validation error over the epochs; a data URI, or None where there is no log."""
    lines = [json.loads(line) for path in sorted(work_dir.glob('*/vis_data/scalars.json'))
             for line in path.read_text(encoding='utf-8').splitlines()]  # fmt: skip
    losses = {row['step']: row['loss'] for row in lines if 'loss' in row}
    checks = {row['step']: row['distill/sq_error'] for row in lines if 'distill/sq_error' in row}
    if not losses:
        return None
    epochs = max(checks, default=1)
    last = max(losses)
    figure = Figure(figsize=(5.2, 2.8), layout='constrained')
    axes = figure.add_subplot()
    axes.plot([step / last * epochs for step in sorted(losses)], [losses[s] for s in sorted(losses)], label='training')
    axes.plot(sorted(checks), [checks[s] for s in sorted(checks)], marker='o', label='films held out')
    axes.set(xlabel='epoch', ylabel='squared error', ylim=(0, None))
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return figure_uri(figure)


__all__ = ['Study', 'accuracy_plot', 'loss_plot', 'neighbour_strips', 'strip', 'study_frames', 'vpd_picture']
