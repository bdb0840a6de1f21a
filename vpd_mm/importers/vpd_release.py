"""The public VPD release: boxes, poses, crops and features become a corpus, or join one."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ..corpus import Corpus, CropStore, CropWriter, VideoInfo
from ..errors import UserError
from ..structures import FeatureSequence
from .box_files import parse_boxes
from .crop_folder import find_crop_folders, import_crops
from .feature_pickles import SUFFIX, read_feature_pickle
from .json_io import read_json
from .pose_files import read_poses
from .report import ImportReport, Progress, silent
from .video_table import VideoMeta, parse_video_meta, read_video_meta

#: Name of the pose set, and of features whose folder has no better one.
NAME = 'release'
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
    progress: Progress = silent,
) -> ImportReport:
    """Import whatever parts of the release lie in a folder; what is there already is kept.

    - ``[pose/]<video>/{boxes.json, coco_keypoints.json.gz, meta.json}``:
      tracks and the pose set ``release``;
    - ``[crops/]<video>/<frame>.png``, ``.<flow>.png``, ``.mask.png``: the crop
      store (tennis: ``<match>/<front|back>/<frame of the match>.png``);
    - ``<video>.emb.pkl`` here or in sub-folders: ``features/<folder>``, or
      ``teacher/<folder>``.

    A video that fails is named in the report and leaves nothing; the others go on.

    Args:
        source: The folder.
        out: The corpus, made when missing.
        meta: ``<sport>.video_meta.json``, for videos that neither the corpus
            nor a ``meta.json`` describes.
        flow: The ``<flow>`` of the flow images, 'none' for no flow; None takes
            the one that is there.
        teacher: Features are a teacher's (2D joints, VIPE*), not a student's.
        name: Name of the features, where they lie in one folder.
        sport: Of a new corpus.
        progress: Wraps what is iterated over; see ``report.py``.

    Raises:
        UserError: nothing of the release is there, or the output folder is
            something else.
    """
    source = Path(source)
    if not source.is_dir():
        raise UserError(f'{source}: no such folder')
    table = {} if meta is None else read_video_meta(meta)
    poses = next((f for f in (source / 'pose', source) if any(f.glob('*/boxes.json'))), None)
    crops = next((f for f in (source / 'crops', source) if _has_crops(f)), None)
    pickles = sorted([*source.glob(f'*{SUFFIX}'), *source.glob(f'*/*{SUFFIX}')])
    if poses is None and crops is None and not pickles:
        raise UserError(f'{source}: holds no <video>/boxes.json, no <video>/<frame>.png and no *{SUFFIX}')
    corpus = Corpus.create(out, sport=sport)
    report = ImportReport()
    with corpus.lock():
        if poses is not None:
            _import_poses(poses, corpus, table, report, progress)
        if pickles:
            _import_features(pickles, source, corpus, table, teacher, name, report, progress)
        if crops is not None:
            _import_crops(crops, corpus, table, flow, report, progress)
    return report


def _import_poses(
    folder: Path, corpus: Corpus, table: Mapping[str, VideoMeta], report: ImportReport, progress: Progress
) -> None:
    known = corpus.videos()
    rows = []
    for path in progress(sorted(folder.glob('*/boxes.json')), 'boxes and poses'):
        video = path.parent.name
        with report.attempt():
            own = path.parent / 'meta.json'
            if own.is_file() and video not in known:
                info = VideoInfo(video, '', *parse_video_meta(read_json(own), str(own)))
            else:
                info = _info(video, known, table, path)
            if not corpus.track_path(video).exists():
                parse_boxes(path, (info.width, info.height), info.num_frames).save(corpus.track_path(video))
            track = corpus.track(video)
            pose_path = corpus.pose_path(NAME, video)
            if not pose_path.exists():
                read_poses(folder, video, track, info.num_frames).save(pose_path)
            rows += [] if video in known else [info]
            report.add('videos with boxes and poses')
            report.add('boxes', len(track))
            report.add('poses', len(corpus.poses(NAME, video)))
    corpus.add_videos(rows)


def _import_features(
    pickles: list[Path],
    source: Path,
    corpus: Corpus,
    table: Mapping[str, VideoMeta],
    teacher: bool,
    name: str | None,
    report: ImportReport,
    progress: Progress,
) -> None:
    folders = {path.parent for path in pickles}
    if name is not None and len(folders) > 1:
        raise UserError(f'{source}: features lie in {len(folders)} folders; --name needs one, pass that folder as SRC')
    place: Callable[[str], Path] = corpus.teacher_dir if teacher else corpus.features_dir
    targets = {f: place(name or (f.name if f != source else source.resolve().name)) for f in folders}
    known = corpus.videos()
    rows = []
    for path in progress(pickles, 'features'):
        video = path.name.removesuffix(SUFFIX)
        with report.attempt():
            info = _info(video, known, table, path)
            target = targets[path.parent] / f'{video}.npz'
            if not target.exists():
                read_feature_pickle(path, info.num_frames).save(target)
            rows += [] if video in known else [info]
            report.add('videos with features')
            report.add('features', len(FeatureSequence.load(target)))
    corpus.add_videos(rows)


def _import_crops(
    folder: Path,
    corpus: Corpus,
    table: Mapping[str, VideoMeta],
    flow: str | None,
    report: ImportReport,
    progress: Progress,
) -> None:
    known = corpus.videos()
    described = {video: VideoInfo(video, '', *meta) for video, meta in table.items()} | known
    folders = find_crop_folders(folder, described)
    if not folders:
        report.failures.append(f'{folder}: no crops of a known video; pass --meta, or import boxes or labels first')
        return
    done = CropStore(corpus.crops_dir).videos() if any(corpus.crops_dir.glob('shard-*.lmdb')) else []
    rows = []
    with CropWriter(corpus.crops_dir / _SHARD) as writer:
        for crops in progress(folders, 'crops'):
            with report.attempt():
                if crops.video not in done:
                    report.add('crops', import_crops(crops, writer, flow))
                rows += [] if crops.video in known else [described[crops.video]]
                report.add('videos with crops')
    corpus.add_videos(rows)


def _info(video: str, known: Mapping[str, VideoInfo], table: Mapping[str, VideoMeta], path: Path) -> VideoInfo:
    """The video's row: the corpus's, or the table's; a player of a clip (``front__<clip>``) may have the clip's."""
    if video in known:
        return known[video]
    for name in (video, video.partition('__')[2]):
        if name in table:
            return VideoInfo(video, '', *table[name])
    raise UserError(
        f'{path}: fps and length of {video!r} are unknown; pass --meta, or import its boxes or labels first'
    )


def _has_crops(folder: Path) -> bool:
    return any(folder.glob('*/0*.png')) or any(folder.glob('*/[1-9]*.png')) or any(folder.glob('*/*/[0-9]*.png'))
