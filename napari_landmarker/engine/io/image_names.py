"""Names of images as annotation files give them: checked, without a user's folders, and compared as a person would."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from napari_landmarker.engine.errors import AnnotationError


def as_image_name(value: object, source: Path | str) -> str:
    """The name of an image, trimmed; AnnotationError where it is no text on one line."""
    name = value.strip() if isinstance(value, str) else ""
    if not name or any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in name):
        raise AnnotationError(f"{source} does not name its image: fill in the image's file name.")
    return name


def portable_name(name: str) -> str:
    """The name as it may stand in a file that is given away: without folders where it is an absolute path."""
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or name.startswith(("\\", "~")):
        return name.replace("\\", "/").rpartition("/")[2] or name
    return name


def find_image(name: str, names: Sequence[str]) -> int | None:
    """Where in a list an image stands; see `ImageIndex.find`."""
    return ImageIndex(names).find(name)


class ImageIndex:
    """Images by their names, numbered from 0 in the order in which they are added.

    Args:
        names: the first of them.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._by_path: dict[tuple[str, ...], int] = {}
        self._by_file: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        self._written: dict[int | tuple[str, ...], str] = {}
        self._count = 0
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """One more image; of two with one path, the first is found."""
        parts = _parts(name)
        if parts not in self._by_path:
            self._by_path[parts] = self._count
            self._by_file.setdefault(parts[-1:], []).append(parts)
        self._count += 1

    def find(self, name: str) -> int | None:
        """The number of an image: by its path, or as the only one of its file name if one of the two has no folder."""
        wanted = _parts(name)
        if wanted in self._by_path:
            return self._by_path[wanted]
        same = [other for other in self._by_file.get(wanted[-1:], []) if 1 in (len(other), len(wanted))]
        return self._by_path[same[0]] if len(same) == 1 else None

    def to_write(self, name: str, target: Path) -> int | None:
        """The number of an image that is to be written, or None for a new one; each may be asked for once.

        Raises:
            AnnotationError: if this image has been asked for, maybe under another name.
        """
        at = self.find(name)
        key = _parts(name) if at is None else at
        if key in self._written:
            other = self._written[key]
            raise AnnotationError(f"{target} cannot tell the images '{other}' and '{name}' apart: write two files.")
        self._written[key] = name
        return at


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a path as any system writes it, with accents written in one way."""
    return PurePosixPath(unicodedata.normalize("NFC", portable_name(name).replace("\\", "/"))).parts
