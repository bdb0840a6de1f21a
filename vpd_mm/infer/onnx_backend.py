"""Models whose network runs in onnxruntime; everything around it stays as it is."""

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from ..detect import FrameScorer
from ..distill import PoseDistiller
from ..errors import UserError
from ..export.onnx_export import decoder_path, open_session, read_note
from ..recognize import SequenceRecognizer


class OnnxNetwork(nn.Module):
    """An ONNX file as a module: tensors in, its one output out.

    Args:
        path: The file.
        kinds: What it may be, see ``onnx_graphs.Graph``.
        device: 'cpu', or 'cuda' where onnxruntime has it.

    Raises:
        UserError: onnxruntime is missing, or the file is missing, damaged or of another kind.
    """

    def __init__(self, path: str | os.PathLike, kinds: tuple[str, ...], device: str = 'cpu') -> None:
        super().__init__()
        self.path = str(path)
        self.session = open_session(path, device)
        self.note = read_note(self.session, path, kinds)
        self.names = [item.name for item in self.session.get_inputs()]
        #: Last axis of the output: D or C.
        self.out_dims = int(self.session.get_outputs()[0].shape[-1])

    def forward(self, *inputs: Tensor) -> Tensor:
        feed = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in zip(self.names, inputs)}
        try:
            return torch.from_numpy(self.session.run(None, feed)[0])
        except Exception as e:  # onnxruntime's errors have no common type
            shapes = ', '.join(str(tuple(t.shape)) for t in inputs)
            what = ' '.join(str(e).split())[:200]
            raise UserError(f'{self.path}: does not take inputs {shapes}: {what}') from e


class _RawInputs(nn.Module):
    """Hands crops on as they are: an exported student normalises them itself."""

    def forward(self, data: dict, training: bool = False) -> dict:
        return {**data, 'inputs': data['inputs'].float()}


class _RawChannels(_RawInputs):
    """The same for a student without flow."""

    def forward(self, data: dict, training: bool = False) -> dict:
        return super().forward({**data, 'inputs': data['inputs'][:, :3]}, training)


def run_student_in_onnx(model: PoseDistiller, path: str | os.PathLike, device: str = 'cpu') -> None:
    """Replace student, decoder and normalisation of ``model`` by those of exported files.

    Raises:
        UserError: a file is missing or not of this config.
    """
    student = OnnxNetwork(path, ('student',), device)
    _check(path, 'D', student.out_dims, model.student.out_dims)
    raw = _RawInputs() if model.student.in_channels > 3 else _RawChannels()
    model.student, model.data_preprocessor, model.channels_last = student, raw, False
    if model.decoder is not None:
        model.decoder = OnnxNetwork(decoder_path(Path(path)), ('decoder',), device)


def run_sequences_in_onnx(
    model: SequenceRecognizer | FrameScorer, path: str | os.PathLike, device: str = 'cpu'
) -> dict:
    """Replace encoder, head and standardisation of ``model`` by those of an exported file.

    Returns:
        What the file says of itself (``classes``, ...).

    Raises:
        UserError: the file is missing or not of this config.
    """
    kind = 'recognizer' if isinstance(model, SequenceRecognizer) else 'scorer'
    network = OnnxNetwork(path, (kind,), device)
    _check(path, 'classes', network.out_dims, model.head[-1].out_features)
    model.backbone, model.head = network, nn.Identity()
    model.data_preprocessor.standardize = False
    return network.note


def _check(path: str | os.PathLike, what: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise UserError(f'{path}: has {found} {what}, the config says {wanted}; pass the config that it was made from')
