"""Cross-view pose retrieval (protocol of Pr-VIPE; Sun et al., ECCV 2020)."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from mmengine.evaluator import BaseMetric
from scipy.spatial.distance import cdist

from ..errors import UserError
from ..registry import METRICS
from .joint_feature import FLIP_ORDER, HIPS, SHOULDERS
from .pose_skeleton import MIRROR


def aligned_error(pose: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Compute the mean joint error (...,) after Procrustes alignment (N-P-MPJPE), in trunk lengths of the reference.

    ``pose`` (..., 13, 3) is aligned to ``reference`` by rotation, scale and translation, never mirrored.
    """
    trunk = np.linalg.norm(reference[..., SHOULDERS, :].mean(-2) - reference[..., HIPS, :].mean(-2), axis=-1)
    a = pose - pose.mean(-2, keepdims=True)
    b = (reference - reference.mean(-2, keepdims=True)) / np.maximum(trunk, 1e-9)[..., None, None]
    u, s, vt = np.linalg.svd(np.swapaxes(a, -1, -2) @ b)
    sign = np.sign(np.linalg.det(u @ vt))
    s = s * np.stack([np.ones_like(sign), np.ones_like(sign), sign], axis=-1)
    u[..., -1] *= sign[..., None]
    scale = s.sum(-1) / np.maximum((a**2).sum((-1, -2)), 1e-12)
    return np.linalg.norm(scale[..., None, None] * (a @ (u @ vt)) - b, axis=-1).mean(-1)


@METRICS.register_module()
class ViewRetrievalMetric(BaseMetric):
    """Hit@k across cameras for the embedding and for normalized 2D joints, and chirality.

    For every ordered pair of cameras, each pose in the first is a query and all poses in the second are the gallery,
    ranked by Euclidean distance.  Hit@k is the share of queries with a correct item among the first k, mean over the
    pairs, for the ``ks`` up to the number of poses.  An item is correct if its ``joints3d`` are within ``max_error`` of
    the query's (:func:`aligned_error`), or, without 3D joints, if it is of the same ``video`` and its ``moment`` is at
    most ``tolerance`` frames away.

    Metrics (under ``view/``):

    - ``hit@k``, ``joints_hit@k``: of embeddings and of normalized 2D joints (26 numbers); ``gain``: ratio of hit@1;
    - ``chirality``: share of (pose, ordered pair of cameras) in which the mirrored view is farther from a view than
      the other view is.  With 3D joints, only over poses that differ from their mirror image by more than
      ``max_error`` (their share is ``chiral_share``); ``chirality_all``: over all poses.

    Raises UserError: fewer than two cameras or poses.
    """

    default_prefix = 'view'
    meanings = ('hit@k = share of the views for which one of the k nearest poses from another camera is the same pose',)
    ks = (1, 5, 10, 20)
    max_error = 0.1  # trunk lengths
    tolerance = 2  # frames

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for batch in data_samples:
            names = ('embedding', 'mirrored', 'inputs', 'joints3d', 'moment', 'video')
            arrays = {name: batch[name].detach().cpu().numpy() for name in names if name in batch}
            # One result per sample, so that mmengine can drop the samples that pad the last batches.
            self.results += [dict(zip(arrays, sample, strict=True)) for sample in zip(*arrays.values(), strict=True)]

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        data = {name: np.stack([r[name] for r in results]) for name in results[0]}
        embedding = data['embedding'].astype(np.float64)
        num, views = embedding.shape[:2]
        if num < 2 or views < 2:
            raise UserError(f'ViewRetrievalMetric: needs 2 or more cameras and poses, found {views} and {num}')
        plain = data['inputs'][..., :2].reshape(num, views, -1).astype(np.float64)
        metrics = {
            f'{prefix}hit@{k}': hit
            for prefix, features in (('', embedding), ('joints_', plain))
            for k, hit in self.hits(features, data).items()
        }
        metrics['gain'] = metrics[f'hit@{self.ks[0]}'] / max(metrics[f'joints_hit@{self.ks[0]}'], 1e-9)
        kept = mirrors_apart(embedding, data['mirrored'].astype(np.float64))
        if 'joints3d' not in data:
            return metrics | {'chirality': float(kept.mean())}
        joints = data['joints3d'].astype(np.float64)
        chiral = aligned_error(joints[:, FLIP_ORDER] * MIRROR, joints) > self.max_error
        metrics |= {'chiral_share': float(chiral.mean()), 'chirality_all': float(kept.mean())}
        if chiral.any():
            metrics['chirality'] = float(kept[:, chiral].mean())
        return metrics

    def hits(self, features: np.ndarray, data: dict[str, np.ndarray]) -> dict[int, float]:
        """Compute Hit@k of features (N, V, D)."""
        num, views = features.shape[:2]
        ks = [k for k in self.ks if k <= num]
        shares = []
        for a, b in permutations(range(views), 2):
            ranked = cdist(features[:, a], features[:, b]).argsort(axis=1, kind='stable')[:, : max(ks)]
            right = self.right(ranked, data)
            shares.append([right[:, :k].any(axis=1).mean() for k in ks])
        return {k: float(np.mean(values)) for k, values in zip(ks, zip(*shares))}

    def right(self, ranked: np.ndarray, data: dict[str, np.ndarray]) -> np.ndarray:
        """Return (N, k) bool, True for correct items of the ranked rows (N, k)."""
        if 'joints3d' in data:
            joints = data['joints3d'].astype(np.float64)
            queries = np.broadcast_to(joints[:, None], (*ranked.shape, 13, 3))
            return aligned_error(joints[ranked], queries) <= self.max_error
        moment, video = data['moment'], data['video']
        near = abs(moment[ranked] - moment[:, None]) <= self.tolerance
        return near & (video[ranked] == video[:, None])


def mirrors_apart(embedding: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Return (pairs of cameras, N) bool, True if the mirrored view is farther than the other view."""
    own = np.linalg.norm(embedding - mirrored, axis=-1)
    pairs = permutations(range(embedding.shape[1]), 2)
    return np.stack([own[:, a] > np.linalg.norm(embedding[:, a] - embedding[:, b], axis=-1) for a, b in pairs])
