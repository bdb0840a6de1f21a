"""Export trained networks to ONNX and compare the files with PyTorch."""

import io
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..engine.model_files import build_model, load_weights, read_trained_config
from ..errors import UserError
from ..infer.onnx_backend import META_KEY, decoder_path, import_onnx, open_session
from ..structures import atomic_write
from .onnx_graphs import Graph, graphs_of

#: Largest difference to PyTorch, relative to the largest output where that exceeds 1.
TOLERANCE = 1e-4
OPSET = 17


@dataclass(frozen=True)
class Exported:
    """A file that was written and compared.

    Args:
        path: The file.
        kind: See :class:`~vpd_mm.export.onnx_graphs.Graph`.
        error: Largest difference to PyTorch, see ``TOLERANCE``.
        shapes: Shapes of the compared inputs.
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
        config: Config of a student, a recognizer, a frame scorer or a pose encoder (VIPE*).
        checkpoint: Its weights.
        out: File to write, ``*.onnx``.
        opset: ONNX opset.

    Raises:
        UserError: onnx or onnxruntime is missing, the checkpoint does not fit the config, the model cannot be
            exported, or the file differs from PyTorch by more than ``TOLERANCE`` (it is removed then).
    """
    import_onnx('onnx'), import_onnx('onnxruntime')
    out = Path(out)
    if out.suffix != '.onnx':
        raise UserError(f'{out}: must end in .onnx')
    cfg = read_trained_config(config, checkpoint)
    model = build_model(cfg)
    meta = load_weights(model, checkpoint, cfg)
    metadata = {'config': Path(str(cfg.filename)).name, 'classes': [str(name) for name in meta.get('classes') or ()]}
    exported = []
    for graph in graphs_of(model):
        path = out if graph.kind != 'decoder' else decoder_path(out)
        write_graph(graph, path, metadata, opset)
        error = parity(graph, path)
        if not error <= TOLERANCE:
            path.unlink()
            raise UserError(f'{path}: differs from PyTorch by {error:.2g}, more than {TOLERANCE:g}; it was removed')
        exported.append(Exported(path, graph.kind, error, [[tuple(t.shape) for t in s] for s in graph.samples]))
    return exported


def write_graph(graph: Graph, path: Path, metadata: dict, opset: int = OPSET) -> None:
    """Write one network with its metadata, atomically.

    Raises:
        UserError: torch cannot export it.
    """
    onnx = import_onnx('onnx')
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')  # the TorchScript exporter recommends the dynamo exporter at length
            torch.onnx.export(
                graph.module.eval(),
                graph.samples[0],
                buffer,
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_axes={**graph.inputs, **graph.outputs},
                opset_version=opset,
                dynamo=False,
            )
    except Exception as e:  # anything that torch's exporter raises
        reason = ' '.join(str(e).split())[:300]
        raise UserError(f'{path}: {graph.kind} cannot be written as ONNX opset {opset}: {reason}') from e
    proto = onnx.load_model_from_string(buffer.getvalue())
    onnx.helper.set_model_props(proto, {META_KEY: json.dumps({'kind': graph.kind, **metadata})})
    onnx.checker.check_model(proto)
    with atomic_write(path) as f:
        f.write(proto.SerializeToString())


def parity(graph: Graph, path: Path) -> float:
    """Compute the largest difference between onnxruntime and PyTorch over all samples, see ``TOLERANCE``."""
    session = open_session(path)
    worst = 0.0
    for sample in graph.samples:
        outputs = session.run(None, {name: t.numpy() for name, t in zip(graph.inputs, sample, strict=True)})
        with torch.no_grad():
            expected = graph.module(*sample)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for output, tensor in zip(outputs, expected, strict=True):
            if output.shape != tuple(tensor.shape):
                return np.inf
            difference = float(np.abs(output - tensor.numpy()).max() / max(1.0, float(tensor.abs().max())))
            worst = max(worst, np.inf if np.isnan(difference) else difference)
    return worst
