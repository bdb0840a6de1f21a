"""Clips side by side, as an image or a video: crops where the corpus has them, else skeletons."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..corpus import Corpus, CropStore
from ..errors import UserError, one_line
from ..files import list_folder
from ..teacher import JointFeature
from ..visualize.panels import add_captions, evenly_spread, grid, legend, resize, save_image
from ..visualize.skeleton import SIDES, draw_pose_panel
from ..visualize.video_writer import VideoWriter

TILE = 192  # px
VIDEO_FPS = 25
#: Frames of a clip in an image.
FRAMES_SHOWN = 8


class Shot(NamedTuple):
    """One clip to show: frames start_frame to end_frame (exclusive) of a video, under a caption."""

    video: str
    start_frame: int
    end_frame: int
    caption: str


class ClipPainter:
    """Draw tiles (TILE, TILE, 3) RGB of single frames of a corpus.

    Args:
        corpus: The corpus.
        poses: Pose set for skeletons where a video has no crops; None = the first one.
    """

    def __init__(self, corpus: Corpus, poses: str | None = None) -> None:
        self.corpus = corpus
        self.poses = poses or next(iter(corpus.pose_names()), None)
        self.crops = CropStore(corpus.crops_dir) if list_folder(corpus.crops_dir, 'shard-*') else None

    def crop_inds(self, shot: Shot) -> np.ndarray:
        """Frames of a clip that have a crop; without any, skeletons are drawn."""
        if self.crops is None or shot.video not in self.crops:
            return np.zeros(0, np.int64)
        frame_inds = self.crops.header(shot.video).frame_inds
        return frame_inds[_inside(frame_inds, shot)]

    def tiles(self, shot: Shot, count: int | None = None) -> list[np.ndarray]:
        """``count`` evenly spread frames of a clip (None = all) among those that can be shown.

        Raises:
            UserError: the clip has neither crops nor poses.
        """
        if self.crops is not None and len(frame_inds := self.crop_inds(shot)):
            chosen = frame_inds[evenly_spread(len(frame_inds), count)].tolist()
            return [resize(self.crops.crop(shot.video, i), TILE) for i in chosen]
        if self.poses is not None and self.corpus.pose_path(self.poses, shot.video).is_file():
            joints = JointFeature()(self.corpus.poses(self.poses, shot.video))
            feats = joints.feats[_inside(joints.frame_inds, shot), 0]
            if len(feats):
                return [draw_pose_panel(frame, TILE) for frame in feats[evenly_spread(len(feats), count)]]
        raise UserError(f'{self.corpus.root} has neither crops nor poses to show; run tools/prepare.py')


def check_side_by_side(path: Path) -> None:
    """Raise UserError if ``path`` ends neither in .png nor in .mp4."""
    if path.suffix not in ('.png', '.mp4'):
        raise UserError(f'{path}: must end in .png (an image) or .mp4 (a video)')


def save_side_by_side(path: Path, painter: ClipPainter, shots: Sequence[Shot]) -> list[str]:
    """Write ``path``: .png = a row of frames per clip; .mp4 = all clips in a grid, starting together.

    A clip that cannot be shown is left out; returns one line for each.

    Raises:
        UserError: another suffix, or no clip can be shown.
    """
    check_side_by_side(path)
    shown, failures = [], []
    for shot in shots:
        try:
            shown.append((shot, painter.tiles(shot, FRAMES_SHOWN if path.suffix == '.png' else None)))
        except Exception as e:  # any: the other clips are shown
            failures.append(one_line(f'{shot.video}:{shot.start_frame}-{shot.end_frame}: {e}'))
    if not shown:
        raise UserError(f'no clip can be shown: {failures[0]}')
    captions = [shot.caption for shot, _ in shown]
    explain = {} if all(len(painter.crop_inds(shot)) for shot, _ in shown) else SIDES
    if path.suffix == '.png':
        for _, tiles in shown:
            tiles += [np.zeros_like(tiles[0])] * (FRAMES_SHOWN - len(tiles))
        rows = add_captions([np.concatenate(tiles, axis=1) for _, tiles in shown], captions)
        save_image(path, _finish(np.concatenate(rows), explain))
    else:
        columns = int(np.ceil(np.sqrt(len(shown))))
        with VideoWriter(path, VIDEO_FPS) as writer:
            for t in range(max(len(tiles) for _, tiles in shown)):
                images = [tiles[min(t, len(tiles) - 1)] for _, tiles in shown]
                writer.write(_finish(grid(add_captions(images, captions), columns), explain))
    return failures


def _finish(image: np.ndarray, explain: Mapping) -> np.ndarray:
    return np.concatenate([image, legend(image.shape[1], explain)]) if explain else image


def _inside(frame_inds: np.ndarray, shot: Shot) -> np.ndarray:
    return (frame_inds >= shot.start_frame) & (frame_inds < shot.end_frame)
