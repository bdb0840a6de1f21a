"""Train the students of ``benchmark.py real``: seeds, and athletes left out; write their poses of every frame.

A run that is complete, of the same settings, targets and crops, is skipped, so that a stopped command resumes.  The
corpus needs crops and teacher/joints.
"""

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config

from vpd_mm.corpus import Corpus, CropStore, FeatureStore
from vpd_mm.distill import CropDataset
from vpd_mm.engine.checkpoint_choice import best_checkpoint, last_checkpoint
from vpd_mm.engine.cli import ToolParser
from vpd_mm.engine.config import merge_options, read_config
from vpd_mm.errors import UserError
from vpd_mm.features.corpus_config import adapt_config, datasets_of, share_holdout
from vpd_mm.features.corpus_content import settings_digest
from vpd_mm.features.feature_extractor import build_extractor
from vpd_mm.files import atomic_write, npz_path, read_text
from vpd_mm.importers.parkour import athlete_of
from vpd_mm.registry import DATASETS
from vpd_mm.structures import FeatureSequence

#: Student of the table.
CONFIG = 'configs/distill/resnet18_2d-vpd_40e_real.py'
#: Name of the run of a seed, and of one that never saw an athlete, or several that are joined by '-'.
ALL, WITHOUT = 'all_seed{seed}', 'without-{athlete}_seed{seed}'


def run_names(athletes: Sequence[str], seeds: Sequence[int]) -> dict[str, tuple[str, int]]:
    """Name of every run to its athlete ('' = none is left out, 'A-B' = two are) and seed."""
    runs = {ALL.format(seed=seed): ('', seed) for seed in seeds}
    return runs | {WITHOUT.format(athlete=a, seed=seed): (a, seed) for a in athletes for seed in seeds}


def run(argv: Sequence[str] | None = None) -> int:
    """Train; returns 1 where a run failed."""
    parser = ToolParser(__doc__, prog='benchmark.py real-students')
    parser.add_argument('corpus', type=Path, help='prepared corpus with teacher/joints')
    parser.add_argument('--out', type=Path, required=True, help='folder of the poses: <out>/<run>/<video>.npz')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/real'), help='folder of the trainings')
    add_arguments(parser)
    args = parser.parse_args(argv)
    corpus = Corpus.open(args.corpus)
    runs = run_names([] if args.seen_only else athletes_of(corpus), args.seeds)
    return train_students(corpus, runs, args.out, args.work_dir, args.config, args.cfg_options, args.jobs)


def add_arguments(parser: ToolParser) -> None:
    """Arguments that ``real`` and ``real-students`` share."""
    parser.add_argument('--config', default=CONFIG, help='distillation of 2D joints')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='training seeds')
    parser.add_argument('--seen-only', action='store_true', help='leave out no athlete')
    parser.add_argument('--jobs', type=int, default=1, help='trainings at the same time')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='of the config')


def athletes_of(corpus: Corpus) -> list[str]:
    """List the athletes of the corpus."""
    return sorted({athlete_of(video) for video in CropStore(corpus.crops_dir).videos()})


def train_students(
    corpus: Corpus,
    runs: Mapping[str, tuple[str, int]],
    out: Path,
    work_dir: Path,
    config: str,
    options: Sequence[str] = (),
    jobs: int = 1,
) -> int:
    """Train the missing runs (:func:`run_names`), ``jobs`` at a time; returns 1 where one failed, which is printed."""
    if jobs < 1:
        raise UserError(f'--jobs must be 1 or more, found {jobs}')
    cfg = read_settings(config, options, corpus.root)
    made_of = settings_digest(cfg)
    missing = {name: job for name, job in runs.items() if not is_done(out / name, made_of)}
    for dataset in datasets_of(cfg, 'train'):
        for athletes in {athletes for athletes, _ in runs.values() if athletes}:
            leave_out(corpus, dataset.teacher, athletes)
    print(f'{config}: {len(missing)} trainings, {jobs} at the same time', flush=True)
    threads = max(1, torch.get_num_threads() // jobs)
    failed = 0
    with ProcessPoolExecutor(jobs, get_context('spawn'), max_tasks_per_child=1) as pool:
        pending = {
            pool.submit(
                train_student,
                config,
                corpus.root,
                out / name,
                work_dir / name,
                *job,
                threads,
                options,
                made_of,
            ): name
            for name, job in missing.items()
        }
        for future in as_completed(pending):
            error = future.exception()
            failed += error is not None
            print(f'{pending[future]}: {"failed: " + str(error) if error else future.result()}', flush=True)
    return 1 if failed else 0


def leave_out(corpus: Corpus, teacher: str, athletes: str) -> str:
    """Copy the targets of the other athletes into a teacher of their own; return its name."""
    name = f'{teacher}-without-{athletes}'
    for video in FeatureStore(corpus.teacher_dir(teacher)).videos():
        target = npz_path(corpus.teacher_dir(name), video)
        if athlete_of(video) not in athletes.split('-'):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(npz_path(corpus.teacher_dir(teacher), video), target)
    return name


def is_done(folder: Path, made_of: str) -> bool:
    """True for the poses of a complete run of these settings, targets and crops."""
    path = folder / 'done'
    return path.is_file() and read_text(path).strip() == made_of


def read_settings(config: str, options: Sequence[str], corpus: Path) -> Config:
    """Read the config of the students for a corpus; validation and test hold out what the training does."""
    cfg = read_config(config)
    merge_options(cfg, options)
    cfg = adapt_config(cfg, str(corpus))
    share_holdout(cfg, {option.partition('=')[0] for option in options})
    return cfg


def train_student(
    config: str,
    corpus: Path,
    out: Path,
    work_dir: Path,
    athletes: str,
    seed: int,
    threads: int,
    options: Sequence[str],
    made_of: str,
) -> str:
    """Train one student without some athletes, and write its poses of all videos; return a line to print."""
    from vpd_mm.engine.run import build_runner

    torch.set_num_threads(threads)
    cfg = read_settings(config, options, corpus)
    for dataset in datasets_of(cfg):
        dataset.teacher += f'-without-{athletes}' if athletes else ''
    cfg.work_dir, cfg.launcher, cfg.randomness = str(work_dir), 'none', {**cfg.get('randomness', {}), 'seed': seed}
    cfg.default_hooks.checkpoint.update(max_keep_ckpts=1)
    cfg.log_level = 'ERROR'
    build_runner(cfg).train()
    checkpoint = best_checkpoint(work_dir) or last_checkpoint(work_dir)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    extractor = build_extractor(cfg, checkpoint, device=device)
    store = CropStore(corpus / 'athlete' / 'crops')
    videos = store.videos()
    for video, features in extractor.extract_all(store, videos):
        with torch.inference_mode():
            views = torch.from_numpy(features.feats).to(device).unbind(1)
            decoded = torch.stack([extractor.model.decode(view) for view in views], dim=1).float().cpu().numpy()
        FeatureSequence(features.frame_inds, decoded, features.scores).save(npz_path(out, video))
    with atomic_write(out / 'done', 'w') as f:
        f.write(f'{made_of}\n')
    return f'{Path(checkpoint).name}, {sum(len(store.header(video)) for video in videos)} frames'


def trained_frames(
    corpus: Corpus, config: str, options: Sequence[str] = (), athletes: str = ''
) -> dict[str, np.ndarray]:
    """Return the frames of each video that the students are trained on, those of all athletes or without some."""
    dataset = next(datasets_of(read_settings(config, options, corpus.root), 'train'))
    dataset.teacher += f'-without-{athletes}' if athletes else ''
    crops: CropDataset = DATASETS.build({**dataset, 'pipeline': []})
    return {video: crops.used_frames(video) for video in crops.videos}


def load_predictions(out: Path, name: str) -> dict[str, FeatureSequence]:
    """Read the poses that a run wrote: (T, 2, 26 or 52), views [original, flipped]; UserError where it is not done."""
    if not (out / name / 'done').exists():
        raise UserError(f'{out / name}: not complete; run tools/benchmark.py real-students with --out {out}')
    store = FeatureStore(out / name)
    return {video: store[video] for video in store}
