"""Rendering of bodies, camera and hall to images, with boxes and joint visibility.

Bodies and objects are tapered capsules with depth, shading and cloth patterns, averaged over the shutter.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..compat.numba_kernels import compiled
from .appearance import Look, capsule_ends
from .camera import CameraTrack
from .skeleton import Body, Posture
from .venue import Venue, draw_board

#: A joint is hidden when another part of the body is nearer by this much (metres), a bit more than the joint's own
#: thickness.  The face lies on the surface of the head, so it has less.
_JOINT_DEPTH = np.repeat([0.035, 0.08, 0.11, 0.07, 0.06, 0.16, 0.09, 0.07], [3, 2, 2, 2, 2, 2, 2, 2])
HIDDEN, VISIBLE, OUTSIDE = 1, 2, 0
#: Columns of a part: first end u, v (px), depth (m), radius (px), radius (m); second end likewise; then three unit
#: vectors in camera coordinates: forward, left and up of the part.
PART_SIZE = 19
#: Positions of the samples within a pixel, so that averaging over the shutter also smooths the edges.
_JITTER = np.array([
    (-0.31, -0.06), (0.06, 0.31), (0.31, -0.19), (-0.19, 0.19),
    (0.19, 0.06), (-0.06, -0.31), (0.44, 0.44), (-0.44, -0.44),
], np.float32)  # fmt: skip


@compiled()
def _bounds(parts, margin, height, width):
    """Return x0, y0, x1, y1 of the pixels within ``margin`` of parts (P, 19), cut at the image."""
    left, top, right, bottom = 1e9, 1e9, -1e9, -1e9
    for p in range(parts.shape[0]):
        for e in (0, 5):
            u, v, r = parts[p, e], parts[p, e + 1], parts[p, e + 3] + margin
            left, right = min(left, u - r), max(right, u + r)
            top, bottom = min(top, v - r), max(bottom, v + r)
    return max(int(left), 0), max(int(top), 0), min(int(right) + 2, width), min(int(bottom) + 2, height)


@compiled()
def draw_figure(image, parts, kinds, colors, params, light, ambient, joints, hidden, cover):
    """Draw one figure over the image.

    Args:
        image: (H, W, 3) float32, drawn upon.
        parts: (S, P, 19) float32, S moments within the shutter.
        kinds: (P,) uint8; 0 = cloth or skin, 1 = head.
        colors: (P, 5, 3) float32: front, back, side trim, first end, second end; of a head
            face, hair, eyes, hair, lips.
        params: (P, 4) float32: positions along the part where its first end colour stops and its second begins, the
            sideways slope beyond which the trim shows, width of a chest badge (0 = none).
        light, ambient: (3,) float32 towards the light, in camera coordinates; share of ambient light.
        joints, hidden: (K, 3) float32 as of a Figure; (K,) uint8, set to 1 where the figure itself is nearer than the
            joint at mid-shutter.
        cover: (H, W) float32, set to the opacity of the figure.
    """
    num_sub, num_parts = parts.shape[0], parts.shape[1]
    x0, y0, x1, y1 = _bounds(parts.reshape(-1, PART_SIZE), 1.0, image.shape[0], image.shape[1])
    if x1 <= x0 or y1 <= y0:
        return
    w, h = x1 - x0, y1 - y0
    total = np.zeros((h, w, 4), np.float32)
    depth = np.empty((h, w), np.float32)
    shade = np.empty((h, w, 4), np.float32)
    for s in range(num_sub):
        depth[:] = 1e9
        shade[:] = 0
        jx, jy = _JITTER[s % 8, 0], _JITTER[s % 8, 1]
        for p in range(num_parts):
            _draw_part(parts[s, p], kinds[p], colors[p], params[p], light, ambient, x0, y0, jx, jy, depth, shade)
        total += shade
        if s == num_sub // 2:
            for k in range(joints.shape[0]):
                x, y = int(np.floor(joints[k, 0])) - x0, int(np.floor(joints[k, 1])) - y0
                if 0 <= x < w and 0 <= y < h and depth[y, x] < joints[k, 2]:
                    hidden[k] = 1
    total *= np.float32(1.0 / num_sub)
    cover[y0:y1, x0:x1] = total[:, :, 3]
    for y in range(h):
        for x in range(w):
            if total[y, x, 3] > 0:
                for c in range(3):
                    image[y0 + y, x0 + x, c] = image[y0 + y, x0 + x, c] * (1 - total[y, x, 3]) + total[y, x, c]


@compiled()
def _draw_part(part, kind, colors, params, light, ambient, x0, y0, jx, jy, depth, shade):
    h, w = depth.shape
    ua, va, za, ra, ma = part[0], part[1], part[2], part[3], part[4]
    ub, vb, zb, rb, mb = part[5], part[6], part[7], part[8], part[9]
    big = max(ra, rb)
    xs = max(int(min(ua, ub) - big - x0), 0)
    xe = min(int(max(ua, ub) + big - x0) + 2, w)
    ys = max(int(min(va, vb) - big - y0), 0)
    ye = min(int(max(va, vb) + big - y0) + 2, h)
    du, dv = ub - ua, vb - va
    length2 = du * du + dv * dv
    inverse = 1.0 / length2 if length2 > 1e-6 else 0.0
    for y in range(ys, ye):
        py = y + y0 + np.float32(0.5) + jy - va
        for x in range(xs, xe):
            px = x + x0 + np.float32(0.5) + jx - ua
            t = min(max((px * du + py * dv) * inverse, np.float32(0.0)), np.float32(1.0))
            ex, ey = px - t * du, py - t * dv
            r = ra + t * (rb - ra)
            d2 = ex * ex + ey * ey
            if d2 >= r * r:
                continue
            nz = np.sqrt(1.0 - d2 / (r * r))
            z = za + t * (zb - za) - nz * (ma + t * (mb - ma))
            if z >= depth[y, x]:
                continue
            depth[y, x] = z
            nx, ny = ex / r, ey / r
            front = nx * part[10] + ny * part[11] - nz * part[12]
            side = nx * part[13] + ny * part[14] - nz * part[15]
            up = nx * part[16] + ny * part[17] - nz * part[18]
            if kind == 1:
                pick = 1
                if front > 0.28 and up < 0.62 and abs(side) < 0.86:
                    pick = 0
                    if 0.02 < up < 0.26 and 0.18 < abs(side) < 0.56:
                        pick = 2
                    elif abs(side) < 0.26 and -0.62 < up < -0.42:
                        pick = 4
                elif up < -0.45 and front > -0.3:
                    pick = 0
            elif t < params[0]:
                pick = 3
            elif t > params[1]:
                pick = 4
            elif abs(side) > params[2]:
                pick = 2
            elif front > 0:
                pick = 2 if abs(side) < params[3] and 0.15 < t < 0.55 else 0
            else:
                pick = 1
            lit = nx * light[0] + ny * light[1] - nz * light[2]
            tone = (ambient + (1 - ambient) * max(lit, np.float32(0.0))) * (0.72 + 0.28 * nz)
            for c in range(3):
                shade[y, x, c] = colors[pick, c] * tone
            shade[y, x, 3] = 1


@compiled()
def darken_figure(image, parts, strength):
    """Draw a soft shadow: parts (P, 19) whose ends lie on the floor darken (H, W, 3) ``image`` once."""
    x0, y0, x1, y1 = _bounds(parts, 3.0, image.shape[0], image.shape[1])
    if x1 <= x0 or y1 <= y0:
        return
    dark = np.zeros((y1 - y0, x1 - x0), np.float32)
    for p in range(parts.shape[0]):
        ua, va, ra, ub, vb, rb = parts[p, 0], parts[p, 1], parts[p, 3], parts[p, 5], parts[p, 6], parts[p, 8]
        big = max(ra, rb) + 2
        du, dv = ub - ua, vb - va
        length2 = du * du + dv * dv
        inverse = 1.0 / length2 if length2 > 1e-6 else 0.0
        for y in range(max(int(min(va, vb) - big), y0), min(int(max(va, vb) + big) + 2, y1)):
            for x in range(max(int(min(ua, ub) - big), x0), min(int(max(ua, ub) + big) + 2, x1)):
                px, py = x + np.float32(0.5) - ua, y + np.float32(0.5) - va
                t = min(max((px * du + py * dv) * inverse, np.float32(0.0)), np.float32(1.0))
                ex, ey = px - t * du, (py - t * dv) * np.float32(1.7)
                r = ra + t * (rb - ra) + np.float32(1.5)
                a = min(1.5 * (1 - np.sqrt(ex * ex + ey * ey) / r), np.float32(1.0))
                dark[y - y0, x - x0] = max(dark[y - y0, x - x0], a)
    patch = image[y0:y1, x0:x1]
    patch[:] = patch * (1 - strength * np.expand_dims(dark, 2))


@compiled()
def develop(image, noise, sigma, gain, out):
    """Convert (H, W, 3) float32 to uint8 ``out`` with exposure ``gain`` (3,) and ``noise`` that grows with light."""
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            for c in range(3):
                value = image[y, x, c] * gain[c]
                value += noise[y, x, c] * sigma * (0.5 + 0.003 * value)
                out[y, x, c] = np.uint8(min(max(value + 0.5, 0.0), 255.0))


@dataclass(frozen=True, eq=False)
class Figure:
    """A person or object over T frames of S moments each."""

    parts: np.ndarray  # (T, S, P, 19) float32, see PART_SIZE
    look: Look
    depth: np.ndarray  # (T,) metres from the camera; far figures are drawn first
    shadow: np.ndarray  # (T, P, 19) float32 parts on the floor; P = 0 for no shadow
    joints: np.ndarray  # (T, 17, 3) float32 px x, y and depth at which a joint counts as hidden; (T, 0, 3) for none

    @property
    def boxes(self) -> np.ndarray:
        """(T, 4) xyxy around the whole figure at mid-shutter, including hidden parts; may extend beyond the image."""
        return self.group_boxes(self.parts.shape[2])[:, 0]

    def group_boxes(self, size: int) -> np.ndarray:
        """Return (T, P / size, 4) xyxy around every ``size`` parts: the people of a crowd drawn as one figure."""
        mid = self.parts[:, self.parts.shape[1] // 2]
        ends = mid[..., :10].reshape(len(mid), -1, size, 2, 5)
        xy, radius = ends[..., :2], ends[..., 3:4]
        return np.concatenate([(xy - radius).min(axis=(2, 3)), (xy + radius).max(axis=(2, 3))], axis=-1)


def project_capsules(ends: np.ndarray, radii: np.ndarray, axes: np.ndarray | None, camera: CameraTrack) -> np.ndarray:
    """Project capsules in the world, as of :func:`capsule_ends`, to (T, P, 19) float32 parts.

    ``axes`` is None for objects without a front; ``camera`` has T moments.
    """
    pixel = camera.project(ends)
    radii_px = radii * camera.focal[:, None, None] / pixel[..., 2]
    columns = [pixel, radii_px[..., None], np.broadcast_to(radii[..., None], radii_px.shape + (1,))]
    out = np.zeros(ends.shape[:2] + (PART_SIZE,), np.float32)
    out[..., :10] = np.concatenate(columns, axis=-1).reshape(out.shape[:2] + (10,))
    if axes is not None:
        turned = np.einsum('tij,tpjk->tpki', camera.rotation, axes)
        out[..., 10:] = turned.reshape(turned.shape[:2] + (9,))
    return out


def make_figure(
    body: Body,
    posture: Posture,
    look: Look,
    camera: CameraTrack,
    sub_frames: int,
    light: np.ndarray,
    joints: bool = False,
) -> Figure:
    """Make a Figure of T frames of a person at T * S moments; ``light`` (3,) points to the lamps."""
    ends, radii, axes = capsule_ends(body, posture.nodes, posture.frames, look)
    parts = project_capsules(ends, radii, axes, camera)
    mid = slice(sub_frames // 2, None, sub_frames)
    flat = ends[mid] - ends[mid][..., 2:] * (light / light[2])
    shadow = project_capsules(flat, radii * 0.9, None, camera[mid])
    pixels = camera[mid].project(posture.joints[mid][:, : 17 * joints])
    if joints:
        pixels[..., 2] -= _JOINT_DEPTH * body.stature / 1.65
    depth = camera[mid].to_camera(posture.nodes[mid][:, 0])[:, 2]
    return Figure(parts.reshape((-1, sub_frames) + parts.shape[1:]), look, depth, shadow, pixels.astype(np.float32))


def make_thing(ends: np.ndarray, radii: np.ndarray, colors: np.ndarray, camera: CameraTrack, sub_frames: int) -> Figure:
    """Make an object (post, rail, heads of a crowd) of capsules, (P, 2, 3) at rest or (T * S, P, 2, 3) moving."""
    parts = project_capsules(np.broadcast_to(ends, (len(camera),) + ends.shape[-3:]), radii, None, camera)
    parts = parts.reshape((-1, sub_frames) + parts.shape[1:])
    depth = parts[:, sub_frames // 2, :, 2].min(axis=1)
    no_shadow, no_joints = (np.zeros((len(parts), 0, size), np.float32) for size in (PART_SIZE, 3))
    return Figure(parts, Look.plain(colors), depth, no_shadow, no_joints)


class SceneRenderer:
    """Render the frames of one shot.

    Args:
        venue, rng: The hall; the generator of the noise.
        camera, sub_frames: T * S moments, and S.
        figures: People and objects; T frames each.
        backdrop: Image of the empty hall from this position and its camera, as of :func:`venue.panorama`.
    """

    def __init__(
        self,
        venue: Venue,
        camera: CameraTrack,
        figures: list[Figure],
        rng: np.random.Generator,
        sub_frames: int,
        backdrop: tuple[np.ndarray, CameraTrack],
    ) -> None:
        self.venue, self.camera, self.figures, self.rng, self.sub_frames = venue, camera, figures, rng, sub_frames
        wide, high = camera.size
        grain = rng.standard_normal((high + 97, wide + 97, 3)).astype(np.float32)
        self._noise = cv2.GaussianBlur(grain, (3, 3), 0.6) * 1.6
        self._backdrop, reference = backdrop
        back = reference.rotation[0].T @ np.linalg.inv(reference.intrinsics[0])
        self._warps = camera.intrinsics @ camera.rotation @ back
        self._scroll = rng.uniform(-60, 60)

    def __len__(self) -> int:
        return len(self.camera) // self.sub_frames

    def render(self, frame: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Render one frame.

        Returns:
            RGB uint8 (H, W, 3), and for every figure with joints (17,) uint8: 2 visible, 1 hidden by a body or object,
            0 outside the image.
        """
        image = self._background(frame)
        wide, high = self.camera.size
        mid = frame * self.sub_frames + self.sub_frames // 2
        light = (self.camera.rotation[mid] @ self.venue.light).astype(np.float32)
        for figure in self.figures:
            darken_figure(image, figure.shadow[frame], np.float32(0.38))
        visible: dict[int, np.ndarray] = {}
        at: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for k in sorted(range(len(self.figures)), key=lambda k: -self.figures[k].depth[frame]):
            look, joints = self.figures[k].look, self.figures[k].joints[frame]
            hidden = np.zeros(len(joints), np.uint8)
            cover = np.zeros((high, wide), np.float32)
            draw_figure(
                image, self.figures[k].parts[frame], look.kinds, look.colors, look.params, light,
                np.float32(self.venue.ambient), joints, hidden, cover,
            )  # fmt: skip
            for other, (x, y) in at.items():
                visible[other][(cover[y, x] > 0.5) & (visible[other] != OUTSIDE)] = HIDDEN
            if len(joints):
                pixels = np.floor(joints[:, :2]).astype(int)
                inside = ((pixels >= 0) & (pixels < (wide, high))).all(axis=1)
                x, y = pixels.clip(0, (wide - 1, high - 1)).T
                at[k] = x, y
                visible[k] = np.where(inside, np.where(hidden, HIDDEN, VISIBLE), OUTSIDE).astype(np.uint8)
        row, column = self.rng.integers(0, 97, 2)
        out = np.empty((high, wide, 3), np.uint8)
        noise = self._noise[row : row + high, column : column + wide]
        develop(image, noise, np.float32(self.venue.noise), self.venue.gain.astype(np.float32), out)
        return out, [visible[k] for k in sorted(visible)]

    def _background(self, frame: int) -> np.ndarray:
        size, first = self.camera.size, frame * self.sub_frames
        warps = self._warps[first : first + self.sub_frames]
        # One moment per half pixel of image motion, at most all of them.
        middle = np.array(size) / 2
        moved = warps[-1] @ (np.linalg.inv(warps[0]) @ np.append(middle, 1.0))
        shift = np.hypot(*(moved[:2] / moved[2] - middle))
        num = int(np.clip(np.ceil(2 * shift), 1, self.sub_frames))
        picks = np.unique(np.linspace(0, self.sub_frames - 1, num).round().astype(int))
        if num == 1:
            picks = np.array([self.sub_frames // 2])
        scroll = self._scroll * frame / self.venue.fps
        total = np.zeros((size[1], size[0], 3), np.float32)
        for k in picks:
            view = cv2.warpPerspective(
                self._backdrop, warps[k], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            draw_board(view, self.venue, self.camera[first + k : first + k + 1], scroll)
            cv2.accumulate(view, total)
        return total / len(picks)
