"""Preview of a student: crop, and the poses of teacher, student and repair over it, as images and as a video."""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from ..corpus import Corpus, CropStore, FeatureStore
from ..errors import UserError
from ..files import check_no_link, check_output, npz_path
from ..structures import VPD_JOINTS
from ..structures.npz_io import read_source
from ..visualize.panels import draw_text, evenly_spread, grid, legend, resize, save_image
from ..visualize.skeleton import FAINT, SIDES, draw_skeleton, place_joints, place_normalized
from ..visualize.video_writer import VideoWriter

_SIDE = 160
#: A teacher's pose with a lower score, which is no training target, is drawn faint.
_MIN_SCORE = 0.5
#: The larger side of a crop relative to that of the boxes in it.
_PADDING = 1.2
#: The legend of a preview.
LEGEND = {**SIDES, f'faint: score of the teacher below {_MIN_SCORE:g}, not trained on': None}


class CropPoses:
    """Place the poses of teacher and student in the crops of one video.

    A teacher's pose lies where its pose set has it.  The features of a student, and of a teacher without a pose set,
    are the shape of a pose: its hips and its size are those of the teacher's pose in a confident frame.  In other
    frames its size is interpolated between such frames, and it is centred on the box.

    Args:
        corpus, video: The video, which has crops.
        teacher: Folder of the teacher's normalised joints in ``corpus``.
    """

    def __init__(self, corpus: Corpus, video: str, teacher: str = 'joints') -> None:
        self.store = CropStore(corpus.crops_dir)
        header = self.store.header(video)
        self.windows = dict(zip(header.frame_inds.tolist(), header.windows.astype(float)))
        has_track = corpus.track_path(video).is_file()
        self._boxes = dict(zip((t := corpus.track(video)).frame_inds.tolist(), t.boxes)) if has_track else {}
        self.features = FeatureStore(corpus.teacher_dir(teacher))[video]
        self.rows = {frame_ind: i for i, frame_ind in enumerate(self.features.frame_inds.tolist())}
        poses = (read_source(npz_path(corpus.teacher_dir(teacher), video)) or {}).get('poses')
        self._hips, self._sizes, self._keypoints = {}, np.zeros((0, 2)), {}
        if poses in corpus.pose_names() and corpus.pose_path(poses, video).is_file():
            sequence = corpus.poses(poses, video)
            inds, keypoints = sequence.frame_inds, sequence.keypoints[:, VPD_JOINTS].astype(float)
            scores = sequence.scores[:, VPD_JOINTS]
            self._keypoints = dict(zip(inds.tolist(), zip(keypoints, scores)))
            torsos = keypoints[:, (1, 2, 7, 8)]
            sizes = np.linalg.norm(torsos[:, :, None] - torsos[:, None], axis=-1).max(axis=(1, 2))
            confident = (scores.mean(axis=1) >= _MIN_SCORE) & (sizes > 0)
            self._hips = dict(zip(inds[confident].tolist(), torsos[confident, 2:].mean(axis=1)))
            self._sizes = np.stack([inds[confident], sizes[confident]], axis=1)

    def in_crop(self, frame_ind: int, points: np.ndarray, side: int) -> np.ndarray:
        """Points (..., 2) px of the frame to px of its crop, resized to ``side``."""
        left, top, width = self.windows[frame_ind]
        return (points - (left, top)) * (side / width)

    def place(self, frame_ind: int, joints: np.ndarray) -> np.ndarray:
        """Normalised joints (26,) to (13, 2) px of the frame."""
        joints = np.asarray(joints, float).reshape(-1, 2)
        left, top, side = self.windows[frame_ind]
        middle, half = (left + side / 2, top + side / 2), side / (2 * _PADDING)
        box = np.array([middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half])
        box = self._boxes.get(frame_ind, box)
        if not len(self._sizes):
            return place_joints(joints, box)
        placed = place_normalized(joints, (0, 0), 2 * np.interp(frame_ind, *self._sizes.T))
        if frame_ind in self._hips:
            return placed + self._hips[frame_ind]
        return placed + (box[:2] + box[2:]) / 2 - (placed.min(axis=0) + placed.max(axis=0)) / 2

    def teacher(self, frame_ind: int, crop: np.ndarray) -> str:
        """Draw the teacher's pose into a crop, in place; returns its caption."""
        if (row := self.rows.get(frame_ind)) is None:
            return 'teacher: no pose'
        score = float(self.features.scores[row])
        keypoints, scores = self._keypoints.get(frame_ind) or (self.place(frame_ind, self.features.feats[row, 0]), None)
        opacity = FAINT if score < _MIN_SCORE else 1.0
        placed = self.in_crop(frame_ind, keypoints, len(crop))
        draw_skeleton(crop, placed, scores=scores, threshold=1e-6, opacity=opacity)
        return f'teacher {score:.2f}'


def preview_panels(
    corpus: Corpus,
    video: str,
    decoded: np.ndarray,
    teacher: str = 'joints',
    only: Collection[int] | None = None,
    side: int = _SIDE,
    repaired: str | None = None,
) -> Iterator[list[np.ndarray]]:
    """Square panels (RGB uint8) per crop: crop with frame number, teacher's pose with score, student's pose, and the
    repaired pose.

    Args:
        corpus: The corpus.
        video: A video of it that has crops.
        decoded: (T, 26) poses that the student gives for the crops of the video.
        teacher: Folder of the teacher's normalised joints in ``corpus``.
        only: Frames to draw; None = all.
        side: Of a panel, px.
        repaired: Pose set of the last panel, which has a pose in every crop; None = three panels.
    """
    poses = CropPoses(corpus, video, teacher)
    sequence = corpus.poses(repaired, video) if repaired else None
    for row, (frame_ind, joints) in enumerate(zip(poses.windows, decoded, strict=True)):
        if only is not None and frame_ind not in only:
            continue
        crop = resize(poses.store.crop(video, frame_ind), side)
        of_teacher, of_student = crop.copy(), crop.copy()
        texts = [f'frame {frame_ind}', poses.teacher(frame_ind, of_teacher), 'student']
        panels = [
            crop,
            of_teacher,
            draw_skeleton(of_student, poses.in_crop(frame_ind, poses.place(frame_ind, joints), side)),
        ]
        if sequence is not None:
            keypoints = poses.in_crop(frame_ind, sequence.keypoints[row, VPD_JOINTS], side)
            panels, texts = [*panels, draw_skeleton(crop.copy(), keypoints)], [*texts, 'repaired']
        yield [draw_text(panel, text) for panel, text in zip(panels, texts)]


def write_strip(
    corpus: Corpus,
    video: str,
    decoded: np.ndarray,
    teacher: str,
    path: Path,
    start_frame: int,
    end_frame: int,
    columns: int = 9,
) -> Path:
    """Write one image of evenly spread frames of [start_frame, end_frame): crops, teacher's and student's poses."""
    frame_inds = CropStore(corpus.crops_dir).header(video).frame_inds
    inside = frame_inds[(frame_inds >= start_frame) & (frame_inds < end_frame)]
    chosen = set(inside[evenly_spread(len(inside), columns)].tolist())
    rows = zip(*preview_panels(corpus, video, decoded, teacher, chosen))
    strip = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    return save_image(path, np.concatenate([strip, legend(strip.shape[1], LEGEND)]))


def write_preview(
    corpus: Corpus,
    video: str,
    decoded: np.ndarray,
    teacher: str,
    out: Path,
    fps: float,
    overwrite: bool = False,
    repaired: str | None = None,
) -> tuple[Path, Path]:
    """Write ``out/<video>.png`` (3 x 10 evenly spread frames) and ``out/<video>.mp4`` (all frames).

    The panels are those of :func:`preview_panels`.

    Raises:
        UserError: the video has no crops, ``out`` is a link, or one of the files exists and was not drawn here, without
            ``overwrite``.
    """
    num_frames = len(CropStore(corpus.crops_dir).header(video))
    if not num_frames:
        raise UserError(f'{corpus.crops_dir}: video {video!r} has no crops to show; look at its track')
    chosen = set(evenly_spread(num_frames, 30).tolist())
    tiles = []
    sheet, clip = out / f'{video}.png', out / f'{video}.mp4'
    check_no_link(out)  # a folder of the corpus, which may come from elsewhere
    for path in (sheet, clip):
        check_output(path, overwrite=overwrite)
    colours = legend((4 if repaired else 3) * _SIDE, LEGEND)
    with VideoWriter(clip, fps) as writer:
        for i, panels in enumerate(preview_panels(corpus, video, decoded, teacher, repaired=repaired)):
            image = np.concatenate(panels, axis=1)
            writer.write(np.concatenate([image, colours]))
            if i in chosen:
                tiles.append(image)
    image = grid(tiles, 3, gap=4)
    return save_image(sheet, np.concatenate([image, legend(image.shape[1], LEGEND)])), clip
