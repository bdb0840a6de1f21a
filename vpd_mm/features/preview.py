"""Preview of a student: crop, teacher's pose and student's pose side by side, as images and as a video."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..corpus import CropStore
from ..errors import UserError
from ..files import check_output
from ..structures import FeatureSequence
from ..visualize.panels import draw_text, evenly_spread, grid, resize, save_image
from ..visualize.skeleton import BACKGROUND, draw_pose_panel
from ..visualize.video_writer import VideoWriter

_SIDE = 160
#: A teacher's pose with a lower score, which is no training target, is drawn faint.
_MIN_SCORE = 0.5


def preview_panels(
    store: CropStore, video: str, decoded: np.ndarray, teacher: FeatureSequence, only: set[int] | None = None
) -> Iterator[list[np.ndarray]]:
    """Three square panels (RGB uint8) per crop: crop with frame number, teacher's pose with score, student's pose.

    Args:
        store: Crops.
        video: Video in ``store``.
        decoded: (T, 26) poses that the student gives for the crops of the video.
        teacher: Normalised joints.
        only: Frames to draw; None = all.
    """
    rows = {int(frame_ind): i for i, frame_ind in enumerate(teacher.frame_inds)}
    for frame_ind, joints in zip(store.header(video).frame_inds.tolist(), decoded, strict=True):
        if only is not None and frame_ind not in only:
            continue
        if (row := rows.get(frame_ind)) is None:
            teacher_panel, text = np.full((_SIDE, _SIDE, 3), BACKGROUND, np.uint8), 'teacher: none'
        else:
            score = float(teacher.scores[row])
            teacher_panel = draw_pose_panel(teacher.feats[row, 0], _SIDE, faint=score < _MIN_SCORE)
            text = f'teacher {score:.2f}'
        panels = [resize(store.crop(video, frame_ind), _SIDE), teacher_panel, draw_pose_panel(joints, _SIDE)]
        texts = [f'frame {frame_ind}', text, 'student']
        yield [draw_text(panel, text) for panel, text in zip(panels, texts)]


def write_strip(
    store: CropStore,
    video: str,
    decoded: np.ndarray,
    teacher: FeatureSequence,
    path: Path,
    start_frame: int,
    end_frame: int,
    columns: int = 9,
) -> Path:
    """Write one image of evenly spread frames of [start_frame, end_frame): crops, teacher's and student's poses."""
    frame_inds = store.header(video).frame_inds
    inside = frame_inds[(frame_inds >= start_frame) & (frame_inds < end_frame)]
    chosen = set(inside[evenly_spread(len(inside), columns)].tolist())
    rows = zip(*preview_panels(store, video, decoded, teacher, chosen))
    return save_image(path, np.concatenate([np.concatenate(row, axis=1) for row in rows]))


def write_preview(
    store: CropStore,
    video: str,
    decoded: np.ndarray,
    teacher: FeatureSequence,
    out: Path,
    fps: float,
    overwrite: bool = False,
) -> tuple[Path, Path]:
    """Write ``out/<video>.png`` (4 x 8 evenly spread frames) and ``out/<video>.mp4`` (all frames).

    Raises:
        UserError: the video has no crops, or one of the files exists and was not drawn here, without ``overwrite``.
    """
    num_frames = len(store.header(video))
    if not num_frames:
        raise UserError(f'{store.directory}: video {video!r} has no crops to show; look at its track')
    chosen = set(evenly_spread(num_frames, 32).tolist())
    tiles = []
    sheet, clip = out / f'{video}.png', out / f'{video}.mp4'
    for path in (sheet, clip):
        check_output(path, overwrite=overwrite)
    with VideoWriter(clip, fps) as writer:
        for i, panels in enumerate(preview_panels(store, video, decoded, teacher)):
            image = np.concatenate(panels, axis=1)
            writer.write(image)
            if i in chosen:
                tiles.append(image)
    return save_image(sheet, grid(tiles, 4, gap=4)), clip
