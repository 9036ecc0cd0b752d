"""`DropTarget`: files and folders that are dropped anywhere on napari open as what they are.

A project opens. A model is offered to the open project, annotations are imported into it and images are added to it.
Without a project, images dropped on the panel begin a new one; on the canvas they are left to napari, which shows them
as layers, and so is all that this program does not know but a reader of napari does.
"""

from __future__ import annotations

import weakref
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from npe2 import PluginManager
from qtpy.QtCore import QEvent, QObject, QTimer, Signal
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.io import find_format, find_images, is_image_file
from napari_landmarker.engine.io.annotations import find_annotations
from napari_landmarker.engine.model_folders import MARK
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import PROJECT_FILE
from napari_landmarker.gui.waiting import wait_for
from napari_landmarker.state.session import Session


class Kind(Enum):
    """What was dropped."""

    PROJECT = "project"
    MODEL = "model"
    IMAGES = "images"
    ANNOTATIONS = "annotations"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Dropped:
    """What was dropped, together.

    Attributes:
        kind: what it is.
        paths: the files and folders of that kind, images of folders one by one; a folder of annotations may hold
            images too.
    """

    kind: Kind
    paths: tuple[Path, ...]


class DropTarget(QObject):
    """Watches a window and a widget in it for what is dropped.

    Args:
        widget: what stands in the window.
        session: images and annotations belong to its project, if one is open.
    """

    dropped = Signal(object)
    """A tuple of `Dropped`: what is to be opened here, images before annotations."""

    def __init__(self, widget: QWidget, session: Session) -> None:
        super().__init__(widget)
        self._widget = widget
        self._session = session
        self._watched: weakref.WeakSet[QWidget] = weakref.WeakSet()
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def take(self, paths: Sequence[Path], *, on_widget: bool) -> bool:
        """Take what was dropped, or nothing where a person stops the look into it; False if napari is to open it."""
        groups: list[Dropped] | None
        if any(path.is_dir() for path in paths):
            groups = wait_for(self._widget, "Looking at what was dropped…", lambda job: classify(paths, job.progress))
        else:
            groups = classify(paths)
        if groups is None:
            return True
        if not on_widget and self._are_for_napari(paths, groups):
            return False
        self.dropped.emit(tuple(groups))
        return True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Called by Qt."""
        kind = event.type()
        if watched is self._widget and kind == QEvent.Type.Show:
            QTimer.singleShot(0, self._watch_window)
        elif kind in (QEvent.Type.DragEnter, QEvent.Type.DragMove) and isinstance(event, QDropEvent):
            if watched is self._widget or isinstance(watched, QMainWindow):
                return self._offer(event)
        elif kind == QEvent.Type.Drop and isinstance(event, QDropEvent) and _files(event):
            return self._fall(watched, event)
        return False

    def _offer(self, event: QDropEvent) -> bool:
        if not _files(event):
            return False
        event.acceptProposedAction()
        return True

    def _fall(self, watched: QObject, event: QDropEvent) -> bool:
        if not self.take(_files(event), on_widget=watched is self._widget):
            return False
        event.acceptProposedAction()
        return True

    def _are_for_napari(self, paths: Sequence[Path], groups: Sequence[Dropped]) -> bool:
        """Whether what fell on the canvas is nothing for a project, but something for a reader."""
        layers = {Kind.UNKNOWN} if self._session.project is not None else {Kind.UNKNOWN, Kind.IMAGES, Kind.ANNOTATIONS}
        if not {group.kind for group in groups} <= layers:
            return False
        images = sum(len(group.paths) for group in groups if group.kind is Kind.IMAGES)
        a_collection = images > len(paths) and any(path.is_dir() for path in paths)
        return not a_collection and all(map(napari_opens, paths))

    def _watch_window(self) -> None:
        """Watch all that takes files in the window, and the window itself."""
        window = self._widget.window()
        if window is self._widget:
            return
        window.setAcceptDrops(True)
        takers = [child for child in window.findChildren(QWidget) if child.acceptDrops() and _shows_layers(child)]
        for taker in (window, *takers):
            if taker not in self._watched:
                self._watched.add(taker)
                taker.installEventFilter(self)


def classify(paths: Sequence[Path], progress: Progress | None = None) -> list[Dropped]:
    """Sort what was dropped by what it is, images before annotations, which may be of them.

    Args:
        paths: files and folders.
        progress: is told of the files of a folder that must be looked into (see `find_images`).
    """
    found: dict[Kind, list[Path]] = {kind: [] for kind in Kind}
    for path in paths:
        for kind, members in _look_at(path, progress).items():
            found[kind] += members
    return [Dropped(kind, tuple(dict.fromkeys(members))) for kind, members in found.items() if members]


def napari_opens(path: Path) -> bool:
    """Whether a reader of napari takes a file."""
    return any(True for _ in PluginManager.instance().iter_compatible_readers([str(path)]))


def _look_at(path: Path, progress: Progress | None) -> dict[Kind, list[Path]]:
    """What a path is; a folder may be both images and annotations."""
    try:
        if path.is_dir():
            return _look_into(path, progress)
        if path.name == PROJECT_FILE:
            return {Kind.PROJECT: [path]}
        if path.name.lower().endswith(".zip"):
            return {Kind.MODEL if _holds_model(path) else Kind.UNKNOWN: [path]}
        if path.is_file() and is_image_file(path):
            return {Kind.IMAGES: [path]}
        if find_format(path).recognises(path):
            return {Kind.ANNOTATIONS: [path]}
    except (OSError, ValueError, LandmarkerError):  # not there, or no file that this program knows
        return {Kind.UNKNOWN: [path]}
    return {Kind.UNKNOWN: [path]}


def _look_into(folder: Path, progress: Progress | None) -> dict[Kind, list[Path]]:
    """What a folder is; LandmarkerError if it holds nothing that this program knows."""
    if (folder / PROJECT_FILE).is_file():
        return {Kind.PROJECT: [folder]}
    if (folder / MARK).is_file():
        return {Kind.MODEL: [folder]}
    try:
        found = {Kind.IMAGES: find_images(folder, progress)}
    except LandmarkerError:
        find_annotations(folder)
        return {Kind.ANNOTATIONS: [folder]}
    with suppress(LandmarkerError):
        find_annotations(folder)
        found[Kind.ANNOTATIONS] = [folder]
    return found


def _holds_model(path: Path) -> bool:
    """Whether a zip holds a model, at its top or in a folder."""
    mark = MARK.as_posix()
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name == mark or name.endswith(f"/{mark}") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _files(event: QDropEvent) -> list[Path]:
    mime = event.mimeData()
    urls = [] if mime is None else mime.urls()
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]


def _shows_layers(widget: QWidget) -> bool:
    """Whether this is napari's canvas, or its welcome over it."""
    return type(widget).__name__ in ("QtViewer", "QtWelcomeWidget")
