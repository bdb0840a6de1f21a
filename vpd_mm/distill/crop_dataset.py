"""Crops of the frames in which the teacher is confident, with its targets (paper 3.2)."""

import logging
import os
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.logging import print_log
from torch.utils.data import Dataset, get_worker_info

from ..athlete.recipe import corpus_recipe
from ..corpus import Corpus, CropStore, FeatureStore
from ..corpus.crop_store import CACHED_RECORDS
from ..corpus.stale_files import CorpusInputs, crops_of
from ..engine.deprecation import renamed_arguments
from ..errors import UserError, counted, listed
from ..files import npz_path
from ..registry import DATASETS
from ..structures import Action, FeatureSequence, PoseSequence, load_actions, rows_of
from ..structures.npz_io import NpzRows, ReplacedError, npz_checksums
from ..teacher import JointFeature
from .crop_batch import CropBatch, InputMemory
from .crop_transforms import BackgroundNoise, ChiralFlip, ResizedCrop
from .drawn_transforms import Handover, drawing, fused
from .trained_videos import TrainedVideos

#: Number of consecutive frames that are held out together.
BLOCK_FRAMES = {'block': 25, 'frame': 1}
#: State of the crops in the samples.
HANDOVERS = ('augmented', 'decoded', 'encoded')
#: Fewest videos of which whole ones are held out by default.
MIN_VIDEOS = 3
#: Headers, and in a loader process crops, that are read before the shards are closed, which frees the memory of their
#: pages.
HEADERS_MAPPED, CROPS_MAPPED = 500, 500


@DATASETS.register_module()
class CropDataset(Dataset):
    """Crops with the teacher's target, selected by its confidence.

    Frame t is a sample if it has a crop, the teacher's score is at least ``min_score`` and, with motion, the teacher
    has a pose in t-1 of the same shot.

    Added keys: ``corpus``, ``store`` (CropStore), ``video``, ``frame``, ``index``, ``rng``
    (np.random.Generator), ``targets`` (V, 2 D) float32 = [p_t ; p_t - p_(t-1)] for the views [original, flipped], or
    (V, D) without motion, ``score``; with ``ground_truth_dir`` also ``ground_truth`` (26,) normalized joints, NaN if
    missing.

    The teacher's features stay in their files, of which a draw reads two rows, and a sample takes 4 bytes, which loader
    processes share, also where they are spawned.  The process that first draws a video reads and checks all of its
    file.

    Args:
        corpus, teacher: Folder of the corpus, and name of the teacher's folder (``teacher/<name>``).
        pipeline: Transforms, see crop_transforms.
        subset: 'train' (frames not held out), 'val' (held out) or 'all'.
        holdout: Unit of the hold-out: 'video' with all its athletes, 'block' of 25 frames, 'frame', which mixes
            neighboring frames of a video over train and val as the published code does, or 'auto': 'video', of one or
            two videos 'block'.  Of videos without a confident frame none is held out, if others are left.
        val_ratio: Share that is held out: of the videos, or of the blocks or frames of each video before gating.
        min_score: Confidence gate; None: that of the data set (0.7 for tennis, 0.5 for others).
        motion: Also learn p_t - p_(t-1).
        require_previous_pose: With motion, skip frames without a pose in t-1, as in the paper.  If False they are
            kept and their motion target is NaN, which the loss ignores; for teachers that lose the athlete often.
        splits, unlabelled: Use only videos whose file has no action of another split in actions.csv or detect.csv
            (all athletes of a file); use videos without actions.
        actions_only: Use only frames within actions (ablation of the paper).
        gate: False uses every frame with a crop (for testing); missing targets are NaN.
        ground_truth_dir: Folder of ground truth poses (PoseSequence files), relative to the corpus.
        max_frames: Largest number of samples, evenly spread.
        handover: Crops are 'augmented' by the pipeline; 'decoded', and augmented on the device; 'encoded', and also
            decoded there.  :mod:`vpd_mm.distill.drawn_transforms` has the transforms of the paper.
        seed: Of the hold-out, and of the augmentation without a draw of the sampler.
        deprecated: Takes ``lone_poses`` (= not ``require_previous_pose``), ``truth_dir`` (= ``ground_truth_dir``) and
            ``protocol='paper'`` (= ``holdout='frame'``).

    Raises:
        UserError: no frame passes the gate, teacher and crops share no video, the subset is empty, the corpus is
            damaged, or what the teacher's features or the crops were made of has changed since.
    """

    def __init__(
        self,
        corpus: str | os.PathLike,
        teacher: str,
        pipeline: Sequence[dict | Callable],
        subset: str = 'train',
        holdout: str = 'auto',
        val_ratio: float = 0.2,
        min_score: float | None = None,
        motion: bool = True,
        require_previous_pose: bool = True,
        splits: Sequence[str] | None = None,
        unlabelled: bool = True,
        actions_only: bool = False,
        gate: bool = True,
        ground_truth_dir: str | None = None,
        max_frames: int | None = None,
        handover: str = 'augmented',
        seed: int = 0,
        **deprecated: Any,
    ) -> None:
        renames = {'lone_poses': 'require_previous_pose', 'truth_dir': 'ground_truth_dir', 'protocol': 'holdout'}
        renamed = renamed_arguments('CropDataset', deprecated, renames)
        require_previous_pose = not renamed.get('require_previous_pose', not require_previous_pose)
        ground_truth_dir = renamed.get('ground_truth_dir', ground_truth_dir)
        for name, value, allowed in (
            ('subset', subset, ('train', 'val', 'all')),
            ('holdout', holdout, ('auto', 'video', *BLOCK_FRAMES)),
            ('handover', handover, HANDOVERS),
        ):
            if value not in allowed:
                raise UserError(f'CropDataset: {name} must be one of {", ".join(allowed)}, found {value!r}')
        holdout = 'frame' if renamed.get('holdout') == 'paper' else holdout
        self.corpus = Corpus.open(corpus)
        self.store = CropStore(self.corpus.crops_dir)
        min_score = self.corpus.settings().min_score if min_score is None else min_score
        self.motion = motion
        needs_previous = motion and require_previous_pose
        self.seed, self._draws = seed, [_Draws() for _ in range(CACHED_RECORDS)]
        self._memory = InputMemory()
        self.pipeline = Compose(list(pipeline))
        _check_order(self.pipeline.transforms)
        self._features = features = FeatureStore(self.corpus.teacher_dir(teacher))
        actions: dict[str, list[Action]] = {}
        if actions_only or not unlabelled:
            for action in load_actions(self.corpus.actions_path):
                actions.setdefault(action.video, []).append(action)
        self._num_drawn = 0
        self.videos = self._choose_videos(features, actions, splits, unlabelled)
        #: Files of the teacher's features of the videos that this process has drawn.
        self._teacher: dict[str, tuple[NpzRows, int | None]] = {}
        #: Checksum of the teacher's file of each video, and whether some process has read all of it and found it valid.
        self._checksums = np.zeros(len(self.videos), np.uint32)
        self._is_read = torch.zeros(len(self.videos), dtype=torch.bool).share_memory_()
        #: Frames without motion of each video: a change of pose at a cut is none.
        self._starts: list[frozenset[int]] = []
        if subset != 'all':
            self._choose_held_out(holdout, val_ratio)
        parts, inputs, passed = [], CorpusInputs(self.corpus, self.store), 0
        self._num_used = 0
        for i, video in enumerate(self.videos):
            header = self.store.header(video)  # first, so that it is read once
            inputs.check(inputs.name(npz_path(features.directory, video)), crops_of(video))
            self._checksums[i] = self._checksum(video)
            teacher_scores = features.scores(video)
            frames, known = header.frame_inds, teacher_scores.frame_inds
            rows = rows_of(known, frames)
            previous = np.where(np.isin(frames, header.starts), -1, rows_of(known, frames - 1))
            used = np.ones(len(frames), bool)
            if actions_only:
                spans = [(action.start_frame, action.end_frame) for action in actions.get(video, ())]
                used = np.any([(frames >= start) & (frames < end) for start, end in spans or [(0, 0)]], axis=0)
            kept = np.ones(len(frames), bool)
            if gate:
                kept = (rows >= 0) & (np.append(teacher_scores.scores, 0)[rows] >= min_score)
                kept &= (previous >= 0) | (not needs_previous)
            passed += int((used & kept).sum())
            if subset != 'all':
                used &= self._held_out(i) == (subset == 'val')
            self._num_used += int(used.sum())
            parts.append(frames[kept & used].astype(np.int32))
            self._starts.append(frozenset(header.starts.tolist()))
            if i % HEADERS_MAPPED == HEADERS_MAPPED - 1:
                self.store.close()
        if handover == 'augmented':
            self.pipeline = Compose(fused(self.pipeline.transforms))
        else:
            side = max(self.store.settings(video).size for video in self.videos)
            self.pipeline = Compose(drawing(self.pipeline.transforms, Handover(handover, side)))
        #: (N,) int32, the frames of the samples, video after video; a tensor, which spawned processes share too.
        self._frames = torch.from_numpy(np.concatenate(parts))
        #: (number of videos,): the samples of a video end before this one.
        self._ends = np.cumsum([len(part) for part in parts])
        self._num_passed = len(self)
        if not passed:
            raise UserError(
                f'{features.directory}: no frame passes the gate (score >= {min_score}'
                f'{", with a pose in the frame before" if needs_previous else ""}); lower min_score or check the '
                'teacher'
            )
        if not len(self):
            raise UserError(
                f'{self.corpus.root}: the {subset} split is empty: {len(self.videos)} video(s) cannot be split by '
                f"{self.holdout} with val_ratio {val_ratio}; holdout='auto' splits few videos by time"
            )
        if max_frames is not None and len(self) > max_frames:
            chosen = np.linspace(0, len(self) - 1, max_frames).astype(np.int64)
            self._frames, self._ends = self._frames[chosen], np.searchsorted(chosen, self._ends)
        self._ground_truth = self._load_ground_truth(ground_truth_dir) if ground_truth_dir else None
        recipe, lines = corpus_recipe(self.corpus, self.store, self.videos, teacher)
        for line in lines if subset != 'val' else ():
            print_log(f'{line}; the student cannot record it', 'current', logging.WARNING)
        self.metainfo = {'dims': features.dims, 'teacher': teacher, 'corpus': self.corpus.name, 'motion': motion}
        self.metainfo['recipe'] = recipe.to_json()
        self.subset, self.gate = (
            subset,
            f'score >= {min_score:g}' + ', with a pose in the frame before' * needs_previous,
        )
        self.metainfo['trained_on'] = TrainedVideos.of(self.corpus, self.used_videos()).to_json()
        self.store.close()

    def used_videos(self) -> list[str]:
        """List the videos of the samples."""
        return [video for video, count in zip(self.videos, np.diff(self._ends, prepend=0), strict=True) if count]

    def used_frames(self, video: str) -> np.ndarray:
        """Return the frames of the samples of a video."""
        return self._frames[self._span(self.videos.index(video))].numpy().astype(np.int64)

    def _span(self, index: int) -> slice:
        """Samples of a video."""
        return slice(int(self._ends[index - 1]) if index else 0, int(self._ends[index]))

    def summary(self) -> list[str]:
        """Describe the samples in lines for people: frames and videos, what the gate dropped, what is held out."""
        videos = self.used_videos()
        frames, of = counted(len(self), 'frame'), counted(len(self.videos), 'video')
        counts = f'{frames}, {len(videos)} of {of} of {self.corpus.root}'
        if self.subset == 'train':
            return [counts, f'gate: {self._num_used - self._num_passed} of {self._num_used} dropped ({self.gate})']
        if self.subset == 'all' or self.holdout == 'video':
            return [counts + f', held out: {listed(videos)}' * (self.subset == 'val')]
        size = BLOCK_FRAMES[self.holdout]
        unit = f'by time, in blocks of {size} frames' if size > 1 else 'frame by frame'
        few = f' (fewer than {MIN_VIDEOS} videos with confident frames)' * self.is_short
        return [f'{counts}, held out {unit}{few}']

    def warnings(self) -> list[str]:
        """List what makes numbers too good, of these samples or of a test of their features."""
        if self.subset != 'train' or not self.corpus.actions_path.is_file():
            return []
        used = self.used_videos()
        tested = set(used) - set(videos_of_splits(self.corpus, used, ('train', 'val')))
        return [
            f'{len(tested)} of {counted(len(used), "training video")} with test actions ({listed(sorted(tested))}): a '
            'test of a recogniser is too good; --cfg-options train_dataloader.dataset.splits=train,val leaves them out'
        ] * bool(tested)

    def compare_with(self, meta: Mapping[str, Any], where: str, training: bool = False) -> list[str]:
        """List warnings about a checkpoint that is loaded, given its ``dataset_meta``.

        The set of a ``training`` adds the videos of a former training to its own; another one looks for those it would
        test.
        """
        trained = TrainedVideos.from_meta(meta, where)
        if training:
            own = TrainedVideos.of(self.corpus, self.used_videos())
            if trained is not None and not trained.videos.keys() <= own.videos.keys():
                self.metainfo['trained_on'] = (own | trained).to_json()
            return []
        if trained is None:
            return [f'{where}: does not record the videos that it was trained on; they may be among those tested']
        videos = self.used_videos()
        if not (seen := trained.seen(self.corpus, videos)):
            return []
        counts = f'{len(seen)} of {counted(len(videos), "tested video")} ({listed(sorted(seen))})'
        return [f'{where}: was trained on {counts}: the numbers are too good; test held-out or new videos']

    def _choose_videos(
        self, features: FeatureStore, actions: dict[str, list[Action]], splits: Sequence[str] | None, unlabelled: bool
    ) -> list[str]:
        names = [v for v in features.videos() if v in self.store]
        if not names:
            raise UserError(
                f'{features.directory} and {self.corpus.crops_dir} share no video (for example {features.videos()[0]} '
                f'and {next(iter(self.store.videos()), "none")}); use teacher and crops of one corpus'
            )
        chosen = names if splits is None else videos_of_splits(self.corpus, names, splits)
        chosen = [v for v in chosen if unlabelled or v in actions]
        if not chosen:
            wanted = f' of {", ".join(splits)}' if splits else ''
            raise UserError(f'{self.corpus.actions_path}: no video with crops has actions{wanted}')
        return chosen

    def _choose_held_out(self, holdout: str, ratio: float) -> None:
        """Choose the unit of the hold-out, and the videos, whatever the gate, which may differ in train and val."""
        self.holdout, self.val_ratio, self.is_short = holdout, ratio, False
        if holdout in BLOCK_FRAMES:
            return
        infos, min_score = self.corpus.videos(), self.corpus.settings().min_score
        files = {video: infos[video].file if video in infos else video for video in self.videos}
        confident = {files[video] for video in self.videos if (self._features.scores(video).scores >= min_score).any()}
        units = list(dict.fromkeys(file for file in files.values() if file in confident or len(confident) < MIN_VIDEOS))
        self.is_short = holdout == 'auto' and len(units) < MIN_VIDEOS
        self.holdout = 'block' if self.is_short else 'video'
        order = np.random.default_rng(self.seed).permutation(len(units))
        chosen = {units[i] for i in order[: max(1, round(ratio * len(order)))]}
        self._held_videos = {video for video, file in files.items() if file in chosen}

    def _held_out(self, index: int) -> np.ndarray:
        """Return (T,) bool, True for the frames of a video's crops that are held out."""
        video, frames = self.videos[index], self.store.header(self.videos[index]).frame_inds
        if self.holdout == 'video':
            return np.full(len(frames), video in self._held_videos)
        blocks = frames // BLOCK_FRAMES[self.holdout]
        rng, names = np.random.default_rng((self.seed, zlib.crc32(video.encode()))), np.unique(blocks)
        share = self.val_ratio * len(names)
        count = round(share) or int(rng.random() < share)  # below half a block it is rounded at random
        return np.isin(blocks, rng.permutation(names)[:count])

    def _load_ground_truth(self, directory: str) -> np.ndarray:
        """Load the normalized ground truth joints (N, 26) of the samples; NaN if missing."""
        joints = np.full((len(self), JointFeature.dims), np.nan, np.float32)
        for video in self.used_videos():
            poses = PoseSequence.load(npz_path(self.corpus.root / directory, video))
            feats = np.pad(JointFeature()(poses).feats, ((0, 1), (0, 0), (0, 0)), constant_values=np.nan)
            rows = rows_of(poses.frame_inds, self.used_frames(video))
            joints[self._span(self.videos.index(video))] = feats[rows, 0]
        return joints

    def __len__(self) -> int:
        return len(self._frames)

    def __getstate__(self) -> dict:
        return {**vars(self), '_teacher': {}, '_memory': InputMemory()}

    def _rows(self, index: int) -> tuple[NpzRows, int | None]:
        """Return the teacher's sequence of a video, which stays in its file, and its first frame if none is missing.

        Raises:
            UserError: the file is damaged, or another one than this data set was made with.
        """
        video = self.videos[index]
        path = npz_path(self._features.directory, video)
        if not self._is_read[index]:
            self._features[video]
        rows = NpzRows(path, FeatureSequence.KIND, ('frame_inds', 'feats', 'scores'))
        if self._checksum(video) != self._checksums[index]:
            raise UserError(f'{path}: was replaced by another file since this run opened it; start again')
        with rows.reading() as read:
            inds = read(0, 0, rows.shapes[0][0])
        is_whole = len(inds) and inds[-1] - inds[0] == len(inds) - 1
        self._is_read[index] = True
        self._teacher[video] = rows, int(inds[0]) if is_whole else None
        return self._teacher[video]

    def _checksum(self, video: str) -> int:
        """Checksum of the checksums that the teacher's file holds; its arrays are not read."""
        return zlib.crc32(repr(npz_checksums(npz_path(self._features.directory, video))).encode())

    def __getitem__(self, item: int | tuple[int, int]) -> dict:
        """Return the sample of an index, or of (index, draw) from :class:`EpochDrawSampler`."""
        return self.__getitems__([item])[0]

    def __getitems__(self, items: Sequence[int | tuple[int, int]]) -> CropBatch:
        """Return the samples of a batch, for a DataLoader."""
        batch = CropBatch(len(items), self._memory)
        for start in range(0, len(items), CACHED_RECORDS):
            part = [self._sample(*each) for each in zip(items[start : start + CACHED_RECORDS], self._draws)]
            batch.add(part, self.pipeline.transforms)
        return batch

    def _sample(self, item: int | tuple[int, int], draws: '_Draws') -> dict:
        """Return a sample for the pipeline; its random numbers are valid until the next one of ``draws``."""
        self._num_drawn += 1
        if self._num_drawn % CROPS_MAPPED == 0 and get_worker_info() is not None:  # no other thread reads here
            self.store.close()
        index, draw = item if isinstance(item, tuple) else (item, None)
        index = range(len(self))[index]
        i, frame = bisect_right(self._ends, index), int(self._frames.numpy()[index])  # type: ignore[arg-type]
        video = self.videos[i]
        at = frame, frame in self._starts[i]
        try:
            targets, score = self._targets(*(self._teacher.get(video) or self._rows(i)), *at)
        except ReplacedError:  # perhaps by the same content
            targets, score = self._targets(*self._rows(i), *at)
        sample = {
            'corpus': self.corpus,
            'store': self.store,
            'video': video,
            'frame': frame,
            'index': index,
            'rng': draws(self.seed, index) if draw is None else draws(draw),
            'targets': targets,
            'score': score,
        }
        if self._ground_truth is not None:
            sample['ground_truth'] = self._ground_truth[index]
        return sample

    def _targets(self, stored: NpzRows, first: int | None, frame: int, is_start: bool) -> tuple[np.ndarray, float]:
        """Return targets (V, 2 D), or (V, D) without motion, and score of a frame; NaN and 0 where it has none.

        ``stored`` and ``first`` are those of :meth:`_rows`.
        """
        num_frames, views, dims = stored.shapes[1]
        targets = np.full((views, 2 * dims if self.motion else dims), np.nan, np.float32)
        with stored.reading() as read:
            if first is None:
                inds = read(0, 0, num_frames)
                row = int(inds.searchsorted(frame))
                known, previous = (0 <= row + i < num_frames and inds[row + i] == frame + i for i in (0, -1))
            else:
                row = frame - first
                known, previous = 0 <= row < num_frames, True
            if not known:
                return targets, 0.0
            feats, (score,) = read(1, max(row - 1, 0), row + 1), read(2, row, row + 1)
        targets[:, :dims] = feats[-1]
        if self.motion and not is_start and row and previous:
            np.subtract(feats[1], feats[0], out=targets[:, dims:])
        return targets, float(score)


def _check_order(transforms: Sequence[Callable]) -> None:
    """Raise UserError where noise is to be added to an image that its stored mask does not fit any more."""
    kinds = [type(transform) for transform in transforms]
    noise = kinds.index(BackgroundNoise) if BackgroundNoise in kinds else 0
    if moved := [kind.__name__ for kind in kinds[:noise] if kind in (ResizedCrop, ChiralFlip)]:
        raise UserError(
            f'CropDataset: BackgroundNoise comes after {moved[0]}, which moves the athlete but not the stored mask; '
            'put it before'
        )


class _Draws:
    """Random numbers of a draw; a generator that is set to a key (of Philox) is ready sooner than a new one."""

    def __init__(self) -> None:
        self._rng = np.random.Generator(np.random.Philox(key=0))
        self._start = self._rng.bit_generator.state

    def __call__(self, *key: int) -> np.random.Generator:
        """Return the generator of a key of one or two numbers below 2^64, valid until the next call."""
        self._start['state']['key'][:] = *key, *[0] * (2 - len(key))
        self._rng.bit_generator.state = self._start
        return self._rng


def videos_of_splits(corpus: Corpus, videos: Iterable[str], splits: Sequence[str]) -> list[str]:
    """Return the videos whose file holds no action of another split, in actions.csv or detect.csv."""
    paths = [corpus.actions_path, *filter(Path.exists, [corpus.detect_path])]
    others = {action.video for path in paths for action in load_actions(path) if action.split not in splits}
    files = {name: info.file for name, info in corpus.videos().items()}
    other_files = {files.get(video) for video in others} - {None}
    return [video for video in videos if video not in others and files.get(video) not in other_files]
