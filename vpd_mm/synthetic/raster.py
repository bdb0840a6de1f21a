"""Compiled drawing loops: tapered capsules with depth, shading and cloth patterns, averaged over the shutter."""

import numba
import numpy as np


def _jit(function):
    """Compile; cache the machine code where a folder for it is writable."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return numba.njit(nogil=True)(function)


#: Columns of a part: first end u, v (px), depth (m), radius (px), radius (m); second end likewise; then three unit
#: vectors in camera coordinates: forward, left and up of the part.
PART_SIZE = 19
#: Positions of the samples within a pixel, so that averaging over the shutter also smooths the edges.
_JITTER = np.array([
    (-0.31, -0.06), (0.06, 0.31), (0.31, -0.19), (-0.19, 0.19),
    (0.19, 0.06), (-0.06, -0.31), (0.44, 0.44), (-0.44, -0.44),
], np.float32)  # fmt: skip


@_jit
def _bounds(parts, margin, height, width):
    """Return x0, y0, x1, y1 of the pixels within ``margin`` of parts (P, 19), cut at the image."""
    left, top, right, bottom = 1e9, 1e9, -1e9, -1e9
    for p in range(parts.shape[0]):
        for e in (0, 5):
            u, v, r = parts[p, e], parts[p, e + 1], parts[p, e + 3] + margin
            left, right = min(left, u - r), max(right, u + r)
            top, bottom = min(top, v - r), max(bottom, v + r)
    return max(int(left), 0), max(int(top), 0), min(int(right) + 2, width), min(int(bottom) + 2, height)


@_jit
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
        light: (3,) float32 towards the light, in camera coordinates.
        ambient: Share of ambient light.
        joints: (K, 3) float32 pixel x, y and depth at which each joint counts as hidden.
        hidden: (K,) uint8, set to 1 where the figure itself is nearer than the joint at mid-shutter.
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


@_jit
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


@_jit
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


@_jit
def develop(image, noise, sigma, gain, out):
    """Convert (H, W, 3) float32 to uint8 ``out`` with exposure ``gain`` (3,) and ``noise`` that grows with light."""
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            for c in range(3):
                value = image[y, x, c] * gain[c]
                value += noise[y, x, c] * sigma * (0.5 + 0.003 * value)
                out[y, x, c] = np.uint8(min(max(value + 0.5, 0.0), 255.0))
