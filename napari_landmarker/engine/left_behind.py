"""Temporary files that a killed program left in a project: found by their names, and removed."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from napari_landmarker.engine.io.atomic import TEMPORARY, this_host

#: Folders of a project in which this program writes, besides the project's own.
_WRITTEN = ("annotations", "predictions", "models", "runs", "reports", "pictures")
#: A temporary file that its writer cannot be asked about is left behind after so long, in seconds.
_LEFT_S = 3600.0


def remove_left_behind(root: Path) -> list[Path]:
    """Remove the temporary files of writers that were killed; to be called by who may write in the project.

    A file goes if its writer ran on this computer and is gone, or if it ran on another one and has not touched the file
    for an hour. Nothing but regular files named as `atomic.write_bytes` names them is removed; one that cannot be
    looked at or removed is left alone.

    Args:
        root: the project's folder.

    Returns:
        The files that were removed.
    """
    removed = []
    for entry, named in _temporary(root):
        with suppress(OSError):
            if _is_left_behind(entry, named["host"], int(named["pid"])):
                os.unlink(entry.path)
                removed.append(Path(entry.path))
    return removed


def _temporary(root: Path) -> Iterator[tuple[os.DirEntry[str], re.Match[str]]]:
    """The files of a project that are named as temporary ones."""
    folders = [root, *(Path(folder) for name in _WRITTEN for folder, _, _ in os.walk(root / name))]
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                named = TEMPORARY.fullmatch(entry.name)
                if named is not None:
                    yield entry, named


def _is_left_behind(entry: os.DirEntry[str], host: str, pid: int) -> bool:
    """Whether nobody writes a temporary file any more; OSError where that cannot be seen."""
    if not entry.is_file(follow_symlinks=False):
        return False
    touched = entry.stat(follow_symlinks=False).st_mtime
    if host != this_host():
        return _now(Path(entry.path).parent) - touched > _LEFT_S
    try:
        return bool(psutil.Process(pid).create_time() - touched > _LEFT_S)  # a later process with the same number
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, OverflowError):
        return False


def _now(folder: Path) -> float:
    """The time by the clock of the disk that a folder lies on, in seconds since 1970; OSError if it is not writable."""
    probe = folder / f".{uuid.uuid4().hex}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
