"""Training data of VIPE*: 3D poses seen by virtual cameras, with simulated errors of a pose estimator (supplement)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from ..engine.deprecation import renamed_arguments
from ..errors import UserError
from ..registry import DATASETS, TASK_UTILS
from .joint_feature import FLIP_ORDER, flip_joints
from .pose_skeleton import MIRROR, Skeleton, face_forward, vpd_bones
from .vipe_feature import pose_inputs


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

    A sample has ``inputs`` (V, 13, 3) float32 and ``data_samples`` with ``target`` (largest target_dims,) padded with
    zeros, ``bones`` (12, 3), ``skeleton`` (number) and ``joints3d`` (13, 3) facing +x, hips at the origin, trunk
    length 1.

    Args:
        skeletons: Name to arguments of :class:`Skeleton`; the same as of the model.
        sources: dict(skeleton=name, source=dict(type=...)) each; a source is a component of ``TASK_UTILS`` whose
            ``poses()`` returns (N, K, 3) joints, z up.
        num_views: V, number of cameras per pose.
        noise: Arguments of :class:`PoseNoise`; None: exact joints with score 1.
        twins: Add the mirror images of all poses (index N / 2 + i mirrors i), and make every second pose of a drawn
            batch the mirror image of the one before it: its views are the mirrored views in reverse order.
        seed: With a plain index the views depend on seed and index only (validation, test); a sampler that yields
            (index, draw) gives new views at every draw.

    Raises UserError: no source, an unknown skeleton, poses of another skeleton, or not finite.
    """

    def __init__(
        self,
        skeletons: dict[str, dict],
        sources: Sequence[dict],
        num_views: int = 2,
        noise: dict | None = None,
        twins: bool = False,
        seed: int = 0,
    ) -> None:
        if not sources:
            raise UserError('MultiViewPoseDataset: needs at least one source')
        self.noise = None if noise is None else PoseNoise(**noise)
        self.num_views, self.twins, self.seed = num_views, twins, seed
        kinds = {name: Skeleton(**skeleton) for name, skeleton in skeletons.items()}
        width = max(kind.target_dims for kind in kinds.values())
        joints, targets, numbers = [], [], []
        for entry in sources:
            name = entry['skeleton']
            if name not in kinds:
                raise UserError(f'MultiViewPoseDataset: no skeleton {name!r}; there are {", ".join(kinds)}')
            source, kind = TASK_UTILS.build(entry['source']), kinds[name]
            poses = np.asarray(source.poses(), np.float64)
            kind.check(poses, source.origin)
            forward = face_forward(poses, kind.vpd(poses))
            joints.append(kind.vpd(forward).astype(np.float32))
            made = [kind.target(forward, mirrored) for mirrored in ((False, True) if twins else (False,))]
            targets.append(np.pad(np.stack(made), ((0, 0), (0, 0), (0, width - kind.target_dims))))
            numbers.append(np.full(len(poses), list(kinds).index(name)))
        self.joints, self.numbers = np.concatenate(joints), np.concatenate(numbers)
        self.targets = np.concatenate(targets, axis=1).reshape(-1, width)
        if twins:
            self.joints = np.concatenate([self.joints, self.joints[:, FLIP_ORDER] * MIRROR.astype(np.float32)])
            self.numbers = np.concatenate([self.numbers, self.numbers])
        self.bones = vpd_bones(self.joints).astype(np.float32)

    def __len__(self) -> int:
        return len(self.joints)

    def __getitem__(self, item: int | tuple[int, int]) -> dict:
        return self.__getitems__([item])[0]

    def __getitems__(self, items: Sequence[int | tuple[int, int]]) -> list[dict]:
        """Return the samples of a batch, whose views are drawn by the first draw number."""
        index = np.array([item[0] if isinstance(item, tuple) else item for item in items])
        if isinstance(items[0], tuple):
            if self.twins:
                pairs = index[: len(index) // 2 * 2]
                pairs[1::2] = (pairs[::2] + len(self) // 2) % len(self)
            inputs = self.render(index, np.random.default_rng([self.seed, items[0][1]]))
            if self.twins:
                # The mirror image of a view is the hardest different pose.
                inputs[1 : len(pairs) : 2] = flip_joints(inputs[: len(pairs) : 2])[:, ::-1]
        else:
            parts = [self.render(index[i : i + 1], np.random.default_rng([self.seed, n])) for i, n in enumerate(index)]
            inputs = np.concatenate(parts)
        columns = {'target': self.targets, 'bones': self.bones, 'skeleton': self.numbers, 'joints3d': self.joints}
        return [
            {'inputs': views, 'data_samples': {name: values[i] for name, values in columns.items()}}
            for i, views in zip(index, inputs, strict=True)
        ]

    def render(self, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the network inputs (N, V, 13, 3) float32 of the poses (N,)."""
        rotation, distance = draw_cameras(rng, len(index) * self.num_views)
        points = project(np.repeat(self.joints[index], self.num_views, axis=0), rotation, distance)
        scores = np.ones(points.shape[:2])
        if self.noise is not None:
            points, scores = self.noise(points, 1 / distance, rng)
        return pose_inputs(points, scores).reshape(len(index), self.num_views, 13, 3)
