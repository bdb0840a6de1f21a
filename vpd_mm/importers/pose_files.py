"""Athlete poses from files: npz of vpd_mm, or the output of pose estimators."""

import os
import re
from collections import Counter
from pathlib import Path

from ..corpus import Corpus, VideoInfo
from ..corpus.stale_files import CorpusInputs, files_digest, stale_videos
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..files import composed, list_folder, stored_path
from ..structures import AthleteTrack, PoseSequence
from ..structures.npz_io import read_source
from .athlete_poses import choose_poses
from .json_io import first_frame, read_json
from .pose_formats import parse_frame_files, parse_pose_json, person_of
from .pose_tables import parse_pose_table
from .report import ImportReport, track_progress

#: Endings of files that hold one person only, and those of tables.
_OF_ONE_PERSON = ('.npz', '.csv', '_px.trc', '_Sports2D_px_person00.trc')
TABLES = ('.csv', '.trc')
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
    3. ``<video>.csv``, ``<video>_px.trc``, ``<video>_Sports2D_px_person00.trc`` (one person; see ``pose_tables``);
    4. ``<video>.json``, ``results_<video>.json``, ``<video>/alphapose-results.json``, the same with ``.gz`` (mmpose,
       COCO, AlphaPose, VPD release; see ``pose_formats.parse_pose_json``);
    5. a file per frame, of OpenPose or mmpose: ``<video>_<frame>_keypoints.json``, or any name that ends in
       ``<frame>.json`` or ``<frame>_keypoints.json`` in ``<video>/`` or ``<video>_json/`` (Pose2Sim, Sports2D).

    The joint set is one of ``joint_sets.JOINT_SETS``.  Frames count from 0, or from 1 where the file has frame 1, the
    one past the end, and no frame 0.  The athlete is chosen by :func:`~vpd_mm.importers.athlete_poses.choose_poses`.

    Args:
        directory: Holds the files.
        video_name: Name of the video without its ending.
        track: Boxes of the athlete.
        video: Its size and length: no pose may lie past its end, a joint outside of its frame is not seen.  With a
            track, files of the name of its video file, which hold all people, serve too.
        counts: Gets the numbers of people of each joint set, and of what was corrected or left out.

    Raises:
        UserError: no file, an invalid entry (wrong joint count, past the end, a frame twice, truncated or too large
            JSON or gzip), most joints are unusable, or none of the people is the athlete.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f'{directory}: no such folder of poses')
    files = _files(directory, video_name)
    if not files and track is not None and video is not None:
        files = _files(directory, video.file_name, ())
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
    if path.suffix in TABLES:
        people = [(frame, [person_of(joints, str(path))]) for frame, joints in parse_pose_table(path)]
    elif files[0][0] == _ALL_FRAMES:
        people = list(parse_pose_json(read_json(path), path))
    else:
        path = path.parent
        people = list(parse_frame_files(files, counts))
    first = first_frame({frame for frame, _ in people}, path, num_frames)
    if first:
        counts['frames counted from 1'] += len(people)
    return choose_poses([(frame - first, persons) for frame, persons in people], track, video, path, counts)


def find_pose_files(directory: str | os.PathLike, video_name: str, file_name: str = '') -> list[Path]:
    """List the files that :func:`read_poses` reads for a video with a track; empty where there are none."""
    directory = Path(directory)
    return [path for _, path in _files(directory, video_name) or _files(directory, file_name, ())]


def _files(directory: Path, video_name: str, endings: tuple[str, ...] = _OF_ONE_PERSON) -> list[tuple[int, Path]]:
    """Return (frame, file) of the files of a video, in the order of the frames.

    ``endings`` are those of files that hold one person only.
    """
    if not video_name or video_name.startswith('.'):  # no name of a file, such as '..'
        return []
    names = [f'{video_name}{ending}' for ending in endings]
    for name in ('/coco_keypoints.json', '.json', '/alphapose-results.json'):
        names += [f'{video_name}{name}.gz', f'{video_name}{name}']
    names += [f'results_{video_name}.json.gz', f'results_{video_name}.json']
    for path in (stored_path(directory, name) for name in names):
        if path.is_file():
            return [(_ALL_FRAMES, path)]
    shared = re.compile(rf'{re.escape(video_name)}_([0-9]{{1,15}})_keypoints\.json')
    own = re.compile(r'.*?([0-9]{1,15})(_keypoints)?\.json')
    own_folders = (stored_path(directory, name) for name in (video_name, f'{video_name}_json'))
    for folder, pattern in ((directory, shared), *((folder, own) for folder in own_folders)):
        paths = list_folder(folder, '*.json')
        files = [(int(match[1]), path) for path in paths if (match := pattern.fullmatch(composed(path.name)))]
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
        inputs, wanted = CorpusInputs(corpus), {}
        for video, info in videos.items():
            files = {'poses': files_digest(find_pose_files(source, video, info.file_name))}
            made_of = {**files, **inputs.of(f'athlete/tracks/{video}.npz')}
            wanted[video] = {'poses': str(Path(source).resolve()), 'inputs': made_of}
        stored = {video: read_source(path) for video in videos if (path := corpus.pose_path(name, video)).exists()}
        for video in stale_videos(folder, stored, wanted, 'pass another --name'):
            corpus.pose_path(name, video).unlink()
        for video, info in track_progress(list(videos.items()), on_progress):
            with report.attempt(f'{source}: {video}'):
                if not corpus.pose_path(name, video).exists():
                    track = corpus.track(video) if corpus.track_path(video).exists() else None
                    poses = read_poses(source, video, track, info, report.counts)
                    poses.save(corpus.pose_path(name, video), wanted[video])
                report.counts['videos with poses'] += 1
                report.counts['poses'] += len(corpus.poses(name, video))
    return report
