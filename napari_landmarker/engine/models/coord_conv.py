"""Convolutions that know where they are.

Source: Liu et al., An intriguing failing of convolutional neural networks and the CoordConv solution, NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.networks.blocks.convolutions import ResidualUnit
from torch import Tensor, nn

from napari_landmarker.engine.models.layers import convolution
from napari_landmarker.engine.models.sound_conv import with_sound_gradients


class AddCoordChannels(nn.Module):
    """Adds the coordinates of each pixel as channels, in any number of dimensions.

    Coordinates run from -1 at the first pixel of an axis to 1 at the last; an axis of one pixel is at 0.

    Args:
        radial_channel: whether to add the distance from the middle of the image as one more channel.
    """

    def __init__(self, radial_channel: bool = False) -> None:
        super().__init__()
        self.radial_channel = radial_channel

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, *space)`` to ``(B, C + D, *space)``, or one more with the radius; coordinates in array order."""
        space = x.shape[2:]
        axes = [
            torch.linspace(-1, 1, size, device=x.device) if size > 1 else torch.zeros(1, device=x.device)
            for size in space
        ]
        channels = torch.stack(torch.meshgrid(*axes, indexing="ij"))
        if self.radial_channel:
            channels = torch.cat((channels, channels.norm(dim=0, keepdim=True)))
        return torch.cat((x, channels.to(x.dtype).expand(x.shape[0], *channels.shape)), dim=1)


#: The same layer by the name of what it does.
AddCoordinates = AddCoordChannels


class CoordConvLayer(nn.Module):
    """A block of convolutions that sees, beside its input, the coordinates of each pixel.

    Args:
        spatial_dims: ``D``, 2 or 3.
        in_channels: channels of the input, without the coordinates.
        out_channels: channels of the answer.
        radial_channel: see `AddCoordChannels`.
        conv_block: made with ``spatial_dims``, ``in_channels`` and ``out_channels``.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        radial_channel: bool = False,
        conv_block: Callable[..., nn.Module] = ResidualUnit,
    ) -> None:
        super().__init__()
        self.radial_channel = radial_channel
        self.add_coord_channels = AddCoordChannels(radial_channel)
        block = conv_block(
            spatial_dims=spatial_dims,
            in_channels=in_channels + spatial_dims + int(radial_channel),
            out_channels=out_channels,
        )
        self.conv_block = with_sound_gradients(block)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, *space)`` to ``(B, out_channels, *space)``."""
        answer: Tensor = self.conv_block(self.add_coord_channels(x))
        return answer


class CoordConv(CoordConvLayer):
    """One convolution that sees the coordinates of each pixel: what Liu et al. call CoordConv.

    Args:
        spatial_dims: ``D``, 2 or 3.
        in_channels: channels of the input, without the coordinates.
        out_channels: channels of the answer.
        kernel_size: odd, in pixels.
        stride: in pixels.
        radial_channel: see `AddCoordChannels`.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        radial_channel: bool = False,
    ) -> None:
        def block(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Module:
            return convolution(spatial_dims, in_channels, out_channels, kernel_size, stride)

        super().__init__(spatial_dims, in_channels, out_channels, radial_channel, block)
