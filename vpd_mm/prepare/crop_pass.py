"""Crop, flow and pose of every decoded frame."""

import numpy as np

from ..athlete import FlowEstimator, SquareCropper
from ..athlete.square_cropper import Window, scale_to_side
from ..corpus.crop_writer import VideoCropWriter
from ..structures import AthleteTrack, PoseSequence
from .models import Models

#: Shorter side of stored whole frames, px; clip models resize to it before they crop.
FULL_FRAME_SIDE = 320


def cut_pair(
    rgb: np.ndarray,
    previous: np.ndarray | None,
    box: np.ndarray,
    previous_box: np.ndarray | None,
    cropper: SquareCropper,
    flow: FlowEstimator,
) -> tuple[Window, np.ndarray, np.ndarray | None]:
    """Crop one frame around the athlete; a corpus and inference use the same function.

    Args:
        rgb, box: Whole frame t and its xyxy box.
        previous, previous_box: Frame t-1, None where it is missing or of another shot, and its box, if it has one.
        cropper, flow: Cut the square and estimate the flow.

    Returns:
        Window, crop and flow (None with method 'none').
    """
    window = cropper.window(box, None if previous is None else previous_box)
    crop = cropper.cut(rgb, window)
    previous_crop = None if previous is None or flow.settings is None else cropper.cut(previous, window)
    return window, crop, flow(previous_crop, crop)


class CropTask:
    """Store crop, flow and mask of the frames of one track; ``masks`` maps some frames to their ``MaskPatch``."""

    def __init__(
        self, track: AthleteTrack, masks: dict, writer: VideoCropWriter, cropper: SquareCropper, flow: FlowEstimator
    ) -> None:
        self._boxes = dict(zip(track.frame_inds.tolist(), track.boxes))
        self._masks, self._writer, self._cropper, self._flow = masks, writer, cropper, flow

    def step(self, frame_ind: int, rgb: np.ndarray, previous: np.ndarray | None) -> None:
        """Process frame ``frame_ind``; ``previous`` as for :func:`cut_pair`."""
        box = self._boxes.get(frame_ind)
        if box is None:
            return
        window, crop, flow = cut_pair(rgb, previous, box, self._boxes.get(frame_ind - 1), self._cropper, self._flow)
        mask = None
        if frame_ind in self._masks:
            mask = self._cropper.cut(self._masks[frame_ind].full(rgb.shape[1], rgb.shape[0]), window)
        whole_frame = scale_to_side(rgb, FULL_FRAME_SIDE) if self._writer.full_frame else None
        self._writer.add(frame_ind, window, crop, flow, mask, whole_frame, start=previous is None)


class PoseTask:
    """Estimate the poses of one track with the teacher, in batches of ``limit`` frames."""

    def __init__(self, track: AthleteTrack, models: Models, limit: int) -> None:
        self._boxes = dict(zip(track.frame_inds.tolist(), track.boxes))
        self._teacher, self._limit = models.teacher, limit
        self._batch: list[tuple[int, np.ndarray]] = []
        self._poses: list[tuple[int, np.ndarray, np.ndarray]] = []

    def step(self, frame_ind: int, rgb: np.ndarray, previous: np.ndarray | None) -> None:
        """Process frame ``frame_ind``."""
        if frame_ind in self._boxes:
            self._batch.append((frame_ind, rgb))
            if len(self._batch) == self._limit:
                self._flush()

    def finish(self) -> PoseSequence:
        """Return all poses; frames without a joint or with a value that is not finite are absent."""
        self._flush()
        inds, keypoints, scores = zip(*self._poses) if self._poses else ((), np.zeros((0, 17, 2)), np.zeros((0, 17)))
        scores = np.array(scores, np.float32).clip(0, 1)
        return PoseSequence(np.array(inds, np.int64), np.array(keypoints, np.float32), scores)

    def _flush(self) -> None:
        if not self._batch:
            return
        boxes = np.stack([self._boxes[i] for i, _ in self._batch])
        keypoints, scores = self._teacher.infer([rgb for _, rgb in self._batch], boxes)
        valid = (scores > 0).any(axis=1) & np.isfinite(keypoints).all(axis=(1, 2)) & np.isfinite(scores).all(axis=1)
        self._poses += [(self._batch[row][0], keypoints[row], scores[row]) for row in np.flatnonzero(valid)]
        self._batch.clear()
