"""Detector and pose model of a prepare run."""

from functools import cached_property

from ..athlete import FrameSource
from ..errors import UserError
from .options import PrepareSettings, split_model

#: Detections below this score do not reach the tracker, which starts tracks with high scores and continues them
#: with low ones.
LOW_SCORE = 0.1

#: Largest batch of whole frames (a 4K frame has 25 MB).
_BATCH_BYTES = 128 << 20


class SetupError(UserError):
    """A model cannot be built, so no video of the run can be prepared."""


class Models:
    """The models of one process, built on first use.

    Raises:
        SetupError: a model cannot be built.
    """

    def __init__(self, settings: PrepareSettings) -> None:
        self.settings = settings

    @cached_property
    def detector(self):
        """``AthleteDetector`` of ``settings.boxes``."""
        from ..athlete.athlete_detector import AthleteDetector  # imports torch

        config, checkpoint = split_model(self.settings.boxes)
        try:
            return AthleteDetector(config, checkpoint, self.settings.device, self.settings.batch_size, LOW_SCORE)
        except (UserError, ImportError) as e:
            raise SetupError(f'boxes {self.settings.boxes}: {e}') from e

    @cached_property
    def teacher(self):
        """``MediaPipeTeacher`` or ``PoseTeacher`` of ``settings.poses``."""
        from ..teacher.mediapipe_teacher import MediaPipeTeacher  # imports torch
        from ..teacher.pose_teacher import PoseTeacher

        try:
            if self.settings.poses == 'mediapipe':
                return MediaPipeTeacher()
            config, checkpoint = split_model(self.settings.poses)
            return PoseTeacher(config, checkpoint, self.settings.device, self.settings.batch_size)
        except (UserError, ImportError) as e:
            raise SetupError(f'poses {self.settings.poses}: {e}') from e

    def frames_per_batch(self, source: FrameSource) -> int:
        """Number of whole frames to collect for a model."""
        return max(1, min(self.settings.batch_size, _BATCH_BYTES // (3 * source.width * source.height)))
