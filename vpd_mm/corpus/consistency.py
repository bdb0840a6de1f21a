"""Say where tracks, crops, poses and features of a corpus do not belong together."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files import composed, list_folder, npz_path
from .corpus import Corpus
from .crop_store import CropStore
from .stale_files import CorpusInputs, crops_of

#: Largest share of the boxes without a crop; a decoder skips damaged frames.
_WITHOUT_CROP = 0.1


def crops_differ(boxes: np.ndarray, crops: np.ndarray) -> str:
    """Say how the frames of a track and of its crops differ; '' where they agree."""
    if np.array_equal(boxes, crops):
        return ''
    extra, missing = np.setdiff1d(crops, boxes), np.setdiff1d(boxes, crops)
    if not len(extra) and len(missing) <= _WITHOUT_CROP * len(boxes):
        return ''
    first = int(np.union1d(extra, missing)[0])
    return f'its {len(crops)} crops are not of the {len(boxes)} frames with a box (first difference: frame {first})'


def disagreements(corpus: Corpus, store: CropStore, videos: Iterable[str]) -> dict[str, str]:
    """Return the videos whose track, crops and poses do not belong together, with the reason.

    A video that lacks its track, crops or poses counts where it has the rest, and where other videos have them.
    """
    inputs, reasons = CorpusInputs(corpus), dict[str, str]()
    has_tracks, pose_names = bool(list_folder(corpus.tracks_dir, '*.npz')), corpus.pose_names()
    failed = corpus.failures()
    has_poses = any(list_folder(corpus.root / 'athlete' / 'poses' / name, '*.npz') for name in pose_names)
    for video in videos:
        poses = [path for name in pose_names if (path := corpus.pose_path(name, video)).is_file()]
        is_tracked, is_cropped = corpus.track_path(video).is_file(), video in store
        try:
            if has_tracks and not is_tracked and (is_cropped or poses):
                raise UserError(f'has {"crops" if is_cropped else "poses"}, but no track')
            if is_tracked and not is_cropped and len(store):
                raise UserError('has a track, but no crops')
            if is_tracked and is_cropped:
                text = crops_differ(corpus.track(video).frame_inds, store.header(video).frame_inds)
                if text:
                    raise UserError(text)
                if has_poses and not poses and video not in failed:
                    raise UserError('has a track and crops, but no poses, which other videos have')
            inputs.check(*[crops_of(video)] * is_cropped, *map(inputs.name, poses))
        except UserError as e:
            reasons[video] = str(e)
    return reasons


def changed_inputs(corpus: Corpus, videos: Iterable[str]) -> list[str]:
    """Say of each file of poses, teachers and features of some videos what has changed since it was made."""
    inputs, problems = CorpusInputs(corpus), []
    for video in videos:
        for folder in _folders(corpus):
            if (path := npz_path(folder, video)).is_file():
                try:
                    inputs.check(inputs.name(path))
                except UserError as e:
                    problems.append(str(e))
    return problems


def orphans(corpus: Corpus) -> list[Path]:
    """List the tracks, poses and features of videos that videos.csv does not list."""
    known = corpus.videos()
    folders = [corpus.tracks_dir, *_folders(corpus)]
    return [path for folder in folders for path in list_folder(folder, '*.npz') if composed(path.stem) not in known]


def _folders(corpus: Corpus) -> list[Path]:
    """Folders of poses, teachers and features."""
    parents = (corpus.root / 'athlete' / 'poses', corpus.root / 'teacher', corpus.root / 'features')
    return [folder for parent in parents for folder in list_folder(parent) if folder.is_dir()]
