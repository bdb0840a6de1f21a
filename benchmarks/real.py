"""Students and their teacher on the videos of LAAS Parkour, against motion capture: from raw videos to a table.

benchmark.py real PATH prepares a clone of github.com/zongmianli/Parkour-dataset, trains a student for each seed and for
each athlete left out, and compares the poses of every frame that has a crop.  What exists already is kept.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from vpd_mm.corpus import Corpus, CropStore
from vpd_mm.engine.cli import ToolParser
from vpd_mm.errors import UserError
from vpd_mm.features.pose_features import joint_features
from vpd_mm.files import list_folder, open_output
from vpd_mm.importers import import_parkour
from vpd_mm.importers.parkour import athlete_of
from vpd_mm.prepare import build_corpus
from vpd_mm.structures import VPD_JOINTS, FeatureSequence, PoseSequence

from .real_methods import STUDENT_METHODS, TEACHER_METHODS, VideoPoses, repair_all, to_torsos
from .real_students import (
    ALL,
    WITHOUT,
    add_arguments,
    athletes_of,
    load_predictions,
    run_names,
    train_students,
    trained_frames,
)
from .real_table import METRICS, evaluate, frame_groups, table, to_markdown

_TITLES = {
    'error': 'mean joint error, torsos',
    'pck': 'PCK@0.2, share of the joints',
    'acceleration': 'acceleration error, torsos per frame squared',
}


def run(argv: Sequence[str] | None = None) -> int:
    """Run; returns 1 where a video could not be prepared or a training failed."""
    parser = ToolParser(__doc__, prog='benchmark.py real')
    parser.add_argument('path', metavar='PATH', help='clone of the public repository')
    parser.add_argument('--out', type=Path, default=Path('data/parkour'), help='the corpus')
    parser.add_argument('--boxes', help='as tools/prepare.py')
    parser.add_argument('--poses', help='as tools/prepare.py')
    parser.add_argument('--workers', type=int, default=1, help='processes of the preparation')
    parser.add_argument(
        '--students', type=Path, help='folder of the poses of the students (default: OUT/students), see real-students'
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/real'), help='folder of the trainings')
    parser.add_argument('--csv', help='also write the table to this file')
    add_arguments(parser)
    args = parser.parse_args(argv)
    corpus = prepare(args)
    if corpus is None:
        return 1
    students = args.students or corpus.root / 'students'
    athletes = [] if args.seen_only else athletes_of(corpus)
    runs = run_names(athletes, args.seeds)
    if train_students(corpus, runs, students, args.work_dir, args.config, args.cfg_options, args.jobs):
        return 1
    trained_on = trained_frames(corpus, args.config, args.cfg_options)
    videos = load_videos(corpus, corpus.only_poses(), trained_on)
    poses = {name: load_predictions(students, name) for name in runs}
    result = compare(videos, poses, bool(athletes), args.seeds)
    for metric in METRICS:
        print(f'\n{_TITLES[metric]}\n\n{to_markdown(result, metric)}')
    if args.csv:
        with open_output(args.csv, 'w', overwrite=True) as f:
            result.to_csv(f, index=False)
    return 0


def prepare(args: argparse.Namespace) -> Corpus | None:
    """Import and prepare what is missing, print how well the cameras are known; None where a video failed."""
    import_parkour(args.path, args.out)
    report = build_corpus(
        [Path(args.path) / 'videos'], args.out, boxes=args.boxes, poses=args.poses, workers=args.workers
    )
    print(*(f'{video}: {line}' for video, line in report.failures), sep='\n')
    if report.failures:
        return None
    print(*import_parkour(args.path, args.out).notes, sep='\n')
    corpus = Corpus.open(args.out)
    joint_features(corpus, corpus.only_poses())
    return corpus


def load_videos(
    corpus: Corpus, poses: str, trained_on: Mapping[str, np.ndarray]
) -> dict[str, tuple[VideoPoses, np.ndarray]]:
    """Read the videos with ground truth; ``trained_on``: frames of each video that the students were trained on.

    Returns:
        Video to the teacher's poses of all its frames, and the ground truth (T, 12, 2) in torsos, NaN in frames without
        ground truth or crop.
    """
    store, videos = CropStore(corpus.crops_dir), {}
    for path in list_folder(corpus.root / 'ground_truth' / 'poses', '*.npz'):
        info = corpus.video(path.stem)
        teacher, known = corpus.poses(poses, info.video), PoseSequence.load(path)
        truth = to_torsos(_every_frame(known.frame_inds, known.keypoints, info.num_frames))
        truth[np.setdiff1d(np.arange(info.num_frames), store.header(info.video).frame_inds)] = np.nan
        keypoints = _every_frame(teacher.frame_inds, teacher.keypoints, info.num_frames)
        scores = _every_frame(teacher.frame_inds, teacher.scores, info.num_frames, 0)
        no_student, starts = np.full((info.num_frames, 2, 26), np.nan), store.header(info.video).starts
        trained = np.isin(np.arange(info.num_frames), trained_on.get(info.video, ()))
        videos[info.video] = VideoPoses(info.fps, keypoints, scores, no_student, starts, trained), truth
    if not videos:
        raise UserError(f'{corpus.root}: no video has ground truth; see tools/import_dataset.py parkour')
    return videos


def compare(
    videos: Mapping[str, tuple[VideoPoses, np.ndarray]],
    students: Mapping[str, Mapping[str, FeatureSequence]],
    new_athletes: bool,
    seeds: Sequence[int],
) -> pd.DataFrame:
    """Measure every method: the :func:`~benchmarks.real_table.table`.

    For an athlete that the student never saw, the noise of the teacher is at most that of the student of all athletes,
    of the same seed.

    Args:
        videos: Of :func:`load_videos`.
        students: Run, of :func:`~benchmarks.real_students.run_names`, to video to the poses of its student.
        new_athletes: Measure also the students that never saw the athlete of the video.
        seeds: Of the trainings.
    """
    known, truths = [video for video, _ in videos.values()], [truth for _, truth in videos.values()]
    scores = [video.scores[:, VPD_JOINTS].mean(axis=1) for video in known]
    groups = frame_groups([TEACHER_METHODS['teacher'](video) for video in known], scores, truths)
    results = {name: [evaluate([of(v) for v in known], truths, groups)] for name, of in TEACHER_METHODS.items()}
    levels = dict[int, np.ndarray]()
    for is_new in (False, True)[: 1 + new_athletes]:
        runs = {
            seed: [
                with_student(poses, students[_run_of(video, seed, is_new)][video], is_new)
                for video, (poses, _) in videos.items()
            ]
            for seed in seeds
        }
        suffix = ', new athlete' * is_new
        for name, method in STUDENT_METHODS.items():
            poses = [[method(video) for video in run] for run in runs.values()]
            results[name + suffix] = [evaluate(own, truths, groups) for own in poses]
        results['repaired' + suffix] = []
        for seed, run in runs.items():
            repaired, noise = repair_all(run, levels.get(seed))
            levels[seed] = noise.teacher
            results['repaired' + suffix].append(evaluate(repaired, truths, groups))
    return table(results)


def with_student(poses: VideoPoses, own: FeatureSequence, is_new: bool = False) -> VideoPoses:
    """Add the poses of a student, which was not trained on a new athlete."""
    feats = _every_frame(own.frame_inds, own.feats, len(poses.scores))
    return replace(poses, student=feats, trained=poses.trained & (not is_new))


def _run_of(video: str, seed: int, is_new: bool) -> str:
    return WITHOUT.format(athlete=athlete_of(video), seed=seed) if is_new else ALL.format(seed=seed)


def _every_frame(frame_inds: np.ndarray, values: np.ndarray, num_frames: int, missing: float = np.nan) -> np.ndarray:
    """Return (num_frames, ...): the values of some frames, ``missing`` in the others."""
    result = np.full((num_frames, *values.shape[1:]), missing, np.float64)
    result[frame_inds] = values
    return result
