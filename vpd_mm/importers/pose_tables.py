"""Poses of one person as a table: CSV of ``tools/export_poses.py``, TRC in px of Sports2D."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files import read_text
from ..visualize.skeleton import COCO17
from .joint_sets import TRC_NAMES
from .json_io import frame_number

#: Lines of a TRC before its first row, and the one that names the markers.
_TRC_HEADER, _MARKERS = 5, 3


def parse_pose_table(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (frame, joints (17, 3) x, y, score) of each row with a joint; missing ones have score 0.

    - CSV: columns ``frame``, and ``<joint>_x``, ``<joint>_y``, ``<joint>_score`` of all COCO joints, in any order.
    - TRC: markers named as Sports2D does, not all of which must be there; x to the right, y down, px.  It has no
      scores, so that they are 1.

    Raises:
        UserError: a column or marker is missing, or a cell is no number.
    """
    lines = read_text(path).splitlines()
    trc = path.suffix == '.trc'
    header = lines[_MARKERS if trc else 0].split('\t' if trc else ',') if len(lines) > _MARKERS * trc else []
    columns = {name.strip(): i for i, name in enumerate(header) if name.strip()}
    names = TRC_NAMES if trc else COCO17.joints
    wanted = [(name,) if trc else (f'{name}_x', f'{name}_y', f'{name}_score') for name in names]
    missing = [name for cells in (wanted if trc else [('frame',), *wanted]) for name in cells if name not in columns]
    if missing and (not trc or len(missing) == len(names)):
        raise UserError(f'{path}: is no table of poses; it lacks the {"marker" if trc else "column"} {missing[0]}')
    frames: set[int] = set()
    for number, line in enumerate(lines[_TRC_HEADER if trc else 1 :], _TRC_HEADER + 1 if trc else 2):
        if not line.strip():
            continue
        where, cells = f'{path}:{number}', line.split('\t' if trc else ',')
        values = [_number(cell, where) for cell in cells] + [np.nan] * len(header)
        frame = frame_number(values[0 if trc else columns['frame']], where, None, frames)
        joints = np.zeros((len(names), 3))
        for row, fields in enumerate(wanted):
            if fields[0] not in columns:
                continue
            at = columns[fields[0]]
            x, y, score = (values[at], values[at + 1], 1.0) if trc else (values[columns[name]] for name in fields)
            if np.isfinite((x, y, score)).all() and not (trc and x == y == 0):
                joints[row] = x, y, score
        if (joints[:, 2] > 0).any():
            yield frame, joints


def _number(cell: str, where: str) -> float:
    try:
        return float(cell) if cell.strip() else np.nan
    except ValueError:
        raise UserError(f'{where}: must hold numbers, found {cell.strip()[:40]!r}') from None
