"""One network of a predictor, and one look of it at an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_landmarker.engine.errors import ModelError
from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.heatmap.configs import DecoderConfig
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.models import CascadeNet, LandmarkNetwork
from napari_landmarker.engine.models.base import covariance_stacks, heatmap_stacks
from napari_landmarker.engine.models.config_points import CascadeConfig
from napari_landmarker.engine.predict.bundle import ModelInfo
from napari_landmarker.engine.predict.reading import heat_of
from napari_landmarker.engine.transforms import FloatImage, resample, standardise, with_channels


class Member:
    """A network with its weights on a device.

    Args:
        info: what it is.
        network: the network.
        device: a torch device.
    """

    def __init__(self, info: ModelInfo, network: LandmarkNetwork, device: str = "cpu") -> None:
        self.info, self.device = info, device
        self.network: LandmarkNetwork = network.to(device).eval()

    @property
    def kind(self) -> tuple[str, bool]:
        """What its answers are: those of members of one kind can be averaged."""
        answer = self.info.config.model.answer
        family = answer if answer in ("points", "cascade") else "maps"
        return family, self.info.config.loss.reads_logits

    @property
    def pixel(self) -> float:
        """How coarse its maps are: millimetres per pixel, or share of the image where it knows no millimetres."""
        frame = self.info.frame
        return self.network.stride * (frame.spacing_mm or 1 / max(frame.shape))

    @property
    def decoder(self) -> DecoderConfig:
        """How points are read from its heat; for a cascade, that of either stage."""
        config = self.info.config
        if isinstance(config.model, CascadeConfig):
            return DecoderConfig(method="local_soft_argmax", window=config.model.window // 2)
        return config.decoder

    @property
    def cascade(self) -> CascadeNet:
        """The network, which is a cascade."""
        assert isinstance(self.network, CascadeNet)
        return self.network

    def answer(self, drawn: Tensor) -> Any:
        """What the network says of a drawn image ``(1, C, *space)``; of a cascade, maps of the first stage."""
        if isinstance(self.network, CascadeNet):
            return self.network.coarse_maps(drawn.to(self.device))
        return self.network(drawn.to(self.device))

    def raw_maps(self, drawn: Tensor) -> Tensor:
        """The last stack's maps as the network gives them, float32 ``(1, L, *grid)``."""
        return heatmap_stacks(self.answer(drawn))[-1].float()

    def heat_of_maps(self, maps: Tensor) -> Tensor:
        """The heat of maps ``(B, L, *grid)``."""
        return heat_of(maps, self.info.config)

    def answered_covariance(self, answer: Any) -> Tensor | None:
        """Covariances ``(1, L, D, D)`` in square heatmap pixels, where the network was trained to answer them."""
        stacks = covariance_stacks(answer)
        wanted = self.info.config.loss.compares == "points_and_covariances"
        return stacks[-1].float() if stacks and wanted else None


class Picture:
    """An image as networks see it, standardised once for each number of channels."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self._arrays: dict[int, FloatImage] = {}

    def array(self, channels: int) -> FloatImage:
        """``(C, *space)``; of an image that was seen with other channels before, these are forgotten."""
        if channels not in self._arrays:
            self._arrays = {channels: standardise(with_channels(self.image.channels_first(), channels))}
        return self._arrays[channels]

    def forget(self) -> None:
        """Give back the memory of what was standardised; it is made again if it is asked for."""
        self._arrays = {}


def go_on() -> None:
    """Nobody wants the work to end."""


@dataclass(frozen=True, eq=False)
class Look:
    """One look of one member at an image.

    Attributes:
        member: which network.
        picture: the image.
        to_frame: image to frame index coordinates.
        rows: for each landmark of the network, its row in the answer.
        check: called before the network is asked; may raise to end the work.
    """

    member: Member
    picture: Picture = field(repr=False)
    to_frame: AffineMap
    rows: tuple[int, ...]
    check: Callable[[], None] = field(default=go_on, repr=False)

    def answer(self, drawn: Tensor) -> Any:
        """See `Member.answer`."""
        self.check()
        return self.member.answer(drawn)

    def raw_maps(self, drawn: Tensor) -> Tensor:
        """See `Member.raw_maps`."""
        self.check()
        return self.member.raw_maps(drawn)

    @property
    def pixel_px(self) -> FloatArray:
        """How much of the image is in one pixel of the maps that points are read from, along each axis ``(D,)``.

        Of a network that answers with points, in one pixel of its frame.
        """
        family, network = self.member.kind[0], self.member.network
        stride = {"points": 1, "maps": network.stride}.get(family) or self.member.cascade.refiner.stride
        extent: FloatArray = stride * np.abs(self.to_frame.inverse.matrix[:-1, :-1]).sum(axis=1)
        return extent

    def drawn(self) -> Tensor:
        """The image in the frame, ``(1, C, *space)``, in the memory of the processor."""
        array = resample(self.picture.array(self.member.info.channels), self.to_frame)
        return torch.from_numpy(np.ascontiguousarray(array))[None]

    @cached_property
    def to_heatmap(self) -> AffineMap:
        """Image to heatmap index coordinates."""
        stride, shape = self.member.network.stride, self.to_frame.target_shape
        if self.member.kind[0] == "points":
            stride = 1
        grid = tuple(-(-size // stride) for size in shape)
        return self.to_frame.then(AffineMap.scaling(shape, [1 / stride] * len(shape), grid, centred=False))


def require_alike(members: Sequence[Member]) -> None:
    """Members whose answers can be averaged.

    Raises:
        ModelError: naming two of which the answers cannot.
    """
    first = members[0]
    for other in members[1:]:
        names = f"'{first.info.name}' and '{other.info.name}'"
        if other.info.ndim != first.info.ndim:
            raise ModelError(f"The models {names} are for images of {first.info.ndim}D and {other.info.ndim}D.")
        if other.kind != first.kind:
            raise ModelError(
                f"The models {names} answer in different ways, which cannot be averaged: "
                "choose models that were trained alike."
            )
