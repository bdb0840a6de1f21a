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

    The table is sorted by that field, and not written where nothing changes.  Its lines stay as they are unless one is
    of another program, so that a change of 10,000 rows takes milliseconds; parsing them all takes far longer.

    Raises:
        UserError: a line of a table of another program does not fit; else reading the table says so.
    """
    key, header = fields(row_type)[0].name, table_text(row_type, [])  # type: ignore[arg-type]
    text = read_text(path) if path.exists() else header
    plain = text.removeprefix(header).split('\n')
    before = {composed(line.partition(',')[0]): f'{line}\n' for line in plain[:-1]}
    quoted = '"' in text and any(line.count('"') % 2 or line.startswith('"') for line in plain)  # over several lines
    if not text.startswith(header) or quoted or '\r' in text or plain[-1] or len(before) < len(plain) - 1:
        before = _as_lines((row for _, row in read_table(path, row_type)), row_type, key)
    removed = set(remove)
    after = {k: line for k, line in (before | _as_lines(added, row_type, key)).items() if k not in removed}
    if after != before:
        write_text(path, header + ''.join(after[k] for k in sorted(after)))


def _as_lines(rows: Iterable[Row], row_type: type[Row], key: str) -> dict[str, str]:
    """Lines of a table by the first field."""
    header = table_text(row_type, [])
    return {getattr(row, key): table_text(row_type, [row]).removeprefix(header) for row in rows}


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
