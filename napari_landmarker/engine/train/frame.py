"""The network's frame: in which size and resolution every image is drawn for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from napari_landmarker.engine.errors import ModelError, TrainingError
from napari_landmarker.engine.geometry import AffineMap, Grid

#: An image that fills the frame so many times over has a wrong spacing.
LARGER = 1024
#: So has one whose longest side is so many times shorter than the frame's, or one that is thinner than so much of a
#: pixel of the frame.
SHORTER, THINNEST = 64, 0.05


class NetworkFrame(BaseModel):
    """How an image is drawn for the network.

    With a spacing, every image is drawn at that many millimetres per pixel, so that anatomy has one size; a larger
    image gets a larger frame. Without, every image is fitted into ``shape`` with its aspect kept.

    Attributes:
        shape: size of the frame, a multiple of ``multiple`` along each axis.
        spacing_mm: millimetres per pixel of the frame along every axis, or None where images state no spacing.
        multiple: what the network's downsampling wants sizes to be a multiple of.
    """

    model_config = ConfigDict(frozen=True)

    shape: tuple[int, ...]
    spacing_mm: float | None
    multiple: int

    @property
    def unit(self) -> str:
        """``"mm"`` or ``"px"``."""
        return "px" if self.spacing_mm is None else "mm"

    def coarser(self, factor: int) -> NetworkFrame:
        """The frame of the same images in which so many pixels, along each axis, are one."""
        return NetworkFrame(
            shape=tuple(-(-size // factor) for size in self.shape),
            spacing_mm=None if self.spacing_mm is None else self.spacing_mm * factor,
            multiple=max(1, self.multiple // factor),
        )

    def map_for(self, grid: Grid) -> AffineMap:
        """The map from an image to the frame.

        Raises:
            ModelError: if the image has other dimensions, no spacing where the model works in millimetres, or a size
                in millimetres that cannot be right.
        """
        if grid.ndim != len(self.shape):
            raise ModelError(
                f"The model is for {len(self.shape)}D images, but this one is {grid.ndim}D: choose another model."
            )
        if self.spacing_mm is None:
            return AffineMap.fit(grid.shape, self.shape)
        if grid.spacing is None:
            raise ModelError(
                "The model works in millimetres, but this image states no pixel spacing: give its spacing."
            )
        scale = [own / self.spacing_mm for own in grid.spacing]
        wanted = [size * factor for size, factor in zip(grid.shape, scale, strict=True)]
        extent = _by([size * step for size, step in zip(grid.shape, grid.spacing, strict=True)])
        said = f"its spacing is {_by(grid.spacing)} mm, and the model works at {self.spacing_mm:.4g} mm per pixel"
        if SHORTER * max(wanted) < max(self.shape) or min(wanted) < THINNEST:
            raise ModelError(
                f"The image measures only {extent} mm ({said}), too little to show what the model knows: "
                "check whether its spacing is in millimetres."
            )
        shape = [max(base, up_to(n - 0.5, self.multiple)) for base, n in zip(self.shape, wanted, strict=True)]
        if np.prod(shape, dtype=np.float64) > LARGER * np.prod(self.shape, dtype=np.float64):
            raise ModelError(
                f"The image measures {extent} mm ({said}), over {LARGER} times as much as those the model learnt from: "
                "check its spacing, or crop it."
            )
        return AffineMap.scaling(grid.shape, scale, shape)


def _by(values: Sequence[float]) -> str:
    """Numbers along each axis, such as ``0.5 x 0.25``."""
    return " x ".join(f"{value:.4g}" for value in values)


def up_to(size: float, multiple: int) -> int:
    """The smallest multiple that is not below ``size``."""
    return max(1, -(-int(np.ceil(size)) // multiple)) * multiple


def plan_frame(grids: Sequence[Grid], budget: int, multiple: int, spacing_mm: float | None = None) -> NetworkFrame:
    """Choose the frame for the images of a training run.

    Args:
        grids: geometry of all images of the run, training and validation; at least one.
        budget: about how many pixels the frame may have.
        multiple: what sizes should be a multiple of.
        spacing_mm: millimetres per pixel of the frame, instead of what the budget allows.

    With a spacing, every one of these images fits, so that all are drawn in one shape. The frame is never finer than
    the median image, unless it is told to be.

    Raises:
        TrainingError: if a spacing is wanted, and an image states none.
    """
    ndim = grids[0].ndim
    spacings = [g.spacing for g in grids if g.spacing is not None]
    if len(spacings) == len(grids):
        extents = np.array([np.multiply(g.shape, s) for g, s in zip(grids, spacings, strict=True)])
        largest = extents.max(axis=0)
        native = float(np.median([min(s) for s in spacings]))
        spacing = spacing_mm or max(native, float((np.prod(largest) / budget) ** (1 / ndim)))
        shape = tuple(up_to(extent / spacing - 0.5, multiple) for extent in largest)
        return NetworkFrame(shape=shape, spacing_mm=spacing, multiple=multiple)
    if spacing_mm is not None:
        raise TrainingError(
            f"The network cannot see images at {spacing_mm:g} mm per pixel, as some state no spacing: "
            "give the spacing of all images, or leave that of the frame out."
        )
    median = np.median([g.shape for g in grids], axis=0)
    scale = min(1.0, float((budget / np.prod(median)) ** (1 / ndim)))
    shape = tuple(up_to(size * scale - 0.5, multiple) for size in median)
    return NetworkFrame(shape=shape, spacing_mm=None, multiple=multiple)
