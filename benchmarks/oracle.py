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
    from mmengine.config import Config

    from vpd_mm.engine.paths import find_config
    from vpd_mm.experiments.few_shot_grid import GridRun, run_grid, summarize
    from vpd_mm.features.corpus_config import adapt_config

    cfg = adapt_config(Config.fromfile(find_config(CONFIG)), str(corpus.root), features=f'teacher/{features}')
    cfg.log_level = 'ERROR'
    runs = [GridRun(None, 0, seed) for seed in range(seeds)]
    rows = run_grid(cfg, 'oracle', runs, corpus.root / 'runs' / features, jobs=jobs)
    return float(summarize(rows)[0]['top1_mean'])
