"""The demonstration's stages: from films to tables, each by the part of the project that a user would call."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from mmengine.config import Config

from demo_old.demo_bench import DESCRIPTIONS, RIVALS, STUDENTS, Bench, Description, Rival, Student
from demo_old.demo_training import measure, quiet_config, stepped, threads, train, with_epochs, with_iters
from demo_old.stage_runner import Moved, Stage
from vpd_mm.corpus import Corpus, CropStore, FeatureStore
from vpd_mm.engine.model_zoo import pick_device
from vpd_mm.errors import UserError
from vpd_mm.prepare.corpus_builder import build_corpus
from vpd_mm.structures import Action, load_actions, load_classes, save_actions, save_classes
from vpd_mm.synthetic.checkpoints import packed_model, packed_source
from vpd_mm.synthetic.corpus import SPORT, make_sport

POSES = 'teacher'
#: The packed detector is weak, and there is one athlete a film; every second frame is enough, and takes half the time.
TRACKER = {'method': 'path', 'every': 2}
#: An action counts where the tracker has the athlete in at least this share of its frames.
TRACKED_SHARE = 0.5
RECOGNIZER = 'configs/recognize/bigru_vpd-velocity_1000i_synthetic.py'
DETECTOR = 'configs/detect/bigru_joints_100e_synthetic.py'


def demo_stages(bench: Bench) -> list[Stage]:
    """All stages up to the tables, in their order."""
    s, corpus, work = bench.scale, bench.corpus_dir, bench.work_dir
    asked: dict
    stages = [
        Stage('sport', 'film the synthetic sport', lambda moved: film(bench, moved), {'films': s.films(bench.recipe)}),
        Stage(
            'prepare',
            'find and track the athlete, ask the teacher, cut crops and flow',
            lambda moved: prepare(bench, moved),
            {kind: _hash(packed_model(kind)[1]) for kind in ('detector', 'teacher')} | TRACKER,
            ('sport',),
            (corpus,),
        ),
        Stage('joints', 'the teacher, normalised', lambda moved: joints(bench), {}, ('prepare',)),
    ]
    asked = {'vipe': _hash(packed_model('vipe')[1])}
    run = partial(vipe, bench)
    stages.append(Stage('vipe', 'VIPE* of the poses', run, asked, ('prepare',), (corpus / 'teacher' / 'vipe',)))
    for student in STUDENTS:
        out = work / 'distill' / student.run
        asked = {'epochs': student.epochs(s), 'draws': s.draws, 'val': s.val_frames}
        start = f'distill-{student.after}' if student.after else 'prepare'
        stages.append(
            Stage(
                f'distill-{student.run}',
                f'distil {student.name}',
                partial(distil, bench, student),
                asked,
                (start, student.teacher),
                (out,),
            )
        )
        stages.append(
            Stage(
                f'features-{student.run}',
                f'{student.name} on every frame',
                partial(describe, bench, student),
                {},
                (f'distill-{student.run}',),
                (corpus / 'features' / student.run,),
            )
        )
    stages.append(
        Stage(
            'gaps', 'student and teacher against the truth', lambda moved: gaps(bench), {'frames': s.test_frames},
            ('features-vpd',),
        )
    )  # fmt: skip
    for kind in DESCRIPTIONS:
        out = work / 'recognize' / kind.features.replace('/', '-')
        asked = {'ks': list(s.ks), 'subsets': s.subsets, 'iters': s.iters, 'clips': s.clips}
        stages.append(
            Stage(
                f'recognize-{out.name}',
                f'recognise: {kind.name}',
                partial(recognize, bench, kind, out),
                asked,
                (kind.stage,),
                (out,),
                single=True,
            )
        )
    for rival in RIVALS:
        out = work / 'recognize' / Path(rival.config).stem
        asked = {'k': max(s.ks, default=0), 'subsets': s.subsets, 'epochs': s.rival_epochs}
        run = partial(recognize_rival, bench, rival, out)
        stages.append(
            Stage(f'recognize-{out.name}', f'recognise: {rival.name}', run, asked, ('prepare',), (out,), True)
        )
    for kind in DESCRIPTIONS:
        run = partial(retrieve, bench, kind)
        name = f'retrieve-{kind.features.replace("/", "-")}'
        stages.append(Stage(name, f'retrieve: {kind.name}', run, {'ks': list(s.test_ks)}, (kind.stage,), single=True))
    for kind in DESCRIPTIONS:
        out = work / 'detect' / kind.features.replace('/', '-')
        asked = {'folds': s.folds, 'epochs': s.detect_epochs}
        stages.append(
            Stage(
                f'detect-{out.name}',
                f'detect: {kind.name}',
                partial(detect, bench, kind, out),
                asked,
                (kind.stage,),
                (out,),
                single=True,
            )
        )
    return stages


def _hash(checkpoint: str) -> str:
    return Path(checkpoint).with_suffix('.sha256').read_text(encoding='utf-8').split()[0]


def film(bench: Bench, moved: Moved) -> dict:
    """The films with their truth."""
    corpus = make_sport(
        bench.sport_dir, **bench.scale.films(bench.recipe), recipe=bench.recipe, workers=bench.jobs, on_film=moved
    )
    videos = corpus.videos().values()
    return {'films': len(videos), 'frames': sum(v.num_frames for v in videos)}


def prepare(bench: Bench, moved: Moved) -> dict:
    """Films to a corpus by the packed models, and the labels of the actions in which the tracker has the athlete."""
    sport = Corpus.open(bench.sport_dir)
    report = build_corpus(
        [bench.sport_dir / 'videos'],
        bench.corpus_dir,
        boxes=packed_source('detector'),
        poses=packed_source('teacher'),
        tracker=TRACKER,
        pose_name=POSES,
        name='demo',
        sport=SPORT,
        workers=min(bench.jobs, len(sport.videos())),
        device=bench.device,
        on_video=moved,
    )
    corpus = bench.corpus()
    empty = [video for video, line in report.failures if 'no person found' in line]
    broken = [line for video, line in report.failures if video not in empty]
    if broken:
        raise UserError(f'{broken[0]} ({len(broken)} films could not be prepared)')
    classes = load_classes(sport.classes_path)
    labelled = load_actions(sport.actions_path, len(classes))
    kept = tracked_actions(corpus, labelled)
    if {action.split for action in kept} != {'train', 'val', 'test'}:
        raise UserError(
            f'{corpus.root}: the tracker found the athlete in too few actions ({len(kept)}); more films help'
        )
    save_classes(corpus.classes_path, classes)
    save_actions(corpus.actions_path, kept)
    frames = sum(video.num_frames for video in report.videos)
    return {
        'frames': sum(v.num_frames for v in sport.videos().values()),
        'tracked': sum(video.tracked for video in report.videos),
        'confident': sum(video.confident or 0 for video in report.videos),
        'films_without_person': len(empty),
        'actions': len(labelled),
        'actions_tracked': len(kept),
        'decoded': frames,
    }


def tracked_actions(corpus: Corpus, actions: Sequence[Action]) -> list[Action]:
    """The actions in which the corpus has a box in at least ``TRACKED_SHARE`` of the frames."""
    videos, kept = corpus.videos(), []
    for action in actions:
        if action.video in videos:
            inds = corpus.track(action.video).frame_inds
            found = np.searchsorted(inds, action.end_frame) - np.searchsorted(inds, action.start_frame)
            if found >= TRACKED_SHARE * (action.end_frame - action.start_frame):
                kept.append(action)
    return kept


def joints(bench: Bench) -> dict:
    """The teacher's normalised joints, both views."""
    from vpd_mm.features.pose_features import joint_features

    joint_features(bench.corpus(), POSES, 'joints')
    return {'videos': len(FeatureStore(bench.corpus().teacher_dir('joints')))}


def vipe(bench: Bench, moved: Moved) -> dict:
    """The packed VIPE* of the teacher's poses, both views."""
    from vpd_mm.features.feature_extractor import run_identity
    from vpd_mm.features.pose_features import vipe_features
    from vpd_mm.teacher import VipeFeature, load_encoder

    config, checkpoint = packed_model('vipe')
    cfg = quiet_config(config)
    feature = VipeFeature(load_encoder(cfg, checkpoint, pick_device(bench.device)), False)
    vipe_features(bench.corpus(), POSES, feature, run_identity(cfg, checkpoint))
    return {'videos': len(FeatureStore(bench.corpus().teacher_dir('vipe')))}


def distil(bench: Bench, student: Student, moved: Moved) -> dict:
    """Train a student; returns its checkpoint, relative to the bench, and what its training looked like."""
    cfg = student.cfg(bench)
    # The loader's process has a core of its own.
    with threads(bench.jobs - cfg.train_dataloader.num_workers):
        best = train(cfg, bench.work_dir / 'distill' / student.run, moved)
    crops = student.epochs(bench.scale) * bench.scale.draws
    return {'checkpoint': str(best.relative_to(bench.root)), 'crops': crops}


def describe(bench: Bench, student: Student, moved: Moved) -> dict:
    """The student's features of every crop, both views."""
    from vpd_mm.features.feature_extractor import build_extractor, extract_corpus, run_identity

    cfg, checkpoint = student.cfg(bench), student.best(bench)
    device = pick_device(bench.device)
    extractor = build_extractor(cfg, checkpoint, device=device, half=device != 'cpu')
    corpus = bench.corpus()
    with threads(bench.jobs):
        extract_corpus(
            extractor,
            corpus,
            corpus.features_dir(student.run),
            run_identity(cfg, checkpoint),
            progress=lambda videos: stepped(moved, videos),
        )
    store = CropStore(corpus.crops_dir)
    return {'frames': sum(len(store.header(video)) for video in store.videos())}


def gaps(bench: Bench) -> dict:
    """Errors of student and teacher on films of athletes that neither has seen, split by the teacher's confidence."""
    student = STUDENTS[0]
    with threads(bench.jobs):
        return measure(student.cfg(bench), student.best(bench), bench.work_dir / 'gaps')


def recognize(bench: Bench, kind: Description, out: Path, moved: Moved) -> dict:
    """Few-shot recognition by the BiGRU; for each k the accuracies of its subsets, in percent."""
    from vpd_mm.features.corpus_config import adapt_config

    cfg = with_iters(quiet_config(RECOGNIZER), bench.scale.iters)
    cfg = adapt_config(cfg, str(bench.corpus_dir), features=kind.features)
    cfg.train_dataloader.batch_size = bench.scale.clips
    return few_shot(bench, kind.name, cfg, Path(RECOGNIZER).stem, bench.scale.ks, out, moved)


def recognize_rival(bench: Bench, rival: Rival, out: Path, moved: Moved) -> dict:
    """The same clips, lists and protocol for a network of mmaction2; the largest k alone."""
    from vpd_mm.features.corpus_config import datasets_of

    cfg = quiet_config(rival.config)
    if bench.scale.rival_epochs:
        cfg = with_epochs(cfg, bench.scale.rival_epochs)
    for part in ('train', 'val', 'test'):
        for dataset in datasets_of(cfg, part):
            dataset.corpus = str(bench.corpus_dir)
            if rival.poses:
                dataset.poses = POSES
    return few_shot(bench, rival.name, cfg, Path(rival.config).stem, bench.scale.ks[-1:], out, moved)


def few_shot(bench: Bench, name: str, cfg: Config, recipe: str, ks: Sequence[int], out: Path, moved: Moved) -> dict:
    """The few-shot grid of one method, largest k first; without ``ks`` on all training actions."""
    from vpd_mm.experiments.few_shot_grid import GridRun, run_grid

    runs = [GridRun(k, subset, bench.seed) for k in reversed(ks or (None,)) for subset in range(bench.scale.subsets)]
    finished: list[object] = []
    moved(0, len(runs))

    def count(row: object) -> None:
        finished.append(row)
        moved(len(finished), len(runs))

    rows = run_grid(cfg, recipe, runs, out, allow_short=True, report=count)
    top1: dict[str, list[float]] = {}
    for row in rows:
        top1.setdefault(row.k, []).append(row.top1)
    return {'method': name, 'top1': top1}


def retrieve(bench: Bench, kind: Description, moved: Moved) -> dict:
    """Test actions looked for among the training actions, by DTW; shares between 0 and 1."""
    from vpd_mm.retrieve import load_clips, rank_corpus

    clips = load_clips(bench.corpus(), kind.features)
    queries, gallery = clips.of_split('test'), clips.of_split('train')
    ks = [k for k in bench.scale.test_ks if k <= len(gallery)]
    _, metrics = rank_corpus(queries, gallery, ks)
    found = {'method': kind.name, 'queries': len(queries), 'gallery': len(gallery)}
    return found | {name: round(value, 4) for name, value in metrics.items()}


def detect(bench: Bench, kind: Description, out: Path, moved: Moved) -> dict:
    """Actions in uncut films: AP at several tIoU, between 0 and 1."""
    from vpd_mm.detect.search import search_corpus
    from vpd_mm.features.corpus_config import adapt_config

    s = bench.scale
    cfg = with_epochs(quiet_config(DETECTOR), s.detect_epochs)
    cfg.default_hooks.checkpoint.interval = max(1, s.detect_epochs // 3)
    cfg.randomness = {'seed': bench.seed}
    cfg = adapt_config(cfg, str(bench.corpus_dir), features=kind.features)
    done: list[str] = []
    moved(0, s.folds)

    def told(line: str) -> None:
        if line.startswith('fold'):
            done.append(line)
            moved(len(done), s.folds)

    found = search_corpus(cfg, out, 'test', out / 'test', num_folds=s.folds, report=told)
    return {'method': kind.name, **found}


__all__ = ['POSES', 'demo_stages', 'tracked_actions']
