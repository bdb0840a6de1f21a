"""The packed teacher and detector on freshly made pictures: the generic domain, and the sport that they never saw."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vpd_mm.errors import UserError
from vpd_mm.prepare.models import LOW_SCORE
from vpd_mm.synthetic.generic_coco import MIN_VISIBLE
from vpd_mm.teacher.joint_feature import VPD_JOINTS

from .teacher_metrics import (
    GOOD_FRAME,
    SAME_BOX,
    TOUCHING,
    ap50,
    auroc,
    box_iou,
    frame_pck,
    joint_hits,
    on_athlete,
    upside_down,
)

_PCK = 'teacher, generic: PCK@0.2 of the torso'
#: Name of a number to its goal; the other numbers are printed without one.
GOALS = {
    _PCK: (0.95, 'at least'),
    'teacher, sport: AUROC of the score': (0.8, 'at least'),
    'teacher, sport: action frames below the gate, least': (0.2, 'at least'),
    'teacher, sport: action frames below the gate, most': (0.5, 'at most'),
    'detector, generic: AP50': (0.9, 'at least'),
    'detector, sport: AP50': (0.8, 'at least'),
    'tracker, sport: right person': (0.95, 'at least'),
    'teacher, crops/s and core': (100, 'at least'),
}
#: A frame whose mean joint score is lower teaches nothing (paper 3.2).
GATE = 0.5
#: Seeds that new films are of.
SPORTS = 6
#: Of COCO-17, the joint on the other side.
_OTHER_SIDE = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


@dataclass
class _Watched:
    """What the teacher said of T frames and what was true."""

    found: list[np.ndarray] = field(default_factory=list)
    scores: list[np.ndarray] = field(default_factory=list)
    truth: list[np.ndarray] = field(default_factory=list)
    visibility: list[np.ndarray] = field(default_factory=list)

    def add(self, poses: tuple[np.ndarray, np.ndarray], truth: np.ndarray, visibility: np.ndarray) -> None:
        self.found.append(poses[0])
        self.scores.append(poses[1][:, VPD_JOINTS].mean(axis=1))
        self.truth.append(truth)
        self.visibility.append(visibility[:, VPD_JOINTS])

    def judge(self, either_side: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """PCK (T,) over the joints in the picture, over the visible ones; mean score (T,); frames that count (T,).

        With ``either_side`` a joint is right where it is on the other side's.
        """
        found, truth = np.concatenate(self.found), np.concatenate(self.truth)
        hits = joint_hits(found, truth)
        if either_side:
            hits |= joint_hits(found, truth[:, _OTHER_SIDE])
        visibility = np.concatenate(self.visibility)
        counts = (visibility == 2).sum(axis=1) >= MIN_VISIBLE
        return (
            frame_pck(hits, visibility > 0),
            frame_pck(hits, visibility == 2),
            np.concatenate(self.scores),
            counts,
        )


def watch_generic(teacher, detector, images: int, seed: int) -> dict[str, float]:
    """Numbers on twice ``images`` new pictures of the generic domain: other places, people, clothes than in training.

    Once people stand apart (``clear``), once one hides the other: the first are the teacher's goal, as its training
    pictures, the second the detector's, where it is the harder.
    """
    clear, *_ = _watch_people(teacher, images, seed, clear=True)
    crowded, pictures, people, ignored = _watch_people(teacher, images, seed, clear=False)
    hidden = {"teacher, generic: PCK@0.2, people in one another's way": crowded[_PCK]}
    return clear | hidden | {'detector, generic: AP50': ap50(detector.detect(pictures), people, ignored)}


def _watch_people(teacher, images: int, seed: int, clear: bool) -> tuple[dict[str, float], list, list, list]:
    """The teacher's numbers; pictures, who must be found in each, who may be."""
    from vpd_mm.synthetic.generic import GenericRecipe, generic_images

    watched, people, ignored, pictures = _Watched(), [], [], []
    for image, persons in generic_images(GenericRecipe(seed, clear=clear), 'val', images):
        boxes = np.array([person.box for person in persons], np.float32).reshape(-1, 4)
        counts = np.array([(person.visibility == 2).sum() >= MIN_VISIBLE for person in persons], bool)
        people.append(boxes[counts])
        ignored.append(boxes[~counts])
        pictures.append(image)
        if persons:
            keypoints = np.stack([person.keypoints for person in persons])
            visibility = np.stack([person.visibility for person in persons])
            watched.add(teacher.infer([image] * len(persons), boxes), keypoints, visibility)
    pck, pck_visible, scores, counts = watched.judge()
    pck, pck_visible, scores = pck[counts], pck_visible[counts], scores[counts]
    either = watched.judge(either_side=True)[1][counts]
    numbers = {
        _PCK: float(pck.mean()),
        'teacher, generic: the same, visible joints': float(pck_visible.mean()),
        'teacher, generic: visible, left and right alike': float(either.mean()),
        'teacher, generic: AUROC of the score': auroc(scores, pck >= GOOD_FRAME),
        'teacher, generic: people below the gate': float((scores < GATE).mean()),
    }
    return numbers, pictures, people, ignored


def spans_of_test(corpus) -> list[tuple[str, int, int]]:
    """(video, start, end) of each test action.

    Raises:
        UserError: there is none.
    """
    from vpd_mm.structures import load_actions

    actions = load_actions(corpus.actions_path)
    spans = [(a.video, a.start_frame, a.end_frame) for a in actions if a.split == 'test']
    if not spans:
        raise UserError(f'{corpus.actions_path}: no action of split test; make films with --test')
    return spans


def watch_sport(teacher, detector, corpora: Sequence) -> dict[str, float]:
    """Numbers on the test films of synthetic corpora; the teacher sees the corpora's own, jittered boxes."""
    from vpd_mm.synthetic.truth import GroundTruth

    watched, airborne, in_action, of_corpus = _Watched(), [], [], []
    found, people, ignored = [], [], []
    kept: dict[str, list[np.ndarray]] = {'path': [], 'bytetrack': []}
    for number, corpus in enumerate(corpora):
        spans = spans_of_test(corpus)
        for video in sorted({video for video, _, _ in spans}):
            truth = GroundTruth.load(corpus.root / 'ground_truth' / 'scenes' / f'{video}.npz')
            track, info = corpus.track(video), corpus.video(video)
            frames = [rgb for _, rgb in _frames(Path(info.path))]
            at = track.frame_inds
            watched.add(teacher.infer([frames[i] for i in at], track.boxes), truth.keypoints[at], truth.visibility[at])
            action = np.zeros(len(frames), bool)
            for name, start, end in spans:
                action[start:end] |= name == video
            in_action.append(action[at])
            of_corpus.append(np.full(len(at), number))
            airborne.append(truth.airborne[at])
            boxes = detector.detect(frames)
            found += boxes
            others = [_with_area(b) for b in truth.bystanders]
            people += [np.concatenate([_with_area(own[None]), b]) for own, b in zip(truth.boxes, others, strict=True)]
            ignored += [_with_area(b) for b in truth.crowd]
            for method, parts in kept.items():
                parts.append(_kept(method, boxes, frames, info.fps, truth.boxes, truth.bystanders))
    pck, _, scores, counts = watched.judge()
    action, flight = np.concatenate(in_action), np.concatenate(airborne)
    inverted = upside_down(np.concatenate(watched.truth))
    gate = float((scores[action] < GATE).mean())
    groups = np.concatenate(of_corpus)[action]
    gates = [float((scores[action][groups == number] < GATE).mean()) for number in np.unique(groups)]
    path = np.concatenate(kept['path'])[:, 0]
    bytetrack = np.concatenate(kept['bytetrack'])[:, 0]
    return {
        'teacher, sport: PCK@0.2, all frames': float(pck[counts].mean()),
        'teacher, sport: PCK@0.2, between actions': float(pck[counts & ~action].mean()),
        'teacher, sport: PCK@0.2, actions': float(pck[counts & action].mean()),
        'teacher, sport: PCK@0.2, airborne': float(pck[counts & flight].mean()),
        'teacher, sport: PCK@0.2, upside down': float(pck[counts & inverted].mean()),
        'teacher, sport: upside down and above the gate': float((scores[inverted] >= GATE).mean()),
        'teacher, sport: good frames': float((pck[counts] >= GOOD_FRAME).mean()),
        'teacher, sport: AUROC of the score': auroc(scores[counts], pck[counts] >= GOOD_FRAME),
        'teacher, sport: AUROC of the score, actions': auroc(
            scores[counts & action], pck[counts & action] >= GOOD_FRAME
        ),
        'teacher, sport: action frames below the gate, least': gate,
        'teacher, sport: action frames below the gate, most': gate,
        'teacher, sport: the same, seed with the fewest': min(gates),
        'teacher, sport: the same, seed with the most': max(gates),
        'teacher, sport: other frames below the gate': float((scores[~action] < GATE).mean()),
        'detector, sport: AP50': ap50(found, people, ignored),
        'tracker, sport: right person': float(on_athlete(kept['path']).mean()),
        'tracker, sport: right person, worst film': float(min(on_athlete([k]).mean() for k in kept['path'])),
        'tracker, sport: right person, method=bytetrack': float(on_athlete(kept['bytetrack']).mean()),
        'tracker, sport: box touches the right person': float((path > TOUCHING).mean()),
        'tracker, sport: right box (IoU > 0.5)': float((path > SAME_BOX).mean()),
        'tracker, sport: right box, worst film': float(min((k[:, 0] > SAME_BOX).mean() for k in kept['path'])),
        'tracker, sport: right box, method=bytetrack': float((bytetrack > SAME_BOX).mean()),
    }


def crops_a_second(teacher, crops: int = 256) -> float:
    """How many athletes of a 256x256 film the teacher takes in a second of CPU time."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    frames = list(np.random.default_rng(0).integers(0, 255, (crops, 256, 256, 3), np.uint8))
    boxes = np.tile(np.array([60, 40, 160, 220], np.float32), (crops, 1))
    teacher.infer(frames[:32], boxes[:32])
    start = time.process_time()
    teacher.infer(frames, boxes)
    torch.set_num_threads(threads)
    return crops / (time.process_time() - start)


def measure(images: int = 300, films: int = 6, seed: int = 1000, sport: Path | None = None) -> dict[str, float]:
    """All numbers by name; those of GOALS and some that explain them.

    New films are of :data:`SPORTS` seeds from ``seed`` on: each has other halls, lights and clubs, on which the numbers
    depend more than on the film.
    """
    from vpd_mm.athlete.athlete_detector import AthleteDetector
    from vpd_mm.corpus import Corpus
    from vpd_mm.synthetic.checkpoints import packed_model
    from vpd_mm.synthetic.corpus import SportRecipe, make_sport
    from vpd_mm.teacher.pose_teacher import PoseTeacher

    teacher = PoseTeacher(*packed_model('teacher'))
    detector = AthleteDetector(*packed_model('detector'), score_thr=LOW_SCORE)
    numbers = watch_generic(teacher, detector, images, seed)
    with tempfile.TemporaryDirectory() as folder:
        if sport:
            corpora = [Corpus.open(sport)]
        else:
            counts = [len(range(k, films, SPORTS)) for k in range(min(SPORTS, films))]
            corpora = [
                make_sport(f'{folder}/sport_{k}', 0, 0, count, SportRecipe(seed + k)) for k, count in enumerate(counts)
            ]
        numbers |= watch_sport(teacher, detector, corpora)
    return numbers | {'teacher, crops/s and core': crops_a_second(teacher)}


def _kept(
    method: str, boxes: list[np.ndarray], frames: list[np.ndarray], fps: float, truth: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """(T, 2) IoU of the tracker's box with the athlete's and its largest with another person's.

    Only frames that show the athlete (truth (T, 4)) count; 0 where there is no box; others (T, M, 4).
    """
    from vpd_mm.prepare.tracking_pass import build_tracker

    tracker = build_tracker({'method': method}, fps, (frames[0].shape[1], frames[0].shape[0]))
    for i, (rgb, found) in enumerate(zip(frames, boxes, strict=True)):
        tracker.update(i, found, rgb)
    tracks = tracker.finish()
    shared = np.zeros((len(frames), 2))
    if tracks:
        at = tracks[0].frame_inds
        shared[at, 0] = box_iou(tracks[0].boxes, truth[at])
        for k in range(others.shape[1]):
            shared[at, 1] = np.maximum(shared[at, 1], box_iou(tracks[0].boxes, others[at, k]))
    return shared[(truth[:, 2:] - truth[:, :2]).min(axis=1) > 0]


def _frames(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    from vpd_mm.athlete import VideoReader

    yield from VideoReader(path)


def _with_area(boxes: np.ndarray) -> np.ndarray:
    return boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
