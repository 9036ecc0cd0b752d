"""Names of images as annotation files give them: checked, without a user's folders, and compared as a person would."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.io.paths import path_parts


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
        self._parts: list[tuple[str, ...]] = []
        self._shared: list[tuple[str, ...]] = []
        self._of_file: dict[tuple[str, ...], list[int]] = {}
        self._written: dict[int | tuple[str, ...], str] = {}
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """One more image."""
        parts = path_parts(name)
        self._of_file.setdefault(parts[-1:], []).append(len(self._parts))
        self._parts.append(parts)
        self._shared.append(_shared_parts(name))

    def find(self, name: str) -> int | None:
        """The number of the image that another file calls ``name``; of two with one path, the first.

        It has the same path, or is the only one of its file name, if one of the two has no folder.
        """
        wanted = _shared_parts(name)
        same: dict[tuple[str, ...], int] = {}
        for at in self._of_file.get(wanted[-1:], []):
            same.setdefault(self._shared[at], at)
        if wanted in same:
            return same[wanted]
        bare = [at for parts, at in same.items() if 1 in (len(parts), len(wanted))]
        return bare[0] if len(bare) == 1 else None

    def find_moved(self, name: str) -> list[int]:
        """The numbers of the images that ``name`` may mean, as images move to other folders while names stay.

        They have the same file name; of several, those of the same path, or else whose path ends in ``name``.
        """
        wanted = tuple(part for part in path_parts(name) if part not in ("..", "/"))
        same = self._of_file.get(wanted[-1:], [])
        exact = [at for at in same if self._parts[at] == wanted]
        return exact or [at for at in same if self._parts[at][-len(wanted) :] == wanted] or list(same)

    def to_write(self, name: str, target: Path) -> int | None:
        """The number of an image that is to be written, or None for a new one; each may be asked for once.

        Raises:
            AnnotationError: if this image has been asked for, maybe under another name.
        """
        at = self.find(name)
        key = _shared_parts(name) if at is None else at
        if key in self._written:
            other = self._written[key]
            raise AnnotationError(f"{target} cannot tell the images '{other}' and '{name}' apart: write two files.")
        self._written[key] = name
        return at


def _shared_parts(name: str) -> tuple[str, ...]:
    """The parts of a name as it may stand in a file that is given away."""
    return path_parts(portable_name(name))
