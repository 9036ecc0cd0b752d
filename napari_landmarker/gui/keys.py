"""The keys of the window, in one table: the canvas, the panel, tooltips and the help are all made from it.

The left hand stays on the letters and the right hand on the mouse. None of these keys is one of napari's own, except
those with which napari would change points or lines, and Ctrl+Y, which stays napari's where there is nothing to redo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from napari.layers import Image, Layer
from napari.viewer import Viewer

PLACING, ANSWERS, VIEW = "Going round", "Landmarks", "View"


@dataclass(frozen=True)
class Key:
    """One entry of the table.

    Attributes:
        sequences: the keys, any of which will do, as Qt writes them.
        name: what it does, in few words.
        help: what it does, in one sentence.
        group: heading in the help.
        action: the method of `LandmarkActions` that does it.
        needs_case: whether it acts only while the points of an image are on the screen.
        in_panel: which of the keys the panel takes too; its lists need some for themselves.
        everywhere: whether it is the viewer's too, or only that of our layers and the panel.
    """

    sequences: tuple[str, ...]
    name: str
    help: str
    group: str
    action: str
    needs_case: bool = True
    in_panel: tuple[str, ...] = field(default=("*",))
    everywhere: bool = True

    @property
    def shown(self) -> str:
        """The keys as a person reads them."""
        return " or ".join(readable(sequence) for sequence in self.sequences)

    @property
    def panel_sequences(self) -> tuple[str, ...]:
        """The keys that the panel takes."""
        return self.sequences if self.in_panel == ("*",) else self.in_panel


KEYS: tuple[Key, ...] = (
    Key(("E", "Down"), "Next landmark", "Choose the next landmark and show it.", PLACING, "next_landmark",
        in_panel=("E",)),
    Key(("Q", "Up"), "Landmark before", "Choose the landmark before and show it.", PLACING, "previous_landmark",
        in_panel=("Q",)),
    Key(("D", "PageDown"), "Next image", "Open the next image.", PLACING, "next_image", needs_case=False,
        in_panel=("D",)),
    Key(("Shift+D", "PageUp"), "Image before", "Open the image before.", PLACING, "previous_image", needs_case=False,
        in_panel=("Shift+D",)),
    Key(("T",), "Change what a click does", "Go from Sequential to Quick to Loop, round and round.", PLACING,
        "next_mode"),
    Key(("F",), "Confirm", "Agree with the point under the mouse, else with the chosen landmark.", ANSWERS, "confirm"),
    Key(("Shift+F",), "Accept all", "Agree with all predictions in this image.", ANSWERS, "accept_all"),
    Key(("G",), "Not visible", "The landmark cannot be seen in this image; again: it can be.", ANSWERS, "absent"),
    Key(("R",), "Reset", "Drop my point and show the model's prediction again.", ANSWERS, "reset"),
    Key(("Delete", "Backspace", "Shift+R"), "Remove", "Take away the point under the mouse, else the chosen landmark.",
        ANSWERS, "remove"),
    Key(("B",), "Lock", "Keep the point under the mouse, else the chosen landmark, from being changed; again: unlock.",
        ANSWERS, "lock"),
    Key(("Shift+B",), "Lock all", "Lock all landmarks of this image that are done; again: unlock them.", ANSWERS,
        "lock_all"),
    Key(("Ctrl+Z",), "Undo", "Take the last change back, in whichever image it was.", ANSWERS, "undo"),
    Key(("Ctrl+Shift+Z",), "Redo", "Do again what was taken back.", ANSWERS, "redo"),
    Key(("Ctrl+Y",), "Redo too", "Do again what was taken back; where nothing was, go to the 3D view or back, as "
        "everywhere in napari.", ANSWERS, "redo_or_turn", needs_case=False, everywhere=False),
    Key(("Ctrl+C",), "Copy landmarks", "Remember where the landmarks of this image are.", ANSWERS, "copy"),
    Key(("Ctrl+V",), "Paste landmarks", "Put them where this image has none yet, to be confirmed or moved.", ANSWERS,
        "paste"),
    Key(("W",), "Zoom to the landmark", "Look at the chosen landmark from near; again: as before.", VIEW, "zoom"),
    Key(("M", "Shift+W"), "Magnifier", "Show the pixels under the mouse enlarged, or no longer.", VIEW, "magnifier"),
    Key(("U",), "Three views", "Show a volume from three sides at once, or no longer.", VIEW, "three_views"),
    Key(("Shift+E",), "More contrast", "Show fewer greys between black and white.", VIEW, "more_contrast"),
    Key(("Shift+Q",), "Less contrast", "Show more greys between black and white.", VIEW, "less_contrast"),
    Key((".",), "Brighter", "Make the image brighter.", VIEW, "brighter"),
    Key((",",), "Darker", "Make the image darker.", VIEW, "darker"),
    Key(("Shift+T",), "Contrast as it was", "Go back to the contrast that the image's file asks for.", VIEW,
        "reset_contrast"),
    Key(("]",), "Larger points", "Draw the points larger.", VIEW, "larger_points"),
    Key(("[",), "Smaller points", "Draw the points smaller.", VIEW, "smaller_points"),
    Key(("N",), "Names", "Write the names beside the points, or not.", VIEW, "names"),
    Key(("K",), "Measurements", "Draw the measurements on the image, or no longer.", VIEW, "measurements"),
    Key(("L",), "Ruler", "Click two ends of a known length to tell how large a pixel is.", VIEW, "ruler"),
    Key(("Escape",), "Put the ruler away", "Stop measuring.", VIEW, "no_ruler"),
    Key(("F1", "?"), "Keys", "Show this list, or close it.", VIEW, "help", needs_case=False),
)  # fmt: skip

_BY_ACTION = {key.action: key for key in KEYS}
#: Keys that napari cannot tell from others; the panel takes them for the whole window.
WINDOW_SEQUENCES = ("?",)


def readable(sequence: str) -> str:
    """A key as a person reads it."""
    names = {"PageDown": "Page Down", "PageUp": "Page Up", "Escape": "Esc", "Up": "↑", "Down": "↓"}
    *modifiers, key = sequence.split("+") if sequence != "+" else (sequence,)
    return "+".join([*modifiers, names.get(key, key)])


def tip(action: str, text: str = "") -> str:
    """The tooltip of a button: what it does, and its keys."""
    key = _BY_ACTION[action]
    return f"{text or key.help} ({key.shown})"


def bind(viewer: Viewer, press: Callable[[Key], None]) -> None:
    """Give the viewer our keys."""
    for key in KEYS:
        for sequence in _for_napari(key) if key.everywhere else ():
            viewer.bind_key(sequence, _pressed(press, key), overwrite=True)


def unbind(viewer: Viewer) -> None:
    """Take our keys from the viewer."""
    for key in KEYS:
        for sequence in _for_napari(key) if key.everywhere else ():
            viewer.bind_key(sequence, None)


def bind_layer(layer: Layer, press: Callable[[Key], None]) -> None:
    """A layer's own keys come before the viewer's: give a layer of ours our keys, and none that changes it by itself.

    Napari's keys for images stay: they change how an image looks, and nothing that is saved.
    """
    if not isinstance(layer, Image):
        for kind in type(layer).__mro__:
            for sequence in getattr(kind, "class_keymap", ()):
                layer.bind_key(sequence, _do_nothing, overwrite=True)
    for key in KEYS:
        for sequence in _for_napari(key):
            layer.bind_key(sequence, _pressed(press, key), overwrite=True)


def _for_napari(key: Key) -> list[str]:
    """The keys as napari writes them."""
    written = [sequence.replace("Ctrl", "Control").replace("+", "-") for sequence in key.sequences]
    return [sequence for sequence in written if sequence not in WINDOW_SEQUENCES]


def _pressed(press: Callable[[Key], None], key: Key) -> Callable[[Any], None]:
    return lambda _: press(key)


def _do_nothing(_: Any) -> None:
    """For keys of napari that would change a layer of ours behind the session's back."""
