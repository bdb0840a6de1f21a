"""Pose estimation by MediaPipe's BlazePose, whose wheel contains the weights."""

import numpy as np

from ..athlete.square_cropper import Window, cut_square
from ..errors import UserError
from .pose_teacher import infer_poses

#: Indices of COCO's 17 joints among BlazePose's 33.
BLAZEPOSE_OF_COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
#: Margin on each side of the square, as a share of the longer side of the box.
PADDING = 0.15


class MediaPipeTeacher:
    """Estimate COCO-17 poses by BlazePose (Bazarevsky et al., 2020; the "full" model) on the CPU.

    Frames are independent: no tracking, no smoothing.  BlazePose gets a square around the box, black outside the
    frame; without a detection the scores are 0.  The score of a joint is BlazePose's visibility.  Raises UserError
    where mediapipe is not installed.
    """

    def __init__(self) -> None:
        try:
            from mediapipe.python.solution_base import SolutionBase
        except ImportError as e:
            install = 'pip install --no-deps mediapipe==0.10.21 attrs flatbuffers absl-py (Python 3.10 to 3.12)'
            raise UserError(f'mediapipe cannot be imported ({e}); install it: {install}') from e
        # solutions.pose.Pose needs a call that protobuf 7 has removed.
        self._graph = SolutionBase(
            binary_graph_path='mediapipe/modules/pose_landmark/pose_landmark_cpu.binarypb',
            side_inputs={'model_complexity': 1}
            | dict.fromkeys(('smooth_landmarks', 'enable_segmentation'), False)
            | dict.fromkeys(('smooth_segmentation', 'use_prev_landmarks'), False),
            outputs=['pose_landmarks'],
        )

    def infer(self, frames: list[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimate one pose per frame; arguments and result as :meth:`PoseTeacher.infer`."""
        return infer_poses(frames, boxes, 1, self._infer_one)

    def _infer_one(self, frames: list[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        left, top, side = square_window(frames[0], boxes[0])
        square = np.ascontiguousarray(cut_square(frames[0], (left, top, side)))
        landmarks = self._graph.process(square).pose_landmarks
        if landmarks is None:
            return np.zeros((1, 17, 2)), np.zeros((1, 17))
        joints = np.array([(joint.x, joint.y, joint.visibility) for joint in landmarks.landmark])
        joints = joints[None, list(BLAZEPOSE_OF_COCO)]
        return joints[..., :2] * side + (left, top), np.clip(joints[..., 2], 0, 1)

    def close(self) -> None:
        """Stop the threads of the graph."""
        self._graph.close()


def square_window(frame: np.ndarray, box: np.ndarray) -> Window:
    """Return left, top and side of a padded square around the visible part of an xyxy box."""
    height, width = frame.shape[:2]
    x1, x2 = np.clip(box[::2], 0, width).tolist()
    y1, y2 = np.clip(box[1::2], 0, height).tolist()
    side = max(round(max(x2 - x1, y2 - y1) * (1 + 2 * PADDING)), 1)
    return round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2), side
