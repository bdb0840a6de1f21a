"""XML of other programs: no document type, no entities, limited depth; and how ours is written."""

import xml.etree.ElementTree as ET
from typing import Any

from ..errors import UserError
from ..files import MARK
from .entries import Source

#: Deepest nesting; the formats have up to six levels.
MAX_DEPTH = 64


class _Guard:
    """Target of an XML parser that hands events on, and refuses document types and deep nesting."""

    def __init__(self, target: Any) -> None:
        self.target, self.depth = target, 0
        self.data, self.close = target.data, target.close

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise UserError('holds a document type (DOCTYPE), which may define entities; export it again without one')

    def start(self, tag: str, attributes: dict[str, str]) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UserError(f'nested deeper than {MAX_DEPTH} elements')
        return self.target.start(tag, attributes)

    def end(self, tag: str) -> Any:
        self.depth -= 1
        return self.target.end(tag)


def parse_xml(source: Source, root: str, target: Any = None) -> Any:
    """Parse XML whose outermost element is ``root``; return that, or what ``target.close()`` returns.

    ``target`` has the methods start, end, data and close of ``xml.etree.ElementTree.TreeBuilder``.

    Raises:
        UserError: no XML, a document type, nested too deep, or another outermost element.
    """
    guard = _Guard(_Rooted(target or ET.TreeBuilder(), root))
    try:
        parser = ET.XMLParser(target=guard)  # noqa: S314  # the guard refuses what could define entities
        parser.feed(source.data)
        return parser.close()
    except UserError as e:
        raise UserError(f'{source.name}: {e}') from e
    except (ET.ParseError, LookupError, ValueError) as e:
        raise UserError(f'{source.name}: truncated or not XML ({e}); export it again') from e


class _Rooted:
    """Target that checks the name of the first element."""

    def __init__(self, target: Any, root: str) -> None:
        self.target, self.root = target, root
        self.data, self.end, self.close = target.data, target.end, target.close

    def start(self, tag: str, attributes: dict[str, str]) -> Any:
        if self.root:
            if tag.rpartition('}')[2] != self.root:
                raise UserError(f'the outermost element is {tag[:80]!r}, of such a file {self.root!r}')
            self.root = ''
        return self.target.start(tag, attributes)


def add_child(parent: ET.Element, tag: str, attributes: dict[str, str] | None = None, text: str = '') -> ET.Element:
    """Add an element at the end of another one and return it."""
    child = ET.SubElement(parent, tag, attributes or {})
    child.text = text or None
    return child


def child_text(element: ET.Element, *names: str) -> str:
    """Stripped text of the first child of one of these names, whatever its case; '' without one."""
    for child in element:
        if child.tag.lower() in names:
            return (child.text or '').strip()
    return ''


def xml_bytes(root: ET.Element) -> bytes:
    """An XML document, indented, with our mark as a comment."""
    ET.indent(root)
    text = ET.tostring(root, encoding='unicode')
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- {MARK} -->\n{text}\n'.encode()
