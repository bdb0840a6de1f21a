"""A bidirectional GRU on padded sequences that costs what the real frames cost, on the CPU.

PyTorch's own GRU on a CPU spends most of a training step of this size on small
operations and their gradients.  Here both directions advance together, each
sequence is read backwards within its own length, finished sequences leave the
batch (as in a ``PackedSequence``), and the gradient needs three operations a
frame.  Equal to ``nn.GRU`` up to rounding.
"""

import torch
from torch import Tensor, nn


class _Layer(torch.autograd.Function):
    """G independent GRU layers on sequences sorted by length, longest first."""

    @staticmethod
    def forward(ctx, inputs: Tensor, w_in: Tensor, w_rec: Tensor, b_in: Tensor, b_rec: Tensor, counts: list[int]):
        """Hidden states (G, T, B, H).

        Args:
            inputs: (G, T, B, D).
            w_in: (G, 3H, D); order reset, update, new, as in ``nn.GRU``.
            w_rec: (G, 3H, H).
            b_in: (G, 3H).
            b_rec: (G, 3H).
            counts: Sequences that still run at each of the T frames.
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
            # tanh(x) = 2 sigmoid(2x) - 1: PyTorch's sigmoid is several times as fast as its tanh
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
        # the gradient of a state becomes that of the gates by factors that need no recurrence
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
            if n < batch:  # padding is nobody's
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
    """The same as ``gru`` on the packed sequences, unpacked; what stands after the end of a sequence has no meaning.

    Args:
        gru: Bidirectional, with biases.
        inputs: (T, B, D), sorted by length, longest first.
        lengths: (B,) int64 on the CPU, T first.

    Returns:
        (T, B, 2H).
    """
    frames, batch, _ = inputs.shape
    t = torch.arange(frames)[:, None]
    running = t < lengths
    counts = running.sum(1).tolist()
    backwards = (torch.where(running, lengths - 1 - t, t) * batch + torch.arange(batch)).reshape(-1)
    for layer in range(gru.num_layers):
        if layer and gru.dropout and gru.training:
            inputs = nn.functional.dropout(inputs, gru.dropout)
        flat = inputs.reshape(frames * batch, -1)
        both = torch.stack([flat, flat[backwards]]).view(2, frames, batch, -1)
        weights = [
            torch.stack([getattr(gru, f'{name}_l{layer}'), getattr(gru, f'{name}_l{layer}_reverse')])
            for name in ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh')
        ]
        forward, backward = _Layer.apply(both, *weights, counts).reshape(2, frames * batch, gru.hidden_size)
        inputs = torch.cat([forward, backward[backwards]], dim=1).view(frames, batch, -1)
    return inputs
