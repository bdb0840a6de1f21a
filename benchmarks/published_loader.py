"""The published way of loading crops for the student, written anew: three PNG files a frame, torchvision transforms.

The work and its order are those of the published data set of single frames: PNG files read by OpenCV, float tensors,
colour jitter of torchvision, normalization, noise on a masked part, flow of 8 bits, flip, and a random resized crop of
all five channels.  The code is our own.
"""

import random
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision.transforms import ColorJitter, Compose, Normalize, RandomResizedCrop

from vpd_mm.corpus import CropStore

#: Mean and standard deviation of R, G, B of ImageNet, in 0..1.
_COLORS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def write_png_crops(store: CropStore, directory: Path, num_frames: int) -> list[Path]:
    """Write crop, flow and mask of frames of all videos as PNG files; return their paths without suffix."""
    frames = [(video, int(i)) for video in store.videos() for i in store.header(video).frame_inds]
    frames = [frames[i] for i in np.linspace(0, len(frames) - 1, num_frames).astype(int)]
    directory.mkdir(parents=True)
    paths = []
    for video, frame in frames:
        rgb, flow, mask = store.read(video, frame)
        path = directory / f'{video}-{frame}'
        code = np.zeros_like(rgb)
        if flow is not None:
            code[..., :2] = np.rint((flow / 40 + 0.5).clip(0, 1) * 255)
        cv2.imwrite(f'{path}.png', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        cv2.imwrite(f'{path}.flow.png', code)
        if mask is not None:
            cv2.imwrite(f'{path}.mask.png', mask.astype(np.uint8) * 255)
        paths.append(path)
    return paths


class PublishedCrops(Dataset):
    """Random frames of PNG files with a target (2, D): ``img`` (5, size, size) float32, ``emb`` (D,)."""

    def __init__(self, paths: list[Path], size: int, targets: np.ndarray) -> None:
        self.paths, self.size, self.targets = paths, size, targets
        self._color = Compose([ColorJitter(0.2, 0.2, 0.05, 0.05), Normalize(*_COLORS, inplace=True)])
        self._window = RandomResizedCrop(size, scale=(0.5, 1.0), ratio=(0.9, 1.1))

    def __len__(self) -> int:
        return 10**8

    def __getitem__(self, index: int) -> dict:
        number = random.randrange(len(self.paths))  # noqa: S311
        path, flip, noisy = self.paths[number], random.random() < 0.5, random.random() < 0.5  # noqa: S311
        rgb = cv2.cvtColor(self._read(f'{path}.png'), cv2.COLOR_BGR2RGB)
        img = self._color(torch.FloatTensor(rgb).permute(2, 0, 1) / 255)
        if noisy and Path(f'{path}.mask.png').exists():
            mask = torch.BoolTensor(self._read(f'{path}.mask.png')[:, :, 0] == 0)
            noise = torch.randn(img.shape) * 0.05**0.5
            noise[:, mask] = 0
            img += noise
        flow = torch.FloatTensor(self._read(f'{path}.flow.png')[:, :, :2] / 255 - 0.5).permute(2, 0, 1)
        img = torch.cat((img, flow))
        if flip:
            img = torch.flip(img, (2,))
            img[3] *= -1
        return {'img': self._window(img), 'emb': torch.FloatTensor(self.targets[number][int(flip)])}

    def _read(self, path: str) -> np.ndarray:
        image = cv2.imread(path)
        return image if image.shape[:2] == (self.size, self.size) else cv2.resize(image, (self.size, self.size))
