"""Athlete boxes from files: our own npz, or the public VPD release's boxes.json."""

import os
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..structures import AthleteTrack
from .json_io import frame_number, numbers, read_json, shape_error

#: Between the athlete's name and the video's: ``front__<clip>``.
ATHLETE_SEPARATOR = '__'


def read_boxes(
    directory: str | os.PathLike,
    video_name: str,
    frame_size: tuple[int, int] | None = None,
    num_frames: int | None = None,
) -> dict[str, AthleteTrack]:
    """Read the boxes of one video.

    Looked for, in this order: ``<video>.npz`` (AthleteTrack),
    ``<video>/boxes.json`` (``[[frame, [x, y, w, h]], ...]``, pixels, frames
    from 0, any order); where neither is there, the same two under every
    ``<athlete>__<video>`` (tennis: ``front__<clip>``, ``back__<clip>``).

    Args:
        directory: Holds the files.
        video_name: Name of the video without its ending.
        frame_size: (width, height); every box must touch the frame.
        num_frames: Frames of the video; no box may lie past it.

    Returns:
        Athlete name to track; the name is '' where the video has only one.

    Raises:
        UserError: no file, or an entry is off: NaN, no area, outside the
            frame, past the end, a frame twice, JSON cut short.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f'{directory}: no such folder of boxes')
    found = find_athletes(directory, video_name, 'boxes.json')
    if not found:
        raise UserError(
            f'{directory}: no boxes of {video_name!r}; expected {video_name}.npz, {video_name}/boxes.json or the same '
            f'under <athlete>{ATHLETE_SEPARATOR}{video_name}'
        )
    return {athlete: _read_track(path, frame_size, num_frames) for athlete, path in found.items()}


def find_athletes(directory: Path, video_name: str, json_name: str) -> dict[str, Path]:
    """Athlete name to the file that holds ``<video>``: npz first, then ``<folder>/<json_name>``; sorted by name."""
    for path in (directory / f'{video_name}.npz', directory / video_name / json_name):
        if path.is_file():
            return {'': path}
    ending = f'{ATHLETE_SEPARATOR}{video_name}'
    found: dict[str, Path] = {}
    for path in sorted(directory.iterdir()):
        own = path.suffix == '.npz' and path.is_file()
        stem = path.name.removesuffix('.npz') if own else path.name
        file = path if own else path / json_name
        if stem.endswith(ending) and len(stem) > len(ending) and file.is_file():
            athlete = stem.removesuffix(ending)
            if own or athlete not in found:
                found[athlete] = file
    return found


def parse_boxes(path: Path, frame_size: tuple[int, int] | None = None, num_frames: int | None = None) -> AthleteTrack:
    """Read one ``boxes.json`` of the VPD release; see :func:`read_boxes`."""
    entries = read_json(path)
    if not isinstance(entries, list):
        raise shape_error(str(path), 'a list of [frame, [x, y, w, h]]', entries)
    frames: dict[int, np.ndarray] = {}
    for i, entry in enumerate(entries):
        where = f'{path}: entry {i}'
        if not isinstance(entry, list) or len(entry) != 2:
            raise shape_error(where, '[frame, [x, y, w, h]]', entry)
        frame = frame_number(entry[0], where, num_frames)
        x, y, w, h = numbers(entry[1], f'{where} (frame {frame})', 'a box [x, y, w, h]', 4)
        if frame in frames:
            raise UserError(f'{where}: frame {frame} has a second box; keep one box a frame, or one folder an athlete')
        if w <= 0 or h <= 0:
            raise UserError(f'{where}: box of frame {frame} has no area (w {w:g}, h {h:g}); drop the entry')
        frames[frame] = np.array([x, y, x + w, y + h])
    inds = np.array(sorted(frames), dtype=np.int64)
    boxes = np.array([frames[i] for i in inds], dtype=np.float32).reshape(-1, 4)
    try:
        track = AthleteTrack(inds, boxes, np.ones(len(inds), dtype=np.float32))
    except UserError as e:
        raise UserError(f'{path}: {e}') from e
    check_track(track, str(path), frame_size, num_frames)
    return track


def check_track(track: AthleteTrack, where: str, frame_size: tuple[int, int] | None, num_frames: int | None) -> None:
    """Every box touches the frame and lies within the video.

    Raises:
        UserError: one does not; ``where`` names the file.
    """
    if not len(track):
        return
    if num_frames is not None:
        frame_number(int(track.frame_inds[-1]), where, num_frames)
    if frame_size is None:
        return
    width, height = frame_size
    x1, y1, x2, y2 = track.boxes.T
    outside = np.flatnonzero((x2 <= 0) | (y2 <= 0) | (x1 >= width) | (y1 >= height))
    if len(outside):
        box = [round(float(v), 1) for v in track.boxes[outside[0]]]
        raise UserError(
            f'{where}: box {box} (xyxy) of frame {int(track.frame_inds[outside[0]])} lies outside the {width}x{height} '
            'frame; is it made for another size, or corner and size swapped?'
        )


def _read_track(path: Path, frame_size: tuple[int, int] | None, num_frames: int | None) -> AthleteTrack:
    if path.suffix == '.npz':
        track = AthleteTrack.load(path)
        check_track(track, str(path), frame_size, num_frames)
        return track
    return parse_boxes(path, frame_size, num_frames)
