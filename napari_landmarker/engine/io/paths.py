"""Paths as people type them, and as they stand in files."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path, PurePosixPath


def whole_path(path: Path | str) -> Path:
    """The path from the root on, with ``~`` as the user's own folder; ``~name`` of an unknown user stays as it is."""
    return Path(os.path.expanduser(path)).absolute()


def natural_order(path: Path) -> list[tuple[list[str | int], str]]:
    """A sort key, part by part, in which numbers count as numbers: ``scan2`` before ``scan10``."""
    return [([int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", p.casefold())], p) for p in path.parts]


def path_parts(path: Path | str) -> tuple[str, ...]:
    """The parts of a path as any system writes it, with accents written in one way."""
    return PurePosixPath(unicodedata.normalize("NFC", str(path).replace("\\", "/"))).parts


def file_name(path: Path | str) -> str:
    """The last of `path_parts`; empty where there is none."""
    return PurePosixPath(*path_parts(path)).name


def seen_from(folder: Path, image: Path) -> str:
    """The path of an image as seen from a folder; only its name where the way leads through a user's folder."""
    folder, image = folder.resolve(), image.parent.resolve() / image.name
    try:
        common = Path(os.path.commonpath([folder, image]))
    except ValueError:  # another drive
        return image.name
    home = Path(os.path.expanduser("~")).resolve()
    homes = home if home.parent == Path(home.anchor) else home.parent
    if image.is_relative_to(homes) and common in home.parents:
        return image.name
    return Path(os.path.relpath(image, folder)).as_posix()
