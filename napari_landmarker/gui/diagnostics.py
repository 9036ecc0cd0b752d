"""What to send along with a question: versions, devices and the last messages, and nothing of a patient.

Messages are stripped of all that could name a person or an image: paths, names in quotes, names of files.
"""

from __future__ import annotations

import platform
import re
from collections import deque
from collections.abc import Iterable
from importlib import metadata

from napari.utils.notifications import Notification, notification_manager
from qtpy import API_NAME, QT_VERSION
from qtpy.QtWidgets import QApplication

from napari_landmarker.gui.messages import tell
from napari_landmarker.gui.preload import preload_torch
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.state.session import Session

_PACKAGES = (
    "napari-landmarker",
    "napari",
    "vispy",
    "numpy",
    "torch",
    "monai",
    "pytorch-lightning",
    "SimpleITK",
    "psygnal",
)
_KEPT = 20
#: In this order: names in quotes; paths of any system, to the end of a name with an ending or of the word; files.
_PRIVATE = (
    (re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|‘[^’\n]*’|“[^”\n]*”"), "'…'"),
    (re.compile(r"(?<!\w)(?:~|[A-Za-z]:|\\\\[^\\/\s]+)?[\\/][^\n:]*[\\/][^\s:,;]*"), "…"),
    (re.compile(r"(?<!\w)(?:~|[A-Za-z]:)?[\\/][^\s:,;]+"), "…"),
    (re.compile(r"\S*\w\.(?!\d)[A-Za-z][\w]{0,6}(?:\.gz)?\b"), "…"),
    (re.compile(r"(?<![\w.])[\w-]*\d[\w-]*[A-Za-z_-][\w-]*|(?<![\w.])[A-Za-z_-][\w-]*\d[\w-]*"), "…"),
)


class Messages:
    """The last messages that napari showed, kept for `diagnostics` until `close`.

    Args:
        session: whose project and images are not to be named.
    """

    def __init__(self, session: Session) -> None:
        self.last: deque[str] = deque(maxlen=_KEPT)
        self._session = session
        notification_manager.notification_ready.connect(self._hear)

    def close(self) -> None:
        """Listen no more."""
        notification_manager.notification_ready.disconnect(self._hear)

    def _hear(self, notification: Notification) -> None:
        self.last.append(f"{notification.severity}: {without_names(str(notification.message), self._private())}")

    def _private(self) -> set[str]:
        """Words of the open project that may name somebody."""
        project = self._session.project
        if project is None:
            return set()
        return {project.root.name, *project.raters, *(case.id for case in project.cases)}


def without_names(message: str, private: Iterable[str] = ()) -> str:
    """A message without what could name a person, an image or a place on the computer.

    Args:
        message: what was shown.
        private: words that may name somebody, wherever they stand.
    """
    for pattern, instead in _PRIVATE:
        message = pattern.sub(instead, message)
    for name in sorted((name for name in private if name in message), key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", message)
    return message


def diagnostics(messages: Messages, device: str) -> str:
    """Versions, the device and the last messages as lines of text."""
    lines = [
        f"Python {platform.python_version()} on {platform.system()} {platform.release()} ({platform.machine()})",
        f"Qt {QT_VERSION} with {API_NAME}, screen scaled by {_scale():g}",
        *(f"{package} {_version(package)}" for package in _PACKAGES),
        f"Device: {device}",
        "Last messages:",
        *(f"  {line}" for line in messages.last or ("none",)),
    ]
    return "\n".join(lines)


def copy_diagnostics(messages: Messages) -> None:
    """Put `diagnostics` on the clipboard, as soon as a thread has looked what torch computes on."""
    task = Task(look_at_device)
    task.returned.connect(lambda device: _copy(messages, device))
    task.failed.connect(lambda sentence: _copy(messages, sentence))
    task.start()


def look_at_device(job: Job) -> str:
    """What torch computes on."""
    job.check()
    preload_torch()
    import torch

    if torch.cuda.is_available():
        return f"cuda, {torch.cuda.get_device_name()}"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _copy(messages: Messages, device: str) -> None:
    clipboard = QApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(diagnostics(messages, device))
        tell("Versions, device and the last messages are on the clipboard. They hold no names, paths or images.")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "is not installed"


def _scale() -> float:
    screen = QApplication.primaryScreen()
    return 1.0 if screen is None else float(screen.devicePixelRatio())
