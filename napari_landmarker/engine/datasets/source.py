"""Where a data set lies: a folder that a person names, or a cache; downloaded where it is not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_landmarker.engine.datasets.archives import unpack
from napari_landmarker.engine.datasets.fetch import Cancel, Fetch, RemoteFile
from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.io.paths import whole_path
from napari_landmarker.engine.progress import Progress

_ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz")


@dataclass(frozen=True)
class Source:
    """How to find and to get a data set.

    Attributes:
        name: its folder.
        marks: patterns, one of which a folder that holds the data set, or a part of it, matches.
        build: downloads and unpacks it into the folder of `Fetch`; a part that is there already is left as it is.
    """

    name: str
    marks: tuple[str, ...]
    build: Callable[[Fetch], None]

    def find(
        self,
        folder: Path | str | None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        download: bool = True,
    ) -> Path:
        """The folder that holds the data set.

        Args:
            folder: that folder, or the one around it, or where it shall go; None for the cache of this computer.
            progress: told how far a download is.
            cancel: asked whether to stop a download.
            download: whether to download what is not there.

        Raises:
            ProjectError: if it is not there and cannot, or shall not, be downloaded.
        """
        around = cache_folder() if folder is None else whole_path(folder)
        inside = around / self.name
        for place in (around, inside):
            if self.is_in(place):
                return place
        target = around if around.name == self.name else inside
        if around.exists() and not around.is_dir():
            raise ProjectError(f"{around} is a file: name the folder of the data set {self.name}.")
        if not download:
            raise ProjectError(f"{around} does not hold the data set {self.name}: name its folder, or download it.")
        if target.exists() and any(target.iterdir()):
            raise ProjectError(
                f"{target} holds something else than the data set {self.name}: name another folder, or empty it."
            )
        return self._download(target, progress, cancel)

    def is_in(self, folder: Path) -> bool:
        """Whether a folder holds the data set, or a part of it."""
        return folder.is_dir() and any(True for mark in self.marks for _ in folder.glob(mark))

    def _download(self, target: Path, progress: Progress | None, cancel: Cancel | None) -> Path:
        """Make the folder aside, so that it has its name only when it is complete."""
        aside = target.with_name(f"{target.name}.unfinished")
        record = target.with_name(f"{target.name}.checksums.json")
        self.build(Fetch(aside, record, progress, cancel))
        try:
            for path in aside.iterdir():
                if path.suffix in _ARCHIVES and path.is_file():
                    path.unlink()
            if target.exists():
                target.rmdir()
            os.replace(aside, target)
        except OSError as error:
            raise ProjectError(
                f"{aside} is complete but could not be renamed to {target.name} ({error.strerror}): rename it by hand."
            ) from error
        return target


def cache_folder() -> Path:
    """Where data sets lie when no folder is named."""
    import pooch

    return Path(pooch.os_cache("napari-landmarker"))


def fetch_and_unpack(fetch: Fetch, file: RemoteFile, is_there: Callable[[Path], bool]) -> None:
    """Download an archive and unpack it, unless its content is there."""
    if not is_there(fetch.folder):
        unpack(fetch(file), fetch.folder)


def find_folder(root: Path, name: str) -> Path:
    """A folder of a data set, which may lie up to two folders deep; where there is none, the place it should have."""
    return next(
        (path for depth in ("", "*/", "*/*/") for path in root.glob(depth + name) if path.is_dir()), root / name
    )


def require(paths: Iterable[Path], kind: type[LandmarkerError], root: Path) -> None:
    """Make sure that files of a data set are there.

    Raises:
        LandmarkerError: of ``kind``, naming the first that is missing, how many are, and what to do.
    """
    absent = [path for path in paths if not path.is_file()]
    if absent:
        others = f" (and {len(absent) - 1} more files)" if len(absent) > 1 else ""
        raise kind(
            f"{absent[0]} is missing{others}: put it there, or remove {root} and load the data set again "
            "to have it downloaded."
        )
