"""Prepare one video file: tracks, crops, flow and poses.

The source of a file is taken before its inputs are read: an input that is replaced meanwhile makes the file stale in
the next run.
"""

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ..athlete import SquareCropper, VideoReader
from ..athlete.camera_cuts import with_previous
from ..corpus import Corpus, CropHeader, CropStore, CropWriter, VideoInfo
from ..corpus.stale_files import files_digest
from ..engine.cli import error_line
from ..engine.progress import OnProgress
from ..errors import UserError
from ..importers.mask_files import read_masks
from ..importers.pose_files import find_pose_files, read_poses
from ..structures import AthleteTrack, PoseSequence
from ..structures.npz_io import read_source
from .crop_pass import CropTask, PoseTask
from .models import Models, SetupError
from .options import PrepareSettings
from .report import VideoReport
from .sources import Job, Sources, video_name
from .tracking_pass import find_tracks

_PROGRESS_SEC = 0.25


class VideoPreparer:
    """Prepare videos one after the other; ``writer`` writes the shard that gets the crops."""

    def __init__(self, settings: PrepareSettings, writer: CropWriter) -> None:
        self.settings, self._writer = settings, writer
        self._pose_name = settings.pose_name
        self.corpus = Corpus.open(settings.out)
        self._store = CropStore(self.corpus.crops_dir)
        self._sources = Sources(self.corpus, settings)
        self._models = Models(settings)
        self._cropper = SquareCropper(settings.size)

    def prepare(self, job: Job, on_progress: OnProgress) -> list[VideoReport]:
        """Add what is missing of one video file; return one report per athlete, with the errors.

        Any other error fails this file and not the run.  Raises SetupError where no video can be prepared.
        """
        reports: dict[str, VideoReport] = {}
        if self.settings.pose_name != (pose_name := job.keeps_poses or self._pose_name):
            self.settings = replace(self.settings, pose_name=pose_name)
        try:
            if job.problem:
                raise UserError(job.problem)
            self._prepare(job, reports, on_progress)
        except SetupError:
            raise
        except Exception as e:
            for report in [r for r in reports.values() if not r.failures] or [VideoReport(job.name)]:
                report.failures.append(error_line(e).removeprefix('error: '))
                reports[report.video] = report
        return list(reports.values())

    def _prepare(self, job: Job, reports: dict[str, VideoReport], on_progress: OnProgress) -> None:
        s = self.settings
        reader: VideoReader | None = None
        headers: dict[str, CropHeader] = {}
        of_boxes: Counter[str] = Counter()
        if job.is_tracked(self.corpus):
            rows = {row.video: row for row in job.rows}
            tracks = {name: self.corpus.track(name) for name in rows}
        else:
            reader = self._open(job)
            rows, tracks = self._track(job, reader, on_progress, of_boxes)
        for name, row in rows.items():
            reports[name] = VideoReport(name, row.num_frames, notes=_texts(of_boxes))
            reports[name].count(tracks[name], self._poses(name))
        without_crops = [name for name in rows if name not in self._store]
        without_poses = [name for name in rows if s.poses_by_model and self._poses(name) is None]
        if without_crops or without_poses:
            reader = reader or self._open(job)
            decoded, headers = self._decode(job, reader, rows, tracks, without_crops, without_poses, on_progress)
            for name, report in reports.items():
                report.num_frames, report.decoded = rows[name].num_frames, decoded
                if reader.num_damaged:
                    report.notes.append(f'{reader.num_damaged} damaged packets or frames skipped')
        for name, row in rows.items():
            if s.pose_set is None or s.poses_by_model:
                continue
            if self._poses(name) is None:
                counts, source = Counter[str](), self._sources.poses(job, name)
                try:
                    poses = read_poses(s.poses, name, tracks[name], row, counts)
                    poses.save(self._pose_path(name), source)
                except UserError as e:
                    reports[name].failures.append(str(e))
                reports[name].notes += _texts(counts)
            elif not find_pose_files(s.poses, name, job.name):
                reports[name].notes.append(f'poses kept, although {s.poses} has no file of them any more')
        for name, report in reports.items():
            header = headers[name] if name in headers else self._store.settings(name)
            frame_inds = header.frame_inds if name in headers else self._store.frame_inds(name)
            report.crops, report.num_bytes = len(frame_inds), header.num_bytes
            report.count(tracks[name], self._poses(name))
            report.note_gaps(tracks[name], frame_inds)

    def _open(self, job: Job) -> VideoReader:
        reader = VideoReader(job.path, self.settings.fps)
        if job.state not in ((), reader.state) and files_digest([job.path]) != job.digest:
            raise UserError(f'{job.path}: was changed or replaced since this run began; run the same command again')
        return reader

    def _track(
        self, job: Job, reader: VideoReader, on_progress: OnProgress, counts: Counter[str]
    ) -> tuple[dict[str, VideoInfo], dict[str, AthleteTrack]]:
        """Find the athletes; save their tracks and rows of videos.csv; UserError where one has another video's name."""
        source = self._sources.track(job)
        athletes = find_tracks(self.settings, self._models, reader, on_progress, counts)
        tracks = {video_name(athlete, job.name): track for athlete, track in athletes.items()}
        if shared := sorted(job.taken.intersection(tracks)):
            raise UserError(
                f'{job.path}: one of its athletes would be named {shared[0]!r}, as another video is; rename one of the '
                'two videos'
            )
        file = (str(reader.path.absolute()), reader.fps, reader.num_frames, reader.width, reader.height)
        rows = {name: VideoInfo(name, *file) for name in tracks}
        for name, track in tracks.items():
            track.save(self.corpus.track_path(name), source)
            self.corpus.save_times(name, reader.times)
            if self._poses(name) is not None and read_source(path := self._pose_path(name)) is not None:
                path.unlink()  # made for a former track
        self.corpus.add_videos(rows.values())
        return rows, tracks

    def _poses(self, name: str) -> PoseSequence | None:
        """Read the poses of the requested set; None where they are missing."""
        if self.settings.pose_set is None or not self._pose_path(name).is_file():
            return None
        return self.corpus.poses(self.settings.pose_set, name)

    def _pose_path(self, name: str) -> Path:
        return self.corpus.pose_path(str(self.settings.pose_set), name)

    def _decode(
        self,
        job: Job,
        reader: VideoReader,
        rows: dict[str, VideoInfo],
        tracks: dict[str, AthleteTrack],
        without_crops: list[str],
        without_poses: list[str],
        on_progress: OnProgress,
    ) -> tuple[int, dict[str, CropHeader]]:
        """Make crops and poses in one pass; return the number of the last frame plus one, and the new headers."""
        s, flow, end, next_call = self.settings, self._models.flow, 0, 0.0
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(self._writer.video(name, s.size, flow.settings, s.full_frame))
                for name in without_crops
            }
            tasks: list[CropTask | PoseTask] = []
            of_masks = {name: self._sources.masks(name) for name in writers}
            for name, writer in writers.items():
                masks = read_masks(s.mask_dir, name, reader.num_frames) if s.mask_dir is not None else {}
                tasks.append(CropTask(tracks[name], masks, writer, self._cropper, flow))
            limit = self._models.frames_per_batch(reader)
            pose_tasks = {name: PoseTask(tracks[name], self._models, limit) for name in without_poses}
            tasks += pose_tasks.values()
            for frame_ind, rgb, previous, _ in with_previous(reader):
                for task in tasks:
                    task.step(frame_ind, rgb, previous)
                end = frame_ind + 1
                if time.monotonic() > next_call:
                    on_progress(end, reader.num_frames)
                    next_call = time.monotonic() + _PROGRESS_SEC
            if not reader.num_damaged and end != reader.num_frames:
                self._set_length(job, rows, tracks, end)
            for name, writer in writers.items():
                writer.source = self._sources.crops(job, name, of_masks[name])  # of the track with the right length
            for name, task in pose_tasks.items():
                task.finish().save(self._pose_path(name), self._sources.poses(job, name))
        return end, {name: writer.header for name, writer in writers.items() if writer.header is not None}

    def _set_length(self, job: Job, rows: dict[str, VideoInfo], tracks: dict[str, AthleteTrack], decoded: int) -> None:
        """Correct the number of frames: some containers hold packets without a visible frame."""
        for name, track in tracks.items():
            rows[name] = replace(rows[name], num_frames=decoded)
            if self.settings.boxes == 'full' and len(track) > decoded:
                tracks[name] = AthleteTrack(track.frame_inds[:decoded], track.boxes[:decoded], track.scores[:decoded])
                tracks[name].save(self.corpus.track_path(name), self._sources.track(job))
        self.corpus.add_videos(rows.values())


def _texts(counts: Counter[str]) -> list[str]:
    return [f'{count} {name}' for name, count in counts.items()]
