"""Text of the panel is readable in napari's dark and light themes, and at 200 % scaling, where clicks stay exact."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from one_window import one_window, open_fresh
from qtpy.QtCore import QPoint, QRect
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QDialog,
    QLabel,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)
from window import Canvas, prediction

from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.problem_label import ProblemLabel
from napari_landmarker.gui.row_table import RowTable

SCHEMA = LandmarkSchema.parse(
    {
        "landmarks": [{"name": name} for name in ("nasion", "sella", "menton")],
        "measurements": [{"name": "depth", "kind": "distance", "landmarks": ("nasion", "sella"), "norm": 30}],
    }
)
#: What a text of usual size needs at least (WCAG 2.1, success criterion 1.4.3).
LEAST_CONTRAST = 4.5
SCRIPT = Path(__file__).with_name("scaled_script.py")


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def canvas(window: Canvas, tmp_path: Path, images_2d: list[Path]) -> Canvas:
    """A picture with a placed, an absent and a predicted landmark, and a measurement."""
    canvas = open_fresh(window, tmp_path / "study", SCHEMA, images_2d)
    session = canvas.widget.session
    session.place((30, 30))
    session.mark_absent("sella")
    session.model = "m"
    session.take_prediction("head_0", prediction(session, {"menton": (60, 70)}))
    return canvas


def pixels(image: QImage) -> npt.NDArray[np.float64]:
    """Red, green and blue ``(H, W, 3)``, from 0 to 1."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    return rows.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()].reshape(-1, 3) / 255


def luminance(colors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ [0.2126, 0.7152, 0.0722])


def contrast(image: QImage) -> float:
    """The contrast of the strokes of a text to what is behind it, which most pixels show."""
    colors = pixels(image)
    kinds, counts = np.unique(np.round(colors * 255).astype(int), axis=0, return_counts=True)
    behind = luminance(kinds[counts.argmax()] / 255)
    light = luminance(colors)
    return float(max((light.max() + 0.05) / (behind + 0.05), (behind + 0.05) / (light.min() + 0.05)))


def texts(page: QWidget) -> list[tuple[str, QWidget, QRect]]:
    """What is written on a page, on which widget and where on that."""
    found = []
    for one in page.findChildren(QWidget):
        shown = one.visibleRegion().boundingRect()
        if not one.isVisible() or not one.isEnabled() or (shown != one.rect() and not isinstance(one, RowTable)):
            continue
        if isinstance(one, QLabel) and one.text().strip() and one.pixmap().isNull():
            found.append((one.text(), one, shown))
        elif isinstance(one, QPushButton) and one.text():
            found.append((one.text(), one, shown.adjusted(4, 4, -4, -4)))
        elif isinstance(one, QCheckBox | QRadioButton) and one.text():
            found.append((one.text(), one, shown.adjusted(24, 0, 0, 0)))  # not its box
        elif isinstance(one, RowTable):
            model = one.model()
            for row in range(model.rowCount()):
                for column in range(model.columnCount()):
                    cell = one.visualRect(model.index(row, column))
                    if cell.isEmpty() or not model.index(row, column).data():
                        continue
                    icon = one.iconSize().width() + 8 if column == 0 else 0
                    found.append((model.index(row, column).data(), one.viewport(), cell.adjusted(icon, 2, 0, -2)))
    return [(text, one, where) for text, one, where in found if where.width() > 8 and where.height() > 6]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_text_of_the_panel_stands_out_in_both_themes(canvas: Canvas, theme: str) -> None:
    widget = canvas.widget
    canvas.viewer.theme = theme
    try:
        faint, seen = {}, 0
        for tab in range(widget.tabs.count()):
            widget.tabs.setCurrentIndex(tab)
            QTest.qWait(30)
            whole = widget.grab().toImage()
            for text, one, where in texts(widget):
                place = QRect(one.mapTo(widget, where.topLeft()), where.size())
                measured = contrast(whole.copy(place))
                seen += 1
                if measured < LEAST_CONTRAST:
                    faint[widget.tabs.tabText(tab), text] = round(measured, 2)
        assert seen > 40
        assert faint == {}
    finally:
        canvas.viewer.theme = "dark"
        widget.tabs.setCurrentIndex(0)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_what_is_wrong_is_told_in_a_red_that_can_be_read_in_both_themes(canvas: Canvas, theme: str) -> None:
    canvas.viewer.theme = theme
    dialog = QDialog(canvas.widget)
    try:
        label = ProblemLabel()
        QVBoxLayout(dialog).addWidget(label)
        assert label.isHidden()
        label.say("The folder of the project is not empty: choose another.")
        dialog.show()
        QTest.qWait(30)
        image = label.grab().toImage()
        assert contrast(image) >= LEAST_CONTRAST
        strokes = pixels(image)
        assert ((strokes[:, 0] - strokes[:, 1:].max(axis=1)) > 0.2).any()
        before, canvas.viewer.theme = label.styleSheet(), "light" if theme == "dark" else "dark"
        QTest.qWait(30)
        assert contrast(label.grab().toImage()) >= LEAST_CONTRAST
        assert label.styleSheet() != before
        label.say("")
        assert label.isHidden()
    finally:
        canvas.viewer.theme = "dark"
        dialog.close()
        dialog.deleteLater()


def test_the_oracle_tells_faint_text_from_strong() -> None:
    def written(color: str) -> QImage:
        label = QLabel("nasion")
        label.setStyleSheet(f"background: #262930; color: {color}; font-size: 14px")
        label.resize(80, 24)
        return label.grab().toImage()

    assert contrast(written("#f0f1f2")) > 10
    assert contrast(written("#555a66")) < 3


def test_at_200_percent_nothing_is_cut_off_and_a_click_places_where_the_mouse_is(
    tmp_path: Path, images_2d: list[Path], images_3d: list[Path]
) -> None:
    """In a process of its own, as the scale of a screen cannot be changed while a program runs."""
    scaled = {**os.environ, "QT_SCALE_FACTOR": "2", "QT_ENABLE_HIGHDPI_SCALING": "1"}
    command = [sys.executable, str(SCRIPT), str(tmp_path), str(images_2d[0]), str(images_3d[0])]
    done = subprocess.run(command, env=scaled, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
    assert said["scale"] == "2.0"
    assert said["cut off"] == ""
    for kind in ("flat", "solid"):
        off_px = [float(value) for value in said[kind].split()]
        assert max(off_px) < 2, "the mark is drawn around the mouse"


def test_a_button_with_a_long_text_would_be_found_to_be_cut_off(canvas: Canvas) -> None:
    from scaled_script import cut_off

    button = QPushButton("a text that has no room here at all", canvas.widget)
    button.setGeometry(QRect(QPoint(0, 0), QPoint(40, 20)))
    button.show()
    assert button.text() in cut_off(canvas.widget)
    button.hide()
    button.deleteLater()
