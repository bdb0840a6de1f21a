"""Gaps of a track are interpolated."""

import numpy as np

from ..structures import AthleteTrack

#: Score of an interpolated box, relative to the lower score of its neighbors.
INTERPOLATED = 0.5


def fill_gaps(track: AthleteTrack, max_gap: int) -> AthleteTrack:
    """Interpolate gaps of at most ``max_gap`` frames."""
    known = track.frame_inds
    steps = np.diff(known)
    short = (steps > 1) & (steps <= max_gap + 1)
    if not short.any():
        return track
    missing = np.concatenate([np.arange(a + 1, a + n) for a, n in zip(known[:-1][short], steps[short], strict=True)])
    boxes = np.column_stack([np.interp(missing, known, column) for column in track.boxes.T]).astype(np.float32)
    after = np.searchsorted(known, missing)
    scores = INTERPOLATED * np.minimum(track.scores[after - 1], track.scores[after])
    return AthleteTrack(
        np.insert(known, after, missing),
        np.insert(track.boxes, after, boxes, axis=0),
        np.insert(track.scores, after, scores),
    )
