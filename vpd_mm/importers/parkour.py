"""The LAAS Parkour dataset (Li et al., CVPR 2019): four techniques of four athletes, with motion capture."""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..athlete import VideoReader
from ..corpus import Corpus, VideoInfo
from ..corpus.stale_files import CorpusInputs, is_current
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..files import file_digest, list_folder, npz_path
from ..structures import Action
from ..structures.table_io import read_table, write_table
from .labels import LabelSet, import_labels
from .pickle_data import read_pickle_data
from .report import ImportReport, track_progress

if TYPE_CHECKING:
    from .projection import CameraFit

#: Start of the name of a video to its class.
TECHNIQUES = {'kv': 'kong_vault', 'mu': 'muscle_up', 'pu': 'pull_up', 'sv': 'safety_vault'}
#: Athlete, the end of the name of a video, to the split of the videos.
SPLITS = {'PKLP': 'train', 'PKLT': 'val', 'PKMT': 'val', 'PKFC': 'test'}
#: The file's names of the joints 5..16 of COCO-17.
JOINTS = tuple(
    f'{side}_{joint}' for joint in ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle') for side in ('l', 'r')
)
#: Frames per second of the recordings; the containers say 10.
PARKOUR_FPS = 25.0
_JOINT_FILE = Path('gt_motion_forces') / 'joint_3d_positions.pkl'


def athlete_of(video: str) -> str:
    """Return the athlete of a video, such as 'PKFC' of 'mu05_PKFC'; UserError where the name has another form."""
    match = re.fullmatch(f'({"|".join(TECHNIQUES)})[0-9]+_({"|".join(SPLITS)})', video)
    if match is None:
        raise UserError(
            f'video {video!r}: names of the data set are <technique><number>_<athlete>, technique one of '
            f'{", ".join(TECHNIQUES)}, athlete one of {", ".join(SPLITS)}'
        )
    return match[2]


def read_parkour(source: Path) -> LabelSet:
    """Read the videos, each an action of one technique, split by athlete: PKLP train, PKLT and PKMT val, PKFC test."""
    files = list_folder(source / 'videos', '*.mp4')
    if not files:
        raise UserError(f'{source}: no videos/*.mp4; pass a clone of github.com/zongmianli/Parkour-dataset')
    athletes = {path.stem: athlete_of(path.stem) for path in files}
    videos, classes = {}, list(TECHNIQUES.values())
    for path in files:
        reader = VideoReader(path)
        size = reader.num_frames, reader.width, reader.height
        videos[path.stem] = VideoInfo(path.stem, str(path.absolute()), PARKOUR_FPS, *size)
    actions = [
        Action(name, name, 0, info.num_frames, classes.index(TECHNIQUES[name[:2]]), SPLITS[athletes[name]])
        for name, info in videos.items()
    ]
    counts = {'athletes': len(set(athletes.values()))}
    return LabelSet('parkour', videos, classes, actions, other_counts=counts)


def read_parkour_joints(path: Path, video: str, content: Any) -> np.ndarray:
    """Return the joints (S, 12, 3) of a video, in metres, in the order of COCO-17's 5..16.

    ``content`` is that of the file; an entry that is missing or not valid raises UserError.
    """
    entry = content.get(video) if isinstance(content, dict) else None
    if not isinstance(entry, dict):
        raise UserError(f'{path}: no entry {video!r}; do the videos and the joints belong together?')
    names, joints = entry.get('joint_names'), getattr(entry.get('joint_3d_positions'), 'array', None)
    if not isinstance(names, (tuple, list)) or (missing := [name for name in JOINTS if name not in names]):
        raise UserError(f'{path}: {video}: joint_names must hold {", ".join(JOINTS)}; missing: {missing[0]}')
    if joints is None or joints.shape[1:] != (len(names), 3) or len(joints) < 2 or joints.dtype.kind != 'f':
        actual = 'no array' if joints is None else f'{joints.dtype} {joints.shape}'
        raise UserError(f'{path}: {video}: joint_3d_positions must be (frames, {len(names)}, 3) floats, found {actual}')
    if not np.isfinite(joints).all() or entry.get('fps') != PARKOUR_FPS:
        raise UserError(f'{path}: {video}: needs finite joints at {PARKOUR_FPS:g} fps, found {entry.get("fps")!r} fps')
    return joints[:, [names.index(name) for name in JOINTS]].astype(np.float64)


def import_parkour(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    poses: str | None = None,
    on_progress: OnProgress = no_progress,
) -> ImportReport:
    """Import the labels and, where the corpus has poses, the ground truth in the image.

    The data set has no calibration, so the camera of each video is fitted to the poses and the motion capture.  The
    ground truth goes to ``ground_truth/poses``, which no training reads, and the fits to ``ground_truth/cameras.csv``.

    Args:
        source: Clone of the public repository.
        out: The corpus, created when missing; :func:`vpd_mm.prepare.build_corpus` adds its poses.
        poses: Pose set of the fit; None: the only one.
        on_progress: Called with (done, total) videos of ground truth.

    Raises:
        UserError: a file of the source is invalid, or the corpus is another one.
    """
    source = Path(source)
    report = import_labels(read_parkour, source, out)
    corpus = Corpus.open(out)
    with corpus.lock():
        # tools/prepare.py reads the rate of the containers
        corpus.add_videos(replace(info, fps=PARKOUR_FPS) for info in corpus.videos().values())
        names = corpus.pose_names(repaired=False)
        if poses is None and len(names) > 1:
            raise UserError(f'{corpus.root}: pose sets {", ".join(names)}; name that of the ground truth with --poses')
        if poses is not None and poses not in names:
            raise UserError(f'{corpus.root}: no pose set {poses!r}; it has {", ".join(names) or "none"}')
        if names:
            _import_ground_truth(corpus, source / _JOINT_FILE, poses or names[0], report, on_progress)
        else:
            report.notes.append(
                f'no ground truth yet: its cameras are fitted to poses; run tools/prepare.py {source / "videos"} '
                f'--out {corpus.root}, and this command again'
            )
    return report


def _import_ground_truth(corpus: Corpus, path: Path, poses: str, report: ImportReport, on_progress: OnProgress) -> None:
    from .projection import CameraFit, fit_camera  # imports torch

    table = corpus.root / 'ground_truth' / 'cameras.csv'
    fits = {fit.video: fit for _, fit in read_table(table, CameraFit)} if table.exists() else {}
    inputs, capture, content = CorpusInputs(corpus), file_digest(path), read_pickle_data(path)
    for video, info in track_progress(list(corpus.videos().items()), on_progress):
        if not corpus.pose_path(poses, video).is_file():
            continue
        made_of = {
            'poses': poses,
            'inputs': {'joints': capture, **inputs.of(inputs.name(corpus.pose_path(poses, video)))},
        }
        target = npz_path(corpus.root / 'ground_truth' / 'poses', video)
        if video in fits and is_current(target, made_of):
            continue
        with report.attempt(video):
            joints = read_parkour_joints(path, video, content)
            sequence, fits[video] = fit_camera(video, joints, corpus.poses(poses, video), info.num_frames)
            target.unlink(missing_ok=True)
            if sequence is not None:
                sequence.save(target, made_of)
    write_table(table, CameraFit, (fits[video] for video in sorted(fits)))
    report.counts['ground truth'] = sum(not fit.problem for fit in fits.values())
    report.notes += describe_fits(list(fits.values()))


def describe_fits(fits: 'list[CameraFit]') -> list[str]:
    """Say how well the cameras are known, and which videos are left out."""
    used = [fit for fit in fits if not fit.problem]
    lines = [f'left out: {fit.video}: {fit.problem}' for fit in fits if fit.problem]
    if used:
        residuals, errors = [fit.residual_px for fit in used], [fit.error for fit in used]
        torso, delays = np.median([fit.torso_px for fit in used]), [fit.delay for fit in used]
        lines.append(
            f'distance of the confident joints from the projected ones: median {np.median(residuals):.1f} px '
            f'({min(residuals):.1f} to {max(residuals):.1f} per video; torso {torso:.0f} px), teacher included; '
            f'motion capture starts {min(delays):.1f} to {max(delays):.1f} frames after the video'
        )
        lines.append(
            f'error of the fit itself, on frames left out of it: mean {np.mean(errors):.3f} torsos '
            f'({min(errors):.3f} to {max(errors):.3f}); smaller differences cannot be measured'
        )
    return lines
