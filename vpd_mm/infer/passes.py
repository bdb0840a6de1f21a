"""Detector, tracker and student on a video, without a corpus in between: frame by frame, or in two passes."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..athlete import FlowEstimator, FrameSource, SquareCropper
from ..athlete.camera_cuts import CUT_THRESHOLD, with_previous
from ..athlete.track_rules import build_tracker
from ..corpus import crop_codec as codec
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..features.feature_extractor import FeatureExtractor
from ..prepare.crop_pass import cut_pair
from ..prepare.models import Models
from ..prepare.tracking_pass import check_box_sizes, find_tracks, no_athlete_error
from ..structures import AthleteTrack, FeatureSequence
from .frame_source import FrameStream

#: Box (4,) float32 xyxy px and its score; None where there is no athlete.
ScoredBox = tuple[np.ndarray, float] | None
#: (frame_ind, rgb, whether a shot begins with it) of each frame.
Frames = list[tuple[int, np.ndarray, bool]]


@dataclass(frozen=True, eq=False)
class FrameResult:
    """Result of one frame; all but the first two are None where there is no athlete.

    Args:
        frame_ind, rgb: Number from 0, and the frame itself, (H, W, 3) uint8.
        box, score: (4,) float32 xyxy px and its score.
        feats: (2, D) float32, original and flipped view.
        joints: (13, 2) normalised, decoded from ``feats``; None also without 2D joints.
    """

    frame_ind: int
    rgb: np.ndarray
    box: np.ndarray | None = None
    score: float | None = None
    feats: np.ndarray | None = None
    joints: np.ndarray | None = None


FrameResults = Generator[FrameResult, None, None]


class StudentPass:
    """Cut the athlete out of a frame and run the student, as ``tools/prepare.py`` and ``tools/extract_features.py`` do.

    Crop and flow pass through the corpus's codec (JPEG, 8-bit flow) in memory, so that features equal those of a
    corpus to the bit.

    ``cropper`` and ``flow`` are those of the student's corpus; ``has_joints``: 2D joints can be decoded from features.
    """

    def __init__(
        self, extractor: FeatureExtractor, cropper: SquareCropper, flow: FlowEstimator, has_joints: bool
    ) -> None:
        self.extractor, self.cropper, self.flow, self.has_joints = extractor, cropper, flow, has_joints

    def cut(
        self, rgb: np.ndarray, previous: np.ndarray | None, box: np.ndarray, previous_box: np.ndarray | None
    ) -> dict:
        """Cut one athlete out of one frame: the pipeline's sample; arguments as of ``cut_pair``."""
        _, crop, flow = cut_pair(rgb, previous, box, previous_box, self.cropper, self.flow)
        square = (self.cropper.size, self.cropper.size)
        crop = codec.decode_rgb(codec.encode_rgb(crop), square)
        code = None
        if flow is not None:
            code = codec.decode_flow_code(codec.encode_flow(flow, self.flow.clip), square)
        sample = {
            'store': _OneCrop(crop, code, codec.flow_step(self.flow.clip)),
            'video': '',
            'frame': 0,
            'index': 0,
            'rng': None,
        }
        return self.extractor.pipeline(sample)

    def features(self, samples: Sequence[dict]) -> np.ndarray:
        """Compute (N, 2, D) float32 features, original and flipped view; UserError where the student gives NaN."""
        feats = self.extractor.features(list(samples))
        if not np.isfinite(feats).all():
            raise UserError('the student gives NaN; its training diverged, use an earlier checkpoint')
        return feats

    def joints(self, feats: np.ndarray) -> np.ndarray | None:
        """Decode (N, 2, D) features to normalised joints (N, 13, 2) of the original view; None without 2D joints."""
        return self.extractor.decode(feats).reshape(len(feats), -1, 2) if self.has_joints else None


class _OneCrop:
    """One crop, read by transforms like a ``CropStore``."""

    def __init__(self, rgb: np.ndarray, code: np.ndarray | None, flow_step: float) -> None:
        self._rgb, self._code, self._flow_step = rgb, code, flow_step

        self.square = rgb.shape[:2]

    def settings(self, video: str) -> '_OneCrop':
        return self

    def fetch(self, video: str, frame_ind: int) -> None:
        pass

    def crop(self, video: str, frame_ind: int, fetched: bool = False) -> np.ndarray:
        return self._rgb

    def flow_code(self, video: str, frame_ind: int) -> tuple[np.ndarray, float]:
        if self._code is None:
            raise UserError("flow 'none': this student needs flow; pass the method that its corpus was made with")
        return self._code, self._flow_step

    def flow_step(self, video: str) -> float:
        return self.flow_code(video, 0)[1]

    def mask(self, video: str, frame_ind: int) -> None:
        return None

    def header(self, video: str) -> None:
        raise UserError('this student needs neighboring frames; use tools/prepare.py and tools/extract_features.py')


def online_pass(
    student: StudentPass,
    models: Models,
    rules: Mapping,
    source: FrameSource,
    batch_size: int,
    track: AthleteTrack | None = None,
) -> FrameResults:
    """Yield the results of the frames of ``source`` in order, ``batch_size`` frames at a time.

    ``models`` hold the detector and the settings of the boxes; ``rules`` are those of the ``OnlineTracker``; ``track``
    are known boxes.  Raises UserError where the boxes are not available online.
    """
    if batch_size < 1:
        raise UserError(f'batch size must be 1 or more, found {batch_size}')
    find_boxes = _box_finder(models, rules, source, track)
    previous_box: np.ndarray | None = None
    for batch in _batches(with_previous(source, rules.get('cut_threshold', CUT_THRESHOLD)), batch_size):
        boxes = find_boxes([(frame_ind, rgb, cut) for frame_ind, rgb, _, cut in batch])
        crops = []
        for (_, rgb, previous, _), scored in zip(batch, boxes, strict=True):
            if scored is not None:
                crops.append(student.cut(rgb, previous, scored[0], previous_box))
            previous_box = None if scored is None else scored[0]
        feats = student.features(crops) if crops else np.zeros((0, 2, 0), np.float32)
        joints = student.joints(feats) if crops else None
        rows = zip(feats, [None] * len(feats) if joints is None else joints, strict=True)
        for (frame_ind, rgb, *_), scored in zip(batch, boxes, strict=True):
            yield FrameResult(frame_ind, rgb, *([] if scored is None else [*scored, *next(rows)]))


def _box_finder(
    models: Models, rules: Mapping, source: FrameSource, track: AthleteTrack | None
) -> Callable[[Frames], list[ScoredBox]]:
    """Return a function that gives the athlete's box in each frame of consecutive batches."""
    boxes = models.settings.boxes
    if track is None and models.settings.boxes_by_model:
        tracker = build_tracker(rules, source.fps, (source.width, source.height), online=True)
        detector = models.start_detector()

        def detect(batch: Frames) -> list[ScoredBox]:
            detections = detector.detect([rgb for _, rgb, _ in batch])
            return [tracker.choose(i, d, rgb, cut) for (i, rgb, cut), d in zip(batch, detections, strict=True)]

        return detect
    if track is None and boxes == 'full':
        frame = np.array([0, 0, source.width, source.height], np.float32)
        return lambda batch: [(frame, 1.0) for _ in batch]
    if track is None:
        if isinstance(source, FrameStream):
            raise UserError(f'{source.path}: boxes of files go with video files; pass a detector, full or bboxes')
        tracks = find_tracks(models.settings, models, source, no_progress)
        if len(tracks) != 1:
            raise UserError(f'{source.path}: the online pass follows one athlete, {boxes} has {len(tracks)}')
        (track,) = tracks.values()
    check_box_sizes(track, source, 'bboxes')
    known = dict(zip(track.frame_inds.tolist(), zip(track.boxes, track.scores.tolist())))
    return lambda batch: [known.get(frame_ind) for frame_ind, *_ in batch]


def join_results(results: Iterable[FrameResult]) -> tuple[AthleteTrack, FeatureSequence, int]:
    """Join frame results to a track, a feature sequence, and one past the last frame."""
    rows, end = [], 0
    for result in results:
        end = result.frame_ind + 1
        if result.box is not None:
            rows.append((result.frame_ind, result.box, result.score, result.feats))
    inds, boxes, scores, feats = zip(*rows) if rows else ((), np.zeros((0, 4)), (), np.zeros((0, 2, 1)))
    frames = np.array(inds, np.int64)
    track = AthleteTrack(frames, np.array(boxes, np.float32), np.array(scores, np.float32))
    return track, FeatureSequence(frames, np.array(feats, np.float32), np.ones(len(frames), np.float32)), end


def offline_pass(
    student: StudentPass,
    models: Models,
    source: FrameSource,
    batch_size: int,
    track: AthleteTrack | None,
    on_track_progress: OnProgress,
    on_feature_progress: OnProgress,
) -> tuple[dict[str, tuple[AthleteTrack, FeatureSequence]], int]:
    """Track the athletes of a video and make their features; the numbers equal those of a corpus.

    ``models`` hold the detector and the settings of the boxes.  The source is read twice, once where ``track`` gives
    the boxes.  Returns the name of each athlete ('' = the only one) to track and features, and the number of frames.
    Raises UserError: no athlete is found, or a box is not valid.
    """
    if track is None:
        tracks = find_tracks(models.settings, models, source, on_track_progress)
    elif not len(track):
        raise no_athlete_error(source, source.num_frames, 'given')
    else:
        check_box_sizes(track, source, 'bboxes')
        tracks = {'': track}
    features, end = _extract(student, source, list(tracks.values()), batch_size, on_feature_progress)
    if getattr(source, 'num_damaged', 0):
        end = source.num_frames
    results = {}
    for (name, one), sequence in zip(tracks.items(), features, strict=True):
        keep = slice(int(np.searchsorted(one.frame_inds, end)))  # frames from `end` on did not decode
        results[name] = AthleteTrack(one.frame_inds[keep], one.boxes[keep], one.scores[keep]), sequence
    return results, end


def _extract(
    student: StudentPass, source: FrameSource, tracks: list[AthleteTrack], batch_size: int, on_progress: OnProgress
) -> tuple[list[FeatureSequence], int]:
    """Make the features of every track in one pass; return them and one past the last frame that decoded.

    Memory holds two frames, a batch of crops and the result: 8 D bytes per box (208 at D = 26).
    """
    end = 0

    def crops() -> Iterator[tuple[int, int, int, dict]]:  # athlete, row of its track, frames so far, sample
        nonlocal end
        for frame_ind, rgb, previous, _ in with_previous(source):
            end = frame_ind + 1
            for athlete, track in enumerate(tracks):
                row, before = row_of(track, frame_ind), row_of(track, frame_ind - 1)
                if row is not None:
                    previous_box = None if before is None else track.boxes[before]
                    yield athlete, row, end, student.cut(rgb, previous, track.boxes[row], previous_box)

    dims = student.extractor.model.student.out_dims
    feats = [np.empty((len(track), 2, dims), np.float32) for track in tracks]
    known = [np.zeros(len(track), bool) for track in tracks]
    for batch in _in_background(_batches(crops(), batch_size)):
        values = student.features([sample for *_, sample in batch])
        for (athlete, row, *_), value in zip(batch, values, strict=True):
            feats[athlete][row], known[athlete][row] = value, True
        on_progress(batch[-1][2], source.num_frames)
    sequences = []
    for track, values, rows in zip(tracks, feats, known, strict=True):
        keep = slice(None) if rows.all() else rows  # a slice copies nothing
        sequences.append(FeatureSequence(track.frame_inds[keep], values[keep], np.ones(int(rows.sum()), np.float32)))
    return sequences, end


def row_of(items: AthleteTrack | FeatureSequence, frame_ind: int) -> int | None:
    """Row of a frame in a track or a feature sequence; None where the frame is missing."""
    row = int(np.searchsorted(items.frame_inds, frame_ind))
    return row if row < len(items) and items.frame_inds[row] == frame_ind else None


def _batches(items: Iterable, size: int) -> Iterator[list]:
    """Yield lists of ``size`` items; the last one may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _in_background(items: Iterator[list]) -> Iterator[list]:
    """Yield the same items; a thread makes the next one while the last one is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
