"""Poses of every frame of a video by the methods that ``benchmark.py real`` compares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.signal import butter, filtfilt

from vpd_mm.distill.pose_distiller import mean_of_views
from vpd_mm.repair import Noise, calibrate, observe, repair
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
        starts: Frames whose previous frame is missing or of another shot.
        trained: (T,) bool: the student was trained on the frame.
    """

    fps: float
    keypoints: np.ndarray
    scores: np.ndarray
    student: np.ndarray
    starts: np.ndarray
    trained: np.ndarray


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


def repair_all(videos: Sequence[VideoPoses], teacher_noise: np.ndarray | None = None) -> tuple[list[np.ndarray], Noise]:
    """Repair the poses of all videos of one student, as ``tools/repair_poses.py`` does.

    Args:
        videos: The videos.
        teacher_noise: (13,) largest variances of the teacher, of a student that was trained on these videos.

    Returns:
        The poses of each video, and the noise levels.
    """
    frames = [np.flatnonzero(np.isfinite(video.student).all(axis=(1, 2))) for video in videos]
    observed = []
    for video, inds in zip(videos, frames, strict=True):
        original, flipped = (torch.from_numpy(view[inds]) for view in np.moveaxis(video.student, 1, 0))
        decoded = mean_of_views(original, flipped).numpy().reshape(len(inds), -1, 13, 2)
        motion = decoded[:, 1] if decoded.shape[1] > 1 else np.full_like(decoded[:, 0], np.nan)
        keypoints, scores = np.nan_to_num(video.keypoints[inds]), video.scores[inds]
        student = decoded[:, 0], motion, inds, video.starts
        observed.append(observe(keypoints, scores, *student, video.fps, video.trained[inds]))
    noise = calibrate(observed)
    if teacher_noise is not None:
        noise = replace(noise, teacher=np.minimum(noise.teacher, teacher_noise))
    results = []
    for video, inds, poses in zip(videos, frames, observed, strict=True):
        result = np.full((len(video.scores), 12, 2), np.nan)
        result[inds] = 2 * repair(poses, noise).joints[:, 1:]
        results.append(result)
    return results, noise


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
