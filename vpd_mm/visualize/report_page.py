"""A self-contained HTML page of sections: text, tables, pictures; nothing is fetched from anywhere."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ..structures import atomic_write

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Text:
    """A paragraph; ``good``: True green, False red, None plain."""

    text: str
    good: bool | None = None
    kind: str = 'text'


@dataclass(frozen=True)
class Table:
    """Rows under a head; numbers stand right; below an empty head stands text, which wraps."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    kind: str = 'table'


@dataclass(frozen=True)
class Picture:
    """A data URI under a caption; ``wide``: scrolls within its frame instead of shrinking to a phone's width."""

    uri: str
    caption: str = ''
    wide: bool = False
    kind: str = 'picture'


@dataclass(frozen=True)
class Code:
    """Commands."""

    text: str
    kind: str = 'code'


@dataclass(frozen=True)
class Drawing:
    """SVG made by :func:`render`."""

    svg: Markup
    kind: str = 'drawing'


@dataclass
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: list[Text | Table | Picture | Code | Drawing] = field(default_factory=list)


def render(template: str, **values: object) -> Markup:
    """A template of this folder, everything in it escaped but what is Markup already."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return Markup(environment.get_template(template).render(**values))


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write the page; a reader sees the old one or the whole new one."""
    page = render('report_page.html', title=title, lead=lead, sections=sections)
    with atomic_write(path) as f:
        f.write(page.encode('utf-8'))


def jpeg_uri(image: np.ndarray, quality: int = 85) -> str:
    """RGB uint8 (H, W, 3) as a data URI."""
    data = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return f'data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}'


def file_uri(path: Path) -> str:
    """A .png or .mp4 file as a data URI."""
    kind = {'.png': 'image/png', '.mp4': 'video/mp4'}[path.suffix]
    return f'data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}'


def figure_uri(figure: Figure) -> str:
    """A matplotlib figure as an SVG data URI."""
    buffer = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(buffer)
    return f'data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}'


__all__ = [
    'Code',
    'Drawing',
    'Picture',
    'Section',
    'Table',
    'Text',
    'figure_uri',
    'file_uri',
    'jpeg_uri',
    'render',
    'write_page',
]
