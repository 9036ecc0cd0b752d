"""What tells an image from another that has taken its place: the sizes of its files, and when they were changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io.dicom_header import may_be_dicom

#: Files of these endings may have their pixels in other files beside them.
_HEADERS = (".mhd", ".nhdr", ".hdr", ".img")
#: Files of these endings, which this program may write beside images, are no part of any.
_NO_PIXELS = (".json", ".csv")


class ImageMarks:
    """Marks of images; each folder is listed once.

    A mark says nothing of where an image lies, nor what it is called beyond its file's name.
    """

    def __init__(self) -> None:
        self._folders: dict[Path, list[str]] = {}

    def of(self, path: Path) -> str:
        """The mark of an image: another one wherever a file of it was replaced, be it by an older one.

        Of a DICOM series, and of a header without pixels, all files of the folder count.

        Raises:
            ImageError: if it cannot be looked at.
        """
        name = path.name.lower()
        try:
            if path.is_dir():
                parts = self._files(path)
            elif name.endswith(_HEADERS) or may_be_dicom(name):
                parts = [path.name, *self._files(path.parent)]
            else:
                parts = [_said(path)]
        except OSError as error:
            raise ImageError(f"{path} could not be read ({error.strerror}): check the name and the folder.") from error
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def _files(self, folder: Path) -> list[str]:
        if folder not in self._folders:
            files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
            self._folders[folder] = [_said(file) for file in files if not file.name.lower().endswith(_NO_PIXELS)]
        return self._folders[folder]


def _said(file: Path) -> str:
    known = file.stat()
    return f"{file.name} {known.st_size} {known.st_mtime_ns}"
