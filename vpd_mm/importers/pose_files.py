"""Athlete poses from files: our own npz, or what other tools write."""

import os
from pathlib import Path

from ..errors import UserError
from ..structures import AthleteTrack, PoseSequence
from .box_files import ATHLETE_SEPARATOR
from .json_io import frame_number, read_json
from .openpose_json import FILE_NAME, parse_openpose
from .pose_choice import choose_poses
from .pose_json import last_digits, parse_mmpose_images, parse_pose_json


def read_poses(
    directory: str | os.PathLike,
    video_name: str,
    track: AthleteTrack | None = None,
    num_frames: int | None = None,
) -> PoseSequence:
    """Read the poses of one video and keep the athlete's.

    Looked for, in this order:

    1. ``<video>.npz`` (PoseSequence);
    2. ``<video>/coco_keypoints.json.gz`` or ``.json`` (VPD release);
    3. ``<video>.json``, ``results_<video>.json``, the same with ``.gz``
       (mmpose, COCO, VPD release; see ``pose_json.parse_pose_json``);
    4. ``<video>_<12 digits>_keypoints.json`` here or in ``<video>/`` (OpenPose,
       BODY_25 or COCO-18);
    5. ``<video>/<frame>.json`` (mmpose's inferencer on a folder of frames).

    Where a frame has several people, ``pose_choice.choose_poses`` takes
    the athlete's.  Joint scores above 1 are clipped.

    Args:
        directory: Holds the files.
        video_name: Name of the video without its ending.  With a track,
            ``<athlete>__<video>`` also looks for files of ``<video>``, which
            show everybody.
        track: The athlete's boxes; without, the best scored person.
        num_frames: Frames of the video; no pose may lie past it.

    Raises:
        UserError: no file, or an entry is off: NaN, wrong joint count, past
            the end, a frame twice, JSON or gzip cut short or absurdly large.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f'{directory}: no such folder of poses')
    poses = _read(directory, video_name, track, num_frames)
    shared_name = video_name.partition(ATHLETE_SEPARATOR)[2]
    if poses is None and track is not None and shared_name:
        poses = _read(directory, shared_name, track, num_frames)
    if poses is None:
        raise UserError(
            f'{directory}: no poses of {video_name!r}; expected {video_name}.npz, {video_name}/coco_keypoints.json.gz, '
            f'{video_name}.json (mmpose, COCO) or {video_name}_000000000000_keypoints.json ... (OpenPose)'
        )
    return poses


def _read(directory: Path, video_name: str, track: AthleteTrack | None, num_frames: int | None) -> PoseSequence | None:
    own = directory / f'{video_name}.npz'
    if own.is_file():
        poses = PoseSequence.load(own)
        if len(poses):
            frame_number(int(poses.frame_inds[-1]), str(own), num_frames)
        return poses
    path = find_pose_json(directory, video_name)
    if path is not None:
        return _choose(parse_pose_json(read_json(path), path, num_frames), track, path)
    folder = directory / video_name
    openpose = [p for where in (directory, folder) for p in _openpose_files(where, video_name)]
    if openpose:
        return _choose(parse_openpose(openpose, num_frames), track, openpose[0].parent)
    images = sorted(p for p in folder.glob('*.json') if last_digits(p.name) is not None)
    if images:
        return _choose(parse_mmpose_images(images, num_frames), track, folder)
    return None


def find_pose_files(directory: str | os.PathLike, video_name: str) -> list[Path]:
    """List the files that :func:`read_poses` reads for a video; none where there are none."""
    directory = Path(directory)
    for name in filter(None, (video_name, video_name.partition(ATHLETE_SEPARATOR)[2])):
        if (own := directory / f'{name}.npz').is_file():
            return [own]
        if (path := find_pose_json(directory, name)) is not None:
            return [path]
        files = [p for folder in (directory, directory / name) for p in _openpose_files(folder, name)]
        files = files or sorted(p for p in (directory / name).glob('*.json') if last_digits(p.name) is not None)
        if files:
            return files
    return []


def find_pose_json(directory: Path, video_name: str) -> Path | None:
    """The one file that holds all frames of the video, or None."""
    names = (f'{video_name}/coco_keypoints.json', f'{video_name}.json', f'results_{video_name}.json')
    for name in names:
        for path in (directory / f'{name}.gz', directory / name):
            if path.is_file():
                return path
    return None


def _openpose_files(folder: Path, video_name: str) -> list[Path]:
    if not folder.is_dir():
        return []
    matches = ((p, FILE_NAME.match(p.name)) for p in folder.iterdir() if p.name.startswith(f'{video_name}_'))
    return sorted(p for p, match in matches if match and match['video'] == video_name)


def _choose(people: dict, track: AthleteTrack | None, path: Path) -> PoseSequence:
    try:
        return choose_poses(people, track)
    except UserError as e:
        raise UserError(f'{path}: {e}') from e
