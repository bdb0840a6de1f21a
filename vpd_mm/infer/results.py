"""Results of one athlete in one video: data sample, dict, files."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement

from ..athlete import FrameSource
from ..errors import UserError
from ..structures import AthleteTrack, FeatureSequence, atomic_write
from .frame_source import Input, input_name
from .online_pass import FrameResult
from .result_files import check_overlay, check_results, result_paths

#: Boxes of one input: a track, or (T, 4) xyxy px with one row per frame (NaN: no box).
Boxes = AthleteTrack | np.ndarray


def source_name(source: FrameSource) -> str:
    """Name of an input: the stem of a video file, the name of a folder, ``array0``, ``camera0``, ..."""
    return source.path.name if source.path.is_dir() else source.path.stem


def make_sample(
    source: FrameSource, athlete: str, track: AthleteTrack, features: FeatureSequence, num_frames: int, mode: str
) -> BaseDataElement:
    """Make a data sample, see ``VPDInferencer.forward``."""
    name = source_name(source)
    meta = {
        'name': f'{athlete}__{name}' if athlete else name,
        'source': str(source.path),
        'athlete': athlete,
        'fps': float(source.fps),
        'num_frames': num_frames,
        'width': source.width,
        'height': source.height,
        'mode': mode,
    }
    return BaseDataElement(metainfo=meta, track=track, features=features)


def collect(results: Iterable[FrameResult]) -> tuple[AthleteTrack, FeatureSequence, int]:
    """Join frame results to a track, a feature sequence, and one past the last frame."""
    inds: list[int] = []
    boxes, scores, feats, end = [], [], [np.zeros((0, 2, 1), np.float32)], 0
    for result in results:
        end = result.frame_ind + 1
        if result.box is not None and result.feats is not None:
            inds.append(result.frame_ind)
            boxes.append(result.box)
            scores.append(result.score)
            feats.append(result.feats[None])
    frames = np.array(inds, np.int64)
    track = AthleteTrack(frames, np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))
    joined = np.concatenate(feats[1:] or feats)
    return track, FeatureSequence(frames, joined, np.ones(len(frames), np.float32)), end


def to_json(sample: BaseDataElement) -> dict:
    """Convert a data sample to the content of its JSON file."""
    return {
        **dict(sorted(sample.metainfo_items())),
        'frames_with_box': len(sample.track),
        'frames_with_feature': len(sample.features),
        'dims': sample.features.dims,
        'segments': [segment.to_dict(sample.fps) for segment in sample.segments],
    }


def to_dict(sample: BaseDataElement) -> dict:
    """Convert a data sample to a prediction of ``VPDInferencer.__call__``: JSON content and arrays."""
    row = to_json(sample) | {
        'frame_inds': sample.track.frame_inds,
        'boxes': sample.track.boxes,
        'box_scores': sample.track.scores,
        'feature_inds': sample.features.frame_inds,
        'feats': sample.features.feats,
    }
    return row | ({'frame_scores': sample.frame_scores} if 'frame_scores' in sample else {})


def save_sample(sample: BaseDataElement, folder: Path) -> Path:
    """Write ``<name>.json``, ``tracks/<name>.npz`` and ``features/<name>.npz`` (a ``FeatureStore``).

    Raises:
        UserError: one of them exists and was not written by this tool.
    """
    check_results(folder, sample.name)
    path, track, features = result_paths(folder, sample.name)
    with atomic_write(path, 'w') as f:  # first: it marks the other two as ours
        json.dump(to_json(sample), f, indent=1)
    sample.track.save(track)
    sample.features.save(features)
    return path


def check_outputs(
    inputs: Sequence[Input], video_dir: str | os.PathLike = '', result_dir: str | os.PathLike = ''
) -> None:
    """Check the output files of the inputs of :func:`list_inputs` before any work starts ('' = none are written).

    Raises:
        UserError: two inputs share a name, a video would replace an input, or a file exists that this tool did not
            write.
    """
    names = [input_name(item, number) for number, item in enumerate(inputs)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f'two inputs are named {twice[0]!r}; results go by that name, pass them one at a time')
    sources = {Path(item).resolve() for item in inputs if isinstance(item, str | os.PathLike)}
    for name in names:
        video = Path(video_dir) / f'{name}.mp4'
        if video_dir and video.resolve() in sources:
            raise UserError(f'{video}: is an input, which its own overlay would replace; write into another folder')
        if video_dir:
            check_overlay(video)
        if result_dir:
            check_results(Path(result_dir), name)


def to_tracks(bboxes: Any, count: int) -> list[AthleteTrack | None]:
    """Convert the boxes of ``count`` inputs to tracks.

    Raises:
        UserError: there are more or fewer, or one is not valid.
    """
    if isinstance(bboxes, list | tuple):
        if len(bboxes) != count:
            raise UserError(f'bboxes: {len(bboxes)} for {count} inputs; pass one entry per input')
        return [to_track(item) for item in bboxes]
    if bboxes is not None and count > 1:
        raise UserError(f'bboxes: one for {count} inputs; pass a list with one entry per input')
    return [to_track(bboxes)] * count


def to_track(boxes: Boxes | None) -> AthleteTrack | None:
    """Convert boxes to a track.

    Raises:
        UserError: they are neither a track nor (T, 4).
    """
    if boxes is None or isinstance(boxes, AthleteTrack):
        return boxes
    boxes = np.asarray(boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind not in 'fiu':
        raise UserError(f'bboxes must be an AthleteTrack or (T, 4) xyxy px, found {boxes.shape} {boxes.dtype}')
    inds = np.flatnonzero(np.isfinite(boxes).all(axis=1))
    return AthleteTrack(inds, boxes[inds].astype(np.float32), np.ones(len(inds), np.float32))
