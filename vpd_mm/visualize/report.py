"""A self-contained HTML report of sections: text, tables, images, videos, code.

Images and videos are embedded as data URIs, so the page needs no other file.  Everything is escaped.

Example:
    >>> plot = Image(figure_uri(training_figure(work_dir, 'loss', 'distill/sq_error', 'squared error')), 'Training.')
    >>> table = Table(('method', 'top-1 %'), [('2D-VPD', '71.3')])
    >>> write_report(path, 'A title', 'One sentence.', [Section('Results', [Text('Best of five.'), table, plot])])
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ..files import atomic_write, read_bytes
from .panels import encode_image

_MIME_TYPES = {'.png': 'image/png', '.jpg': 'image/jpeg', '.svg': 'image/svg+xml', '.mp4': 'video/mp4'}


@dataclass(frozen=True)
class Text:
    """A paragraph; ``good``: True = marked green, False = marked red, None = plain."""

    text: str
    good: bool | None = None
    kind: ClassVar[str] = 'text'


@dataclass(frozen=True)
class Table:
    """Rows under a head; below a text in the head, numbers and all columns but the first are right-aligned."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    kind: ClassVar[str] = 'table'


@dataclass(frozen=True)
class Image:
    """A data URI of an image or a video above its caption; ``wide``: scroll sideways instead of shrinking."""

    uri: str
    caption: str = ''
    wide: bool = False
    kind: ClassVar[str] = 'image'


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


Block = Text | Table | Image | Code | MethodDiagram


@dataclass
class Section:
    """A heading and the blocks under it."""

    title: str
    blocks: list[Block] = field(default_factory=list)


def write_report(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write the page atomically: its title, a paragraph below it, and the sections."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template('report.html').render(title=title, lead=lead, sections=sections)
    with atomic_write(path) as f:
        f.write(page.encode('utf-8'))


def image_uri(image: np.ndarray) -> str:
    """(H, W, 3) uint8 RGB to the data URI of a JPEG."""
    return _data_uri('.jpg', encode_image(image, '.jpg'))


def file_uri(path: Path) -> str:
    """A .png, .jpg, .svg or .mp4 file to a data URI."""
    return _data_uri(path.suffix, read_bytes(path))


def figure_uri(figure: Figure) -> str:
    """A matplotlib figure to the data URI of an SVG."""
    buffer = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(buffer)
    return _data_uri('.svg', buffer.getvalue())


def _data_uri(suffix: str, data: bytes) -> str:
    return f'data:{_MIME_TYPES[suffix]};base64,{base64.b64encode(data).decode()}'
