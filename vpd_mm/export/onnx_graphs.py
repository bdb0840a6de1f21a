"""Networks to export: tensors in, tensors out, with the normalisation inside."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..detect import FrameScorer
from ..distill import PoseDistiller
from ..errors import UserError
from ..recognize import BiGRU, SequenceRecognizer


@dataclass(frozen=True)
class Graph:
    """One network to export.

    Args:
        kind, module: ``student``, ``decoder``, ``recognizer``, ``scorer`` or ``encoder``; the network.
        inputs, outputs: Names and dynamic axes, such as ``{'crops': {0: 'N'}}``.
        samples: Inputs of several sizes; the first one is traced, all are compared.
    """

    kind: str
    module: nn.Module
    inputs: dict[str, dict[int, str]]
    outputs: dict[str, dict[int, str]]
    samples: list[tuple[Tensor, ...]]


class StudentGraph(nn.Module):
    """Map crops (N, 5 or 3, S, S) float32, RGB in 0..255 and flow (u, v) in px of the crop, to feats (N, D)."""

    def __init__(self, model: PoseDistiller) -> None:
        super().__init__()
        # a copy, because the memory format of the caller's model must stay
        self.student = copy.deepcopy(model.student).to(memory_format=torch.contiguous_format)
        channels = model.student.in_channels
        self.register_buffer('mean', model.data_preprocessor.mean[:channels].clone())
        self.register_buffer('std', model.data_preprocessor.std[:channels].clone())

    def forward(self, crops: Tensor) -> Tensor:
        return self.student((crops - self.mean) / self.std)


class SequenceGraph(nn.Module):
    """Map feats (N, T, D) and lengths (N,) int64 to logits (N, C), or (N, T, C) of a scorer.

    The ``BiGRU`` is written in operations that ONNX supports: each direction is a separate GRU, and the backward one
    reads every sequence from its own end through gathered frame indices, so no batch is sorted or packed.
    """

    def __init__(self, model: SequenceRecognizer | FrameScorer) -> None:
        super().__init__()
        encoder = model.backbone
        if not isinstance(encoder, BiGRU):
            raise UserError(f'export: the encoder must be a BiGRU, found {type(encoder).__name__}')
        self.pool, self.head = encoder.pool, model.head
        layers = range(encoder.gru.num_layers)
        self.forwards = nn.ModuleList(_direction(encoder.gru, layer, '') for layer in layers)
        self.backwards = nn.ModuleList(_direction(encoder.gru, layer, '_reverse') for layer in layers)

    def forward(self, feats: Tensor, lengths: Tensor) -> Tensor:
        states = feats.transpose(0, 1)
        frame = torch.arange(states.shape[0])[:, None]
        padding = (frame >= lengths)[..., None]
        reverse = torch.where(padding, frame[..., None], (lengths - 1 - frame)[..., None])
        for ahead, back in zip(self.forwards, self.backwards):
            backwards = back(_gather(states, reverse))[0]
            states = torch.cat([ahead(states)[0], _gather(backwards, reverse)], dim=2)
        if self.pool is None:
            return self.head(states.masked_fill(padding, 0.0).transpose(0, 1))
        return self.head(states.masked_fill(padding, -torch.inf).amax(0))


def graphs_of(model: nn.Module) -> Iterator[Graph]:
    """Yield the networks of a trained model: student (and decoder), recognizer or scorer, else pose encoder.

    Raises:
        UserError: the model is none of these.
    """
    rng = torch.Generator().manual_seed(0)
    if isinstance(model, PoseDistiller):
        channels = model.student.in_channels
        crops = [_crops(rng, n, channels, side) for n, side in ((2, 64), (1, 64), (5, 96))]
        yield Graph('student', StudentGraph(model), {'crops': {0: 'N', 2: 'H', 3: 'W'}}, {'feats': {0: 'N'}}, crops)
        if model.decoder is not None:
            feats = [(torch.randn(n, model.student.out_dims, generator=rng),) for n in (2, 1, 7)]
            yield Graph('decoder', model.decoder, {'feats': {0: 'N'}}, {'decoded': {0: 'N'}}, feats)
    elif isinstance(model, SequenceRecognizer | FrameScorer):
        kind = 'recognizer' if isinstance(model, SequenceRecognizer) else 'scorer'
        logits = {0: 'N'} if kind == 'recognizer' else {0: 'N', 1: 'T'}
        dims = model.backbone.in_dims
        sequences = [_sequences(rng, lengths, dims) for lengths in ((9, 6), (1,), (40,), (3, 31, 12, 31, 1))]
        inputs = {'feats': {0: 'N', 1: 'T'}, 'lengths': {0: 'N'}}
        yield Graph(kind, SequenceGraph(model), inputs, {'logits': logits}, sequences)
    else:
        encoder = getattr(model, 'encoder', model)
        yield Graph('encoder', encoder, {'poses': {0: 'N'}}, {'feats': {0: 'N'}}, _poses(rng, encoder))


def _direction(gru: nn.GRU, layer: int, suffix: str) -> nn.GRU:
    """One direction of one layer as a unidirectional GRU."""
    names = ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh')
    weights = {f'{name}_l0': getattr(gru, f'{name}_l{layer}{suffix}') for name in names}
    one = nn.GRU(weights['weight_ih_l0'].shape[1], gru.hidden_size)
    one.load_state_dict(weights)
    return one


def _gather(states: Tensor, frames: Tensor) -> Tensor:
    """Pick frames (T, N, 1) of states (T, N, D)."""
    return states.gather(0, frames.expand(-1, -1, states.shape[2]))


def _crops(rng: torch.Generator, count: int, channels: int, side: int) -> tuple[Tensor]:
    crops = torch.randint(0, 256, (count, channels, side, side), generator=rng).float()
    crops[:, 3:] = crops[:, 3:] / 6.4 - 20
    return (crops,)


def _sequences(rng: torch.Generator, lengths: tuple[int, ...], dims: int) -> tuple[Tensor, Tensor]:
    feats = torch.randn(len(lengths), max(lengths), dims, generator=rng)
    for sequence, length in zip(feats, lengths):
        sequence[length:] = 0
    return feats, torch.tensor(lengths)


def _poses(rng: torch.Generator, encoder: nn.Module) -> list[tuple[Tensor, ...]]:
    """Inputs of a pose encoder: (N, 13, 3), or (N, D) with the D of its first linear layer."""
    linear = next((m for m in encoder.modules() if isinstance(m, nn.Linear)), None)
    if linear is None:
        raise UserError(f'export: {type(encoder).__name__} is no student, recognizer, scorer or pose encoder')
    shapes = (13, 3), (linear.in_features,)
    for shape in shapes:
        samples = [(torch.randn(n, *shape, generator=rng),) for n in (2, 1, 7)]
        try:
            with torch.no_grad():
                output = encoder(*samples[0])
        except (RuntimeError, ValueError, TypeError):
            continue
        if isinstance(output, Tensor) and output.ndim == 2:
            return samples
    raise UserError(f'export: {type(encoder).__name__} takes no poses of shape {" or ".join(map(str, shapes))}')
