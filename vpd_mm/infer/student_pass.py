"""From boxes in a video to the student's features, without a corpus between; the numbers are those of a corpus."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..athlete import FlowEstimator, SquareCropper
from ..athlete.camera_cuts import with_previous
from ..athlete.square_cropper import Window
from ..corpus import crop_codec as codec
from ..errors import UserError
from ..features.feature_extractor import FeatureExtractor
from ..prepare.crop_pass import cut_pair
from ..structures import AthleteTrack, FeatureSequence
from .frame_source import FrameSource


class CutFrame(NamedTuple):
    """What the student sees of one frame.

    Args:
        athlete: Which track.
        frame_ind: Of the video.
        window: (left, top, side) of the crop in the frame, px.
        inputs: As the pipeline gives them, (5 or 3, S, S).
    """

    athlete: int
    frame_ind: int
    window: Window
    inputs: Tensor


class _OneCrop:
    """One crop where ``LoadCrop`` and ``LoadFlow`` expect a ``CropStore``."""

    def __init__(self, rgb: np.ndarray, flow: np.ndarray | None) -> None:
        self._rgb, self._flow = rgb, flow

    def crop(self, video: str, frame_ind: int) -> np.ndarray:
        return self._rgb

    def flow(self, video: str, frame_ind: int) -> np.ndarray:
        if self._flow is None:
            raise UserError("flow 'none': this student needs flow; pass the method that its corpus was made with")
        return self._flow

    def mask(self, video: str, frame_ind: int) -> None:
        return None


class StudentChain:
    """Square crop, flow, student: what ``tools/prepare.py`` and ``tools/extract_features.py`` do.

    Crop and flow pass the corpus's codec (JPEG, flow in 8 bits) in memory, so
    that the student sees what it would see from disk, to the bit.

    Args:
        extractor: The student.
        cropper: Of the size that the student's corpus has.
        flow: Of the method that the student's corpus has.
    """

    def __init__(self, extractor: FeatureExtractor, cropper: SquareCropper, flow: FlowEstimator) -> None:
        self.extractor, self.cropper, self.flow = extractor, cropper, flow

    def cut(
        self,
        rgb: np.ndarray,
        previous: np.ndarray | None,
        box: np.ndarray,
        previous_box: np.ndarray | None,
        frame_ind: int,
        athlete: int = 0,
    ) -> CutFrame:
        """One frame of one athlete; arguments as of ``cut_pair``."""
        window, crop, flow = cut_pair(rgb, previous, box, previous_box, self.cropper, self.flow)
        square = (self.cropper.size, self.cropper.size)
        crop = codec.decode_rgb(codec.encode_rgb(crop), square)
        if flow is not None:
            flow = codec.decode_flow(codec.encode_flow(flow, self.flow.clip), square, self.flow.clip)
        sample = {'store': _OneCrop(crop, flow), 'video': '', 'frame': frame_ind, 'index': frame_ind, 'rng': None}
        return CutFrame(athlete, frame_ind, window, self.extractor.pipeline(sample)['inputs'])

    def features(self, inputs: Sequence[Tensor]) -> np.ndarray:
        """(N, 2, D) float32, as seen and flipped.

        Raises:
            UserError: the student gives NaN.
        """
        feats = self.extractor.features(torch.stack(list(inputs)))
        if not np.isfinite(feats).all():
            raise UserError('the student gives NaN; its training diverged, use an earlier checkpoint')
        return feats

    def extract(
        self,
        source: FrameSource,
        tracks: Sequence[AthleteTrack],
        batch_size: int,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[list[FeatureSequence], int]:
        """Features of every track in one pass over the frames, and one past the last frame.

        Besides two frames and a batch of crops, memory holds the result: 8 D
        bytes a box (208 at D = 26).
        """
        dims = self.extractor.model.student.out_dims
        feats = [np.empty((len(track), 2, dims), np.float32) for track in tracks]
        known = [np.zeros(len(track), bool) for track in tracks]
        counted = _Counted(source)
        for batch in in_background(batches(self._cuts(counted, tracks), batch_size)):
            for cut, found in zip(batch, self.features([cut.inputs for cut in batch]), strict=True):
                row = int(np.searchsorted(tracks[cut.athlete].frame_inds, cut.frame_ind))
                feats[cut.athlete][row], known[cut.athlete][row] = found, True
            progress(batch[-1].frame_ind + 1, source.num_frames)
        results = []
        for track, values, there in zip(tracks, feats, known, strict=True):
            frames, values = (track.frame_inds, values) if there.all() else (track.frame_inds[there], values[there])
            results.append(FeatureSequence(frames, values, np.ones(len(frames), np.float32)))
        return results, counted.end

    def _cuts(self, source: Iterable[tuple[int, np.ndarray]], tracks: Sequence[AthleteTrack]) -> Iterator[CutFrame]:
        for frame_ind, rgb, before in with_previous(source):
            for athlete, track in enumerate(tracks):
                box = box_at(track, frame_ind)
                if box is not None:
                    yield self.cut(rgb, before, box, box_at(track, frame_ind - 1), frame_ind, athlete)


class _Counted:
    """Frames of a source; ``end`` is one past the last that came."""

    def __init__(self, source: FrameSource) -> None:
        self._source, self.end = source, 0

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for frame_ind, rgb in self._source:
            self.end = frame_ind + 1
            yield frame_ind, rgb


def box_at(track: AthleteTrack, frame_ind: int) -> np.ndarray | None:
    """Box (4,) of a frame; None where the track has none."""
    row = int(np.searchsorted(track.frame_inds, frame_ind))
    return track.boxes[row] if row < len(track) and track.frame_inds[row] == frame_ind else None


def batches(items: Iterable, size: int) -> Iterator[list]:
    """Lists of ``size`` items, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def in_background(items: Iterator[Any]) -> Iterator[Any]:
    """The same items; the next one is made in a thread while the last one is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
