"""Images: text, boxes, captions, legends, grids, colours of optical flow, image files."""

import re
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..files import MARK, write_bytes
from .skeleton import BACKGROUND

#: RGB colours of text and of the bar that carries a caption.
TEXT, BAR = (255, 255, 255), (0, 0, 0)
#: RGB colour of a box and of its label's background.
BOX = (255, 220, 0)
#: DejaVu Sans, which matplotlib brings.
FONT_PATH = f'{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf'
#: Flow of this length, px, has full colour.
FULL_FLOW_PX = 5.0


def draw_text(
    image: np.ndarray, lines: str | Sequence[str], xy: tuple[int, int] = (2, 2), size: int = 14
) -> np.ndarray:
    """Draw lines of white text on a darkened background into an image (H, W, 3) uint8 RGB, in place.

    A line that is too long is broken.  ``xy`` is the top left corner of the first line, ``size`` the height of the
    font, px.  Returns the image.
    """
    font, height, (left, y) = _font(size), round(1.3 * size), xy
    for text in [lines] if isinstance(lines, str) else lines:
        for line in _wrap(text, font, image.shape[1] - left - 4):
            part = image[y : y + height, left : left + round(font.getlength(line)) + 4]
            if part.size and line:
                label = Image.fromarray((0.35 * part).astype(np.uint8))
                ImageDraw.Draw(label).text((2, 0), line, TEXT, font)
                part[:] = np.asarray(label)
            y += height
    return image


def draw_boxes(
    image: np.ndarray, boxes: np.ndarray, labels: Sequence[str] | None = None, thickness: int | None = None
) -> np.ndarray:
    """Draw boxes (N, 4) xyxy px into an image (H, W, 3) uint8 RGB, in place; it is also returned.

    Labels, one text per box, are drawn above its top left corner or where there is room; '' = none.  The thickness of
    lines, px, is by default that for the size of the image.
    """
    import supervision as sv  # slow to import

    boxes = np.clip(np.asarray(boxes, np.float32).reshape(-1, 4), -9999, 9999).round()
    size = max(image.shape[:2])
    colour = sv.Color(*BOX[::-1])  # supervision draws BGR
    detections = sv.Detections(xyxy=boxes)
    sv.BoxAnnotator(colour, thickness or max(1, round(size / 400)), sv.ColorLookup.INDEX).annotate(image, detections)
    texts = list(labels or ())
    labelled = [i for i, text in enumerate(texts) if text]
    if labelled:
        annotator = sv.RichLabelAnnotator(
            colour,
            sv.ColorLookup.INDEX,
            text_color=sv.Color.BLACK,
            font_path=FONT_PATH,
            font_size=max(13, size // 60),
            text_padding=max(3, size // 250),
            smart_position=True,
        )
        annotator.annotate(image, detections[labelled], [texts[i] for i in labelled])
    return image


def add_captions(images: Sequence[np.ndarray], texts: Sequence[str]) -> list[np.ndarray]:
    """New images, each below a black bar with its text; all bars have the height of the one with the most lines."""
    size = max(13, max(image.shape[1] for image in images) // 80)
    lines = [_wrap(text, _font(size), image.shape[1] - 8) for image, text in zip(images, texts, strict=True)]
    height = round((1.3 * max(map(len, lines)) + 0.4) * size)
    bars = [np.full((height, image.shape[1], 3), BAR, np.uint8) for image in images]
    return [np.concatenate([draw_text(b, x, (4, 3), size), image]) for b, x, image in zip(bars, lines, images)]


def legend(width: int, entries: Mapping[str, tuple[int, int, int] | np.ndarray | None], size: int = 14) -> np.ndarray:
    """A black bar (H, width, 3) uint8 RGB, H even, that explains colours.

    ``entries``: a text to the RGB colour of its swatch, or the image that stands for it, or None.  They stand beside
    each other and continue in further lines.  ``size``: height of the font, px.
    """
    font, height, x, y = _font(size), round(1.6 * size), size // 2, 3
    marks: list[tuple[int, int, np.ndarray | None, str]] = []
    for text, mark in entries.items():
        if mark is not None:
            side = size - 2 if isinstance(mark, tuple) else round(1.4 * size)
            mark = resize(np.full((1, 1, 3), mark, np.uint8) if isinstance(mark, tuple) else mark, side, side)
        indent = 0 if mark is None else mark.shape[1] + 2
        if x > size // 2 and x + indent + font.getlength(text) + 4 > width:
            x, y = size // 2, y + height
        for i, line in enumerate(_wrap(text, font, width - indent - size)):
            y += height if i else 0
            marks.append((x, y, None if i else mark, line))
        x += indent + round(font.getlength(line)) + size
    bar = np.full((-(-(y + height) // 2) * 2, width, 3), BAR, np.uint8)
    for x, y, mark, text in marks:
        if mark is not None:
            top = y + (height - len(mark)) // 2 - 1
            bar[top : top + len(mark), x : x + mark.shape[1]] = mark[:, : width - x]
            x += mark.shape[1] + 2
        draw_text(bar, text, (x, y), size)
    return bar


def grid(
    images: Sequence[np.ndarray], columns: int, gap: int = 0, background: tuple[int, int, int] = BACKGROUND
) -> np.ndarray:
    """Arrange images (H, W, 3) uint8 RGB in rows, ``gap`` px apart; fewer images make fewer columns.

    A smaller image is centred in a cell of the largest height and width.
    """
    columns = min(columns, len(images))
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), background, np.uint8)
    for i, image in enumerate(images):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        y, x = y + (height - image.shape[0]) // 2, x + (width - image.shape[1]) // 2
        sheet[y : y + image.shape[0], x : x + image.shape[1]] = image
    return sheet


def evenly_spread(length: int, count: int | None) -> np.ndarray:
    """Indices of at most ``count`` of ``length`` items, evenly spread, the first and the last among them."""
    if count is None or count >= length:
        return np.arange(length)
    return np.linspace(0, length - 1, count).round().astype(int)


def resize(image: np.ndarray, height: int, width: int | None = None) -> np.ndarray:
    """A copy of an image, scaled to a height; ``width`` None = keep the aspect ratio."""
    width = width or max(1, round(image.shape[1] * height / image.shape[0]))
    smaller = height * width < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def flow_to_rgb(flow: np.ndarray) -> np.ndarray:
    """Colours (H, W, 3) uint8 RGB of optical flow (H, W, 2) (u, v) px, u to the right, v down.

    The hue is the direction: right = red, down = yellow-green, left = cyan, up = violet.  The saturation is the
    length, full from ``FULL_FLOW_PX``; white = no motion.
    """
    length, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1], angleInDegrees=True)
    hsv = np.empty((*flow.shape[:2], 3), np.uint8)
    hsv[..., 0] = (angle / 2).astype(np.uint8) % 180
    hsv[..., 1] = np.minimum(length / FULL_FLOW_PX, 1) * 255
    hsv[..., 2] = 255
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def flow_wheel(size: int) -> np.ndarray:
    """Legend of :func:`flow_to_rgb`, (size, size, 3): each pixel has the colour of flow from the centre to it."""
    y, x = np.mgrid[:size, :size].astype(np.float32) - (size - 1) / 2
    wheel = flow_to_rgb(np.stack((x, y), axis=-1) * (2 * FULL_FLOW_PX / size))
    wheel[x**2 + y**2 > (size / 2) ** 2] = BACKGROUND
    return wheel


def encode_image(image: np.ndarray, suffix: str, quality: int = 85) -> bytes:
    """(H, W, 3) uint8 RGB to the bytes of a ``.png`` or ``.jpg``; ``quality`` of the latter, 0 to 100."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix == '.jpg' else []
    return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def save_image(path: Path, image: np.ndarray) -> Path:
    """Write a ``.png`` or ``.jpg`` with the mark of this project, atomically; returns ``path``."""
    write_bytes(path, mark_image(encode_image(image, path.suffix)))
    return path


def mark_image(data: bytes) -> bytes:
    """Put the mark of this project, by which its files are recognised, into an encoded PNG or JPEG as a comment."""
    if data[:4] == b'\x89PNG':
        chunk, start = b'tEXtComment\0' + MARK.encode(), 33  # after the signature and the header
        comment = (len(chunk) - 4).to_bytes(4, 'big') + chunk + zlib.crc32(chunk).to_bytes(4, 'big')
    else:
        comment, start = b'\xff\xfe' + (2 + len(MARK)).to_bytes(2, 'big') + MARK.encode(), 2
    return data[:start] + comment + data[start:]


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT_PATH, size)


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a text after spaces and signs, and within a word that is too long for a line."""
    lines = ['']
    for word in re.findall(r'[^ _/:,-]*[ _/:,-]?', text):
        if lines[-1] and font.getlength(lines[-1] + word.rstrip()) > width:
            lines.append('')
        for letter in word if font.getlength(word.rstrip()) > width else [word]:
            if lines[-1] and font.getlength(lines[-1] + letter.rstrip()) > width:
                lines.append('')
            lines[-1] += letter
    return [line.rstrip() for line in lines]
