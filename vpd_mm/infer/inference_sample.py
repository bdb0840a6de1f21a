"""What an inferencer says of one athlete in one video: made, turned into a dict, written."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement

from ..errors import UserError
from ..structures import AthleteTrack, FeatureSequence, atomic_write
from .frame_source import FrameSource, Input, input_name
from .online_pass import FrameAnswer
from .result_files import check_overlay, check_results, result_paths
from .sequence_answers import Segment

#: Boxes of one input: a track, or (T, 4) xyxy px with a row a frame (NaN: no box).
Boxes = AthleteTrack | np.ndarray


def source_name(source: FrameSource) -> str:
    """Name of an input: the stem of a video file, the name of a folder, ``array0``, ``camera0``, ..."""
    return source.path.name if source.path.is_dir() else source.path.stem


def make_sample(
    source: FrameSource, athlete: str, track: AthleteTrack, features: FeatureSequence, num_frames: int, mode: str
) -> BaseDataElement:
    """A data sample; see ``VPDInferencer.forward``."""
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


def to_dict(sample: BaseDataElement) -> dict:
    """The part of a data sample that goes into JSON."""
    return {
        **dict(sample.metainfo_items()),
        'frames_with_box': len(sample.track),
        'frames_with_feature': len(sample.features),
        'dims': sample.features.dims,
        'segments': [segment.to_dict(sample.fps) for segment in sample.segments],
    }


def prediction(sample: BaseDataElement) -> dict:
    """The JSON part and the arrays; see ``VPDInferencer.__call__``."""
    row = to_dict(sample) | {
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
        UserError: one of them is there and is somebody else's.
    """
    check_results(folder, sample.name)
    path, track, features = result_paths(folder, sample.name)
    with atomic_write(path, 'w') as f:  # first: it says whose the others are
        json.dump(to_dict(sample), f, indent=1)
    sample.track.save(track)
    sample.features.save(features)
    return path


def collect(answers: Iterable[FrameAnswer]) -> tuple[AthleteTrack, FeatureSequence, int]:
    """Track and features of the frames that have them, and one past the last frame."""
    inds: list[int] = []
    boxes, scores, feats, end = [], [], [np.zeros((0, 2, 1), np.float32)], 0
    for answer in answers:
        end = answer.frame_ind + 1
        if answer.box is not None and answer.feats is not None:
            inds.append(answer.frame_ind)
            boxes.append(answer.box)
            scores.append(answer.score)
            feats.append(answer.feats[None])
    frames = np.array(inds, np.int64)
    track = AthleteTrack(frames, np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))
    joined = np.concatenate(feats[1:] or feats)
    return track, FeatureSequence(frames, joined, np.ones(len(frames), np.float32)), end


def caption(segment: Segment) -> str:
    """One line of text for the picture."""
    if segment.label is not None:
        return f'{segment.label} {segment.label_score:.2f}'
    if segment.neighbours:
        return f'like {segment.neighbours[0]["label"]} ({segment.neighbours[0]["distance"]:.2f})'
    score = '' if segment.score is None else f' {segment.score:.2f}'
    return f'{segment.scored_class or "action"}{score}'


def check_targets(
    inputs: Sequence[Input], film_dir: str | os.PathLike = '', result_dir: str | os.PathLike = ''
) -> None:
    """Check where results of :func:`list_inputs`' entries go ('' = nowhere), before work is done for them.

    Raises:
        UserError: two inputs share the name that results go by, a film would replace an input, or a file is there that
            is somebody else's.
    """
    names = [input_name(item, number) for number, item in enumerate(inputs)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f'two inputs are named {twice[0]!r}; results go by that name, pass them one at a time')
    sources = {Path(item).resolve() for item in inputs if isinstance(item, str | os.PathLike)}
    for name in names:
        film = Path(film_dir) / f'{name}.mp4'
        if film_dir and film.resolve() in sources:
            raise UserError(f'{film}: is an input, which its own overlay would replace; write into another folder')
        if film_dir:
            check_overlay(film)
        if result_dir:
            check_results(Path(result_dir), name)


def boxes_of(bboxes: Any, count: int) -> list[AthleteTrack | None]:
    """One entry an input.

    Raises:
        UserError: there are more or fewer, or one is no track.
    """
    if isinstance(bboxes, list | tuple):
        if len(bboxes) != count:
            raise UserError(f'bboxes: {len(bboxes)} for {count} inputs; pass one entry an input')
        return [one_track(item) for item in bboxes]
    if bboxes is not None and count > 1:
        raise UserError(f'bboxes: one for {count} inputs; pass a list with one entry an input')
    return [one_track(bboxes)] * count


def one_track(boxes: Boxes | None) -> AthleteTrack | None:
    """Boxes as a track.

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
