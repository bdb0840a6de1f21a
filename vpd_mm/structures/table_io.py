"""Text tables and lists that people edit: UTF-8, with or without a byte order mark."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import UserError


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a UTF-8 text file for reading, without its byte order mark; other content raises UserError."""
    try:
        with path.open(newline='', encoding='utf-8-sig') as f:
            yield f
    except UnicodeDecodeError as e:
        byte = f'byte 0x{e.object[e.start]:02x}'
        raise UserError(f'{path}: not in UTF-8 ({byte}); save it as UTF-8 (spreadsheets: "CSV UTF-8")') from e
    except csv.Error as e:
        raise UserError(f'{path}: no CSV ({e}); save it as CSV in UTF-8') from e


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a CSV file with exactly these columns; the UserError names the line."""
    with open_text(path) as f:
        reader = csv.DictReader(f)
        header = tuple(reader.fieldnames or ())
        if header != tuple(columns):
            raise UserError(f'{path}:1: header must be {",".join(columns)}, found {",".join(header)}')
        for row in reader:
            if None in row or None in row.values():
                raise UserError(f'{path}:{reader.line_num}: needs {len(columns)} values')
            yield reader.line_num, row
