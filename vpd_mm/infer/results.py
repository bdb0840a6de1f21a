"""Results of one athlete in one video: data sample, dict, files."""

import glob
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement

from ..athlete import FrameSource
from ..errors import UserError
from ..files import check_output, input_name, is_ours, list_folder, read_json, write_json
from ..prepare.sources import video_name
from ..structures import AthleteTrack, FeatureSequence
from .frame_source import Entry

#: Boxes of one input: a track, or (T, 4) xyxy px with one row per frame (NaN: no box).
Boxes = AthleteTrack | np.ndarray
#: Field by which a JSON file of an inferencer is recognised.
_MARK = '"frames_with_feature": '


def make_sample(
    source: FrameSource, athlete: str, track: AthleteTrack, features: FeatureSequence, num_frames: int, mode: str
) -> BaseDataElement:
    """Make a data sample, see ``VPDInferencer.forward``."""
    name = video_name(athlete, input_name(source.path))
    meta: dict[str, Any] = dict(name=name, source=str(source.path), athlete=athlete, mode=mode)
    meta |= dict(fps=float(source.fps), num_frames=num_frames, width=source.width, height=source.height)
    return BaseDataElement(metainfo=meta, track=track, features=features, times=source.times)


def to_json(sample: BaseDataElement) -> dict:
    """Convert a data sample to the content of its JSON file."""
    return {
        **dict(sorted(sample.metainfo_items())),
        'frames_with_box': len(sample.track),
        'frames_with_feature': len(sample.features),
        'dims': sample.features.dims,
        'segments': [segment.to_dict(sample.times) for segment in sample.segments],
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


def save_sample(sample: BaseDataElement, folder: Path, overwrite: bool = False) -> None:
    """Write ``<name>.json``, ``tracks/<name>.npz`` and ``features/<name>.npz`` (a ``FeatureStore``).

    Raises UserError where one of them exists and was not written by this tool, without ``overwrite``.
    """
    path, track, features = _check_results(folder, sample.name, overwrite, sample.athlete)
    write_json(path, to_json(sample), indent=1)  # first: it marks the other two as ours
    sample.track.save(track)
    sample.features.save(features)


def remove_former(samples: Sequence[BaseDataElement], folder: Path) -> None:
    """Remove the files that an earlier run wrote about other athletes of the input of ``samples``."""
    names, first = {sample.name for sample in samples}, samples[0]
    base = input_name(Path(first.source))
    for path in [folder / f'{base}.json', *list_folder(folder, f'{video_name("*", glob.escape(base))}.json')]:
        if path.stem not in names and path.is_file() and is_ours(path, _MARK):
            former = read_json(path, 'delete it')
            if isinstance(former, dict) and former.get('source') == first.source:
                for result in _result_paths(folder, path.stem)[::-1]:  # the JSON, which marks the others, last
                    result.unlink(missing_ok=True)


def check_outputs(
    inputs: Mapping[str, Entry],
    video_dir: str | os.PathLike = '',
    result_dir: str | os.PathLike = '',
    overwrite: bool = False,
) -> None:
    """Check the output files of the inputs of :func:`list_inputs` before any work starts ('' = none are written).

    Raises UserError: a video would replace an input, or a file exists that this tool did not write, without
    ``overwrite``.
    """
    sources = [item for item in inputs.values() if isinstance(item, Path)]
    for name, item in inputs.items():
        if isinstance(item, UserError):
            continue
        if video_dir:
            check_output(Path(video_dir) / f'{name}.mp4', overwrite=overwrite, inputs=sources)
        if result_dir:
            _check_results(Path(result_dir), name, overwrite)


def _check_results(folder: Path, name: str, overwrite: bool, athlete: str = '') -> tuple[Path, Path, Path]:
    """Return the files of one athlete: JSON, track, features; one that this tool did not write is an error.

    So are the results of another video, ``<athlete>__<video>`` being also the name of a video file.
    """
    paths = _result_paths(folder, name)
    if paths[0].exists() and is_ours(paths[0], _MARK):
        if not is_ours(paths[0], f'"athlete": {json.dumps(athlete)}'):
            hint = 'rename one of the two videos or write to another folder'
            raise UserError(
                f'{paths[0]}: holds the results of another video, <athlete>__<video> being its name; {hint}'
            )
    else:  # arrays without our JSON may belong to a corpus
        for path in paths:
            check_output(path, mark=_MARK, overwrite=overwrite)
    return paths


def _result_paths(folder: Path, name: str) -> tuple[Path, Path, Path]:
    return folder / f'{name}.json', folder / 'tracks' / f'{name}.npz', folder / 'features' / f'{name}.npz'


def to_tracks(bboxes: Any, count: int) -> list[AthleteTrack | None]:
    """Convert the boxes of ``count`` inputs to tracks; UserError where there are more or fewer."""
    boxes = bboxes if isinstance(bboxes, list | tuple) else [bboxes] * (count if bboxes is None else 1)
    if len(boxes) != count:
        raise UserError(f'bboxes: {len(boxes)} for {count} inputs; pass a list with one entry per input')
    return [to_track(item) for item in boxes]


def to_track(boxes: Boxes | None) -> AthleteTrack | None:
    """Convert boxes to a track; UserError where they are neither a track nor (T, 4)."""
    if boxes is None or isinstance(boxes, AthleteTrack):
        return boxes
    boxes = np.asarray(boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind not in 'fiu':
        raise UserError(f'bboxes must be an AthleteTrack or (T, 4) xyxy px, found {boxes.shape} {boxes.dtype}')
    inds = np.flatnonzero(np.isfinite(boxes).all(axis=1))
    return AthleteTrack(inds, boxes[inds].astype(np.float32), np.ones(len(inds), np.float32))
