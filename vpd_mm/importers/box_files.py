"""Athlete boxes from files: npz of vpd_mm, or boxes.json of the public VPD release."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..athlete.square_cropper import MAX_SIDES, usable_boxes
from ..errors import UserError, errors_name
from ..files import composed, list_folder, stored_path
from ..structures import AthleteTrack
from .json_io import first_frame, frame_entries, read_json, xyxy

#: Separates the name of the athlete from that of the video: ``front__<clip>``.
ATHLETE_SEPARATOR = '__'


def read_boxes(
    directory: str | os.PathLike,
    video_name: str,
    frame_size: tuple[int, int] | None = None,
    num_frames: int | None = None,
    counts: Counter[str] | None = None,
) -> dict[str, AthleteTrack]:
    """Read the boxes of one video.

    Candidates, in this order: ``<video>.npz`` (AthleteTrack), ``<video>/boxes.json``
    (``[[frame, [x, y, w, h]], ...]``, pixels, any order); where neither exists, the same two under every
    ``<athlete>__<video>`` (tennis: ``front__<clip>``, ``back__<clip>``).  Frames count from 0, or from 1 where the file
    has frame 1, the one past the end, and no frame 0.

    Args:
        directory: Holds the files.
        video_name: Name of the video without its ending.
        frame_size: (width, height).
        num_frames: Frames of the video; no box may lie past its end.
        counts: Gets the number of boxes that were left out: null, not finite, without area, outside of the frame, or
            more than four times as large.

    Returns:
        Athlete name to track; the name is '' where the video has only one.

    Raises:
        UserError: no file, an invalid entry (past the end, a frame twice, truncated JSON), most boxes are left out, or
            none exceeds 1 px.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f'{directory}: no such folder of boxes')
    athletes = find_athletes(directory, video_name, 'boxes.json')
    if not athletes:
        raise UserError(
            f'{directory}: no boxes of {video_name!r}; expected {video_name}.npz, {video_name}/boxes.json or the same '
            f'under <athlete>{ATHLETE_SEPARATOR}{video_name}'
        )
    counts = Counter() if counts is None else counts
    return {name: _read_track(path, frame_size, num_frames, counts) for name, path in athletes.items()}


def find_athletes(directory: Path, video_name: str, json_name: str) -> dict[str, Path]:
    """Return athlete name to the file of ``<video>``: npz first, then ``<folder>/<json_name>``; sorted by name."""
    for path in (stored_path(directory, name) for name in (f'{video_name}.npz', f'{video_name}/{json_name}')):
        if path.is_file():
            return {'': path}
    ending = f'{ATHLETE_SEPARATOR}{video_name}'
    json_files = {composed(path.name): path / json_name for path in list_folder(directory, f'*{ATHLETE_SEPARATOR}*')}
    npz_files = {composed(path.stem): path for path in list_folder(directory, f'*{ATHLETE_SEPARATOR}*.npz')}
    return {
        name.removesuffix(ending): path
        for name, path in sorted((json_files | npz_files).items())
        if name.endswith(ending) and name != ending and path.is_file()
    }


def _read_track(
    path: Path, frame_size: tuple[int, int] | None, num_frames: int | None, counts: Counter[str]
) -> AthleteTrack:
    size: Any = (np.inf, np.inf) if frame_size is None else frame_size
    if path.suffix == '.npz':
        track = AthleteTrack.load(path)
        inds, boxes, scores = track.frame_inds, track.boxes, track.scores
        first_frame(inds[-1:].tolist(), path, num_frames)
    else:
        entries = frame_entries(read_json(path), path, '[x, y, w, h]', None)
        nothing = np.full(4, np.nan)
        by_frame = {frame: nothing if box is None else xyxy(box, where) for where, frame, box in entries}
        inds = np.array(sorted(by_frame), dtype=np.int64)
        if first := first_frame(by_frame, path, num_frames):
            counts['boxes counted from frame 1'] += len(inds)
        with np.errstate(over='ignore'):
            boxes = np.array([by_frame[i] for i in inds], dtype=np.float64).reshape(-1, 4).astype(np.float32)
        inds, scores = inds - first, np.ones(len(inds), dtype=np.float32)
        _refuse_corners(boxes, size, path)
    if 0 < np.nan_to_num(boxes).max(initial=0) <= 1:
        raise UserError(f'{path}: boxes are scaled to 0..1, not pixels; multiply them by the size of the frame')
    usable = usable_boxes(boxes, size) & ((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) <= MAX_SIDES * max(size))
    num_unusable = int((~usable).sum())
    if num_unusable > len(usable) / 2:
        row = int(np.argmin(usable))
        box, frame = boxes[row].round(1).tolist(), int(inds[row])
        raise UserError(
            f'{path}: {num_unusable} of {len(usable)} boxes, first {box} (xyxy) of frame {frame}, are not finite, '
            f'without area, too large or outside the {size[0]}x{size[1]} frame; is it made for another size, or corner '
            'and size swapped?'
        )
    if num_unusable:
        counts['boxes not usable, left out'] += num_unusable
    with errors_name(path):
        return AthleteTrack(inds[usable], boxes[usable], scores[usable])


def _refuse_corners(boxes: np.ndarray, size: tuple[float, float], path: Path) -> None:
    """Raise UserError if most boxes leave the frame by a tenth as x, y, width, height, and none does as corners."""
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    given = boxes[:, 2:] - boxes[:, :2]
    beyond = int((boxes[:, 2:] > np.multiply(size, 1.1)).any(axis=1).sum())
    if beyond > len(boxes) / 2 and bool(((given > boxes[:, :2]) & (given <= size)).all()):
        raise UserError(
            f'{path}: {beyond} of {len(boxes)} boxes leave the frame, read as x, y, width, height; read as x1, y1, x2, '
            'y2 none does: convert them'
        )
