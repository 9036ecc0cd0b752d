"""The mouse and the keys on the canvas: click to place, drag to correct, and the table of keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.viewer import Viewer

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.gui import keys
from napari_landmarker.gui.edges_layer import EdgesLayer
from napari_landmarker.gui.landmark_actions import GRAB_PX, LandmarkActions
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.messages import reports, tell_warning
from napari_landmarker.gui.name_layer import NameLayer
from napari_landmarker.gui.near_layer import NearLayer
from napari_landmarker.state.session import Session

#: A press that moves no further than this is a click, in screen pixels.
CLICK_PX = 3.0
#: The left button, as napari counts.
LEFT = 1


class CanvasTool:
    """Turns mouse and keys into calls of the session.

    A press on a point takes hold of it: dragging moves it, releasing at once makes it the current landmark. A click
    anywhere else on the image does what the labelling mode says; a drag there pans, as everywhere in napari. It acts
    while one of our layers (or no layer) is active, so tools of other layers are not disturbed.

    Attributes:
        actions: what the keys do.
        edges: the lines between landmarks.
        near: the landmarks of neighbouring slices.
        names: the names beside the points.
    """

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers) -> None:
        self.viewer = viewer
        self.session = session
        self.layers = layers
        viewer.mouse_drag_callbacks.append(self._press)
        self._double_clicks = list(viewer.mouse_double_click_callbacks)
        viewer.mouse_double_click_callbacks[:] = [self._double_click]
        self.actions = LandmarkActions(viewer, session, layers)
        self.edges = EdgesLayer(viewer, session, layers)
        self.near = NearLayer(viewer, session, layers)
        self.names = NameLayer(viewer, session, layers)
        keys.bind(viewer, self._pressed)
        viewer.layers.events.inserted.connect(self._bind_layer)

    def close(self) -> None:
        """Leave the viewer as it was."""
        self.viewer.layers.events.inserted.disconnect(self._bind_layer)
        if self._press in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._press)
        self.viewer.mouse_double_click_callbacks[:] = self._double_clicks
        keys.unbind(self.viewer)
        self.names.close()
        self.near.close()
        self.edges.close()
        self.actions.close()

    # ---- mouse

    def _press(self, viewer: Viewer, event: Any) -> Iterator[None] | None:
        if event.button != LEFT or event.modifiers or not self._ready():
            return None
        if viewer.dims.ndisplay == 3:
            return self._refuse_in_3d(event)
        if self.actions.tape.active:
            return self._click(event)
        name = self.layers.name_near(event.position, GRAB_PX)
        return self._click(event) if name is None else self._grab(event, name)

    def _double_click(self, viewer: Viewer, event: Any) -> None:
        """Two quick clicks while placing do not zoom, as they do elsewhere in napari."""
        if not self._ready() or viewer.dims.ndisplay == 3:
            for callback in self._double_clicks:
                callback(viewer, event)

    def _refuse_in_3d(self, event: Any) -> Iterator[None]:
        """A click on a rendered volume has no depth; turning the volume is as always."""
        start = np.asarray(event.pos)
        yield
        while event.type == "mouse_move":
            yield
        if _near(start, event.pos) and self.session.current is not None:
            tell_warning("In the 3D view a click has no depth: switch to the slice view to place landmarks.")

    def _click(self, event: Any) -> Iterator[None]:
        """Place the current landmark where the mouse was pressed, unless it was a drag."""
        start, case_id = np.asarray(event.pos), self.session.case_id
        index = self.layers.index_of(event.position)
        still = True
        yield
        while event.type == "mouse_move":
            still = still and _near(start, event.pos)
            yield
        if not still or not _near(start, event.pos) or case_id != self.session.case_id:
            return
        if self.actions.tape.active:
            self.actions.tape.click(index)
        else:
            self.place(index)

    def _grab(self, event: Any, name: str) -> Iterator[None]:
        """Move a landmark with the mouse; napari's camera stays where it is."""
        event.handled = True
        start, case_id = np.asarray(event.pos), self.session.case_id
        shown = self.session.shown
        assert shown is not None
        grip = shown.point(name) - self._displayed_index(event)
        refusal, moved = self.session.editable(name), False
        yield
        while event.type == "mouse_move":
            event.handled = True
            moved = moved or not _near(start, event.pos)
            if refusal is None and moved and case_id == self.session.case_id:
                self.layers.preview(name, self._displayed_index(event) + grip)
            yield
        if case_id != self.session.case_id:
            return
        if moved or not _near(start, event.pos):
            self.move(name, self._displayed_index(event) + grip)
        else:
            self.session.set_current(name)

    @reports
    def place(self, index: FloatArray) -> None:
        """Do what the labelling mode says of a click at index coordinates ``(D,)``."""
        self.session.place(index)

    @reports
    def move(self, name: str, index: FloatArray) -> None:
        """Move it in the session, which says so if it may not be moved."""
        self.session.move(name, index)
        self.layers.let_go()

    def _displayed_index(self, event: Any) -> FloatArray:
        assert self.layers.points is not None
        return np.asarray(self.layers.points.world_to_data(event.position), dtype=np.float64)

    # ---- keys

    def _bind_layer(self, event: Any) -> None:
        """Our keys in every layer of ours, whoever draws it."""
        if self.layers.is_ours(event.value):
            keys.bind_layer(event.value, self._pressed)

    def _pressed(self, key: keys.Key) -> None:
        if self._ready() if key.needs_case else self.layers.is_ours(self.viewer.layers.selection.active):
            self.actions.do(key.action)

    def _ready(self) -> bool:
        """Whether a case is open and the active layer leaves mouse and keys to us."""
        points = self.layers.points
        return (
            points is not None
            and points in self.viewer.layers
            and points.visible
            and self.layers.is_ours(self.viewer.layers.selection.active)
        )


def _near(start: FloatArray, pos: Any) -> bool:
    return float(np.linalg.norm(np.asarray(pos) - start)) <= CLICK_PX
