"""Numbers that decide whether a corpus is ready for training, with their limits."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..corpus import CropHeader, CropStore
from ..structures import VPD_JOINTS, AthleteTrack, PoseSequence

#: Left and right joints of COCO-17: those of the arms, then those of the legs.
SIDES = np.array([[5, 6], [7, 8], [9, 10], [11, 12], [13, 14], [15, 16]])
#: Longest step of a box from a frame to the next, in its longer sides, and largest ratio of the areas.
MAX_STEP, MAX_GROWTH = 0.5, 4.0
#: A repeated frame has less than this share of the flow of moving frames on both sides, which are so many frames away
#: at most and have this mean flow at least, px.
STILL, NEAR, MOVING = 1 / 3, 4, 0.1
#: Fewest frames in motion that say something about repeated frames; frames whose flow is read per video.
MIN_MOVING, FLOW_FRAMES = 10, 200
#: Joints below this score are not compared; with sides exchanged, joints that come this much closer are swapped.
MIN_SCORE, SWAPPED = 0.3, 0.5
#: Mean joint score from which a frame is a training target (paper, section 3.2).
CONFIDENT = 0.5
#: Limbs and sides of the trunk of COCO-17.
BONES = np.array([[5, 7], [7, 9], [6, 8], [8, 10], [11, 13], [13, 15], [12, 14], [14, 16], [5, 11], [6, 12]])
#: A pose is implausible with fewer than this share of its joints in the box, which is widened by 10 %; where it is
#: smaller than this part of the longer side; with a bone longer than this part of the diagonal, or than so many times
#: the third longest; or where it moves by more than this part of the longer side against the box, in one step.
INSIDE, SMALL, LONG, LONGER, LEAP = 0.6, 0.3, 0.45, 1.8, 0.3
#: Usual frame rates of videos.
RATES = (5, 6, 7.5, 10, 12, 12.5, 15, 20, 24, 25, 30, 48, 50, 60, 100, 120)


@dataclass(frozen=True)
class Check:
    """A share with its limit.

    Args:
        name, of: The counted things, and of what they are a share.
        limit: Least share where ``at_least``, else the largest.
        reason: Reason of the limit.
        hint: First thing to do beyond it.
    """

    name: str
    of: str
    limit: float
    at_least: bool
    reason: str
    hint: str

    def passes(self, count: int, total: int) -> bool:
        """Return True if the share is within the limit, or there is nothing to measure."""
        return not total or (count >= self.limit * total if self.at_least else count <= self.limit * total)

    def text(self, count: int, total: int) -> str:
        """Share, counts and limit."""
        if not total:
            return f'{self.name}: not measured'
        limit = f'{"at least" if self.at_least else "at most"} {self.limit:.0%}'
        return f'{self.name}: {count / total:.1%} ({count} of {total} {self.of}; {limit})'


#: The checks, the most urgent first.
CHECKS = (
    Check(
        'tracked',
        'frames',
        0.5,
        True,
        'a detector with real weights tracks 90 % of the frames that show one athlete; below one half it misses them',
        'look at the contact sheet of a marked video; pass other --boxes, or --track rules, with --redo VIDEO',
    ),
    Check(
        'box jumps',
        'steps',
        0.01,
        False,
        'a vault at 10 frames per second moves a box by 0.31 of its longer side and changes its area by 3.1 in a step, '
        'less than the limits of a jump; one in a hundred steps is a change to another person every few seconds',
        'look at the video of a marked one, at these frames; pass --track rules, or --boxes FOLDER, with --redo VIDEO',
    ),
    Check(
        'repeated frames',
        'frames in motion',
        0.1,
        False,
        '24 frames in 30 repeat one in five, 25 in 30 one in six, 25 in 50 every second one: its flow is zero, while '
        'the next one has twice the motion',
        'prepare these videos again with --fps {fps}, about their true rate, and another --out',
    ),
    Check(
        'confident',
        'tracked frames',
        0.5,
        True,
        'only frames with a mean joint score of 0.5 are targets of the training; a teacher that misses more is the '
        'wrong one for these videos, or the boxes are',
        'pass other --poses with another --pose-name',
    ),
    Check(
        'implausible poses',
        'confident frames',
        0.05,
        False,
        'MediaPipe on 28 parkour videos has 2.5 % of such poses: joints outside of the box, a pose much smaller than '
        'it, a limb too long, or a leap; they are targets of the training like all confident ones',
        'look at the skeletons of a marked video at these frames: is it the athlete? pass other --poses with another '
        '--pose-name, or --boxes; or leave the video out',
    ),
    Check(
        'left/right swaps',
        'steps',
        0.02,
        False,
        'sides that are exchanged in one frame count twice; MediaPipe on 28 videos of vaults and muscle-ups has 0.4 %, '
        'and 5.5 % on a flip where it visibly exchanges arms and legs in several places',
        'look at the skeletons of a marked video; pass other --poses with another --pose-name',
    ),
)

#: Number of bad (or good) things and of all, by name of the check.
Counts = dict[str, tuple[int, int]]


def count_video(
    num_frames: int,
    track: AthleteTrack | None,
    poses: PoseSequence | None,
    confident: int | None,
    header: CropHeader | None,
    flow: tuple[np.ndarray, np.ndarray],
) -> tuple[Counts, dict[str, list[int]]]:
    """Count one video: counts, and the frames that are counted as bad.

    ``flow`` are frames (T,) and their mean flow, px; ``confident`` None: the corpus has no poses.
    """
    starts = header.starts if header is not None else np.zeros(0, np.int64)
    counts: Counts = {}
    frames: dict[str, list[int]] = {}
    if track is not None:
        counts['tracked'] = len(track), num_frames
        jumps, steps = box_jumps(track, starts)
        counts['box jumps'], frames['box jumps'] = (len(jumps), steps), jumps.tolist()
        if confident is not None:
            counts['confident'] = confident, len(track)
    copies, moving = repeated_frames(*flow)
    counts['repeated frames'], frames['repeated frames'] = (len(copies), moving), copies.tolist()
    if poses is not None and track is not None:
        wrong, of = implausible_poses(poses, track, starts)
        counts['implausible poses'], frames['implausible poses'] = (len(wrong), of), wrong.tolist()
    if poses is not None:
        swaps, steps = side_swaps(poses, starts)
        counts['left/right swaps'], frames['left/right swaps'] = (len(swaps), steps), swaps.tolist()
    return counts, frames


def total_counts(counts: Sequence[Counts]) -> Counts:
    """Add the counts of videos."""
    sums: Counts = {}
    for check in CHECKS:
        pairs = [one.get(check.name, (0, 0)) for one in counts]
        sums[check.name] = sum(count for count, _ in pairs), sum(total for _, total in pairs)
    return sums


def failing(counts: Counts) -> list[Check]:
    """Return the checks that do not pass."""
    return [check for check in CHECKS if not check.passes(*counts.get(check.name, (0, 0)))]


def box_jumps(track: AthleteTrack, starts: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the frames whose box is far from, or much larger or smaller than, that of the frame before; and the steps.

    ``starts`` are the first frames of shots.
    """
    boxes = track.boxes.astype(np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    longest, areas = sides.max(axis=1), sides.prod(axis=1)
    step = np.hypot(*np.diff(boxes[:, :2] + sides / 2, axis=0).T) / np.maximum(longest[1:], longest[:-1])
    growth = np.maximum(areas[1:], areas[:-1]) / np.minimum(areas[1:], areas[:-1])
    next_frame = (np.diff(track.frame_inds) == 1) & ~np.isin(track.frame_inds[1:], starts)
    jumps = next_frame & ((step > MAX_STEP) | (growth > MAX_GROWTH))
    return track.frame_inds[1:][jumps], int(next_frame.sum())


def repeated_frames(frame_inds: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the still frames between moving ones, near-copies, and the number of frames in motion.

    ``lengths`` (T,) is the mean flow, px.
    """
    copies, moving = [np.zeros(0, np.int64)], 0
    splits = np.flatnonzero(np.diff(frame_inds) != 1) + 1
    for inds, run in zip(np.split(frame_inds, splits), np.split(lengths, splits)):
        if len(run) < 3:
            continue
        around = np.lib.stride_tricks.sliding_window_view(np.pad(run, NEAR), 2 * NEAR + 1)
        least = np.minimum(around[:, :NEAR].max(axis=1), around[:, NEAR + 1 :].max(axis=1))
        moving += int((least >= MOVING).sum())
        copies.append(inds[(least >= MOVING) & (run < STILL * least)])
    return (np.concatenate(copies), moving) if moving >= MIN_MOVING else (copies[0], 0)


def confident_frames(poses: PoseSequence) -> np.ndarray:
    """Return (T,) bool, True where the mean score of the 13 joints is at least ``CONFIDENT``."""
    return poses.scores[:, VPD_JOINTS].mean(axis=1) >= CONFIDENT


def implausible_poses(poses: PoseSequence, track: AthleteTrack, starts: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the confident frames whose pose is hardly the athlete's, and the number of confident frames with a box.

    Such a pose is outside of the box, is much smaller than it, has a limb that is too long, or leaps from a frame to
    the next against the box.
    """
    chosen = confident_frames(poses) & np.isin(poses.frame_inds, track.frame_inds)
    inds, scores = poses.frame_inds[chosen], poses.scores[chosen]
    boxes = track.boxes[np.searchsorted(track.frame_inds, inds)].astype(np.float64)
    joints = np.where(scores[..., None] >= MIN_SCORE, poses.keypoints[chosen], np.nan).astype(np.float64)
    body, sizes = joints[:, VPD_JOINTS], boxes[:, 2:] - boxes[:, :2]
    side, corners = sizes.max(axis=1), boxes.reshape(-1, 2, 2)
    known = ~np.isnan(body[..., 0])
    margin = 0.1 * side[:, None, None]
    inside = ((body >= corners[:, :1] - margin) & (body <= corners[:, 1:] + margin)).all(axis=2)
    lengths = np.sort(np.nan_to_num(np.linalg.norm(np.diff(joints[:, BONES], axis=2)[:, :, 0], axis=-1)), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # no joint that both frames have
        extent = (np.nanmax(body, axis=1) - np.nanmin(body, axis=1)).max(axis=1)
        steps = np.nanmedian(np.diff(body, axis=0), axis=1) - np.diff(corners.mean(axis=1), axis=0)
    leaps = (np.diff(inds) == 1) & ~np.isin(inds[1:], starts) & (np.hypot(*steps.T) > LEAP * side[1:])
    wrong = (inside.sum(axis=1) < INSIDE * known.sum(axis=1)) | (extent < SMALL * side)
    third, longest = lengths[:, -3], lengths[:, -1]
    wrong |= (longest > LONG * np.hypot(*sizes.T)) | ((longest > LONGER * third) & (third > 0))
    wrong[1:] |= leaps
    return inds[wrong], len(inds)


def side_swaps(poses: PoseSequence, starts: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the frames whose arms or legs fit the frame before better with left and right exchanged; and the steps."""
    xy, known = poses.keypoints[:, SIDES].astype(np.float64), poses.scores[:, SIDES].min(axis=2) >= MIN_SCORE
    next_frame = (np.diff(poses.frame_inds) == 1) & ~np.isin(poses.frame_inds[1:], starts)
    swapped = np.zeros(len(next_frame), bool)
    for pairs in (slice(0, 3), slice(3, 6)):
        both = known[1:, pairs].all(axis=1) & known[:-1, pairs].all(axis=1)
        centered = xy[:, pairs] - xy[:, pairs].mean(axis=(1, 2), keepdims=True)
        straight, crossed = (
            np.linalg.norm(centered[1:] - before, axis=-1).sum(axis=(1, 2))
            for before in (centered[:-1], centered[:-1, :, ::-1])
        )
        swapped |= both & (crossed < SWAPPED * straight)
    return poses.frame_inds[1:][next_frame & swapped], int(next_frame.sum())


def read_flow(store: CropStore, video: str, header: CropHeader | None) -> tuple[np.ndarray, np.ndarray]:
    """Return frames (T,) and mean flow (T,), px, of stretches of a video; empty without flow."""
    if header is None or header.flow is None:
        return np.zeros(0, np.int64), np.zeros(0)
    inds, part = header.frame_inds, FLOW_FRAMES // 4
    starts = [i * len(inds) // 4 for i in range(4)]
    chosen = inds if len(inds) <= FLOW_FRAMES else np.concatenate([inds[start : start + part] for start in starts])
    chosen = chosen[~np.isin(chosen, header.starts)]
    return chosen, np.array([np.linalg.norm(store.flow(video, int(i)), axis=-1).mean() for i in chosen])


def true_rate(fps: float, counts: Mapping[str, tuple[int, int]]) -> float:
    """Return the usual rate that is closest to that of the frames that are not repeated."""
    repeated, moving = counts['repeated frames']
    return min(RATES, key=lambda rate: abs(rate - fps * (1 - repeated / max(moving, 1))))
