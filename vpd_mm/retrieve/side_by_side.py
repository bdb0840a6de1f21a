"""Clips side by side, as a picture or a film: crops where the corpus has them, else skeletons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from ..corpus import Corpus, CropStore
from ..errors import UserError
from ..structures import atomic_write
from ..teacher import JointFeature

TILE = 160  # px
CAPTION = 22  # px
FILM_FPS = 25
#: Bones among the 13 joints of VPD.
BONES = (
    (0, 1), (0, 2), (1, 2), (1, 3), (3, 5), (2, 4), (4, 6), (1, 7), (2, 8), (7, 8), (7, 9), (9, 11), (8, 10), (10, 12),
)  # fmt: skip
_LEFT, _RIGHT, _MIDDLE = (255, 170, 60), (80, 190, 255), (230, 230, 230)


@dataclass(frozen=True)
class Shot:
    """One clip to show: frames start_frame to end_frame (exclusive) of a video, under a caption."""

    video: str
    start_frame: int
    end_frame: int
    caption: str


class ClipPainter:
    """Tiles (TILE, TILE, 3) RGB of single frames of a corpus.

    Args:
        corpus: The corpus.
        poses: Pose set for skeletons where a video has no crops; None = the
            first there is.
    """

    def __init__(self, corpus: Corpus, poses: str | None = None) -> None:
        self.corpus = corpus
        self.poses = poses or next(iter(corpus.pose_names()), None)
        self.crops = CropStore(corpus.crops_dir) if any(corpus.crops_dir.glob('shard-*')) else None

    def tiles(self, shot: Shot, count: int | None = None) -> list[np.ndarray]:
        """``count`` evenly spread frames of a clip (all for None) among those that can be shown.

        Raises:
            UserError: the clip has neither crops nor poses.
        """
        if self.crops is not None and shot.video in self.crops:
            inds = _within(self.crops.header(shot.video).frame_inds, shot)
            if len(inds):
                chosen = inds[_spread(len(inds), count)]
                crops = (self.crops.crop(shot.video, int(i)) for i in chosen)
                return [cv2.resize(crop, (TILE, TILE), interpolation=cv2.INTER_LINEAR) for crop in crops]
        if self.poses is not None and self.corpus.pose_path(self.poses, shot.video).is_file():
            joints = JointFeature()(self.corpus.poses(self.poses, shot.video))
            feats = joints.feats[np.isin(joints.frame_inds, _within(joints.frame_inds, shot)), 0]
            if len(feats):
                return [draw_skeleton(frame.reshape(-1, 2)) for frame in feats[_spread(len(feats), count)]]
        where = f'{shot.video}:{shot.start_frame}-{shot.end_frame}'
        raise UserError(f'{self.corpus.root}: {where} has neither crops nor poses to show; run tools/prepare.py')


def draw_skeleton(joints: np.ndarray) -> np.ndarray:
    """A tile of normalised joints (13, 2), hips in the middle; the left side is orange, the right blue."""
    tile = np.full((TILE, TILE, 3), 30, np.uint8)
    points = [tuple(int(v) for v in p) for p in np.clip(joints * (0.4 * TILE) + TILE / 2, -999, 999)]
    for a, b in BONES:
        colour = _MIDDLE if a == 0 or a % 2 != b % 2 else _LEFT if a % 2 else _RIGHT
        cv2.line(tile, points[a], points[b], colour, 2, cv2.LINE_AA)
    cv2.circle(tile, points[0], 6, _MIDDLE, 1, cv2.LINE_AA)
    return tile


def save_side_by_side(path: Path, painter: ClipPainter, shots: Sequence[Shot], frames_shown: int = 8) -> None:
    """Write ``path``: .png = a row of frames for every clip; .mp4 = all clips playing in a grid, from one start.

    Raises:
        UserError: another suffix, or a clip with nothing to show.
    """
    if path.suffix == '.png':
        sheet = np.concatenate([_row(painter.tiles(shot, frames_shown), shot, frames_shown) for shot in shots])
        with atomic_write(path) as f:
            f.write(cv2.imencode('.png', cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes())
    elif path.suffix == '.mp4':
        _save_film(path, [painter.tiles(shot) for shot in shots], [shot.caption for shot in shots])
    else:
        raise UserError(f'{path}: a picture of the clips ends in .png, a film in .mp4')


def _row(tiles: list[np.ndarray], shot: Shot, columns: int) -> np.ndarray:
    blank = np.full((TILE, TILE, 3), 30, np.uint8)
    return _captioned(np.concatenate(tiles + [blank] * (columns - len(tiles)), axis=1), shot.caption)


def _captioned(image: np.ndarray, text: str) -> np.ndarray:
    bar = np.zeros((CAPTION, image.shape[1], 3), np.uint8)
    plain = text.encode('ascii', 'replace').decode()  # OpenCV's font has no more
    cv2.putText(bar, plain, (4, CAPTION - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate([bar, image])


def _save_film(path: Path, clips: list[list[np.ndarray]], captions: list[str]) -> None:
    columns = int(np.ceil(np.sqrt(len(clips))))
    cells = -(-len(clips) // columns) * columns
    with atomic_write(path) as f, av.open(f, 'w', format='mp4') as container:
        stream = container.add_stream('libx264', rate=FILM_FPS)
        stream.width, stream.height = columns * TILE, cells // columns * (TILE + CAPTION)
        stream.pix_fmt = 'yuv420p'
        for t in range(max(map(len, clips))):
            tiles = [_captioned(clip[min(t, len(clip) - 1)], text) for clip, text in zip(clips, captions, strict=True)]
            tiles += [np.zeros_like(tiles[0])] * (cells - len(tiles))
            rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, cells, columns)]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.concatenate(rows)), format='rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _within(frame_inds: np.ndarray, shot: Shot) -> np.ndarray:
    return frame_inds[(frame_inds >= shot.start_frame) & (frame_inds < shot.end_frame)]


def _spread(length: int, count: int | None) -> np.ndarray:
    """Places of ``count`` evenly spread items, first and last among them."""
    if count is None or count >= length:
        return np.arange(length)
    return np.linspace(0, length - 1, count).round().astype(int)
