"""The packed teacher and detector on new images of the generic domain and of the unknown sport."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vpd_mm.errors import UserError
from vpd_mm.prepare.models import LOW_SCORE
from vpd_mm.synthetic.generic import MIN_VISIBLE
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
#: Frames with a lower mean joint score are no targets (paper 3.2).
GATE = 0.5
#: Number of seeds of new videos.
NUM_SEEDS = 6
#: Index of the counterpart of each COCO-17 joint on the other side.
_OTHER_SIDE = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


@dataclass
class _Predictions:
    """Predictions of the teacher for T frames, with their ground truth."""

    keypoints: list[np.ndarray] = field(default_factory=list)
    scores: list[np.ndarray] = field(default_factory=list)
    ground_truth: list[np.ndarray] = field(default_factory=list)
    visibility: list[np.ndarray] = field(default_factory=list)

    def add(self, poses: tuple[np.ndarray, np.ndarray], ground_truth: np.ndarray, visibility: np.ndarray) -> None:
        self.keypoints.append(poses[0])
        self.scores.append(poses[1][:, VPD_JOINTS].mean(axis=1))
        self.ground_truth.append(ground_truth)
        self.visibility.append(visibility[:, VPD_JOINTS])

    def evaluate(self, either_side: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return PCK (T,) over the joints in the image, over the visible ones; mean score (T,); frames that count (T,).

        With ``either_side`` a joint at the position of its counterpart is correct, too.
        """
        keypoints, ground_truth = np.concatenate(self.keypoints), np.concatenate(self.ground_truth)
        hits = joint_hits(keypoints, ground_truth)
        if either_side:
            hits |= joint_hits(keypoints, ground_truth[:, _OTHER_SIDE])
        visibility = np.concatenate(self.visibility)
        counts = (visibility == 2).sum(axis=1) >= MIN_VISIBLE
        return (
            frame_pck(hits, visibility > 0),
            frame_pck(hits, visibility == 2),
            np.concatenate(self.scores),
            counts,
        )


def evaluate_generic(teacher, detector, images: int, seed: int) -> dict[str, float]:
    """Return numbers on twice ``images`` new images of the generic domain, with new places, people and clothes.

    The first half has people apart (``clear``), as in the training of the teacher, whose goal they are; in the second
    half people hide each other, which is harder and the goal of the detector.
    """
    clear, *_ = _evaluate_people(teacher, images, seed, clear=True)
    crowded, frames, people, ignored = _evaluate_people(teacher, images, seed, clear=False)
    hidden = {"teacher, generic: PCK@0.2, people in one another's way": crowded[_PCK]}
    return clear | hidden | {'detector, generic: AP50': ap50(detector.detect(frames), people, ignored)}


def _evaluate_people(teacher, images: int, seed: int, clear: bool) -> tuple[dict[str, float], list, list, list]:
    """Return the numbers of the teacher; images, boxes that must be detected, boxes that may be."""
    from vpd_mm.synthetic.generic import GenericRecipe, generic_images

    predictions, people, ignored, frames = _Predictions(), [], [], []
    for image, persons in generic_images(GenericRecipe(seed, clear=clear), 'val', images):
        boxes = np.array([person.box for person in persons], np.float32).reshape(-1, 4)
        counts = np.array([(person.visibility == 2).sum() >= MIN_VISIBLE for person in persons], bool)
        people.append(boxes[counts])
        ignored.append(boxes[~counts])
        frames.append(image)
        if persons:
            keypoints = np.stack([person.keypoints for person in persons])
            visibility = np.stack([person.visibility for person in persons])
            predictions.add(teacher.infer([image] * len(persons), boxes), keypoints, visibility)
    pck, pck_visible, scores, counts = predictions.evaluate()
    pck, pck_visible, scores = pck[counts], pck_visible[counts], scores[counts]
    either = predictions.evaluate(either_side=True)[1][counts]
    numbers = {
        _PCK: float(pck.mean()),
        'teacher, generic: the same, visible joints': float(pck_visible.mean()),
        'teacher, generic: visible, left and right alike': float(either.mean()),
        'teacher, generic: AUROC of the score': auroc(scores, pck >= GOOD_FRAME),
        'teacher, generic: people below the gate': float((scores < GATE).mean()),
    }
    return numbers, frames, people, ignored


def list_test_spans(corpus) -> list[tuple[str, int, int]]:
    """Return (video, start, end) of each test action.

    Raises:
        UserError: there is none.
    """
    from vpd_mm.structures import load_actions

    actions = load_actions(corpus.actions_path)
    spans = [(a.video, a.start_frame, a.end_frame) for a in actions if a.split == 'test']
    if not spans:
        raise UserError(f'{corpus.actions_path}: no action of split test; make videos with --test')
    return spans


def evaluate_sport(teacher, detector, corpora: Sequence) -> dict[str, float]:
    """Return numbers on the test videos of synthetic corpora; the teacher gets the jittered boxes of the corpora."""
    from vpd_mm.synthetic import GroundTruth

    predictions, airborne, in_action, of_corpus = _Predictions(), [], [], []
    detections, people, ignored = [], [], []
    overlaps: dict[str, list[np.ndarray]] = {'path': [], 'bytetrack': []}
    for number, corpus in enumerate(corpora):
        spans = list_test_spans(corpus)
        for video in sorted({video for video, _, _ in spans}):
            ground_truth = GroundTruth.load(corpus.root / 'ground_truth' / 'scenes' / f'{video}.npz')
            track, info = corpus.track(video), corpus.video(video)
            frames = [rgb for _, rgb in _frames(Path(info.path))]
            at = track.frame_inds
            poses = teacher.infer([frames[i] for i in at], track.boxes)
            predictions.add(poses, ground_truth.keypoints[at], ground_truth.visibility[at])
            action = np.zeros(len(frames), bool)
            for name, start, end in spans:
                action[start:end] |= name == video
            in_action.append(action[at])
            of_corpus.append(np.full(len(at), number))
            airborne.append(ground_truth.airborne[at])
            boxes = detector.detect(frames)
            detections += boxes
            others = [_with_area(b) for b in ground_truth.bystanders]
            own = [_with_area(box[None]) for box in ground_truth.boxes]
            people += [np.concatenate(pair) for pair in zip(own, others, strict=True)]
            ignored += [_with_area(b) for b in ground_truth.crowd]
            for method, parts in overlaps.items():
                parts.append(_overlaps(method, boxes, frames, info.fps, ground_truth.boxes, ground_truth.bystanders))
    pck, _, scores, counts = predictions.evaluate()
    action, flight = np.concatenate(in_action), np.concatenate(airborne)
    inverted = upside_down(np.concatenate(predictions.ground_truth))
    gate = float((scores[action] < GATE).mean())
    groups = np.concatenate(of_corpus)[action]
    gates = [float((scores[action][groups == number] < GATE).mean()) for number in np.unique(groups)]
    path = np.concatenate(overlaps['path'])[:, 0]
    bytetrack = np.concatenate(overlaps['bytetrack'])[:, 0]
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
        'detector, sport: AP50': ap50(detections, people, ignored),
        'tracker, sport: right person': float(on_athlete(overlaps['path']).mean()),
        'tracker, sport: right person, worst video': float(min(on_athlete([k]).mean() for k in overlaps['path'])),
        'tracker, sport: right person, method=bytetrack': float(on_athlete(overlaps['bytetrack']).mean()),
        'tracker, sport: box touches the right person': float((path > TOUCHING).mean()),
        'tracker, sport: right box (IoU > 0.5)': float((path > SAME_BOX).mean()),
        'tracker, sport: right box, worst video': float(min((k[:, 0] > SAME_BOX).mean() for k in overlaps['path'])),
        'tracker, sport: right box, method=bytetrack': float((bytetrack > SAME_BOX).mean()),
    }


def crops_a_second(teacher, crops: int = 256) -> float:
    """Return the number of athletes of a 256x256 video per second of CPU time of the teacher."""
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


def measure(images: int = 300, videos: int = 6, seed: int = 1000, sport: Path | None = None) -> dict[str, float]:
    """Return all numbers by name, those of GOALS and some that explain them.

    New videos have :data:`NUM_SEEDS` seeds from ``seed`` on: each has other halls, lights and clubs, which affect the
    numbers more than the choice of videos.
    """
    from vpd_mm.athlete.athlete_detector import AthleteDetector
    from vpd_mm.corpus import Corpus
    from vpd_mm.synthetic.checkpoints import packed_model
    from vpd_mm.synthetic.corpus import SportRecipe, make_sport
    from vpd_mm.teacher.pose_teacher import PoseTeacher

    teacher = PoseTeacher(*packed_model('teacher'))
    detector = AthleteDetector(*packed_model('detector'), score_thr=LOW_SCORE)
    numbers = evaluate_generic(teacher, detector, images, seed)
    with tempfile.TemporaryDirectory() as folder:
        if sport:
            corpora = [Corpus.open(sport)]
        else:
            counts = [len(range(k, videos, NUM_SEEDS)) for k in range(min(NUM_SEEDS, videos))]
            corpora = [
                make_sport(f'{folder}/sport_{k}', 0, 0, count, SportRecipe(seed + k)) for k, count in enumerate(counts)
            ]
        numbers |= evaluate_sport(teacher, detector, corpora)
    return numbers | {'teacher, crops/s and core': crops_a_second(teacher)}


def _overlaps(
    method: str,
    boxes: list[np.ndarray],
    frames: list[np.ndarray],
    fps: float,
    ground_truth: np.ndarray,
    others: np.ndarray,
) -> np.ndarray:
    """Return (T, 2), the IoU of the tracker's box with the athlete's and its largest with another person's.

    Only frames that show the athlete (ground_truth (T, 4)) count; 0 where there is no box; others (T, M, 4).
    """
    from vpd_mm.athlete.camera_cuts import mark_cuts
    from vpd_mm.athlete.track_rules import build_tracker

    tracker = build_tracker({'method': method}, fps, (frames[0].shape[1], frames[0].shape[0]))
    for (i, rgb, cut), detected in zip(mark_cuts(enumerate(frames), tracker.cut_threshold), boxes, strict=True):
        tracker.update(i, detected, rgb, cut)
    tracks = tracker.finish()
    shared = np.zeros((len(frames), 2))
    if tracks:
        at = tracks[0].frame_inds
        shared[at, 0] = box_iou(tracks[0].boxes, ground_truth[at])
        for k in range(others.shape[1]):
            shared[at, 1] = np.maximum(shared[at, 1], box_iou(tracks[0].boxes, others[at, k]))
    return shared[(ground_truth[:, 2:] - ground_truth[:, :2]).min(axis=1) > 0]


def _frames(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    from vpd_mm.athlete import VideoReader

    yield from VideoReader(path)


def _with_area(boxes: np.ndarray) -> np.ndarray:
    return boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
