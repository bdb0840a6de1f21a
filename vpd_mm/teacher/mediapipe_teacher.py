"""A pose estimator that needs no download: MediaPipe's BlazePose, whose wheel carries the weights."""

import numpy as np

from ..errors import UserError
from .pose_teacher import empty_poses, usable_boxes

#: Where COCO's 17 joints are among BlazePose's 33; left and right are the person's in both.
BLAZEPOSE_OF_COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_GRAPH = 'mediapipe/modules/pose_landmark/pose_landmark_cpu.binarypb'
_INSTALL = 'pip install --no-deps mediapipe==0.10.21 attrs flatbuffers absl-py'


class MediaPipeTeacher:
    """COCO-17 poses by BlazePose (Bazarevsky et al., 2020; the "full" model), on the CPU.

    Every frame stands for itself (no tracking, no smoothing), so a frame's pose
    does not depend on what was asked before.  BlazePose searches the person in
    a square around the box, black outside the frame; where it finds none, the
    scores are 0.  A joint's score is BlazePose's visibility.

    Args:
        padding: Margin of the square on each side, as a part of the box's
            longer side.

    Raises:
        UserError: mediapipe is not installed.
    """

    def __init__(self, padding: float = 0.15) -> None:
        try:
            from mediapipe.python.solution_base import SolutionBase
        except ImportError as e:
            raise UserError(f'mediapipe cannot be imported ({e}); install it: {_INSTALL}') from e
        self.padding = padding
        # solutions.pose.Pose would do the same, but edits the graph's thresholds by a call that protobuf 7 dropped.
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
        """Estimate one pose a frame; arguments and result as :meth:`PoseTeacher.infer`."""
        keypoints, scores = empty_poses(len(frames))
        for i in usable_boxes(frames, boxes):
            square, left, top = cut_square(frames[i], boxes[i], self.padding)
            landmarks = self._graph.process(square).pose_landmarks
            if landmarks is None:
                continue
            found = np.array([(joint.x, joint.y, joint.visibility) for joint in landmarks.landmark])
            found = found[list(BLAZEPOSE_OF_COCO)]
            keypoints[i] = found[:, :2] * len(square) + (left, top)
            scores[i] = np.clip(found[:, 2], 0, 1)
        return keypoints, scores

    def close(self) -> None:
        """End the graph's threads."""
        self._graph.close()


def cut_square(frame: np.ndarray, box: np.ndarray, padding: float) -> tuple[np.ndarray, int, int]:
    """The square around the part of an xyxy box that lies in the frame, padded, black outside; its left and top."""
    height, width = frame.shape[:2]
    x1, x2 = np.clip(box[::2], 0, width).tolist()
    y1, y2 = np.clip(box[1::2], 0, height).tolist()
    side = max(round(max(x2 - x1, y2 - y1) * (1 + 2 * padding)), 1)
    left, top = round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2)
    square = np.zeros((side, side, 3), np.uint8)
    xs, ys = slice(max(left, 0), min(left + side, width)), slice(max(top, 0), min(top + side, height))
    square[ys.start - top : ys.stop - top, xs.start - left : xs.stop - left] = frame[ys, xs]
    return square, left, top
