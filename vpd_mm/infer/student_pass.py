"""Load a student and run it on athletes in frames, without a corpus in between."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from ..athlete import FlowEstimator, SquareCropper
from ..athlete.square_cropper import Window
from ..compat import load_checkpoint_safely
from ..corpus import crop_codec as codec
from ..distill import PoseDistiller
from ..engine.model_files import build_model, load_weights
from ..errors import UserError
from ..features.feature_extractor import FeatureExtractor
from ..prepare.crop_pass import cut_pair
from ..structures import AthleteTrack, FeatureSequence
from ..teacher import JointFeature
from .onnx_backend import run_student_in_onnx

BACKENDS = ('torch', 'onnxruntime')


def load_student(cfg: Config, weights: str, backend: str = 'torch', device: str = 'cpu') -> tuple[PoseDistiller, bool]:
    """Load a trained student, with its decoder where the checkpoint has one.

    Args:
        cfg: Distillation config.
        weights: Checkpoint; for onnxruntime the ``.onnx`` file of the student.
        backend: One of BACKENDS.
        device: Device of onnxruntime.

    Returns:
        The model, and True where it can decode 2D joints (D = 26 and a decoder).

    Raises:
        UserError: the config has another kind of model, or the weights are missing or do not fit.
    """
    if backend not in BACKENDS:
        raise UserError(f'backend must be one of {", ".join(BACKENDS)}, found {backend!r}')
    model = build_model(cfg)
    if not isinstance(model, PoseDistiller):
        raise UserError(f'{cfg.filename}: its model is {type(model).__name__}, expected a PoseDistiller')
    has_joints = model.student.out_dims == JointFeature.dims
    if backend == 'onnxruntime':
        run_student_in_onnx(model, weights, device)
        return model, has_joints
    if model.decoder is not None and Path(weights).is_file() and not weights.endswith('.onnx'):
        state = load_checkpoint_safely(weights)
        if isinstance(state, dict) and not any('decoder.' in key for key in state.get('state_dict', state)):
            model.decoder, has_joints = None, False  # packed without the decoder
    load_weights(model, weights, cfg)
    return model, has_joints


def newest_student(folders: Sequence[str] = ('work_dirs', 'runs')) -> tuple[str, str]:
    """Find config and checkpoint of the last distillation below the current folder.

    Raises:
        UserError: there is none.
    """
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

    Args:
        extractor: The student.
        cropper: Crops of the size in the student's corpus.
        flow: Flow of the method in the student's corpus.
        has_joints: Whether 2D joints can be decoded from the features.
    """

    def __init__(
        self, extractor: FeatureExtractor, cropper: SquareCropper, flow: FlowEstimator, has_joints: bool
    ) -> None:
        self.extractor, self.cropper, self.flow, self.has_joints = extractor, cropper, flow, has_joints

    def cut(
        self, rgb: np.ndarray, previous: np.ndarray | None, box: np.ndarray, previous_box: np.ndarray | None
    ) -> tuple[Window, Tensor]:
        """Cut one athlete out of one frame; arguments as of ``cut_pair``.

        Returns:
            The window (left, top, side) of the crop in px, and the pipeline's inputs (5 or 3, S, S).
        """
        window, crop, flow = cut_pair(rgb, previous, box, previous_box, self.cropper, self.flow)
        square = (self.cropper.size, self.cropper.size)
        crop = codec.decode_rgb(codec.encode_rgb(crop), square)
        if flow is not None:
            flow = codec.decode_flow(codec.encode_flow(flow, self.flow.clip), square, self.flow.clip)
        sample = {'store': _OneCrop(crop, flow), 'video': '', 'frame': 0, 'index': 0, 'rng': None}
        return window, self.extractor.pipeline(sample)['inputs']

    def features(self, inputs: Sequence[Tensor]) -> np.ndarray:
        """Compute (N, 2, D) float32 features, original and flipped view.

        Raises:
            UserError: the student gives NaN.
        """
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


def row_of(items: AthleteTrack | FeatureSequence, frame_ind: int) -> int | None:
    """Row of a frame in a track or a feature sequence; None where the frame is missing."""
    row = int(np.searchsorted(items.frame_inds, frame_ind))
    return row if row < len(items) and items.frame_inds[row] == frame_ind else None


def batches(items: Iterable, size: int) -> Iterator[list]:
    """Yield lists of ``size`` items; the last one may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
