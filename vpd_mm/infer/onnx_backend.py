"""Load trained models: checkpoints, or exported networks that run in onnxruntime."""

import importlib
import os
from logging import WARNING
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from torch import Tensor, nn

from ..compat import load_checkpoint_safely
from ..distill import PoseDistiller
from ..distill.crop_preprocessor import crops_in_px
from ..engine.config import set_filename
from ..engine.model_files import build_model, check_meta, load_weights, read_trained_config
from ..errors import UserError
from ..files import check_file, file_digest, parse_json
from ..recognize import SequenceRecognizer

#: Key of the metadata in an exported file: a JSON object with ``kind``, ``config`` (its name), ``settings`` (what
#: inference reads of it), ``classes``, ``recipe``, and the name and ``sha256`` of the ``checkpoint``.
META_KEY = 'vpd_mm'


def import_onnx(package: str) -> ModuleType:
    """Import ``onnx`` or ``onnxruntime``; UserError where it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError as e:
        raise UserError(f'{package} is not installed ({e}); pip install onnx onnxruntime') from e


def decoder_path(student: Path) -> Path:
    """Path of the decoder that is exported with a student."""
    return student.with_suffix('.decoder.onnx')


def _open(path: str | os.PathLike, device: str = 'cpu') -> tuple[Any, dict]:
    """Open an exported file; returns the session of onnxruntime and the metadata, {} of another file."""
    runtime = import_onnx('onnxruntime')
    check_file(path, missing='tools/export.py writes it')
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    wanted = ['CUDAExecutionProvider'] if device.startswith('cuda') else []
    providers = [p for p in [*wanted, 'CPUExecutionProvider'] if p in runtime.get_available_providers()]
    try:
        session = runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as e:  # onnxruntime's errors have no common base class
        raise UserError(f'{path}: onnxruntime cannot read it ({_one_line(e)}); export it again') from e
    text = session.get_modelmeta().custom_metadata_map.get(META_KEY)
    metadata = parse_json(text, path, 'export it again') if text else None
    return session, metadata if isinstance(metadata, dict) else {}


class OnnxNetwork(nn.Module):
    """An exported network as a module: tensors in, its one output out.

    ``kind`` is the expected one of ``export.onnx_graphs.Graph``; CUDA is used where onnxruntime supports it.  Raises
    UserError: onnxruntime is not installed, the file is missing or not valid, or of another kind.
    """

    def __init__(self, path: str | os.PathLike, kind: str, device: str = 'cpu') -> None:
        super().__init__()
        self.path = str(path)
        self.session, metadata = _open(path, device)
        written_kind = metadata.get('kind')
        if written_kind != kind:
            written_kind = written_kind if isinstance(written_kind, str) else 'file that tools/export.py did not write'
            raise UserError(f'{path}: is a {written_kind}, expected a {kind}')
        self.metadata = check_meta(metadata, self.path)
        self.names = [item.name for item in self.session.get_inputs()]
        #: Last axis of the output: D or C.
        self.out_dims = (self.session.get_outputs()[0].shape or [None])[-1]
        if not isinstance(self.out_dims, int):
            raise UserError(f'{path}: its output has no fixed width; export it again')

    def forward(self, *inputs: Tensor) -> Tensor:
        feed = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in zip(self.names, inputs)}
        try:
            return torch.from_numpy(self.session.run(None, feed)[0])
        except Exception as e:  # onnxruntime's errors have no common base class
            shapes = ', '.join(str(tuple(t.shape)) for t in inputs)
            raise UserError(f'{self.path}: does not take inputs {shapes}: {_one_line(e)}') from e


class _RawCrops(nn.Module):
    """Data preprocessor of an exported student, which normalises crops itself: R, G, B in 0..255, flow in px."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_channels = num_channels

    def forward(self, data: dict, training: bool = False) -> dict:
        crops = data['inputs'][:, : self.num_channels]
        return {**data, 'inputs': crops_in_px(crops, (data.get('data_samples') or {}).get('flow_scale'))}


def read_model_settings(config: str | os.PathLike, checkpoint: str | os.PathLike) -> Config:
    """Read the config of a trained model (:func:`read_trained_config`); '': that in the ONNX file ``checkpoint``.

    Raises:
        UserError: as :func:`read_trained_config`, or the file was exported by a version that wrote no config.
    """
    if config:
        return read_trained_config(config, checkpoint)
    settings = _open(checkpoint)[1].get('settings')
    if not isinstance(settings, dict) or not isinstance(settings.get('model'), dict):
        raise UserError(f'{checkpoint}: holds no config; export it again, or pass CONFIG:{checkpoint}')
    cfg = Config(settings)
    set_filename(cfg, checkpoint)  # named in messages
    return cfg


def load_model(cfg: Config, checkpoint: str, kind: type, device: str) -> tuple[Any, dict]:
    """Load a trained model of class ``kind``; a student without a decoder in its checkpoint gets none.

    ``checkpoint`` may be an ``.onnx`` file of ``tools/export.py``.  Returns the model and the metadata of the file
    (``classes``, ...).  Raises UserError: the file is missing or does not fit, or the config has another kind of model.
    """
    model: Any = build_model(cfg)
    if not isinstance(model, kind):
        raise UserError(f'{cfg.filename}: its model is {type(model).__name__}, expected a {kind.__name__}')
    if checkpoint.endswith('.onnx'):
        return model, run_in_onnx(model, checkpoint, device)
    if isinstance(model, PoseDistiller) and model.decoder is not None:
        state = load_checkpoint_safely(checkpoint)
        if not any('decoder.' in key for key in state.get('state_dict', state)):
            model.decoder = None
    meta = load_weights(model, checkpoint, cfg)
    return model.to(device), meta


def run_in_onnx(model: Any, path: str | os.PathLike, device: str = 'cpu') -> dict:
    """Replace the networks and the normalisation of ``model`` by exported files, in place.

    The model is a ``PoseDistiller``, ``SequenceRecognizer`` or ``FrameScorer``; the decoder of a student lies beside
    ``path``.  Returns the metadata of the file (``classes``, ...).  A checkpoint of the same name beside ``path`` that
    has changed since the export is logged.  Raises UserError: a file is missing or was exported with another config or
    from another checkpoint.
    """
    if isinstance(model, PoseDistiller):
        kind, what, dims = 'student', 'D', model.student.out_dims
    elif isinstance(model, SequenceRecognizer):
        kind, what, dims = 'recognizer', 'classes', model.head[-1].out_features
    else:
        kind, what, dims = 'scorer', 'classes', model.head.num_classes
    network = OnnxNetwork(path, kind, device)
    checkpoint, sha256 = Path(path).parent / str(network.metadata.get('checkpoint')), network.metadata.get('sha256')
    if sha256 and checkpoint.is_file() and file_digest(checkpoint) != sha256:
        print_log(f'{path}: {checkpoint} has changed since it was exported; export it again', 'current', WARNING)
    if network.out_dims != dims:
        hint = 'pass the config that it was made from'
        raise UserError(f'{path}: has {network.out_dims} {what}, the config says {dims}; {hint}')
    if isinstance(model, PoseDistiller):
        model.data_preprocessor, model.channels_last = _RawCrops(model.student.in_channels), False
        model.student = network
        if model.decoder is not None:
            model.decoder = decoder = OnnxNetwork(decoder_path(Path(path)), 'decoder', device)
            if decoder.metadata.get('sha256') != sha256:
                raise UserError(f'{decoder.path}: is of another checkpoint than {path}; export both again')
    else:
        model.backbone, model.head = network, nn.Identity()
    return network.metadata


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())
