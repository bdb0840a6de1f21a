"""Training data of VIPE*: 3D poses seen by virtual cameras, with simulated errors of a pose estimator (supplement)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from ..engine.deprecation import renamed_arguments
from ..errors import UserError
from ..registry import DATASETS, TASK_UTILS
from .joint_feature import FLIP_ORDER, flip_joints
from .pose_skeleton import MIRROR, Skeleton, vpd_bones
from .vipe_feature import pose_inputs

#: Draws of a different pose of the same sequence before there is none (paper).
NEGATIVE_DRAWS = 10


def draw_cameras(rng: np.random.Generator, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw random cameras that look at the origin from any azimuth, 6 to 40 trunk lengths (3 to 20 m) away.

    Elevation and roll are up to 30 degrees to either side; the inverse of the distance is uniform.  Returns rotations
    (num, 3, 3) and distances (num,).
    """
    azimuth, elevation, roll = (rng.uniform(-limit, limit, num) for limit in np.deg2rad((180.0, 30.0, 30.0)))
    return camera_rotation(azimuth, elevation, roll), 1 / rng.uniform(1 / 40, 1 / 6, num)


def camera_rotation(azimuth: np.ndarray, elevation: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """Return world (z up) to camera (x right, y down, z forward) rotations (N, 3, 3).

    Azimuth (N,) is the position of the camera from +x towards +y, elevation is positive above the horizon, a positive
    roll rotates the image clockwise; all in radians.
    """
    ca, sa, ce, se, cr, sr = (f(angle) for angle in (azimuth, elevation, roll) for f in (np.cos, np.sin))
    forward = -np.stack([ce * ca, ce * sa, se], axis=-1)
    right = np.stack([-sa, ca, np.zeros_like(ca)], axis=-1)
    down = np.cross(forward, right)
    cr, sr = cr[..., None], sr[..., None]
    return np.stack([cr * right - sr * down, sr * right + cr * down, forward], axis=-2)


def project(points: np.ndarray, rotation: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Project world points (N, K, 3) to (N, K, 2) focal lengths, x right, y down.

    The camera has ``rotation`` (N, 3, 3) and ``distance`` (N,) to the origin; depth is at least a tenth of it.
    """
    camera = np.einsum('nij,nkj->nki', rotation, points)
    depth = np.maximum(camera[..., 2] + distance[:, None], 0.1 * distance[:, None])
    return camera[..., :2] / depth[..., None]


class PoseNoise:
    """Add random scores, joint noise and dropped joints to poses.

    Left and right are never swapped, because the embedding must distinguish a pose from its mirror image.

    Args:
        jitter: Range of the standard deviation of joints with score 1, in trunk lengths, drawn once per pose; a joint
            of score s has (3 - 2 s) times that.
        score: Range of the score of joints that are not dropped.
        confident: Share of poses whose joints all have score 1 (as if annotated by hand).
        drop: Probability that a joint is dropped: its score is near 0, its position wrong.
        deprecated: ``sure``, the former name of ``confident``.
    """

    def __init__(
        self,
        jitter: Sequence[float] = (0.0, 0.08),
        score: Sequence[float] = (0.3, 1.0),
        confident: float = 0.2,
        drop: float = 0.05,
        **deprecated: Any,
    ) -> None:
        confident = renamed_arguments('PoseNoise', deprecated, {'sure': 'confident'}).get('confident', confident)
        for name, (low, high) in (('jitter', tuple(jitter)), ('score', tuple(score))):
            if not 0 <= low <= high <= 1:
                raise UserError(f'PoseNoise: {name} must be two rising numbers in 0 to 1, found {(low, high)}')
        if not 0 <= drop < 1 or not 0 <= confident <= 1:
            raise UserError(f'PoseNoise: needs 0 <= drop < 1 and 0 <= confident <= 1, found {drop}, {confident}')
        self.jitter, self.score, self.confident, self.drop = tuple(jitter), tuple(score), confident, drop

    def __call__(
        self, points: np.ndarray, trunk: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return noisy points (N, 13, 2) and scores (N, 13) in [0, 1]; five or more joints per pose are not dropped.

        ``trunk`` (N,) is the length of the trunk seen from the side, in the unit of the exact points.
        """
        num, joints = points.shape[:2]
        scores = rng.uniform(self.score[0], self.score[1], (num, joints))
        scores[rng.random(num) < self.confident] = 1
        sd = rng.uniform(self.jitter[0], self.jitter[1], (num, 1)) * (3 - 2 * scores) * trunk[:, None]
        noisy = points + sd[..., None] * rng.standard_normal(points.shape)
        draw = rng.random((num, joints))
        dropped = (draw < self.drop) & (draw.argsort(axis=1).argsort(axis=1) < joints - 5)
        kept = ~dropped[..., None]
        mean = (noisy * kept).sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True)
        far = noisy + 0.5 * trunk[:, None, None] * rng.standard_normal(points.shape)
        wrong = np.where(rng.random((num, joints, 1)) < 0.3, mean, far)
        low = np.where(rng.random((num, joints)) < 0.5, 0, rng.uniform(0, 0.2, (num, joints)))
        return np.where(kept, noisy, wrong), np.where(dropped, low, scores)


@DATASETS.register_module()
class MultiViewPoseDataset(Dataset):
    """Random 2D views of 3D poses.

    A sample has ``inputs`` (V, 13, 3) float32 and ``data_samples`` with ``target`` (largest num_bones, 7) padded with
    zeros, ``bones`` (12, 3), ``skeleton`` (number) and ``joints3d`` (13, 3) facing +x, hips at the origin, trunk
    length 1.

    With a plain index the pose and its views depend on seed and index only (validation, test).  A sampler that yields
    (index, draw) trains: the first draw number of a batch determines all of it.  Each source has its share of the
    batch; a sequence of the source, a pose of the sequence and whether it is mirrored are drawn evenly (paper).

    Args:
        skeletons: Name to arguments of :class:`Skeleton`; the same as of the model.
        sources: dict(skeleton=name, source=dict(type=...), draws=...) each; a source is a component of ``TASK_UTILS``
            whose ``poses()`` returns (T, K, 3) joints, z up, of each sequence; ``draws`` is its share of a batch
            relative to the other sources, default: its number of poses.
        num_views: V, number of cameras per pose.
        noise: Arguments of :class:`PoseNoise`; None: exact joints with score 1.
        projected: Share of views that are parallel projections with exact joints and scores of 0.5 to 1, the camera
            augmentation of the published code.
        negatives: In training add a view of another pose of the same sequence (V + 1), mirrored or not, in which a bone
            differs by more than 45 degrees; ``different`` is False if ten draws gave none (paper).
        twins: In training make every second pose of a batch the mirror image of the one before it: its views are the
            mirrored views in reverse order.
        seed: Seed of the views.

    Raises UserError: no source, an unknown skeleton, poses of another skeleton, or not finite.
    """

    def __init__(
        self,
        skeletons: dict[str, dict],
        sources: Sequence[dict],
        num_views: int = 2,
        noise: dict | None = None,
        projected: float = 0.0,
        negatives: bool = False,
        twins: bool = False,
        seed: int = 0,
    ) -> None:
        if not sources:
            raise UserError('MultiViewPoseDataset: needs at least one source')
        self.noise = None if noise is None else PoseNoise(**noise)
        self.num_views, self.projected, self.negatives, self.twins = num_views, projected, negatives, twins
        self.seed = seed
        kinds = {name: Skeleton(**skeleton) for name, skeleton in skeletons.items()}
        rows = max(kind.num_bones for kind in kinds.values())
        joints, targets, numbers, lengths, draws = [], [], [], [], []
        for entry in sources:
            name = entry['skeleton']
            if name not in kinds:
                raise UserError(f'MultiViewPoseDataset: no skeleton {name!r}; there are {", ".join(kinds)}')
            source, kind = TASK_UTILS.build(entry['source']), kinds[name]
            sequences = source.poses()
            poses = np.concatenate(sequences, dtype=np.float64)
            kind.check(poses, source.origin)
            forward = kind.face_forward(poses)
            joints.append(kind.vpd(forward).astype(np.float32))
            both = np.stack([kind.target(forward), kind.target(forward, mirrored=True)])
            targets.append(np.pad(both, ((0, 0), (0, 0), (0, rows - kind.num_bones), (0, 0))))
            numbers.append(np.full(len(poses), list(kinds).index(name)))
            lengths.append(np.array([len(sequence) for sequence in sequences if len(sequence)]))
            draws.append(entry.get('draws', len(poses)))
        # Row N + i is the mirror image of pose i.
        poses = np.concatenate(joints)
        self.joints = np.concatenate([poses, poses[:, FLIP_ORDER] * MIRROR.astype(np.float32)])
        self.targets = np.concatenate(targets, axis=1).reshape(-1, rows, 7)
        self.numbers = np.tile(np.concatenate(numbers), 2)
        self.lengths = np.concatenate(lengths)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.shares = np.cumsum(draws) / np.sum(draws)
        self.num_sequences = np.array([len(part) for part in lengths])

    def __len__(self) -> int:
        return len(self.joints) // 2

    def summary(self) -> list[str]:
        """Describe the samples in a line for people."""
        return [f'{len(self)} poses of {self.num_sequences.sum()} sequences, {self.num_views} views each']

    def __getitem__(self, item: int | tuple[int, int]) -> dict:
        return self.__getitems__([item])[0]

    def __getitems__(self, items: Sequence[int | tuple[int, int]]) -> list[dict]:
        """Return the samples of a batch."""
        extra: dict[str, np.ndarray] = {}
        if isinstance(items[0], tuple):
            index, inputs, extra = self._draw(len(items), np.random.default_rng([self.seed, items[0][1]]))
        else:
            index = np.array(items)
            parts = [self.render(index[i : i + 1], np.random.default_rng([self.seed, n])) for i, n in enumerate(index)]
            inputs = np.concatenate(parts)
        joints = self.joints[index]
        columns = {'target': self.targets[index], 'bones': vpd_bones(joints), 'skeleton': self.numbers[index]}
        columns |= {'joints3d': joints, **extra}
        return [
            {'inputs': views, 'data_samples': {name: values[i] for name, values in columns.items()}}
            for i, views in enumerate(inputs)
        ]

    def _draw(self, num: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Draw the training poses (num,), their inputs and further columns of the samples."""
        source = np.searchsorted(self.shares, (np.arange(num) + rng.random()) / num, side='right')
        first = (np.cumsum(self.num_sequences) - self.num_sequences)[source]
        sequence = first + rng.integers(self.num_sequences[source])
        index = self._poses_of(sequence, rng)
        pairs = index[: num // 2 * 2] if self.twins else index[:0]
        pairs[1::2] = (pairs[::2] + len(self)) % len(self.joints)
        inputs = self.render(index, rng)
        # The mirror image of a view is the hardest different pose.
        inputs[1 : len(pairs) : 2] = flip_joints(inputs[: len(pairs) : 2])[:, ::-1]
        if not self.negatives:
            return index, inputs, {}
        others = self._poses_of(np.repeat(sequence[:, None], NEGATIVE_DRAWS, axis=1), rng)
        bones, other_bones = self.targets[index, None, :, :3], self.targets[others][..., :3]
        present = (bones**2).sum(-1) * (other_bones**2).sum(-1) > 0.5
        good = (((bones * other_bones).sum(-1) <= np.cos(np.pi / 4)) & present).any(-1)
        negative = others[np.arange(num), good.argmax(axis=1)]
        inputs = np.concatenate([inputs, self.render(negative, rng)[:, :1]], axis=1)
        return index, inputs, {'different': good.any(axis=1)}

    def _poses_of(self, sequence: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a pose of each sequence, mirrored or not."""
        return (
            self.starts[sequence]
            + rng.integers(self.lengths[sequence])
            + len(self) * rng.integers(2, size=sequence.shape)
        )

    def render(self, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the network inputs (N, V, 13, 3) float32 of the poses (N,)."""
        rotation, distance = draw_cameras(rng, len(index) * self.num_views)
        parallel = rng.random(len(distance)) < self.projected if self.projected else np.zeros(len(distance), bool)
        distance[parallel] = 1e6
        exact = project(np.repeat(self.joints[index], self.num_views, axis=0), rotation, distance)
        points, scores = exact, np.ones(exact.shape[:2])
        if self.noise is not None:
            points, scores = self.noise(points, 1 / distance, rng)
        if parallel.any():
            points = np.where(parallel[:, None, None], exact, points)
            scores = np.where(parallel[:, None], rng.uniform(0.5, 1, scores.shape), scores)
        return pose_inputs(points, scores).reshape(len(index), self.num_views, 13, 3)
