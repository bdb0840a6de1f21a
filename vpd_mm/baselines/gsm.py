"""Gate-Shift Networks (Sudhakaran, Escalera, Lanz, CVPR 2020): a 2D network with gated temporal shifts."""

from collections import OrderedDict

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..errors import UserError
from ..registry import MODELS


def shift(x: Tensor, frames: int) -> Tensor:
    """Shift (N, C, T, H, W) by ``frames`` in time (later where positive), padded with 0."""
    return nn.functional.pad(x, (0, 0, 0, 0, frames, -frames))


class GateShift(nn.Module):
    """The gate-shift module.

    The channels are split into two groups.  Each group, frame and pixel has a gate in [-1, 1], the tanh of a 3 x 3 x
    3 convolution of the group.  The gated part Y = gate * X is shifted by one frame (first group forward, second
    backward) and added to the residual X - Y.  Gates start at 0, which leaves the 2D network unchanged; 1 is TSM's
    shift of all channels.

    Parameters: 27 C + 2 of the gates, 2 C of the normalisation before them.  C is even.

    Shapes: (N T, C, H, W) to the same; the T = ``num_segments`` frames of a clip are consecutive.
    """

    def __init__(self, channels: int, num_segments: int) -> None:
        super().__init__()
        if channels % 2:
            raise UserError(f'GateShift: needs an even number of channels for its two groups, found {channels}')
        self.num_segments = num_segments
        self.norm = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU()
        self.gate = nn.Conv3d(channels, 2, 3, padding=1, groups=2)
        self.reset()

    def reset(self) -> None:
        """Close the gates."""
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(self, x: Tensor) -> Tensor:
        clips = x.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
        gates = torch.tanh(self.gate(self.relu(self.norm(clips))))
        parts = []
        for group, gate, frames in zip(clips.chunk(2, 1), gates.chunk(2, 1), (1, -1)):
            gated = gate * group
            parts.append(group - gated + shift(gated, frames))
        return torch.cat(parts, 1).transpose(1, 2).reshape(x.shape)


@MODELS.register_module()
class GSM(BaseModule):
    """A ResNet of mmaction2 with a gate-shift module in every residual block, ahead of its first convolution.

    The identity of a block is not shifted.  The paper adds the module to one branch of each Inception block (less
    than 1 % more parameters); on ResNet-50 the 16 modules add 380,512 to 23,508,032 parameters (1.6 %).

    Args:
        backbone: Config of ``mmaction.ResNet``.
        num_segments: Frames of a clip.

    Shapes: (N T, 3, H, W) to (N T, C, H / 32, W / 32), for ``Recognizer2D``.
    """

    def __init__(self, backbone: dict, num_segments: int = 8) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)
        if not hasattr(self.backbone, 'res_layers'):
            raise UserError(f"GSM: backbone must be of type 'mmaction.ResNet', found {type(self.backbone).__name__}")
        for block in self._blocks():
            gate_shift = GateShift(block.conv1.conv.in_channels, num_segments)
            block.conv1 = nn.Sequential(OrderedDict(gate_shift=gate_shift, conv=block.conv1))

    def _blocks(self) -> list[nn.Module]:
        return [block for name in self.backbone.res_layers for block in getattr(self.backbone, name)]

    def init_weights(self) -> None:
        """Initialise the ResNet, from a checkpoint of the plain network where its config names one."""
        gated = [block.conv1 for block in self._blocks()]
        for block, conv in zip(self._blocks(), gated):
            block.conv1 = conv.conv  # parameter names of the plain network
        self.backbone.init_weights()
        for block, conv in zip(self._blocks(), gated):
            block.conv1 = conv
            conv.gate_shift.reset()

    def forward(self, x: Tensor) -> Tensor:
        return self.backbone(x)
