"""An export as a person does it, for tests that are about something else."""

from pathlib import Path

from qtpy.QtTest import QTest

from napari_landmarker.gui.export_dialog import ExportDialog
from napari_landmarker.gui.widget import LandmarkerWidget


def dialog_of(widget: LandmarkerWidget) -> ExportDialog:
    """Open the dialog by its button."""
    widget.annotate.exchange.write.click()
    dialog = widget.annotate.exchange.dialog
    assert dialog is not None
    assert dialog.isVisible()
    return dialog


def finish(dialog: ExportDialog, patience_ms: int = 60_000) -> None:
    """Wait until nothing is being written."""
    for _ in range(patience_ms // 10):
        if dialog.task is None:
            return
        QTest.qWait(10)
    raise AssertionError("The export did not end.")


def export(widget: LandmarkerWidget, key: str, place: Path) -> ExportDialog:
    """Export all images in a format."""
    dialog = dialog_of(widget)
    dialog.formats.buttons[key].click()
    dialog.place.setText(str(place))
    dialog.export.click()
    finish(dialog)
    return dialog
