"""How well the student says what the teacher says, and what is true."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from ..errors import UserError
from ..registry import METRICS
from ..teacher import JointFeature

#: Normalised poses have a torso (largest distance among shoulders and hips) of 0.5.
TORSO = 0.5


def joint_errors(pose: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(N, 26) normalised joints against (N, 26): (N, 13) distances in torso sizes."""
    difference = (pose - reference).reshape(len(pose), -1, 2)
    return np.linalg.norm(difference, axis=-1) / TORSO


@METRICS.register_module()
class DistillMetric(BaseMetric):
    """Squared error, and for 2D joints the decoded poses.

    Keys (all under ``distill/``):

    - ``sq_error``: squared error to the teacher, summed over dimensions, mean
      over the frames with score >= ``min_score``;
    - ``joint_error``, ``pck``: mean distance of the decoded joints to the
      teacher's, in torso sizes, and share of joints within 0.2 torso, on the same frames (D = 26 only);
    - with truth, for the frames ``sure`` (score >= ``min_score``) and ``unsure``
      (below, but the teacher has a pose): ``student_error_*``,
      ``teacher_error_*`` (mean joint distance to the truth in torso sizes),
      ``student_pck_*``, ``teacher_pck_*``, ``frames_*``; for frames where the teacher has none
      ``student_error_lost``, ``frames_lost``; and ``gap_gain`` = 1 - student / teacher error on
      the unsure frames.

    Args:
        min_score: The gate of the training.
        pck_thr: In torso sizes.
    """

    default_prefix = 'distill'

    def __init__(self, min_score: float = 0.5, pck_thr: float = 0.2, **kwargs) -> None:
        super().__init__(**kwargs)
        self.min_score = min_score
        self.pck_thr = pck_thr

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for batch in data_samples:
            names = [n for n in ('decoded', 'target', 'score', 'truth') if n in batch]
            found = {name: batch[name].detach().float().cpu().numpy() for name in names}
            # one entry a sample: of these, mmengine drops what a sampler repeats to fill up the processes
            self.results += [dict(zip(found, sample, strict=True)) for sample in zip(*found.values(), strict=True)]

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        joined = {name: np.stack([r[name] for r in results]) for name in results[0]}
        decoded, target, score = joined['decoded'], joined['target'], joined['score']
        known = np.isfinite(target).all(axis=1)
        sure = (score >= self.min_score) & known
        if not sure.any():
            raise UserError(f'DistillMetric: no frame has a target and a score >= {self.min_score}')
        metrics = {'sq_error': float(((decoded - target)[sure] ** 2).sum(axis=1).mean())}
        dims = JointFeature.dims
        if decoded.shape[1] not in (dims, 2 * dims):
            return metrics
        student, teacher = decoded[:, :dims], target[:, :dims]
        errors = joint_errors(student[sure], teacher[sure])
        metrics |= {'joint_error': float(errors.mean()), 'pck': float((errors < self.pck_thr).mean())}
        if 'truth' in joined:
            metrics |= self.against_truth(student, teacher, score, joined['truth'])
        return metrics

    def against_truth(
        self, student: np.ndarray, teacher: np.ndarray, score: np.ndarray, truth: np.ndarray
    ) -> dict[str, float]:
        """Errors of student and teacher (N, 26) to the truth (N, 26), split by the teacher's score (N,)."""
        true, posed = np.isfinite(truth).all(axis=1), np.isfinite(teacher).all(axis=1)
        metrics: dict[str, float] = {}
        groups = {'sure': posed & (score >= self.min_score), 'unsure': posed & (score < self.min_score), 'lost': ~posed}
        for group, members in groups.items():
            members = members & true
            metrics[f'frames_{group}'] = int(members.sum())
            if not members.any():
                continue
            for who, pose in (('student', student), ('teacher', teacher)):
                if who == 'teacher' and group == 'lost':
                    continue
                errors = joint_errors(pose[members], truth[members])
                metrics[f'{who}_error_{group}'] = float(errors.mean())
                metrics[f'{who}_pck_{group}'] = float((errors < self.pck_thr).mean())
        if metrics['frames_unsure']:
            metrics['gap_gain'] = 1 - metrics['student_error_unsure'] / metrics['teacher_error_unsure']
        return metrics
