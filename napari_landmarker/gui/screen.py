"""`Screen`: how index coordinates of an image become pixels of the canvas, on a slice as in the 3D view."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtGui import QFont, QFontMetricsF, QGuiApplication

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.gui.looks import TEXT_SIZE

#: Screen pixels of a point of text on the canvas: napari counts 96 dots to the inch.
_POINT_PX = 96 / 72
#: napari takes its letters from Qt, in this size, and scales them.
_MEASURED = 256
#: Height of a text without the room above its capitals, in heights of a line.
_HIGH = 0.75
#: Added to the width of a text, so that two do not touch.
_MARGIN_PX = 4.0


@dataclass(frozen=True)
class Screen:
    """A view of an image of ``D`` dimensions.

    Attributes:
        across: pixels of the canvas to the right for a step along each axis of the image, ``(D,)``.
        down: the same downwards.
        right_step: the step in index coordinates that is one pixel to the right, ``(D,)``.
        down_step: the same downwards.
        depth_step: the step in index coordinates that is one pixel into the picture, ``(D,)``; none on a slice.
        bounds: left, top, right and bottom of the canvas, in the same pixels as `to_px`, ``(4,)``.
    """

    across: FloatArray
    down: FloatArray
    right_step: FloatArray
    down_step: FloatArray
    depth_step: FloatArray
    bounds: FloatArray

    @classmethod
    def of(cls, viewer: Viewer, layer: Layer) -> Screen | None:
        """How a layer of the image is seen now; None while its axes are not."""
        dims, camera = viewer.dims, viewer.scene.camera
        axes = [axis - dims.ndim + layer.ndim for axis in dims.displayed]
        if min(axes) < 0:
            return None
        right, below, depth = np.zeros((3, layer.ndim))
        if dims.ndisplay == 3:
            up = np.array(camera.up_direction)
            way = np.cross(camera.view_direction, up)
            last = slice(-len(axes), None)  # of a flat image that is turned in space, which has no axis of depth
            below[axes], depth[axes] = -up[last], np.array(camera.view_direction)[last]
            right[axes] = way[last] if camera.handedness.value == "right" else -way[last]
        else:
            vertical, horizontal = (side.value for side in camera.orientation2d)
            below[axes[0]] = 1 if vertical == "down" else -1
            right[axes[1]] = 1 if horizontal == "right" else -1
        scale, zoom = np.asarray(layer.scale), camera.zoom
        centre = np.zeros(layer.ndim)
        centre[axes] = np.asarray(camera.center)[-len(axes) :]
        middle = np.array([centre @ right, centre @ below]) * zoom
        half = np.asarray(viewer.canvas.size, dtype=np.float64)[::-1] / 2
        bounds = np.concatenate([middle - half, middle + half])
        steps = [way / scale / zoom for way in (right, below, depth)]
        return cls(right * scale * zoom, below * scale * zoom, *steps, bounds)

    def same_view(self, other: Screen | None) -> bool:
        """Whether another view differs from this one by no more than a shift."""
        return other is not None and np.array_equal(self.across, other.across) and np.array_equal(self.down, other.down)

    def to_px(self, index: FloatArray) -> FloatArray:
        """Pixels ``(N, 2)``, across and down from a fixed place, of index coordinates ``(N, D)``."""
        return np.stack([index @ self.across, index @ self.down], axis=-1)

    def to_index(self, shift_px: FloatArray) -> FloatArray:
        """Steps in index coordinates ``(N, D)`` that are seen as shifts ``(N, 2)``, parallel to the canvas."""
        return np.asarray(shift_px[:, :1] * self.right_step + shift_px[:, 1:] * self.down_step)


@lru_cache(maxsize=4096)
def text_size(text: str) -> tuple[float, float]:
    """Width and height of a text on the canvas in its pixels, with a little room about it."""
    measured = QFontMetricsF(QFont(QGuiApplication.font().family(), _MEASURED))
    share = TEXT_SIZE * _POINT_PX / _MEASURED
    return measured.horizontalAdvance(text) * share + _MARGIN_PX, measured.height() * _HIGH * share


def text_sizes(texts: tuple[str, ...] | list[str]) -> FloatArray:
    """Width and height of texts on the canvas, ``(N, 2)``."""
    return np.array([text_size(text) for text in texts], dtype=np.float64).reshape(-1, 2)
