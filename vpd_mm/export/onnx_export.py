"""Trained networks as ONNX files, compared with PyTorch after they are written."""

import importlib
import io
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from ..engine.model_files import build_model, load_weights, read_model_config
from ..errors import UserError
from ..structures import atomic_write
from .onnx_graphs import Graph, graphs_of

#: Largest difference to PyTorch, relative to the largest output where that exceeds 1.
TOLERANCE = 1e-4
OPSET = 17
#: Key of a file's metadata: kind, config, classes.
META = 'vpd_mm'


@dataclass(frozen=True)
class Exported:
    """A file that was written and compared.

    Args:
        path: The file.
        kind: See :class:`~vpd_mm.export.onnx_graphs.Graph`.
        error: Largest difference to PyTorch, see ``TOLERANCE``.
        shapes: Of the inputs that were compared.
    """

    path: Path
    kind: str
    error: float
    shapes: list[list[tuple[int, ...]]]


def export_model(
    config: str | os.PathLike, checkpoint: str | os.PathLike, out: str | os.PathLike, opset: int = OPSET
) -> list[Exported]:
    """Write ``out`` (and for a distilled model its decoder, ``<out stem>.decoder.onnx``) and compare.

    Args:
        config: Of a student, a recogniser, a frame scorer or an encoder of poses (VIPE*).
        checkpoint: Its weights.
        out: File to write, ``*.onnx``.
        opset: Of ONNX.

    Raises:
        UserError: onnx or onnxruntime is missing, the checkpoint is of another
            config, the model cannot be written, or the file differs from
            PyTorch by more than ``TOLERANCE`` (it is removed then).
    """
    need('onnx'), need('onnxruntime')
    out = Path(out)
    if out.suffix != '.onnx':
        raise UserError(f'{out}: must end in .onnx')
    cfg = read_model_config(config)
    model = build_model(cfg)
    meta = load_weights(model, checkpoint, cfg)
    note = {'config': Path(str(cfg.filename)).name, 'classes': [str(name) for name in meta.get('classes') or ()]}
    done = []
    for graph in graphs_of(model):
        path = out if graph.kind != 'decoder' else decoder_path(out)
        write_graph(graph, path, note, opset)
        error = parity(graph, path)
        if not error <= TOLERANCE:
            path.unlink()
            raise UserError(f'{path}: differs from PyTorch by {error:.2g}, more than {TOLERANCE:g}; it was removed')
        done.append(Exported(path, graph.kind, error, [[tuple(t.shape) for t in s] for s in graph.samples]))
    return done


def decoder_path(student: Path) -> Path:
    """Where the decoder of an exported student lies."""
    return student.with_suffix('.decoder.onnx')


def write_graph(graph: Graph, path: Path, note: dict, opset: int = OPSET) -> None:
    """Write one network; a reader sees the whole file or none."""
    onnx = need('onnx')
    buffer = io.BytesIO()
    module = graph.module.eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')  # the exporter of TorchScript says in many words that there is a newer one
            torch.onnx.export(
                module,
                graph.samples[0],
                buffer,
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_axes={**graph.inputs, **graph.outputs},
                opset_version=opset,
                dynamo=False,
            )
    except Exception as e:  # whatever torch's exporter cannot do
        what = ' '.join(str(e).split())[:300]
        raise UserError(f'{path}: {graph.kind} cannot be written as ONNX opset {opset}: {what}') from e
    proto = onnx.load_model_from_string(buffer.getvalue())
    onnx.helper.set_model_props(proto, {META: json.dumps({'kind': graph.kind, **note})})
    onnx.checker.check_model(proto)
    with atomic_write(path) as f:
        f.write(proto.SerializeToString())


def parity(graph: Graph, path: Path) -> float:
    """Largest difference between onnxruntime and PyTorch over all samples, see ``TOLERANCE``."""
    session = open_session(path)
    worst = 0.0
    for sample in graph.samples:
        found = session.run(None, {name: t.numpy() for name, t in zip(graph.inputs, sample, strict=True)})
        with torch.no_grad():
            expected = graph.module(*sample)
        for got, want in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
            difference = np.abs(got - want.numpy()).max() if got.shape == tuple(want.shape) else np.inf
            worst = max(worst, float(difference / max(1.0, float(want.abs().max()))))
            worst = np.inf if np.isnan(difference) else worst
    return worst


def open_session(path: str | os.PathLike, device: str = 'cpu'):
    """An ``onnxruntime.InferenceSession``.

    Raises:
        UserError: onnxruntime is missing, or the file is missing, damaged or no ONNX.
    """
    runtime = need('onnxruntime')
    if not Path(path).is_file():
        raise UserError(f'{path}: no such file; tools/export.py writes it')
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    wanted = ['CUDAExecutionProvider'] if device.startswith('cuda') else []
    providers = [p for p in [*wanted, 'CPUExecutionProvider'] if p in runtime.get_available_providers()]
    try:
        return runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as e:  # onnxruntime's errors have no common type
        what = ' '.join(str(e).split())[:200]
        raise UserError(f'{path}: onnxruntime cannot read it ({what}); export it again') from e


def read_note(session, path: str | os.PathLike, kinds: Sequence[str]) -> dict:
    """What :func:`write_graph` noted in the file.

    Raises:
        UserError: the file is not of these kinds.
    """
    text = session.get_modelmeta().custom_metadata_map.get(META)
    note = json.loads(text) if text else {}
    if note.get('kind') not in kinds:
        found = f'a {note["kind"]}' if 'kind' in note else 'not a file of tools/export.py'
        raise UserError(f'{path}: is {found}, expected a {" or ".join(kinds)}')
    return note


def need(package: str) -> ModuleType:
    """Import onnx or onnxruntime.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as e:
        raise UserError(f'{package} is not installed ({e}); pip install onnx onnxruntime') from e
