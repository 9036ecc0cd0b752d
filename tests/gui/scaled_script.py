"""Opens a picture and a volume in the real window, clicks, and prints what came of it; the scale is the caller's.

Usage: python scaled_script.py FOLDER PICTURE VOLUME

It prints ``scale``, ``cut off`` (texts without room) and, for ``flat`` and ``solid``, how far the middle of the point
that was placed is drawn from the mouse, in screen pixels: across and down.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QCheckBox, QLabel, QPushButton, QRadioButton, QWidget


def cut_off(page: QWidget) -> list[str]:
    """Texts of buttons and labels that are wider than what they stand on."""
    found = []
    for one in page.findChildren(QWidget):
        if not isinstance(one, QLabel | QPushButton | QCheckBox | QRadioButton) or not one.isVisible():
            continue
        if isinstance(one, QLabel) and (one.wordWrap() or not one.pixmap().isNull()):
            continue
        if one.fontMetrics().horizontalAdvance(one.text().replace("&", "")) > one.width():
            found.append(one.text())
    return found


def main(folder: Path, images: dict[str, Path]) -> None:
    """Place a point in each image and look where it is drawn."""
    import napari
    from qtpy.QtWidgets import QOpenGLWidget

    from napari_landmarker.engine.exchange import create_project
    from napari_landmarker.engine.schema import LandmarkSchema
    from napari_landmarker.gui.open import dock

    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1400, 900)
    widget = dock(viewer)
    native = viewer.window._qt_window.findChild(QOpenGLWidget)
    print("scale", native.devicePixelRatioF(), sep="\t")
    texts: list[str] = []
    for kind, image in images.items():
        project = create_project(folder / f"scaled_{kind}", LandmarkSchema.from_names(("nasion", "sella")), [image])
        widget.session.open_project(project)
        widget.layers.show_names(False)
        widget.layers.set_size(16)
        viewer.reset_view()
        QTest.qWait(300)
        at = native.rect().center()
        at.setX(at.x() + native.width() // 20)
        before = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
        QTest.mouseMove(native, at)
        QTest.qWait(50)
        QTest.mouseClick(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        QTest.qWait(300)
        assert widget.session.shown.placed[0], "nothing was placed"
        after = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
        rows, columns = np.nonzero(np.abs(after - before).max(axis=-1) > 40)
        ratio = after.shape[1] / native.width()
        middle = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2 / ratio
        across, down = np.abs(middle - (at.x(), at.y()))
        print(kind, f"{across:.2f} {down:.2f}", sep="\t")
    for tab in range(widget.tabs.count()):
        widget.tabs.setCurrentIndex(tab)
        QTest.qWait(50)
        texts += cut_off(widget)
    print("cut off", "; ".join(dict.fromkeys(texts)), sep="\t")
    widget.session.leave()
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), {"flat": Path(sys.argv[2]), "solid": Path(sys.argv[3])})
