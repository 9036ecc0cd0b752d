"""What the configurations of all networks share."""

from __future__ import annotations

from abc import abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from napari_landmarker.engine.models.base import LandmarkNetwork

PACKAGE = "napari_landmarker.engine.models"
#: What a network gives: one stack of maps, several, either with covariances beside, points, or a `CascadeAnswer`.
AnswerKind = Literal["maps", "stacks", "maps_and_covariances", "stacks_and_covariances", "points", "cascade"]


def _odd(pixels: int) -> int:
    if pixels % 2 == 0:
        raise ValueError(f"must be odd, not {pixels}")
    return pixels


#: Channels of one level; of one that is normalised in eight groups; and an odd number of pixels.
Channels = Annotated[int, Field(ge=1, le=2048)]
EightChannels = Annotated[int, Field(ge=8, le=2048, multiple_of=8)]
OddPixels = Annotated[int, Field(ge=1, le=31), AfterValidator(_odd)]


class NetworkConfig(BaseModel):
    """One kind of network and its sizes, in 2D and in 3D."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Its name in `napari_landmarker.engine.models`.
    network: ClassVar[str]
    #: What it gives.
    answer: ClassVar[AnswerKind] = "maps"

    @abstractmethod
    def definition(self, ndim: int, channels: int, landmarks: int) -> dict[str, Any]:
        """The network for MONAI's configuration parser: ``_target_`` and its arguments.

        Args:
            ndim: ``D`` of the images, 2 or 3.
            channels: ``C`` of the images.
            landmarks: ``L``.
        """

    @abstractmethod
    def stride(self, ndim: int) -> int:
        """Image pixels per heatmap pixel in 2D or 3D; 1 for a network without heatmaps."""

    @abstractmethod
    def multiple(self, ndim: int) -> int:
        """Images that are multiples of this wide need no padding."""

    def build(self, ndim: int, channels: int, landmarks: int) -> LandmarkNetwork:
        """The network for images of so many dimensions and channels, and so many landmarks."""
        network: LandmarkNetwork = _made(self.definition(ndim, channels, landmarks))
        return network


class StridedConfig(NetworkConfig):
    """A network of the shape ``network(spatial_dims, in_channels, out_channels, stride=..., ...)``."""

    stride_2d: int = Field(4, ge=1, le=16, title="Stride (2D)", description="Pixels per heatmap pixel in 2D.")
    stride_3d: int = Field(1, ge=1, le=16, title="Stride (3D)", description="Voxels per heatmap voxel in 3D.")

    @abstractmethod
    def arguments(self, ndim: int) -> dict[str, Any]:
        """The network's other arguments in 2D or 3D."""

    @abstractmethod
    def factor(self, ndim: int) -> int:
        """How many times coarser its coarsest grid is than its maps."""

    def stride(self, ndim: int) -> int:
        """Image pixels per heatmap pixel in 2D or 3D."""
        return self.stride_2d if ndim == 2 else self.stride_3d

    def multiple(self, ndim: int) -> int:
        """Images that are multiples of this wide need no padding."""
        return self.stride(ndim) * self.factor(ndim)

    def dimensions(self, ndim: int) -> dict[str, Any]:
        """How the network is told how many dimensions there are."""
        return {"spatial_dims": ndim}

    def definition(self, ndim: int, channels: int, landmarks: int) -> dict[str, Any]:
        """See `NetworkConfig`."""
        return {
            "_target_": f"{PACKAGE}.{self.network}",
            **self.dimensions(ndim),
            "in_channels": channels,
            "out_channels": landmarks,
            **self.arguments(ndim),
            "stride": self.stride(ndim),
        }


def _made(definition: Any) -> Any:
    """What a definition stands for; parts of it that are definitions are made first."""
    if not isinstance(definition, dict):
        return definition
    arguments = {name: _made(value) for name, value in definition.items() if name != "_target_"}
    return getattr(import_module(PACKAGE), definition["_target_"].removeprefix(f"{PACKAGE}."))(**arguments)
