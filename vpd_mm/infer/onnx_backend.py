"""Run exported networks in onnxruntime."""

import importlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from ..detect import FrameScorer
from ..distill import PoseDistiller
from ..errors import UserError
from ..recognize import SequenceRecognizer

#: Key of the metadata in an exported file: a JSON object with ``kind``, ``config`` and ``classes``.
META_KEY = 'vpd_mm'


def import_onnx(package: str) -> ModuleType:
    """Import ``onnx`` or ``onnxruntime``.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as e:
        raise UserError(f'{package} is not installed ({e}); pip install onnx onnxruntime') from e


def open_session(path: str | os.PathLike, device: str = 'cpu'):
    """Open an ``onnxruntime.InferenceSession``.

    Raises:
        UserError: onnxruntime is not installed, or the file is missing or not a valid ONNX file.
    """
    runtime = import_onnx('onnxruntime')
    if not Path(path).is_file():
        raise UserError(f'{path}: no such file; tools/export.py writes it')
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    wanted = ['CUDAExecutionProvider'] if device.startswith('cuda') else []
    providers = [p for p in [*wanted, 'CPUExecutionProvider'] if p in runtime.get_available_providers()]
    try:
        return runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as e:  # onnxruntime's errors have no common base class
        raise UserError(f'{path}: onnxruntime cannot read it ({_one_line(e)}); export it again') from e


def read_metadata(session, path: str | os.PathLike, kinds: Sequence[str]) -> dict:
    """Read the metadata that the export wrote into a file.

    Raises:
        UserError: the file is not of one of these kinds.
    """
    text = session.get_modelmeta().custom_metadata_map.get(META_KEY)
    metadata = json.loads(text) if text else {}
    if metadata.get('kind') not in kinds:
        kind = f'a {metadata["kind"]}' if 'kind' in metadata else 'not a file of tools/export.py'
        raise UserError(f'{path}: is {kind}, expected a {" or ".join(kinds)}')
    return metadata


def decoder_path(student: Path) -> Path:
    """Path of the decoder that is exported with a student."""
    return student.with_suffix('.decoder.onnx')


class OnnxNetwork(nn.Module):
    """An exported network as a module: tensors in, its one output out.

    Args:
        path: The ``.onnx`` file.
        kinds: Accepted kinds, see ``export.onnx_graphs.Graph``.
        device: 'cpu', or 'cuda' where onnxruntime supports it.

    Raises:
        UserError: as :func:`open_session` and :func:`read_metadata`.
    """

    def __init__(self, path: str | os.PathLike, kinds: tuple[str, ...], device: str = 'cpu') -> None:
        super().__init__()
        self.path = str(path)
        self.session = open_session(path, device)
        self.metadata = read_metadata(self.session, path, kinds)
        self.names = [item.name for item in self.session.get_inputs()]
        #: Last axis of the output: D or C.
        self.out_dims = int(self.session.get_outputs()[0].shape[-1])

    def forward(self, *inputs: Tensor) -> Tensor:
        feed = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in zip(self.names, inputs)}
        try:
            return torch.from_numpy(self.session.run(None, feed)[0])
        except Exception as e:  # onnxruntime's errors have no common base class
            shapes = ', '.join(str(tuple(t.shape)) for t in inputs)
            raise UserError(f'{self.path}: does not take inputs {shapes}: {_one_line(e)}') from e


class _RawCrops(nn.Module):
    """Data preprocessor of an exported student, which normalises crops itself."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_channels = num_channels

    def forward(self, data: dict, training: bool = False) -> dict:
        return {**data, 'inputs': data['inputs'][:, : self.num_channels].float()}


def run_student_in_onnx(model: PoseDistiller, path: str | os.PathLike, device: str = 'cpu') -> None:
    """Replace student, decoder and normalisation of ``model`` by exported files.

    Raises:
        UserError: a file is missing or was exported with another config.
    """
    student = OnnxNetwork(path, ('student',), device)
    _check_dims(path, 'D', student.out_dims, model.student.out_dims)
    model.data_preprocessor, model.channels_last = _RawCrops(model.student.in_channels), False
    model.student = student
    if model.decoder is not None:
        model.decoder = OnnxNetwork(decoder_path(Path(path)), ('decoder',), device)


def run_sequences_in_onnx(
    model: SequenceRecognizer | FrameScorer, path: str | os.PathLike, device: str = 'cpu'
) -> dict:
    """Replace encoder and head of ``model`` by an exported file.

    Returns:
        The metadata of the file (``classes``, ...).

    Raises:
        UserError: the file is missing or was exported with another config.
    """
    kind = 'recognizer' if isinstance(model, SequenceRecognizer) else 'scorer'
    network = OnnxNetwork(path, (kind,), device)
    _check_dims(path, 'classes', network.out_dims, model.head[-1].out_features)
    model.backbone, model.head = network, nn.Identity()
    return network.metadata


def _check_dims(path: str | os.PathLike, what: str, dims: int, expected: int) -> None:
    if dims != expected:
        raise UserError(f'{path}: has {dims} {what}, the config says {expected}; pass the config that it was made from')


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())[:200]
