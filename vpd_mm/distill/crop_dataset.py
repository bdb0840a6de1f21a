"""Crops of the frames in which the teacher is confident, with its targets (paper 3.2)."""

import os
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from torch.utils.data import Dataset

from ..corpus import Corpus, CropStore, FeatureStore
from ..engine.deprecation import renamed_arguments
from ..errors import UserError
from ..registry import DATASETS
from ..structures import PoseSequence, load_actions
from ..teacher import JointFeature

HOLDOUTS = ('video', 'block', 'frame')
#: Number of consecutive frames that holdout='block' keeps together.
BLOCK_FRAMES = 25


@DATASETS.register_module()
class CropDataset(Dataset):
    """Crops with the teacher's target, selected by its confidence.

    Frame t is a sample if it has a crop, the teacher's score is at least ``min_score`` and, with motion, the teacher
    has a pose in t-1 of the same shot.

    Added keys: ``corpus``, ``store`` (CropStore), ``video``, ``frame``, ``index``, ``rng``
    (np.random.Generator), ``targets`` (V, 2 D) float32 = [p_t ; p_t - p_(t-1)] for the views [original, flipped], or
    (V, D) without motion, ``score``; with ``ground_truth_dir`` also ``ground_truth`` (26,) normalized joints, NaN if
    missing.

    Args:
        corpus: Folder of the corpus.
        teacher: Name of the teacher's folder (``teacher/<name>``).
        pipeline: Transforms, see crop_transforms.
        subset: 'train' (frames not held out), 'val' (held out) or 'all'.
        holdout: Unit of the hold-out: 'video', 'block' of 25 frames (for one or two videos), or 'frame', which mixes
            neighboring frames of a video over train and val as the published code does.
        protocol: 'paper' means holdout='frame'.
        val_ratio: Share that is held out: of the videos, or of the blocks or frames of each video before gating.
        min_score: Confidence gate; 0.5 in the paper, 0.7 for tennis.
        motion: Also learn p_t - p_(t-1).
        require_previous_pose: With motion, skip frames without a pose in t-1, as in the paper.  If False they are
            kept and their motion target is NaN, which the loss ignores; for teachers that lose the athlete often.
        splits: Use only videos with actions of these splits, and videos without actions.
        unlabelled: Use videos without actions.
        actions_only: Use only frames within actions (ablation of the paper).
        gate: False uses every frame with a crop (for testing); missing targets are NaN.
        ground_truth_dir: Folder of ground truth poses (PoseSequence files), relative to the corpus.
        max_frames: Largest number of samples, evenly spread.
        seed: Seed of the hold-out, and of the augmentation without a draw of the sampler.
        deprecated: Takes ``lone_poses`` (= not ``require_previous_pose``) and ``truth_dir`` (= ``ground_truth_dir``).

    Raises:
        UserError: no frame passes the gate, teacher and crops share no video, the subset is empty, or the corpus is
            damaged.
    """

    def __init__(
        self,
        corpus: str | os.PathLike,
        teacher: str,
        pipeline: Sequence[dict | Callable],
        subset: str = 'train',
        holdout: str = 'video',
        protocol: str = 'default',
        val_ratio: float = 0.2,
        min_score: float = 0.5,
        motion: bool = True,
        require_previous_pose: bool = True,
        splits: Sequence[str] | None = None,
        unlabelled: bool = True,
        actions_only: bool = False,
        gate: bool = True,
        ground_truth_dir: str | None = None,
        max_frames: int | None = None,
        seed: int = 0,
        **deprecated: Any,
    ) -> None:
        renames = {'lone_poses': 'require_previous_pose', 'truth_dir': 'ground_truth_dir'}
        renamed = renamed_arguments('CropDataset', deprecated, renames)
        require_previous_pose = not renamed.get('require_previous_pose', not require_previous_pose)
        ground_truth_dir = renamed.get('ground_truth_dir', ground_truth_dir)
        if protocol not in ('default', 'paper'):
            raise UserError(f"CropDataset: protocol must be 'default' or 'paper', found {protocol!r}")
        holdout = 'frame' if protocol == 'paper' else holdout
        if subset not in ('train', 'val', 'all') or holdout not in HOLDOUTS:
            raise UserError(
                f"CropDataset: subset must be 'train', 'val' or 'all' and holdout one of {', '.join(HOLDOUTS)}; "
                f'found {subset!r}, {holdout!r}'
            )
        self.corpus = Corpus.open(corpus)
        self.store = CropStore(self.corpus.crops_dir)
        self.motion = motion
        needs_previous = motion and require_previous_pose
        self.seed = seed
        self.pipeline = Compose(list(pipeline))
        features = FeatureStore(self.corpus.teacher_dir(teacher))
        self.videos = self._choose_videos(features, splits, unlabelled)
        self._sequences = {video: features[video] for video in self.videos}
        parts = [self._align(i, gate, min_score, needs_previous) for i in range(len(self.videos))]
        if actions_only:
            parts = self._within_actions(parts)
        #: (N, 4): indices of the videos, frames, and the teacher's rows of t and t-1 (-1 = none).
        self._samples = np.concatenate(parts)
        if not len(self):
            raise UserError(
                f'{features.directory}: no frame passes the gate (score >= {min_score}'
                f'{", with a pose in the frame before" if needs_previous else ""}); lower min_score or check the '
                'teacher'
            )
        if subset != 'all':
            self._samples = self._samples[self._held_out(holdout, val_ratio) == (subset == 'val')]
        if not len(self):
            raise UserError(
                f'{self.corpus.root}: the {subset} split is empty: {len(self.videos)} video(s) cannot be split by '
                f"{holdout} with val_ratio {val_ratio}; use holdout='block' for a corpus of few videos"
            )
        if max_frames is not None and len(self) > max_frames:
            self._samples = self._samples[np.linspace(0, len(self) - 1, max_frames).astype(np.int64)]
        self._ground_truth = self._load_ground_truth(ground_truth_dir) if ground_truth_dir else None
        self.metainfo = {'dims': features.dims, 'teacher': teacher, 'corpus': self.corpus.name, 'motion': motion}

    def _choose_videos(self, features: FeatureStore, splits: Sequence[str] | None, unlabelled: bool) -> list[str]:
        with_crops = set(self.store.videos())
        names = [v for v in features.videos() if v in with_crops]
        if not names:
            raise UserError(
                f'{features.directory} and {self.corpus.crops_dir} share no video (for example {features.videos()[0]} '
                f'and {next(iter(sorted(with_crops)), "none")}); use teacher and crops of one corpus'
            )
        if splits is None and unlabelled:
            return names
        of_video: dict[str, set[str]] = {}
        for action in load_actions(self.corpus.actions_path):
            of_video.setdefault(action.video, set()).add(action.split)
        chosen = [v for v in names if (splits is None or of_video[v] & set(splits) if v in of_video else unlabelled)]
        if not chosen:
            wanted = f' of {", ".join(splits)}' if splits else ''
            raise UserError(f'{self.corpus.actions_path}: no video with crops has actions{wanted}')
        return chosen

    def _align(self, index: int, gate: bool, min_score: float, needs_previous: bool) -> np.ndarray:
        sequence, header = self._sequences[self.videos[index]], self.store.header(self.videos[index])
        frames = np.asarray(header.frame_inds, np.int64)
        rows = _rows_of(sequence.frame_inds, frames)
        # A change of pose at a cut is no motion.
        previous = np.where(np.isin(frames, header.starts), -1, _rows_of(sequence.frame_inds, frames - 1))
        samples = np.stack([np.full_like(frames, index), frames, rows, previous], axis=1)
        if not gate:
            return samples
        confident = (rows >= 0) & (sequence.scores[np.maximum(rows, 0)] >= min_score if len(sequence) else False)
        return samples[confident & (previous >= 0) if needs_previous else confident]

    def _within_actions(self, parts: list[np.ndarray]) -> list[np.ndarray]:
        spans: dict[str, list[tuple[int, int]]] = {}
        for action in load_actions(self.corpus.actions_path):
            spans.setdefault(action.video, []).append((action.start_frame, action.end_frame))
        inside = [
            np.any([(part[:, 1] >= start) & (part[:, 1] < end) for start, end in spans[video]], axis=0)
            if video in spans
            else np.zeros(len(part), bool)
            for video, part in zip(self.videos, parts, strict=True)
        ]
        return [part[mask] for part, mask in zip(parts, inside, strict=True)]

    def _held_out(self, holdout: str, ratio: float) -> np.ndarray:
        """Return (N,) bool, True for samples that are held out."""
        if holdout == 'video':
            order = np.random.default_rng(self.seed).permutation(len(self.videos))
            return np.isin(self._samples[:, 0], order[: max(1, round(ratio * len(order)))])
        length = BLOCK_FRAMES if holdout == 'block' else 1
        held = np.zeros(len(self), bool)
        for i, video in enumerate(self.videos):
            # Blocks of all crops, because train and val may have different gates.
            blocks = np.unique(np.asarray(self.store.header(video).frame_inds) // length)
            rng = np.random.default_rng((self.seed, zlib.crc32(video.encode())))
            share = ratio * len(blocks)
            # A share below half a block is rounded at random.
            count = round(share) or int(rng.random() < share)
            start, end = np.searchsorted(self._samples[:, 0], (i, i + 1))
            held[start:end] = np.isin(self._samples[start:end, 1] // length, rng.permutation(blocks)[:count])
        return held

    def _load_ground_truth(self, directory: str) -> np.ndarray:
        """Load the normalized ground truth joints (N, 26) of the samples; NaN if missing."""
        joints = np.full((len(self), JointFeature.dims), np.nan, np.float32)
        for i in np.unique(self._samples[:, 0]):
            poses = PoseSequence.load(self.corpus.root / directory / f'{self.videos[i]}.npz')
            samples = np.flatnonzero(self._samples[:, 0] == i)
            rows = _rows_of(poses.frame_inds, self._samples[samples, 1])
            joints[samples[rows >= 0]] = JointFeature()(poses).feats[rows[rows >= 0], 0]
        return joints

    def __len__(self) -> int:
        return len(self._samples)

    def targets(self, index: int) -> np.ndarray:
        """Return the targets (V, 2 D) or (V, D) float32 of a sample; NaN if the teacher has none."""
        video, _, row, previous = self._samples[index]
        feats = self._sequences[self.videos[video]].feats
        now = feats[row].copy() if row >= 0 else np.full(feats.shape[1:], np.nan, np.float32)
        if not self.motion:
            return now
        before = feats[previous] if previous >= 0 else np.full_like(now, np.nan)
        return np.concatenate([now, now - before], axis=1)

    def __getitem__(self, item: int | tuple[int, int]) -> dict:
        """Return the sample of an index, or of (index, draw) from :class:`EpochDrawSampler`."""
        index, seed = item if isinstance(item, tuple) else (int(item), (self.seed, int(item)))
        video_index, frame, row, _ = self._samples[index]
        video = self.videos[video_index]
        sample = {
            'corpus': self.corpus,
            'store': self.store,
            'video': video,
            'frame': int(frame),
            'index': int(index),
            'rng': np.random.default_rng(seed),
            'targets': self.targets(index),
            'score': float(self._sequences[video].scores[row]) if row >= 0 else 0.0,
        }
        if self._ground_truth is not None:
            sample['ground_truth'] = self._ground_truth[index]
        return self.pipeline(sample)


def _rows_of(frame_inds: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the row of each wanted frame in increasing ``frame_inds``; -1 if absent."""
    if not len(frame_inds):
        return np.full(len(wanted), -1, np.int64)
    rows = np.minimum(np.searchsorted(frame_inds, wanted), len(frame_inds) - 1)
    return np.where(frame_inds[rows] == wanted, rows, -1)
