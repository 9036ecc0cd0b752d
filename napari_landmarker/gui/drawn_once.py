"""`drawn_once`: a layer of napari is changed as a whole and drawn once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from napari.layers import Image, Points, Vectors


@contextmanager
def drawn_once(layer: Image | Points | Vectors) -> Iterator[None]:
    """Change a layer in this block; it is drawn at the end of it, however much was changed.

    By itself napari draws a layer anew for each of its properties that is set, and with it its picture in the list of
    layers, its controls and the range of the sliders: what lies on an image changes none of these. So that as little as
    possible is done, arrays of the layer (``data``, ``size``, ``border_color`` ...) may be changed in place. Colours
    must be: setting them draws the layer at once all the same, with rows that it may not have any more.

    The layer takes no edits by napari's own tools afterwards.
    """
    with ExitStack() as stack:
        stack.enter_context(layer.events.blocker_all())
        if isinstance(layer, Points):
            stack.enter_context(layer.text.events.blocker_all())
        yield
        layer.editable = False
    with layer.events.blocker():  # the list of layers would be painted again at any event of a layer
        layer.refresh(thumbnail=False, extent=False, highlight=False)
