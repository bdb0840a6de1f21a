"""Batches of crops, whose inputs are written where the network reads them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate

from ..registry import FUNCTIONS


class CropBatch(list):
    """Samples of a batch; inputs of one shape that :meth:`next_input` gave to all of them are parts of one tensor.

    ``size`` is the number of samples that are going to be added.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
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
            # NumPy asks for huge pages, which take a fraction of the time when they are written to for the first time
            self._inputs = torch.from_numpy(np.empty((self.size, *shape), np.uint8))
            self._parts = [(part, part.numpy()) for part in self._inputs.unbind()][::-1]
        if self._inputs.shape[1:] != shape:
            return CropBatch(1).next_input(shape)
        return self._parts.pop()

    @property
    def inputs(self) -> torch.Tensor | None:
        """The inputs of all samples; None where they are not parts of one tensor."""
        return self._inputs if len(self) == self.size and not self._parts else None


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
