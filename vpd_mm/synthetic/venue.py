"""Halls: painted floor and walls, camera positions, light, advertising board.

For a camera that only turns and zooms, a static hall is one flat image under a perspective warp.  So the hall is traced
once per camera position (:func:`panorama`) and every frame is a warp of that image.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .appearance import HAIR, SKIN, vivid
from .camera import CameraTrack, look_rotation

#: Half width of a hall, depth behind and before the track, height; metres.
HALF_WIDTH, FAR, NEAR, HEIGHT = 17.0, 8.0, 22.0, 9.0
_PX_PER_M = 34


@dataclass(frozen=True, eq=False)
class Venue:
    """A hall."""

    name: str
    surfaces: tuple[tuple[int, float, np.ndarray], ...]  # axis, position on it in m, RGB texture of 34 px a metre
    cameras: np.ndarray  # (C, 3) positions of its cameras, metres
    light: np.ndarray  # (3,) unit vector towards the lamps, world
    ambient: float  # share of ambient light
    gain: np.ndarray  # (3,) colour cast
    noise: float  # standard deviation of the sensor noise, of 255
    fps: float  # of its videos
    shutter: float  # open share of a frame's time
    board: np.ndarray | None  # RGB texture of the moving advertising board
    board_line: np.ndarray  # (2, 3) lower left and lower right end of the board on the floor, metres
    seed: int  # determines the objects in front of each camera position


def make_venue(name: str, rng: np.random.Generator, sport: bool = True) -> Venue:
    """Build a hall (or, without ``sport``, an everyday place of the same size)."""
    hue = rng.random()
    light = np.array([rng.uniform(-0.5, 0.5), rng.uniform(-0.8, -0.2), 1.0])
    cameras = np.array([
        (rng.uniform(-1.5, 1.5), rng.uniform(-17, -14), rng.uniform(1.4, 2.6)),
        (rng.uniform(-12, -9), rng.uniform(-12, -9), rng.uniform(1.6, 3.2)),
        (rng.uniform(9, 12), rng.uniform(-14, -11), rng.uniform(2.5, 4.5)),
    ])  # fmt: skip
    y = FAR - rng.uniform(2.2, 3.4)
    floor = _paint_floor(rng, hue, sport)
    far, left, right, near = (
        _paint_wall(rng, hue, metres, stands if sport else min(stands, 0.2))
        for metres, stands in ((2 * HALF_WIDTH, 0.8), (FAR + NEAR, 0.5), (FAR + NEAR, 0.5), (2 * HALF_WIDTH, 0.0))
    )
    walls = (2, 0.0, floor), (1, FAR, far), (1, -NEAR, near), (0, -HALF_WIDTH, left), (0, HALF_WIDTH, right)
    ceiling = np.full((1, 1, 3), (62, 62, 68), np.uint8)
    return Venue(
        name=name,
        surfaces=(*walls, (2, HEIGHT, ceiling)),
        cameras=cameras,
        light=light / np.linalg.norm(light),
        ambient=rng.uniform(0.58, 0.72),
        gain=rng.uniform(1.0, 1.14, 3),
        noise=rng.uniform(2.5, 6.0),
        fps=float(rng.choice([25, 30])),
        shutter=rng.uniform(0.45, 0.75),
        board=paint_board(rng, hue) if sport else None,
        board_line=np.array([(-9.0, y, 0.0), (9.0, y, 0.0)]),
        seed=int(rng.integers(1 << 31)),
    )


def _mottle(rng: np.random.Generator, shape: tuple[int, int], color: np.ndarray, strength: float) -> np.ndarray:
    grain = rng.standard_normal((shape[0] // 16 + 2, shape[1] // 16 + 2)).astype(np.float32)
    grain = cv2.resize(grain, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    fine = rng.standard_normal(shape).astype(np.float32)
    return np.clip(color + (strength * grain + 0.5 * strength * fine)[..., None], 0, 255).astype(np.uint8)


def _rgb(color: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(c) for c in np.clip(color, 0, 255))
    return red, green, blue


def _paint_floor(rng: np.random.Generator, hue: float, sport: bool) -> np.ndarray:
    wide, deep = int(2 * HALF_WIDTH * _PX_PER_M), int((FAR + NEAR) * _PX_PER_M)
    base = vivid(rng.choice([0.08, 0.6, hue]), rng.uniform(0.1, 0.4), rng.uniform(0.4, 0.75))
    floor = _mottle(rng, (deep, wide), base, 5)

    def box(x0: float, y0: float, x1: float, y1: float, color: np.ndarray, thick: int = -1) -> None:
        a = int((x0 + HALF_WIDTH) * _PX_PER_M), int((FAR - y1) * _PX_PER_M)
        b = int((x1 + HALF_WIDTH) * _PX_PER_M), int((FAR - y0) * _PX_PER_M)
        cv2.rectangle(floor, a, b, _rgb(color), thick)

    if sport:
        mat = vivid(hue + rng.uniform(-0.1, 0.1), rng.uniform(0.25, 0.5), rng.uniform(0.5, 0.75))
        box(-11.5, -2.6, 11.5, 2.6, mat * 0.8)
        box(-11, -2.1, 11, 2.1, mat)
        for x in np.arange(-11, 11, 2.0):
            box(x, -2.1, x + 2.0, 2.1, mat * 0.86, 2)
        box(-11, -2.1, 11, 2.1, np.array([240, 240, 240]), 3)
    for _ in range(14 if sport else 40):
        x, y = rng.uniform(-16, 14), rng.choice([rng.uniform(3.2, 7), rng.uniform(-20, -4)])
        color = vivid(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.2, 0.9))
        box(x, y, x + rng.uniform(0.3, 3), y + rng.uniform(0.1, 1.2), color, -1 if rng.random() < 0.7 else 3)
    return cv2.GaussianBlur(floor, (3, 3), 0)


def _paint_wall(rng: np.random.Generator, hue: float, metres: float, stands: float) -> np.ndarray:
    """Paint a wall ``metres`` wide, with the probability ``stands`` of spectators."""
    with_stands = stands > 0 and rng.random() < stands
    wide, high = int(metres * _PX_PER_M), int(HEIGHT * _PX_PER_M)
    base = vivid(hue + rng.uniform(-0.15, 0.15), rng.uniform(0.03, 0.4), rng.uniform(0.3, 0.8))
    wall = _mottle(rng, (high, wide), base, 4)
    skirting = slice(-int(0.9 * _PX_PER_M), None)
    wall[skirting] = (wall[skirting] * 0.7).astype(np.uint8)
    for _ in range(int(metres / 4)):
        x, y = int(rng.uniform(0, wide)), int(rng.uniform(0.0, 0.75) * high)
        size = (int(rng.uniform(0.5, 4) * _PX_PER_M), int(rng.uniform(0.4, 2.0) * _PX_PER_M))
        color = vivid(rng.random(), rng.uniform(0, 0.6), rng.uniform(0.2, 0.8))
        cv2.rectangle(wall, (x, y), (x + size[0], y + size[1]), _rgb(color), -1)
        word = ''.join(rng.choice(list('AEIOVPDMKRST'), 5))
        cv2.putText(wall, word, (x + 4, y + size[1] // 2 + 6), 0, size[1] / 60 + 0.3, _rgb(255 - color), 3, cv2.LINE_AA)
    if with_stands:
        tiers = slice(high - int(5.0 * _PX_PER_M), high - int(1.1 * _PX_PER_M))
        wall[tiers] = (0.25 * wall[tiers] + 22).astype(np.uint8)
        row_px = int(0.62 * _PX_PER_M)
        for k in range(6):
            bottom = high - int(1.1 * _PX_PER_M) - k * row_px
            cv2.rectangle(wall, (0, bottom - 6), (wide, bottom), _rgb(base * 0.22), -1)
            for seat in np.arange(rng.uniform(0, 20), wide, 0.55 * _PX_PER_M):
                if rng.random() < 0.72:
                    _spectator(wall, rng, int(seat + rng.uniform(-3, 3)), bottom)
    return cv2.GaussianBlur(wall, (5, 5), 0)


def _spectator(wall: np.ndarray, rng: np.random.Generator, x: int, y: int) -> None:
    # The stands are dark: the lamps point at the track.
    shirt = vivid(rng.random(), rng.uniform(0, 0.55), rng.uniform(0.15, 0.5))
    cv2.ellipse(wall, (x, y - 3), (7, 9), 0, 0, 360, _rgb(shirt), -1)
    cv2.circle(wall, (x, y - 16), 4, _rgb(0.5 * HAIR[rng.integers(len(HAIR))]), -1)
    cv2.circle(wall, (x, y - 14), 3, _rgb(0.5 * SKIN[rng.integers(len(SKIN))]), -1)


def paint_board(rng: np.random.Generator, hue: float) -> np.ndarray:
    """Return (32, 1024, 3) RGB of an advertising board: colours and words."""
    board = np.zeros((32, 1024, 3), np.uint8)
    x = 0
    while x < 1024:
        size = int(rng.integers(60, 180))
        color = vivid(hue + rng.uniform(0.2, 0.8), rng.uniform(0.3, 0.8), rng.uniform(0.25, 0.8))
        cv2.rectangle(board, (x, 0), (x + size, 32), _rgb(color), -1)
        word = ''.join(rng.choice(list('AEIOVPDMKRST'), size // 24))
        cv2.putText(board, word, (x + 6, 24), 0, 0.8, _rgb(255 - color), 2, cv2.LINE_AA)
        x += size
    return board


def panorama(venue: Venue, centre: np.ndarray) -> tuple[np.ndarray, CameraTrack]:
    """Trace the hall from ``centre``, wide enough for every pan; return RGB uint8 (H, W, 3) and its camera."""
    focal = 850.0
    to = np.array([0.0, 0.0, 1.2]) - centre
    angles = np.arctan2(to[1], to[0]), np.arctan2(to[2], np.hypot(to[0], to[1])), 0.0
    size = 2 * int(focal * np.tan(np.deg2rad(38))), 2 * int(focal * np.tan(np.deg2rad(19)))
    camera = CameraTrack(centre, look_rotation(*np.array(angles)[:, None]), np.array([focal]), size)
    return trace(venue, camera), camera


def trace(venue: Venue, camera: CameraTrack) -> np.ndarray:
    """Trace the empty hall through a camera of one moment; return (H, W, 3) uint8."""
    wide, high = camera.size
    x, y = np.meshgrid(np.arange(wide) + 0.5 - wide / 2, np.arange(high) + 0.5 - high / 2)
    focal = float(camera.focal[0])
    rays = np.stack([x / focal, y / focal, np.ones_like(x)], axis=-1) @ camera.rotation[0]
    centre = camera.centre
    best = np.full(x.shape, np.inf)
    out = np.zeros((high, wide, 3), np.uint8)
    for axis, level, texture in venue.surfaces:
        speed = rays[..., axis]
        distance = (level - centre[axis]) / np.where(np.abs(speed) < 1e-9, 1e-9, speed)
        nearer = (distance > 0) & (distance < best)
        best = np.where(nearer, distance, best)
        hit = centre + rays * distance[..., None]
        across = hit[..., 1] + NEAR if axis == 0 else hit[..., 0] + HALF_WIDTH
        down = FAR - hit[..., 1] if axis == 2 else HEIGHT - hit[..., 2]
        x, y = (np.where(nearer, metres * _PX_PER_M, 0).astype(np.float32) for metres in (across, down))
        out[nearer] = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[nearer]
    # A telephoto lens is focused on the athlete; the background is softer.
    return cv2.GaussianBlur(out, (0, 0), 1.1)


def draw_board(image: np.ndarray, venue: Venue, camera: CameraTrack, scroll_px: float) -> None:
    """Draw the visible 512 x 32 part of the board over ``image`` (H, W, 3) uint8 of one moment."""
    if venue.board is None:
        return
    low = venue.board_line
    corners = camera.project(np.concatenate([low + (0, 0, 0.85), low[::-1]])[None])[0]
    if corners[:, 2].min() < 1.0:
        return
    source = np.array([(0, 0), (512, 0), (512, 32), (0, 32)], np.float32)
    warp = cv2.getPerspectiveTransform(source, corners[:, :2].astype(np.float32))
    # Only the pixels that the board, with one more texel at each side, covers.
    x, y = cv2.perspectiveTransform((source + np.where(source > 0, 1, -1))[None], warp)[0].T
    x0, x1 = np.clip((x.min() - 1, x.max() + 2), 0, image.shape[1]).astype(int)
    y0, y1 = np.clip((y.min() - 1, y.max() + 2), 0, image.shape[0]).astype(int)
    if x0 == x1 or y0 == y1:
        return
    start = int(scroll_px) % 512
    view = image[y0:y1, x0:x1]
    shift = np.array([(1.0, 0, -x0), (0, 1, -y0), (0, 0, 1)])
    cv2.warpPerspective(
        venue.board[:, start : start + 512], shift @ warp, view.shape[1::-1], view, borderMode=cv2.BORDER_TRANSPARENT
    )
