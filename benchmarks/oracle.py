"""Upper bound of the synthetic task: the BiGRU must solve it on true joints, and do worse on the teacher's joints."""

import shutil
import tempfile
from pathlib import Path

from vpd_mm.corpus import Corpus
from vpd_mm.errors import UserError

#: Top-1 on true joints, in percent.
GOAL_TRUE_JOINTS = 90.0
CONFIG = 'configs/recognize/bigru_fast.py'
_TRUE_JOINTS, _TEACHER = 'truth', 'joints'


def oracle(sport: Path, poses: str, seeds: int = 1, jobs: int = 1) -> dict[str, float]:
    """Return top-1 (percent, full training split, mean of the seeds) on true normalised joints and on the teacher's.

    Args:
        sport: A corpus of ``make-sport`` with training videos and poses of a teacher.
        poses: Pose set of the teacher.
        seeds: Runs on each.
        jobs: Parallel processes.

    Raises:
        UserError: the corpus has no ground truth, or no such poses.
    """
    from vpd_mm.features.pose_features import joint_features

    corpus = Corpus.open(sport)
    ground_truth_dir = corpus.root / 'ground_truth' / 'poses'
    if not ground_truth_dir.is_dir():
        raise UserError(f'{ground_truth_dir}: no such folder; make the corpus with tools/make_synthetic.py sport')
    if poses not in corpus.pose_names():
        known = ', '.join(corpus.pose_names()) or 'none'
        raise UserError(f'{corpus.root}: no pose set {poses!r}, only {known}; run tools/prepare.py with --poses')
    with tempfile.TemporaryDirectory() as folder:
        # Training must not use the ground truth of the corpus: a temporary copy holds it.
        copy = Corpus.create(Path(folder) / 'oracle', corpus.name, corpus.sport)
        shutil.copy(corpus.videos_path, copy.videos_path)
        shutil.copytree(corpus.actions_path.parent, copy.actions_path.parent)
        for name, source in ((_TRUE_JOINTS, ground_truth_dir), (_TEACHER, corpus.poses_dir(poses))):
            shutil.copytree(source, copy.poses_dir(name))
            joint_features(copy, name, name)
        return {
            'oracle: top-1 on true joints, %': _top1(copy, _TRUE_JOINTS, seeds, jobs),
            "oracle: top-1 on the teacher's joints, %": _top1(copy, _TEACHER, seeds, jobs),
        }


def _top1(corpus: Corpus, features: str, seeds: int, jobs: int) -> float:
    from vpd_mm.experiments import Method, RunStore, few_shot_spec, plan_runs, run_missing

    method = Method('oracle', config=CONFIG, features=f'teacher/{features}', options={'log_level': 'ERROR'})
    plan = plan_runs(few_shot_spec(method, str(corpus.root), ['all'], all_seeds=seeds))
    store = RunStore(corpus.root / 'experiments' / 'runs')
    errors = [*plan.problems.values(), *run_missing(plan.runs, store, jobs=jobs).values()]
    if errors:
        raise UserError(errors[0])
    return round(float(store.to_frame(plan.runs)['top1'].mean()), 2)
