"""The parts of MS-G3D (Liu, Zhang, Chen, Wang, Ouyang, CVPR 2020): graphs, and convolutions over them and over time."""

import numpy as np
import torch
from scipy.sparse.csgraph import shortest_path
from torch import Tensor, nn

from ..errors import UserError


def window_graph(adjacency: np.ndarray, window: int) -> np.ndarray:
    """The graph of ``window`` frames as one (paper 3.3): (V, V) to (window V, window V), 0 and 1.

    A joint is linked to itself and its neighbours in all frames of the
    window, except to itself in its own; node t V + v is joint v of frame t.
    """
    dense = np.kron(np.ones((window, window)), (adjacency + np.eye(len(adjacency))) > 0)
    return dense - np.eye(len(dense))


def disentangled_adjacency(adjacency: np.ndarray, num_scales: int) -> np.ndarray:
    """(K, V, V) float32: scale k links each node to those exactly k steps away and to itself (paper 3.2).

    Each scale is normalised, D^-1/2 A D^-1/2.  Where no pair of nodes is k
    steps apart the scale is the identity, as scale 0 is.

    Args:
        adjacency: (V, V), not 0 where two nodes are neighbours; symmetric.
        num_scales: K.
    """
    distance = shortest_path(adjacency != 0, unweighted=True, directed=False)
    linked = [np.where((distance == k) | np.eye(len(distance), dtype=bool), 1.0, 0.0) for k in range(num_scales)]
    return np.stack([_normalized(scale) for scale in linked]).astype(np.float32)


def _normalized(adjacency: np.ndarray) -> np.ndarray:
    root = 1 / np.sqrt(adjacency.sum(1))
    return root[:, None] * adjacency * root


class MultiScaleGraphConv(nn.Module):
    """Disentangled multi-scale graph convolution, with a learned mask on every scale's adjacency.

    Args:
        in_channels: C.
        out_channels: C'.
        adjacency: (K, V, V), see :func:`disentangled_adjacency`.
        activation: ReLU at the end.

    Shapes: (N, C, T, V) to (N, C', T, V).
    """

    def __init__(self, in_channels: int, out_channels: int, adjacency: np.ndarray, activation: bool = True) -> None:
        super().__init__()
        self.register_buffer('adjacency', torch.from_numpy(adjacency), persistent=False)
        self.mask = nn.Parameter(torch.empty(adjacency.shape).uniform_(-1e-6, 1e-6))
        self.project = nn.Conv2d(in_channels * len(adjacency), out_channels, 1)
        self.norm = nn.BatchNorm2d(out_channels)
        self.act = nn.ReLU() if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        links = (self.adjacency + self.mask).flatten(0, 1)  # (K V, V)
        gathered = torch.matmul(x, links.T).unflatten(3, (len(self.mask), -1))  # (N, C, T, K, V)
        gathered = gathered.permute(0, 3, 1, 2, 4).flatten(1, 2)
        return self.act(self.norm(self.project(gathered)))


class MultiScaleTemporalConv(nn.Module):
    """Multi-scale temporal convolution: dilations 1 to 4, a max-pool and a 1 x 1 branch, and a residual (paper 4.1).

    Args:
        in_channels: C.
        out_channels: C', a multiple of 6: every branch has a sixth.
        stride: In time.
        activation: ReLU at the end.

    Shapes: (N, C, T, V) to (N, C', T / stride, V).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, activation: bool = True) -> None:
        super().__init__()
        if out_channels % 6:
            raise UserError(f'MultiScaleTemporalConv: channels must be a multiple of 6, found {out_channels}')
        width = out_channels // 6
        self.branches = nn.ModuleList()
        for dilation in (1, 2, 3, 4):
            conv = nn.Conv2d(width, width, (3, 1), (stride, 1), (dilation, 0), (dilation, 1))
            self.branches.append(nn.Sequential(*_pointwise(in_channels, width), nn.ReLU(), conv, nn.BatchNorm2d(width)))
        pool = nn.MaxPool2d((3, 1), (stride, 1), (1, 0))
        self.branches.append(nn.Sequential(*_pointwise(in_channels, width), nn.ReLU(), pool, nn.BatchNorm2d(width)))
        self.branches.append(nn.Sequential(*_pointwise(in_channels, width, stride)))
        same = in_channels == out_channels and stride == 1
        self.residual = nn.Identity() if same else nn.Sequential(*_pointwise(in_channels, out_channels, stride))
        self.act = nn.ReLU() if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(torch.cat([branch(x) for branch in self.branches], 1) + self.residual(x))


class G3DPathway(nn.Module):
    """Unified space-time graph convolution over sliding windows of frames (paper 3.3, 3.4).

    Args:
        in_channels: C.
        mid_channels: Of the graph convolution.
        out_channels: C'.
        adjacency: (V, V) of one frame.
        num_scales: K of the window's graph.
        window: Frames of a window.
        dilation: Frames between those of a window.
        stride: Frames between windows.

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
        """(N, C, T, V) to (N, C, T / stride, window V): the frames around each, 0 outside of the clip."""
        reach = (self.window // 2) * self.dilation
        padded = nn.functional.pad(x, (0, 0, reach, reach))
        found = padded.unfold(2, 2 * reach + 1, self.stride)[..., :: self.dilation]  # (N, C, T', V, window)
        return found.transpose(3, 4).flatten(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.graph_conv(self.windows(x)).unflatten(3, (self.window, -1))
        return self.norm(self.collapse(mixed).squeeze(3))


def _pointwise(in_channels: int, out_channels: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(in_channels, out_channels, 1, (stride, 1)), nn.BatchNorm2d(out_channels)
