"""Ground truth of a synthetic video, for evaluation only."""

from dataclasses import dataclass

import numpy as np

from ..structures import PoseSequence
from ..structures.sequences import FrameSequence, check_array


@dataclass(frozen=True, eq=False)
class GroundTruth(FrameSequence):
    """Ground truth of T frames.

    Args:
        frame_inds: (T,) int64.
        keypoints: (T, 17, 2) float32, COCO-17 in pixels of the full frame, also where hidden or outside.
        visibility: (T, 17) uint8: 2 visible, 1 hidden, 0 outside the frame.
        joints3d: (T, 17, 3) float32, metres; x along the track, y across it, z up.
        boxes: (T, 4) float32, xyxy around the whole athlete, cut at the frame; of area 0 where outside.
        bystanders: (T, B, 4) float32, the same for everyone else near the track.
        crowd: (T, C, 4) float32, the same for fans and heads near the camera, which a detector may detect or miss.
        airborne: (T,) bool, in the flight of any jump.
        rotation: (T, 3, 3) float64 world to camera (OpenCV axes).
        centre: (3,) float64, position of the camera.
        focal: (T,) float64 pixels; the principal point is the centre of the frame.

    Raises:
        UserError: a shape, dtype, order or value is invalid.
    """

    frame_inds: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    joints3d: np.ndarray
    boxes: np.ndarray
    bystanders: np.ndarray
    crowd: np.ndarray
    airborne: np.ndarray
    rotation: np.ndarray
    centre: np.ndarray
    focal: np.ndarray

    KIND = 'GroundTruth/1'
    SHAPES = {'keypoints': (17, 2), 'joints3d': (17, 3), 'boxes': (4,), 'bystanders': (None, 4), 'crowd': (None, 4)}

    def __post_init__(self) -> None:
        super().__post_init__()
        n = len(self)
        for field, dtype, shape in (
            ('visibility', np.uint8, (n, 17)),
            ('airborne', np.bool_, (n,)),
            ('rotation', np.float64, (n, 3, 3)),
            ('centre', np.float64, (3,)),
            ('focal', np.float64, (n,)),
        ):
            check_array('GroundTruth', field, getattr(self, field), dtype, shape)

    def poses(self) -> PoseSequence:
        """Return the 2D joints; score 1 = visible, 0.5 = hidden, 0 = outside the frame."""
        return PoseSequence(self.frame_inds, self.keypoints, self.visibility.astype(np.float32) / 2)
