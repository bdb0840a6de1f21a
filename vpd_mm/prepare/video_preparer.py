"""One video file to tracks, crops, flow and poses; what one process of a prepare run does."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import av
import cv2

from ..athlete import FlowEstimator, SquareCropper, VideoReader
from ..athlete.camera_cuts import with_previous
from ..corpus import Corpus, CropHeader, CropStore, CropWriter, VideoInfo
from ..corpus.crop_writer import VideoCropWriter
from ..engine.cli import error_line
from ..errors import UserError
from ..structures import AthleteTrack, PoseSequence
from .crop_pass import CropTask, PoseTask
from .options import Models, PrepareSettings, SetupError, find_tracks
from .report import VideoReport

#: (frames done, frames in all) of the video in work.
Progress = Callable[[int, int], None]

#: What a bad video, a full disk or too little memory raise; a fault of ours is none of these but may look like one.
EXPECTED = (UserError, OSError, av.FFmpegError, cv2.error, MemoryError, RuntimeError)


@dataclass(frozen=True)
class Job:
    """One video file, and the rows of videos.csv that stem from it (none yet: it is new)."""

    path: Path
    rows: tuple[VideoInfo, ...] = ()

    def is_tracked(self, corpus: Corpus) -> bool:
        """Whether all its athletes have their tracks."""
        return bool(self.rows) and all(corpus.track_path(row.video).is_file() for row in self.rows)


class VideoPreparer:
    """Prepares videos one after the other into one shard.

    Args:
        settings: What is asked for.
        shard: Name of the shard file.
    """

    def __init__(self, settings: PrepareSettings, shard: str) -> None:
        self.settings = settings
        self.corpus = Corpus.open(settings.out)
        self._store = CropStore(self.corpus.crops_dir)
        self._shard = self.corpus.crops_dir / shard
        self._models = Models(settings)
        self._cropper = SquareCropper(settings.size)
        self._stack = ExitStack()
        self._headers: dict[str, CropHeader] = {}

    def __enter__(self) -> 'VideoPreparer':
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    @cached_property
    def _flow(self) -> FlowEstimator:
        s, device = self.settings, self.settings.device
        if s.flow == 'raft':  # the others have no model, and importing torch takes seconds
            from ..engine.model_zoo import pick_device

            device = pick_device(device)
        try:
            return FlowEstimator(s.flow, subtract_median=s.subtract_median, checkpoint=s.flow_checkpoint, device=device)
        except (UserError, ImportError) as e:
            raise SetupError(str(e)) from e

    @cached_property
    def _writer(self) -> CropWriter:
        return self._stack.enter_context(CropWriter(self._shard))

    def prepare(self, job: Job, progress: Progress) -> list[VideoReport]:
        """Do what is missing of one video file.

        Returns:
            One report an athlete; what went wrong stands in it.

        Raises:
            SetupError: no video can be done.
        """
        reports: dict[str, VideoReport] = {}
        try:
            self._prepare(job, reports, progress)
        except SetupError:
            raise
        except EXPECTED as e:
            failed = [r for r in reports.values() if not r.failures] or [VideoReport(job.path.stem)]
            for report in failed:
                report.failures.append(error_line(e).removeprefix('error: '))
                reports[report.video] = report
        return list(reports.values())

    def _prepare(self, job: Job, reports: dict[str, VideoReport], progress: Progress) -> None:
        if job.is_tracked(self.corpus):
            rows = {row.video: row for row in job.rows}
            tracks = {name: self.corpus.track(name) for name in rows}
            reader = None
        else:
            reader = VideoReader(job.path, self.settings.fps)
            rows, tracks = self._track(reader, progress)
        for name, row in rows.items():
            reports[name] = VideoReport(name, row.num_frames)
            reports[name].count(tracks[name], self._poses_from_files(name, row, tracks[name], reports[name]))
        without_crops = [name for name in rows if not self._crops_done(name)]
        without_poses = [name for name in rows if self._needs_teacher(name)]
        if without_crops or without_poses:
            reader = reader or VideoReader(job.path, self.settings.fps)
            decoded = self._decode(reader, tracks, without_crops, without_poses, progress)
            rows = self._settle_length(reader, rows, tracks, decoded)
            for report in reports.values():
                report.num_frames, report.decoded = rows[report.video].num_frames, decoded
                if reader.num_damaged:
                    report.notes.append(f'{reader.num_damaged} damaged packets or frames skipped')
        for name, report in reports.items():
            header = self._headers.get(name)
            if header is None:  # a header of no crops is one too
                header = self._store.header(name)
            report.crops, report.num_bytes = len(header), header.num_bytes
            report.count(tracks[name], self._existing_poses(name))

    def _track(self, reader: VideoReader, progress: Progress) -> tuple[dict[str, VideoInfo], dict[str, AthleteTrack]]:
        athletes = find_tracks(self.settings, self._models, reader, progress)
        stem, path = reader.path.stem, str(reader.path.absolute())
        tracks = {f'{athlete}__{stem}' if athlete else stem: track for athlete, track in athletes.items()}
        rows = {
            name: VideoInfo(name, path, reader.fps, reader.num_frames, reader.width, reader.height) for name in tracks
        }
        for name, track in tracks.items():
            track.save(self.corpus.track_path(name))
        self.corpus.add_videos(rows.values())
        return rows, tracks

    def _crops_done(self, name: str) -> bool:
        if name not in self._store:
            return False
        header, asked = self._store.header(name), self._flow.settings
        found = dict(header.flow) if header.flow is not None else None
        if (header.size, found, header.frame_shape is not None) != (
            self.settings.size,
            asked,
            self.settings.full_frame,
        ):
            raise UserError(
                f'{self.corpus.crops_dir}: crops of {name} are there with size {header.size}, flow {found}, full '
                f'frames {header.frame_shape is not None}; pass the same options or another --out'
            )
        return True

    def _existing_poses(self, name: str) -> PoseSequence | None:
        pose_set = self.settings.pose_set
        if pose_set is None or not self.corpus.pose_path(pose_set, name).is_file():
            return None
        return self.corpus.poses(pose_set, name)

    def _needs_teacher(self, name: str) -> bool:
        s = self.settings
        by_model = s.poses == 'mediapipe' or s.poses.startswith('mmpose:')
        return by_model and self._existing_poses(name) is None

    def _poses_from_files(
        self, name: str, row: VideoInfo, track: AthleteTrack, report: VideoReport
    ) -> PoseSequence | None:
        """Read, keep and return poses given as files; a fault stands in the report and the crops go on."""
        s, existing = self.settings, self._existing_poses(name)
        if existing is not None or s.pose_set is None or self._needs_teacher(name):
            return existing
        from ..importers.pose_files import read_poses

        try:
            try:
                poses = read_poses(s.poses, name, track, row.num_frames)
            except UserError:
                stem = Path(row.path).stem
                if stem == name:
                    raise
                poses = read_poses(s.poses, stem, track, row.num_frames)  # one file of all athletes
        except UserError as e:
            report.failures.append(str(e))
            return None
        poses.save(self.corpus.pose_path(s.pose_set, name))
        return poses

    def _masks(self, name: str, num_frames: int) -> dict:
        if self.settings.mask_dir is None:
            return {}
        from ..importers.mask_files import read_masks

        return read_masks(self.settings.mask_dir, name, num_frames)

    def _decode(
        self,
        reader: VideoReader,
        tracks: dict[str, AthleteTrack],
        without_crops: list[str],
        without_poses: list[str],
        progress: Progress,
    ) -> int:
        """The one pass over the frames; returns one past the last frame."""
        tasks: list[CropTask | PoseTask] = []
        writers: dict[str, VideoCropWriter] = {}
        told, end = time.monotonic(), 0
        with ExitStack() as stack:
            for name in without_crops:
                video = self._writer.video(name, self.settings.size, self._flow.settings, self.settings.full_frame)
                writers[name] = stack.enter_context(video)
                masks = self._masks(name, reader.num_frames)
                tasks.append(CropTask(tracks[name], masks, writers[name], self._cropper, self._flow))
            teaching = [PoseTask(tracks[n], self._models, self._models.frames_per_batch(reader)) for n in without_poses]
            tasks += teaching
            for frame_ind, rgb, previous in with_previous(reader):
                for task in tasks:
                    task.step(frame_ind, rgb, previous)
                end = frame_ind + 1
                if time.monotonic() - told > 0.25:
                    told = time.monotonic()
                    progress(end, reader.num_frames)
            for name, task in zip(without_poses, teaching):
                task.finish().save(self.corpus.pose_path(str(self.settings.pose_set), name))
        self._headers = {name: writer.header for name, writer in writers.items() if writer.header is not None}
        return end

    def _settle_length(
        self, reader: VideoReader, rows: dict[str, VideoInfo], tracks: dict[str, AthleteTrack], decoded: int
    ) -> dict[str, VideoInfo]:
        """Some containers hold packets that show nothing: what decoding gave is the length."""
        if reader.num_damaged or decoded == reader.num_frames:
            return rows
        for name, track in tracks.items():
            if self.settings.boxes == 'full' and len(track) > decoded:
                tracks[name] = AthleteTrack(track.frame_inds[:decoded], track.boxes[:decoded], track.scores[:decoded])
                tracks[name].save(self.corpus.track_path(name))
        rows = {name: replace(row, num_frames=decoded) for name, row in rows.items()}
        self.corpus.add_videos(rows.values())
        return rows
