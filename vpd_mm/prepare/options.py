"""What a prepare run is asked for, and where its boxes and poses come from."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from ..structures import AthleteTrack

if TYPE_CHECKING:
    from ..infer.frame_source import FrameSource

#: A batch of whole frames takes no more than this (a 4K frame has 25 MB).
_BATCH_BYTES = 128 << 20

#: Detections from this score on reach the tracker, which starts tracks with high ones and goes on with low ones.
LOW_SCORE = 0.1
NOBODY = np.zeros((0, 5), np.float32)

#: Rules that only an ``OnlineTracker`` has.
ONLINE_RULES = frozenset(['memory_seconds', 'switch_margin'])


class SetupError(UserError):
    """A model cannot be built: no video of this run can go on."""


@dataclass(frozen=True)
class PrepareSettings:
    """Options of ``tools/prepare.py``; see ``corpus_builder.build_corpus``."""

    out: Path
    boxes: str = 'full'
    poses: str = 'none'
    pose_name: str = ''
    masks: str = ''
    size: int = 128
    full_frame: bool = False
    flow: str = 'dis'
    flow_checkpoint: str | None = None
    subtract_median: bool = False
    fps: float | None = None
    device: str = 'auto'
    batch_size: int = 16
    tracker: Mapping = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.boxes != 'full' and not self.boxes.startswith('mmdet:') and not Path(self.boxes).is_dir():
            raise UserError(f'boxes {self.boxes!r}: must be full, mmdet:<config>[:<checkpoint>] or an existing folder')
        known = self.poses in ('none', 'mediapipe') or self.poses.startswith('mmpose:')
        if not known and not Path(self.poses).is_dir():
            raise UserError(
                f'poses {self.poses!r}: must be none, mediapipe, mmpose:<alias or config>[:<checkpoint>] or an '
                'existing folder'
            )
        if self.masks and not Path(self.masks).is_dir():
            raise UserError(f'masks {self.masks!r}: must be an existing folder')
        if self.batch_size < 1:
            raise UserError(f'batch size must be 1 or more, found {self.batch_size}')

    @property
    def mask_dir(self) -> str | None:
        """Folder of masks: as given, or beside the boxes."""
        return self.masks or (self.boxes if Path(self.boxes).is_dir() else None)

    @property
    def pose_set(self) -> str | None:
        """Name of the pose set in the corpus; None with ``poses='none'``."""
        if self.poses == 'none':
            return None
        if self.pose_name:
            return self.pose_name
        if self.poses == 'mediapipe':
            return 'mediapipe'
        if self.poses.startswith('mmpose:'):
            return re.sub(r'[^A-Za-z0-9_.-]', '_', Path(split_model(self.poses)[0]).stem)
        return 'files'


def split_model(spec: str) -> tuple[str, str | None]:
    """('config', 'checkpoint' or None) of ``mmdet:config[:checkpoint]``; a checkpoint may be a URL.

    A double colon belongs to the config: ``mmdet:mmdet::rtmdet/x.py``.
    """
    kind, _, rest = spec.partition(':')
    config, *checkpoint = re.split('(?<!:):(?!:)', rest, maxsplit=1)
    if not config:
        raise UserError(f'{spec!r}: names no config; write {kind}:<config>[:<checkpoint>]')
    return config, ''.join(checkpoint) or None


class Models:
    """The models of one process, built when first needed.

    Raises:
        SetupError: one cannot be built.
    """

    def __init__(self, settings: PrepareSettings) -> None:
        self.settings = settings

    @cached_property
    def detector(self):
        from ..athlete.athlete_detector import AthleteDetector

        config, checkpoint = split_model(self.settings.boxes)
        try:
            return AthleteDetector(config, checkpoint, self.settings.device, self.settings.batch_size, LOW_SCORE)
        except (UserError, ImportError) as e:
            raise SetupError(f'boxes {self.settings.boxes}: {e}') from e

    @cached_property
    def teacher(self):
        try:
            if self.settings.poses == 'mediapipe':
                from ..teacher.mediapipe_teacher import MediaPipeTeacher

                return MediaPipeTeacher()
            from ..teacher.pose_teacher import PoseTeacher

            config, checkpoint = split_model(self.settings.poses)
            return PoseTeacher(config, checkpoint, self.settings.device, self.settings.batch_size)
        except (UserError, ImportError) as e:
            raise SetupError(f'poses {self.settings.poses}: {e}') from e

    def frames_per_batch(self, reader: 'FrameSource') -> int:
        """How many whole frames to collect for a model."""
        return max(1, min(self.settings.batch_size, _BATCH_BYTES // (3 * reader.width * reader.height)))


def find_tracks(settings: PrepareSettings, models: Models, reader: 'FrameSource', progress) -> dict[str, AthleteTrack]:
    """The athletes of one video file: name ('' = the only one) to track.

    Raises:
        UserError: nobody is found, or the box file is missing or off.
    """
    frame_size = (reader.width, reader.height)
    stem = reader.path.stem
    if settings.boxes == 'full':
        boxes = np.tile(np.array([0, 0, *frame_size], np.float32), (reader.num_frames, 1))
        scores = np.ones(reader.num_frames, np.float32)
        return {'': AthleteTrack(np.arange(reader.num_frames), boxes, scores)}
    if settings.boxes.startswith('mmdet:'):
        athletes = _detect(settings, models, reader, progress)
    else:
        from ..importers.box_files import read_boxes

        athletes = read_boxes(settings.boxes, stem, frame_size, reader.num_frames)
    athletes = {name: track for name, track in athletes.items() if len(track)}
    if not athletes:
        raise UserError(
            f'{reader.path}: no person found in {reader.num_frames} frames with --boxes {settings.boxes}; look at the '
            'video, ease the tracker rules, or give boxes'
        )
    for track in athletes.values():
        check_box_sizes(track, reader, settings.boxes)
    return athletes


def _detect(settings: PrepareSettings, models: Models, reader: 'FrameSource', progress) -> dict[str, AthleteTrack]:
    from ..athlete.athlete_tracker import athlete_names

    detector = models.detector
    tracker = build_tracker(settings.tracker, reader.fps, (reader.width, reader.height))
    every = getattr(tracker, 'every', 1)
    batch: list[tuple[int, np.ndarray]] = []
    limit = models.frames_per_batch(reader)

    def flush() -> None:
        if not batch:
            return
        looked_at = [(frame_ind, rgb) for frame_ind, rgb in batch if frame_ind % every == 0]
        found = dict(zip((frame_ind for frame_ind, _ in looked_at), detector.detect([rgb for _, rgb in looked_at])))
        for frame_ind, rgb in batch:
            tracker.update(frame_ind, found.get(frame_ind, NOBODY), rgb)
        progress(batch[-1][0] + 1, reader.num_frames)
        batch.clear()

    for frame in reader:
        batch.append(frame)
        if len(batch) == limit:
            flush()
    flush()
    tracks = tracker.finish()
    return dict(zip(athlete_names(len(tracks)), tracks)) if tracks else {}


def build_tracker(rules: Mapping, fps: float, frame_size: tuple[int, int], online: bool = False):
    """A tracker by its rules: arguments of the tracker and of its weights, by name.

    ``method`` is 'bytetrack' (``AthleteTracker`` or ``OnlineTracker``, ``ChoiceRules``), or 'path' (``PathTracker``,
    ``PathRules``): one athlete, weak detector, not online.

    Raises:
        SetupError: a rule is unknown or its value is off.
    """
    from ..athlete.athlete_choice import ChoiceRules
    from ..athlete.athlete_tracker import AthleteTracker
    from ..athlete.online_tracker import OnlineTracker
    from ..athlete.path_tracker import PathRules, PathTracker

    rules = dict(rules)
    method = rules.pop('method', 'bytetrack')
    kinds = {'bytetrack': (OnlineTracker if online else AthleteTracker, ChoiceRules), 'path': (PathTracker, PathRules)}
    if method not in kinds or (online and method == 'path'):
        allowed = 'bytetrack' if online else 'bytetrack or path'
        raise SetupError(f'--track method={method}: must be {allowed}{" with --online" if online else ""}')
    kind, weights = kinds[method]
    of_choice = {f.name for f in fields(weights)}
    of_tracker = set(inspect.signature(AthleteTracker if online else kind).parameters) - {'fps', 'frame_size', 'rules'}
    if online:
        of_tracker |= ONLINE_RULES
    unknown = set(rules) - of_choice - of_tracker
    if unknown:
        known = ', '.join(sorted(of_choice | of_tracker | {'method'}))
        raise SetupError(f'--track {sorted(unknown)[0]}: no such rule; there are {known}')
    try:
        choice = weights(**{k: v for k, v in rules.items() if k in of_choice})
        others = {k: v for k, v in rules.items() if k in of_tracker}
        return kind(fps, frame_size, rules=choice, **others)
    except (TypeError, UserError, ImportError) as e:
        raise SetupError(f'--track {rules}: {e}') from e


def check_box_sizes(track: AthleteTrack, reader: 'FrameSource', source: str) -> None:
    """A square around a box is cut in memory: it must be of the frame's order.

    Raises:
        UserError: it is not.
    """
    sides = (track.boxes[:, 2:] - track.boxes[:, :2]).max(axis=1)
    limit = 4 * max(reader.width, reader.height)
    large = np.flatnonzero(sides > limit)
    if len(large):
        raise UserError(
            f'{source}: box of frame {int(track.frame_inds[large[0]])} of {reader.path.name} is '
            f'{float(sides[large[0]]):g} px, the frame has {reader.width}x{reader.height}; correct the box'
        )
