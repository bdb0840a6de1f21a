"""A student's poses put back on the man: where in the frame, and drawn."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from vpd_mm.athlete import VideoReader
from vpd_mm.features.preview import BONES
from vpd_mm.structures import AthleteTrack, PoseSequence, atomic_write
from vpd_mm.teacher.joint_feature import VPD_JOINTS

_FILLED, _KNOWN, _TEACHER = (255, 150, 30), (60, 210, 120), (255, 255, 255)
#: Torso of normalised joints.
TORSO = 0.5


def box_margin(poses: PoseSequence, normalised: np.ndarray, track: AthleteTrack) -> float:
    """How far boxes reach beyond the joints, in units of normalised joints: the median over frames and sides.

    Args:
        poses: (T,) what the teacher sees, in pixels.
        normalised: (T, 26) the same, normalised.
        track: Boxes of at least these frames.
    """
    boxes = track.boxes[np.searchsorted(track.frame_inds, poses.frame_inds)]
    pixels = poses.keypoints[:, VPD_JOINTS]
    joints = normalised.reshape(len(normalised), -1, 2)
    spans = np.ptp(joints, axis=1)
    units = spans.max(axis=1) / np.maximum(np.ptp(pixels, axis=1).max(axis=1), 1e-6)
    halves = (boxes[:, 2:] - boxes[:, :2]) * units[:, None] / 2
    return float(np.median(halves - spans / 2))


def place_poses(normalised: np.ndarray, boxes: np.ndarray, margin: float) -> np.ndarray:
    """Normalised joints (T, 26) into pixels (T, 13, 2), so that with ``margin`` they fill the boxes (T, 4), xyxy.

    One scale for x and y, the best in the sense of least squares over the four sides.
    """
    joints = normalised.reshape(len(normalised), -1, 2)
    low, high = joints.min(axis=1), joints.max(axis=1)
    halves = (high - low) / 2 + margin
    wanted = (boxes[:, 2:] - boxes[:, :2]) / 2
    scale = (halves * wanted).sum(axis=1) / np.maximum((halves**2).sum(axis=1), 1e-6)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return (joints - ((low + high) / 2)[:, None]) * scale[:, None, None] + middle[:, None]


def draw_joints(image: np.ndarray, joints: np.ndarray, colour: tuple[int, int, int], width: int) -> None:
    """Draw 13 joints (13, 2), px, into an RGB image."""
    points = np.clip(joints, -9999, 9999).round().astype(int)
    for a, b in BONES:
        cv2.line(image, points[a].tolist(), points[b].tolist(), colour, width, cv2.LINE_AA)
    cv2.circle(image, points[0].tolist(), 2 * width, colour, -1, cv2.LINE_AA)


class Overlay:
    """Frames with the student's skeleton: green where the teacher has a pose, orange where it is filled in.

    Args:
        reader: The film.
        joints: Frame to the student's joints (13, 2), px.
        poses: The teacher's; drawn thin and white.
        height: Of the pictures, px.
    """

    def __init__(self, reader: VideoReader, joints: dict[int, np.ndarray], poses: PoseSequence, height: int) -> None:
        self.reader, self.joints = reader, joints
        self.scale = height / reader.height
        self.size = round(reader.width * self.scale) // 2 * 2, height // 2 * 2
        self.teacher = {int(i): points[list(VPD_JOINTS)] for i, points in zip(poses.frame_inds, poses.keypoints)}
        self.scores = {int(i): float(s[list(VPD_JOINTS)].mean()) for i, s in zip(poses.frame_inds, poses.scores)}

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """(frame number, picture (H, W, 3) RGB) of the whole film."""
        for frame, rgb in self.reader:
            image = cv2.resize(rgb, self.size, interpolation=cv2.INTER_AREA)
            if frame in self.teacher:
                draw_joints(image, self.teacher[frame] * self.scale, _TEACHER, 1)
            if frame in self.joints:
                colour = _KNOWN if frame in self.teacher else _FILLED
                draw_joints(image, self.joints[frame] * self.scale, colour, 2)
            said = f'{self.scores[frame]:.2f}' if frame in self.scores else 'none'
            text = f'frame {frame}   teacher {said}'
            for shade, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
                cv2.putText(image, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, shade, thickness, cv2.LINE_AA)
            yield frame, image

    def write(self, path: Path, keep: set[int]) -> dict[int, np.ndarray]:
        """Write the film as mp4; returns the pictures of the frames ``keep``."""
        kept = {}
        with atomic_write(path) as f, av.open(f, 'w', format='mp4') as container:
            stream = container.add_stream('libx264', rate=Fraction(self.reader.fps).limit_denominator(1001))
            stream.width, stream.height = self.size
            stream.pix_fmt = 'yuv420p'
            stream.options = {'crf': '26', 'preset': 'veryfast', 'movflags': 'faststart'}
            for frame, image in self.frames():
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
                if frame in keep:
                    kept[frame] = image
            container.mux(stream.encode())
        return kept


__all__ = ['Overlay', 'box_margin', 'draw_joints', 'place_poses']
