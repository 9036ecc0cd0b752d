"""Black or white: which text can be read on an image at a given place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.io.image import Image

#: Half height and width of the patch to the right of a point that its name covers, as shares of the image.
_HALF_HEIGHT, PATCH_WIDTH = 0.02, 0.12
#: Above this brightness, of 0 to 1, black text reads better than white.
_BRIGHT = 0.55


def text_colors(image: Image, points: FloatArray, limits: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Colours of the names written to the right of points.

    Args:
        image: the image.
        points: index coordinates, ``(N, D)``.
        limits: values of the image that are shown black and white.

    Returns:
        RGBA, ``(N, 4)``: black where the image is bright, else white.
    """
    colors = np.ones((len(points), 4), dtype=np.float32)
    low, high = limits
    for row, point in enumerate(points):
        patch = image.array[_patch(image.grid.shape, point)]
        brightness = (float(np.mean(patch)) - low) / max(high - low, 1e-12)
        colors[row, :3] = 0.0 if brightness > _BRIGHT else 1.0
    return colors


def brightest_colors(image: Image, rays: FloatArray, limits: tuple[float, float]) -> FloatArray:
    """Colours of names over a volume of which the brightest value along each line of sight is drawn.

    Args:
        image: a volume.
        rays: index coordinates on ``K`` lines of sight through each of ``N`` names, ``(N, K, S, 3)``.
        limits: values that are shown black and white.

    Returns:
        RGBA, ``(N, 4)``: black where the picture is bright, else white.
    """
    at = np.round(rays).astype(int)
    inside = ((at >= 0) & (at < image.grid.shape)).all(axis=-1)
    values = np.full(inside.shape, limits[0], dtype=np.float64)
    values[inside] = image.array[tuple(at[inside].T)]
    seen = np.clip((values.max(axis=-1) - limits[0]) / max(limits[1] - limits[0], 1e-12), 0, 1).mean(axis=-1)
    colors = np.ones((len(rays), 4))
    colors[:, :3] = np.where(seen > _BRIGHT, 0.0, 1.0)[:, None]
    return colors


class TextColors:
    """`text_colors` of points of which most stay where they are: worked out anew only for those that moved."""

    def __init__(self) -> None:
        self._image: Image | None = None
        self._limits: tuple[float, float] | None = None
        self._known: dict[tuple[float, ...], npt.NDArray[np.float32]] = {}

    def of(self, image: Image, points: FloatArray, limits: tuple[float, float]) -> npt.NDArray[np.float32]:
        """As `text_colors`."""
        if image is not self._image or limits != self._limits:
            self._image, self._limits, self._known = image, limits, {}
        places = [tuple(point) for point in points.tolist()]
        new = [place for place in places if place not in self._known]
        colors = text_colors(image, np.array(new).reshape(len(new), image.grid.ndim), limits)
        known = self._known | dict(zip(new, colors, strict=True))
        self._known = {place: known[place] for place in places}
        return np.array([known[place] for place in places], dtype=np.float32).reshape(-1, 4)


def _patch(shape: tuple[int, ...], point: FloatArray) -> tuple[int | slice, ...]:
    at = np.clip(np.round(point).astype(int), 0, np.asarray(shape) - 1)
    half, width = max(1, int(shape[-2] * _HALF_HEIGHT)), max(1, int(shape[-1] * PATCH_WIDTH))
    y, x = int(at[-2]), int(at[-1])
    return (*map(int, at[:-2]), slice(max(0, y - half), y + half + 1), slice(x, x + width + 1))
