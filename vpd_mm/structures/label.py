"""Labelled actions by the name of their class, as the studio and files of other programs hold them."""

from dataclasses import dataclass, fields
from typing import Any

from ..errors import UserError

#: Longest name of a class that is added to a corpus, characters.
MAX_CLASS = 100
#: First characters of a formula.
FORMULA = ('=', '+', '-', '@')


def spelling(class_name: str) -> str:
    """Form in which two spellings of one class are the same: case and spaces do not count."""
    return ' '.join(class_name.casefold().split())


@dataclass(frozen=True)
class Label:
    """An action as people see it: with the name of its class and a note; ``end_frame`` is exclusive."""

    action_id: str
    video: str
    start_frame: int
    end_frame: int
    label: str
    split: str
    note: str = ''

    @classmethod
    def from_json(cls, content: Any) -> 'Label':
        """Check the fields and their types; raises UserError."""
        if not isinstance(content, dict):
            raise UserError(f'a label must be an object with {", ".join(_KINDS)}; found {str(content)[:100]!r}')
        for name, kind in _KINDS.items():
            if name not in content and name != 'note':
                raise UserError(f'{name} is missing; a label has {", ".join(_KINDS)}')
            if type(content.get(name, '')) is not kind and name in content:
                what = 'a whole number' if kind is int else 'text'
                raise UserError(f'{name} must be {what}, found {str(content[name])[:100]!r}')
        if unknown := content.keys() - _KINDS:
            raise UserError(f'unknown field {min(map(str, unknown))!r}; a label has {", ".join(_KINDS)}')
        return cls(**content)


_KINDS: dict[str, Any] = {field.name: field.type for field in fields(Label)}


def is_class_name(name: str) -> bool:
    """True for what can name a new class; spreadsheets would compute a name that begins as a formula does."""
    printable = name.isprintable() and name == name.strip() and name[:1] not in FORMULA
    return 0 < len(name) <= MAX_CLASS and printable
