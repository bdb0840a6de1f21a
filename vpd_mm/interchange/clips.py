"""Actions as clips: one MP4 for each, with exactly the frames of the action, and a table of them."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from ..athlete.video_reader import VideoReader
from ..corpus import Corpus
from ..engine.progress import OnProgress, no_progress
from ..files import check_output, open_output
from ..structures import Label
from ..visualize.video_writer import VideoWriter
from .entries import LabelledVideo

#: Columns of ``clips.csv``.
HEADER = ('clip', 'action_id', 'video', 'start_frame', 'end_frame', 'start_sec', 'end_sec', 'fps', 'label', 'split')
#: Frames that are decoded at once, in memory.
_CHUNK = 32


def write_clips(
    corpus: Corpus,
    videos: Iterable[LabelledVideo],
    out: Path,
    *,
    overwrite: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[Path]:
    """Cut the actions of videos out of their files.

    A clip is encoded again (H.264), so that it has every frame of the action and no other; at a variable rate its
    frames keep their times.  Odd sides lose their last row or column, and there is no sound.  ``clips.csv`` is written
    last.

    Args:
        corpus: The corpus of the videos.
        videos: Videos with their labels.
        out: Folder; clips are ``<class>/<video>_<start>_<end>.mp4``.
        overwrite: Also replace files of others.
        on_progress: Called with (done, total) clips.

    Returns:
        The clips.

    Raises:
        UserError: a video file is missing or does not decode, or a file of another program would be replaced.
    """
    videos = list(videos)
    paths: dict[tuple[str, str], Path] = {}
    for video in videos:
        for label in video.labels:
            path = out / _file_name(label.label) / f'{video.info.video}_{label.start_frame}_{label.end_frame}.mp4'
            if path in paths.values():
                path = path.with_stem(f'{path.stem}_{_file_name(label.action_id)}')
            paths[video.info.video, label.action_id] = path
    table = out / 'clips.csv'
    for path in paths.values():
        check_output(path, overwrite=overwrite, inputs=[video.info.path for video in videos])
    check_output(table, mark=','.join(HEADER), overwrite=overwrite)
    on_progress(0, len(paths))
    rows: list[tuple] = []
    for video in (video for video in videos if video.labels):
        reader = VideoReader(video.info.existing_path(), corpus.fps)
        for label in video.labels:
            path = paths[video.info.video, label.action_id]
            _write_clip(reader, video, label, path)
            frames = label.start_frame, label.end_frame
            ends = [f'{video.seconds(frame):.6f}' for frame in frames]
            about = label.action_id, video.info.video, *frames, *ends, f'{video.info.fps:.6f}'
            rows.append((path.relative_to(out).as_posix(), *about, label.label, label.split))
            on_progress(len(rows), len(paths))
    with open_output(table, 'w', mark=','.join(HEADER), overwrite=overwrite) as f:
        writer = csv.writer(f, lineterminator='\n')
        writer.writerows([HEADER, *rows])
    return list(paths.values())


def _write_clip(reader: VideoReader, video: LabelledVideo, label: Label, path: Path) -> None:
    origin = float(video.times.seconds(label.start_frame))
    with VideoWriter(path, video.info.fps) as writer:
        for first in range(label.start_frame, label.end_frame, _CHUNK):
            frames = range(first, min(first + _CHUNK, label.end_frame))
            for frame, image in reader.read(frames).items():
                variable = video.times.edges is not None
                writer.write(image, float(video.times.seconds(frame)) - origin if variable else None)


def _file_name(text: str) -> str:
    """A name that any file system takes."""
    return re.sub(r'[^\w.+=-]+', '_', text).strip('._')[:80] or 'action'
