"""What every part of the studio works on: the corpus, its features and where the studio keeps its own files."""

from dataclasses import dataclass
from pathlib import Path

from ..corpus import Corpus


@dataclass(frozen=True)
class Workspace:
    """One opened corpus.

    Args:
        corpus: The corpus; its folder is the only storage.
        features: Name of the features that search and training read; '' where the corpus has none.
        student: ``CONFIG:CHECKPOINT`` or run folder whose poses the player can draw; '' for none.
    """

    corpus: Corpus
    features: str = ''
    student: str = ''

    @property
    def folder(self) -> Path:
        """Files of the studio that are not labels: history, notes, predictions, models, thumbnails."""
        return self.corpus.root / 'studio'
