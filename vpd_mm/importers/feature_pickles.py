"""Features of the VPD release, ``<video>.emb.pkl``: ``[(frame, array (D,) or (V, D), {'kp_score': s, ...}), ...]``."""

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError, errors_name
from ..structures import FeatureSequence
from .json_io import frame_number, numbers
from .pickle_data import PickledArray, read_pickle_data

SUFFIX = '.emb.pkl'
#: Fields with the confidence of the frame; the first one present counts, 1 where there is none.
SCORE_FIELDS = ('kp_score', 'dp_score')


def read_feature_pickle(path: str | os.PathLike, num_frames: int | None = None) -> FeatureSequence:
    """Read one ``.emb.pkl`` without running anything in it.

    Frames whose feature holds NaN are absent from the result (the release has some); a frame with several entries gets
    their mean, as in the published code.

    Raises:
        UserError: the file is damaged or refused, entries differ in shape, or a frame lies past the end.
    """
    path = Path(path)
    entries = read_pickle_data(path)
    if not isinstance(entries, list):
        raise UserError(f'{path}: needs a list of (frame, array, dict), found a {type(entries).__name__}')
    feats: dict[int, list[np.ndarray]] = defaultdict(list)
    scores: dict[int, list[float]] = defaultdict(list)
    shape: tuple[int, ...] = ()
    for i, entry in enumerate(entries):
        where = f'{path}: entry {i}'
        frame, feature, score = _parse(entry, where, num_frames)
        shape = shape or feature.shape
        if feature.shape != shape:
            raise UserError(f'{where}: feature has shape {feature.shape}, those before it {shape}')
        if np.isfinite(feature).all():
            feats[frame].append(feature)
            scores[frame].append(score)
    if not shape:
        raise UserError(f'{path}: holds no features; leave the file out')
    inds = sorted(feats)
    with errors_name(path):
        return FeatureSequence(
            np.array(inds, dtype=np.int64),
            np.array([np.mean(feats[i], axis=0) for i in inds], dtype=np.float32).reshape(len(inds), *shape),
            np.clip(np.array([np.mean(scores[i]) for i in inds], dtype=np.float32), 0, 1),
        )


def _parse(entry: Any, where: str, num_frames: int | None) -> tuple[int, np.ndarray, float]:
    if not isinstance(entry, (tuple, list)) or len(entry) != 3:
        raise UserError(f'{where}: needs (frame, array, dict), found {type(entry).__name__}')
    frame = frame_number(entry[0], where, num_frames)
    feature = entry[1].array if isinstance(entry[1], PickledArray) else None
    if feature is None or feature.dtype.kind != 'f' or feature.ndim not in (1, 2):
        raise UserError(f'{where}: feature must be a float array (D,) or (V, D)')
    if not isinstance(entry[2], dict):
        raise UserError(f'{where}: needs a dict after the array, found {type(entry[2]).__name__}')
    score = next((entry[2][field] for field in SCORE_FIELDS if entry[2].get(field) is not None), 1.0)
    [confidence] = numbers([score], where, f'a number as {"/".join(SCORE_FIELDS)}', 1)
    return frame, np.atleast_2d(feature), float(confidence)
