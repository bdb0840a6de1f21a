"""Masks of the VPD release, ``<video>/mask.json.gz``: person masks, cut to their box, as base64 PNG."""

import base64
import binascii
import os
from dataclasses import dataclass

import cv2
import numpy as np

from ..corpus.image_file import decode_image
from ..errors import UserError
from ..files import stored_path
from .json_io import frame_entries, read_json, scored_people, shape_error

#: Masks of a lower score are left out, as in the published crops.
MIN_SCORE = 0.8


@dataclass(frozen=True)
class MaskPatch:
    """A mask, PNG with non-zero on the athlete, at the corner (px) of its box; ``where`` names file and frame."""

    left: int
    top: int
    png: bytes
    where: str

    def full(self, width: int, height: int) -> np.ndarray:
        """Return the mask in its frame, (height, width) bool; raises UserError for a damaged or too large PNG."""
        image = decode_image(self.png, f'{self.where}: mask', cv2.IMREAD_GRAYSCALE)
        mask = np.zeros((height, width), dtype=bool)
        x1, y1 = max(self.left, 0), max(self.top, 0)
        x2, y2 = min(self.left + image.shape[1], width), min(self.top + image.shape[0], height)
        if x1 < x2 and y1 < y2:
            mask[y1:y2, x1:x2] = image[y1 - self.top : y2 - self.top, x1 - self.left : x2 - self.left] > 0
        return mask


def read_masks(directory: str | os.PathLike, video_name: str, num_frames: int | None = None) -> dict[int, MaskPatch]:
    """Read ``<video>/mask.json.gz`` (or ``.json``): ``[[frame, [[score, [x, y, w, h], png], ...]], ...]``.

    The mask of the highest score in a frame counts; frames where it is below 0.8 are absent.  Without the file the
    result is empty.  Raises UserError for an invalid entry.
    """
    folder = stored_path(directory, video_name)
    path = next((p for p in (folder / 'mask.json.gz', folder / 'mask.json') if p.is_file()), None)
    if path is None:
        return {}
    masks: dict[int, MaskPatch] = {}
    form = '[[score, [x, y, w, h], base64 PNG], ...]'
    for where, frame, people in frame_entries(read_json(path), path, form, num_frames):
        best = 0.0
        for score, box, text in scored_people(people, where, 'base64 PNG'):
            if not isinstance(text, str):
                raise shape_error(where, 'a mask as base64 PNG', text)
            try:
                png = base64.b64decode(text)
            except (binascii.Error, ValueError) as e:
                raise UserError(f'{where}: the mask is not base64 ({e}); copy the file again') from e
            if score >= MIN_SCORE and score > best:
                best, masks[frame] = score, MaskPatch(int(box[0]), int(box[1]), png, where)
    return masks
