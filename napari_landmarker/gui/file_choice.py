"""The file dialogs: each asks for one thing and returns a path, or None when a person changed their mind."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_landmarker.engine.io import ANNOTATION_SUFFIXES, IMAGE_SUFFIXES

#: Files with landmarks, as Qt writes it.
ANNOTATION_KINDS = f"Annotations ({' '.join(f'*{suffix}' for suffix in ANNOTATION_SUFFIXES)})"


def choose_folder(parent: QWidget, title: str, start: Path | str = "") -> Path | None:
    """An existing folder."""
    chosen = QFileDialog.getExistingDirectory(parent, title, str(start))
    return Path(chosen) if chosen else None


def choose_file(parent: QWidget, title: str, kinds: str) -> Path | None:
    """An existing file; ``kinds`` as Qt writes it, such as ``"Tables (*.csv)"``."""
    chosen, _ = QFileDialog.getOpenFileName(parent, title, "", f"{kinds};;All files (*)")
    return Path(chosen) if chosen else None


def choose_new_file(parent: QWidget, title: str, start: str, kinds: str) -> Path | None:
    """A file to write; Qt asks before one is replaced."""
    chosen, _ = QFileDialog.getSaveFileName(parent, title, start, kinds)
    return Path(chosen) if chosen else None


def choose_images(parent: QWidget) -> list[Path]:
    """Image files, none when a person changed their mind; DICOM files may have any name."""
    kinds = " ".join(f"*{suffix}" for suffix in IMAGE_SUFFIXES)
    chosen, _ = QFileDialog.getOpenFileNames(parent, "Choose images to add", "", f"Images ({kinds});;All files (*)")
    return [Path(path) for path in chosen]
