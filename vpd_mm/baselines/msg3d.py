"""MS-G3D (Liu, Zhang, Chen, Wang, Ouyang, CVPR 2020) for mmaction2's ``RecognizerGCN``."""

from collections.abc import Sequence

import numpy as np
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS
from .msg3d_blocks import G3DPathway, MultiScaleGraphConv, MultiScaleTemporalConv, disentangled_adjacency


class _Block(nn.Module):
    """A space-time block (paper, figure 3b): a factorised pathway beside one G3D pathway a window, then time."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        adjacency: np.ndarray,
        scales: np.ndarray,
        num_g3d_scales: int,
        windows: Sequence[tuple[int, int]],
        is_first: bool,
    ) -> None:
        super().__init__()
        mid = out_channels if is_first else in_channels
        self.factorised = nn.Sequential(
            MultiScaleGraphConv(in_channels, mid, scales),
            MultiScaleTemporalConv(mid, out_channels, stride),
            MultiScaleTemporalConv(out_channels, out_channels, activation=False),
        )
        self.unified = nn.ModuleList(
            G3DPathway(in_channels, mid, out_channels, adjacency, num_g3d_scales, window, dilation, stride)
            for window, dilation in windows
        )
        self.relu = nn.ReLU()
        self.temporal = MultiScaleTemporalConv(out_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        total = self.factorised(x)
        for pathway in self.unified:
            total = total + pathway(x)
        return self.temporal(self.relu(total))


@MODELS.register_module()
class MSG3D(BaseModule):
    """Three space-time blocks of 1, 2 and 4 times ``base_channels``; the last two halve time.

    With the published setting (the defaults, two persons of NTU RGB+D's 25
    joints and 60 classes) it has 3,194,595 parameters with its head; the paper
    says 3.2 M.

    Args:
        graph_cfg: Of mmaction2's ``Graph``: ``layout`` 'coco', 'nturgb+d',
            'openpose' or a dict of ``num_node``, ``inward``, ``center``.
        in_channels: C of a joint.
        base_channels: Of the first block, a multiple of 6.
        num_gcn_scales: Scales of the graph of one frame; more than its
            longest path has steps add nothing but identities.
        num_g3d_scales: Scales of the windows' graphs.
        windows: (frames, dilation) of each G3D pathway.
        num_person: M.
        init_cfg: As in mmengine.

    Shapes: (N, M, T, V, C) to (N, M, 4 base_channels, T / 4, V), for ``GCNHead``.
    """

    def __init__(
        self,
        graph_cfg: dict,
        in_channels: int = 3,
        base_channels: int = 96,
        num_gcn_scales: int = 13,
        num_g3d_scales: int = 6,
        windows: Sequence[tuple[int, int]] = ((3, 1), (5, 1)),
        num_person: int = 1,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        kaiming = [dict(type='Kaiming', layer=kind, mode='fan_out') for kind in ('Conv2d', 'Conv3d')]
        super().__init__(init_cfg or kaiming)
        from mmaction.models.utils import Graph  # pulls in all of mmaction.models

        graph = Graph(**{**graph_cfg, 'mode': 'binary_adj'})
        adjacency = graph.A[0]
        scales = disentangled_adjacency(adjacency, num_gcn_scales)
        self.data_norm = nn.BatchNorm1d(num_person * graph.num_node * in_channels)
        widths = (in_channels, base_channels, 2 * base_channels, 4 * base_channels)
        self.blocks = nn.Sequential(
            *(
                _Block(widths[i], widths[i + 1], 1 if i == 0 else 2, adjacency, scales, num_g3d_scales, windows, i == 0)
                for i in range(3)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        n, m, t, v, c = x.shape
        x = self.data_norm(x.permute(0, 1, 3, 4, 2).reshape(n, m * v * c, t))
        x = x.view(n * m, v, c, t).permute(0, 2, 3, 1).contiguous()
        return self.blocks(x).unflatten(0, (n, m))
