"""Appearance of people: body parts, colours and patterns of their clothes."""

import colorsys
from dataclasses import dataclass

import numpy as np

from .skeleton import FRAME, NODE, Body

SKIN = np.array([(245, 205, 175), (228, 180, 145), (200, 150, 115), (160, 112, 80), (112, 76, 54), (80, 54, 40)], float)
HAIR = np.array([(30, 24, 20), (52, 36, 26), (96, 64, 38), (168, 126, 72), (208, 178, 116), (120, 52, 26)], float)

#: name, first node, second node, frame, radii (shares of the stature), offset of both ends (forward, left, up).
_CENTRE_PARTS = (
    ('hips', 'l_hip', 'r_hip', 'pelvis', 0.058, 0.058, (0.0, 0.0, 0.012)),
    ('belly', 'pelvis', 'waist', 'waist', 0.060, 0.058, (0.0, 0.0, 0.02)),
    ('chest', 'waist', 'neck', 'chest', 0.058, 0.056, (0.0, 0.0, -0.012)),
    ('collar', 'l_shoulder', 'r_shoulder', 'chest', 0.036, 0.036, (0.0, 0.0, -0.006)),
    ('throat', 'neck', 'head_base', 'chest', 0.030, 0.029, (0.0, 0.0, 0.0)),
)
_SIDE_PARTS = (
    ('upper_arm', 'shoulder', 'elbow', 'upper_arm', 0.031, 0.024),
    ('forearm', 'elbow', 'wrist', 'forearm', 0.025, 0.017),
    ('hand', 'wrist', 'fingers', 'forearm', 0.019, 0.013),
    ('thigh', 'hip', 'knee', 'thigh', 0.052, 0.035),
    ('shank', 'knee', 'ankle', 'shank', 0.036, 0.021),
    ('foot', 'heel', 'toe', 'foot', 0.019, 0.014),
)
PART_NAMES = (
    tuple(p[0] for p in _CENTRE_PARTS)
    + ('l_ribs', 'r_ribs', 'skull', 'jaw', 'nose', 'bun')
    + tuple(f'{side}_{p[0]}' for side in 'lr' for p in _SIDE_PARTS)
)
PART = {name: i for i, name in enumerate(PART_NAMES)}


@dataclass(frozen=True, eq=False)
class Look:
    """Colours and patterns of P parts, as :func:`raster.draw_figure` needs them."""

    kinds: np.ndarray  # (P,) uint8
    colors: np.ndarray  # (P, 5, 3) float32, RGB 0 to 255
    params: np.ndarray  # (P, 4) float32
    widths: np.ndarray  # (P,) thickness of each part relative to the body's


def capsule_ends(body: Body, nodes: np.ndarray, frames: np.ndarray, look: Look) -> tuple[np.ndarray, ...]:
    """Return the parts of the body in the world.

    Returns:
        ends (T, P, 2, 3) metres, radii (P, 2) metres, axes (T, P, 3, 3) with columns forward, left, up of each part.
    """
    h = body.stature
    ends, radii, axes = [], [], []

    def add(a: np.ndarray, b: np.ndarray, frame: str, ra: float, rb: float, thick: float = body.girth) -> None:
        ends.append(np.stack([a, b], axis=1))
        radii.append((ra * h * thick, rb * h * thick))
        axes.append(frames[:, FRAME[frame]])

    def at(name: str, frame: str, offset: tuple[float, float, float]) -> np.ndarray:
        return nodes[:, NODE[name]] + frames[:, FRAME[frame]] @ (h * np.array(offset))

    for _, a, b, frame, ra, rb, offset in _CENTRE_PARTS:
        add(at(a, frame, offset), at(b, frame, offset), frame, ra, rb)
    for sign in (1, -1):
        low = at('waist', 'waist', (0, sign * 0.035 * body.hips, -0.02))
        add(low, at('neck', 'chest', (0, sign * 0.062 * body.shoulders, -0.055)), 'chest', 0.048, 0.054)
    size = body.head_size
    add(at('head', 'head', (-0.006, 0, 0.012)), at('head', 'head', (0.002, 0, -0.002)), 'head', 0.055, 0.054, size)
    add(at('head', 'head', (0.016, 0, -0.018)), at('head', 'head', (0.02, 0, -0.034)), 'head', 0.044, 0.03, size)
    add(at('head', 'head', (0.05, 0, 0.0)), at('nose', 'head', (-0.006, 0, -0.004)), 'head', 0.010, 0.012, size)
    add(at('head', 'head', (-0.052, 0, 0.034)), at('head', 'head', (-0.066, 0, 0.03)), 'head', 0.026, 0.024, size)
    for side in 'lr':
        for _, a, b, frame, ra, rb in _SIDE_PARTS:
            add(nodes[:, NODE[f'{side}_{a}']], nodes[:, NODE[f'{side}_{b}']], f'{side}_{frame}', ra, rb)
    thickness = np.array(radii) * look.widths[:, None]
    return np.stack(ends, axis=1), thickness, np.stack(axes, axis=1)


class _Painter:
    """Collects the arrays of a Look, part by part."""

    def __init__(self, skin: np.ndarray, hair: np.ndarray) -> None:
        n = len(PART_NAMES)
        self.skin, self.hair = skin, hair
        self.colors = np.broadcast_to(skin, (n, 5, 3)).copy()
        self.params = np.tile([-1.0, 2.0, 2.0, 0.0], (n, 1))
        self.widths = np.ones(n)
        self.kinds = np.zeros(n, np.uint8)
        lips = skin * np.array([0.78, 0.5, 0.5])
        for name in ('skull', 'jaw'):
            self.kinds[PART[name]] = 1
            self.colors[PART[name]] = (skin, hair, skin * 0.16, hair, lips)
        self.colors[PART['jaw'], 1] = skin * 0.93
        self.colors[PART['nose']] = skin * 0.9

    def cloth(self, names: tuple[str, ...], front, back, trim, trim_at: float = 2.0, badge: float = 0.0) -> None:
        for name in names:
            self.colors[PART[name], :3] = front, back, trim
            self.params[PART[name], 2:] = trim_at, badge

    def limb(self, name: str, color, end: float = 2.0, start: float = -1.0) -> None:
        """Cover both sides' ``name`` with ``color`` from ``start`` to ``end`` of its length; skin elsewhere."""
        for k in (PART[f'l_{name}'], PART[f'r_{name}']):
            self.colors[k, :3] = color
            self.colors[k, 3:] = self.skin
            self.params[k, :2] = start, end

    def bun(self, visible: bool) -> None:
        if visible:
            self.cloth(('bun',), self.hair, self.hair, self.hair)
        else:
            self.widths[PART['bun']] = 0.01

    def look(self) -> Look:
        return Look(self.kinds, self.colors.astype(np.float32), self.params.astype(np.float32), self.widths)


TRUNK = ('hips', 'belly', 'chest', 'collar', 'l_ribs', 'r_ribs')


def vivid(hue: float, saturation: float, value: float) -> np.ndarray:
    """Return (3,) RGB 0 to 255."""
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 1, np.clip(saturation, 0, 1), np.clip(value, 0, 1)))


def athlete_look(rng: np.random.Generator, hue: float) -> Look:
    """Return a kit in the club's colour: a leotard with different front and back, trim, a badge, short or long legs."""
    painter = _Painter(SKIN[rng.integers(len(SKIN))] * rng.uniform(0.94, 1.04), HAIR[rng.integers(len(HAIR))])
    main = vivid(hue, rng.uniform(0.7, 0.95), rng.uniform(0.5, 0.85))
    other = vivid(hue + rng.choice([0.0, 0.5]), rng.uniform(0.1, 0.4), rng.uniform(0.85, 1.0))
    front, back = (other, main) if rng.random() < 0.6 else (main, main * 0.45)
    trim = np.array([245.0, 245, 245]) if rng.random() < 0.5 else np.array([25.0, 25, 30])
    painter.cloth(TRUNK, front, back, trim, trim_at=0.86)
    painter.cloth(('chest',), front, back, trim, trim_at=0.9, badge=0.45)
    painter.cloth(('hips', 'belly'), main, main * 0.55, trim, trim_at=0.9)
    sleeve = rng.choice([0.0, 0.35, 1.0, 1.5])
    if sleeve:
        painter.limb('upper_arm', main, min(sleeve, 1.0))
    if sleeve > 1:
        painter.limb('forearm', main, 0.85)
    leg = rng.choice([0.12, 0.45, 1.5])
    painter.limb('thigh', main * 0.8, min(leg, 1.0))
    if leg > 1:
        painter.limb('shank', main * 0.8, 0.92)
    if rng.random() < 0.4:
        painter.limb('shank', np.full(3, 240.0), start=rng.uniform(0.7, 0.85))
        painter.limb('foot', np.full(3, 235.0))
    painter.bun(rng.random() < 0.55)
    return painter.look()


def everyday_look(rng: np.random.Generator) -> Look:
    """Return street clothes: shirt or jacket, trousers, shorts or skirt-like wide legs, shoes, sometimes a cap."""
    painter = _Painter(SKIN[rng.integers(len(SKIN))] * rng.uniform(0.9, 1.05), HAIR[rng.integers(len(HAIR))])

    def color() -> np.ndarray:
        return vivid(rng.random(), rng.uniform(0, 0.9), rng.uniform(0.12, 1.0))

    shirt, trousers, shoes = color(), color(), color() * 0.7
    back = shirt if rng.random() < 0.5 else shirt * rng.uniform(0.4, 0.9)
    front = color() if rng.random() < 0.35 else shirt
    painter.cloth(TRUNK, front, back, shirt * 0.8, trim_at=rng.uniform(0.7, 1.1), badge=rng.choice([0.0, 0.3, 0.6]))
    painter.cloth(('hips',), trousers, trousers, trousers)
    if rng.random() < 0.4:
        painter.cloth(('belly',), trousers, trousers, trousers)
    loose = rng.uniform(1.0, 1.3)
    for name in TRUNK:
        painter.widths[PART[name]] = rng.uniform(1.0, 1.08) * loose**0.6
    sleeve = rng.choice([0.4, 0.55, 1.0, 2.0, 2.0])
    painter.limb('upper_arm', back, sleeve if sleeve < 1 else 2.0)
    if sleeve > 1:
        painter.limb('forearm', back, 0.95)
    leg = rng.choice([0.5, 0.8, 2.0, 2.0, 2.0])
    painter.limb('thigh', trousers, leg)
    if leg > 1:
        painter.limb('shank', trousers, 0.95)
    painter.limb('foot', shoes)
    for side in 'lr':
        for name in ('thigh', 'shank', 'upper_arm', 'forearm'):
            painter.widths[PART[f'{side}_{name}']] = loose
        painter.widths[PART[f'{side}_foot']] = 1.3
    painter.bun(rng.random() >= 0.6)
    if rng.random() < 0.15:
        painter.colors[PART['skull'], 1] = color()
    return painter.look()
