"""Athlete poses from files: npz of vpd_mm, or the output of pose estimators."""

import os
from collections import defaultdict
from pathlib import Path

import numpy as np

from ..corpus import Corpus
from ..corpus.provenance import file_digest, refresh_source
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError, errors_name
from ..files import composed, list_folder, stored_path
from ..structures import AthleteTrack, PoseSequence
from .json_io import frame_number, read_json
from .pose_formats import (
    OPENPOSE_NAME,
    People,
    Person,
    last_digits,
    parse_mmpose_images,
    parse_openpose,
    parse_pose_json,
)
from .report import ImportReport, track_progress

#: Least IoU of a person with the athlete's box; less is another person.
MIN_IOU = 0.1


def read_poses(
    directory: str | os.PathLike,
    video_name: str,
    track: AthleteTrack | None = None,
    num_frames: int | None = None,
    file_name: str = '',
) -> PoseSequence:
    """Read the poses of one video and keep the athlete's.

    Candidates, in this order:

    1. ``<video>.npz`` (PoseSequence);
    2. ``<video>/coco_keypoints.json.gz`` or ``.json`` (VPD release);
    3. ``<video>.json``, ``results_<video>.json``, the same with ``.gz`` (mmpose, COCO, VPD release; see
       ``pose_formats.parse_pose_json``);
    4. ``<video>_<12 digits>_keypoints.json`` here or in ``<video>/`` (OpenPose, BODY_25 or COCO-18);
    5. ``<video>/<frame>.json`` (mmpose's inferencer on a folder of frames).

    The athlete is the person with the largest IoU with the track in that frame.  Joint scores above 1 are clipped.

    Args:
        directory: Holds the files.
        video_name: Name of the video without its ending.
        track: Boxes of the athlete; without them the person of the highest score is taken.
        num_frames: Frames of the video; no pose may lie past its end.
        file_name: Name of the video file, where ``video_name`` is that of one of its athletes; with a track, the files
            of that name, which hold all people, serve too.

    Raises:
        UserError: no file, or an invalid entry: NaN, wrong joint count, past the end, a frame twice, truncated or too
            large JSON or gzip.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f'{directory}: no such folder of poses')
    kind, files = _candidates(directory, video_name)
    if not files and track is not None:
        kind, files = _candidates(directory, file_name, ())
    if not files:
        raise UserError(
            f'{directory}: no poses of {video_name!r}; expected {video_name}.npz, {video_name}/coco_keypoints.json.gz, '
            f'{video_name}.json (mmpose, COCO) or {video_name}_000000000000_keypoints.json ... (OpenPose)'
        )
    path = files[0]
    if kind == 'npz':
        poses = PoseSequence.load(path)
        if len(poses):
            frame_number(int(poses.frame_inds[-1]), path, num_frames)
        return poses
    if kind == 'json':
        people = parse_pose_json(read_json(path), path, num_frames)
    else:
        path = path.parent
        people = (parse_openpose if kind == 'openpose' else parse_mmpose_images)(files, num_frames)
    return _choose_poses(people, track, path)


def find_pose_files(directory: str | os.PathLike, video_name: str, file_name: str = '') -> list[Path]:
    """List the files that :func:`read_poses` reads for a video with a track; empty where there are none."""
    return _candidates(Path(directory), video_name)[1] or _candidates(Path(directory), file_name, ())[1]


def _candidates(directory: Path, video_name: str, endings: tuple[str, ...] = ('.npz',)) -> tuple[str, list[Path]]:
    """Return the kind of the files of a video (npz, json, openpose, images) and the files.

    ``endings`` are those of files that hold one person only.
    """
    if not video_name or video_name.startswith('.'):  # no name of a file, such as '..'
        return '', []
    names = [f'{video_name}{ending}' for ending in endings]
    for name in (f'{video_name}/coco_keypoints.json', f'{video_name}.json', f'results_{video_name}.json'):
        names += [f'{name}.gz', name]
    folder = stored_path(directory, video_name)
    for path in (stored_path(directory, name) for name in names):
        if path.is_file():
            return 'npz' if path.suffix == '.npz' else 'json', [path]
    paths = [path for parent in (directory, folder) for path in list_folder(parent)]
    openpose = [path for path in paths if (m := OPENPOSE_NAME.match(composed(path.name))) and m['video'] == video_name]
    if openpose:
        return 'openpose', openpose
    return 'images', [path for path in list_folder(folder, '*.json') if last_digits(path.name) is not None]


def _choose_poses(people: People, track: AthleteTrack | None, path: Path) -> PoseSequence:
    """Keep the person with the largest IoU (at least ``MIN_IOU``), or score, of every frame; the first wins a tie."""
    boxes = {} if track is None else dict(zip(track.frame_inds.tolist(), track.boxes, strict=True))
    chosen: dict[int, Person] = {}
    best: dict[int, float] = defaultdict(lambda: -np.inf)
    for frame, person in people:
        if track is None:
            value = person.score
        else:
            value = iou(person.extent(), boxes[frame]) if frame in boxes else 0.0
        if value > best[frame] and (track is None or value >= MIN_IOU):
            best[frame], chosen[frame] = value, person
    inds = np.array(sorted(chosen), dtype=np.int64)
    joints = np.array([chosen[i].joints for i in inds], dtype=np.float32).reshape(-1, 17, 3)
    with errors_name(path):
        return PoseSequence(inds, joints[..., :2], np.clip(joints[..., 2], 0, 1))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two xyxy boxes; 0 where one has no area."""
    size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    if size.min() <= 0:
        return 0.0
    shared = float(size.prod())
    return shared / (float((a[2:] - a[:2]).prod()) + float((b[2:] - b[:2]).prod()) - shared)


def import_poses(
    source: str | os.PathLike, out: str | os.PathLike, *, name: str, on_progress: OnProgress = no_progress
) -> ImportReport:
    """Import the poses in ``source`` (see :func:`read_poses`) as the pose set ``name``, for the videos of a corpus.

    Existing poses are kept unless their files have changed.  ``on_progress`` is called with (done, total) videos.

    Raises:
        UserError: ``out`` is no corpus or has no videos, the source is no folder, or poses of this name were made from
            another source.
    """
    corpus = Corpus.open(out)
    folder = corpus.poses_dir(name)
    if not Path(source).is_dir():
        raise UserError(f'{source}: no such folder of poses')
    videos = corpus.videos()
    if not videos:
        raise UserError(f'{corpus.videos_path}: holds no video; prepare or import the videos first')
    report = ImportReport()
    with corpus.lock():
        existing = [video for video in videos if corpus.pose_path(name, video).exists()]
        files = {video: find_pose_files(source, video, info.file_name) for video, info in videos.items()}
        inputs = {video: file_digest(paths) for video, paths in files.items() if paths}
        made_from = {'poses': str(Path(source).resolve())}
        refresh_source(folder, made_from, existing, 'pass another --name', inputs)
        for video, info in track_progress(list(videos.items()), on_progress):
            with report.attempt(f'{source}: {video}'):
                if not corpus.pose_path(name, video).exists():
                    track = corpus.track(video) if corpus.track_path(video).exists() else None
                    poses = read_poses(source, video, track, info.num_frames, info.file_name)
                    poses.save(corpus.pose_path(name, video))
                report.counts['videos with poses'] += 1
                report.counts['poses'] += len(corpus.poses(name, video))
    return report
