"""Detector, pose model and flow of a prepare run."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from ..athlete import FlowEstimator, FrameSource
from ..errors import UserError
from ..files.download import DownloadError
from .options import MEDIAPIPE_POSES, PrepareSettings, split_model

#: Detections below this score do not reach the tracker, which starts tracks with high scores and continues them
#: with low ones.
LOW_SCORE = 0.1

#: What to do where weights cannot be downloaded.
_OFFLINE = 'or without network: --boxes mediapipe --poses mediapipe, or folders of boxes and poses'

#: Largest batch of whole frames (a 4K frame has 25 MB).
_BATCH_BYTES = 128 << 20


class SetupError(UserError):
    """A model cannot be built, so no video of the run can be prepared."""


def fetch_models(*specs: str) -> None:
    """Download the weights of ``mmdet:`` and ``mmpose:`` boxes and poses, once; SetupError where one is missing."""
    for spec in specs:
        package, separator, _ = spec.partition(':')
        if separator and package in ('mmdet', 'mmpose'):
            from ..engine.model_zoo import fetch_model  # imports torch

            with _setup(''):
                try:
                    fetch_model(package, *split_model(spec))
                except DownloadError as e:
                    raise UserError(f'{e}; {_OFFLINE}') from e


class Models:
    """The models of one process, built on first use; SetupError where one cannot be built."""

    def __init__(self, settings: PrepareSettings) -> None:
        self.settings = settings

    @cached_property
    def detector(self):
        """``AthleteDetector`` or ``MediaPipeTeacher`` of ``settings.boxes``."""
        from ..athlete.athlete_detector import AthleteDetector  # imports torch

        s = self.settings
        if s.boxes == 'mediapipe':
            return self._mediapipe
        with _setup(f'boxes {s.boxes}: '):
            return AthleteDetector(*split_model(s.boxes), s.device, s.batch_size, LOW_SCORE)

    def start_detector(self):
        """Return the detector, ready for the first frame of a video."""
        if self.settings.boxes == 'mediapipe':
            self._mediapipe.start_video()
        return self.detector

    @cached_property
    def teacher(self):
        """``MediaPipeTeacher`` or ``PoseTeacher`` of ``settings.poses``."""
        from ..teacher.mediapipe_teacher import MediaPipeTeacher  # imports torch
        from ..teacher.pose_teacher import PoseTeacher

        s = self.settings
        if s.poses == 'mediapipe':
            return self._mediapipe
        with _setup(f'poses {s.poses}: '):
            if s.poses in MEDIAPIPE_POSES:
                return MediaPipeTeacher(heavy=True)
            return PoseTeacher(*split_model(s.poses), s.device, s.batch_size)

    @cached_property
    def _mediapipe(self):
        from ..teacher.mediapipe_teacher import MediaPipeTeacher  # imports torch

        with _setup(''):
            return MediaPipeTeacher()

    @cached_property
    def flow(self) -> FlowEstimator:
        s = self.settings
        with _setup(''):
            return FlowEstimator(s.flow, s.subtract_median, s.flow_checkpoint, s.device)

    def frames_per_batch(self, source: FrameSource) -> int:
        """Number of whole frames to collect for a model."""
        return max(1, min(self.settings.batch_size, _BATCH_BYTES // (3 * source.width * source.height)))


@contextmanager
def _setup(what: str) -> Iterator[None]:
    try:
        yield
    except (UserError, ImportError) as e:
        raise SetupError(f'{what}{e}') from e
