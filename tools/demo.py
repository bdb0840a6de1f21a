#!/usr/bin/env python3
"""Run the whole chain on the synthetic sport: videos, features, recognition, retrieval, detection, report.

tools/demo.py [--scale tiny|small|full]    # runs/demo/report.html; small takes 15 minutes on two cores
tools/demo.py real                         # the same on a real video, with MediaPipe; both come from PyPI

Every step skips what exists: the same command resumes a stopped run.
"""

import argparse
import importlib
import os
import platform
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')  # read when torch is imported: idle threads leave the cores alone

import numpy as np
import torch
from demo_parts.experiments import run_experiments
from demo_parts.real import run_real
from demo_parts.report import write_report
from demo_parts.steps import Steps, epoch_options, measure, terminal, train, training_curves, write_json
from mmengine.config import Config
from rich.console import Console
from rich.table import Table

from vpd_mm.corpus import Corpus
from vpd_mm.engine.cli import ToolParser, run_tool
from vpd_mm.engine.config import read_config
from vpd_mm.engine.model_zoo import pick_device
from vpd_mm.engine.resume import config_digest
from vpd_mm.errors import UserError
from vpd_mm.features.feature_extractor import build_extractor, extract_corpus, run_identity
from vpd_mm.features.pose_features import joint_features, vipe_features
from vpd_mm.prepare.corpus_builder import build_corpus
from vpd_mm.retrieve import load_clips, rank_corpus
from vpd_mm.structures import Action, load_actions, load_classes, save_actions, save_classes
from vpd_mm.synthetic.checkpoints import packed_model, packed_source
from vpd_mm.synthetic.corpus import SPORT, SportRecipe, make_sport, plan_films
from vpd_mm.synthetic.routine import CLASSES
from vpd_mm.teacher import VipeFeature, load_encoder
from vpd_mm.version import __version__

SCALES = ('tiny', 'small', 'full')
POSES = 'teacher'
#: There is one athlete per video: detecting in every second frame is enough for the weak packed detector.
TRACKER = {'method': 'path', 'every': 2}
#: An action is used if at least this share of its frames is tracked.
TRACKED_SHARE = 0.5
MODULES = ('torch', 'numpy', 'mmengine', 'mmcv', 'mmdet', 'mmpose', 'mmaction')


@dataclass(frozen=True)
class Student:
    """A student network, the teacher features that it learns from, and the words for its start."""

    name: str
    run: str
    teacher: str
    dims: int
    config: str
    start: str


STUDENTS = (
    Student(
        '2D-VPD', 'vpd', 'joints', 26, 'configs/distill/resnet18-teacher-start_2d-vpd_16e_synthetic.py',
        'the first stages of the packed teacher (generic images, never this sport)',
    ),
    Student(
        'VI-VPD', 'vi-vpd', 'vipe', 64, 'configs/distill/resnet18-teacher-start_vi-vpd_6e_synthetic.py',
        'the backbone of 2D-VPD',
    ),
)  # fmt: skip
#: What is compared; the features of the teacher come first.
FEATURES = {
    '2D joints (teacher)': 'teacher/joints',
    'VIPE* (teacher)': 'teacher/vipe',
    **{student.name: f'features/{student.run}' for student in STUDENTS},
}


def run_demo(root: Path, scale: str, seed: int, jobs: int, device: str, console: Console) -> dict:
    """Run all steps and write ``results.json`` and ``report.html``; returns the results."""
    sizes = read_config(f'configs/demo/{scale}.py')
    recipe = SportRecipe(seed, sizes.side, sizes.side, sizes.sub_frames)
    identity = {'demo': 'synthetic', 'scale': scale, 'seed': seed, 'sizes': config_digest(sizes)}
    step, device = Steps(root, identity, console), pick_device(device)

    with step('sport', 'make the synthetic sport') as on_progress:
        counts = {**sizes.videos, 'train': sizes.videos.train or num_train_videos(max(sizes.ks), recipe)}
        sport = make_sport(root / 'sport', **counts, recipe=recipe, workers=jobs, on_film=on_progress)
    with step('prepare', 'track the athlete, estimate poses, store crops and flow') as on_progress:
        corpus, facts = prepare(sport, root / 'corpus', jobs, device, on_progress)
    with step('joints', 'normalise the joints of the teacher'):
        joint_features(corpus, POSES, 'joints')
    with step('vipe', 'embed the poses with VIPE*'):
        config, checkpoint = packed_model('vipe')
        cfg = read_config(config)
        feature, made_by = VipeFeature(load_encoder(cfg, checkpoint, device), False), run_identity(cfg, checkpoint)
        vipe_features(corpus, POSES, feature, {**made_by, 'poses': POSES, 'invert': False})

    students, start = {}, Path(packed_model('teacher')[1])
    for student, epochs in zip(STUDENTS, sizes.epochs):
        cfg = student_config(student, epochs, sizes, seed, corpus, sport, start)
        torch.set_num_threads(max(jobs - cfg.train_dataloader.num_workers, 1))  # a loader process needs a core
        with step(f'distill-{student.run}', f'distil {student.name}') as on_progress:
            start = train(cfg, root / 'work' / f'distill-{student.run}', on_progress)
        torch.set_num_threads(jobs)
        with step(f'features-{student.run}', f'extract the features of {student.name}') as on_progress:
            extractor = build_extractor(cfg, start, device=device, half=device != 'cpu')
            extract_corpus(extractor, corpus, corpus.features_dir(student.run), run_identity(cfg, start))
        facts[f'{student.name} trained on'] = f'{epochs * sizes.draws:,} crops; it starts from {student.start}'
        students[student.run] = cfg, start, extractor.decode
    with step('gaps', 'compare student and teacher with the ground truth'):
        cfg, checkpoint, decode = students['vpd']
        gaps, curves = measure(cfg, checkpoint), training_curves(checkpoint.parent)

    with step('experiments', 'recognise and detect actions') as on_progress:
        recognition, detection, images = run_experiments(root, corpus, sizes, FEATURES, jobs, on_progress)
    with step('retrieve', 'retrieve similar clips'):
        retrieval = [retrieve(corpus, name, features, sizes.precision_ks) for name, features in FEATURES.items()]

    results = {
        'recognition': recognition,
        'gap_filling': {
            'teacher_error': gaps.get('teacher_error_unsure'),
            'student_error': gaps.get('student_error_unsure'),
            'frames': int(gaps.get('frames_unsure', 0)),
        },
        'retrieval': retrieval,
        'detection': detection,
        'seconds': step.seconds,
        'seed': seed,
        'scale': scale,
        'versions': {name: importlib.import_module(name).__version__ for name in MODULES}
        | {'vpd_mm': __version__, 'python': platform.python_version(), 'machine': platform.machine()},
    }
    write_json(root / 'results.json', results)
    write_report(root, corpus, sport, results, facts, gaps, curves, decode, images)
    return results


def num_train_videos(k: int, recipe: SportRecipe) -> int:
    """Number of training videos that hold a tenth more actions than k per class."""
    wanted = int(1.1 * k * len(CLASSES))
    counts = np.cumsum([len(plan.skills) for plan in plan_films(recipe, 'train', wanted)])
    return int(np.searchsorted(counts, wanted)) + 1


def prepare(sport: Corpus, out: Path, jobs: int, device: str, on_progress) -> tuple[Corpus, dict[str, str]]:
    """Prepare the videos with the packed models and label the tracked actions; returns the corpus and facts about it."""
    report = build_corpus(
        [sport.root / 'videos'],
        out,
        boxes=packed_source('detector'),
        poses=packed_source('teacher'),
        tracker=TRACKER,
        pose_name=POSES,
        name='demo',
        sport=SPORT,
        workers=min(jobs, len(sport.videos())),
        device=device,
        on_video=on_progress,
    )
    failures = [line for _, line in report.failures if 'no person found' not in line]
    if failures:
        raise UserError(f'{failures[0]} ({len(failures)} videos could not be prepared)')
    corpus, classes, videos = Corpus.open(out), load_classes(sport.classes_path), sport.videos().values()
    labelled = load_actions(sport.actions_path, len(classes))
    used = tracked_actions(corpus, labelled)
    if {action.split for action in used} != {'train', 'val', 'test'}:
        raise UserError(f'{out}: the tracker has too few actions ({len(used)}); use more videos or another seed')
    save_classes(corpus.classes_path, classes)
    save_actions(corpus.actions_path, used)
    frames, tracked = sum(v.num_frames for v in videos), sum(v.tracked for v in report.videos)
    confident = sum(v.confident or 0 for v in report.videos)
    return corpus, {
        'videos': f'{len(videos)} with {frames:,} frames, {len(labelled)} actions of {len(classes)} classes',
        'athlete tracked': f'in {tracked / frames:.0%} of the frames',
        'actions used': f'{len(used)}: those tracked in at least half of their frames',
        'teacher confident (score 0.5 or more)': f'in {confident / max(tracked, 1):.0%} of the tracked frames',
    }


def tracked_actions(corpus: Corpus, actions: Sequence[Action]) -> list[Action]:
    """The actions with a box in at least ``TRACKED_SHARE`` of their frames."""
    videos, tracked = corpus.videos(), []
    for action in actions:
        if action.video in videos:
            first, last = np.searchsorted(corpus.track(action.video).frame_inds, (action.start_frame, action.end_frame))
            if last - first >= TRACKED_SHARE * (action.end_frame - action.start_frame):
                tracked.append(action)
    return tracked


def student_config(
    student: Student, epochs: int, sizes: Config, seed: int, corpus: Corpus, sport: Corpus, start: Path
) -> Config:
    """The distillation of a student whose backbone starts from the checkpoint ``start``."""
    cfg = read_config(student.config)
    data = {'corpus': str(corpus.root), 'teacher': student.teacher}
    parts = {f'{part}_dataloader.dataset.{key}': data[key] for part in ('train', 'val', 'test') for key in data}
    options = {
        'load_from': None,
        'randomness': {'seed': seed},
        'train_dataloader.sampler.num_samples': sizes.draws,
        'train_dataloader.batch_size': min(cfg.train_dataloader.batch_size, sizes.draws),
        'val_dataloader.dataset.max_frames': sizes.val_frames,
        'test_dataloader.dataset.max_frames': sizes.test_frames or None,
        'test_dataloader.dataset.truth_dir': str((sport.root / 'ground_truth' / 'poses').resolve()),
        'model.student.out_dims': student.dims,
        'model.decoder.dims': student.dims,
        'model.student.init_cfg.checkpoint': str(start),
    }
    cfg.merge_from_dict({**epoch_options(epochs), **parts, **options})
    return cfg


def retrieve(corpus: Corpus, name: str, features: str, ks: Sequence[int]) -> dict:
    """Rank the training actions for every test action; returns shares between 0 and 1."""
    clips = load_clips(corpus, features)
    queries, gallery = clips.of_split('test'), clips.of_split('train')
    _, metrics = rank_corpus(queries, gallery, [k for k in ks if k <= len(gallery)])
    counts = {'method': name, 'queries': len(queries), 'gallery': len(gallery)}
    return counts | {name: round(value, 4) for name, value in metrics.items()}


def print_results(results: dict) -> None:
    """Print the tables of results.json."""
    for name in ('recognition', 'retrieval', 'detection'):
        columns = [
            c for c in results[name][0] if not c.startswith(('AP@', 'hit')) or c in ('AP@0.3', 'AP@0.5', 'AP@0.7')
        ]
        table = Table(*columns, title=name, title_justify='left')
        for row in results[name]:
            table.add_row(*(str(row.get(column, '')) for column in columns))
        Console().print(table)
    print('joint error on low-confidence frames, torso sizes:', results['gap_filling'])


def demo(args: argparse.Namespace) -> None:
    if args.scale not in SCALES:
        raise UserError(f'--scale {args.scale}: must be one of {", ".join(SCALES)}')
    root = args.out or Path('runs') / ('demo' if args.scale == 'small' else f'demo-{args.scale}')
    with terminal(Path('runs') / 'demo.log') as console:
        results = run_demo(root, args.scale, args.seed, args.jobs, args.device, console)
    print_results(results)
    print(root / 'results.json', root / 'report.html', sep='\n')


def real(args: argparse.Namespace) -> None:
    with terminal(Path('runs') / 'demo-real.log') as console:
        paths = run_real(args.out or Path('runs/demo-real'), args.epochs, args.wheels, args.device, args.jobs, console)
    print(*paths, sep='\n')


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    moved = {'make-sport': 'sport', 'make-generic': 'generic', 'sheet': 'sheet'}
    if arguments and (name := arguments[0]) in moved:
        import make_synthetic

        text = 'tools/demo.py {}: deprecated since 0.2, removed in 0.3; use tools/make_synthetic.py {}'
        warnings.warn(text.format(name, moved[name]), DeprecationWarning, stacklevel=2)
        return make_synthetic.main([moved[name], *arguments[1:]])
    if not arguments or arguments[0].startswith('-') and not {'-h', '--help'} & {*arguments}:
        arguments.insert(0, 'run')
    parser = ToolParser(__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for command, action, text in (('run', demo, 'the synthetic sport (default)'), ('real', real, 'a real video')):
        sub = commands.add_parser(command, help=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        sub.set_defaults(action=action)
        sub.add_argument('--out', type=Path, help='folder of the run; default runs/demo...')
        sub.add_argument('--jobs', type=int, default=default_jobs(), help='processes or threads')
        sub.add_argument('--device', default='auto', help='auto, cpu or cuda')
        if action is demo:
            sub.add_argument('--scale', default='small', help=', '.join(SCALES))
            sub.add_argument('--seed', type=int, default=0, help='seed of the sport and of all trainings')
        else:
            sub.add_argument('--epochs', type=int, default=40, help='epochs of the distillation, 2,000 crops each')
            sub.add_argument('--wheels', type=Path, help='folder of wheels; default: pip downloads them')
    args = parser.parse_args(arguments)
    if args.jobs < 1:
        raise UserError(f'--jobs {args.jobs}: must be 1 or more')
    args.action(args)
    return 0


def default_jobs() -> int:
    """One per core, at most 8."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1, 8)


if __name__ == '__main__':
    run_tool(main)
