"""`ImageCache`: images read ahead, so that the next one opens at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.io.stamp import Stamp, stamp_of
from napari_landmarker.engine.project import Project

#: Share of the computer's memory that images read ahead may take.
_SHARE = 1 / 8

#: The file's stamp and the spacing a person said.
_Key = tuple[Stamp, tuple[float, ...] | None]


class ImageCache:
    """Images of one project by case, the last ones used, up to a number of bytes.

    Every method may be called from any thread. An image that one thread reads is waited for by the others, and one
    whose file or spacing was changed since is read again.

    Args:
        project: whose images.
        limit_bytes: how much memory they may take; None for an eighth of the computer's.
    """

    def __init__(self, project: Project, limit_bytes: int | None = None) -> None:
        self.limit_bytes = int(psutil.virtual_memory().total * _SHARE) if limit_bytes is None else limit_bytes
        self._project = project
        self._kept: OrderedDict[str, tuple[_Key, Image]] = OrderedDict()
        self._reading: set[str] = set()
        self._changed = threading.Condition()

    @property
    def size_bytes(self) -> int:
        """How much memory the images take."""
        with self._changed:
            return self._size()

    def has(self, case_id: str) -> bool:
        """Whether an image can be had without reading its file."""
        with self._changed:
            return self._found(case_id) is not None

    def file_bytes(self, case_id: str) -> int:
        """Size of the file of an image, or of all in its folder; 0 if it is not there."""
        path = self._project.image_path(case_id)
        try:
            return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size
        except OSError:
            return 0

    def image(self, case_id: str) -> Image:
        """The image of a case, from memory or from its file; ImageError if it cannot be read."""
        with self._changed:
            while case_id in self._reading:
                self._changed.wait()
            found = self._found(case_id)
            if found is not None:
                return found
            self._reading.add(case_id)
        try:
            key = self._key(case_id)
            image = self._project.image(case_id)
            with self._changed:
                self._keep(case_id, key, image)
            return image
        finally:
            with self._changed:
                self._reading.discard(case_id)
                self._changed.notify_all()

    def prefetch(self, case_ids: Iterable[str], go_on: Callable[[], bool] = lambda: True) -> None:
        """Read images that may be opened soon, as many as have room.

        One that cannot be read is left for its opening to tell.

        Args:
            case_ids: the cases, the most likely first.
            go_on: asked before each image.
        """
        taken = largest = 0
        for case_id in case_ids:
            if not go_on() or taken + largest > self.limit_bytes:
                return
            with suppress(LandmarkerError):
                size = self.image(case_id).array.nbytes
                taken, largest = taken + size, max(largest, size)

    def forget(self) -> None:
        """Drop all images."""
        with self._changed:
            self._kept.clear()

    # ---- inside; the lock is held

    def _found(self, case_id: str) -> Image | None:
        if case_id not in self._kept:
            return None
        key, image = self._kept[case_id]
        if key != self._key(case_id):
            del self._kept[case_id]
            return None
        self._kept.move_to_end(case_id)
        return image

    def _keep(self, case_id: str, key: _Key, image: Image) -> None:
        self._kept.pop(case_id, None)
        if image.array.nbytes <= self.limit_bytes:
            self._kept[case_id] = key, image
        while self._size() > self.limit_bytes:
            self._kept.popitem(last=False)

    def _size(self) -> int:
        return sum(image.array.nbytes for _, image in self._kept.values())

    def _key(self, case_id: str) -> _Key:
        return stamp_of(self._project.image_path(case_id)), self._project.case(case_id).spacing
