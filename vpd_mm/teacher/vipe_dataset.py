"""3D poses of several sources through virtual cameras (paper, supplement)."""

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
    """Views of 3D poses, filmed anew for every draw.

    Sources train jointly.  A source is a component of ``TASK_UTILS`` whose ``poses()`` gives (N, K, 3) joints, z up;
    its joint set is an entry of ``skeletons``.

    Args:
        skeletons: Name to the arguments of :class:`Skeleton`; the model takes the same.
        sources: Each dict(skeleton=name, source=dict(type=...)).
        num_views: V, cameras a pose.
        camera: Arguments of :class:`ViewCamera`.
        noise: Arguments of :class:`PoseNoise`; None: true joints with score 1.
        twins: Every pose also counts as its mirror image (index N / 2 + i is that of i), and every second pose of a
            drawn batch is the mirror image of the one before it, so that training meets them side by side: its views
            are the mirrored pictures of that one's, in reverse order.
        seed: With a plain index the views depend on it and the index alone (validation, test); a sampler that yields
            (index, draw) gives new views at every draw.

    A sample: ``inputs`` (V, 13, 3) float32; ``data_samples``: ``target`` (largest target_dims,) padded with zeros,
    ``bones`` (12, 3), ``skeleton`` its number, ``joints3d`` (13, 3) facing +x, hips at the origin, trunk of length 1.

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
        """Samples of a batch, filmed at once; draws: by the first draw's number."""
        index = np.array([item[0] if isinstance(item, tuple) else item for item in items])
        if isinstance(items[0], tuple):
            if self.twins:
                pairs = index[: len(index) // 2 * 2]
                pairs[1::2] = (pairs[::2] + len(self) // 2) % len(self)
            inputs = self.film(index, np.random.default_rng([self.seed, items[0][1]]))
            if self.twins:
                # A picture's mirror image is the hardest "different pose" there is, and the one that matters.
                inputs[1 : len(pairs) : 2] = mirror_views(inputs[: len(pairs) : 2])[:, ::-1]
        else:
            one = [self.film(index[i : i + 1], np.random.default_rng([self.seed, n])) for i, n in enumerate(index)]
            inputs = np.concatenate(one)
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

    def film(self, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(N,) pose numbers to (N, V, 13, 3) float32 inputs of the network."""
        rotation, distance = self.camera.draw(rng, len(index) * self.num_views)
        points = project(np.repeat(self.joints[index], self.num_views, axis=0), rotation, distance)
        scores = np.ones(points.shape[:2])
        if self.noise is not None:
            points, scores = self.noise(points, 1 / distance, rng)
        return pose_inputs(points, scores).reshape(len(index), self.num_views, 13, 3)
