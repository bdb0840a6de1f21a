"""Detector, tracker, crop, flow and student in one pass, frame by frame."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

import numpy as np

from ..athlete.camera_cuts import with_previous
from ..athlete.square_cropper import Window
from ..errors import UserError
from ..prepare.models import Models
from ..prepare.options import PrepareSettings
from ..prepare.tracking_pass import build_tracker, check_box_sizes, find_tracks
from ..structures import AthleteTrack
from .frame_source import FrameSource, FrameStream
from .student_pass import StudentChain, batches, box_at

#: Box (4,) float32 xyxy px and its score; None: nobody.
Found = tuple[np.ndarray, float] | None


@dataclass(frozen=True, eq=False)
class FrameAnswer:
    """What is said of one frame; all but the first two are None where nobody is seen.

    Args:
        frame_ind: From 0.
        rgb: (H, W, 3) uint8, the frame itself.
        box: (4,) float32 xyxy px.
        score: Of the box.
        window: (left, top, side) of the crop, px.
        feats: (2, D) float32, as seen and flipped.
        joints: (13, 2) normalised, decoded from ``feats``; None also where the student has none.
    """

    frame_ind: int
    rgb: np.ndarray
    box: np.ndarray | None = None
    score: float | None = None
    window: Window | None = None
    feats: np.ndarray | None = None
    joints: np.ndarray | None = None


class OnlineChain:
    """Answers frame by frame.

    Args:
        chain: Crop to feature.
        settings: Where boxes come from.
        models: Hold the detector.
        rules: Of ``OnlineTracker``.
        joints: (N, 2, D) features to (N, 13, 2) or None.
    """

    def __init__(
        self,
        chain: StudentChain,
        settings: PrepareSettings,
        models: Models,
        rules: Mapping,
        joints: Callable[[np.ndarray], np.ndarray | None],
    ) -> None:
        self.chain, self.settings, self.models, self.rules, self.joints = chain, settings, models, rules, joints

    def __call__(
        self, source: FrameSource, batch_size: int, track: AthleteTrack | None = None
    ) -> Generator[FrameAnswer, None, None]:
        """Answers to the frames of ``source`` in order, ``batch_size`` at a time.

        Args:
            source: The frames.
            batch_size: Frames a forward pass.
            track: Boxes, where they are known.

        Raises:
            UserError: the boxes cannot be had this way.
        """
        if batch_size < 1:
            raise UserError(f'batch size must be 1 or more, found {batch_size}')
        find = self._finder(source, track)
        previous_box: np.ndarray | None = None
        for batch in batches(with_previous(source), batch_size):
            found = find([(frame_ind, rgb) for frame_ind, rgb, _ in batch])
            cuts = []
            for (frame_ind, rgb, previous), one in zip(batch, found, strict=True):
                box = one[0] if one is not None else None
                cuts.append(None if box is None else self.chain.cut(rgb, previous, box, previous_box, frame_ind))
                previous_box = box
            seen = [cut for cut in cuts if cut is not None]
            feats = self.chain.features([cut.inputs for cut in seen]) if seen else np.zeros((0, 2, 0), np.float32)
            joints = self.joints(feats) if seen else None
            row = 0
            for (frame_ind, rgb, _), one, cut in zip(batch, found, cuts, strict=True):
                if one is None or cut is None:
                    yield FrameAnswer(frame_ind, rgb)
                    continue
                pose = None if joints is None else joints[row]
                yield FrameAnswer(frame_ind, rgb, one[0], one[1], cut.window, feats[row], pose)
                row += 1

    def _finder(
        self, source: FrameSource, track: AthleteTrack | None
    ) -> Callable[[list[tuple[int, np.ndarray]]], list[Found]]:
        """What says, for a batch of frames in order, where the athlete is."""
        boxes = self.settings.boxes
        if track is None and boxes.startswith('mmdet:'):
            tracker = build_tracker(self.rules, source.fps, (source.width, source.height), online=True)
            detector = self.models.detector

            def by_detector(batch: list[tuple[int, np.ndarray]]) -> list[Found]:
                detections = detector.detect([rgb for _, rgb in batch])
                return [tracker.choose(i, d, rgb) for (i, rgb), d in zip(batch, detections, strict=True)]

            return by_detector
        if track is None and boxes == 'full':
            whole = np.array([0, 0, source.width, source.height], np.float32)
            return lambda batch: [(whole, 1.0) for _ in batch]
        if track is None:
            if isinstance(source, FrameStream):
                raise UserError(f'{source.path}: boxes of files go with video files; pass a detector, full or bboxes')
            tracks = find_tracks(self.settings, self.models, source, lambda done, total: None)
            if len(tracks) != 1:
                raise UserError(f'{source.path}: online, one athlete is followed, {boxes} has {len(tracks)}')
            track = next(iter(tracks.values()))
        check_box_sizes(track, source, 'bboxes')
        known = track

        def by_track(batch: list[tuple[int, np.ndarray]]) -> list[Found]:
            rows = [(box_at(known, i), i) for i, _ in batch]
            return [
                None if box is None else (box, float(known.scores[np.searchsorted(known.frame_inds, i)]))
                for box, i in rows
            ]

        return by_track
