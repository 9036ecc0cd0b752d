"""`RulerDialog`: how long is what was measured, and for which images does that hold."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.gui.messages import reported, tell
from napari_landmarker.gui.ruler import Ruler
from napari_landmarker.gui.scroll_panel import wrapped


class RulerDialog(QDialog):
    """Asks for the length between the ends of the ruler and calibrates the images.

    Args:
        ruler: with both ends set.
        parent: as in Qt.
    """

    def __init__(self, ruler: Ruler, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("How long is it?")
        self.ruler = ruler
        image, project = ruler.session.image, ruler.session.project
        assert image is not None
        assert project is not None
        known = image.grid.spacing is not None
        unit = "mm as it is known now" if known else "px"
        self.length = QDoubleSpinBox()
        self.length.setRange(0.001, 100_000.0)
        self.length.setDecimals(3)
        self.length.setSuffix(" mm")
        self.length.setValue(ruler.length if known else 10.0)
        self.length.selectAll()
        self.length.setAccessibleName("Length in mm")
        self.result = wrapped()
        self.this = QRadioButton("this image only")
        self.all = QRadioButton(f"all {len(project.cases)} images of the project")
        self.all.setToolTip("Only if all were taken with the same device at the same enlargement.")
        self.this.setChecked(True)
        form = QFormLayout()
        form.addRow("Length:", self.length)
        form.addRow("It holds for:", self.this)
        form.addRow("", self.all)
        self.all.setVisible(len(project.cases) > 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.ok = buttons.button(QDialogButtonBox.StandardButton.Ok)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(wrapped(f"The line that you drew is {ruler.length:.4g} {unit} long. How long is it really?"))
        layout.addLayout(form)
        layout.addWidget(self.result)
        layout.addWidget(buttons)
        self.length.valueChanged.connect(self._show_result)
        self.setMinimumWidth(self.fontMetrics().averageCharWidth() * 60)
        self._show_result()

    def accept(self) -> None:
        """Called by Qt: calibrate."""
        session, spacing, for_all = self.ruler.session, self.ruler.spacing(self.length.value()), self.all.isChecked()
        assert session.project is not None
        assert session.case_id is not None
        ids = [case.id for case in session.project.cases] if for_all else [session.case_id]
        super().accept()
        self.ruler.stop()
        with reported():
            where = f"all {len(ids)} images" if for_all else "this image"
            if session.set_spacing(spacing, ids):
                tell(f"A pixel of {where} is {pixel_size(spacing)} now: lengths are in mm.")
            else:
                tell("Stopped: the size of a pixel is as it was.")

    def reject(self) -> None:
        """Called by Qt: measure nothing."""
        super().reject()
        self.ruler.stop()

    def _show_result(self) -> None:
        self.result.setText(f"A pixel is then {pixel_size(self.ruler.spacing(self.length.value()))}.")


def pixel_size(spacing: tuple[float, ...]) -> str:
    """The size of a pixel as a person reads it: one number where it is square, else one for each axis, x first."""
    if max(spacing) - min(spacing) <= 1e-6 * max(spacing):
        return f"{spacing[0]:.4g} mm"
    return " x ".join(f"{value:.4g}" for value in reversed(spacing)) + " mm"
