"""Numba kernel that augments one crop: color, noise, window, flip and stacking.

It equals the transforms one after the other within rounding.  Numba computes integers in 64 bits, so four bytes share a
word: interpolation along rows has four rows in the 16-bit parts of a word, and along columns two columns in its 32-bit
parts.  Weights have 8 bits, and only the result is rounded.
"""

import numpy as np

from ..compat.numba_kernels import compiled

#: Steps of :func:`augment_crop`.
COLOR, NOISE, WINDOW = range(3)

_u8, _u16, _u64, _i32, _f32 = np.uint8, np.uint16, np.uint64, np.int32, np.float32
_8, _16, _HALF = _u64(8), _u64(16), _u64(0x0000_8000_0000_8000)
_EVEN, _LOW, _HIGH = _u64(0x0000_FFFF_0000_FFFF), _u64(0x0000_00FF_0000_00FF), _u64(0x00FF_0000_00FF_0000)


@compiled()
def augment_crop(
    rgb: np.ndarray,
    flow: np.ndarray,
    steps: bytes,
    matrix: np.ndarray,
    sheet: np.ndarray,
    place: tuple[int, int],
    athlete: np.ndarray,
    window: tuple[int, int, int, int],
    mirrored: bool,
    out: np.ndarray,
) -> None:
    """Write an augmented crop.

    Args:
        rgb: (H, W, 3) uint8.
        flow: (H, 2, W) uint8 codes; (0, 2, 0) without flow.
        steps: ``COLOR``, ``NOISE``, ``WINDOW`` in their order, the last one once.
        matrix: (3, 4), the map of (R, G, B, mean green) to (R, G, B).
        sheet: (3, S, S) int16, the noise; its part from (top, left) = ``place`` is added outside of ``athlete``.
        athlete: (H, W) bool.
        window: Left, top, width, height of the part of the crop that is resized.
        mirrored: Whether the result is mirrored.
        out: (5 or 3, size, size) uint8, the result.
    """
    planes = np.empty((out.shape[0], *rgb.shape[:2]), _u8)
    _split(rgb, flow, planes)
    for step in steps:
        if step == COLOR:
            _color(planes, matrix)
        elif step == NOISE:
            _add_noise(planes, sheet, place, athlete)
        else:
            _resize(planes, window, mirrored, out)
            planes = out


@compiled()
def _split(rgb: np.ndarray, flow: np.ndarray, planes: np.ndarray) -> None:
    size, flat = planes[0].size, rgb.reshape(-1)
    r, g, b = planes[0].reshape(-1), planes[1].reshape(-1), planes[2].reshape(-1)
    for i in range(_u64(size)):
        r[i], g[i], b[i] = flat[_u64(3) * i], flat[_u64(3) * i + _u64(1)], flat[_u64(3) * i + _u64(2)]
    for channel in range(len(planes) - 3):
        for y in range(len(flow)):
            row, plane = flow[y, channel], planes[3 + channel, y]
            for x in range(len(row)):
                plane[x] = row[x]


@compiled()
def _color(planes: np.ndarray, matrix: np.ndarray) -> None:
    r, g, b = planes[0].reshape(-1), planes[1].reshape(-1), planes[2].reshape(-1)
    total = 0
    for i in range(len(g)):
        total += g[i]
    (rr, rg, rb, r0), (gr, gg, gb, g0), (br, bg, bb, b0) = [
        (_f32(row[0]), _f32(row[1]), _f32(row[2]), _f32(row[3] * total / len(g) + 0.5)) for row in matrix
    ]
    for i in range(len(g)):
        red, green, blue = _f32(r[i]), _f32(g[i]), _f32(b[i])
        r[i] = min(max(_i32(rr * red + rg * green + rb * blue + r0), _i32(0)), _i32(255))
        g[i] = min(max(_i32(gr * red + gg * green + gb * blue + g0), _i32(0)), _i32(255))
        b[i] = min(max(_i32(br * red + bg * green + bb * blue + b0), _i32(0)), _i32(255))


@compiled()
def _add_noise(planes: np.ndarray, sheet: np.ndarray, place: tuple[int, int], athlete: np.ndarray) -> None:
    top, left = place
    for channel in range(3):
        for y in range(len(athlete)):
            row, kept = planes[channel, y], athlete[y]
            noise = sheet[channel, top + y, left : left + len(row)]
            for x in range(len(row)):
                noisy = _u8(min(max(_i32(row[x]) + _i32(noise[x]), _i32(0)), _i32(255)))
                row[x] = row[x] if kept[x] else noisy


@compiled()
def _weights(length: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of the two neighbors of each pixel of the result, and 256 times the weight of the second."""
    first, weight = np.empty(size, _u64), np.empty(size, _u64)
    for i in range(size):
        place = min(max((i + 0.5) * length / size - 0.5, 0.0), length - 1.0)
        left = min(int(place), max(length - 2, 0))
        first[i], weight[i] = left, int((place - left) * 256 + 0.5)
    return first, weight


@compiled()
def _resize(planes: np.ndarray, window: tuple[int, int, int, int], mirrored: bool, out: np.ndarray) -> None:
    start, top, width, height = window
    channels, size = out.shape[:2]
    (left, x_weight), (above, y_weight) = _weights(width, size), _weights(height, size)
    if mirrored:
        left, x_weight = left[::-1].copy(), x_weight[::-1].copy()
    pitch = (size + 3) // 4 * 4
    four, resized = np.zeros(width + 1, _u64), np.empty(size, _u64)
    #: Rows of the window with the columns of the result, 256 times as large; three and one more than are used.
    rows, line = np.empty((height + 3, pitch), _u16), np.empty(pitch, _u16)
    words, line_words = rows.view(_u64), line.view(_u64)
    for channel in range(channels):
        plane, bottom = planes[channel], top + height - 1
        for y in range(0, height, 4):
            row0 = plane[top + y, start : start + width]
            row1 = plane[min(top + y + 1, bottom), start : start + width]
            row2 = plane[min(top + y + 2, bottom), start : start + width]
            row3 = plane[min(top + y + 3, bottom), start : start + width]
            for x in range(width):
                low = _u64(row0[x]) | _u64(row1[x]) << _16
                four[x] = low | _u64(row2[x]) << _u64(32) | _u64(row3[x]) << _u64(48)
            for x in range(size):
                value = four[left[x]]
                resized[x] = (value << _8) + (four[left[x] + _u64(1)] - value) * x_weight[x]
            for i in range(4):
                row, shift = rows[y + i], _u64(16 * i)
                for x in range(size):
                    row[x] = resized[x] >> shift
        for y in range(size):
            upper, lower, weight = words[above[y]], words[above[y] + _u64(1)], y_weight[y]
            for i in range(len(line_words)):
                even, odd = upper[i] & _EVEN, upper[i] >> _16 & _EVEN
                even = (even << _8) + ((lower[i] & _EVEN) - even) * weight + _HALF
                odd = (odd << _8) + ((lower[i] >> _16 & _EVEN) - odd) * weight + _HALF
                line_words[i] = even >> _16 & _LOW | odd & _HIGH
            pixels = out[channel, y]
            for x in range(size):
                pixels[x] = line[x]
