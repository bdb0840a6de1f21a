"""Athlete boxes from files: npz of vpd_mm, or boxes.json of the public VPD release."""

import os
from pathlib import Path

import numpy as np

from ..errors import UserError, errors_name
from ..files import composed, list_folder, stored_path
from ..structures import AthleteTrack
from .json_io import frame_entries, frame_number, read_json, xyxy

#: Separates the name of the athlete from that of the video: ``front__<clip>``.
ATHLETE_SEPARATOR = '__'


def read_boxes(
    directory: str | os.PathLike,
    video_name: str,
    frame_size: tuple[int, int] | None = None,
    num_frames: int | None = None,
) -> dict[str, AthleteTrack]:
    """Read the boxes of one video.

    Candidates, in this order: ``<video>.npz`` (AthleteTrack), ``<video>/boxes.json``
    (``[[frame, [x, y, w, h]], ...]``, pixels, frames from 0, any order); where neither exists, the same two under every
    ``<athlete>__<video>`` (tennis: ``front__<clip>``, ``back__<clip>``).

    Args:
        directory: Holds the files.
        video_name: Name of the video without its ending.
        frame_size: (width, height); every box must touch the frame.
        num_frames: Frames of the video; no box may lie past its end.

    Returns:
        Athlete name to track; the name is '' where the video has only one.

    Raises:
        UserError: no file, or an invalid entry: NaN, no area, outside the frame, past the end, a frame twice,
            truncated JSON.
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
    tracks = {}
    for athlete, path in athletes.items():
        track = AthleteTrack.load(path) if path.suffix == '.npz' else _read_json_boxes(path, num_frames)
        if len(track):
            frame_number(int(track.frame_inds[-1]), path, num_frames)
        if frame_size is not None:
            _check_inside(track, path, frame_size)
        tracks[athlete] = track
    return tracks


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


def _read_json_boxes(path: Path, num_frames: int | None) -> AthleteTrack:
    boxes = {
        frame: xyxy(box, where)
        for where, frame, box in frame_entries(read_json(path), path, '[x, y, w, h]', num_frames)
    }
    inds = np.array(sorted(boxes), dtype=np.int64)
    with errors_name(path):
        rows = np.array([boxes[i] for i in inds], dtype=np.float32).reshape(-1, 4)
        return AthleteTrack(inds, rows, np.ones(len(inds), dtype=np.float32))


def _check_inside(track: AthleteTrack, path: Path, frame_size: tuple[int, int]) -> None:
    outside = (track.boxes[:, 2:] <= 0).any(axis=1) | (track.boxes[:, :2] >= np.array(frame_size)).any(axis=1)
    if outside.any():
        first = int(np.argmax(outside))
        box = [round(float(v), 1) for v in track.boxes[first]]
        raise UserError(
            f'{path}: box {box} (xyxy) of frame {int(track.frame_inds[first])} lies outside the '
            f'{frame_size[0]}x{frame_size[1]} frame; is it made for another size, or corner and size swapped?'
        )
