"""Process a video frame by frame: detector, tracker, crop, flow and student in one pass."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

import numpy as np

from ..athlete import FrameSource
from ..athlete.camera_cuts import with_previous
from ..athlete.square_cropper import Window
from ..engine.progress import no_progress
from ..errors import UserError
from ..prepare.models import Models
from ..prepare.tracking_pass import build_tracker, check_box_sizes, find_tracks
from ..structures import AthleteTrack
from .frame_source import FrameStream
from .student_pass import StudentPass, batches, row_of

#: Box (4,) float32 xyxy px and its score; None where there is no athlete.
ScoredBox = tuple[np.ndarray, float] | None
Frames = list[tuple[int, np.ndarray]]


@dataclass(frozen=True, eq=False)
class FrameResult:
    """Result of one frame; all but the first two are None where there is no athlete.

    Args:
        frame_ind: From 0.
        rgb: (H, W, 3) uint8, the frame itself.
        box: (4,) float32 xyxy px.
        score: Score of the box.
        window: (left, top, side) of the crop, px.
        feats: (2, D) float32, original and flipped view.
        joints: (13, 2) normalised, decoded from ``feats``; None also without 2D joints.
    """

    frame_ind: int
    rgb: np.ndarray
    box: np.ndarray | None = None
    score: float | None = None
    window: Window | None = None
    feats: np.ndarray | None = None
    joints: np.ndarray | None = None


FrameResults = Generator[FrameResult, None, None]


def online_pass(
    student: StudentPass,
    models: Models,
    rules: Mapping,
    source: FrameSource,
    batch_size: int,
    track: AthleteTrack | None = None,
) -> FrameResults:
    """Yield the results of the frames of ``source`` in order, ``batch_size`` at a time.

    Args:
        student: Makes features of frames.
        models: Hold the detector and the settings of the boxes.
        rules: Rules of the ``OnlineTracker``.
        source: The frames.
        batch_size: Frames per forward pass.
        track: Known boxes; None: detect.

    Raises:
        UserError: the boxes are not available online.
    """
    if batch_size < 1:
        raise UserError(f'batch size must be 1 or more, found {batch_size}')
    find_boxes = _box_finder(models, rules, source, track)
    previous_box: np.ndarray | None = None
    for batch in batches(with_previous(source), batch_size):
        boxes = find_boxes([(frame_ind, rgb) for frame_ind, rgb, _ in batch])
        crops = []
        for (_, rgb, previous), scored in zip(batch, boxes, strict=True):
            if scored is not None:
                crops.append(student.cut(rgb, previous, scored[0], previous_box))
            previous_box = None if scored is None else scored[0]
        feats = student.features([inputs for _, inputs in crops]) if crops else np.zeros((0, 2, 0), np.float32)
        joints = student.joints(feats) if crops else None
        row = 0
        for (frame_ind, rgb, _), scored in zip(batch, boxes, strict=True):
            if scored is None:
                yield FrameResult(frame_ind, rgb)
                continue
            pose = None if joints is None else joints[row]
            yield FrameResult(frame_ind, rgb, *scored, crops[row][0], feats[row], pose)
            row += 1


def _box_finder(
    models: Models, rules: Mapping, source: FrameSource, track: AthleteTrack | None
) -> Callable[[Frames], list[ScoredBox]]:
    """Return a function that gives the athlete's box in each frame of consecutive batches."""
    boxes = models.settings.boxes
    if track is None and boxes.startswith('mmdet:'):
        tracker = build_tracker(rules, source.fps, (source.width, source.height), online=True)
        detector = models.detector

        def detect(batch: Frames) -> list[ScoredBox]:
            detections = detector.detect([rgb for _, rgb in batch])
            return [tracker.choose(i, d, rgb) for (i, rgb), d in zip(batch, detections, strict=True)]

        return detect
    if track is None and boxes == 'full':
        frame = np.array([0, 0, source.width, source.height], np.float32)
        return lambda batch: [(frame, 1.0) for _ in batch]
    if track is None:
        if isinstance(source, FrameStream):
            raise UserError(f'{source.path}: boxes of files go with video files; pass a detector, full or bboxes')
        tracks = find_tracks(models.settings, models, source, no_progress)
        if len(tracks) != 1:
            raise UserError(f'{source.path}: the online pass follows one athlete, {boxes} has {len(tracks)}')
        (track,) = tracks.values()
    check_box_sizes(track, source, 'bboxes')
    known = track

    def look_up(batch: Frames) -> list[ScoredBox]:
        rows = [row_of(known, frame_ind) for frame_ind, _ in batch]
        return [None if row is None else (known.boxes[row], float(known.scores[row])) for row in rows]

    return look_up
