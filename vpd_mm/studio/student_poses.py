"""Poses of a student in the frame, from stored features or computed on demand."""

from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from ..corpus import CropHeader, VideoInfo
from ..corpus.stale_files import CorpusInputs, crops_of
from ..engine.model_files import find_one_trained, read_trained_config
from ..errors import UserError
from ..features.feature_extractor import FeatureExtractor, build_extractor, run_source
from ..files import file_state, list_folder, npz_path
from ..repair import Placement, PlacementSeries, observe, place
from ..repair.corpus_repair import teacher_poses
from ..repair.placement import calibrate_placement
from ..structures import VPD_JOINTS, FeatureSequence, rows_of
from ..structures.npz_io import read_source
from ..teacher import JointFeature, normalize_joints
from .workspace import Workspace, rows_in_span

#: Frames that are computed for one request where the student's features are not stored.
MOST_FRAMES = 256
#: Confident frames of the teacher that place a student, which knows the pose but not where it is.
_MIN_CONFIDENT = 10


class Student(NamedTuple):
    """A student of 2D joints, and the digest by which its features are known."""

    extractor: FeatureExtractor
    digest: str


class StudentPoses:
    """The 13 joints that the student of a workspace gives, in pixels of the frame.

    The pose is the student's; its place and size are those of the crops and the teacher's poses, smoothed over time.
    """

    #: One network at a time on the cores that there are.
    _lock = Lock()

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def poses(self, row: VideoInfo, start: int | None, end: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Return frame_inds (T,) and keypoints (T, 13, 2) px of frames ``start`` to ``end`` with a crop; None: all.

        Raises:
            UserError: there is no student, it gives no 2D joints, the video has no crops or too few confident poses,
                or the range is too long for features that are not stored.
        """
        if not self.workspace.student:
            raise UserError('no student: start tools/studio.py with --student')
        store = self.workspace.crops()
        header = store.header(row.video)
        rows = rows_in_span(row, header.frame_inds, start, end)
        frame_inds = header.frame_inds[rows]
        with self._lock:
            student = _load(self.workspace.student)
            feats = self._stored(row, student, header)
            if feats is not None:
                feats = feats[rows]
            elif len(frame_inds) <= MOST_FRAMES:
                sample = {'store': store, 'video': row.video, 'rng': None}
                samples = ({**sample, 'frame': i, 'index': i} for i in frame_inds.tolist())
                packed = [student.extractor.pipeline(sample) for sample in samples]
                feats = student.extractor.features(packed) if packed else None
            else:
                hint = f'ask for at most {MOST_FRAMES} frames, or run tools/extract_features.py'
                raise UserError(f'{row.video}: features of this student are not stored; {hint}')
            if feats is None:
                return frame_inds, np.zeros((0, 13, 2))
            joints = normalize_joints(student.extractor.decode(feats).reshape(-1, 13, 2).astype(float))
        placement = self._placement(row, header)
        part = Placement(*(values[rows] for values in vars(placement).values()))
        return frame_inds, part.to_px(joints)

    def _stored(self, row: VideoInfo, student: Student, header: CropHeader) -> np.ndarray | None:
        """Features (T, V, D) of all crops that this student made of the crops as they are now."""
        corpus, crops = self.workspace.corpus, crops_of(row.video)
        now = CorpusInputs(corpus).of(crops)[crops]
        for folder in list_folder(corpus.root / 'features'):
            path = npz_path(folder, row.video)
            if path.is_file() and (source := read_source(path)):
                inputs = source['inputs']
                if inputs.get('model') == student.digest and inputs.get(crops) == now:
                    return _map_feats(path, file_state(path))
        return None

    def _placement(self, row: VideoInfo, header: CropHeader) -> Placement:
        if not (name := self.workspace.teacher(row)):
            raise UserError(f'{row.video}: no poses of a teacher, which place those of the student')
        return _place(self.workspace, row, name, header, file_state(self.workspace.corpus.pose_path(name, row.video)))


@lru_cache(maxsize=1)
def _load(spec: str) -> Student:
    config, checkpoint = find_one_trained(spec, 'student')
    cfg = read_trained_config(config, checkpoint)
    extractor = build_extractor(cfg, checkpoint)
    if (dims := extractor.model.student.out_dims) != JointFeature.dims:
        raise UserError(f'{checkpoint}: is a student of D = {dims}; those of 2D joints, {JointFeature.dims}, are drawn')
    source: dict[str, Any] = dict(run_source(cfg, checkpoint))
    return Student(extractor, source['inputs']['model'])


@lru_cache(maxsize=16)
def _map_feats(path: Path, state: tuple) -> np.ndarray:
    """Features of a file in this state, mapped into memory; it is read and checked once."""
    FeatureSequence.load(path)
    return FeatureSequence.map(path).feats


@lru_cache(maxsize=16)
def _place(workspace: Workspace, row: VideoInfo, poses: str, header: CropHeader, state: tuple) -> Placement:
    corpus = workspace.corpus
    sequence = corpus.poses(poses, row.video)
    keypoints, scores = teacher_poses(sequence, rows_of(sequence.frame_inds, header.frame_inds))
    no_pose, untrained = np.zeros((len(header), 13, 2)), np.zeros(len(header), bool)
    frames = header.frame_inds, header.starts, row.fps, untrained, corpus.settings().min_score
    observed = observe(keypoints, scores, no_pose, no_pose, *frames)
    if np.count_nonzero(observed.confident) < _MIN_CONFIDENT:
        raise UserError(f'{row.video}: fewer than {_MIN_CONFIDENT} confident poses of a teacher place the student')
    joints = np.where(np.isfinite(observed.teacher), keypoints[:, list(VPD_JOINTS)], np.nan)
    series = PlacementSeries.of(joints, header.windows)
    noise = calibrate_placement([(series, observed.confident, observed.steps)])
    return place(series, np.ones(len(header)), observed.steps, noise)
