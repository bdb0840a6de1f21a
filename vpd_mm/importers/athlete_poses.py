"""Choice of the athlete among the people of a pose file."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

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
        UserError: most joints are unusable, or nobody is the athlete.
    """
    found = [(frame, person) for frame, people in frames for person in people]
    joints = np.array([person.joints for _, person in found], np.float64).reshape(-1, 17, 3)
    size = (np.inf, np.inf) if video is None else (video.width, video.height)
    _correct(joints, size, path, counts)
    given = np.array([person.box for _, person in found], np.float64).reshape(-1, 4)
    boxes = np.where(np.isfinite(given).all(axis=1, keepdims=True), given, _extents(joints)).clip(0, [*size, *size])
    usable = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (joints[..., 2] > 0).any(axis=1))
    if not len(usable):
        raise UserError(f'{path}: no usable person in its {len({frame for frame, _ in frames})} frames')
    counts.update(f'people with {found[i][1].joint_set} joints' for i in usable)
    inds = np.array([found[i][0] for i in usable])
    scores = np.nan_to_num([found[i][1].score for i in usable]).clip(0)
    joints, boxes = joints[usable], boxes[usable]
    ious, inside = _overlaps(inds, boxes, track)
    if track is None or _is_vague(track, inds, ious):
        among = inside >= _INSIDE
        inds, joints, boxes, scores = inds[among], joints[among], boxes[among], scores[among]
        followed = _follow(sorted({frame for frame, _ in frames}), inds, boxes, scores / scores.max(initial=1), video)
        ious, _ = _overlaps(inds, boxes, followed)
    best = np.lexsort((-np.arange(len(inds)), ious))  # the first one wins a tie
    best = best[ious[best] >= MIN_IOU]
    if not len(best):
        raise UserError(
            f'{path}: none of its {len(usable)} people is in the boxes of the athlete; are these poses of this video, '
            'in pixels of its frames?'
        )
    chosen = dict(zip(inds[best].tolist(), best.tolist()))
    poses = joints[[chosen[frame] for frame in sorted(chosen)]].astype(np.float32)
    with errors_name(path):
        return PoseSequence(np.array(sorted(chosen), np.int64), poses[..., :2], poses[..., 2])


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
    unknown &= ~unknown.all(axis=1, keepdims=True)  # nobody
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
    for name, found in (
        ('joints without position or score, not seen', unknown),
        ('joints outside of the frame, not seen', outside),
        ('joints with a score above 1, cut to 1', scores > 1),
    ):
        if found.any():
            counts[name] += int(found.sum())
    joints[~np.isfinite(joints).all(axis=2)] = 0
    scores[unusable] = 0
    scores.clip(0, 1, out=scores)


def _extents(joints: np.ndarray) -> np.ndarray:
    """Return the extent (P, 4) xyxy of the joints (P, 17, 3) with a score; without area where there is none."""
    seen = joints[..., 2:] > 0
    low = np.where(seen, joints[..., :2], np.inf).min(axis=1)
    high = np.where(seen, joints[..., :2], -np.inf).max(axis=1)
    return np.nan_to_num(np.concatenate([low, high], axis=1), posinf=0, neginf=0)


def _overlaps(inds: np.ndarray, boxes: np.ndarray, track: AthleteTrack | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the IoU (P,) of boxes (P, 4) with those of a track, and the share of each that is inside.

    Both are 0 in frames without a box; without a track, everybody is inside.
    """
    if track is None or not len(track):
        return np.zeros(len(inds)), np.full(len(inds), float(track is None))
    rows = np.minimum(np.searchsorted(track.frame_inds, inds), len(track) - 1)
    has_box = track.frame_inds[rows] == inds
    other = track.boxes[rows].astype(np.float64)
    shared = (np.minimum(boxes[:, 2:], other[:, 2:]) - np.maximum(boxes[:, :2], other[:, :2])).clip(0).prod(axis=1)
    area, other_area = ((box[:, 2:] - box[:, :2]).prod(axis=1) for box in (boxes, other))
    return has_box * shared / (area + other_area - shared), has_box * shared / area


def _is_vague(track: AthleteTrack, inds: np.ndarray, ious: np.ndarray) -> bool:
    """Return whether the boxes of a track do not say who the athlete is; ``ious`` (P,) are those of the people."""
    if len(track) > 1 and (track.boxes == track.boxes[0]).all():
        return True
    frames, rows = np.unique(inds, return_inverse=True)
    best = np.zeros(len(frames))
    np.maximum.at(best, rows, ious)
    return not best.any() or np.median(best[best > 0]) < MIN_IOU


def _follow(
    frames: list[int], inds: np.ndarray, boxes: np.ndarray, scores: np.ndarray, video: VideoInfo | None
) -> AthleteTrack:
    """Track the people of ``frames``, those with a row in the file, and choose the athlete.

    Where nobody can be followed, as in a single frame, it is the person of the best score in each frame.
    """
    size = tuple(boxes[:, 2:].max(axis=0, initial=1)) if video is None else (video.width, video.height)
    tracker = AthleteTracker(25.0 if video is None else video.fps, size, min_seconds=0, high_score=0)
    detections = np.column_stack([boxes, scores]).astype(np.float32)
    order = np.argsort(inds, kind='stable')
    starts = np.searchsorted(inds[order], frames)
    for i, people in enumerate(np.split(order, starts[1:])):  # a file may hold every tenth frame only
        tracker.update(i, detections[people])
    tracks = tracker.finish()
    if tracks:
        (track,) = tracks
        return AthleteTrack(np.array(frames)[track.frame_inds], track.boxes, track.scores)
    best = dict(zip(inds[rows := np.lexsort((-np.arange(len(inds)), scores))].tolist(), rows.tolist()))
    rows = [best[frame] for frame in sorted(best)]
    return AthleteTrack(np.array(sorted(best), np.int64), detections[rows, :4], detections[rows, 4])
