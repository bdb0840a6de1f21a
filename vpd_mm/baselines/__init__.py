"""The rivals: mmaction2's models on the same clips."""

from .generated_dataset import GeneratedActionDataset

__all__ = ['GeneratedActionDataset']
