"""Poses of any known format join a corpus."""

import os
from pathlib import Path

from ..corpus import Corpus
from ..corpus.provenance import file_digest, refresh_source
from ..errors import UserError
from .pose_files import find_pose_files, read_poses
from .report import ImportReport, Progress, silent


def import_poses(
    source: str | os.PathLike, out: str | os.PathLike, *, name: str, progress: Progress = silent
) -> ImportReport:
    """Import poses as the pose set ``name``, for the videos of the corpus.

    Existing poses are kept unless their files have changed.

    Args:
        source: Holds the files; see :func:`.pose_files.read_poses`.
        out: A corpus with videos.
        name: Of the pose set.
        progress: Wraps what is iterated over; see ``report.py``.

    Raises:
        UserError: ``out`` is no corpus or has no videos, the source is no folder, or poses of this name were made
            from another source.
    """
    corpus = Corpus.open(out)
    corpus.poses_dir(name)
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
        refresh_source(corpus.poses_dir(name), made_from, existing, 'pass another --name', inputs)
        for video, info in progress(videos.items(), 'poses'):
            with report.attempt():
                if not corpus.pose_path(name, video).exists():
                    track = corpus.track(video) if corpus.track_path(video).exists() else None
                    read_poses(source, video, track, info.num_frames).save(corpus.pose_path(name, video))
                report.add('videos with poses')
                report.add('poses', len(corpus.poses(name, video)))
    return report
