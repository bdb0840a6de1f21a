"""Repair of poses against ground truth, on videos of one split; exit status 1 where a goal is missed.

Noise levels are measured on the videos of the other splits.  Its CPU time is compared with that of the extraction of
features.  Nothing is written.

benchmark.py repair runs/demo/corpus --ground-truth runs/demo/sport/ground_truth/poses --poses teacher --student RUN
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from vpd_mm.corpus import Corpus, CropStore
from vpd_mm.distill.crop_dataset import videos_of_splits
from vpd_mm.engine.cli import ToolParser
from vpd_mm.engine.model_files import find_one_trained, read_trained_config
from vpd_mm.engine.model_zoo import pick_device
from vpd_mm.errors import UserError
from vpd_mm.features.feature_extractor import FeatureExtractor, build_extractor
from vpd_mm.files import list_folder
from vpd_mm.repair import Observations, calibrate, repair
from vpd_mm.repair.corpus_repair import observe_video, repair_video, trained_frames
from vpd_mm.repair.placement import calibrate_placement
from vpd_mm.structures import VPD_JOINTS, FeatureSequence, PoseSequence, rows_of
from vpd_mm.teacher import normalize_joints

#: Least part of the teacher's error that repair removes where the teacher's score is below ``LOW``.
GOAL, LOW = 0.45, 0.5
#: Largest CPU time of repair relative to that of feature extraction.
COST_GOAL = 0.1


def run(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table; returns 1 where a goal is missed."""
    parser = ToolParser(__doc__, prog='benchmark.py repair')
    parser.add_argument('corpus', type=Path, help='corpus with crops and poses')
    parser.add_argument('--ground-truth', type=Path, required=True, help='folder of the true poses, <video>.npz')
    parser.add_argument('--poses', required=True, help='pose set of the teacher')
    parser.add_argument('--student', required=True, help='run folder or CONFIG:CHECKPOINT, as tools/repair_poses.py')
    parser.add_argument('--split', default='test', help='videos that are measured (default: test)')
    parser.add_argument('--device', default='auto', help='cpu, cuda, cuda:1; auto = a GPU where there is one')
    args = parser.parse_args(argv)
    corpus = Corpus.open(args.corpus)
    store, known = CropStore(corpus.crops_dir), {path.stem: path for path in list_folder(args.ground_truth, '*.npz')}
    own = videos_of_splits(corpus, store.videos(), [args.split])
    videos = [v for v in own if v in known]
    if not videos:
        raise UserError(f'{args.ground_truth}: no ground truth of a video of split {args.split!r} of {corpus.root}')
    config, checkpoint = find_one_trained(args.student, 'student')
    cfg, device = read_trained_config(config, checkpoint), pick_device(args.device)
    extractor = build_extractor(cfg, checkpoint, device=device)
    measured = [v for v in store.videos() if corpus.pose_path(args.poses, v).is_file()]
    trained = trained_frames(extractor, cfg, corpus, checkpoint, measured)
    start = time.process_time()
    features = dict(extractor.extract_all(store, measured))
    extracted = time.process_time() - start
    repair_videos(corpus, store, args.poses, extractor, {v: features[v] for v in measured[:1]}, trained)  # compiles
    start = time.process_time()
    observed = repair_videos(corpus, store, args.poses, extractor, features, trained)
    cost = (time.process_time() - start) / extracted
    noise = calibrate([poses for video, poses in observed.items() if video not in own])
    parts, errors = [], []
    for video in videos:
        poses, inds = observed[video], store.header(video).frame_inds
        repaired, truth = repair(poses, noise), joints_of(PoseSequence.load(known[video]), inds)
        joints = {'teacher': poses.teacher, 'student': poses.student, 'repaired': repaired.joints}
        parts.append(frame_table(truth, joints, poses.scores))
        errors.append(np.abs(repaired.joints - truth) / np.sqrt(repaired.variances)[..., None])
    frames = pd.concat(parts)
    print(f'\nmean joint error, torsos, {len(videos)} videos of split {args.split}\n\n{to_markdown(frames)}\n')
    within = np.concatenate(errors)
    within = within[np.isfinite(within)]
    print(f'errors within one standard deviation: {(within < 1).mean():.0%}, within two: {(within < 2).mean():.0%}')
    low = frames[frames.score < LOW]
    if not len(low):
        raise UserError(
            f'{args.split}: the teacher has no pose with a score below {LOW:g}; there is nothing to measure'
        )
    removed = 1 - low.repaired.mean() / low.teacher.mean()
    reached = removed >= GOAL
    within_cost = 'reached' if cost <= COST_GOAL else 'MISSED'
    print(
        f'CPU time of repair: {cost:.1%} of that of feature extraction, {sum(map(len, features.values())):,} frames; '
        f'goal at most {COST_GOAL:.0%}: {within_cost}'
    )
    print(
        f"teacher's score < {LOW:g}: error {removed:.1%} below the teacher's (the student's alone: "
        f'{1 - low.student.mean() / low.teacher.mean():.1%}); goal {GOAL:.0%}: {"reached" if reached else "MISSED"}'
    )
    return 0 if reached and cost <= COST_GOAL else 1


def repair_videos(
    corpus: Corpus,
    store: CropStore,
    poses: str,
    extractor: FeatureExtractor,
    features: Mapping[str, FeatureSequence],
    trained: Mapping[str, np.ndarray],
) -> dict[str, Observations]:
    """Do what ``tools/repair_poses.py`` does after the extraction, without writing; returns the normalised poses."""
    videos = {
        video: observe_video(corpus, store, poses, video, extractor, own, trained[video])
        for video, own in features.items()
    }
    noise = calibrate([video.poses for video in videos.values()])
    of_placement = calibrate_placement([(v.placement, v.poses.confident, v.poses.steps) for v in videos.values()])
    for name, own in features.items():
        observed = partial(observe_video, corpus, store, poses, name, extractor, own, trained[name])
        repair_video(observed, len(own), noise, of_placement)
    return {name: video.poses for name, video in videos.items()}


def joints_of(sequence: PoseSequence, frame_inds: np.ndarray) -> np.ndarray:
    """Return the normalised joints (T, 13, 2) of frames, NaN where the sequence has no pose."""
    rows = rows_of(sequence.frame_inds, frame_inds)
    joints = normalize_joints(sequence.keypoints[:, VPD_JOINTS].astype(float))[rows]
    return np.where((rows < 0)[:, None, None], np.nan, joints)


def frame_table(truth: np.ndarray, joints: Mapping[str, np.ndarray], scores: np.ndarray) -> pd.DataFrame:
    """Return the teacher's score (NaN: no pose) and the mean joint error of each source, torsos, a row per frame.

    Args:
        truth: (T, 13, 2) normalised.
        joints: Source to joints (T, 13, 2), NaN where it has no pose.
        scores: (T,).
    """
    errors = {name: 2 * np.linalg.norm(own - truth, axis=-1).mean(axis=1) for name, own in joints.items()}
    return pd.DataFrame({'score': scores, **errors})


def to_markdown(frames: pd.DataFrame) -> str:
    """Return the table of mean errors by the teacher's score."""
    rows = {
        'teacher has a pose': frames.score >= 0,
        f"teacher's score >= {LOW:g}": frames.score >= LOW,
        f"teacher's score < {LOW:g}": frames.score < LOW,
        'teacher has no pose': frames.score.isna(),
    }
    names = ('teacher', 'student', 'repaired')
    lines = [f'| frames | n | {" | ".join(names)} |', '|---' * 5 + '|']
    for title, chosen in rows.items():
        own = frames[chosen]
        cells = ('-' if own[name].isna().all() else f'{own[name].mean():.3f}' for name in names)
        lines.append(f'| {title} | {len(own):,} | {" | ".join(cells)} |')
    return '\n'.join(lines)
