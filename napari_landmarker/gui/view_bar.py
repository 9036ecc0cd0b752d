"""`ViewBar`: how the image is looked at: names, points, magnifier, scale bar, ruler, and the list of keys."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QOpenGLWidget,
    QPushButton,
    QSlider,
    QWidget,
)

from napari_landmarker.gui.keys import tip
from napari_landmarker.gui.keys_help import KeysHelp
from napari_landmarker.gui.landmark_actions import LandmarkActions
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.magnifier import Magnifier
from napari_landmarker.gui.ruler_dialog import RulerDialog, pixel_size


class ViewBar(QWidget):
    """Switches for the view; each has a key.

    Attributes:
        magnifier: the view of the pixels under the mouse, None until it was wanted.
        dialog: the question of how long the ruler is, None until one was drawn.
    """

    def __init__(self, actions: LandmarkActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.actions_ = actions
        self.layers, self.session, self.view = actions.layers, actions.session, actions.view
        self.magnifier: Magnifier | None = None
        self.dialog: RulerDialog | None = None
        self.keys_help: KeysHelp | None = None
        self._make()
        for signal in (self.layers.look_changed, self.view.changed, actions.tape.changed, self.session.case_changed):
            follow(self, signal, self._refresh)
        follow(self, self.session.project_changed, self._project_changed)
        follow(self, actions.tape.measured, self._measured)
        follow(self, actions.help_wanted, self.toggle_help)
        self._refresh()

    def _make(self) -> None:
        self.names = _check("Names", tip("names"), self.layers.show_names)
        self.lens = _check("Magnifier", tip("magnifier"), self.view.set_magnifier)
        self.bar = _check("Scale bar", "A bar that says how long things are on the image.", self.view.set_scale_bar)
        self.three = _check("Three views", tip("three_views"), self.view.set_three_views)
        self.size = QSlider(Qt.Orientation.Horizontal)
        self.size.setRange(4, 60)
        self.size.setToolTip(f"How large the points are on the screen. {tip('larger_points')} {tip('smaller_points')}")
        self.size.setAccessibleName("Size of the points")
        self.size.valueChanged.connect(lambda value: self.layers.set_size(float(value)))
        self.ruler = QPushButton("Ruler…")
        self.ruler.setCheckable(True)
        self.ruler.setToolTip(tip("ruler"))
        self.ruler.clicked.connect(lambda _=False: self.actions_.do("ruler"))
        self.keys = QPushButton("Keys")
        self.keys.setToolTip(tip("help"))
        self.keys.clicked.connect(lambda _=False: self.toggle_help())
        self.pixel = QLabel()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, widget in enumerate((self.names, self.lens, self.bar, self.keys)):
            grid.addWidget(widget, 0, column)
        points = QHBoxLayout()
        points.addWidget(QLabel("Points"))
        points.addWidget(self.size, 1)
        grid.addLayout(points, 1, 0)
        grid.addWidget(self.pixel, 1, 1, 1, 2)
        grid.addWidget(self.ruler, 1, 3)
        grid.addWidget(self.three, 2, 0, 1, 4)
        for column in range(4):
            grid.setColumnStretch(column, 1)

    def toggle_help(self) -> None:
        """Show the list of keys, or close it."""
        if self.keys_help is None:
            self.keys_help = KeysHelp(self.window())
            self.destroyed.connect(self.keys_help.deleteLater)
        self.keys_help.toggle()

    def _project_changed(self) -> None:
        if self.session.project is not None:
            self.view.set_scale_bar(True)

    def _refresh(self, *_: object) -> None:
        for box, on in (
            (self.names, self.layers.names_visible),
            (self.lens, self.view.magnifier),
            (self.bar, self.view.scale_bar),
            (self.three, self.view.three_views),
        ):
            box.setChecked(on)
        if self.size.value() != round(self.layers.size_px):
            self.size.blockSignals(True)
            self.size.setValue(round(self.layers.size_px))
            self.size.blockSignals(False)
        self.ruler.setChecked(self.actions_.tape.active)
        self.three.setVisible(self.session.image is not None and self.session.image.grid.ndim == 3)
        self._show_pixel()
        if self.view.magnifier and self.magnifier is None:
            self._make_magnifier()

    def _show_pixel(self) -> None:
        image = self.session.image
        known = image is not None and image.grid.spacing is not None
        self.pixel.setText("")
        self.pixel.setToolTip("")
        if known and image is not None and image.grid.spacing is not None:
            size = pixel_size(image.grid.spacing)
            self.pixel.setText(f"{'px' if image.grid.ndim == 2 else 'voxel'} of {size}")
            self.pixel.setToolTip(f"The size of a pixel of this image: {size}.")
        elif image is not None:
            self.pixel.setText("px of unknown size")
            self.pixel.setToolTip("Nobody knows how large a pixel is, so lengths are in px: measure it with the ruler.")

    def _measured(self) -> None:
        self.dialog = RulerDialog(self.actions_.tape, self.window())
        self.dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.dialog.open()

    def _make_magnifier(self) -> None:
        """Put the magnifier over the canvas of the window that this panel is docked in."""
        window = self.window()
        main = window if isinstance(window, QMainWindow) else window.parentWidget()
        canvas = main.findChild(QOpenGLWidget) if main is not None else None
        if canvas is not None:
            self.magnifier = Magnifier(self.view, self.session, self.layers, canvas)


def _check(text: str, help_: str, action: Callable[[bool], None]) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(help_)
    box.toggled.connect(action)
    return box
