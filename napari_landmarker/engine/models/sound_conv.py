"""Convolutions of volumes whose gradients can be trusted in half precision on a CPU.

Where a volume is narrower than the kernel along an axis, the gradient of the weights of torch's bfloat16 convolution in
3D is wrong, and not always finite (seen with torch 2.13 and oneDNN on x86): for a 3x3x3 kernel at a depth of 2, as at
the coarsest level of a network. With wide kernels it even writes outside its memory. Such volumes are tiny, so they are
convolved in float32 there. Planes, other devices and float32 are not affected.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class SoundConv3d(nn.Conv3d):
    """`torch.nn.Conv3d`, in float32 where bfloat16 on a CPU would give wrong gradients."""

    def forward(self, input: Tensor) -> Tensor:
        """As `torch.nn.Conv3d`."""
        autocast = torch.is_autocast_enabled("cpu")
        half = autocast or input.dtype == torch.bfloat16
        narrow = any(size < kernel for size, kernel in zip(input.shape[2:], self.kernel_size, strict=True))
        if not (half and narrow and input.device.type == "cpu"):
            return super().forward(input)
        dtype = torch.get_autocast_dtype("cpu") if autocast else input.dtype
        with torch.autocast("cpu", enabled=False):
            bias = None if self.bias is None else self.bias.float()
            answer: Tensor = self._conv_forward(input.float(), self.weight.float(), bias).to(dtype)
        return answer


def with_sound_gradients(module: ModuleT) -> ModuleT:
    """The module, its `torch.nn.Conv3d` turned into `SoundConv3d`; weights and their names stay."""
    for part in module.modules():
        if type(part) is nn.Conv3d:
            part.__class__ = SoundConv3d
    return module
