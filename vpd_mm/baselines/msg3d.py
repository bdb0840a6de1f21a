"""MS-G3D (Liu, Zhang, Chen, Wang, Ouyang, CVPR 2020) for mmaction2's ``RecognizerGCN``."""

import numpy as np
import torch
from mmengine.model import BaseModule
from scipy.sparse.csgraph import shortest_path
from torch import Tensor, nn

from ..errors import UserError
from ..registry import MODELS


def window_graph(adjacency: np.ndarray, window: int) -> np.ndarray:
    """Graph over all joints of ``window`` frames (paper 3.3): (V, V) to (window V, window V), 0 and 1.

    A joint is linked to itself and its neighbours in all frames of the window,
    without self-loops; node t V + v is joint v of frame t.
    """
    dense = np.kron(np.ones((window, window)), (adjacency + np.eye(len(adjacency))) > 0)
    return dense - np.eye(len(dense))


def disentangled_adjacency(adjacency: np.ndarray, num_scales: int) -> np.ndarray:
    """Scales (K, V, V) float32: scale k links each node to itself and to those exactly k steps away (paper 3.2).

    ``adjacency`` (V, V) is symmetric and not 0 for neighbours.  Each scale is
    normalised, D^-1/2 A D^-1/2; without pairs at distance k it is the identity.
    """
    distance = shortest_path(adjacency != 0, unweighted=True, directed=False)
    steps = np.arange(num_scales)[:, None, None]
    scales = ((distance == steps) | np.eye(len(distance), dtype=bool)).astype(float)
    root = 1 / np.sqrt(scales.sum(2, keepdims=True))
    return (root * scales * root.transpose(0, 2, 1)).astype(np.float32)


class MultiScaleGraphConv(nn.Module):
    """Graph convolution over K scales of ``adjacency`` (K, V, V), each with a learned mask.

    Shapes: (N, C, T, V) to (N, C', T, V).
    """

    def __init__(self, in_channels: int, out_channels: int, adjacency: np.ndarray) -> None:
        super().__init__()
        self.register_buffer('adjacency', torch.from_numpy(adjacency), persistent=False)
        self.mask = nn.Parameter(torch.empty(adjacency.shape).uniform_(-1e-6, 1e-6))
        self.project = nn.Conv2d(in_channels * len(adjacency), out_channels, 1)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        links = (self.adjacency + self.mask).flatten(0, 1)  # (K V, V)
        gathered = torch.matmul(x, links.T).unflatten(3, (len(self.mask), -1))  # (N, C, T, K, V)
        gathered = gathered.permute(0, 3, 1, 2, 4).flatten(1, 2)
        return self.norm(self.project(gathered)).relu()


class MultiScaleTemporalConv(nn.Module):
    """Multi-scale temporal convolution: dilations 1 to 4, a max-pool and a 1 x 1 branch, and a residual (paper 4.1).

    Each branch has a sixth of the output channels.

    Shapes: (N, C, T, V) to (N, C', T / stride, V).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, activation: bool = True) -> None:
        super().__init__()
        if out_channels % 6:
            raise UserError(f'MultiScaleTemporalConv: channels must be a multiple of 6, found {out_channels}')
        width = out_channels // 6
        steps: list[nn.Module] = [
            nn.Conv2d(width, width, (3, 1), (stride, 1), (dilation, 0), (dilation, 1)) for dilation in (1, 2, 3, 4)
        ]
        steps.append(nn.MaxPool2d((3, 1), (stride, 1), (1, 0)))
        self.branches = nn.ModuleList(
            nn.Sequential(*_pointwise(in_channels, width), nn.ReLU(), step, nn.BatchNorm2d(width)) for step in steps
        )
        self.branches.append(nn.Sequential(*_pointwise(in_channels, width, stride)))
        same = in_channels == out_channels and stride == 1
        self.residual = nn.Identity() if same else nn.Sequential(*_pointwise(in_channels, out_channels, stride))
        self.act = nn.ReLU() if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(torch.cat([branch(x) for branch in self.branches], 1) + self.residual(x))


class G3DPathway(nn.Module):
    """Unified space-time graph convolution over sliding windows of frames (paper 3.3, 3.4).

    A window has ``window`` frames, ``dilation`` apart; windows start every
    ``stride`` frames.  ``adjacency`` (V, V) is that of one frame.

    Shapes: (N, C, T, V) to (N, C', T / stride, V).
    """

    def __init__(
        self,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        adjacency: np.ndarray,
        num_scales: int,
        window: int,
        dilation: int = 1,
        stride: int = 1,
    ) -> None:
        super().__init__()
        if window % 2 == 0:
            raise UserError(f'G3DPathway: a window needs an odd number of frames, found {window}')
        self.window, self.dilation, self.stride = window, dilation, stride
        scales = disentangled_adjacency(window_graph(adjacency, window), num_scales)
        self.graph_conv = MultiScaleGraphConv(in_channels, mid_channels, scales)
        self.collapse = nn.Conv3d(mid_channels, out_channels, (1, window, 1))
        self.norm = nn.BatchNorm2d(out_channels)

    def windows(self, x: Tensor) -> Tensor:
        """(N, C, T, V) to (N, C, T / stride, window V): frames around each, padded with 0."""
        reach = (self.window // 2) * self.dilation
        padded = nn.functional.pad(x, (0, 0, reach, reach))
        windows = padded.unfold(2, 2 * reach + 1, self.stride)[..., :: self.dilation]  # (N, C, T', V, window)
        return windows.transpose(3, 4).flatten(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.graph_conv(self.windows(x)).unflatten(3, (self.window, -1))
        return self.norm(self.collapse(mixed).squeeze(3))


def _pointwise(in_channels: int, out_channels: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(in_channels, out_channels, 1, (stride, 1)), nn.BatchNorm2d(out_channels)


class _Block(nn.Module):
    """Space-time block (paper, figure 3b): a factorised pathway plus G3D pathways, then temporal convolution."""

    def __init__(
        self,
        in_channels: int,
        mid: int,
        out_channels: int,
        stride: int,
        adjacency: np.ndarray,
        num_gcn_scales: int,
        num_g3d_scales: int,
    ) -> None:
        super().__init__()
        scales = disentangled_adjacency(adjacency, num_gcn_scales)
        self.factorised = nn.Sequential(
            MultiScaleGraphConv(in_channels, mid, scales),
            MultiScaleTemporalConv(mid, out_channels, stride),
            MultiScaleTemporalConv(out_channels, out_channels, activation=False),
        )
        self.unified = nn.ModuleList(
            G3DPathway(in_channels, mid, out_channels, adjacency, num_g3d_scales, window, stride=stride)
            for window in (3, 5)
        )
        self.temporal = MultiScaleTemporalConv(out_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        total = sum((pathway(x) for pathway in self.unified), self.factorised(x))
        return self.temporal(total.relu())


@MODELS.register_module()
class MSG3D(BaseModule):
    """MS-G3D: three space-time blocks of 1, 2 and 4 times ``base_channels``; the last two halve time.

    The published setting (the defaults, NTU RGB+D's 25 joints and 60 classes,
    M = 2) has 3,194,595 parameters with its head (paper: 3.2 M).

    Args:
        graph_cfg: Of mmaction2's ``Graph``: ``layout`` 'coco', 'nturgb+d',
            'openpose' or a dict of ``num_node``, ``inward``, ``center``.
        in_channels: C of a joint.
        base_channels: Of the first block, a multiple of 6.
        num_gcn_scales: Scales of the graph of one frame; scales above the length of its longest path are identities.
        num_g3d_scales: Scales of the graphs of windows of 3 and 5 frames.
        num_person: M.

    Shapes: (N, M, T, V, C) to (N, M, 4 base_channels, T / 4, V), for ``GCNHead``.
    """

    def __init__(
        self,
        graph_cfg: dict,
        in_channels: int = 3,
        base_channels: int = 96,
        num_gcn_scales: int = 13,
        num_g3d_scales: int = 6,
        num_person: int = 1,
    ) -> None:
        super().__init__([dict(type='Kaiming', layer=kind, mode='fan_out') for kind in ('Conv2d', 'Conv3d')])
        from mmaction.models.utils import Graph  # pulls in all of mmaction.models

        graph = Graph(**{**graph_cfg, 'mode': 'binary_adj'})
        self.data_norm = nn.BatchNorm1d(num_person * graph.num_node * in_channels)
        shared = graph.A[0], num_gcn_scales, num_g3d_scales
        width = base_channels
        self.blocks = nn.Sequential(
            _Block(in_channels, width, width, 1, *shared),
            _Block(width, width, 2 * width, 2, *shared),
            _Block(2 * width, 2 * width, 4 * width, 2, *shared),
        )

    def forward(self, x: Tensor) -> Tensor:
        n, m, t, v, c = x.shape
        x = self.data_norm(x.permute(0, 1, 3, 4, 2).reshape(n, m * v * c, t))
        x = x.view(n * m, v, c, t).permute(0, 2, 3, 1).contiguous()
        return self.blocks(x).unflatten(0, (n, m))
