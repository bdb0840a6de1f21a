"""Is the synthetic task fair?  The BiGRU on true joints must solve it, on the teacher's joints clearly less."""

import shutil
import tempfile
from pathlib import Path

from vpd_mm.corpus import Corpus
from vpd_mm.errors import UserError

#: Of the true joints, in percent.
GOAL_TRUTH = 90.0
CONFIG = 'configs/recognize/bigru_fast.py'
_TRUTH, _TEACHER = 'truth', 'joints'


def oracle(sport: Path, poses: str, seeds: int = 1, jobs: int = 1) -> dict[str, float]:
    """Top-1 (percent, full training split, mean of the seeds) on true normalised joints and on the teacher's.

    Args:
        sport: A corpus of ``make-sport`` with training films and poses of a teacher.
        poses: Pose set of the teacher.
        seeds: Runs of each.
        jobs: Processes side by side.

    Raises:
        UserError: the corpus has no truth, or no such poses.
    """
    from vpd_mm.features.pose_features import joint_features

    corpus = Corpus.open(sport)
    truth_dir = corpus.root / 'ground_truth' / 'poses'
    if not truth_dir.is_dir():
        raise UserError(f'{truth_dir}: no such folder; make the corpus with tools/demo.py make-sport')
    if poses not in corpus.pose_names():
        known = ', '.join(corpus.pose_names()) or 'none'
        raise UserError(f'{corpus.root}: no pose set {poses!r}, only {known}; run tools/prepare.py with --poses')
    with tempfile.TemporaryDirectory() as folder:
        # The truth stays apart: what trains on it is a copy that goes away.
        copy = Corpus.create(Path(folder) / 'oracle', corpus.name, corpus.sport)
        shutil.copy(corpus.videos_path, copy.videos_path)
        shutil.copytree(corpus.actions_path.parent, copy.actions_path.parent)
        for name, source in ((_TRUTH, truth_dir), (_TEACHER, corpus.poses_dir(poses))):
            shutil.copytree(source, copy.poses_dir(name))
            joint_features(copy, name, name)
        return {
            'oracle: top-1 on true joints, %': _top1(copy, _TRUTH, seeds, jobs),
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
