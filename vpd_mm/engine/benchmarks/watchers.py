"""The packed teacher and detector on freshly made pictures: the generic domain, and the sport that they never saw."""

import contextlib
import io
import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...teacher.joint_feature import VPD_JOINTS

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
#: A joint is right within this part of the torso, a frame is good with this part of its joints right.
PCK_PART, GOOD_FRAME = 0.2, 0.8
#: What tools/prepare.py asks of the detector.
LOW_SCORE = 0.1
#: Of COCO-17, the joint on the other side.
_OTHER_SIDE = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
#: IoU of a tracker's box with the athlete's from which on it is as good as the athlete's; from which on it is on the
#: athlete, unless it is more on somebody else.
SAME_BOX, TOUCHING = 0.5, 0.1
#: With fewer visible joints a person is passed over, as the generic annotations do.
MIN_VISIBLE = 4


def joint_hits(found: np.ndarray, truth: np.ndarray, part: float = PCK_PART) -> np.ndarray:
    """Which joints are right: nearer to the truth than ``part`` of the torso.

    Args:
        found, truth: (T, 17, 2) px; the torso is the longer one of shoulder to opposite hip of the truth.

    Returns:
        (T, 13) bool, VPD's joints.
    """
    diagonals = np.linalg.norm(truth[:, (5, 6)] - truth[:, (12, 11)], axis=-1)
    errors = np.linalg.norm(found - truth, axis=-1)[:, VPD_JOINTS]
    return errors < part * diagonals.max(axis=1)[:, None]


def upside_down(truth: np.ndarray) -> np.ndarray:
    """(T,) bool: the shoulders of (T, 17, 2) px are seen below the hips."""
    return truth[:, (5, 6), 1].mean(axis=1) > truth[:, (11, 12), 1].mean(axis=1)


def frame_pck(hits: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(T,) part of the counted joints (T, 13) that are right; NaN where none counts."""
    with np.errstate(invalid='ignore'):
        return (hits & counted).sum(axis=1) / counted.sum(axis=1)


def auroc(scores: np.ndarray, good: np.ndarray) -> float:
    """Probability that a good one scores higher than a bad one (ties count half); NaN where one kind is missing."""
    from scipy.stats import rankdata

    num_good, num_bad = int(good.sum()), int((~good).sum())
    if not num_good or not num_bad:
        return math.nan
    wins = rankdata(scores)[good].sum() - num_good * (num_good + 1) / 2
    return float(wins / (num_good * num_bad))


def box_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(T,) IoU of boxes (T, 4) xyxy with others, row by row."""
    sides = np.minimum(boxes[:, 2:], others[:, 2:]) - np.maximum(boxes[:, :2], others[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (others[:, 2:] - others[:, :2]).prod(axis=1)
    return shared / np.maximum(areas - shared, 1e-9)


def ap50(found: list[np.ndarray], people: list[np.ndarray], ignored: list[np.ndarray]) -> float:
    """COCO's average precision at IoU 0.5.

    Args:
        found: Per picture (n, 5) xyxy and score.
        people: Per picture (m, 4) xyxy who must be found.
        ignored: Per picture (c, 4) xyxy who may be found or not.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def xywh(box: np.ndarray) -> list[float]:
        return [float(v) for v in (*box[:2], *(box[2:4] - box[:2]))]

    truth: list[dict] = []
    results: list[dict] = []
    for image_id, (boxes, must, may) in enumerate(zip(found, people, ignored, strict=True), 1):
        for crowd, group in enumerate((must, may)):
            for box in group:
                _, _, w, h = bbox = xywh(box)
                ids = {'id': len(truth) + 1, 'image_id': image_id, 'category_id': 1}
                truth.append({**ids, 'bbox': bbox, 'area': w * h, 'iscrowd': crowd})
        results += [{'image_id': image_id, 'category_id': 1, 'bbox': xywh(b), 'score': float(b[4])} for b in boxes]
    if not results:
        return 0.0
    coco = COCO()
    coco.dataset = {
        'info': {},
        'images': [{'id': i} for i in range(1, len(found) + 1)],
        'annotations': truth,
        'categories': [{'id': 1, 'name': 'person'}],
    }
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its timing
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), 'bbox')
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval['precision'][0, :, 0, 0, -1]
    return float(precision[precision > -1].mean())


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
    from ...synthetic.generic import GenericRecipe, generic_images

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


def watch_sport(teacher, detector, corpus) -> dict[str, float]:
    """Numbers on the test films of a synthetic corpus; the teacher sees the corpus's own, jittered boxes."""
    from ...structures import load_actions
    from ...synthetic.truth import GroundTruth

    spans = [(a.video, a.start_frame, a.end_frame) for a in load_actions(corpus.actions_path) if a.split == 'test']
    watched, airborne, in_action = _Watched(), [], []
    found, people, ignored = [], [], []
    kept: dict[str, list[np.ndarray]] = {'path': [], 'bytetrack': []}
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
    """All numbers by name; those of GOALS and some that explain them."""
    from ...athlete.athlete_detector import AthleteDetector
    from ...corpus import Corpus
    from ...synthetic.checkpoints import packed_model
    from ...synthetic.corpus import SportRecipe, make_sport
    from ...teacher.pose_teacher import PoseTeacher

    teacher = PoseTeacher(*packed_model('teacher'))
    detector = AthleteDetector(*packed_model('detector'), score_thr=LOW_SCORE)
    numbers = watch_generic(teacher, detector, images, seed)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus.open(sport) if sport else make_sport(f'{folder}/sport', 0, 0, films, SportRecipe(seed))
        numbers |= watch_sport(teacher, detector, corpus)
    return numbers | {'teacher, crops/s and core': crops_a_second(teacher)}


def _kept(
    method: str, boxes: list[np.ndarray], frames: list[np.ndarray], fps: float, truth: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """(T, 2) IoU of the tracker's box with the athlete's and its largest with another person's.

    Only frames that show the athlete (truth (T, 4)) count; 0 where there is no box; others (T, M, 4).
    """
    from ...apis.prepare_settings import build_tracker

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


def on_athlete(kept: list[np.ndarray]) -> np.ndarray:
    """(T,) bool: the box lies on the athlete and on nobody else more; kept as of :func:`_kept`, a film each."""
    own, other = np.concatenate(kept).T
    return (own > TOUCHING) & (own > other)


def _frames(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    from ...athlete import VideoReader

    yield from VideoReader(path)


def _with_area(boxes: np.ndarray) -> np.ndarray:
    return boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
