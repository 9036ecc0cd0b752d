"""`OrthoWords`: what is written on a picture of a slice: title, sides of the patient, scale, names and values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF
from qtpy.QtGui import QPainter

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.gui.layers import CURRENT_FACTOR
from napari_landmarker.gui.looks import shortened
from napari_landmarker.gui.near_layer import REACH
from napari_landmarker.gui.ortho_marks import write
from napari_landmarker.gui.ortho_names import ends
from napari_landmarker.gui.slice_guests import SliceText
from napari_landmarker.gui.text_places import Surroundings, about_places, beside_points, boxes_of, choose

if TYPE_CHECKING:
    from napari_landmarker.gui.ortho_view import OrthoView

#: Room about a text, in screen pixels, and its height as a share of that of a line.
_MARGIN_PX, _HIGH = 4.0, 0.85
#: As wide as this, the lines of the crosshair across and down make names and values stand beside them.
_ACROSS_PX, _DOWN_PX = 0.5, 4.0


class OrthoWords:
    """The texts of one view; names, then values, stand where they cover no points and texts, if there is such a place.

    Args:
        view: on which they are written.
        color: of the title.
    """

    def __init__(self, view: OrthoView, color: str) -> None:
        self.view, self.color = view, color
        self.sides: dict[str, int] = {}
        self._shifts: dict[str, int] = {}

    def fixed(self) -> list[tuple[str, FloatArray, str]]:
        """The title and the sides of the patient: what is written, its box ``(4,)``, and the colour."""
        view, metrics = self.view, self.view.fontMetrics()
        top, bottom = ends(view.views.image, view.row)[:: -1 if view.flipped else 1]
        left, right = ends(view.views.image, view.column)
        wide, high, width, height = metrics.horizontalAdvance("M"), metrics.height(), view.width(), view.height()
        title = metrics.horizontalAdvance(view.title)
        words = [
            (view.title, (6, 4, 6 + title, 4 + high), self.color),
            (top, ((width - wide) / 2, high + 4, (width + wide) / 2, 2 * high + 4), "#dddddd"),
            (bottom, ((width - wide) / 2, height - high - 4, (width + wide) / 2, height - 4), "#dddddd"),
            (left, (6, (height - high) / 2, 6 + wide, (height + high) / 2), "#dddddd"),
            (right, (width - wide - 6, (height - high) / 2, width - 6, (height + high) / 2), "#dddddd"),
        ]
        return [(text, np.array(box), color) for text, box, color in words if text]

    def paint(self, painter: QPainter, values: Sequence[SliceText]) -> None:
        """Write all; the values as far as they are to be read."""
        metrics, view = painter.fontMetrics(), self.view
        names = self.name_boxes(*view.named())
        for value, box in self.value_boxes(values, list(names.values())):
            painter.setOpacity(value.strong)
            self._write_in(painter, box, value.text, value.color)
        painter.setOpacity(1.0)
        for name, box in names.items():
            self._write_in(painter, box, shortened(name), "white")
        for text, box, color in self.fixed():
            write(painter, QPointF(box[0], box[1] + metrics.ascent()), text, color)
        if view.bar is not None:
            view.bar.paint(painter, view.bar.box(view.width(), view.height(), metrics))

    def value_boxes(
        self, values: Sequence[SliceText], names: Sequence[FloatArray]
    ) -> list[tuple[SliceText, FloatArray]]:
        """The values that are written, each with its box ``(4,)``; ``names`` are the boxes of names, ``(4,)`` each."""
        view = self.view
        if not values:
            return []
        sizes = self._sizes([value.text for value in values])
        at = [view.to_widget(value.place) for value in values]
        middles = np.array([(one.x(), one.y()) for one in at])[:, None] + about_places(sizes)
        taken = np.array([*boxes_of(view.here(REACH)[1], view.views.size_px), *names, *self._kept()])
        before = np.array([self._shifts.get(value.key, -1) for value in values])
        shifts, written = choose(middles, sizes, self._around(taken, len(values)), before)
        self._shifts = {value.key: int(shift) for value, shift in zip(values, shifts, strict=True)}
        boxes = boxes_of(middles[np.arange(len(values)), shifts], sizes)
        return [(value, box) for value, box, there in zip(values, boxes, written, strict=True) if there]

    def name_boxes(self, names: Sequence[str], at: FloatArray) -> dict[str, FloatArray]:
        """The box ``(4,)`` of each name that is written."""
        if not names:
            return {}
        view = self.view
        sizes = self._sizes([shortened(name) for name in names])
        middles = at[:, None] + beside_points(sizes, view.views.size_px / 2 * CURRENT_FACTOR)
        taken = np.array([*boxes_of(at, view.views.size_px), *self._kept()])
        current = names.index(view.views.current) if view.views.current in names else -1
        before = np.array([self.sides.get(name, -1) for name in names])
        sides, written = choose(middles, sizes, self._around(taken, len(names)), before, current)
        self.sides |= dict(zip(names, sides.tolist(), strict=True))
        boxes = boxes_of(middles[np.arange(len(names)), sides], sizes)
        return {name: box for name, box, there in zip(names, boxes, written, strict=True) if there}

    # ---- inside

    def _sizes(self, texts: Sequence[str]) -> FloatArray:
        """Width and height ``(N, 2)`` of texts with some room about them."""
        metrics = self.view.fontMetrics()
        wide = [metrics.horizontalAdvance(text) + _MARGIN_PX for text in texts]
        return np.stack([wide, np.full(len(texts), metrics.height() * _HIGH)], axis=1)

    def _kept(self) -> list[FloatArray]:
        """The boxes ``(4,)`` of what has its place: fixed words, the scale bar and the lines of the crosshair."""
        view, bar, cross = self.view, self.view.bar, self.view.to_widget(self.view.views.cross)
        width, height = view.width(), view.height()
        lines = [(0, cross.y(), width, cross.y() + _ACROSS_PX), (cross.x(), 0, cross.x() + _DOWN_PX, height)]
        bars = [] if bar is None else [bar.box(width, height, view.fontMetrics())]
        return [*(box for _, box, _ in self.fixed()), *bars, *np.array(lines, dtype=np.float64)]

    def _around(self, taken: FloatArray, count: int) -> Surroundings:
        """What so many texts of the view are to leave free."""
        bounds = np.array([0.0, 0.0, self.view.width(), self.view.height()])
        return Surroundings(taken, np.zeros(count, int), np.zeros(len(taken), int), bounds)

    def _write_in(self, painter: QPainter, box: FloatArray, text: str, color: str) -> None:
        """Write a text in a box of its size."""
        metrics = painter.fontMetrics()
        top = (box[1] + box[3] - metrics.height()) / 2
        write(painter, QPointF(box[0] + _MARGIN_PX / 2, top + metrics.ascent()), text, color)
