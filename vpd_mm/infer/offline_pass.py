"""Process a whole video: one pass tracks the athletes, a second one makes their features."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from torch import Tensor

from ..athlete import FrameSource
from ..athlete.camera_cuts import with_previous
from ..engine.progress import OnProgress
from ..errors import UserError
from ..prepare.models import Models
from ..prepare.tracking_pass import check_box_sizes, find_tracks
from ..structures import AthleteTrack, FeatureSequence
from .student_pass import StudentPass, batches, row_of


def offline_pass(
    student: StudentPass,
    models: Models,
    source: FrameSource,
    batch_size: int,
    track: AthleteTrack | None,
    on_track_progress: OnProgress,
    on_feature_progress: OnProgress,
) -> tuple[dict[str, tuple[AthleteTrack, FeatureSequence]], int]:
    """Track the athletes of a video and make their features; the numbers equal those of a corpus.

    Args:
        student: Makes features of frames.
        models: Hold the detector and the settings of the boxes.
        source: The frames; read twice, or once where ``track`` is given.
        batch_size: Crops per forward pass.
        track: Known boxes; None: detect.
        on_track_progress, on_feature_progress: Callbacks of the first and of the second pass, in frames.

    Returns:
        Name of each athlete ('' = the only one) to track and features, and the number of frames.

    Raises:
        UserError: no athlete is found, or a box is not valid.
    """
    if track is None:
        tracks = find_tracks(models.settings, models, source, on_track_progress)
    elif not len(track):
        raise no_athlete_error(source, source.num_frames, 'given')
    else:
        check_box_sizes(track, source, 'bboxes')
        tracks = {'': track}
    features, end = extract_features(student, source, list(tracks.values()), batch_size, on_feature_progress)
    if getattr(source, 'num_damaged', 0):
        end = source.num_frames
    results = {}
    for (name, one), sequence in zip(tracks.items(), features, strict=True):
        keep = int(np.searchsorted(one.frame_inds, end))  # frames from `end` on did not decode
        results[name] = AthleteTrack(one.frame_inds[:keep], one.boxes[:keep], one.scores[:keep]), sequence
    return results, end


def extract_features(
    student: StudentPass,
    source: FrameSource,
    tracks: Sequence[AthleteTrack],
    batch_size: int,
    on_progress: OnProgress,
) -> tuple[list[FeatureSequence], int]:
    """Make the features of every track in one pass over the frames.

    Memory holds two frames, a batch of crops and the result: 8 D bytes per box (208 at D = 26).

    Returns:
        A sequence per track, and one past the last frame that decoded.
    """
    end = 0

    def crops() -> Iterator[tuple[int, int, int, Tensor]]:  # athlete, row of its track, frames so far, inputs
        nonlocal end
        for frame_ind, rgb, previous in with_previous(source):
            end = frame_ind + 1
            for athlete, track in enumerate(tracks):
                row = row_of(track, frame_ind)
                if row is not None:
                    before = row_of(track, frame_ind - 1)
                    previous_box = None if before is None else track.boxes[before]
                    yield athlete, row, end, student.cut(rgb, previous, track.boxes[row], previous_box)[1]

    dims = student.extractor.model.student.out_dims
    feats = [np.empty((len(track), 2, dims), np.float32) for track in tracks]
    known = [np.zeros(len(track), bool) for track in tracks]
    for batch in _in_background(batches(crops(), batch_size)):
        values = student.features([inputs for *_, inputs in batch])
        for (athlete, row, *_), value in zip(batch, values, strict=True):
            feats[athlete][row], known[athlete][row] = value, True
        on_progress(batch[-1][2], source.num_frames)
    sequences = []
    for track, values, rows in zip(tracks, feats, known, strict=True):
        keep = slice(None) if rows.all() else rows  # a slice copies nothing
        sequences.append(FeatureSequence(track.frame_inds[keep], values[keep], np.ones(int(rows.sum()), np.float32)))
    return sequences, end


def no_athlete_error(source: FrameSource, num_frames: int, boxes: str) -> UserError:
    """Error for a video without an athlete."""
    return UserError(
        f'{source.path}: no person found in {num_frames} frames with boxes {boxes}; look at the video, relax the '
        'tracker rules, or pass boxes'
    )


def _in_background(items: Iterator[Any]) -> Iterator[Any]:
    """Yield the same items; a thread makes the next one while the last one is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
