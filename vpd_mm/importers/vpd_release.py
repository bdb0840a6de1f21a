"""Import of the public VPD release: boxes, poses, crops and features."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..corpus import Corpus, CropStore, CropWriter, VideoInfo
from ..corpus.stale_files import CorpusInputs, FileDigests, Source, files_digest, is_current
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..files import composed, list_folder, npz_path
from ..structures import FeatureSequence
from .box_files import read_boxes
from .crop_folder import find_crop_folders, import_crops
from .feature_pickles import SUFFIX, read_feature_pickle
from .json_io import read_json
from .pose_files import find_pose_files, read_poses
from .release_lists import parse_video_meta, read_video_meta
from .report import ImportReport, track_progress

#: Name of the pose set.
POSES = 'release'
_SHARD = 'shard-import.lmdb'


def import_vpd_release(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    meta: str | os.PathLike | None = None,
    flow: str | None = None,
    teacher: bool = False,
    name: str | None = None,
    sport: str = '',
    on_progress: OnProgress = no_progress,
) -> ImportReport:
    """Import all parts of the release in a folder.

    Existing files of the corpus are kept, except tracks, poses and features whose file in this folder has changed.

    - ``[pose/]<video>/{boxes.json, coco_keypoints.json.gz, meta.json}``: tracks and the pose set ``release``;
    - ``[crops/]<video>/<frame>.png``, ``.<flow>.png``, ``.mask.png``: the crop store (tennis:
      ``<match>/<front|back>/<frame of the match>.png``);
    - ``<video>.emb.pkl`` here or in sub-folders: ``features/<folder>``, or ``teacher/<folder>``.

    A video that fails is named in the report and leaves nothing; the import continues with the others.

    Args:
        source: The folder.
        out: The corpus, created when missing.
        meta: ``<sport>.video_meta.json``, for videos that neither the corpus nor a ``meta.json`` describes.
        flow: The ``<flow>`` of the flow images, 'none' for no flow; None takes the only one.
        teacher: Features are a teacher's (2D joints, VIPE*), not a student's.
        name: Name of the features, where they lie in one folder.
        sport: Of a new corpus.
        on_progress: Called with (done, total) videos of each part.

    Raises:
        UserError: the folder holds nothing of the release, or the output folder is something else.
    """
    source = Path(source)
    if not source.is_dir():
        raise UserError(f'{source}: no such folder')
    table = {} if meta is None else read_video_meta(meta)
    poses = next((f for f in (source / 'pose', source) if list_folder(f, '*/boxes.json')), None)
    crops = next((f for f in (source / 'crops', source) if _has_crops(f)), None)
    pickles = sorted([*list_folder(source, f'*{SUFFIX}'), *list_folder(source, f'*/*{SUFFIX}')])
    if poses is None and crops is None and not pickles:
        raise UserError(f'{source}: holds no <video>/boxes.json, no <video>/<frame>.png and no *{SUFFIX}')
    folders = {path.parent for path in pickles}
    if name is not None and len(folders) > 1:
        raise UserError(f'{source}: features lie in {len(folders)} folders; --name needs one, pass that as SRC')
    corpus = Corpus.create(out, sport=sport)
    parent = corpus.teacher_dir if teacher else corpus.features_dir
    targets = {folder: parent(name or folder.resolve().name) for folder in folders}
    release = _ReleaseImport(corpus, table, on_progress)
    with corpus.lock():
        if poses is not None:
            release.import_poses(poses)
        if pickles:
            release.import_features(pickles, targets)
        if crops is not None:
            release.import_crops(crops, flow)
        release.digests.save()
    return release.report


class _ReleaseImport:
    """State of one import: the corpus, the known videos, and the report."""

    def __init__(self, corpus: Corpus, table: Mapping[str, VideoInfo], on_progress: OnProgress) -> None:
        self.corpus, self.table, self.on_progress = corpus, table, on_progress
        self.report = ImportReport()
        self.videos = corpus.videos()
        self.digests, self.inputs = FileDigests(corpus.root / '.digests.json'), CorpusInputs(corpus)

    def _source(self, folder: Path, files: Sequence[Path], *of_corpus: str) -> Source:
        inputs = {'files': files_digest(files, self.digests), **self.inputs.of(*of_corpus)}
        return {'release': str(folder.resolve()), 'inputs': inputs}

    def import_poses(self, folder: Path) -> None:
        for path in track_progress(list_folder(folder, '*/boxes.json'), self.on_progress):
            video = composed(path.parent.name)
            with self.report.attempt(path):
                info = self._info(video, path)
                track_path, pose_path = self.corpus.track_path(video), self.corpus.pose_path(POSES, video)
                source = self._source(folder, [path])
                if not is_current(track_path, source):
                    size, counts = (info.width, info.height), self.report.counts
                    read_boxes(folder, video, size, info.num_frames, counts)[''].save(track_path, source)
                track = self.corpus.track(video)
                source = self._source(folder, find_pose_files(folder, video), f'athlete/tracks/{video}.npz')
                if not is_current(pose_path, source):
                    read_poses(folder, video, track, info, self.report.counts).save(pose_path, source)
                poses = self.corpus.poses(POSES, video)
                self._count(info, {'videos with boxes and poses': 1, 'boxes': len(track), 'poses': len(poses)})
        self.corpus.add_videos(self.videos.values())

    def import_features(self, pickles: list[Path], targets: Mapping[Path, Path]) -> None:
        for path in track_progress(pickles, self.on_progress):
            video = composed(path.name.removesuffix(SUFFIX))
            with self.report.attempt(path):
                info, target = self._info(video, path), npz_path(targets[path.parent], video)
                if not is_current(target, source := self._source(path.parent, [path])):
                    read_feature_pickle(path, info.num_frames).save(target, source)
                self._count(info, {'videos with features': 1, 'features': len(FeatureSequence.load(target))})
        self.corpus.add_videos(self.videos.values())

    def import_crops(self, folder: Path, flow: str | None) -> None:
        folders = find_crop_folders(folder, {**self.table, **self.videos})
        if not folders:
            problem = 'no crops of a known video; pass --meta, or import boxes or labels first'
            self.report.failures.append(f'{folder}: {problem}')
            return
        crops_dir = self.corpus.crops_dir
        stored = CropStore(crops_dir).videos() if list_folder(crops_dir, 'shard-*.lmdb') else []
        with CropWriter(crops_dir / _SHARD) as writer:
            for crops in track_progress(folders, self.on_progress):
                with self.report.attempt(crops.folder):
                    new = {} if crops.info.video in stored else {'crops': import_crops(crops, writer, flow)}
                    self._count(crops.info, {**new, 'videos with crops': 1})
        self.corpus.add_videos(self.videos.values())

    def _count(self, info: VideoInfo, counts: Mapping[str, int]) -> None:
        self.videos[info.video] = info
        self.report.counts.update(counts)

    def _info(self, video: str, path: Path) -> VideoInfo:
        """Return the row of a video from the corpus, a ``meta.json`` beside ``path``, or the table."""
        if video in self.videos:
            return self.videos[video]
        own = path.with_name('meta.json')
        if own.is_file():
            return parse_video_meta(video, read_json(own), str(own))
        for name in (video, re.sub('^(front|back)__', '', video)):
            if name in self.table:
                return replace(self.table[name], video=video)
        raise UserError(
            f'{path}: fps and length of {video!r} are unknown; pass --meta, or import its boxes or labels first'
        )


def _has_crops(folder: Path) -> bool:
    return bool(list_folder(folder, '*/[0-9]*.png') or list_folder(folder, '*/*/[0-9]*.png'))
