"""Find the athletes of a video: one box per frame and athlete."""

import inspect
from collections.abc import Mapping
from dataclasses import fields
from itertools import islice
from typing import Any

import numpy as np

from ..athlete import FrameSource
from ..athlete.athlete_choice import ChoiceRules
from ..athlete.athlete_tracker import AthleteTracker, OnlineTracker, athlete_names
from ..athlete.path_tracker import PathRules, PathTracker
from ..engine.progress import OnProgress
from ..errors import UserError
from ..files import input_name
from ..importers.box_files import read_boxes
from ..structures import AthleteTrack
from .models import Models, SetupError
from .options import PrepareSettings

#: Rules that only ``OnlineTracker`` has.
ONLINE_RULES = frozenset(['memory_seconds', 'switch_margin'])

_NO_DETECTIONS = np.zeros((0, 5), np.float32)


def find_tracks(
    settings: PrepareSettings, models: Models, source: FrameSource, on_progress: OnProgress
) -> dict[str, AthleteTrack]:
    """Find the athletes of one video: name, '' where it has only one, to track.

    The settings name the boxes and the rules of the tracker.  The source is read once with a detector, else not at all.
    Raises UserError: no person is detected, or the box file is missing or invalid.
    """
    frame_size = (source.width, source.height)
    if settings.boxes == 'full':
        boxes = np.tile(np.array([0, 0, *frame_size], np.float32), (source.num_frames, 1))
        return {'': AthleteTrack(np.arange(source.num_frames), boxes, np.ones(source.num_frames, np.float32))}
    if settings.boxes.startswith('mmdet:'):
        athletes = _detect(settings, models, source, on_progress)
    else:
        athletes = read_boxes(settings.boxes, input_name(source.path), frame_size, source.num_frames)
    athletes = {name: track for name, track in athletes.items() if len(track)}
    if not athletes:
        raise no_athlete_error(source, source.num_frames, settings.boxes)
    for track in athletes.values():
        check_box_sizes(track, source, settings.boxes)
    return athletes


def _detect(
    settings: PrepareSettings, models: Models, source: FrameSource, on_progress: OnProgress
) -> dict[str, AthleteTrack]:
    tracker = build_tracker(settings.tracker, source.fps, (source.width, source.height))
    every, frames = getattr(tracker, 'every', 1), iter(source)
    while batch := list(islice(frames, models.frames_per_batch(source))):
        chosen = {frame_ind: rgb for frame_ind, rgb in batch if frame_ind % every == 0}
        detections = dict(zip(chosen, models.detector.detect(list(chosen.values()))))
        for frame_ind, rgb in batch:
            tracker.update(frame_ind, detections.get(frame_ind, _NO_DETECTIONS), rgb)
        on_progress(batch[-1][0] + 1, source.num_frames)
    tracks = tracker.finish()
    return dict(zip(athlete_names(len(tracks)), tracks)) if tracks else {}


def build_tracker(rules: Mapping, fps: float, frame_size: tuple[int, int], online: bool = False):
    """Build a tracker from its rules: arguments of the tracker and of its weights, by name.

    The rule ``method`` is 'bytetrack' (``AthleteTracker`` or ``OnlineTracker``, with ``ChoiceRules``), or 'path'
    (``PathTracker``, with ``PathRules``: one athlete, weak detector, not online).

    Raises SetupError: a rule is unknown or has no valid value.
    """
    rules = dict(rules)
    method = rules.pop('method', 'bytetrack')
    kinds: dict[str, tuple[Any, Any]] = {'bytetrack': (AthleteTracker, ChoiceRules), 'path': (PathTracker, PathRules)}
    if online:
        kinds = {'bytetrack': (OnlineTracker, ChoiceRules)}
    if method not in kinds:
        allowed = 'bytetrack with --online' if online else 'bytetrack or path'
        raise SetupError(f'--track method={method}: must be {allowed}')
    kind, weights = kinds[method]
    of_weights = {f.name for f in fields(weights)}
    arguments = {name for base in kind.__mro__[:-2] for name in inspect.signature(base).parameters}
    of_tracker = arguments - {'fps', 'frame_size', 'rules', 'options'}
    if unknown := sorted(set(rules) - of_weights - of_tracker):
        known = ', '.join(sorted(of_weights | of_tracker | {'method'}))
        raise SetupError(f'--track {unknown[0]}: no such rule; there are {known}')
    try:
        choice = weights(**{k: v for k, v in rules.items() if k in of_weights})
        return kind(fps, frame_size, rules=choice, **{k: v for k, v in rules.items() if k in of_tracker})
    except (TypeError, UserError, ImportError) as e:
        raise SetupError(f'--track {rules}: {e}') from e


def no_athlete_error(source: FrameSource, num_frames: int, boxes: str) -> UserError:
    """Return the error for a video without an athlete."""
    hint = 'check the video, relax the tracker rules, or give boxes'
    return UserError(f'{source.path}: no person found in {num_frames} frames with boxes {boxes}; {hint}')


def check_box_sizes(track: AthleteTrack, source: FrameSource, boxes: str) -> None:
    """Raise UserError, naming ``boxes``, if a box is much larger than the frame: its square is allocated in memory."""
    sides = (track.boxes[:, 2:] - track.boxes[:, :2]).max(axis=1)
    large = np.flatnonzero(sides > 4 * max(source.width, source.height))
    if len(large):
        raise UserError(
            f'{boxes}: box of frame {int(track.frame_inds[large[0]])} of {source.path.name} is '
            f'{float(sides[large[0]]):g} px, the frame has {source.width}x{source.height}; correct the box'
        )
