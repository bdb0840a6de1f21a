"""The first convolution of a backbone, and its kernels for other numbers of input channels."""

import torch
from torch import nn

from ..errors import UserError


def first_conv(module: nn.Module) -> tuple[str, nn.Conv2d]:
    """Return name and module of the first convolution in the order of definition."""
    for name, child in module.named_modules():
        if isinstance(child, nn.Conv2d):
            return name, child
    raise UserError(f'PoseStudent: backbone {type(module).__name__} has no convolution to widen')


def widen_kernel(weight: torch.Tensor, in_channels: int, num_kept: int = 3) -> torch.Tensor:
    """Widen a kernel (O, 3, h, w) to (O, C, h, w): its first ``num_kept`` channels, then the mean of all."""
    extra = weight.mean(dim=1, keepdim=True).expand(-1, in_channels - num_kept, -1, -1)
    return torch.cat([weight[:, :num_kept], extra], dim=1)


def with_channels(conv: nn.Conv2d, in_channels: int) -> nn.Conv2d:
    """Return a convolution like ``conv`` with ``in_channels`` inputs, initialized as in ResNets."""
    layout = (conv.out_channels, conv.kernel_size, conv.stride, conv.padding, conv.dilation)
    other = nn.Conv2d(in_channels, *layout, bias=conv.bias is not None, padding_mode=conv.padding_mode)
    nn.init.kaiming_normal_(other.weight, mode='fan_out', nonlinearity='relu')
    return other


def set_first_conv(module: nn.Module, conv: nn.Conv2d) -> None:
    """Replace the first convolution."""
    parent, _, child = first_conv(module)[0].rpartition('.')
    setattr(module.get_submodule(parent), child, conv)
