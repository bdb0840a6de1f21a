"""A self-contained HTML report of sections: text, verdicts, tables, images, animations, videos, code.

Images and videos are embedded as data URIs, so the page needs no other file.  Everything is escaped.  A click on the
head of a table sorts its rows; a click on an image that does not fit the page shows it in full size.  Where sections
have verdicts, the page begins with a list of them.

Example:
    >>> plot = Image(figure_uri(training_figure(work_dir, 'loss', 'distill/sq_error', 'squared error')), 'Training.')
    >>> table = Table(('method', 'top-1 %'), [('2D-VPD', '71.3')])
    >>> verdict = Verdict('warn', '6 test clips: 50 % is no better than chance (50 %).', 'label more clips')
    >>> section = Section('Recognition', [table, plot], verdict, 'vpd-mm fewshot --corpus data/mine --k 4')
    >>> write_report(path, 'A title', 'One sentence.', [section])
"""

import base64
import functools
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image as PillowImage

from ..files import MARK, read_bytes, write_text
from .panels import encode_image

_MIME_TYPES = {
    '.png': 'image/png',
    '.jpg': 'image/jpeg',
    '.webp': 'image/webp',
    '.svg': 'image/svg+xml',
    '.mp4': 'video/mp4',
}


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: ClassVar[str] = 'text'


@dataclass(frozen=True)
class Verdict:
    """A paragraph that is marked 'ok', 'warn' or 'stop'; ``hint``: the next thing to do, '' = nothing."""

    level: Literal['ok', 'warn', 'stop']
    text: str
    hint: str = ''
    kind: ClassVar[str] = 'verdict'


@dataclass(frozen=True)
class Table:
    """Rows under a head; below a text in the head, numbers and all columns but the first are right-aligned.

    A head without any text is left out, and the rows cannot be sorted.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    kind: ClassVar[str] = 'table'


@dataclass(frozen=True)
class Image:
    """A data URI of an image or a video above its caption."""

    uri: str
    caption: str = ''
    kind: ClassVar[str] = 'image'


@dataclass(frozen=True)
class Gallery:
    """Images in rows, as many beside each other as fit, at most ``width`` px wide, above their common caption.

    ``folded``: the heading under which the gallery is hidden until a click; '' = it is shown.
    """

    images: Sequence[Image]
    width: int
    caption: str = ''
    folded: str = ''
    kind: ClassVar[str] = 'gallery'


@dataclass(frozen=True)
class Legend:
    """Texts with the RGB colour of their swatch, or None, such as :data:`vpd_mm.visualize.skeleton.SIDES`."""

    entries: Mapping[str, tuple[int, int, int] | None]
    kind: ClassVar[str] = 'legend'


@dataclass(frozen=True)
class Code:
    """Commands or source text."""

    text: str
    kind: ClassVar[str] = 'code'


@dataclass(frozen=True)
class MethodDiagram:
    """The method in one drawing: athlete, teacher, student, applications.

    ``frame`` has the athlete's box.  Crop, flow, the teacher's pose and its score are those of a confident frame,
    ``low_*`` and the student's pose those of a low-confidence one.  All but the scores are data URIs of square images
    (a frame may be wider).
    """

    frame: str
    crop: str
    flow: str
    pose: str
    score: float
    low_crop: str
    low_flow: str
    low_pose: str
    low_score: float
    student_pose: str
    kind: ClassVar[str] = 'method'


Block = Text | Verdict | Table | Image | Gallery | Legend | Code | MethodDiagram


@dataclass
class Section:
    """A heading, and under it the verdict, the command that made it, '' = none, and the blocks."""

    title: str
    blocks: list[Block] = field(default_factory=list)
    verdict: Verdict | None = None
    command: str = ''


def write_report(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write the page atomically: its title, a paragraph below it, the list of verdicts, and the sections."""
    page = _template().render(title=title, lead=lead, sections=sections, generator=MARK)
    write_text(path, page)


@functools.cache
def _template() -> Template:
    """Compile ``report.html``, once: a long command writes its report after each step."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template('report.html')


def image_uri(image: np.ndarray) -> str:
    """(H, W, 3) uint8 RGB to the data URI of a JPEG."""
    return _data_uri('.jpg', encode_image(image, '.jpg'))


def animation_uri(frames: Iterable[np.ndarray], fps: float) -> str:
    """Images as of :func:`animation` to the data URI of their WebP."""
    return _data_uri('.webp', animation(frames, fps))


def animation(frames: Iterable[np.ndarray], fps: float) -> bytes:
    """Images (H, W, 3) uint8 RGB of one shape, at least one, to an animated WebP that repeats."""
    first, *others = map(PillowImage.fromarray, frames)
    buffer = io.BytesIO()
    first.save(
        buffer, 'WEBP', save_all=True, append_images=others, duration=round(1000 / fps), loop=0, quality=50, method=4
    )
    return buffer.getvalue()


def file_uri(path: Path) -> str:
    """A .png, .jpg, .webp, .svg or .mp4 file to a data URI."""
    return _data_uri(path.suffix, read_bytes(path))


def shrunk_uri(path: Path) -> str:
    """An image file, shrunk to at most 1600 px wide, to the data URI of a JPEG."""
    with PillowImage.open(io.BytesIO(read_bytes(path))) as image:
        image.thumbnail((1600, 160_000))
        return image_uri(np.asarray(image.convert('RGB')))


def figure_uri(figure: Figure) -> str:
    """A matplotlib figure to the data URI of an SVG."""
    buffer = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(buffer)
    return _data_uri('.svg', buffer.getvalue())


def _data_uri(suffix: str, data: bytes) -> str:
    return f'data:{_MIME_TYPES[suffix]};base64,{base64.b64encode(data).decode()}'
