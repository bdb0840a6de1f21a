"""One uncut shot of a routine: people, camera, frames and ground truth."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..structures import AthleteTrack
from .appearance import Look
from .camera import CameraTrack, follow
from .ground_truth import GroundTruth
from .motions import RATE
from .people import bystanders, fans, foreground
from .renderer import SUB_FRAMES, SceneRenderer, make_figure
from .routine import Routine
from .venue import Venue

#: Height in pixels of a standing person of 1.65 m, as a share of the frame's height: 85 to 120 px of 256.
PERSON_SHARE = (0.33, 0.47)
#: Moments per frame for people other than the athlete, who move slowly.
_SUB_FRAMES_OTHERS = 4


@dataclass(eq=False)
class Shot:
    """A recorded routine.

    Args:
        renderer: Draws the frames.
        athlete: Index of the athlete among the figures.
        fps: Frames per second.
        arrays: Fields of :class:`GroundTruth` except the visibility, which rendering determines.
    """

    renderer: SceneRenderer
    athlete: int
    fps: float
    arrays: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.renderer)

    def frames(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield RGB uint8 (H, W, 3) and visibility (17,) uint8 of each frame, in order."""
        for frame in range(len(self)):
            image, visible = self.renderer.render(frame)
            yield image, visible[self.athlete]

    def ground_truth(self, visibility: np.ndarray) -> GroundTruth:
        """Return the ground truth with the visibility (T, 17) uint8 of all frames."""
        return GroundTruth(visibility=visibility, **self.arrays)


def record(
    routine: Routine,
    look: Look,
    club_hue: float,
    venue: Venue,
    position: int,
    rng: np.random.Generator,
    size: tuple[int, int] = (256, 256),
    backdrop: tuple[np.ndarray, CameraTrack] | None = None,
    sub_frames: int = SUB_FRAMES,
) -> Shot:
    """Record a routine from camera ``position`` of a venue, at the frame rate of the venue."""
    motion, fps = routine.motion, venue.fps
    num = int(motion.duration_sec * fps)
    moments = np.arange(num)[:, None] + (np.arange(sub_frames) - sub_frames // 2) / sub_frames * venue.shutter
    times = (moments / fps).clip(0).ravel()
    person_px = PERSON_SHARE[0] * size[1], PERSON_SHARE[1] * size[1]
    path = follow(motion.root_pos, RATE, venue.cameras[position], size, person_px, rng)
    camera = path[np.clip((times * RATE).round().astype(int), 0, len(path) - 1)]
    posture = motion.posture(times)
    athlete = make_figure(routine.body, posture, look, camera, sub_frames, venue.light, joints=True)

    step = max(sub_frames // _SUB_FRAMES_OTHERS, 1)
    fewer = camera[np.arange(0, len(camera), step)]
    each = sub_frames // step
    others = [
        make_figure(body, moves.posture(times[::step]), dress, fewer, each, venue.light)
        for body, moves, dress in bystanders(rng, motion.duration_sec, club_hue)
    ]
    crowd = fans(rng, venue, fewer, each, fps)
    posts, heads = foreground(venue, position, camera, sub_frames)

    mid = np.arange(num) * sub_frames + sub_frames // 2
    sampled = np.clip((times[mid] * RATE).round().astype(int), 0, len(motion.airborne) - 1)
    arrays = {
        'frame_inds': np.arange(num, dtype=np.int64),
        'keypoints': athlete.joint_pixels,
        'joints3d': posture.joints[mid].astype(np.float32),
        'boxes': _cut(athlete.boxes, size),
        'bystanders': np.stack([_cut(figure.boxes, size) for figure in others], axis=1),
        'crowd': _cut(np.concatenate([crowd.group_boxes(3), *(h.group_boxes(2) for h in heads)], axis=1), size),
        'airborne': motion.airborne[sampled],
        'rotation': camera.rotation[mid],
        'centre': camera.centre,
        'focal': camera.focal[mid],
    }
    renderer = SceneRenderer(venue, camera, [athlete, *others, crowd, *posts, *heads], rng, sub_frames, backdrop)
    return Shot(renderer, 0, fps, arrays)


def _cut(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.clip(boxes, 0, np.array(size * 2, np.float32)).astype(np.float32)


def jittered_track(ground_truth: GroundTruth, rng: np.random.Generator) -> AthleteTrack:
    """Return boxes like those of a detector and a tracker: slightly wide, unsteady, sometimes missing."""
    boxes = ground_truth.boxes.astype(float)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    noise = np.empty((len(boxes), 4))
    state = rng.normal(0, 0.03, 4)
    for t in range(len(boxes)):
        state = 0.75 * state + rng.normal(0, 0.02, 4)
        noise[t] = state
    boxes = boxes + (noise + np.array([-0.02, -0.02, 0.02, 0.02])) * np.tile(sides, 2)
    missed = rng.random(len(boxes)) < np.where(ground_truth.airborne, 0.03, 0.008)
    keep = (sides.min(axis=1) > 4) & (boxes[:, 2:] - boxes[:, :2] > 2).all(axis=1) & ~missed
    scores = np.clip(rng.normal(0.9, 0.05, len(boxes)) - 0.1 * ground_truth.airborne, 0.3, 0.99)
    return AthleteTrack(ground_truth.frame_inds[keep], boxes[keep].astype(np.float32), scores[keep].astype(np.float32))
