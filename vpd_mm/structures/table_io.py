"""CSV tables of dataclasses, and text files that people edit."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from ..errors import UserError, errors_name
from ..files import MAX_DIGITS, atomic_write, composed, open_text, read_text

Row = TypeVar('Row')


def read_table(
    path: Path, row_type: type[Row], missing: str = '', on_error: Callable[[UserError], None] | None = None
) -> Iterator[tuple[int, Row]]:
    """Yield (line number, row) of a CSV file whose columns are the fields of a dataclass; the first one is unique.

    The UserError of a line that does not fit names it, and is given to ``on_error`` instead of being raised;
    ``missing`` is added to that of a missing file.
    """
    columns = {field.name: field.type for field in fields(row_type)}  # type: ignore[arg-type]
    key, lines = next(iter(columns)), dict[str, int]()
    with open_text(path, missing=missing) as f:
        reader = csv.DictReader(f)
        header = list(reader.fieldnames or [])
        if header != list(columns):
            actual = ','.join(header[: 2 * len(columns)])
            raise UserError(f'{path}:1: header must be {",".join(columns)}, found {actual}')
        for texts in reader:
            line = reader.line_num
            try:
                with errors_name(f'{path}:{line}'):
                    if None in texts or None in texts.values():
                        raise UserError(f'needs {len(columns)} values')
                    if texts[key] in lines:
                        raise UserError(f'{key} {texts[key]} is already on line {lines[texts[key]]}')
                    row = row_type(**{name: _parse(name, kind, texts[name]) for name, kind in columns.items()})
            except UserError as e:
                if on_error is None:
                    raise
                on_error(e)
                continue
            lines[texts[key]] = line
            yield line, row


def read_lines(path: Path, missing: str = 'is this the right folder?') -> list[str]:
    """Return the non-empty lines of a text file, such as names, stripped and in the composed Unicode form."""
    lines = read_text(path, missing=missing).splitlines()
    return [composed(line.strip()) for line in lines if line.strip()]


def write_table(path: str | os.PathLike, row_type: type[Row], rows: Iterable[Row]) -> None:
    """Write what :func:`read_table` reads."""
    with atomic_write(path, 'w') as f:
        f.write(table_text(row_type, rows))


def table_text(row_type: type[Row], rows: Iterable[Row]) -> str:
    """Text of a table that :func:`read_table` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    names = [field.name for field in fields(row_type)]  # type: ignore[arg-type]
    writer.writerow(names)
    writer.writerows(map(attrgetter(*names), rows))
    return text.getvalue()


def _parse(name: str, kind: Any, text: str) -> Any:
    try:
        if kind is int and len(text) > MAX_DIGITS:
            raise ValueError(text)
        return kind(text)
    except ValueError as e:
        raise UserError(f'{name} must be a {"whole number" if kind is int else "number"}, found {text!r}') from e
