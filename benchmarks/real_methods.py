"""Poses of every frame of a video by the methods that ``benchmark.py real`` compares."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import butter, filtfilt

from vpd_mm.distill.pose_distiller import mean_of_views
from vpd_mm.structures import VPD_JOINTS
from vpd_mm.teacher import JointFeature, normalize_joints

#: Settings of Sports2D 0.8 (``Config_demo.toml``): half of the window (7 frames at 30 fps) and limit of the Hampel
#: filter; cut-off frequency, Hz, and order of the Butterworth filter.
HAMPEL_HALF_SEC, HAMPEL_LIMIT, CUTOFF, ORDER = 3.5 / 30, 2.0, 6.0, 4


@dataclass(frozen=True)
class VideoPoses:
    """Poses of the T frames of one video, by teacher and student.

    Args:
        fps: Frames per second.
        keypoints: (T, 17, 2) px, the teacher's; NaN without a pose.
        scores: (T, 17); 0 without a pose.
        student: (T, 2, 26 or 52) normalized joints of the student (and their change) in the views [original, flipped];
            NaN without a crop.
    """

    fps: float
    keypoints: np.ndarray
    scores: np.ndarray
    student: np.ndarray


def to_torsos(keypoints: np.ndarray) -> np.ndarray:
    """Normalize (T, 17, 2) px to the 12 joints (T, 12, 2) that are evaluated, in torsos."""
    return 2 * normalize_joints(keypoints[:, VPD_JOINTS].astype(np.float64))[:, 1:]


def teacher(video: VideoPoses) -> np.ndarray:
    return to_torsos(video.keypoints)


def interpolated(video: VideoPoses) -> np.ndarray:
    """Interpolate linearly in pixels; the first and the last pose reach to the ends."""
    return to_torsos(_filled(video.keypoints))


def sports2d(video: VideoPoses) -> np.ndarray:
    """Filter as Sports2D does: linear interpolation, Hampel filter, Butterworth low-pass, per coordinate.

    Its gates (joints from a score of 0.3, poses from a mean of 0.5), made for RTMPose, are left out: for MediaPipe's
    visibility, which is low for hidden joints, they raise the error.
    """
    keypoints = hampel(_filled(video.keypoints), round(HAMPEL_HALF_SEC * video.fps))
    numerator, denominator = butter(ORDER / 2, CUTOFF / (video.fps / 2))  # run forth and back
    if len(keypoints) > 3 * len(numerator):
        keypoints = filtfilt(numerator, denominator, keypoints, axis=0)
    return to_torsos(keypoints)


def hampel(series: np.ndarray, half: int) -> np.ndarray:
    """Replace outliers of series (T, ...) by the median of the ``2 half + 1`` values around them.

    The first and the last ``half`` values are kept, as in Sports2D.
    """
    if not 0 < 2 * half < len(series):
        return series
    windows = np.lib.stride_tricks.sliding_window_view(series, 2 * half + 1, axis=0)
    middle, medians = series[half:-half], np.median(windows, axis=-1)
    spread = np.median(np.abs(windows - medians[..., None]), axis=-1)
    outside = 0.6745 * np.abs(middle - medians) > HAMPEL_LIMIT * spread
    result = series.copy()
    result[half:-half] = np.where(outside & (spread > 0), medians, middle)
    return result


def student(video: VideoPoses) -> np.ndarray:
    return _joints(video.student[:, 0])


def student_flip_test(video: VideoPoses) -> np.ndarray:
    """Mean of the student's poses of both views."""
    original, flipped = (torch.from_numpy(view[:, : JointFeature.dims]) for view in np.moveaxis(video.student, 1, 0))
    return _joints(mean_of_views(original, flipped).numpy())


#: Methods without and with a student, by their names in the table.
TEACHER_METHODS: dict[str, Callable[[VideoPoses], np.ndarray]] = {
    'teacher': teacher,
    'teacher, interpolated': interpolated,
    'teacher, Sports2D filters': sports2d,
}
STUDENT_METHODS: dict[str, Callable[[VideoPoses], np.ndarray]] = {
    'student': student,
    'student, flip test': student_flip_test,
}


def _joints(feats: np.ndarray) -> np.ndarray:
    return 2 * feats[:, : JointFeature.dims].reshape(len(feats), -1, 2)[:, 1:].astype(np.float64)


def _filled(keypoints: np.ndarray) -> np.ndarray:
    """Interpolate every coordinate over the frames without it; a joint that no frame has stays NaN."""
    result, frames = keypoints.astype(np.float64), np.arange(len(keypoints))
    for column in np.moveaxis(result.reshape(len(result), -1), 1, 0):  # views of the result
        known = np.isfinite(column)
        if known.any():
            column[~known] = np.interp(frames[~known], frames[known], column[known])
    return result
