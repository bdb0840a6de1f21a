"""A trained student, in PyTorch or onnxruntime, with its decoder where the checkpoint has one."""

from pathlib import Path

from mmengine.config import Config

from ..compat import load_checkpoint_safely
from ..distill import PoseDistiller
from ..engine.model_files import build_model, load_weights
from ..errors import UserError
from ..teacher import JointFeature

BACKENDS = ('torch', 'onnxruntime')


def load_student(cfg: Config, weights: str, backend: str = 'torch', device: str = 'cpu') -> tuple[PoseDistiller, bool]:
    """The model, and whether it can draw: 2D joints (D = 26), and the decoder that reads them is there.

    Args:
        cfg: Distillation config.
        weights: Checkpoint; for onnxruntime the ``.onnx`` of the student.
        backend: One of BACKENDS.
        device: Of onnxruntime.

    Raises:
        UserError: the config is of another kind of model, or the weights are missing or of another config.
    """
    if backend not in BACKENDS:
        raise UserError(f'backend must be one of {", ".join(BACKENDS)}, found {backend!r}')
    model = build_model(cfg)
    if not isinstance(model, PoseDistiller):
        raise UserError(f'{cfg.filename}: its model is {type(model).__name__}, expected a PoseDistiller')
    draws = model.student.out_dims == JointFeature.dims
    if backend == 'onnxruntime':
        from .onnx_backend import run_student_in_onnx

        run_student_in_onnx(model, weights, device)
        return model, draws
    if model.decoder is not None and Path(weights).is_file() and not weights.endswith('.onnx'):
        state = load_checkpoint_safely(weights)
        if isinstance(state, dict) and not any('decoder.' in key for key in state.get('state_dict', state)):
            model.decoder, draws = None, False  # dropped after training
    load_weights(model, weights, cfg)
    return model, draws
