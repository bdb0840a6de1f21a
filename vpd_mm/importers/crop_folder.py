"""Crop folders of the VPD release: ``<frame>.png``, ``.prev.png``, ``.<flow>.png``, ``.mask.png``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..corpus import CropWriter, VideoInfo
from ..corpus.image_file import read_image
from ..errors import UserError
from ..files import list_folder, stored_path

#: The flow images of the release cover +-20 px.
FLOW_CLIP = 20.0
_CROP = re.compile(r'([0-9]{1,9})\.png')
_FLOW = re.compile(r'\d+\.(?!mask\.|prev\d*\.)([^.]+)\.png')
_PLAYER_CLIP = re.compile(r'(?P<player>[^_]+)__(?P<match>[^.].*)_(?P<first>[0-9]{1,9})_(?P<last>[0-9]{1,9})')


@dataclass(frozen=True)
class CropFolder:
    """The folder with the crops of one video; ``first`` is the number on disk of frame 0 (tennis: of the match)."""

    info: VideoInfo
    folder: Path
    first: int

    def frames(self) -> list[int]:
        matches = (_CROP.fullmatch(p.name) for p in list_folder(self.folder))
        frames = (int(m[1]) - self.first for m in matches if m)
        return sorted(f for f in frames if 0 <= f < self.info.num_frames)

    def path(self, frame: int, kind: str = '') -> Path:
        return self.folder / f'{frame + self.first}{kind}.png'


def find_crop_folders(root: Path, videos: Mapping[str, VideoInfo]) -> list[CropFolder]:
    """Find the crop folders of known videos: ``<video>/``, for tennis ``<match>/<front|back>/``."""
    folders = []
    for video, info in videos.items():
        folder, first = stored_path(root, video), 0
        if not folder.is_dir() and (match := _PLAYER_CLIP.fullmatch(video)):
            folder, first = root / match['match'] / match['player'], int(match['first'])
        if folder.is_dir():
            folders.append(CropFolder(info, folder, first))
    return [crops for crops in folders if crops.frames()]


def decode_flow_image(image: np.ndarray) -> np.ndarray:
    """Decode (H, W, 3) uint8 RGB to (H, W, 2) float32 px.

    The release writes floor((flow + clip) * 255 / (2 clip + 1)), u in the blue channel, v in the green one; the middle
    of each step is taken.
    """
    step = (2 * FLOW_CLIP + 1) / 255
    return np.clip((image[..., :0:-1].astype(np.float32) + 0.5) * step - FLOW_CLIP, -FLOW_CLIP, FLOW_CLIP)


def import_crops(crops: CropFolder, writer: CropWriter, flow: str | None) -> int:
    """Store the crops of one video, completely or not at all.

    The release does not contain the position of a crop, so the stored window is the crop itself, (0, 0, side).

    Args:
        crops, writer: Source and target.
        flow: The ``<flow>`` of the flow images, 'none' for no flow; None takes the only one.

    Returns:
        Number of frames stored; with flow, only frames that have it.

    Raises:
        UserError: an image is missing, damaged, or of another size.
    """
    flow = _choose_flow(crops.folder, flow)
    frames = [f for f in crops.frames() if flow is None or crops.path(f, f'.{flow}').is_file()]
    size = len(_read(crops.path(frames[0])))
    settings = None if flow is None else {'method': f'imported:{flow}', 'clip': FLOW_CLIP}
    with writer.video(crops.info.video, size, settings) as out:
        for frame in frames:
            rgb = _read(crops.path(frame), size)
            flow_px = None if flow is None else decode_flow_image(_read(crops.path(frame, f'.{flow}'), size))
            mask_path = crops.path(frame, '.mask')
            mask = _read(mask_path, size)[..., 0] > 0 if mask_path.is_file() else None
            out.add(frame, (0, 0, size), rgb, flow_px, mask)
    return len(frames)


def _choose_flow(folder: Path, flow: str | None) -> str | None:
    names = sorted({match[1] for path in list_folder(folder) if (match := _FLOW.fullmatch(path.name))})
    if flow == 'none' or (flow is None and not names):
        return None
    if flow is None and len(names) == 1:
        return names[0]
    if flow not in names:
        problem = f'no <frame>.{flow}.png' if flow else 'flow images of several kinds'
        raise UserError(
            f'{folder}: {problem}; there are {", ".join(names) or "none"}; pass one of them, or none, by --flow'
        )
    return flow


def _read(path: Path, size: int | None = None) -> np.ndarray:
    """Read a square image, RGB."""
    image = read_image(path)
    if image.shape[0] != image.shape[1]:
        raise UserError(f'{path}: is {image.shape[1]}x{image.shape[0]}; a crop is square, copy the crops again')
    if size is not None and len(image) != size:
        raise UserError(f'{path}: side is {len(image)}, that of the first crop {size}; one size a video')
    return image
