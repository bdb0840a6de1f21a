"""Batches of crops, whose inputs are written where the network reads them."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import default_collate

from ..registry import FUNCTIONS


class InputMemory:
    """Memory for the inputs of batches, uint8.

    An array that no tensor uses any more is used again: to write to new memory for the first time takes longer than to
    augment a crop.
    """

    def __init__(self) -> None:
        self._arrays: list[np.ndarray] = []

    def tensor(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Return a tensor, whose values are not set."""
        kept, self._arrays = self._arrays, []  # other threads do not get the same array
        unused = [i for i, count in enumerate(_references(kept)) if count == _UNUSED and kept[i].shape == shape]
        array = kept.pop(unused[0]) if unused else np.empty(shape, np.uint8)
        inputs = torch.from_numpy(array)
        self._arrays = [*kept[-2:], array]
        return inputs


def _references(arrays: list[np.ndarray]) -> list[int]:
    return [sys.getrefcount(array) for array in arrays]


_UNUSED = _references([np.empty(0)])[0]


class CropBatch(list):
    """Samples of a batch; inputs of one shape that :meth:`next_input` gave to all of them are parts of one tensor.

    ``size`` is the number of samples that are going to be added.
    """

    def __init__(self, size: int, memory: InputMemory | None = None) -> None:
        super().__init__()
        self.size, self._memory = size, memory or InputMemory()
        self._inputs: torch.Tensor | None = None
        self._parts: list[tuple[torch.Tensor, np.ndarray]] = []

    def add(self, samples: list[dict], transforms: Sequence[Callable]) -> None:
        """Add transformed samples; all pass one transform before the next one, so that its code stays in the caches."""
        samples = [{**sample, 'batch': self} for sample in samples]
        for transform in transforms:
            samples = [transform(sample) for sample in samples]
        self += samples

    def next_input(self, shape: tuple[int, ...]) -> tuple[torch.Tensor, np.ndarray]:
        """Return memory for the input of the next sample, uint8, as tensor and array."""
        if self._inputs is None:
            self._inputs = self._memory.tensor((self.size, *shape))
            self._parts = [(part, part.numpy()) for part in self._inputs.unbind()][::-1]
        if self._inputs.shape[1:] != shape:
            return CropBatch(1).next_input(shape)
        return self._parts.pop()

    @property
    def inputs(self) -> torch.Tensor | None:
        """The inputs of all samples; None where they are not parts of one tensor."""
        return self._inputs if len(self) == self.size and not self._parts else None


def pad(image: torch.Tensor, side: int) -> torch.Tensor:
    """Pad an image (C, H, W) to (C, side, side) with zeros."""
    height, width = image.shape[1:]
    return image if height == width == side else F.pad(image, (0, side - width, 0, side - height))


@FUNCTIONS.register_module()
def collate_crops(samples: list[dict]) -> dict:
    """Collate samples like ``default_collate``, without a copy of the inputs of a :class:`CropBatch`."""
    inputs = samples.inputs if isinstance(samples, CropBatch) else None
    if inputs is None:
        return default_collate(samples)
    return {name: inputs if name == 'inputs' else _collate([each[name] for each in samples]) for name in samples[0]}


def _collate(values: list) -> Any:
    """Collate like ``default_collate``, which makes a tensor of each array first."""
    if isinstance(values[0], dict):
        return {name: _collate([value[name] for value in values]) for name in values[0]}
    return torch.from_numpy(np.stack(values)) if isinstance(values[0], np.ndarray) else default_collate(values)
