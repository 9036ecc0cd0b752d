"""What target maps and their reading can be told: one model for the form, the command line and the file on disk.

A target says its ``kind``; `TargetConfig` is any of them. None of this loads torch, before a generator is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from napari_landmarker.engine.heatmap.generator import HeatmapGenerator
    from napari_landmarker.engine.heatmap.mask import PixelMaskGenerator

PACKAGE = "napari_landmarker.engine.heatmap"


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BellConfig(_Config):
    """What all targets that have a width can be told."""

    #: Its generator's name in `napari_landmarker.engine.heatmap`.
    generator: ClassVar[str]

    sigma: float = Field(1.5, gt=0.1, title="Width", description="Standard deviation, at first, heatmap pixels.")
    widths: Literal["fixed", "learned", "scheduled"] = Field(
        "fixed",
        title="Widths",
        description="Stay as they are, are learnt with the network, or follow its losses (Adaloss).",
    )
    peak: float = Field(
        1.0,
        gt=0,
        title="Peak",
        description="Largest value of a map; where widths are learnt, at first: a narrower map is then a higher one.",
    )
    pace: float = Field(
        0.9,
        gt=0,
        title="Pace",
        description="Largest change of a scheduled width between two validations, heatmap pixels.",
    )
    narrowest: float = Field(1.0, ge=0.1, title="Narrowest", description="Of scheduled widths, heatmap pixels.")

    def build(self, landmarks: int, shape: Sequence[int]) -> HeatmapGenerator:
        """The generator of maps ``(B, L, *shape)``, all 0 where a landmark is missing.

        Learnt widths keep the sum of a map, so that narrowing it is not a way to make it vanish; `peak` is then what it
        has at first. Other maps are drawn with a peak of 1.
        """
        made: HeatmapGenerator = getattr(import_module(PACKAGE), self.generator)(
            landmarks, self.sigma, heatmap_size=tuple(shape), learnable=self.widths == "learned", na_zero=True
        )
        if self.widths == "learned":
            made.gamma = self.peak * made.mass() * self.sigma ** len(tuple(shape))
        return made


class GaussianTargetConfig(BellConfig):
    """Gaussians around the landmarks."""

    generator: ClassVar[str] = "GaussianHeatmapGenerator"
    kind: Literal["gaussian"] = "gaussian"


class LaplacianTargetConfig(BellConfig):
    """Laplacians around the landmarks: a sharper peak and a longer reach."""

    generator: ClassVar[str] = "LaplacianHeatmapGenerator"
    kind: Literal["laplacian"] = "laplacian"


class MaskTargetConfig(_Config):
    """One pixel; its weight is shared with its neighbours, so that the mean is the landmark to sub-pixel accuracy."""

    kind: Literal["mask"] = "mask"

    def build(self, landmarks: int, shape: Sequence[int]) -> PixelMaskGenerator:
        """The generator of maps ``(B, L, *shape)`` that sum to 1, or to 0 where a landmark is missing."""
        from napari_landmarker.engine.heatmap.mask import PixelMaskGenerator

        return PixelMaskGenerator(landmarks, shape)


TargetConfig = Annotated[GaussianTargetConfig | LaplacianTargetConfig | MaskTargetConfig, Field(discriminator="kind")]


class DecoderConfig(_Config):
    """How points are read from maps."""

    method: Literal["auto", "local_soft_argmax", "dark", "soft_argmax", "argmax"] = Field(
        "auto",
        title="Method",
        description=(
            "By itself: a local soft-argmax for logits, a fit to the peak for maps that look like the target. "
            "'soft_argmax' is the mean over the whole map."
        ),
    )
    window: int = Field(3, ge=1, title="Window", description="Half width of the window that is read, heatmap pixels.")
