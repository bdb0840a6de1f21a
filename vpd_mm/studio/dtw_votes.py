"""Classes of clips by their nearest labelled clips under DTW: with few labels better than a trained model alone."""

from collections.abc import Sequence

import numpy as np

from ..retrieve.dtw import dtw_matrix

#: Nearest labels of a class whose mean distance is that of the class.
NUM_NEAREST = 3
#: Exponent of the ratio of the distances of two classes.
SHARPNESS = 16.0
#: Largest ratio of two distances: no class is impossible because its labels are far or of another length.
MAX_RATIO = 1.5
#: Labels of a class that are compared, the first ones, which limits the time.
MAX_PER_CLASS = 20


class DTWVotes:
    """Probability of a class: ``exp(-SHARPNESS * min(d / d_min, MAX_RATIO))``, normalised over the classes.

    d is the distance of the class, d_min that of the nearest class.  d is infinite for a class without labels, or of
    whose labels all are more than about 1.5 times longer or shorter than the clip.

    Args:
        clips: G features (T, V, D) of labelled clips.
        labels: (G,) their classes.
        num_classes: C.
    """

    def __init__(self, clips: Sequence[np.ndarray], labels: Sequence[int], num_classes: int) -> None:
        self.labels, self.num_classes = np.asarray(labels), num_classes
        rank = np.array([np.sum(self.labels[:i] == label) for i, label in enumerate(self.labels)])
        self._kept = rank < MAX_PER_CLASS
        self._clips = [clip for clip, kept in zip(clips, self._kept, strict=True) if kept]

    def distances(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """(N, G) distances of clips to labelled clips, the smaller one of the views; infinite where there is none."""
        num_views = clips[0].shape[1]
        views = [clip[:, view] for clip in self._clips for view in range(num_views)]
        matrix = dtw_matrix([clip[:, 0] for clip in clips], views, fallback=False, num_threads=1)
        distances = np.full((len(clips), len(self.labels)), np.inf)
        distances[:, self._kept] = matrix.reshape(len(clips), -1, num_views).min(2)
        return distances

    def probabilities(self, distances: np.ndarray, left_out: np.ndarray) -> np.ndarray:
        """(N, C) from distances (N, G), without some labels: ``left_out`` (G,) bool."""
        of_class = np.full((len(distances), self.num_classes), np.inf)
        for label in np.unique(self.labels[~left_out]):
            nearest = np.sort(distances[:, (self.labels == label) & ~left_out], axis=1)[:, :NUM_NEAREST]
            of_class[:, label] = np.ma.masked_invalid(nearest).mean(1).filled(np.inf)
        ratio, least = np.full(of_class.shape, MAX_RATIO), np.maximum(of_class.min(1, keepdims=True), 1e-9)
        np.divide(of_class, least, out=ratio, where=np.isfinite(of_class))
        powers = np.exp(-SHARPNESS * np.minimum(ratio, MAX_RATIO))
        return powers / powers.sum(1, keepdims=True)
