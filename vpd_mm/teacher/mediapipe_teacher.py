"""Pose estimation by MediaPipe's BlazePose, whose wheel contains the weights."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any

import numpy as np

from ..athlete.square_cropper import Window, cut_square
from ..engine.console import without_native_lines
from ..errors import UserError
from .pose_teacher import infer_poses

#: Indices of COCO's 17 joints among BlazePose's 33.
BLAZEPOSE_OF_COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
#: Margins on each side of the square, as shares of the longer side of the box.  In a small image BlazePose often
#: finds a person only with more around it: the second one is tried where the first one gives no person.
PADDINGS = (0.15, 0.5)
#: Least visibility of a landmark that belongs to the box of a person.
_VISIBLE = 0.5
#: Margin on each side of the extent of the landmarks, which lie inside of head, hands and feet, as a share of its
#: longer side.
_BOX_MARGIN = 0.1
_HEAVY = 'mediapipe/modules/pose_landmark/pose_landmark_heavy.tflite'
#: Lines that the graph of every healthy run logs.
_START_LINES = (
    'INFO: Created TensorFlow Lite XNNPACK delegate for CPU.',
    'All log messages before absl::InitializeLog() is called are written to STDERR',
    'Feedback manager requires a model with a single signature inference.',
    'Using NORM_RECT without IMAGE_DIMENSIONS is only supported for the square ROI.',
)


class MediaPipeTeacher:
    """Estimate COCO-17 poses, or the boxes of one person, by BlazePose (Bazarevsky et al., 2020).

    Runs on the CPU.  For poses, frames are independent: no tracking, no smoothing.  BlazePose gets a square around the
    box, black outside the frame; without a person in the box the scores are 0.  The score of a joint is BlazePose's
    visibility.  For boxes, BlazePose searches whole frames and follows the person that it has found.  Raises UserError
    where mediapipe is not installed.

    ``heavy`` uses the "heavy" model, which is not in the wheel, instead of "full".  MediaPipe downloads it once; a file
    ``pose_landmark_heavy.tflite`` beside the other models of the package needs no network.
    """

    def __init__(self, heavy: bool = False) -> None:
        self._complexity = 2 if heavy else 1
        try:
            with _with_get_prototype():
                from mediapipe.python.solution_base import SolutionBase
        except ImportError as e:
            install = 'pip install --no-deps mediapipe==0.10.21 attrs flatbuffers absl-py (Python 3.10 to 3.12)'
            raise UserError(f'mediapipe cannot be imported ({e}); install it: {install}') from e
        self._make_graph = SolutionBase
        if heavy:
            self._find_heavy()
        self._is_started: set[str] = set()

    @staticmethod
    def _find_heavy() -> None:
        from mediapipe.python.solutions.download_utils import download_oss_model

        try:
            download_oss_model(_HEAVY)
        except OSError as e:
            raise UserError(
                f'the heavy model of MediaPipe cannot be downloaded ({e}); copy it to {_HEAVY} in the site-packages of '
                'mediapipe, or use --poses mediapipe'
            ) from e

    @cached_property
    def _independent(self) -> Any:
        return self._graph(use_prev_landmarks=False)

    @cached_property
    def _following(self) -> Any:
        return self._graph(use_prev_landmarks=True)

    def _graph(self, use_prev_landmarks: bool) -> Any:
        # solutions.pose.Pose needs a call that protobuf 7 has removed.
        return self._make_graph(
            binary_graph_path='mediapipe/modules/pose_landmark/pose_landmark_cpu.binarypb',
            side_inputs={'model_complexity': self._complexity, 'use_prev_landmarks': use_prev_landmarks}
            | dict.fromkeys(('smooth_landmarks', 'enable_segmentation', 'smooth_segmentation'), False),
            outputs=['pose_landmarks'],
        )

    def infer(self, frames: list[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimate one pose per frame; arguments and result as :meth:`PoseTeacher.infer`."""
        return infer_poses(frames, boxes, 1, self._infer_one)

    def _infer_one(self, frames: list[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        for padding in PADDINGS:
            left, top, side = square_window(frames[0], boxes[0], padding)
            landmarks = self._landmarks('_independent', cut_square(frames[0], (left, top, side)))
            if landmarks is not None:
                joints = landmarks[None, list(BLAZEPOSE_OF_COCO)]
                xy = joints[..., :2] + (left, top)
                middle = xy.mean(axis=1)
                if (middle > boxes[:, :2]).all() and (middle < boxes[:, 2:]).all():  # else it is another person
                    return xy, joints[..., 2]
        return np.zeros((1, 17, 2)), np.zeros((1, 17))

    def start_video(self) -> None:
        """Forget the person of the last call of :meth:`detect`."""
        self._following.reset()

    def detect(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        """Find one person in consecutive frames (H, W, 3) uint8 RGB of a video, also across calls.

        Returns per frame (N, 5) float32, N 0 or 1: x1, y1, x2, y2 in px, the padded extent of the visible landmarks,
        and their mean visibility.
        """
        return [extent_of(self._landmarks('_following', frame)) for frame in frames]

    def _landmarks(self, name: str, image: np.ndarray) -> np.ndarray | None:
        """Return BlazePose's landmarks (33, 3) in an image: x, y in px, visibility in [0, 1]; None without a person.

        ``name`` is the attribute of the graph, which logs its start up to its first person.
        """
        with nullcontext() if name in self._is_started else without_native_lines(*_START_LINES):
            landmarks = getattr(self, name).process(np.ascontiguousarray(image)).pose_landmarks
        if landmarks is None:
            return None
        self._is_started.add(name)
        height, width = image.shape[:2]
        return np.array([(p.x * width, p.y * height, min(max(p.visibility, 0), 1)) for p in landmarks.landmark])

    def close(self) -> None:
        """Stop the threads of the graphs."""
        for name in ('_independent', '_following'):
            if name in vars(self):
                getattr(self, name).close()


@contextmanager
def _with_get_prototype() -> Iterator[None]:
    """Give protobuf the method that importing mediapipe calls, which prints an error without; protobuf 7 has none."""
    from google.protobuf import message_factory

    factory = message_factory.MessageFactory
    if hasattr(factory, 'GetPrototype'):
        yield
        return
    factory.GetPrototype = lambda self, descriptor: message_factory.GetMessageClass(descriptor)
    try:
        yield
    finally:
        del factory.GetPrototype


def extent_of(landmarks: np.ndarray | None) -> np.ndarray:
    """Return (N, 5) float32 x1, y1, x2, y2, score of landmarks (33, 3); N is 0 where none is visible."""
    visible = np.zeros((0, 3)) if landmarks is None else landmarks[landmarks[:, 2] >= _VISIBLE]
    if not len(visible):
        return np.zeros((0, 5), np.float32)
    low, high = visible[:, :2].min(axis=0), visible[:, :2].max(axis=0)
    margin = _BOX_MARGIN * (high - low).max()
    return np.array([[*(low - margin), *(high + margin), visible[:, 2].mean()]], np.float32)


def square_window(frame: np.ndarray, box: np.ndarray, padding: float = PADDINGS[0]) -> Window:
    """Return left, top and side of a padded square around the visible part of an xyxy box."""
    height, width = frame.shape[:2]
    x1, x2 = np.clip(box[::2], 0, width).tolist()
    y1, y2 = np.clip(box[1::2], 0, height).tolist()
    side = max(round(max(x2 - x1, y2 - y1) * (1 + 2 * padding)), 1)
    return round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2), side
