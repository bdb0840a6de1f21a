"""Choice of the athlete among the people of a pose file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..athlete.athlete_choice import concatenate
from ..athlete.athlete_tracker import AthleteTracker
from ..corpus import VideoInfo
from ..errors import UserError, errors_name
from ..structures import AthleteTrack, PoseSequence
from .pose_formats import Person

#: Least IoU of a person with the athlete's box; less is another person.
MIN_IOU = 0.1
#: Least share of a person's box inside a box that does not say who the athlete is.
_INSIDE = 0.5
#: A median score above this means percentages; the peaks of heatmaps can be a little above 1.
_MAX_PEAK = 10


def choose_poses(
    frames: Sequence[tuple[int, list[Person]]],
    track: AthleteTrack | None,
    video: VideoInfo | None,
    path: Path,
    counts: Counter[str],
) -> PoseSequence:
    """Keep the athlete's poses.

    The athlete is the person with the largest IoU (at least 0.1) with the track's box in that frame.  Where the boxes
    do not say who that is, because they never change (the whole frame) or are much larger than the people, those inside
    them are followed by ``AthleteTracker``, which chooses by presence, size, position, motion and score.

    Args:
        frames: (frame, people), in any order; a frame may occur several times.
        track, video, counts: As of ``read_poses``.
        path: Named in errors.

    Raises:
        UserError: most joints are unusable, or none of the people is the athlete.
    """
    people = _usable_people(frames, video, path, counts)
    num_people = len(people.inds)
    ious, inside = _overlaps(people, track)
    if track is None or _is_vague(track, people.inds, ious):
        people = people.take(inside >= _INSIDE)
        ious, _ = _overlaps(people, _follow(people, sorted({frame for frame, _ in frames}), video))
    best = _best_rows(people.inds, ious)
    best = best[ious[best] >= MIN_IOU]
    if not len(best):
        raise UserError(
            f'{path}: none of its {num_people} people is in the boxes of the athlete; are these poses of this video, '
            'in pixels of its frames?'
        )
    chosen = people.take(best)
    poses = chosen.joints.astype(np.float32)
    with errors_name(path):
        return PoseSequence(chosen.inds, poses[..., :2], poses[..., 2])


class _People(NamedTuple):
    """People of a file: frames (P,), joints (P, 17, 3), boxes (P, 4) xyxy with an area, scores (P,) in [0, 1]."""

    inds: np.ndarray
    joints: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    def take(self, rows: np.ndarray) -> '_People':
        return _People(*(values[rows] for values in self))


def _usable_people(
    frames: Sequence[tuple[int, list[Person]]], video: VideoInfo | None, path: Path, counts: Counter[str]
) -> _People:
    """Return the people with a joint that is seen and a box, or joints, with an area."""
    candidates = [(frame, person) for frame, people in frames for person in people]
    joints = np.array([person.joints for _, person in candidates], np.float64).reshape(-1, 17, 3)
    size = (np.inf, np.inf) if video is None else (video.width, video.height)
    _correct(joints, size, path, counts)
    given, extents = np.array([person.box for _, person in candidates], np.float64).reshape(-1, 4), _extents(joints)
    boxes = np.where((given[:, 2:] > given[:, :2]).all(axis=1, keepdims=True), given, extents).clip(0, [*size, *size])
    usable = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (joints[..., 2] > 0).any(axis=1)
    if not usable.any():
        raise UserError(f'{path}: no usable person in its {len({frame for frame, _ in frames})} frames')
    counts.update(f'people with {candidates[i][1].joint_set} joints' for i in np.flatnonzero(usable))
    scores = np.nan_to_num([person.score for _, person in candidates]).clip(0)
    inds = np.array([frame for frame, _ in candidates], np.int64)
    return _People(inds, joints, boxes, scores / scores.max(initial=1)).take(np.flatnonzero(usable))


def _correct(joints: np.ndarray, size: tuple[float, float], path: Path, counts: Counter[str]) -> None:
    """Bring the scores of joints (P, 17, 3) to [0, 1], in place; 0 for joints that are not finite or outside."""
    scores = joints[..., 2]
    seen = scores[scores > 0]
    if len(seen) and np.median(seen) > _MAX_PEAK:
        if seen.max() > 100:
            raise UserError(f'{path}: scores up to {seen.max():g}; they must be 0 to 1, or percentages')
        counts['joints with a score in percent'] += len(seen)
        scores /= 100
    unknown = ~np.isfinite(joints).all(axis=2) | (scores < 0)
    unknown &= ~unknown.all(axis=1, keepdims=True)  # no person
    positions = np.where((scores > 0)[..., None], joints[..., :2], 0)
    if (largest := np.abs(np.nan_to_num(positions)).max(initial=0)) <= 1 and largest > 0:
        raise UserError(f'{path}: coordinates are scaled to 0..1, not pixels (OpenPose: --keypoint_scale 0)')
    outside = ((positions < 0) | (positions > size)).any(axis=2)
    total, unusable = (scores > 0) | unknown, outside | unknown
    if unusable.sum() > total.sum() / 2:
        raise UserError(
            f'{path}: {unusable.sum()} of {total.sum()} joints are not finite or outside of the frame; are these poses '
            'of this video, in pixels of its frames?'
        )
    for name, rows in (
        ('joints without position or score, not seen', unknown),
        ('joints outside of the frame, not seen', outside),
        ('joints with a score above 1, cut to 1', scores > 1),
    ):
        if rows.any():
            counts[name] += int(rows.sum())
    joints[~np.isfinite(joints).all(axis=2)] = 0
    scores[unusable] = 0
    scores.clip(0, 1, out=scores)


def _extents(joints: np.ndarray) -> np.ndarray:
    """Return the extent (P, 4) xyxy of the joints (P, 17, 3) with a score; without area where there is none."""
    seen = joints[..., 2:] > 0
    low = np.where(seen, joints[..., :2], np.inf).min(axis=1)
    high = np.where(seen, joints[..., :2], -np.inf).max(axis=1)
    return np.nan_to_num(np.concatenate([low, high], axis=1), posinf=0, neginf=0)


def _overlaps(people: _People, track: AthleteTrack | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the IoU (P,) of the people's boxes with those of a track, and the share of each that is inside.

    Both are 0 in frames without a box; without a track, everybody is inside.
    """
    inds, boxes = people.inds, people.boxes
    if track is None or not len(track):
        return np.zeros(len(inds)), np.full(len(inds), float(track is None))
    rows = np.minimum(np.searchsorted(track.frame_inds, inds), len(track) - 1)
    has_box = track.frame_inds[rows] == inds
    other = track.boxes[rows].astype(np.float64)
    shared = (np.minimum(boxes[:, 2:], other[:, 2:]) - np.maximum(boxes[:, :2], other[:, :2])).clip(0).prod(axis=1)
    area, other_area = ((box[:, 2:] - box[:, :2]).prod(axis=1) for box in (boxes, other))
    return has_box * shared / (area + other_area - shared), has_box * shared / area


def _best_rows(inds: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the row of the largest of the values (P,) in every frame, in the order of the frames; the first one wins
    a tie."""
    order = np.lexsort((-values, inds))
    return order[np.unique(inds[order], return_index=True)[1]]


def _is_vague(track: AthleteTrack, inds: np.ndarray, ious: np.ndarray) -> bool:
    """Return whether the boxes of a track do not say who the athlete is; ``ious`` (P,) are those of the people."""
    if len(track) > 1 and (track.boxes == track.boxes[0]).all():
        return True
    best = ious[_best_rows(inds, ious)]
    return not best.any() or bool(np.median(best[best > 0]) < MIN_IOU)


def _follow(people: _People, frames: list[int], video: VideoInfo | None) -> AthleteTrack:
    """Track the people of ``frames``, those of the file, and choose the athlete of each shot.

    A shot ends where no person overlaps with one before.  Where no one can be followed, as in a single frame, the
    athlete is the person of the best score in each frame.
    """
    from supervision import box_iou_batch

    size = people.boxes[:, 2:].max(axis=0, initial=1).tolist() if video is None else (video.width, video.height)
    fps = (25 if video is None else video.fps) * len(frames) / (frames[-1] - frames[0] + 1)
    people = people.take(np.argsort(people.inds, kind='stable'))
    starts = [*np.searchsorted(people.inds, frames), len(people.inds)]
    shots: list[list[np.ndarray]] = [[]]
    last = people.boxes[:0]
    for rows in (np.arange(*ends) for ends in pairwise(starts)):
        boxes = people.boxes[rows]
        if len(last) and len(boxes) and box_iou_batch(last, boxes).max() < MIN_IOU:
            shots.append([])
        shots[-1].append(rows)
        last = boxes if len(boxes) else last
    tracks, first = [], 0
    for shot in shots:
        tracker = AthleteTracker(fps, size, min_seconds=0, high_score=0, min_iou=MIN_IOU)
        for i, rows in enumerate(shot):  # numbers, not frames: a file may hold every tenth frame only
            detections = np.column_stack([people.boxes[rows], people.scores[rows]])
            tracker.update(i, detections.astype(np.float32))
        candidates = tracker.finish()
        if candidates:
            inds = np.array(frames[first : first + len(shot)], np.int64)
            tracks.append(replace(candidates[0], frame_inds=inds[candidates[0].frame_inds]))
        else:
            best = people.take(np.concatenate(shot).astype(int))
            best = best.take(_best_rows(best.inds, best.scores))
            tracks.append(AthleteTrack(best.inds, best.boxes.astype(np.float32), best.scores.astype(np.float32)))
        first += len(shot)
    return concatenate(tracks)
