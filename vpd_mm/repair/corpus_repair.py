"""Repair a pose set of a corpus with a student that was trained on the corpus."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from mmengine.config import Config

from ..corpus import Corpus, CropStore
from ..corpus.corpus import is_repaired
from ..corpus.stale_files import CorpusInputs, crops_of, digest, refresh_features
from ..distill import CropDataset
from ..engine.locks import file_lock
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError, counted
from ..features.corpus_config import datasets_of
from ..features.feature_extractor import FeatureExtractor, build_extractor, extract_each, run_source
from ..files import list_folder, npz_path
from ..registry import DATASETS
from ..structures import VPD_JOINTS, FeatureSequence, PoseSequence, rows_of
from ..structures.sequences import NUM_COCO_JOINTS
from ..teacher import JointFeature, normalize_joints
from ..teacher.joint_feature import HIPS, SHOULDERS
from .calibration import calibrate
from .noise import MIN_FRAMES, Noise
from .placement import PlacementNoise, PlacementSeries, calibrate_placement, place
from .pose_repair import METHOD, Observations, repair, shots, take_rows
from .repaired_poses import NEAR_TORSOS, RepairCounts, RepairedPoses, repaired_poses

#: Largest number of frames from which noise levels are measured, and of consecutive frames in a sample.
NUM_SAMPLED, BLOCK = 20_000, 500
#: Frames of a video that are smoothed at once, and further ones on both sides that are dropped afterwards.
PART, OVERLAP = 5_000, 500
#: Some of the frames of a video.
Rows = slice | np.ndarray
_TORSO = [VPD_JOINTS[row] for row in (*SHOULDERS, *HIPS)]


@dataclass(frozen=True, eq=False)
class RepairReport:
    """Result of :func:`repair_corpus`; without ``noise`` all files were current.

    Args:
        written, total: Numbers of videos.
        counts: Of the poses that were written.
        noise: Noise levels of the corpus.
        notes: Warnings.
    """

    written: int
    total: int
    counts: RepairCounts = field(default_factory=RepairCounts)
    noise: Noise | None = None
    notes: Sequence[str] = ()

    def lines(self) -> list[str]:
        """Describe it for people; noise is in torsos, the mean over the joints."""
        if self.noise is None:
            return []
        noise, counts = self.noise, self.counts
        levels = {
            'teacher': noise.teacher,
            'student': noise.student,
            'motion': noise.motion,
            'teacher minus student, held out': noise.held_out,
        }
        known = ((name, np.sqrt(variances).mean() * 2) for name, variances in levels.items())
        return [
            f'{counted(counts.frames, "frame")} repaired, {counts.filled} of them without a pose of the teacher',
            f'{counts.overruled} joints of the teacher overruled (moved by more than {NEAR_TORSOS:g} torsos), '
            f'left and right exchanged in {counted(counts.swaps, "frame")}',
            'noise in torsos: ' + ', '.join(f'{name} {level:.3f}' for name, level in known if np.isfinite(level)),
            f'measured on {noise.num_held_out} confident frames that the student was not trained on, and on '
            f'{noise.num_trained} that it was',
        ]


@dataclass(frozen=True, eq=False)
class VideoInput:
    """Frames of one video: crops, the teacher's poses, the normalised poses of both, and the placement."""

    frame_inds: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    poses: Observations
    placement: PlacementSeries

    def take(self, rows: Rows) -> 'VideoInput':
        """Return some of the frames, in order."""
        poses, placement = take_rows(self.poses, rows), take_rows(self.placement, rows, 'origin', 'side')
        return VideoInput(self.frame_inds[rows], self.keypoints[rows], self.scores[rows], poses, placement)


def repair_corpus(
    corpus: Corpus,
    poses: str,
    cfg: Config,
    checkpoint: str | os.PathLike,
    out: str | None = None,
    *,
    device: str = 'cpu',
    batch_size: int = 64,
    overwrite: bool = False,
    on_progress: OnProgress = no_progress,
) -> RepairReport:
    """Write ``athlete/poses/<out>`` (:class:`RepairedPoses`) for every video with crops and poses.

    Files are kept unless poses, crops, student or ``METHOD`` have changed; as all videos share the noise levels, a
    change of one makes all again.  The student's outputs go into ``athlete/poses/.<out>``, where the next run finds
    those of one that was killed, and are removed at the end; noise levels are of at most ``NUM_SAMPLED`` frames, evenly
    spread, and a video is smoothed in parts of ``PART`` frames.  Memory does not grow with the number of videos; the
    longest one takes less than 1 KB a frame.

    Args:
        poses: Pose set to repair.
        cfg, checkpoint: Of the student, which must have learned 2D joints on this corpus.
        out: Name of the repaired pose set; None: ``<poses>-repaired``.
        overwrite: Make the files of another student or pose set again.
        on_progress: Called with (done, total) videos.

    Raises:
        UserError: the pose set is unknown or has no confident pose, the student is of another corpus or teacher,
            ``out`` is no repaired pose set, or some videos failed; all others are written first.
    """
    out = out or f'{poses}-repaired'
    store = CropStore(corpus.crops_dir)
    videos = [video for video in store.videos() if corpus.pose_path(poses, video).is_file()]
    if not videos:
        known = ', '.join(corpus.pose_names()) or 'none'
        raise UserError(
            f'{corpus.poses_dir(poses)}: no poses of a video with crops; {corpus.root} has pose sets: {known}'
        )
    folder = corpus.poses_dir(out)
    if list_folder(folder, '*.npz') and not is_repaired(folder):
        raise UserError(f'{folder}: holds poses that were not repaired; pass another --out')
    made_by = run_source(cfg, checkpoint)  # before it is loaded: it may be replaced meanwhile
    extractor = build_extractor(cfg, checkpoint, device=device, batch_size=batch_size)
    trained = trained_frames(extractor, cfg, corpus, checkpoint, videos)
    of_corpus = CorpusInputs(corpus)
    inputs = {v: of_corpus.of(of_corpus.name(corpus.pose_path(poses, v)), crops_of(v)) for v in videos}
    of_all = digest([inputs, {v: frames.tolist() for v, frames in trained.items()}])
    shared = {**made_by['inputs'], 'corpus': of_all, 'method': METHOD}
    missing = refresh_features(folder, {**made_by, 'repaired': poses, 'inputs': shared}, inputs, overwrite)
    outputs = folder.with_name(f'.{out}')
    lock = partial(file_lock, folder.with_name(f'.{out}.lock'), busy=f'{folder}: another repair_poses writes it; wait')
    if not missing:
        if outputs.exists():  # of a run that was killed at its end
            with lock():
                shutil.rmtree(outputs, ignore_errors=True)
        return RepairReport(0, len(videos))
    failures, samples = dict[str, UserError](), list[VideoInput]()
    share = NUM_SAMPLED / max(sum(len(store.header(video)) for video in videos), 1)
    with lock():

        def observed(video: str, rows: Rows) -> VideoInput:
            features = FeatureSequence.load(npz_path(outputs, video))
            return observe_video(corpus, store, poses, video, extractor, features, trained[video], rows)

        crops = {video: of_corpus.of(crops_of(video)) for video in videos}
        left = refresh_features(outputs, made_by, crops, overwrite=True)  # of those of a run that was killed
        for done, (video, result) in enumerate(extract_each(extractor, store, list(left)), 1):
            if isinstance(result, UserError):
                failures[video] = result
            else:
                result.save(npz_path(outputs, video), left[video])
            on_progress(len(videos) - len(left) + done, len(videos))
        for video in [video for video in videos if video not in failures]:
            try:
                of_corpus.check(*inputs[video])
                samples.append(_sample(partial(observed, video), len(store.header(video)), share))
            except UserError as e:
                failures[video] = e
        counts, noise = RepairCounts(), None
        if samples:
            noise, of_placement = _calibrate(samples, corpus.poses_dir(poses))
            for video in (video for video in missing if video not in failures):
                num_frames = len(store.header(video))
                repaired, own = repair_video(partial(observed, video), num_frames, noise, of_placement)
                repaired.save(corpus.pose_path(out, video), missing[video])
                counts += own
        shutil.rmtree(outputs, ignore_errors=True)
    if failures or noise is None:
        text = '; '.join(f'{video}: {error}' for video, error in failures.items())
        raise UserError(f'{folder}: {len(failures)} of {len(videos)} videos failed: {text}')
    notes = (
        []
        if noise.is_held_out
        else [
            f'{noise.num_held_out} confident frames that the student was not trained on (needs {MIN_FRAMES}): noise '
            'levels are of the training frames, where the student is better; hold out more, or add videos'
        ]
    )
    return RepairReport(len(missing), len(videos), counts, noise, notes)


def trained_frames(
    extractor: FeatureExtractor, cfg: Config, corpus: Corpus, checkpoint: str | os.PathLike, videos: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the frames of each video that the student was trained on.

    Raises:
        UserError: the student gives no 2D joints, does not record its videos, or was trained on none of the corpus.
    """
    dims = extractor.model.student.out_dims
    if dims != JointFeature.dims:
        raise UserError(
            f'{checkpoint}: is a student of D = {dims}; repair needs one of 2D joints, D = {JointFeature.dims}'
        )
    if extractor.trained_on is None:
        raise UserError(f'{checkpoint}: does not record the videos that it was trained on; train the student again')
    seen = extractor.trained_on.seen(corpus, videos)
    if not seen:
        raise UserError(
            f'{checkpoint}: was trained on corpus {extractor.trained_on.corpus!r}, on no video of {corpus.root}; '
            f'repair needs a student of this corpus (tools/train.py CONFIG --corpus {corpus.root})'
        )
    datasets = list(datasets_of(cfg, 'train'))
    own = [d for d in datasets if Path(d.get('corpus') or '').resolve() == corpus.root.resolve()] or datasets[:1]
    if not own or 'teacher' not in own[0]:
        raise UserError(f'{cfg.filename}: has no training data; pass the config with which the student was trained')
    dataset: CropDataset = DATASETS.build({**own[0], 'corpus': str(corpus.root), 'pipeline': []})
    result = dict.fromkeys(videos, np.zeros(0, np.int64))
    for video in seen:
        frames = dataset.used_frames(video) if video in dataset.videos else result[video]
        # held out now, not in the training: the videos of the corpus have changed since
        result[video] = frames if len(frames) else dataset.store.header(video).frame_inds
    return result


def observe_video(
    corpus: Corpus,
    store: CropStore,
    poses: str,
    video: str,
    extractor: FeatureExtractor,
    features: FeatureSequence,
    trained: np.ndarray,
    frames: Rows = slice(None),
) -> VideoInput:
    """Read and normalise what is known of a video.

    Args:
        poses: Pose set of the teacher.
        extractor, features: The student, and its features of the video.
        trained: Of :func:`trained_frames`.
        frames: Of the frames with a crop.

    Raises:
        UserError: no pose is of a frame with a crop.
    """
    header, sequence = store.header(video), corpus.poses(poses, video)
    rows = rows_of(sequence.frame_inds, header.frame_inds)
    if not len(header) or (rows < 0).all():
        raise UserError(
            f'{corpus.pose_path(poses, video)}: holds no pose of a frame with a crop; poses of other frames?'
        )
    frame_inds = header.frame_inds[frames]
    decoded = extractor.decode_motion(features.feats[frames]).reshape(len(frame_inds), -1, 13, 2).astype(float)
    keypoints, scores = teacher_poses(sequence, rows[frames])
    motion = decoded[:, 1] if decoded.shape[1] > 1 else np.full_like(decoded[:, 0], np.nan)
    observed = observe(
        keypoints,
        scores,
        decoded[:, 0],
        motion,
        frame_inds,
        header.starts,
        corpus.video(video).fps,
        np.isin(frame_inds, trained),
        corpus.settings().min_score,
    )
    joints = np.where(np.isfinite(observed.teacher), keypoints[:, list(VPD_JOINTS)], np.nan)
    return VideoInput(frame_inds, keypoints, scores, observed, PlacementSeries.of(joints, header.windows[frames]))


def teacher_poses(sequence: PoseSequence, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return keypoints (T, 17, 2) and scores (T, 17) of rows (T,) of a sequence; score 0 where a row is -1."""
    keypoints, scores = np.zeros((len(rows), NUM_COCO_JOINTS, 2)), np.zeros((len(rows), NUM_COCO_JOINTS))
    keypoints[rows >= 0], scores[rows >= 0] = sequence.keypoints[rows[rows >= 0]], sequence.scores[rows[rows >= 0]]
    return keypoints, scores


def observe(
    keypoints: np.ndarray,
    scores: np.ndarray,
    student: np.ndarray,
    motion: np.ndarray,
    frame_inds: np.ndarray,
    starts: np.ndarray,
    fps: float,
    trained: np.ndarray,
    min_score: float = 0.5,
) -> Observations:
    """Normalise the poses of T frames with a crop.

    Args:
        keypoints, scores: (T, 17, 2) px, (T, 17): the teacher's; score 0 = no joint.  Without a hip or shoulder a pose
            has no size, and is left out.
        student, motion: (T, 13, 2).
        frame_inds, starts: Of the crops.
        fps: Frames per second.
        trained: (T,) bool.
        min_score: Confidence gate.
    """
    seen = (scores[:, VPD_JOINTS] > 0) & (scores[:, _TORSO] > 0).all(axis=1, keepdims=True)
    teacher = np.where(seen[..., None], normalize_joints(keypoints[:, VPD_JOINTS].astype(float)), np.nan)
    motion = np.where(np.isin(frame_inds, starts)[:, None, None], np.nan, motion)
    mean, steps = scores[:, VPD_JOINTS].mean(axis=1), shots(frame_inds, starts, fps)
    known = np.where(np.isfinite(teacher).any(axis=(1, 2)), mean, np.nan)
    return Observations(steps, teacher, known, mean >= min_score, student, motion, trained)


def _sample(observed: Callable[[Rows], VideoInput], num_frames: int, share: float) -> VideoInput:
    """Return evenly spread blocks of consecutive frames, about this share of the video."""
    if share >= 1:
        return observed(slice(None))
    block = min(int(np.clip(share * num_frames, 10, BLOCK)), num_frames)
    starts = np.linspace(0, num_frames - block, max(1, round(share * num_frames / block))).astype(int)
    rows = np.unique(starts[:, None] + np.arange(block))
    sample = observed(rows)
    sample.poses.steps[np.diff(rows, prepend=-2) > 1] = np.inf
    return sample


def _calibrate(samples: Sequence[VideoInput], folder: Path) -> tuple[Noise, PlacementNoise]:
    try:
        noise = calibrate([sample.poses for sample in samples])
    except UserError as e:
        raise UserError(f'{folder}: {e}') from e
    return noise, calibrate_placement([(s.placement, s.poses.confident, s.poses.steps) for s in samples])


def repair_video(
    observed: Callable[[Rows], VideoInput], num_frames: int, noise: Noise, of_placement: PlacementNoise
) -> tuple[RepairedPoses, RepairCounts]:
    """Repair a video in parts, with ``OVERLAP`` frames on both sides: what is further away has no weight."""
    results, counts = list[RepairedPoses](), RepairCounts()
    for start in range(0, num_frames, PART):
        low = max(0, start - OVERLAP)
        part = observed(slice(low, start + PART + OVERLAP))
        repaired = repair(part.poses, noise)
        placement = place(part.placement, repaired.factors, part.poses.steps, of_placement)
        inside = slice(start - low, start - low + PART)
        own = part.take(inside)
        result, counted_own = repaired_poses(
            own.frame_inds, own.keypoints, own.scores, take_rows(repaired, inside), take_rows(placement, inside)
        )
        results.append(result)
        counts += counted_own
    arrays = zip(*(vars(result).values() for result in results), strict=True)
    return RepairedPoses(*map(np.concatenate, arrays)), counts
