"""Appearance of people: body parts, colours and patterns of their clothes."""

import colorsys
from dataclasses import dataclass

import numpy as np

from .skeleton import FRAME, NODE, Body

SKIN = np.array([(245, 205, 175), (228, 180, 145), (200, 150, 115), (160, 112, 80), (112, 76, 54), (80, 54, 40)], float)
HAIR = np.array([(30, 24, 20), (52, 36, 26), (96, 64, 38), (168, 126, 72), (208, 178, 116), (120, 52, 26)], float)

#: Name, nodes at both ends, frame, radii at both ends, offsets of both ends from the nodes (forward, left, up); radii
#: and offsets are shares of the stature, offsets of 0 are left out.
_CENTRE_PARTS = (
    ('hips', 'l_hip', 'r_hip', 'pelvis', 0.058, 0.058, (0, 0, 0.012), (0, 0, 0.012)),
    ('belly', 'pelvis', 'waist', 'waist', 0.060, 0.058, (0, 0, 0.02), (0, 0, 0.02)),
    ('chest', 'waist', 'neck', 'chest', 0.058, 0.056, (0, 0, -0.012), (0, 0, -0.012)),
    ('collar', 'l_shoulder', 'r_shoulder', 'chest', 0.036, 0.036, (0, 0, -0.006), (0, 0, -0.006)),
    ('throat', 'neck', 'head_base', 'chest', 0.030, 0.029),
    ('l_ribs', 'waist', 'neck', 'chest', 0.048, 0.054, (0, 0.035, -0.02), (0, 0.062, -0.055)),
    ('r_ribs', 'waist', 'neck', 'chest', 0.048, 0.054, (0, -0.035, -0.02), (0, -0.062, -0.055)),
    ('skull', 'head', 'head', 'head', 0.055, 0.054, (-0.006, 0, 0.012), (0.002, 0, -0.002)),
    ('jaw', 'head', 'head', 'head', 0.044, 0.03, (0.016, 0, -0.018), (0.02, 0, -0.034)),
    ('nose', 'head', 'nose', 'head', 0.010, 0.012, (0.05, 0, 0.0), (-0.006, 0, -0.004)),
    ('bun', 'head', 'head', 'head', 0.026, 0.024, (-0.052, 0, 0.034), (-0.066, 0, 0.03)),
)
_SIDE_PARTS = (
    ('upper_arm', 'shoulder', 'elbow', 'upper_arm', 0.031, 0.024),
    ('forearm', 'elbow', 'wrist', 'forearm', 0.025, 0.017),
    ('hand', 'wrist', 'fingers', 'forearm', 0.019, 0.013),
    ('thigh', 'hip', 'knee', 'thigh', 0.052, 0.035),
    ('shank', 'knee', 'ankle', 'shank', 0.036, 0.021),
    ('foot', 'heel', 'toe', 'foot', 0.019, 0.014),
)
_PARTS: tuple[tuple, ...] = _CENTRE_PARTS + tuple(
    (*(f'{s}_{name}' for name in p[:4]), *p[4:]) for s in 'lr' for p in _SIDE_PARTS
)
PART = {part[0]: i for i, part in enumerate(_PARTS)}
_NODES = np.array([(NODE[a], NODE[b]) for _, a, b, *_ in _PARTS])
_FRAMES = np.array([FRAME[part[3]] for part in _PARTS])
_RADII = np.array([part[4:6] for part in _PARTS])
_OFFSETS = np.array([part[6:] or np.zeros((2, 3)) for part in _PARTS], float)
_RIBS = slice(PART['l_ribs'], PART['r_ribs'] + 1)
_HEAD = slice(PART['skull'], PART['bun'] + 1)
#: Frame of the offset of each end; the ribs start in that of the waist.
_END_FRAMES = np.repeat(_FRAMES[:, None], 2, axis=1)
_END_FRAMES[_RIBS, 0] = FRAME['waist']
TRUNK = ('hips', 'belly', 'chest', 'collar', 'l_ribs', 'r_ribs')


@dataclass(frozen=True, eq=False)
class Look:
    """Colours and patterns of P parts, as :func:`renderer.draw_figure` needs them."""

    kinds: np.ndarray  # (P,) uint8
    colors: np.ndarray  # (P, 5, 3) float32, RGB 0 to 255
    params: np.ndarray  # (P, 4) float32
    widths: np.ndarray  # (P,) thickness of each part relative to the body's

    @classmethod
    def plain(cls, colors: np.ndarray) -> 'Look':
        """Return the look of parts of one colour each (P, 3)."""
        num = len(colors)
        params = np.tile(np.array([-1, 2, 2, 0], np.float32), (num, 1))
        return cls(
            np.zeros(num, np.uint8), np.repeat(colors[:, None], 5, axis=1).astype(np.float32), params, np.ones(num)
        )

    @classmethod
    def bare(cls, skin: np.ndarray, hair: np.ndarray) -> 'Look':
        """Return the look of a body before it is dressed."""
        look = cls.plain(np.tile(skin, (len(PART), 1)))
        for name in ('skull', 'jaw'):
            look.kinds[PART[name]] = 1
            look.colors[PART[name]] = (skin, hair, skin * 0.16, hair, skin * np.array([0.78, 0.5, 0.5]))
        look.colors[PART['jaw'], 1] = skin * 0.93
        look.colors[PART['nose']] = skin * 0.9
        return look

    def cloth(self, names: tuple[str, ...], front, back, trim, trim_at: float = 2.0, badge: float = 0.0) -> None:
        for name in names:
            self.colors[PART[name], :3] = front, back, trim
            self.params[PART[name], 2:] = trim_at, badge

    def limb(self, name: str, color, end: float = 2.0, start: float = -1.0) -> None:
        """Cover both sides' ``name`` with ``color`` from ``start`` to ``end`` of its length; skin elsewhere."""
        for k in (PART[f'l_{name}'], PART[f'r_{name}']):
            self.colors[k, :3] = color
            self.params[k, :2] = start, end

    def bun(self, visible: bool) -> None:
        if visible:
            self.colors[PART['bun'], :3] = self.colors[PART['skull'], 1]
        else:
            self.widths[PART['bun']] = 0.01


def capsule_ends(body: Body, nodes: np.ndarray, frames: np.ndarray, look: Look) -> tuple[np.ndarray, ...]:
    """Return the parts of the body in the world.

    Returns:
        ends (T, P, 2, 3) metres, radii (P, 2) metres, axes (T, P, 3, 3) with columns forward, left, up of each part.
    """
    offsets = _OFFSETS.copy()
    offsets[_RIBS, :, 1] *= body.hips, body.shoulders
    turned = frames[:, _END_FRAMES] @ (body.stature * offsets)[..., None]
    thick = np.full(len(PART), body.girth)
    thick[_HEAD] = body.head_size
    radii = _RADII * body.stature * thick[:, None] * look.widths[:, None]
    return nodes[:, _NODES] + turned[..., 0], radii, frames[:, _FRAMES]


def vivid(hue: float, saturation: float, value: float) -> np.ndarray:
    """Return (3,) RGB 0 to 255."""
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 1, np.clip(saturation, 0, 1), np.clip(value, 0, 1)))


def athlete_look(rng: np.random.Generator, hue: float) -> Look:
    """Return a kit in the club's colour: a leotard with different front and back, trim, a badge, short or long legs."""
    look = Look.bare(SKIN[rng.integers(len(SKIN))] * rng.uniform(0.94, 1.04), HAIR[rng.integers(len(HAIR))])
    main = vivid(hue, rng.uniform(0.7, 0.95), rng.uniform(0.5, 0.85))
    other = vivid(hue + rng.choice([0.0, 0.5]), rng.uniform(0.1, 0.4), rng.uniform(0.85, 1.0))
    front, back = (other, main) if rng.random() < 0.6 else (main, main * 0.45)
    trim = np.array([245.0, 245, 245]) if rng.random() < 0.5 else np.array([25.0, 25, 30])
    look.cloth(TRUNK, front, back, trim, trim_at=0.86)
    look.cloth(('chest',), front, back, trim, trim_at=0.9, badge=0.45)
    look.cloth(('hips', 'belly'), main, main * 0.55, trim, trim_at=0.9)
    sleeve = rng.choice([0.0, 0.35, 1.0, 1.5])
    if sleeve:
        look.limb('upper_arm', main, min(sleeve, 1.0))
    if sleeve > 1:
        look.limb('forearm', main, 0.85)
    leg = rng.choice([0.12, 0.45, 1.5])
    look.limb('thigh', main * 0.8, min(leg, 1.0))
    if leg > 1:
        look.limb('shank', main * 0.8, 0.92)
    if rng.random() < 0.4:
        look.limb('shank', np.full(3, 240.0), start=rng.uniform(0.7, 0.85))
        look.limb('foot', np.full(3, 235.0))
    look.bun(rng.random() < 0.55)
    return look


def everyday_look(rng: np.random.Generator) -> Look:
    """Return street clothes: shirt or jacket, trousers, shorts or skirt-like wide legs, shoes, sometimes a cap."""
    look = Look.bare(SKIN[rng.integers(len(SKIN))] * rng.uniform(0.9, 1.05), HAIR[rng.integers(len(HAIR))])

    def color() -> np.ndarray:
        return vivid(rng.random(), rng.uniform(0, 0.9), rng.uniform(0.12, 1.0))

    shirt, trousers, shoes = color(), color(), color() * 0.7
    back = shirt if rng.random() < 0.5 else shirt * rng.uniform(0.4, 0.9)
    front = color() if rng.random() < 0.35 else shirt
    look.cloth(TRUNK, front, back, shirt * 0.8, trim_at=rng.uniform(0.7, 1.1), badge=rng.choice([0.0, 0.3, 0.6]))
    look.cloth(('hips',), trousers, trousers, trousers)
    if rng.random() < 0.4:
        look.cloth(('belly',), trousers, trousers, trousers)
    loose = rng.uniform(1.0, 1.3)
    for name in TRUNK:
        look.widths[PART[name]] = rng.uniform(1.0, 1.08) * loose**0.6
    sleeve = rng.choice([0.4, 0.55, 1.0, 2.0, 2.0])
    look.limb('upper_arm', back, sleeve if sleeve < 1 else 2.0)
    if sleeve > 1:
        look.limb('forearm', back, 0.95)
    leg = rng.choice([0.5, 0.8, 2.0, 2.0, 2.0])
    look.limb('thigh', trousers, leg)
    if leg > 1:
        look.limb('shank', trousers, 0.95)
    look.limb('foot', shoes)
    for side in 'lr':
        for name in ('thigh', 'shank', 'upper_arm', 'forearm'):
            look.widths[PART[f'{side}_{name}']] = loose
        look.widths[PART[f'{side}_foot']] = 1.3
    look.bun(rng.random() >= 0.6)
    if rng.random() < 0.15:
        look.colors[PART['skull'], 1] = color()
    return look
