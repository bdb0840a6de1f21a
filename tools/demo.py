#!/usr/bin/env python3
"""Run the whole chain on the synthetic sport: videos, features, recognition, retrieval, detection, report.

tools/demo.py [--scale tiny|small|full]    # runs/demo/report.html; small: 17 minutes on two cores with bfloat16

Every step skips what exists: the same command resumes a stopped run.  The sizes are in configs/compare/demo.py.
"""

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace

# Read when torch is imported: processes of one thread each, and waiting threads that leave the cores alone.
os.environ.update({'OMP_NUM_THREADS': '1', 'OMP_WAIT_POLICY': 'PASSIVE'} | os.environ)

import numpy as np
import pandas as pd
import torch
from demo_parts.report import LEAD, TITLE, sport_tiles, write_report
from mmengine.config import Config

from vpd_mm.corpus import Corpus, FeatureStore
from vpd_mm.engine.cli import ToolParser, log_output, num_cores, run_tool
from vpd_mm.engine.config import read_config
from vpd_mm.engine.console import PlainConsole
from vpd_mm.engine.model_zoo import pick_device
from vpd_mm.engine.progress import OnProgress
from vpd_mm.engine.resume import config_digest
from vpd_mm.engine.run import test, train_once
from vpd_mm.errors import UserError, counted
from vpd_mm.experiments import RunStore, plan_runs, read_spec, run_missing, summarize
from vpd_mm.experiments.store import AP_COLUMNS
from vpd_mm.features.corpus_content import settings_digest
from vpd_mm.features.feature_extractor import build_extractor, extract_corpus, run_source
from vpd_mm.files import list_folder
from vpd_mm.prepare.corpus_builder import build_corpus
from vpd_mm.quickstart import Result, Steps
from vpd_mm.quickstart.page import write_page
from vpd_mm.quickstart.steps import once, write_json
from vpd_mm.recognize import confusion_matrix
from vpd_mm.retrieve import load_clips, rank_corpus, ranking_context
from vpd_mm.structures import Action, load_actions, load_classes, save_actions, save_classes
from vpd_mm.synthetic.checkpoints import packed_model, packed_source
from vpd_mm.synthetic.corpus import SPORT, SportRecipe, make_sport
from vpd_mm.visualize.panels import grid, save_image
from vpd_mm.visualize.report import Image, Verdict, file_uri

CONFIGS = {
    name: f'configs/compare/demo{end}.py' for name, end in {'tiny': '_tiny', 'small': '', 'full': '_full'}.items()
}
#: Deprecated commands: they are commands of tools/make_synthetic.py now.
MOVED = {'make-sport': 'sport', 'make-generic': 'generic', 'sheet': 'sheet'}
POSES = 'teacher'
#: There is one athlete per video: detecting in every second frame is enough for the weak packed detector.
TRACKER = {'method': 'path', 'every': 2}
#: An action is used if at least this share of its frames is tracked.
TRACKED_SHARE = 0.5
PACKAGES = ('vpd_mm', 'torch', 'numpy', 'mmengine', 'mmcv', 'mmdet', 'mmpose', 'mmaction')


def run_demo(root: Path, scale: str, seed: int, jobs: int, device: str, console: PlainConsole) -> dict:
    """Run all steps and write ``results.json`` and ``report.html``; returns the results."""
    sizes, device = read_config(CONFIGS[scale]), pick_device(device)
    recipe = SportRecipe(seed, sizes.side, sizes.side, sizes.sub_frames)
    identity = {'demo': 'synthetic', 'scale': scale, 'seed': seed, 'sizes': config_digest(sizes)}
    step = Steps(root, 'demo', identity, console, partial(write_page, root / 'report.html', TITLE, LEAD))

    text = 'Videos of athletes and the names and times of their actions stand in for recordings of your own.'
    with step('sport', 'make the synthetic sport', text) as on_progress:
        num, out, sheet = sizes.videos, root / 'sport', root / 'sport.jpg'
        if not sheet.is_file():
            tiles = sport_tiles(make_sport(out, 1, 1, 1, recipe, 1, on_progress))  # before processes start
            save_image(sheet, grid(tiles, 4, gap=4, background=(255, 255, 255)))
        step.show(Image(file_uri(sheet), 'The sport.'))
        console.print(f'first image: {sheet}')
        sport = make_sport(out, num.train, num.val, num.test, recipe, jobs, on_progress, num.unlabelled)
    text = 'All later steps read small images around the athlete, their motion and the poses of the teacher.'
    with step('prepare', 'track the athlete, estimate poses, store crops and flow', text) as on_progress:
        corpus, facts = prepare(sport, root / 'corpus', jobs, device, on_progress)
    text = 'Joints relative to hips and torso are the target of the student and the first features to compare with.'
    reading = ['--corpus', corpus.root, '--poses', POSES]
    command = ['extract_features', 'joints', *reading]
    step.tool('joints', 'normalise the joints of the teacher', text, command, lambda: count_frames(corpus, 'joints'))
    text = 'This network maps a 2D pose to a vector that depends little on the view: the second target.'
    command = ['extract_features', 'vipe', *reading, '--device', device, '--overwrite']
    step.tool('vipe', 'embed the poses with VIPE*', text, command, lambda: count_frames(corpus, 'vipe'))

    students, start = {}, Path(packed_model('teacher')[1])
    for student in sizes.students:
        cfg = student_config(student, seed, corpus, sport, start)
        text = 'A network learns the poses of confident frames from crop and flow; it then describes every frame.'
        with step(f'distill-{student.run}', f'distil {student.name}', text) as on_progress:
            torch.set_num_threads(max(jobs - cfg.train_dataloader.num_workers, 1))  # a loader process needs a core
            start = train_once(cfg, root / 'work' / f'distill-{student.run}-{settings_digest(cfg)}', on_progress)
            torch.set_num_threads(jobs)
        text = 'One vector per frame, also where the teacher has low confidence or no pose.'
        with step(f'features-{student.run}', f'extract the features of {student.name}', text) as on_progress:
            extractor = build_extractor(cfg, start, device=device, half=device != 'cpu')
            out = corpus.features_dir(student.run)
            extract_corpus(extractor, corpus, out, run_source(cfg, start), on_progress=on_progress, overwrite=True)
        crops = cfg.train_cfg.max_epochs * cfg.train_dataloader.sampler.num_samples
        facts[f'{student.name} trained on'] = f'{crops:,} crops; it starts from {student.start}'
        students[student.run] = SimpleNamespace(cfg=cfg, checkpoint=start, decode=extractor.decode)
    vpd = students['vpd']
    text = 'The sport knows the true joints: they show whether the student is better where the teacher fails.'
    with step('gaps', 'compare student and teacher with the ground truth', text):
        gaps = once(vpd.checkpoint.parent / 'test.json', lambda: test(vpd.cfg, vpd.checkpoint))
        vpd.gaps = {name.removeprefix('distill/'): round(value, 4) for name, value in gaps.items()}

    text = 'Small networks on each kind of features, with few labels, show which features describe actions best.'
    with step('experiments', 'recognise and detect actions', text) as on_progress:
        recognition, detection, images = run_experiments(sizes, corpus, root / 'work' / 'runs', jobs, on_progress)
    text = 'Dynamic time warping finds the clips that are most similar to a query; it needs no training.'
    with step('retrieve', 'retrieve similar clips', text):
        retrieval = [retrieve(corpus, name, run, sizes.precision_ks) for name, run in sizes.features.items()]
    results = {
        'recognition': recognition,
        'gap_filling': {
            'teacher_error': vpd.gaps.get('teacher_error_low_confidence'),
            'student_error': vpd.gaps.get('student_error_low_confidence'),
            'frames': int(vpd.gaps.get('frames_low_confidence', 0)),
        },
        'retrieval': retrieval,
        'detection': detection,
        'seconds': step.seconds,
        'seed': seed,
        'scale': scale,
        'versions': {name: importlib.import_module(name).__version__ for name in PACKAGES},
    }
    write_json(root / 'results.json', results)
    write_report(root, corpus, sport, results, facts, images, vpd)
    return results


def prepare(sport: Corpus, out: Path, jobs: int, device: str, on_progress: OnProgress) -> tuple[Corpus, dict[str, str]]:
    """Prepare the videos with the packed models and label the tracked actions; returns the corpus and facts."""
    models = {'boxes': packed_source('detector'), 'poses': packed_source('teacher'), 'device': device}
    names = {'pose_name': POSES, 'name': 'demo', 'sport': SPORT}
    workers = min(jobs, len(sport.videos()))
    report = build_corpus(
        [sport.root / 'videos'], out, **models, **names, tracker=TRACKER, workers=workers, on_progress=on_progress
    )
    failures = [line for _, line in report.failures if 'no person found' not in line]
    if failures:
        raise UserError(f'{failures[0]} ({counted(len(failures), "video")} could not be prepared)')
    corpus, classes, videos = Corpus.open(out), load_classes(sport.classes_path), sport.videos().values()
    labelled = load_actions(sport.actions_path, len(classes))
    used = tracked_actions(corpus, labelled)
    if {action.split for action in used} != {'train', 'val', 'test'}:
        raise UserError(f'{out}: only {len(used)} actions are tracked; use a larger --scale or another --seed')
    with corpus.lock_labels():
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


def count_frames(corpus: Corpus, teacher: str) -> Result:
    """Number of frames with a teacher's features."""
    store = FeatureStore(corpus.teacher_dir(teacher))
    num_frames = sum(len(store[video]) for video in store.videos())
    return Result(Verdict('ok', f'{num_frames:,} frames of {len(store)} videos.'))


def tracked_actions(corpus: Corpus, actions: Sequence[Action]) -> list[Action]:
    """The actions with a box in at least ``TRACKED_SHARE`` of their frames."""
    videos, tracked = corpus.videos(), []
    for action in actions:
        if action.video in videos:
            first, last = np.searchsorted(corpus.track(action.video).frame_inds, (action.start_frame, action.end_frame))
            if last - first >= TRACKED_SHARE * (action.end_frame - action.start_frame):
                tracked.append(action)
    return tracked


def student_config(student: Config, seed: int, corpus: Corpus, sport: Corpus, start: Path) -> Config:
    """The distillation of a student whose backbone starts from the checkpoint ``start``."""
    cfg = read_config(student.config)
    cfg.merge_from_dict({
        **{f'{part}_dataloader.dataset.corpus': str(corpus.root) for part in ('train', 'val', 'test')},
        'load_from': None,
        'randomness': {'seed': seed},
        'test_dataloader.dataset.ground_truth_dir': str((sport.root / 'ground_truth' / 'poses').resolve()),
        'model.student.init_cfg.checkpoint': str(start),
        **student.options,
    })  # fmt: skip
    return cfg


def run_experiments(
    cfg: Config, corpus: Corpus, root: Path, jobs: int, on_progress: OnProgress
) -> tuple[list[dict], list[dict], dict[str, list]]:
    """Execute the missing runs of a comparison; returns rows of recognition and of detection, and what images show.

    Images: (method, sum of the confusion matrices at the largest k) as ``confusion``, (method, path of the timeline of
    the first test video) as ``detection``.
    """
    cfg.corpus = str(corpus.root)
    plan, store = plan_runs(read_spec(cfg)), RunStore(root)
    if plan.problems:
        raise UserError(plan.why())
    if failed := run_missing(plan.runs, store, jobs=jobs, on_progress=on_progress):
        raise UserError(f'{counted(len(failed), "run")} failed; the first: {next(iter(failed.values()))}')
    frame, aps, timelines = store.to_frame(plan.runs), [*AP_COLUMNS, 'mAP'], []
    rows = summarize(frame[frame['section'] == 'table'])
    names = ['method', 'k', 'top1_mean', 'top1_sd', 'runs', 'clips', 'chance', 'majority']
    recognition = rows[names].round(2).rename(columns={'top1_sd': 'top1_std'}).to_dict('records')
    rows = frame[frame['section'] == 'detection'][['method', 'threshold', *aps]]
    num_test = len({action.video for action in load_actions(corpus.actions_path) if action.split == 'test'})
    detection = rows.assign(videos=num_test, **(rows[aps].astype(float) / 100).round(4)).to_dict('records')
    matrices: dict[str, np.ndarray] = {}
    for run in plan.runs:
        if run.section == 'detection':
            timelines += [(run.method.name, path) for path in list_folder(store.work_dir(run.key), 'test/*.png')[:1]]
        elif run.k in (None, max(cfg.ks)):
            clips = store.scores(run.key)
            matrix = confusion_matrix(clips.scores.argmax(axis=1), clips.labels, clips.scores.shape[1])
            matrices[run.method.name] = matrices.get(run.method.name, 0) + matrix
    return recognition, detection, {'confusion': list(matrices.items()), 'detection': timelines}


def retrieve(corpus: Corpus, name: str, features: str, ks: Sequence[int]) -> dict:
    """Rank the training actions for every test action; returns shares between 0 and 1, and that of chance."""
    clips = load_clips(corpus, features)
    queries, gallery = clips.of_split('test'), clips.of_split('train')
    _, metrics = rank_corpus(queries, gallery, [k for k in ks if k <= len(gallery)])
    metrics['chance'] = ranking_context(queries, gallery).shares(metrics, 1)[0].chance
    metrics = {key: round(value, 4) for key, value in metrics.items()}
    return {'method': name, 'queries': len(queries), 'gallery': len(gallery), **metrics}


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and (old := arguments[0]) in (*MOVED, 'real'):
        tool, command = ('demo_real', []) if old == 'real' else ('make_synthetic', [MOVED[old]])
        text = f'tools/demo.py {old}: deprecated since 0.2, removed in 0.3; use tools/{tool}.py'
        warnings.warn(' '.join([text, *command]), DeprecationWarning, stacklevel=1)
        return importlib.import_module(tool).main([*command, *arguments[1:]])
    parser = ToolParser(__doc__)
    parser.add_argument('command', nargs='?', choices=('run',), default='run', help=argparse.SUPPRESS)  # as before 0.2
    parser.add_argument('--out', type=Path, help='folder of the run (default: runs/demo or runs/demo-<scale>)')
    parser.add_argument('--scale', choices=CONFIGS, default='small', help='size of the run (default: small)')
    parser.add_argument('--seed', type=int, default=0, help='seed of sport and distillation (default: 0)')
    parser.add_argument('--jobs', type=int, default=min(num_cores(), 8), help='processes or threads')
    parser.add_argument('--device', default='auto', help='auto, cpu or cuda')
    args = parser.parse_args(arguments)
    if args.jobs < 1:
        raise UserError(f'--jobs must be 1 or more, found {args.jobs}')
    root = args.out or Path('runs') / ('demo' if args.scale == 'small' else f'demo-{args.scale}')
    with log_output(Path('runs/demo.log')) as console:
        results = run_demo(root, args.scale, args.seed, args.jobs, args.device, console)
    for part in ('recognition', 'retrieval', 'detection'):
        print(part, pd.DataFrame(results[part]).to_string(index=False), sep='\n')
    print(root / 'results.json', root / 'report.html', sep='\n')
    return 0


if __name__ == '__main__':
    run_tool(main)
