"""Run a student on athletes in frames, without a corpus in between."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..athlete import FlowEstimator, SquareCropper
from ..corpus import crop_codec as codec
from ..errors import UserError
from ..features.feature_extractor import FeatureExtractor
from ..prepare.crop_pass import cut_pair


def newest_student(folders: Sequence[str] = ('work_dirs', 'runs')) -> tuple[str, str]:
    """Find config and checkpoint of the last distillation below the current folder; UserError where there is none."""
    notes = [note for folder in folders for note in Path(folder).rglob('last_checkpoint')]
    for note in sorted(notes, key=lambda path: path.stat().st_mtime, reverse=True):
        checkpoint = note.parent / Path(note.read_text(encoding='utf-8').strip()).name
        configs = [path for path in note.parent.glob('*.py') if 'PoseDistiller' in path.read_text(encoding='utf-8')]
        if checkpoint.is_file() and configs:
            return str(configs[0]), str(checkpoint)
    raise UserError(
        f'no student: none was trained in {" or ".join(folders)}; pass --student CONFIG:CHECKPOINT (train one with '
        'tools/train.py and a config of configs/distill)'
    )


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
    ) -> Tensor:
        """Cut one athlete out of one frame: the pipeline's inputs (5 or 3, S, S); arguments as of ``cut_pair``."""
        _, crop, flow = cut_pair(rgb, previous, box, previous_box, self.cropper, self.flow)
        square = (self.cropper.size, self.cropper.size)
        crop = codec.decode_rgb(codec.encode_rgb(crop), square)
        if flow is not None:
            flow = codec.decode_flow(codec.encode_flow(flow, self.flow.clip), square, self.flow.clip)
        sample = {'store': _OneCrop(crop, flow), 'video': '', 'frame': 0, 'index': 0, 'rng': None}
        return self.extractor.pipeline(sample)['inputs']

    def features(self, inputs: Sequence[Tensor]) -> np.ndarray:
        """Compute (N, 2, D) float32 features, original and flipped view; UserError where the student gives NaN."""
        feats = self.extractor.features(torch.stack(list(inputs)))
        if not np.isfinite(feats).all():
            raise UserError('the student gives NaN; its training diverged, use an earlier checkpoint')
        return feats

    def joints(self, feats: np.ndarray) -> np.ndarray | None:
        """Decode (N, 2, D) features to normalised joints (N, 13, 2) of the original view; None without 2D joints."""
        return self.extractor.decode(feats).reshape(len(feats), -1, 2) if self.has_joints else None


class _OneCrop:
    """One crop, read by ``LoadCrop`` and ``LoadFlow`` like a ``CropStore``."""

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
