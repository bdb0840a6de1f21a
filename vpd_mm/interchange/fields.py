"""Checked values of files of other programs."""

import math
from typing import Any

from ..errors import UserError
from ..files import composed
from ..importers.json_io import brief

#: Longest name of a class, an athlete or a video in a file; a longer one is no name.
MAX_NAME = 1000


def name_of(value: Any, what: str, empty: bool = False) -> str:
    """A name without spaces at its ends, in the composed Unicode form; an empty one only with ``empty``.

    Raises:
        UserError: it is no text, is empty, or is not printable.
    """
    text = composed(value.strip()) if isinstance(value, str) else value
    if not isinstance(text, str) or len(text) > MAX_NAME or not text.isprintable() or not (text or empty):
        raise UserError(f'{what} must be a name, found {brief(value)}')
    return text


def text_of(value: Any) -> str:
    """Free text on one line, without what cannot be printed; '' for what is no text."""
    text = ' '.join(value.split())[:MAX_NAME] if isinstance(value, str) else ''
    return ''.join(c for c in text if c.isprintable()).strip()


def number_of(value: Any, what: str) -> float:
    """A finite number, also as text, there also with a decimal comma; raises UserError."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(value)
        number = float(value.strip().replace(',', '.') if isinstance(value, str) else value)
    except (ValueError, OverflowError) as e:
        raise UserError(f'{what} must be a number, found {brief(value)}') from e
    if not math.isfinite(number) or abs(number) > 1e12:
        raise UserError(f'{what} must be a finite number, found {brief(value)}')
    return number


def whole_of(value: Any, what: str) -> int:
    """A whole number, also as text; raises UserError."""
    number = number_of(value, what)
    if not number.is_integer():
        raise UserError(f'{what} must be a whole number, found {brief(value)}')
    return int(number)


def list_of(value: Any, what: str) -> list:
    """A list; raises UserError."""
    if not isinstance(value, list):
        raise UserError(f'{what} must be a list, found {brief(value)}')
    return value


def dict_of(value: Any, what: str) -> dict:
    """A JSON object; raises UserError."""
    if not isinstance(value, dict):
        raise UserError(f'{what} must be an object, found {brief(value)}')
    return value


def get(content: Any, name: str, what: str) -> Any:
    """A field of a JSON object; raises UserError where ``content`` is none or lacks it."""
    if name not in dict_of(content, what):
        raise UserError(f'{what} has no field {name!r}')
    return content[name]
