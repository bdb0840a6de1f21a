"""3D poses of several sources seen by virtual cameras (paper, supplement)."""

from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from ..errors import UserError
from ..registry import DATASETS, TASK_UTILS
from .joint_feature import FLIP_ORDER
from .pose_noise import PoseNoise
from .pose_skeleton import MIRROR, Skeleton, face_forward, vpd_bones
from .view_camera import ViewCamera, project
from .vipe_feature import mirror_views, pose_inputs


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
        camera: Arguments of :class:`ViewCamera`.
        noise: Arguments of :class:`PoseNoise`; None: exact joints with score 1.
        twins: Add the mirror images of all poses (index N / 2 + i mirrors i), and make every second pose of a drawn
            batch the mirror image of the one before it: its views are the mirrored views in reverse order.
        seed: With a plain index the views depend on seed and index only (validation, test); a sampler that yields
            (index, draw) gives new views at every draw.

    Raises:
        UserError: no source, an unknown skeleton, poses of another skeleton, or not finite.
    """

    def __init__(
        self,
        skeletons: dict[str, dict],
        sources: Sequence[dict],
        num_views: int = 2,
        camera: dict | None = None,
        noise: dict | None = None,
        twins: bool = False,
        seed: int = 0,
    ) -> None:
        if not sources:
            raise UserError('MultiViewPoseDataset: needs at least one source')
        self.camera = ViewCamera(**(camera or {}))
        self.noise = None if noise is None else PoseNoise(**noise)
        self.num_views, self.twins, self.seed = num_views, twins, seed
        names = list(skeletons)
        kinds = {name: Skeleton(**skeleton) for name, skeleton in skeletons.items()}
        width = max(kind.target_dims for kind in kinds.values())
        joints, targets, numbers = [], [], []
        for entry in sources:
            name = entry['skeleton']
            if name not in kinds:
                raise UserError(f'MultiViewPoseDataset: no skeleton {name!r}; there are {", ".join(names)}')
            poses, kind = self._load(entry['source'], kinds[name])
            forward = face_forward(poses, kind.vpd(poses))
            joints.append(kind.vpd(forward).astype(np.float32))
            made = [kind.target(forward, mirrored) for mirrored in ((False, True) if twins else (False,))]
            targets.append(np.pad(np.stack(made), ((0, 0), (0, 0), (0, width - kind.target_dims))))
            numbers.append(np.full(len(poses), names.index(name)))
        self.joints, self.numbers = np.concatenate(joints), np.concatenate(numbers)
        self.targets = np.concatenate(targets, axis=1).reshape(-1, width)
        if twins:
            self.joints = np.concatenate([self.joints, self.joints[:, FLIP_ORDER] * MIRROR.astype(np.float32)])
            self.numbers = np.concatenate([self.numbers, self.numbers])
        self.bones = vpd_bones(self.joints).astype(np.float32)

    @staticmethod
    def _load(source: dict, skeleton: Skeleton) -> tuple[np.ndarray, Skeleton]:
        built = TASK_UTILS.build(source)
        poses = np.asarray(built.poses(), np.float64)
        skeleton.check(poses, built.origin)
        return poses, skeleton

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
                inputs[1 : len(pairs) : 2] = mirror_views(inputs[: len(pairs) : 2])[:, ::-1]
        else:
            parts = [self.render(index[i : i + 1], np.random.default_rng([self.seed, n])) for i, n in enumerate(index)]
            inputs = np.concatenate(parts)
        return [
            {
                'inputs': views,
                'data_samples': {
                    'target': self.targets[i],
                    'bones': self.bones[i],
                    'skeleton': self.numbers[i],
                    'joints3d': self.joints[i],
                },
            }
            for i, views in zip(index, inputs, strict=True)
        ]

    def render(self, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the network inputs (N, V, 13, 3) float32 of the poses (N,)."""
        rotation, distance = self.camera.draw(rng, len(index) * self.num_views)
        points = project(np.repeat(self.joints[index], self.num_views, axis=0), rotation, distance)
        scores = np.ones(points.shape[:2])
        if self.noise is not None:
            points, scores = self.noise(points, 1 / distance, rng)
        return pose_inputs(points, scores).reshape(len(index), self.num_views, 13, 3)
