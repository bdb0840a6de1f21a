"""CSV tables of dataclasses, and text files that people edit."""

import csv
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar
from unicodedata import is_normalized

from ..errors import UserError, errors_name
from ..files import MAX_DIGITS, composed, open_text, read_text, write_text

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


def read_lines(path: Path) -> list[str]:
    """Return the non-empty lines of a text file, such as names, stripped and in the composed Unicode form."""
    lines = read_text(path, missing='is this the right folder?').splitlines()
    return [composed(line.strip()) for line in lines if line.strip()]


def write_table(path: str | os.PathLike, row_type: type[Row], rows: Iterable[Row]) -> None:
    """Write what :func:`read_table` reads."""
    write_text(path, table_text(row_type, rows))


def change_table(path: Path, row_type: type[Row], added: Iterable[Row], remove: Iterable[str] = ()) -> None:
    """Add rows to a table, made where it is missing, or replace those of the same first field; remove others by it.

    The lines of the table are sorted, and not written where nothing changes.  They stay as they are unless one is of
    another program, so that a change of 10,000 rows takes a millisecond; parsing them all takes far longer.

    Raises:
        UserError: a line of a table of another program does not fit, or a changed row is there twice; else reading the
            table says so.
    """
    header = table_text(row_type, [])
    text = read_text(path) if path.exists() else header
    *lines, rest = text.removeprefix(header).split('\n')
    quoted = '"' in text and any(line.count('"') % 2 or line.startswith('"') for line in lines)  # over several lines
    is_plain = text.startswith(header) and not (quoted or rest or '\r' in text)
    if is_plain and not is_normalized('NFC', text):
        lines = [composed(name) + comma + rest for name, comma, rest in (line.partition(',') for line in lines)]
    if not is_plain:
        lines = _row_lines(row_type, (row for _, row in read_table(path, row_type)))
    lines.sort()
    key, added = attrgetter(fields(row_type)[0].name), list(added)  # type: ignore[arg-type]
    changes: dict[str, str | None] = dict(zip(_csv_lines([key(row)] for row in added), _row_lines(row_type, added)))
    changes.update(dict.fromkeys(_csv_lines([name] for name in remove)))
    for name, line in changes.items():
        start, end = bisect_left(lines, f'{name},'), bisect_left(lines, f'{name},\U0010ffff')
        if end > start + 1:
            list(read_table(path, row_type))  # raises
        lines[start:end] = [] if line is None else [line]
    after = header + '\n'.join([*lines, ''])
    if after != text and (path.exists() or lines):
        write_text(path, after)


def table_text(row_type: type[Row], rows: Iterable[Row]) -> str:
    """Text of a table that :func:`read_table` reads."""
    header = ','.join(field.name for field in fields(row_type))  # type: ignore[arg-type]
    return ''.join(f'{line}\n' for line in [header, *_row_lines(row_type, rows)])


def _row_lines(row_type: type[Row], rows: Iterable[Row]) -> list[str]:
    getter = attrgetter(*[field.name for field in fields(row_type)])  # type: ignore[arg-type]
    return _csv_lines(map(getter, rows))


def _csv_lines(rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = _Lines()
    csv.writer(lines, lineterminator=lines.end).writerows(rows)
    return lines


class _Lines(list[str]):
    """Lines of a CSV file; a text that holds any end of a line is quoted."""

    end = '\r\n'

    def write(self, line: str) -> None:
        self.append(line.removesuffix(self.end))


def _parse(name: str, kind: Any, text: str) -> Any:
    try:
        if kind is int and len(text) > MAX_DIGITS:
            raise ValueError(text)
        return kind(text)
    except ValueError as e:
        raise UserError(f'{name} must be a {"whole number" if kind is int else "number"}, found {text!r}') from e
