"""Pictures from files, as small as they are shown."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImageReader, QPixmap


def read_picture(path: Path, side: int) -> QPixmap:
    """A picture that fits into a square of so many pixels; an empty one where the file holds none."""
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    size = reader.size()
    if size.isValid():
        reader.setScaledSize(size.scaled(QSize(side, side), Qt.AspectRatioMode.KeepAspectRatio))
    return QPixmap.fromImage(reader.read())
