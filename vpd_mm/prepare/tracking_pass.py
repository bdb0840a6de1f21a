"""Find the athletes of a video: one box per frame and athlete."""

from collections import Counter
from itertools import islice

import numpy as np

from ..athlete import FrameSource
from ..athlete.athlete_tracker import ShotTracker, athlete_names
from ..athlete.camera_cuts import mark_cuts
from ..athlete.square_cropper import MAX_SIDES
from ..athlete.track_rules import build_tracker
from ..engine.progress import OnProgress
from ..errors import UserError
from ..files import input_name
from ..importers.box_files import read_boxes
from ..structures import AthleteTrack
from .models import LOW_SCORE, Models
from .options import PrepareSettings

_NO_DETECTIONS = np.zeros((0, 5), np.float32)


def find_tracks(
    settings: PrepareSettings,
    models: Models,
    source: FrameSource,
    on_progress: OnProgress,
    counts: Counter[str] | None = None,
) -> dict[str, AthleteTrack]:
    """Find the athletes of one video: name, '' where it has only one, to track.

    The settings name the boxes and the rules of the tracker.  The source is read once with a detector, else not at all.
    ``counts`` gets the number of boxes of a file that were left out.  Raises UserError: no person is detected, or the
    box file is missing or invalid.
    """
    frame_size = (source.width, source.height)
    if settings.boxes == 'full':
        boxes = np.tile(np.array([0, 0, *frame_size], np.float32), (source.num_frames, 1))
        return {'': AthleteTrack(np.arange(source.num_frames), boxes, np.ones(source.num_frames, np.float32))}
    if settings.boxes_by_model:
        athletes = _detect(settings, models, source, on_progress)
    else:
        athletes = read_boxes(settings.boxes, input_name(source.path), frame_size, source.num_frames, counts)
    athletes = {name: track for name, track in athletes.items() if len(track)}
    if not athletes:
        raise no_athlete_error(source, source.num_frames, settings.boxes)
    return athletes


def _detect(
    settings: PrepareSettings, models: Models, source: FrameSource, on_progress: OnProgress
) -> dict[str, AthleteTrack]:
    tracker = build_tracker(settings.tracker, source.fps, (source.width, source.height))
    every, detector = getattr(tracker, 'every', 1), models.start_detector()
    frames = mark_cuts(source, tracker.cut_threshold)
    while batch := list(islice(frames, models.frames_per_batch(source))):
        chosen = {frame_ind: rgb for frame_ind, rgb, _ in batch if frame_ind % every == 0}
        detections = dict(zip(chosen, detector.detect(list(chosen.values()))))
        for frame_ind, rgb, cut in batch:
            tracker.update(frame_ind, detections.get(frame_ind, _NO_DETECTIONS), rgb, cut)
        on_progress(batch[-1][0] + 1, source.num_frames)
    tracks = tracker.finish()
    if not any(map(len, tracks)):
        raise no_athlete_error(source, source.num_frames, settings.boxes, tracker)
    return dict(zip(athlete_names(len(tracks)), tracks))


def no_athlete_error(source: FrameSource, num_frames: int, boxes: str, tracker: ShotTracker | None = None) -> UserError:
    """Return the error for a video without an athlete; ``tracker`` knows why, where there was one."""
    reason = 'check the video, or give boxes'
    if tracker is not None:
        nothing = f'no detection has a score of {LOW_SCORE:g}; check the video, or pass other --boxes'
        reason = tracker.explain() if tracker.best_score else nothing
    return UserError(f'{source.path}: no person found in {num_frames} frames with boxes {boxes}; {reason}')


def check_box_sizes(track: AthleteTrack, source: FrameSource, boxes: str) -> None:
    """Raise UserError, naming ``boxes``, if a box is much larger than the frame: its square is allocated in memory."""
    sides = (track.boxes[:, 2:] - track.boxes[:, :2]).max(axis=1)
    large = np.flatnonzero(sides > MAX_SIDES * max(source.width, source.height))
    if len(large):
        raise UserError(
            f'{boxes}: box of frame {int(track.frame_inds[large[0]])} of {source.path.name} is '
            f'{float(sides[large[0]]):g} px, the frame has {source.width}x{source.height}; correct the box'
        )
