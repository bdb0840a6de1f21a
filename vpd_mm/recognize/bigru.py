"""The sequence encoder of the paper's recognition and detection (4.1, 4.3)."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..errors import UserError
from ..registry import MODELS
from .gru_scan import run_bigru

POOLS = ('max', 'attention', 'max+attention')


@MODELS.register_module()
class BiGRU(BaseModule):
    """A bidirectional GRU whose answer does not depend on padding or on the order of the batch.

    On the CPU its own layer runs (``gru_scan``), elsewhere the packed cuDNN one.

    Args:
        in_dims: D of the features.
        hidden_dims: H, a direction.
        num_layers: Layers.
        input_dropout: Dropout on the features.
        pool: Over time: 'max', 'attention' (a learnt softmax), both one after
            the other, or None for an answer a frame.
        dropout: Between the layers.
    """

    def __init__(
        self,
        in_dims: int,
        hidden_dims: int = 128,
        num_layers: int = 2,
        input_dropout: float = 0.2,
        pool: str | None = 'max',
        dropout: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if pool is not None and pool not in POOLS:
            raise UserError(f'BiGRU: pool must be one of {", ".join(POOLS)} or None, found {pool!r}')
        self.in_dims = in_dims
        self.pool = pool
        self.input_dropout = nn.Dropout(input_dropout)
        self.gru = nn.GRU(in_dims, hidden_dims, num_layers, dropout=dropout, bidirectional=True)
        if pool is not None and 'attention' in pool:
            self.attention = nn.Linear(2 * hidden_dims, 1)
        self.out_dims = 2 * hidden_dims * (2 if pool == 'max+attention' else 1)

    def forward(self, feats: Tensor, lengths: Tensor) -> Tensor:
        """Encode a batch.

        Args:
            feats: (N, T, D), padded at the end.
            lengths: (N,) int64 on the CPU, 1 to T.

        Returns:
            (N, out_dims), or (N, T, 2H) with zeros after the end where ``pool`` is None.

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
        pooled = []
        if 'max' in self.pool:
            pooled.append(states.masked_fill(padding, -torch.inf).amax(0))
        if 'attention' in self.pool:
            weights = self.attention(states).masked_fill(padding, -torch.inf).softmax(0)
            pooled.append((states.masked_fill(padding, 0) * weights).sum(0))
        return torch.cat(pooled, dim=1)[back]

    def _run(self, feats: Tensor, lengths: Tensor) -> Tensor:
        """(T, N, D) sorted by length to (T, N, 2H)."""
        if feats.device.type == 'cpu' and feats.dtype == torch.float32 and not torch.is_autocast_enabled('cpu'):
            return run_bigru(self.gru, feats, lengths)
        return pad_packed_sequence(self.gru(pack_padded_sequence(feats, lengths))[0])[0]
