"""Several people in a frame, one athlete: whose pose is it?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..structures import AthleteTrack, PoseSequence

#: The chosen person must overlap the athlete's box by this much (IoU); less is somebody else.
MIN_IOU = 0.1


@dataclass(frozen=True, eq=False)
class Person:
    """One detected person.

    Args:
        keypoints: (17, 2) float64 in pixels, COCO order.
        scores: (17,) float64; clipped to [0, 1] (heatmap scores may pass 1).
        box: (4,) xyxy, or None where the source has none.
        score: Of the person.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    box: np.ndarray | None
    score: float

    def extent(self) -> np.ndarray:
        """xyxy: the box, or what the seen joints span."""
        if self.box is not None:
            return self.box
        seen = self.keypoints[self.scores > 0]
        return np.concatenate([seen.min(axis=0), seen.max(axis=0)]) if len(seen) else np.zeros(4)


def choose_poses(people: Mapping[int, Sequence[Person]], track: AthleteTrack | None) -> PoseSequence:
    """Keep one person a frame.

    With a track: the person whose extent has the largest IoU with the
    athlete's box of that frame, if that is at least ``MIN_IOU``; frames
    without a box get no pose.  Without a track: the person of the highest
    score.  The first one wins a tie.

    Args:
        people: Frame number to its people; a frame may have none.
        track: The athlete's boxes.
    """
    boxes = None if track is None else dict(zip(track.frame_inds.tolist(), track.boxes, strict=True))
    chosen: list[tuple[int, Person]] = []
    for frame in sorted(people):
        candidates = people[frame]
        if not candidates:
            continue
        if boxes is None:
            chosen.append((frame, max(candidates, key=lambda person: person.score)))
        elif frame in boxes:
            overlaps = [iou(person.extent(), boxes[frame]) for person in candidates]
            best = int(np.argmax(overlaps))
            if overlaps[best] >= MIN_IOU:
                chosen.append((frame, candidates[best]))
    keypoints = np.array([person.keypoints for _, person in chosen], dtype=np.float32).reshape(-1, 17, 2)
    scores = np.array([person.scores for _, person in chosen], dtype=np.float32).reshape(-1, 17)
    frame_inds = np.array([frame for frame, _ in chosen], dtype=np.int64)
    return PoseSequence(frame_inds, keypoints, np.clip(scores, 0, 1))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two xyxy boxes; 0 where one has no area."""
    size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    if size.min() <= 0:
        return 0.0
    shared = float(size.prod())
    return shared / (float((a[2:] - a[:2]).prod()) + float((b[2:] - b[:2]).prod()) - shared)
