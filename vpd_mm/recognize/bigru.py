"""Bidirectional GRU for recognition and detection (paper 4.1, 4.3), with a fast implementation for the CPU."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..errors import UserError
from ..registry import MODELS


@MODELS.register_module()
class BiGRU(BaseModule):
    """Bidirectional GRU whose output depends neither on padding nor on the order of the batch.

    Uses :func:`run_bigru` on the CPU and packed sequences elsewhere.

    Args:
        in_dims: D of the features.
        hidden_dims: H per direction.
        num_layers, input_dropout: Number of layers; dropout rate on the features.
        pool: 'max' over time, or None for one output per frame.

    Raises:
        UserError: ``pool`` has another value.

    Example:
        >>> BiGRU(26)(torch.zeros(2, 50, 26), torch.tensor([50, 30])).shape
        torch.Size([2, 256])
    """

    def __init__(
        self,
        in_dims: int,
        hidden_dims: int = 128,
        num_layers: int = 2,
        input_dropout: float = 0.2,
        pool: str | None = 'max',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if pool not in ('max', None):
            raise UserError(f"BiGRU: pool must be 'max' or None, found {pool!r}")
        self.in_dims, self.pool = in_dims, pool
        self.input_dropout = nn.Dropout(input_dropout)
        self.gru = nn.GRU(in_dims, hidden_dims, num_layers, bidirectional=True)
        self.out_dims = 2 * hidden_dims

    def forward(self, feats: Tensor, lengths: Tensor) -> Tensor:
        """Encode a batch as (N, 2H), or (N, T, 2H) with zeros after the end if ``pool`` is None.

        Args:
            feats: (N, T, D), padded at the end.
            lengths: (N,) int64 on the CPU, 1 to T.

        Raises:
            UserError: D is not ``in_dims``.
        """
        if feats.shape[-1] != self.in_dims:
            raise UserError(f'BiGRU takes d={self.in_dims}, the features have d={feats.shape[-1]}: another --features?')
        order = torch.argsort(lengths, descending=True, stable=True)
        lengths = lengths[order]
        states = self._run(self.input_dropout(feats[order.to(feats.device), : lengths[0]]).transpose(0, 1), lengths)
        padding = (torch.arange(len(states))[:, None] >= lengths).to(feats.device)[..., None]
        back = torch.argsort(order).to(feats.device)
        if self.pool is None:
            states = states.masked_fill(padding, 0).transpose(0, 1)[back]
            return nn.functional.pad(states, (0, 0, 0, feats.shape[1] - states.shape[1]))
        return states.masked_fill(padding, -torch.inf).amax(0)[back]

    def _run(self, feats: Tensor, lengths: Tensor) -> Tensor:
        """Run the layers on (T, N, D) sorted by length: (T, N, 2H)."""
        if feats.device.type == 'cpu' and feats.dtype == torch.float32 and not torch.is_autocast_enabled('cpu'):
            return run_bigru(self.gru, feats, lengths)
        return pad_packed_sequence(self.gru(pack_padded_sequence(feats, lengths))[0])[0]


class _Layer(torch.autograd.Function):
    """G independent GRU layers on sequences sorted by decreasing length."""

    @staticmethod
    def forward(ctx, inputs: Tensor, w_in: Tensor, w_rec: Tensor, b_in: Tensor, b_rec: Tensor, counts: list[int]):
        """Return hidden states (G, T, B, H).

        Args:
            inputs: (G, T, B, D).
            w_in, w_rec, b_in, b_rec: (G, 3H, D), (G, 3H, H), (G, 3H), (G, 3H); order reset, update, new, as in
                ``nn.GRU``.
            counts: Number of active sequences at each of the T frames.
        """
        groups, frames, batch, dims = inputs.shape
        size = w_rec.shape[-1]
        rz, n_ = slice(0, 2 * size), slice(2 * size, None)
        bias = torch.cat([(b_in + b_rec)[:, rz], b_in[:, n_]], dim=1)
        gates = torch.baddbmm(bias[:, None], inputs.reshape(groups, -1, dims), w_in.transpose(1, 2))
        gates = gates.view(groups, frames, batch, 3 * size)
        news = gates[..., n_].contiguous()
        gates[..., n_] = b_rec[:, None, None, n_]
        states = news.new_zeros(groups, frames + 1, batch, size)
        transposed = w_rec.transpose(1, 2)
        minus_one = news.new_full((), -1.0)
        for t, n in enumerate(counts):
            state, gate, new = states[:, t, :n], gates[:, t, :n], news[:, t, :n]
            torch.baddbmm(gate, state, transposed, out=gate)
            gate[..., rz].sigmoid_()
            new.addcmul_(gate[..., :size], gate[..., n_])
            # tanh(x) = 2 sigmoid(2x) - 1, because PyTorch's sigmoid is several times as fast as its tanh.
            torch.add(minus_one, new.mul_(2).sigmoid_(), alpha=2, out=new)
            torch.lerp(new, state, gate[..., size : 2 * size], out=states[:, t + 1, :n])
        ctx.save_for_backward(inputs, w_in, w_rec, states, gates, news)
        ctx.counts = counts
        return states[:, 1:]

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[override]
        inputs, w_in, w_rec, states, gates, new = ctx.saved_tensors
        groups, frames, batch, size = new.shape
        reset, update, recurrent = gates.split(size, dim=-1)
        # Factors from the gradient of a state to those of the gates need no recurrence.
        to_new = (1 - update).mul_(1 - new * new)
        scale = gates.new_empty(groups, frames, batch, 3, size)
        torch.mul(to_new, reset, out=scale[..., 2, :])
        torch.mul(scale[..., 2, :] * recurrent, 1 - reset, out=scale[..., 0, :])
        torch.mul((states[:, :-1] - new).mul_(update), 1 - update, out=scale[..., 1, :])
        grad_states = grad.clone()
        carry = grad.new_zeros(groups, batch, size)
        for t in range(frames - 1, -1, -1):
            n = ctx.counts[t]
            here, gate, back = grad_states[:, t, :n], scale[:, t, :n], carry[:, :n]
            here.add_(back)
            gate.mul_(here.unsqueeze(2))
            torch.baddbmm(here * update[:, t, :n], gate.view(groups, n, 3 * size), w_rec, out=back)
            if n < batch:  # padding has no gradient
                scale[:, t, n:] = 0
                grad_states[:, t, n:] = 0
        flat = scale.view(groups, frames * batch, 3 * size).transpose(1, 2)
        grad_w_rec = torch.bmm(flat, states[:, :-1].reshape(groups, frames * batch, size))
        grad_b_rec = flat.sum(2)
        torch.mul(grad_states, to_new, out=scale[..., 2, :])
        grad_b_in = flat.sum(2)
        grad_w_in = torch.bmm(flat, inputs.reshape(groups, frames * batch, -1))
        grad_inputs = torch.bmm(flat.transpose(1, 2), w_in).view(inputs.shape) if ctx.needs_input_grad[0] else None
        return grad_inputs, grad_w_in, grad_w_rec, grad_b_in, grad_b_rec, None


def run_bigru(gru: nn.GRU, inputs: Tensor, lengths: Tensor) -> Tensor:
    """Run ``gru`` as on packed sequences, but faster on a CPU: (T, B, 2H), undefined after the end of a sequence.

    PyTorch's GRU spends most of a training step of this size on small operations.  Here both directions advance
    together, each sequence is reversed within its own length, finished sequences leave the batch, and the gradient
    needs three operations per frame.  Equal to ``nn.GRU`` up to rounding.

    Args:
        gru: Bidirectional, with biases.
        inputs: (T, B, D), sorted by decreasing length.
        lengths: (B,) int64 on the CPU, T first.
    """
    frames, batch, _ = inputs.shape
    t = torch.arange(frames)[:, None]
    running = t < lengths
    counts = running.sum(1).tolist()
    backwards = (torch.where(running, lengths - 1 - t, t) * batch + torch.arange(batch)).reshape(-1)
    for layer in range(gru.num_layers):
        flat = inputs.reshape(frames * batch, -1)
        both = torch.stack([flat, flat[backwards]]).view(2, frames, batch, -1)
        weights = [
            torch.stack([getattr(gru, f'{name}_l{layer}'), getattr(gru, f'{name}_l{layer}_reverse')])
            for name in ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh')
        ]
        forward, backward = _Layer.apply(both, *weights, counts).reshape(2, frames * batch, gru.hidden_size)
        inputs = torch.cat([forward, backward[backwards]], dim=1).view(frames, batch, -1)
    return inputs
