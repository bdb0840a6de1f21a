"""Compare students of several configs on the videos of LAAS Parkour, for new athletes and for those of the training.

benchmark.py real-configs CORPUS --configs A.py B.py trains a student of each config and seed on the athlete PKLP, and
measures all frames against motion capture: choose by the athletes PKLT and PKMT, and confirm the choice on PKFC.  The
corpus is that of ``benchmark.py real``.  What exists is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from vpd_mm.corpus import Corpus
from vpd_mm.engine.cli import ToolParser
from vpd_mm.errors import UserError
from vpd_mm.files import open_output
from vpd_mm.importers.parkour import athlete_of
from vpd_mm.structures import VPD_JOINTS

from .real import load_videos, with_student
from .real_methods import STUDENT_METHODS, TEACHER_METHODS, VideoPoses, repair_all
from .real_students import (
    CONFIG,
    athletes_of,
    load_predictions,
    run_names,
    train_students,
    trained_frames,
)
from .real_table import cell, evaluate, frame_groups, table

#: Groups of :func:`~benchmarks.real_table.frame_groups` that are columns of the table, and their short names.
GROUPS = {
    'all frames': 'all',
    'teacher has a pose': 'present',
    'teacher wrong by more than 0.5': 'wrong',
    'teacher has no pose': 'absent',
}


def run(argv: Sequence[str] | None = None) -> int:
    """Run; returns 1 where a training failed."""
    parser = ToolParser(__doc__, prog='benchmark.py real-configs')
    parser.add_argument('corpus', type=Path, help='corpus of benchmark.py real')
    parser.add_argument('--configs', nargs='+', default=[CONFIG], help='distillations of 2D joints')
    parser.add_argument(
        '--new',
        nargs='*',
        default=['PKLT-PKMT', 'PKFC'],
        metavar='ATHLETES',
        help='left out of the training, in groups',
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1], help='training seeds')
    parser.add_argument('--jobs', type=int, default=1, help='trainings at the same time')
    parser.add_argument(
        '--out', type=Path, help='folder of the poses: <out>/<config>/<run>/<video>.npz (default: CORPUS/students)'
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/real'), help='folder of the trainings')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='of all configs')
    parser.add_argument('--csv', help='also write the table to this file')
    args = parser.parse_args(argv)
    corpus = Corpus.open(args.corpus)
    left_out = '-'.join(args.new)
    if unknown := {*filter(None, left_out.split('-'))} - {*athletes_of(corpus)}:
        raise UserError(f'--new: {corpus.root} has no athlete {", ".join(sorted(unknown))}')
    runs = {name: run for name, run in run_names(args.new and [left_out], args.seeds).items() if run[0] == left_out}
    students: dict[str, list[list[VideoPoses]]] = {}
    for config in args.configs:
        name = Path(config).stem
        out = (args.out or corpus.root / 'students') / name
        if train_students(corpus, runs, out, args.work_dir / name, config, args.cfg_options, args.jobs):
            return 1
        trained = trained_frames(corpus, config, args.cfg_options, left_out)
        videos = load_videos(corpus, corpus.only_poses(), trained)
        poses = [load_predictions(out, run) for run in runs]
        students[name] = [[with_student(v, own[video]) for video, (v, _) in videos.items()] for own in poses]
    truths = {video: truth for video, (_, truth) in videos.items()}
    result = compare(students, truths, args.new)
    print(f'\nmean joint error, torsos\n\n{to_rows(result)}')
    if args.csv:
        with open_output(args.csv, 'w', overwrite=True) as f:
            result.to_csv(f, index=False)
    return 0


def compare(
    students: Mapping[str, Sequence[Sequence[VideoPoses]]], truths: Mapping[str, np.ndarray], new: Sequence[str]
) -> pd.DataFrame:
    """Measure the teacher, each student, the mean of its seeds and its repaired poses.

    Args:
        students: Name to the videos of each seed.
        truths: Video to its ground truth (T, 12, 2), in the order of the videos.
        new: Groups of athletes that the students never saw, joined by '-'.

    Returns:
        A :func:`~benchmarks.real_table.table` with a group for each of ``new`` and of the other athletes ('seen').
    """
    known, truth = next(iter(students.values()))[0], list(truths.values())
    teacher = [TEACHER_METHODS['teacher'](video) for video in known]
    athlete = np.concatenate([np.full(len(t), athlete_of(video)) for video, t in truths.items()])
    chosen = {group: np.isin(athlete, group.split('-')) for group in new}
    chosen['seen'] = ~np.isin(athlete, '-'.join(new).split('-'))
    frames = frame_groups(teacher, [video.scores[:, VPD_JOINTS].mean(axis=1) for video in known], truth)
    groups = {
        f'{athletes}: {short}': frames[name] & own for athletes, own in chosen.items() for name, short in GROUPS.items()
    }
    results = {name: [evaluate([of(v) for v in known], truth, groups)] for name, of in TEACHER_METHODS.items()}
    for name, runs in students.items():
        for method, poses_of in STUDENT_METHODS.items():
            label = method.replace('student', name)
            results[label] = [evaluate([poses_of(video) for video in run], truth, groups) for run in runs]
        if len(runs) > 1:
            together = [poses_of(mean_student(seeds)) for seeds in zip(*runs, strict=True)]
            results[f'{label}, {len(runs)} seeds together'] = [evaluate(together, truth, groups)]
        results[f'{name}, repaired'] = [evaluate(repair_all(run)[0], truth, groups) for run in runs]
    return table(results)


def mean_student(videos: Sequence[VideoPoses]) -> VideoPoses:
    """Return one video with the mean of the poses of several students."""
    return replace(videos[0], student=np.mean([video.student for video in videos], axis=0))


def to_rows(result: pd.DataFrame) -> str:
    """Write the errors of a table: a row per method, a column per group with its number of frames."""
    part = result[result.metric == 'error']
    counts = part.drop_duplicates('group')
    header = ['poses', *(f'{row.group} ({row.frames:,})' for row in counts.itertuples())]
    lines = ['| ' + ' | '.join(header) + ' |', '|---' * len(header) + '|']
    for method, rows in part.groupby('method', sort=False):
        lines.append('| ' + ' | '.join([str(method), *(cell(row) for _, row in rows.iterrows())]) + ' |')
    return '\n'.join(lines)
