"""Athlete poses from files: npz of vpd_mm, or the output of pose estimators."""

import os
import re
from collections import Counter
from pathlib import Path

from ..corpus import Corpus, VideoInfo
from ..corpus.provenance import file_digest, refresh_source
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..structures import AthleteTrack, PoseSequence
from .athlete_poses import choose_poses
from .box_files import ATHLETE_SEPARATOR
from .json_io import first_frame, read_json
from .pose_formats import parse_frame_files, parse_pose_json
from .report import ImportReport, track_progress

#: Stands for the frame of a file that holds a whole video.
_ALL_FRAMES = -1


def read_poses(
    directory: str | os.PathLike,
    video_name: str,
    track: AthleteTrack | None = None,
    video: VideoInfo | None = None,
    counts: Counter[str] | None = None,
) -> PoseSequence:
    """Read the poses of one video and keep the athlete's.

    Candidates, in this order:

    1. ``<video>.npz`` (PoseSequence);
    2. ``<video>/coco_keypoints.json.gz`` or ``.json`` (VPD release);
    3. ``<video>.json``, ``results_<video>.json``, ``<video>/alphapose-results.json``, the same with ``.gz`` (mmpose,
       COCO, AlphaPose, VPD release; see ``pose_formats.parse_pose_json``);
    4. a file per frame, of OpenPose or mmpose: ``<video>_<frame>_keypoints.json``, or any name that ends in
       ``<frame>.json`` or ``<frame>_keypoints.json`` in ``<video>/`` or ``<video>_json/`` (Pose2Sim, Sports2D).

    The joint set is one of ``joint_sets.JOINT_SETS``.  Frames count from 0, or from 1 where the file has frame 1, the
    one past the end, and no frame 0.  The athlete is chosen by :func:`~vpd_mm.importers.athlete_poses.choose_poses`.

    Args:
        directory: Holds the files.
        video_name: Name of the video without its ending.  With a track, files of ``<video>``, which hold all people,
            also serve ``<athlete>__<video>``.
        track: Boxes of the athlete.
        video: Size and length of the video: no pose may lie past its end, a joint outside of its frame is not seen.
        counts: Gets the numbers of people of each joint set, and of what was corrected or left out.

    Raises:
        UserError: no file, an invalid entry (wrong joint count, past the end, a frame twice, truncated or too large
            JSON or gzip), most joints are unusable, or none of the people is the athlete.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f'{directory}: no such folder of poses')
    files = _files(directory, video_name)
    if not files and track is not None:
        files = _files(directory, video_name.partition(ATHLETE_SEPARATOR)[2])
    if not files:
        raise UserError(
            f'{directory}: no poses of {video_name!r}; expected {video_name}.npz, {video_name}/coco_keypoints.json.gz, '
            f'{video_name}.json (mmpose, COCO, AlphaPose), or a file per frame such as '
            f'{video_name}_000000000000_keypoints.json (OpenPose) or {video_name}_json/{video_name}_000000.json'
        )
    counts = Counter() if counts is None else counts
    num_frames = None if video is None else video.num_frames
    path = files[0][1]
    if path.suffix == '.npz':
        poses = PoseSequence.load(path)
        first_frame(poses.frame_inds[-1:].tolist(), path, num_frames)
        if not len(poses):
            raise UserError(f'{path}: holds no pose')
        return poses
    if files[0][0] == _ALL_FRAMES:
        people = list(parse_pose_json(read_json(path), path))
    else:
        path = path.parent
        people = list(parse_frame_files(files))
    first = first_frame({frame for frame, _ in people}, path, num_frames)
    if first:
        counts['frames counted from 1'] += len(people)
    return choose_poses([(frame - first, persons) for frame, persons in people], track, video, path, counts)


def find_pose_files(directory: str | os.PathLike, video_name: str) -> list[Path]:
    """List the files that :func:`read_poses` reads for a video; empty where there are none."""
    names = video_name, video_name.partition(ATHLETE_SEPARATOR)[2]
    return next(([path for _, path in files] for name in names if (files := _files(Path(directory), name))), [])


def _files(directory: Path, video_name: str) -> list[tuple[int, Path]]:
    """Return (frame, file) of the files of a video, in the order of the frames."""
    if not video_name or video_name.startswith('.'):  # no name of a file, such as '..'
        return []
    names = [f'{video_name}.npz']
    for name in ('{}/coco_keypoints.json', '{}.json', 'results_{}.json', '{}/alphapose-results.json'):
        names += [f'{name.format(video_name)}.gz', name.format(video_name)]
    for path in (directory / name for name in names):
        if path.is_file():
            return [(_ALL_FRAMES, path)]
    shared = re.compile(rf'{re.escape(video_name)}_([0-9]{{1,15}})_keypoints\.json')
    own = re.compile(r'(?!\.).*?([0-9]{1,15})(_keypoints)?\.json')
    folders = {directory: shared, directory / video_name: own, directory / f'{video_name}_json': own}
    for folder, pattern in folders.items():
        paths = folder.iterdir() if folder.is_dir() else ()
        files = [(int(match[1]), path) for path in paths if (match := pattern.fullmatch(path.name))]
        if files:
            return sorted(files)
    return []


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
        inputs = {video: file_digest(files) for video in videos if (files := find_pose_files(source, video))}
        made_from = {'poses': str(Path(source).resolve())}
        refresh_source(folder, made_from, existing, 'pass another --name', inputs)
        for video, info in track_progress(list(videos.items()), on_progress):
            with report.attempt(f'{source}: {video}'):
                if not corpus.pose_path(name, video).exists():
                    track = corpus.track(video) if corpus.track_path(video).exists() else None
                    read_poses(source, video, track, info, report.counts).save(corpus.pose_path(name, video))
                report.counts['videos with poses'] += 1
                report.counts['poses'] += len(corpus.poses(name, video))
    return report
