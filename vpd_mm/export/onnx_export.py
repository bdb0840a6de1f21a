"""Export trained networks to ONNX and compare the files with PyTorch."""

import io
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..athlete.recipe import Recipe
from ..distill.trained_videos import TrainedVideos
from ..engine.config import config_name
from ..engine.model_files import build_model, load_weights, read_trained_config
from ..errors import UserError
from ..files import MARK, check_output, file_digest, open_output, read_bytes
from ..infer.onnx_backend import META_KEY, OnnxNetwork, decoder_path, import_onnx
from .onnx_graphs import Graph, graphs_of

#: Largest difference to PyTorch, relative to the largest output where that exceeds 1.
TOLERANCE = 1e-4


class Exported(NamedTuple):
    """A file that was written, its largest difference to PyTorch (see ``TOLERANCE``), the shapes of compared inputs."""

    path: Path
    kind: str
    error: float
    shapes: list[list[tuple[int, ...]]]


def export_model(
    config: str | os.PathLike,
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    opset: int = 17,
    overwrite: bool = False,
) -> list[Exported]:
    """Write a student, recognizer, frame scorer or pose encoder (VIPE*) as ``*.onnx`` after comparing it.

    The decoder of a distilled model becomes ``<out stem>.decoder.onnx``.  The file of a student records its
    recipe, that of a scorer its rule for proposals.

    Raises:
        UserError: onnx or onnxruntime is missing, the checkpoint does not fit the config, the model cannot be
            exported, it differs from PyTorch by more than ``TOLERANCE`` (nothing is written then), or a file exists
            that was not exported, without ``overwrite``.
    """
    import_onnx('onnx'), import_onnx('onnxruntime')
    out = Path(out)
    if out.suffix != '.onnx':
        raise UserError(f'{out}: must end in .onnx')
    rules: dict = {'overwrite': overwrite, 'inputs': [config, checkpoint]}
    check_output(out, **rules)
    cfg = read_trained_config(config, checkpoint)
    model = build_model(cfg)
    meta = load_weights(model, checkpoint, cfg)
    classes = [str(name) for name in meta.get('classes') or ()]
    metadata: dict = {'config': f'{config_name(cfg)}.py', 'classes': classes}
    content = cfg._cfg_dict.to_dict()
    metadata['settings'] = {k: content[k] for k in ('default_scope', 'model', 'test_dataloader') if k in content}
    metadata |= {'checkpoint': Path(checkpoint).name, 'sha256': file_digest(checkpoint)}
    if 'proposals' in meta:
        metadata['proposals'] = meta['proposals']
    if recipe := Recipe.from_json(meta.get('recipe'), f'checkpoint {checkpoint}'):
        metadata['recipe'] = recipe.to_json()
    if trained := TrainedVideos.from_meta(meta, f'checkpoint {checkpoint}'):
        metadata['trained_on'] = trained.to_json()
    graphs = {out if graph.kind != 'decoder' else decoder_path(out): graph for graph in graphs_of(model)}
    exported = []
    with tempfile.TemporaryDirectory() as folder:
        for path, graph in graphs.items():
            check_output(path, **rules)
            compared = Path(folder) / f'{graph.kind}.onnx'
            write_graph(graph, compared, metadata, opset)
            error = parity(graph, compared)
            if not error <= TOLERANCE:
                raise UserError(f'{path}: would differ from PyTorch by {error:.2g}, more than {TOLERANCE:g}')
            exported.append(Exported(path, graph.kind, error, [[tuple(t.shape) for t in s] for s in graph.samples]))
        for path, graph in graphs.items():
            with open_output(path, **rules) as f:
                f.write(read_bytes(Path(folder) / f'{graph.kind}.onnx', sys.maxsize))
    return exported


def write_graph(graph: Graph, path: Path, metadata: dict, opset: int = 17) -> None:
    """Write one network with its metadata; UserError if torch cannot export it."""
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
        reason = ' '.join(str(e).split())
        raise UserError(f'{graph.kind} cannot be written as ONNX opset {opset}: {reason}') from e
    proto = onnx.load_model_from_string(buffer.getvalue())
    onnx.helper.set_model_props(proto, {META_KEY: json.dumps({'kind': graph.kind, **metadata}), 'comment': MARK})
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString())


def parity(graph: Graph, path: Path) -> float:
    """Compute the largest difference between onnxruntime and PyTorch over all samples, see ``TOLERANCE``."""
    network = OnnxNetwork(path, graph.kind)
    worst = 0.0
    for sample in graph.samples:
        with torch.no_grad():
            output, expected = network(*sample), graph.module(*sample)
        if output.shape != expected.shape:
            return np.inf
        difference = float((output - expected).abs().max() / max(1.0, float(expected.abs().max())))
        worst = max(worst, np.inf if np.isnan(difference) else difference)
    return worst
