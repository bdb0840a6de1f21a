"""Errors of the student against the teacher and the ground truth."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from ..errors import UserError
from ..registry import METRICS
from ..teacher import JointFeature


def joint_errors(pose: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the distances (N, 13) of normalized joints (N, 26) to reference joints (N, 26), in torso sizes (0.5)."""
    difference = (pose - reference).reshape(len(pose), -1, 2)
    return np.linalg.norm(difference, axis=-1) / 0.5


@METRICS.register_module()
class DistillMetric(BaseMetric):
    """Squared error, and for 2D joints (D = 26) the errors of the decoded poses.

    Metrics (under ``distill/``):

    - ``sq_error``: squared error to the teacher, summed over dimensions, mean over the frames with score >=
      ``min_score``;
    - ``joint_error``, ``pck``: mean joint distance to the teacher in torso sizes, and share of joints within
      ``pck_thr``, on the same frames;
    - with ground truth, for the frames ``confident`` (score >= ``min_score``) and ``low_confidence`` (below it):
      ``student_error_*``, ``teacher_error_*`` (mean joint distance to the ground truth in torso sizes),
      ``student_pck_*``, ``teacher_pck_*``, ``frames_*``; for frames without a teacher pose ``student_error_lost``,
      ``student_pck_lost``, ``frames_lost``; ``gap_gain`` = 1 - student / teacher error on low-confidence frames.

    Required of data samples: ``decoded``, ``target``, ``score``; optional ``ground_truth``.

    ``min_score`` is the confidence gate of the training, ``pck_thr`` is in torso sizes.
    """

    default_prefix = 'distill'

    def __init__(self, min_score: float = 0.5, pck_thr: float = 0.2, **kwargs) -> None:
        super().__init__(**kwargs)
        self.min_score = min_score
        self.pck_thr = pck_thr

    @property
    def meanings(self) -> list[str]:
        """Explain the numbers (:class:`vpd_mm.engine.training_console.ConsoleHook`)."""
        joints = [
            "joint_error = mean distance of a joint from the teacher's, in torso sizes (hips to shoulders)",
            f"pck = share of the joints within {self.pck_thr:g} torso sizes of the teacher's",
        ]
        has_joints = (self.dataset_meta or {}).get('dims') == JointFeature.dims
        return joints * has_joints + ["sq_error = squared difference to the teacher's targets, summed over dimensions"]

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for batch in data_samples:
            names = [n for n in ('decoded', 'target', 'score', 'ground_truth') if n in batch]
            arrays = {name: batch[name].detach().float().cpu().numpy() for name in names}
            # One result per sample, so that mmengine can drop the samples that pad the last batches.
            self.results += [dict(zip(arrays, sample, strict=True)) for sample in zip(*arrays.values(), strict=True)]

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        joined = {name: np.stack([r[name] for r in results]) for name in results[0]}
        decoded, target, score = joined['decoded'], joined['target'], joined['score']
        confident = (score >= self.min_score) & np.isfinite(target).all(axis=1)
        if not confident.any():
            raise UserError(f'DistillMetric: no frame has a target and a score >= {self.min_score}')
        metrics = {'sq_error': float(((decoded - target)[confident] ** 2).sum(axis=1).mean())}
        dims = JointFeature.dims
        if decoded.shape[1] not in (dims, 2 * dims):
            return metrics
        student, teacher = decoded[:, :dims], target[:, :dims]
        metrics |= self._errors(student[confident], teacher[confident], 'joint_error', 'pck')
        if 'ground_truth' in joined:
            metrics |= self._ground_truth_errors(student, teacher, score, joined['ground_truth'])
        return metrics

    def _errors(self, poses: np.ndarray, reference: np.ndarray, error: str, pck: str) -> dict[str, float]:
        errors = joint_errors(poses, reference)
        return {error: float(errors.mean()), pck: float((errors < self.pck_thr).mean())}

    def _ground_truth_errors(
        self, student: np.ndarray, teacher: np.ndarray, score: np.ndarray, ground_truth: np.ndarray
    ) -> dict[str, float]:
        """Compare student and teacher (N, 26) with the ground truth (N, 26), grouped by the teacher's score (N,)."""
        labeled, has_pose = np.isfinite(ground_truth).all(axis=1), np.isfinite(teacher).all(axis=1)
        metrics: dict[str, float] = {}
        for group, members in (
            ('confident', has_pose & (score >= self.min_score)),
            ('low_confidence', has_pose & (score < self.min_score)),
            ('lost', ~has_pose),
        ):
            chosen = members & labeled
            metrics[f'frames_{group}'] = int(chosen.sum())
            for name, poses in (('student', student), ('teacher', teacher)):
                if chosen.any() and not (name == 'teacher' and group == 'lost'):
                    keys = f'{name}_error_{group}', f'{name}_pck_{group}'
                    metrics |= self._errors(poses[chosen], ground_truth[chosen], *keys)
        if metrics['frames_low_confidence']:
            metrics['gap_gain'] = 1 - metrics['student_error_low_confidence'] / metrics['teacher_error_low_confidence']
        return metrics
