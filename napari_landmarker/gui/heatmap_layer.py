"""`HeatmapLayer`: where the model sees a landmark, as a coloured veil over the image and over the three views of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image as ImageLayer
from napari.utils import Colormap
from napari.viewer import Viewer
from psygnal import Signal

from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.gui.case_layers import POINTS_NAME
from napari_landmarker.gui.drawn_once import drawn_once
from napari_landmarker.gui.looks import layer_geometry
from napari_landmarker.gui.slice_guests import SlicePicture
from napari_landmarker.gui.slice_picture import picture, veil_pixels
from napari_landmarker.state.prediction import PredictionLike
from napari_landmarker.state.session import Session

HEATMAP_NAME = "Heatmap"
#: What can be shown besides a landmark's name.
ALL, CURRENT = "", "\0current"

#: From nothing through violet and orange to pale yellow; readable on dark, bright and coloured images.
HEAT = Colormap(
    [
        [0.25, 0.1, 0.75, 0.0],
        [0.45, 0.1, 0.9, 0.45],
        [0.95, 0.3, 0.55, 0.75],
        [1.0, 0.7, 0.2, 0.9],
        [1.0, 1.0, 0.75, 1.0],
    ],
    name="landmarker-heat",
    display_name="heat",
    controls=[0.0, 0.2, 0.5, 0.75, 1.0],
)
#: Properties of the layer that change how its slices are drawn.
_LOOKS = ("visible", "opacity", "contrast_limits", "gamma", "colormap")
#: The slices are made finer until they have so many pixels along a side, at most by this factor.
_FINE, _FINEST = 256, 16


class HeatmapLayer:
    """Shows the heatmaps of the session's prediction over the image, aligned to it.

    The layer is only hidden where there is nothing to show: making one takes napari longer than filling it.

    Signals:
        changed: another map is shown, or none, or it looks otherwise.

    Attributes:
        layer: the image layer, None until there was something to show.
        visible: whether a person wants to see heatmaps.
        which: a landmark's name, `ALL` for the strongest of all, or `CURRENT` for the current landmark (if none
            is, all).
        opacity: of the layer, in [0, 1].
    """

    changed = Signal()

    def __init__(self, viewer: Viewer, session: Session) -> None:
        self.viewer = viewer
        self.session = session
        self.layer: ImageLayer | None = None
        self.visible = True
        self.which = ALL
        self.opacity = 0.6
        self._geometry: dict[str, Any] = {}
        self._placed: tuple[FloatArray, FloatArray] = (np.ones(0), np.zeros(0))
        self._slices: dict[int, tuple[int, SlicePicture]] = {}

    def refresh(self) -> None:
        """Show what the session has now."""
        self._show()
        self._tell()

    def on_slice(self, axis: int, at: int) -> list[SlicePicture]:
        """What is seen on the slice at an index of an axis of a volume; made anew only if it is another."""
        layer = self.layer
        if layer is None or not layer.visible or not self._fits(3):
            return []
        if axis not in self._slices or self._slices[axis][0] != at:
            self._slices[axis] = (at, self._slice(layer, axis, at))
        return [self._slices[axis][1]]

    def _slice(self, layer: ImageLayer, axis: int, at: int) -> SlicePicture:
        """The map on a slice, interpolated before it is coloured, as on the main canvas."""
        scale, first = self._placed
        values = _slices_at(np.moveaxis(layer.data, axis, 0), (at - first[axis : axis + 1]) / scale[axis])[0]
        low, high = first - scale / 2, first + (np.array(layer.data.shape) - 0.5) * scale
        low[axis] = high[axis] = at
        return SlicePicture(picture(veil_pixels(_finer(_finer(values).T).T, layer)), low, high, layer.opacity)

    def _show(self) -> None:
        prediction, image = self.session.prediction, self.session.image
        if image is None:
            self.remove()
            return
        if prediction is None or not self.visible:
            if self.layer is not None and self.layer.visible:
                self.layer.visible = False
            return
        array, self._placed = place(self._map(prediction), prediction.to_heatmap)
        geometry = layer_geometry(image.grid)
        scale = np.asarray(geometry["scale"])
        geometry["scale"] = scale * self._placed[0]
        geometry["translate"] = scale * self._placed[1]
        if self.layer is None or not self._fits(array.ndim):
            self.remove()
            self._add(array, geometry)
            return
        moved = {key: value for key, value in geometry.items() if not np.array_equal(value, self._geometry[key])}
        if moved or array.shape != self.layer.data.shape:
            self.layer.data = array
            for key, value in moved.items():
                setattr(self.layer, key, value)
            self._geometry = geometry
        else:
            with drawn_once(self.layer):
                self.layer.data = array
        if not self.layer.visible:  # saying so again makes napari draw all layers again
            self.layer.visible = True

    def prepare(self) -> None:
        """Make the layer while a model is at work still, hidden, so that its heatmaps appear without a halt."""
        image = self.session.image
        if image is None or not self.visible or self._fits(image.grid.ndim):
            return
        self.remove()
        origin = np.zeros(image.grid.ndim)
        self._add(np.zeros((1,) * image.grid.ndim, np.float32), layer_geometry(image.grid) | {"translate": origin})
        assert self.layer is not None
        self.layer.visible = False

    def set_opacity(self, opacity: float) -> None:
        """Make the veil thinner or thicker."""
        self.opacity = opacity
        if self.layer is not None:
            self.layer.opacity = opacity

    def remove(self) -> None:
        """Take the layer away, if it is there."""
        if self.layer is not None and self.layer in self.viewer.layers:
            active = self.viewer.layers.selection.active
            self.viewer.layers.remove(self.layer)
            if active is not None and active in self.viewer.layers:
                self.viewer.layers.selection.active = active
        self.layer = None

    def _tell(self, _: object = None) -> None:
        self._slices.clear()
        self.changed.emit()

    def _fits(self, ndim: int) -> bool:
        """Whether the layer is there still and has as many dimensions."""
        return self.layer is not None and self.layer in self.viewer.layers and self.layer.ndim == ndim

    def _map(self, prediction: PredictionLike) -> npt.NDArray[np.float32]:
        """The map to show, ``(*space)``."""
        name = self.session.current if self.which == CURRENT else self.which
        if name and name in prediction.names:
            return prediction.heatmaps[list(prediction.names).index(name)]
        if name and self.which != CURRENT:
            return np.zeros_like(prediction.heatmaps[0])
        return np.asarray(prediction.heatmaps.max(axis=0))

    def _add(self, array: npt.NDArray[np.float32], geometry: dict[str, Any]) -> None:
        active = self.viewer.layers.selection.active
        self.layer = ImageLayer(
            array,
            name=HEATMAP_NAME,
            colormap=HEAT,
            contrast_limits=(0.0, 1.0),
            blending="translucent_no_depth",
            interpolation2d="linear",
            opacity=self.opacity,
            metadata={"landmarker": "heatmap"},
            **geometry,
        )
        for look in _LOOKS:
            getattr(self.layer.events, look).connect(self._tell)
        layers = self.viewer.layers
        drawn = (at for at, layer in enumerate(layers) if layer.name == POINTS_NAME or "landmarker" in layer.metadata)
        layers.insert(next(drawn, len(layers)), self.layer)
        self._geometry = geometry
        if active is not None:
            self.viewer.layers.selection.active = active


def place(
    heatmap: npt.NDArray[np.float32], to_heatmap: AffineMap
) -> tuple[npt.NDArray[np.float32], tuple[FloatArray, FloatArray]]:
    """Where a heatmap lies on its image.

    Only what lies on the image is kept, without the padding around it. Along the slices of a volume the map is
    interpolated linearly at the image's own slices, so that the slice slider keeps its steps.

    Args:
        heatmap: ``(*space)``.
        to_heatmap: image index to heatmap index; it scales and shifts along the axes only.

    Returns:
        The map, and the image pixels per map pixel ``(D,)`` with the image index of the map's first pixel ``(D,)``.
    """
    factor, shift = np.diag(to_heatmap.matrix)[:-1], to_heatmap.matrix[:-1, -1]
    scale, first = 1 / factor, -shift / factor
    if heatmap.ndim == 3:
        at = np.arange(to_heatmap.source_shape[0]) * factor[0] + shift[0]
        heatmap = _slices_at(heatmap, at)
        scale, first = np.array([1.0, *scale[1:]]), np.array([0.0, *first[1:]])
    upper = np.asarray(to_heatmap.source_shape) - 0.5
    sizes = np.asarray(heatmap.shape)
    start = np.clip(np.ceil((-0.5 - first) / scale), 0, sizes - 1).astype(int)
    stop = np.clip(np.floor((upper - first) / scale) + 1, start + 1, sizes).astype(int)
    cut = heatmap[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    return cut, (scale, first + start * scale)


def _finer(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same map with as many rows as a picture of it needs, interpolated linearly."""
    count = len(values)
    factor = min(max(_FINE // count, 1), _FINEST)
    return _slices_at(values, np.clip((np.arange(count * factor) + 0.5) / factor - 0.5, 0, count - 1))


def _slices_at(volume: npt.NDArray[np.float32], at: FloatArray) -> npt.NDArray[np.float32]:
    """Slices of a volume, or rows of a slice, at positions between its own; nothing beyond its first and last."""
    low = np.clip(np.floor(at).astype(int), 0, len(volume) - 1)
    high = np.minimum(low + 1, len(volume) - 1)
    weight = np.clip(at - low, 0, 1).astype(np.float32).reshape(-1, *(1,) * (volume.ndim - 1))
    out = volume[low] * (1 - weight) + volume[high] * weight
    out[(at < -0.5) | (at > len(volume) - 0.5)] = 0
    return np.asarray(out, dtype=np.float32)
