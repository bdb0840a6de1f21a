"""Draw a video of a corpus: box, skeleton coloured by confidence, crop, flow colour wheel."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av
import cv2
import numpy as np

from ..athlete import VideoReader
from ..corpus import Corpus, CropStore, VideoInfo
from ..errors import UserError
from ..infer.result_files import FILM_MARK
from ..structures import PoseSequence, atomic_write

#: Bones of COCO-17, as pairs of joints.
BONES = (
    (0, 5), (0, 6), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14),
    (14, 16),
)  # fmt: skip

#: Flow of this length has full colour.
_FULL_FLOW_PX = 5.0

_PANEL = 256
_FILM_HEIGHT = 512


class VideoView:
    """What there is of one video, for drawing.

    Args:
        corpus: Its corpus.
        store: The corpus's crops.
        row: Its row of videos.csv.
        poses: Its poses; None = none.
    """

    def __init__(self, corpus: Corpus, store: CropStore, row: VideoInfo, poses: PoseSequence | None) -> None:
        self.row, self.store = row, store
        self.fps = corpus.fps
        self.header = store.header(row.video)
        track = corpus.track(row.video) if corpus.track_path(row.video).is_file() else None
        self.boxes = {} if track is None else dict(zip(track.frame_inds.tolist(), track.boxes))
        self.poses = {}
        if poses is not None:
            self.poses = {int(i): (k, s) for i, k, s in zip(poses.frame_inds, poses.keypoints, poses.scores)}
        self.windows = dict(zip(self.header.frame_inds.tolist(), self.header.windows.tolist()))

    @cached_property
    def reader(self) -> VideoReader | None:
        """The video file; None where it is not there any more."""
        try:
            return VideoReader(self.row.path, self.fps) if self.row.path else None
        except UserError:
            return None

    def crop_panel(self, frame_ind: int) -> np.ndarray:
        """The crop with its skeleton, (_PANEL, _PANEL, 3) RGB; grey where the frame has no crop."""
        if frame_ind not in self.windows:
            return np.full((_PANEL, _PANEL, 3), 40, np.uint8)
        crop = self.store.crop(self.row.video, frame_ind)
        panel = cv2.resize(crop, (_PANEL, _PANEL), interpolation=cv2.INTER_LINEAR)
        left, top, side = self.windows[frame_ind]
        if frame_ind in self.poses:
            keypoints, scores = self.poses[frame_ind]
            draw_skeleton(panel, (keypoints - (left, top)) * (_PANEL / side), scores)
        return panel

    def flow_panel(self, frame_ind: int) -> np.ndarray:
        """The flow's colours with the wheel in a corner, (_PANEL, _PANEL, 3) RGB."""
        if frame_ind not in self.windows or self.header.flow is None:
            return np.full((_PANEL, _PANEL, 3), 40, np.uint8)
        colours = flow_colours(self.store.flow(self.row.video, frame_ind))
        panel = cv2.resize(colours, (_PANEL, _PANEL), interpolation=cv2.INTER_NEAREST)
        wheel = flow_wheel(_PANEL // 5)
        panel[: len(wheel), -len(wheel) :] = wheel
        return panel

    def frame_panel(self, frame_ind: int, rgb: np.ndarray, height: int) -> np.ndarray:
        """The whole frame with box and skeleton, scaled to ``height``."""
        scale = height / rgb.shape[0]
        width = max(2, round(rgb.shape[1] * scale))
        panel = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
        if frame_ind in self.boxes:
            x1, y1, x2, y2 = (int(v) for v in np.clip(self.boxes[frame_ind] * scale, -9999, 9999))
            cv2.rectangle(panel, (x1, y1), (x2, y2), (255, 220, 0), 2)
        if frame_ind in self.poses:
            keypoints, scores = self.poses[frame_ind]
            draw_skeleton(panel, keypoints * scale, scores)
        return panel


def contact_sheet(view: VideoView, path: Path, count: int = 16, columns: int = 4) -> None:
    """Write a PNG of ``count`` evenly spread frames: whole frame (where the file is there), crop, flow.

    Raises:
        UserError: the video has no crops.
    """
    inds = view.header.frame_inds
    if not len(inds):
        raise UserError(f'{view.row.video}: has no crops to show')
    chosen = [int(inds[i]) for i in np.unique(np.linspace(0, len(inds) - 1, count).round().astype(int))]
    wholes = _whole_frames(view, set(chosen))
    tiles = []
    for frame_ind in chosen:
        parts = [view.crop_panel(frame_ind), view.flow_panel(frame_ind)]
        tile = np.concatenate(parts, axis=1)
        if view.reader is not None:
            top = np.zeros((_PANEL, 2 * _PANEL, 3), np.uint8)
            if frame_ind in wholes:
                _paste(top, wholes[frame_ind])
            tile = np.concatenate([top, tile])
        _caption(tile, _frame_text(view, frame_ind))
        tiles.append(cv2.copyMakeBorder(tile, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    columns = min(columns, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    sheet = np.concatenate([np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)])
    with atomic_write(path) as f:
        f.write(cv2.imencode('.png', cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes())


def write_film(view: VideoView, path: Path) -> None:
    """Write an mp4: whole frame (where the file is there) with box and skeleton; crop and flow beside it."""
    with atomic_write(path) as f, av.open(f, 'w', format='mp4') as container:
        container.metadata['comment'] = FILM_MARK
        stream = None
        for frame_ind, rgb in _film_frames(view):
            image = np.concatenate([view.crop_panel(frame_ind), view.flow_panel(frame_ind)])
            if rgb is not None:
                image = np.concatenate([view.frame_panel(frame_ind, rgb, _FILM_HEIGHT), image], axis=1)
            _caption(image, _frame_text(view, frame_ind))
            image = np.ascontiguousarray(image[:, : image.shape[1] // 2 * 2])
            if stream is None:
                stream = container.add_stream('libx264', rate=Fraction(view.row.fps).limit_denominator(1001))
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = 'yuv420p'
                stream.options = {'crf': '23', 'preset': 'veryfast'}
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        if stream is not None:
            container.mux(stream.encode())


def draw_skeleton(image: np.ndarray, keypoints: np.ndarray, scores: np.ndarray) -> None:
    """Draw COCO-17 ``keypoints`` (17, 2), px, into RGB ``image``: red = score 0, green = 1."""
    points = [tuple(int(v) for v in p) for p in np.clip(keypoints, -9999, 9999)]
    for a, b in BONES:
        cv2.line(image, points[a], points[b], _confidence_colour(min(scores[a], scores[b])), 2, cv2.LINE_AA)
    for joint in (0, *range(5, 17)):
        cv2.circle(image, points[joint], 3, _confidence_colour(scores[joint]), -1, cv2.LINE_AA)


def flow_colours(flow: np.ndarray) -> np.ndarray:
    """(H, W, 2) flow to RGB: hue = direction, strength = length, white = at rest."""
    length, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1], angleInDegrees=True)
    hsv = np.empty((*flow.shape[:2], 3), np.uint8)
    hsv[..., 0] = (angle / 2).astype(np.uint8) % 180
    hsv[..., 1] = np.minimum(length / _FULL_FLOW_PX, 1) * 255
    hsv[..., 2] = 255
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def flow_wheel(size: int) -> np.ndarray:
    """Legend of :func:`flow_colours`: the colour at a place is that of flow from the centre to it."""
    y, x = np.mgrid[:size, :size].astype(np.float32) - (size - 1) / 2
    wheel = flow_colours(np.stack((x, y), axis=-1) * (2 * _FULL_FLOW_PX / size))
    wheel[x**2 + y**2 > (size / 2) ** 2] = 40
    return wheel


def _confidence_colour(score: float) -> tuple[int, int, int]:
    return int(255 * min(1, 2 - 2 * score)), int(255 * min(1, 2 * score)), 0


def _film_frames(view: VideoView) -> Iterator[tuple[int, np.ndarray | None]]:
    if view.reader is not None:
        yield from view.reader
    else:
        yield from ((int(i), None) for i in view.header.frame_inds)


def _whole_frames(view: VideoView, chosen: set[int]) -> dict[int, np.ndarray]:
    wholes = {}
    if view.reader is not None:
        last = max(chosen)
        height = min(_PANEL, int(2 * _PANEL * view.row.height / view.row.width))
        for frame_ind, rgb in view.reader:
            if frame_ind in chosen:
                wholes[frame_ind] = view.frame_panel(frame_ind, rgb, height)
            if frame_ind >= last:
                break
    return wholes


def _paste(canvas: np.ndarray, image: np.ndarray) -> None:
    """Put ``image`` into the middle of ``canvas``, cutting what is too large."""
    height, width = min(canvas.shape[0], image.shape[0]), min(canvas.shape[1], image.shape[1])
    y, x = (canvas.shape[0] - height) // 2, (canvas.shape[1] - width) // 2
    canvas[y : y + height, x : x + width] = image[:height, :width]


def _frame_text(view: VideoView, frame_ind: int) -> str:
    if frame_ind not in view.poses:
        return f'{frame_ind}' + ('' if frame_ind in view.boxes else ' no box')
    return f'{frame_ind} conf {view.poses[frame_ind][1][[0, *range(5, 17)]].mean():.2f}'


def _caption(image: np.ndarray, text: str) -> None:
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(image, text, (5, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thickness, cv2.LINE_AA)
