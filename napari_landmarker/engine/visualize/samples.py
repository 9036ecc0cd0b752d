"""One item of a dataset as it is drawn: its image, points and maps, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.metrics.frames import as_array, has_point
from napari_landmarker.engine.schema import PALETTE
from napari_landmarker.engine.visualize.planes import Plane

#: The middle of a map is judged on about this many of its values.
_SAMPLE = 100_000
#: How much of the image a map covers at its maximum.
_OPACITY = 0.8
#: Below 1: makes low values easier to see.
_GAMMA = 0.75

MapArray = npt.NDArray[np.float32]


class Samples(Protocol):
    """What is needed of a dataset: items with ``image`` and ``landmark``; ``class_names``, where there, name them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Mapping[str, Any]: ...


@dataclass(frozen=True, eq=False)
class Sample:
    """What is drawn of one item.

    Attributes:
        number: its index in the dataset.
        pixels: its image as a model sees it, ``(C, *space)``.
        image: the same as it is shown; the grid has a spacing where it is known.
        names: the landmarks, ``L`` of them.
        true: index coordinates ``(L, M, D)``, NaN where there is no point.
        predicted: ``(L, P, D)``, or None if nothing was predicted.
        maps: heatmaps or masks ``(C, *space)`` of any size that covers the image, or None; of more channels than
            landmarks the last ``L`` are theirs, as a background is put in front.
    """

    number: int
    pixels: MapArray
    image: Image
    names: tuple[str, ...]
    true: FloatArray
    predicted: FloatArray | None = None
    maps: MapArray | None = None

    @property
    def colors(self) -> tuple[str, ...]:
        """The colour of each landmark."""
        return tuple(PALETTE[row % len(PALETTE)] for row in range(len(self.names)))

    @property
    def missing(self) -> tuple[str, ...]:
        """Landmarks without a true point."""
        return tuple(name for name, points in zip(self.names, self.true, strict=True) if not has_point(points).any())


def sample_of(ds: Samples, index: int) -> Sample:
    """An item of a dataset; its own maps (``heatmap`` or ``mask``) are taken where it has some.

    Raises:
        GeometryError: if there is no such item, or its image and landmarks do not fit each other.
    """
    if not -len(ds) <= index < len(ds):
        raise GeometryError(f"There is no item {index}: the dataset has {len(ds)}, and the first is 0.")
    number = index % len(ds)
    item = ds[number]
    pixels, true = np.asarray(as_array(item["image"]), dtype=np.float32), as_array(item["landmark"])
    shape = pixels.shape[1:]
    given = getattr(ds, "class_names", None) or [f"landmark_{row}" for row in range(len(np.atleast_2d(true)))]
    if true.ndim == 1:  # a patch about one of the landmarks
        true, given = true[None], [given[getattr(ds, "index_landmark", 0)]]
    true = true[:, None] if true.ndim == 2 else true
    if true.ndim != 3 or true.shape[-1] != len(shape):
        raise GeometryError(f"Landmarks of shape {true.shape} do not fit an image of {shape} pixels.")
    names = tuple(str(name) for name in given)
    if len(names) != len(true):
        raise GeometryError(f"The dataset has {len(names)} class_names for {len(true)} landmarks.")
    grid = Grid(shape, _spacing(item))
    image = Image.from_array(np.moveaxis(pixels, 0, -1), grid, color=True) if len(pixels) == 3 else None
    maps = item.get("heatmap", item.get("mask"))
    return Sample(
        number,
        pixels,
        Image.from_array(pixels[0], grid) if image is None else image,
        names,
        true,
        maps=None if maps is None else np.asarray(as_array(maps), dtype=np.float32),
    )


def _spacing(item: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Mm per pixel of an item's image (at its centre, if a transform bent it), None where it is not known."""
    if "spacing" not in item or "frame" not in item:
        return None
    drawn = np.diag(as_array(item["spacing"]) * np.linalg.norm(as_array(item["frame"])[:-1, :-1], axis=0))
    if "affine" in item:
        affine = as_array(item["affine"])[: len(drawn), : len(drawn)]
        drawn = drawn @ (np.linalg.inv(affine) if np.isfinite(affine).all() else affine)
    spacing = np.linalg.norm(drawn, axis=0)
    return tuple(spacing.tolist()) if np.isfinite(spacing).all() and (spacing > 0).all() else None


def overlay(maps: MapArray, plane: Plane, image_shape: Sequence[int], colors: Sequence[str]) -> npt.NDArray[np.float32]:
    """Maps as a veil over a plane of the image: each in the colour of its landmark, opaque where it is high.

    A map is seen above the middle of its values, so that raw outputs of a network look like heatmaps.

    Args:
        maps: ``(C, *space)``.
        plane: what is seen.
        image_shape: shape of the image the maps lie over.
        colors: of the maps, ``C`` of them, ``#rrggbb``.

    Returns:
        ``(R, C, 4)`` in [0, 1], with rows and columns of the maps.
    """
    index: list[Any] = [slice(None)] * maps.ndim
    if plane.fixed is not None:
        size, cells = image_shape[plane.fixed], maps.shape[plane.fixed + 1]
        index[plane.fixed + 1] = min(int((plane.at_px + 0.5) * cells / size), cells - 1)
    veil = np.zeros((*maps[tuple(index)].shape[1:], 4), dtype=np.float32)
    total = np.zeros(veil.shape[:2], dtype=np.float32)
    for values, color in zip(maps, colors, strict=True):
        low, high = _middle_and_top(values)
        if not high > low:
            continue
        share = np.clip((np.nan_to_num(values[tuple(index[1:])], nan=low) - low) / (high - low), 0, 1) ** _GAMMA
        rgb = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        veil[..., :3] += share[..., None] * np.asarray(rgb, dtype=np.float32)
        veil[..., 3] = np.maximum(veil[..., 3], share)
        total += share
    veil[..., :3] /= np.maximum(total, 1e-6)[..., None]
    veil[..., 3] *= _OPACITY
    return np.clip(veil, 0, 1)


def _middle_and_top(values: MapArray) -> tuple[float, float]:
    """The median of a map, on some of its finite values, and the largest of them; 0 where there is none."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 0.0
    return float(np.median(known[:: max(1, known.size // _SAMPLE)])), float(known.max())
