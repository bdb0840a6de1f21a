"""One uncut shot of one routine: who is in it, where the camera is, what it shows, what is true."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..structures import AthleteTrack
from .appearance import Look
from .camera import CameraTrack, follow
from .motions import RATE
from .people import bystanders, fans, foreground
from .renderer import SUB_FRAMES, Figure, SceneRenderer, make_figure
from .routine import Routine
from .truth import GroundTruth
from .venue import Venue

#: Height in pixels of a standing person of 1.65 m, as a share of the frame's height: 85 to 120 px of 256.
PERSON_SHARE = (0.33, 0.47)
#: Others move slowly: fewer moments for them.
_SUB_FRAMES_OTHERS = 4


@dataclass(eq=False)
class Shot:
    """A routine on film.

    Args:
        renderer: Draws its frames.
        athlete: Index of the athlete among the figures.
        fps: Frames a second.
        truth_arrays: Everything of :class:`GroundTruth` but the visibility, which the pixels decide.
    """

    renderer: SceneRenderer
    athlete: int
    fps: float
    truth_arrays: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.renderer)

    def frames(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """RGB uint8 (H, W, 3) and visibility (17,) uint8 of each frame, in order."""
        for frame in range(len(self)):
            image, visible = self.renderer.render(frame)
            yield image, visible[self.athlete]

    def truth(self, visibility: np.ndarray) -> GroundTruth:
        """Complete the truth with (T, 17) uint8."""
        return GroundTruth(visibility=visibility, **self.truth_arrays)


def film(
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
    """Film a routine from broadcast position ``position`` of a venue, at the venue's frame rate."""
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
    others: list[Figure] = []
    for body, moves, dress in bystanders(rng, motion.duration_sec, club_hue):
        others.append(make_figure(body, moves.posture(times[::step]), dress, fewer, each, venue.light))
    crowd = fans(rng, venue, fewer, each, fps)
    posts, heads = foreground(venue, position, camera, sub_frames)

    mid = np.arange(num) * sub_frames + sub_frames // 2
    sampled = np.clip((times[mid] * RATE).round().astype(int), 0, len(motion.airborne) - 1)
    truth = {
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
    return Shot(renderer, 0, fps, truth)


def _cut(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.clip(boxes, 0, np.array(size * 2, np.float32)).astype(np.float32)


def jittered_track(truth: GroundTruth, rng: np.random.Generator) -> AthleteTrack:
    """Boxes as a detector and a tracker would give them: a little wide, unsteady, now and then missing."""
    boxes = truth.boxes.astype(float)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    noise = np.empty((len(boxes), 4))
    state = rng.normal(0, 0.03, 4)
    for t in range(len(boxes)):
        state = 0.75 * state + rng.normal(0, 0.02, 4)
        noise[t] = state
    boxes = boxes + (noise + np.array([-0.02, -0.02, 0.02, 0.02])) * np.tile(sides, 2)
    missed = rng.random(len(boxes)) < np.where(truth.airborne, 0.03, 0.008)
    keep = (sides.min(axis=1) > 4) & (boxes[:, 2:] - boxes[:, :2] > 2).all(axis=1) & ~missed
    scores = np.clip(rng.normal(0.9, 0.05, len(boxes)) - 0.1 * truth.airborne, 0.3, 0.99)
    return AthleteTrack(truth.frame_inds[keep], boxes[keep].astype(np.float32), scores[keep].astype(np.float32))
