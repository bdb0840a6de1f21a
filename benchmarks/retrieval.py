"""Retrieval of a whole corpus by tools/retrieve.py: time, memory, pruning, and equality with brute force.

The corpus is generated: 2D joints of routines of the synthetic sport. An interrupted run resumes.
"""

import csv
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.engine.cli import ToolParser
from vpd_mm.engine.paths import resource_dir
from vpd_mm.engine.progress import progress_bar
from vpd_mm.errors import UserError
from vpd_mm.structures import Action, PoseSequence, save_actions, save_classes

#: Goals.
MAX_SEC, MAX_BYTES = 1200, 2 << 30
K, FPS = 50, 25.0
#: What is added around a skill: the run-up and the landing.
WINDOW = ('--before-sec', '1', '--after-sec', '0.5')
#: Videos that several cameras make of a routine, and its skills.
CAMERAS, SKILLS_EACH = 2, 6


def run(argv: Sequence[str] | None = None) -> int:
    """Search, print one line a number, return 1 where a goal is missed."""
    parser = ToolParser(__doc__, prog='benchmark.py retrieval')
    parser.add_argument('--clips', type=int, default=10_000, help='queries, and clips of the gallery')
    parser.add_argument('--out', type=Path, default=Path('runs/retrieval'), help='folder of the corpora and results')
    parser.add_argument('--ranks', type=int, default=1, help='processes, started as by torchrun')
    parser.add_argument('--check', type=int, default=20, help='queries that are compared with brute force')
    args = parser.parse_args(argv)
    if args.clips < 2 * K or args.ranks < 1 or args.check < 1:
        raise UserError(f'--clips must be {2 * K} or more, --ranks and --check 1 or more')
    corpus, table = make_corpus(args.out / f'corpus-{args.clips}', args.clips), args.out / f'{args.clips}.csv'
    seconds, cpu_seconds, peak = search(corpus, table, args.ranks)
    pairs = args.clips**2
    print(f'{"wall time and CPU time of this run, s":44s} {seconds:,.0f} {cpu_seconds:,.0f}')
    print(f'{"pairs of clips per CPU second, if none before":44s} {pairs / cpu_seconds:,.0f}')
    print(f'{"CPU time on two cores, s":44s} {cpu_seconds / 2:,.0f}: {_word(cpu_seconds / 2 < MAX_SEC)}')
    print(f'{"peak memory of a process, MiB":44s} {peak / 2**20:,.0f}: {_word(peak < MAX_BYTES)}')
    different = compare(corpus, table, args.check)
    print(f'{f"{args.check} queries by brute force, different ranks":44s} {different}: {_word(not different)}')
    return 0 if cpu_seconds / 2 < MAX_SEC and peak < MAX_BYTES and not different else 1


def make_corpus(root: Path, num_clips: int) -> Corpus:
    """Make a corpus of ``num_clips`` actions with ``teacher/joints``; one that is complete is kept."""
    from vpd_mm.synthetic.camera import look_rotation
    from vpd_mm.synthetic.routine import CLASSES, SKILLS, Habits, perform_routine
    from vpd_mm.synthetic.skeleton import Body
    from vpd_mm.teacher import JointFeature

    corpus, rng = Corpus.create(root, 'routines'), np.random.default_rng(0)
    if corpus.actions_path.is_file():
        return corpus
    actions: list[Action] = []
    videos = []
    with progress_bar('routines', 'clips') as on_progress:
        while len(actions) < num_clips:
            skills = [SKILLS[i] for i in rng.integers(len(SKILLS), size=SKILLS_EACH)]
            motion, performed = perform_routine(skills, Body.random(rng), Habits.random(rng), rng)
            num_frames = int(motion.duration_sec * FPS)
            joints = motion.posture(np.arange(num_frames) / FPS).joints
            for _ in range(CAMERAS):
                name = f'v{len(videos):05d}'
                camera = look_rotation(rng.uniform(-np.pi, np.pi), rng.uniform(-0.4, 0.1), rng.normal(0, 0.02))
                keypoints = 60 * (joints @ camera.T)[..., :2] + rng.normal(0, 1.5, (num_frames, 17, 2))
                scores = np.ones((num_frames, 17), np.float32)
                poses = PoseSequence(np.arange(num_frames), keypoints.astype(np.float32), scores)
                JointFeature()(poses).save(corpus.teacher_dir('joints') / f'{name}.npz')
                videos.append(VideoInfo(name, '', FPS, num_frames, 640, 480))
                for i, done in enumerate(performed):
                    start, end = round(done.start_sec * FPS), min(round(done.end_sec * FPS), num_frames)
                    label = CLASSES.index(done.skill.name)
                    actions.append(Action(f'{name}_{i}', name, start, end, label, 'train'))
            on_progress(len(actions), num_clips)
    corpus.add_videos(videos)
    save_classes(corpus.classes_path, list(CLASSES))
    save_actions(corpus.actions_path, actions[:num_clips])
    return corpus


def search(corpus: Corpus, table: Path, ranks: int) -> tuple[float, float, int]:
    """Run tools/retrieve.py in ``ranks`` processes; return seconds, CPU seconds of all, peak bytes of one."""
    tool = resource_dir() / 'tools' / 'retrieve.py'
    command = [sys.executable, str(tool), '--corpus', str(corpus.root), '--features', 'joints', *WINDOW]
    command += ['--ks', '1', '10', str(K), '--out', str(table)]
    start, processes = time.perf_counter(), []
    for rank in range(ranks):
        env = {'RANK': str(rank), 'WORLD_SIZE': str(ranks), 'LOCAL_RANK': str(rank)} if ranks > 1 else {}
        processes.append(subprocess.Popen(command, env={**os.environ, **env}))  # noqa: S603
    cpu_seconds, peak = 0.0, 0
    for process in processes:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu_seconds += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss * (1 if sys.platform == 'darwin' else 1024))
    if any(process.returncode for process in processes):
        raise UserError(f'{tool} failed; run the same command again, it resumes')
    return time.perf_counter() - start, cpu_seconds, peak


def compare(corpus: Corpus, table: Path, num_queries: int) -> int:
    """Count the ranks of random queries whose clip or distance differs from a search that compares every pair."""
    from dataclasses import replace

    from vpd_mm.features import Window
    from vpd_mm.retrieve import dtw_matrix, items_to_exclude, load_clips

    rows = defaultdict(list)
    with table.open(newline='') as f:
        for row in csv.DictReader(f):
            rows[row['query']].append(row)
    clips = load_clips(corpus, 'joints', replace(corpus.settings(), window=Window(1, 0.5)))
    gallery = [clip[:, view] for clip in clips.clips for view in range(2)]
    chosen = np.random.default_rng(1).permutation(len(clips))[:num_queries]
    exclude = items_to_exclude([clips.actions[q] for q in chosen], clips.actions)
    different = 0
    for q, left_out in zip(chosen, exclude, strict=True):
        # first all that have a path under the slope limits, then the others without limits
        keys = []
        for pattern in ('symmetricP2', 'symmetric2'):
            distances = dtw_matrix([clips.clips[q][:, 0]], gallery, pattern, fallback=False)[0]
            keys.append(distances.reshape(-1, 2).min(axis=1))
        keys[0][left_out] = keys[1][left_out] = np.inf
        order = np.lexsort((np.where(keys[0] < np.inf, 0, keys[1]), keys[0]))[:K]
        for i, row in zip(order, rows[clips.actions[q].action_id], strict=True):
            distance = keys[0][i] if keys[0][i] < np.inf else keys[1][i]
            different += row['action_id'] != clips.actions[i].action_id or row['distance'] != f'{distance:.6g}'
    return different


def _word(reached: bool) -> str:
    return 'reached' if reached else 'MISSED'
