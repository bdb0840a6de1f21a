"""What the student sees, beside what the teacher said: a contact sheet and an mp4."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from ..corpus import CropStore
from ..errors import UserError
from ..structures import FeatureSequence, atomic_write

#: Bones among the 13 joints (nose; shoulders, elbows, wrists, hips, knees, ankles, left first).
BONES = tuple(
    zip((0, 0, 1, 1, 3, 2, 4, 1, 2, 7, 7, 9, 8, 10), (1, 2, 2, 3, 5, 4, 6, 7, 8, 8, 9, 11, 10, 12), strict=True)
)
_LEFT, _RIGHT, _MIDDLE = (230, 90, 60), (60, 110, 230), (120, 120, 120)
_SIDE = 160


def draw_pose(joints: np.ndarray, side: int = _SIDE, faint: bool = False) -> np.ndarray:
    """(26,) normalised joints on a white square: the athlete's left in red, right in blue, hips in the middle."""
    canvas = np.full((side, side, 3), 255, np.uint8)
    points = np.clip((joints.reshape(-1, 2) / 2.4 + 0.5) * side, -side, 2 * side).round().astype(int)
    for a, b in BONES:
        color = _MIDDLE if (a % 2 != b % 2) or 0 in (a, b) else (_LEFT if a % 2 else _RIGHT)
        shade = [(255 + c) // 2 for c in color] if faint else color
        cv2.line(canvas, points[a].tolist(), points[b].tolist(), shade, 3, cv2.LINE_AA)
    cv2.circle(canvas, points[0].tolist(), side // 24, _MIDDLE, -1, cv2.LINE_AA)
    return canvas


def panels(
    store: CropStore,
    video: str,
    decoded: np.ndarray,
    teacher: FeatureSequence,
    min_score: float,
    only: set[int] | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """For every crop (frame, picture (H, W, 3) RGB): crop, teacher's pose with its score, student's pose.

    Args:
        decoded: (T, 26) poses that the student gives for the store's frames of the video.
        teacher: Normalised joints; frames that it lacks say so.
        min_score: Below it the teacher's pose is drawn faint: the student never saw it.
        only: Frames to draw; None: all.
    """
    rows = {int(frame): i for i, frame in enumerate(teacher.frame_inds)}
    for frame, pose in zip(store.header(video).frame_inds.tolist(), decoded, strict=True):
        if only is not None and frame not in only:
            continue
        crop = cv2.resize(store.crop(video, frame), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        row = rows.get(frame)
        if row is None:
            left, text = np.full((_SIDE, _SIDE, 3), 255, np.uint8), 'teacher: none'
        else:
            score = float(teacher.scores[row])
            left, text = draw_pose(teacher.feats[row, 0], faint=score < min_score), f'teacher {score:.2f}'
        picture = np.concatenate([crop, left, draw_pose(pose)], axis=1)
        for x, label in ((4, f'frame {frame}'), (_SIDE + 4, text), (2 * _SIDE + 4, 'student')):
            shade = (255, 255, 255) if x < _SIDE else (60, 60, 60)
            cv2.putText(picture, label, (x, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, shade, 1, cv2.LINE_AA)
        yield frame, picture


def write_strip(
    store: CropStore,
    video: str,
    decoded: np.ndarray,
    teacher: FeatureSequence,
    path: Path,
    start_frame: int,
    end_frame: int,
    columns: int = 9,
    min_score: float = 0.5,
) -> Path:
    """Write one picture of frames from ``start_frame`` to before ``end_frame``, evenly spread: crops, below them the
    teacher's poses, below those the student's.
    """
    frames = np.asarray(store.header(video).frame_inds)
    inside = frames[(frames >= start_frame) & (frames < end_frame)]
    chosen = set(inside[np.linspace(0, len(inside) - 1, columns).round().astype(int)].tolist())
    shown = panels(store, video, decoded, teacher, min_score, chosen)
    tiles = [np.concatenate(np.split(picture, 3, axis=1), axis=0) for _, picture in shown]
    _, jpeg = cv2.imencode('.jpg', np.concatenate(tiles, axis=1)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    with atomic_write(path) as f:
        f.write(jpeg.tobytes())
    return path


def write_preview(
    store: CropStore,
    video: str,
    decoded: np.ndarray,
    teacher: FeatureSequence,
    out: Path,
    fps: float,
    min_score: float = 0.5,
    columns: int = 4,
    rows: int = 8,
) -> tuple[Path, Path]:
    """Write ``out/<video>.png`` (frames evenly spread) and ``out/<video>.mp4`` (all of them).

    Raises:
        UserError: the video has no crops.
    """
    num_frames = len(store.header(video).frame_inds)
    if not num_frames:
        raise UserError(f'{store.directory}: video {video!r} has no crops to show; look at its track')
    chosen = set(np.linspace(0, num_frames - 1, min(num_frames, columns * rows)).round().astype(int).tolist())
    tiles = []
    clip = out / f'{video}.mp4'
    with atomic_write(clip) as f, av.open(f, 'w', format='mp4') as container:
        stream = container.add_stream('libx264', rate=Fraction(fps).limit_denominator(1001))
        stream.pix_fmt = 'yuv420p'
        stream.height, stream.width = _SIDE, 3 * _SIDE
        for i, (_, picture) in enumerate(panels(store, video, decoded, teacher, min_score)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
            if i in chosen:
                tiles.append(picture)
        container.mux(stream.encode(None))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    lines = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
    _, png = cv2.imencode('.png', np.concatenate(lines)[..., ::-1])
    sheet = out / f'{video}.png'
    with atomic_write(sheet) as f:
        f.write(png.tobytes())
    return sheet, clip
