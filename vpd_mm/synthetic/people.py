"""People other than the athlete, and objects in front of the camera."""

import numpy as np

from .appearance import HAIR, SKIN, Look, athlete_look, everyday_look, vivid
from .camera import CameraTrack
from .motions import Motion
from .moves import heading, loitering_motion, seated_motion
from .renderer import Figure, make_thing
from .skeleton import Body
from .venue import FAR, Venue


def bystanders(rng: np.random.Generator, duration: float, club_hue: float) -> list[tuple[Body, Motion, Look]]:
    """Make two to five people near the track: judges, coaches, passers-by, a team mate in the athlete's colours."""
    out = []
    for _ in range(rng.integers(2, 6)):
        body = Body.random(rng, 1.55, 1.88)
        behind = rng.random() < 0.88
        xy = np.array([rng.uniform(-9, 9), rng.uniform(3.0, 4.6) if behind else rng.uniform(-6.5, -3.6)])
        facing = (-np.pi / 2 if behind else np.pi / 2) + rng.normal(0, 0.5)
        kind = rng.random()
        if kind < 0.35:
            motion, look = seated_motion(rng, body, xy, facing, duration), everyday_look(rng)
        else:
            along = rng.choice([0.0, np.pi]) + rng.normal(0, 0.1)
            facing = along if rng.random() < 0.5 else facing
            motion = loitering_motion(rng, body, xy, facing, duration)
            look = athlete_look(rng, club_hue) if kind > 0.8 else everyday_look(rng)
        out.append((body, motion, look))
    return out


def fans(
    rng: np.random.Generator,
    venue: Venue,
    camera: CameraTrack,
    sub_frames: int,
    fps: float,
    turn: np.ndarray,
    shift: np.ndarray | float,
) -> Figure:
    """Make a row of people at the far side who bob and sway: head and trunk only, 3 parts each.

    ``turn`` (3, 3) and ``shift`` (3,) bring the row from the far side of the hall to another place.
    """
    num = int(rng.integers(6, 14))
    times = np.arange(len(camera)) / sub_frames / fps
    x, y = rng.uniform(-8.5, 8.5, num), FAR - rng.uniform(0.6, 1.4, num)
    height = rng.uniform(1.4, 1.7, num)
    rhythm, size, start = rng.uniform(0.4, 1.8, num), rng.uniform(0.0, 0.12, num), rng.uniform(0, 6, num)
    wave = np.sin(2 * np.pi * rhythm * times[:, None] + start) * size
    where = np.stack([x + 0.6 * wave, np.broadcast_to(y, wave.shape), height + wave], axis=-1)
    # Trunk, face and hair of each.
    offsets = [(0, 0, -0.30), (0, 0, 0)], [(0, -0.02, -0.04), (0, -0.02, -0.07)], [(0, 0.03, 0.02), (0, 0.03, 0.0)]
    ends = where[:, :, None, None] + np.array(offsets)
    ends[:, :, 0, 1, 2] = 0.98  # the board in front hides the rest
    radii = np.tile([(0.2, 0.17), (0.09, 0.075), (0.105, 0.1)], (num, 1))
    shirts = [vivid(rng.random(), rng.uniform(0, 0.7), rng.uniform(0.2, 0.7)) for _ in range(num)]
    faces, hair = (colors[rng.integers(len(colors), size=num)] for colors in (SKIN, HAIR))
    colors = np.stack([shirts, faces, hair], axis=1).reshape(-1, 3)
    ends = ends.reshape(len(camera), 3 * num, 2, 3) @ turn.T + shift
    return make_thing(ends, radii, colors, camera, sub_frames)


def foreground(venue: Venue, position: int, camera: CameraTrack, sub_frames: int) -> tuple[list[Figure], list[Figure]]:
    """Make posts, a rail, and heads and shoulders of spectators, the same in every shot from this position."""
    rng = np.random.default_rng([venue.seed, position])
    centre = camera.centre
    posts, heads = [], []
    straight = np.arctan2(-centre[1], -centre[0])
    down = np.arctan2(centre[2] - 1.0, np.hypot(*centre[:2]))

    def spot(angle: float, distance: float, height: float) -> np.ndarray:
        return np.append(centre[:2] + distance * heading(straight + angle), height)

    def below(distance: float, low: float, high: float) -> float:
        """Draw a height that appears this many degrees below the athlete."""
        return centre[2] - distance * np.tan(down + np.deg2rad(rng.uniform(low, high)))

    for _ in range(rng.integers(0, 3)):
        angle, distance = np.deg2rad(rng.uniform(-26, 26)), rng.uniform(5, 9)
        color = vivid(rng.random(), rng.uniform(0, 0.3), rng.uniform(0.2, 0.9))
        ends = np.array([[spot(angle, distance, height) for height in (0, 3.5)]])
        posts.append(make_thing(ends, np.full((1, 2), rng.uniform(0.015, 0.03)), color[None], camera, sub_frames))
    if rng.random() < 0.4:
        distance = rng.uniform(5, 8)
        height = below(distance, 3.0, 6.0)
        color = vivid(rng.random(), 0.1, rng.uniform(0.4, 0.9))
        ends = np.array([[spot(angle, distance / np.cos(0.7), height) for angle in (-0.7, 0.7)]])
        posts.append(make_thing(ends, np.full((1, 2), 0.025), color[None], camera, sub_frames))
    for _ in range(rng.integers(1, 5)):
        angle, distance = np.deg2rad(rng.uniform(-28, 28)), rng.uniform(3.5, 7)
        top = spot(angle, distance, below(distance, 4.0, 6.5))
        hair, shirt = HAIR[rng.integers(len(HAIR))], vivid(rng.random(), rng.uniform(0, 0.6), rng.uniform(0.1, 0.45))
        along = np.append(heading(straight + np.pi / 2), 0)
        chest = top - (0, 0, 0.45)
        ends = np.array([[top - (0, 0, 0.10), top - (0, 0, 0.14)], [chest + 0.17 * along, chest - 0.17 * along]])
        radii = np.array([(0.1, 0.1), (0.13, 0.13)])
        heads.append(make_thing(ends, radii, np.array([hair, shirt]), camera, sub_frames))
    return posts, heads
