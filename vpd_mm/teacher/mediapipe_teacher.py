"""Pose estimation by MediaPipe's BlazePose, whose wheel contains the weights."""

import numpy as np

from ..errors import UserError
from .pose_teacher import empty_poses, usable_boxes

#: Indices of COCO's 17 joints among BlazePose's 33.
BLAZEPOSE_OF_COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_GRAPH = 'mediapipe/modules/pose_landmark/pose_landmark_cpu.binarypb'
_INSTALL = 'pip install --no-deps mediapipe==0.10.21 attrs flatbuffers absl-py'


class MediaPipeTeacher:
    """Estimate COCO-17 poses by BlazePose (Bazarevsky et al., 2020; the "full" model) on the CPU.

    Frames are independent: no tracking, no smoothing.  BlazePose gets a square around the box, black outside the
    frame; without a detection the scores are 0.  The score of a joint is BlazePose's visibility.

    Args:
        padding: Margin on each side of the square, as a share of the longer side of the box.

    Raises:
        UserError: mediapipe is not installed.
    """

    def __init__(self, padding: float = 0.15) -> None:
        try:
            from mediapipe.python.solution_base import SolutionBase
        except ImportError as e:
            raise UserError(f'mediapipe cannot be imported ({e}); install it: {_INSTALL}') from e
        self.padding = padding
        # solutions.pose.Pose needs a call that protobuf 7 has removed.
        self._graph = SolutionBase(
            binary_graph_path=_GRAPH,
            side_inputs={
                'model_complexity': 1,
                'smooth_landmarks': False,
                'enable_segmentation': False,
                'smooth_segmentation': False,
                'use_prev_landmarks': False,
            },
            outputs=['pose_landmarks'],
        )

    def infer(self, frames: list[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimate one pose per frame; arguments and result as :meth:`PoseTeacher.infer`."""
        keypoints, scores = empty_poses(len(frames))
        for i in usable_boxes(frames, boxes):
            square, left, top = cut_square(frames[i], boxes[i], self.padding)
            landmarks = self._graph.process(square).pose_landmarks
            if landmarks is None:
                continue
            joints = np.array([(joint.x, joint.y, joint.visibility) for joint in landmarks.landmark])
            joints = joints[list(BLAZEPOSE_OF_COCO)]
            keypoints[i] = joints[:, :2] * len(square) + (left, top)
            scores[i] = np.clip(joints[:, 2], 0, 1)
        return keypoints, scores

    def close(self) -> None:
        """Stop the threads of the graph."""
        self._graph.close()


def cut_square(frame: np.ndarray, box: np.ndarray, padding: float) -> tuple[np.ndarray, int, int]:
    """Crop a padded square around the visible part of an xyxy box; return it with its left and top."""
    height, width = frame.shape[:2]
    x1, x2 = np.clip(box[::2], 0, width).tolist()
    y1, y2 = np.clip(box[1::2], 0, height).tolist()
    side = max(round(max(x2 - x1, y2 - y1) * (1 + 2 * padding)), 1)
    left, top = round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2)
    square = np.zeros((side, side, 3), np.uint8)
    xs, ys = slice(max(left, 0), min(left + side, width)), slice(max(top, 0), min(top + side, height))
    square[ys.start - top : ys.stop - top, xs.start - left : xs.stop - left] = frame[ys, xs]
    return square, left, top
