"""`FormatList`: the annotation formats to choose from, each with one line that says who reads it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QButtonGroup, QLabel, QRadioButton, QStyle, QWidget

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import ANNOTATION_FORMATS, AnnotationFormat
from napari_landmarker.engine.io.limits import why_not
from napari_landmarker.gui.scroll_panel import ScrollPanel, WrappedLabel


class FormatList(ScrollPanel):
    """Every format of the engine as a button with a line below; those that cannot hold the landmarks say why not.

    Args:
        grid: geometry of the image that stands for all.
        n_landmarks: how many landmarks there are, ``L``.
        parent: as in Qt.

    Attributes:
        buttons: the buttons by the key of their format, those that can be chosen first.
        lines: the lines below.
    """

    changed = Signal()
    """Another format was chosen."""

    def __init__(self, grid: Grid, n_landmarks: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QRadioButton] = {}
        self.lines: dict[str, QLabel] = {}
        self.body.setSpacing(2)
        reasons = {key: why_not(fmt, grid, n_landmarks) for key, fmt in ANNOTATION_FORMATS.items()}
        for key in sorted(reasons, key=lambda key: bool(reasons[key])):
            self._add(key, ANNOTATION_FORMATS[key], reasons[key])
        self.body.addStretch(1)
        next(iter(self.buttons.values())).setChecked(True)

    def _add(self, key: str, fmt: AnnotationFormat, reason: str) -> None:
        button = QRadioButton(f"{fmt.name} ({fmt.suffixes[0]})")
        button.setEnabled(not reason)
        button.toggled.connect(self._toggled)
        line = _Line(button, reason or fmt.read_by)
        button.setAccessibleDescription(line.text())
        self._group.addButton(button)
        self.buttons[key], self.lines[key] = button, line
        self.body.addWidget(button)
        self.body.addWidget(line)

    @property
    def chosen(self) -> str | None:
        """The key of the chosen format, or None if no format can be chosen."""
        return next((key for key, button in self.buttons.items() if button.isChecked() and button.isEnabled()), None)

    @property
    def format(self) -> AnnotationFormat | None:
        """The chosen format."""
        return None if self.chosen is None else ANNOTATION_FORMATS[self.chosen]

    def _toggled(self, on: bool) -> None:
        if on:
            for widget in () if self.chosen is None else (self.lines[self.chosen], self.buttons[self.chosen]):
                self.ensureWidgetVisible(widget)
            self.changed.emit()


class _Line(WrappedLabel):
    """A line below a button, which it belongs to: a click on it is one on the button."""

    def __init__(self, button: QRadioButton, text: str) -> None:
        super().__init__(text)
        self._button = button
        style = button.style()
        assert style is not None
        indent = style.pixelMetric(QStyle.PixelMetric.PM_ExclusiveIndicatorWidth)
        self.setContentsMargins(indent + style.pixelMetric(QStyle.PixelMetric.PM_RadioButtonLabelSpacing), 0, 0, 4)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Called by Qt."""
        if self._button.isEnabled():
            self._button.click()
        super().mousePressEvent(event)
