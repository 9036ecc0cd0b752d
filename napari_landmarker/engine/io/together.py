"""Many files of a folder written as one: all are the new ones or all are the old ones, whenever the program is killed.

The new files are first laid out in a hidden folder; a mark there says that all of them are complete. Only then do they
take their places. A move that was cut off is finished by `finish_together`; files without the mark are given up.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.io.atomic import write_bytes

_STAGE = ".pending"
_FILES = "files"
_COMPLETE = "complete"


def write_together(root: Path, contents: Iterable[tuple[Path, bytes]]) -> None:
    """Write files of a folder so that either all of them are changed or none.

    Args:
        root: the folder.
        contents: where each file lies below ``root``, and its new bytes; an error raised by it leaves all as it was.

    Raises:
        ProjectError: if the files cannot be written. Where even the last step fails, opening the folder finishes it.
    """
    finish_together(root)
    stage = root / _STAGE
    try:
        shutil.rmtree(stage, ignore_errors=True)
        staged = [_lay_out(stage / _FILES / path.relative_to(root), data) for path, data in contents]
        _reach_the_disk(staged)
        write_bytes(stage / _COMPLETE, b"")
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    finish_together(root)


def _lay_out(path: Path, data: bytes) -> Path:
    """Write a file that does not count before the mark stands; ProjectError if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise ProjectError(
            f"{path} could not be written ({error.strerror}): check that the folder is writable and the disk not full."
        ) from error
    return path


def _reach_the_disk(paths: Iterable[Path]) -> None:
    """Make sure that files outlast a loss of power: in one go where the system can, as one by one takes long."""
    if hasattr(os, "sync"):
        os.sync()
        return
    for path in paths:
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def is_unfinished(root: Path) -> bool:
    """Whether files were laid out completely but are not all in their places."""
    return (root / _STAGE / _COMPLETE).exists()


def finish_together(root: Path) -> None:
    """Finish what `write_together` had laid out completely; nothing where there is no such thing.

    Raises:
        ProjectError: if a file cannot be put in its place.
    """
    stage = root / _STAGE
    if not is_unfinished(root):
        return
    files = stage / _FILES
    for staged in sorted(path for path in files.rglob("*") if path.is_file()):
        target = root / staged.relative_to(files)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged, target)
        except FileNotFoundError:
            continue  # another program that opened the folder put it in its place meanwhile
        except OSError as error:
            raise ProjectError(
                f"{target} could not be replaced ({error.strerror}): make the folder writable and open it again."
            ) from error
    (stage / _COMPLETE).unlink(missing_ok=True)
    shutil.rmtree(stage, ignore_errors=True)
