"""Unpacking archives: zip and tar here, others through a program that is installed; nothing lands elsewhere."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from napari_landmarker.engine.errors import ProjectError

_OTHER_KINDS = {b"Rar!\x1a\x07": "rar", b"7z\xbc\xaf\x27\x1c": "7z"}

#: Programs that unpack rar and 7z archives, and how they are called.
_PROGRAMS = {
    "unar": ["-quiet", "-force-overwrite", "-no-directory", "-output-directory", "{folder}", "{archive}"],
    "unrar": ["x", "-o+", "-idq", "{archive}", "{folder}/"],
    "bsdtar": ["-x", "-f", "{archive}", "-C", "{folder}"],
    "7z": ["x", "-y", "-bd", "-o{folder}", "{archive}"],
    "7zz": ["x", "-y", "-bd", "-o{folder}", "{archive}"],
}


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive; its kind is told by its content, whatever it is called.

    Everything is unpacked aside first, so that a folder of the archive is in its place only when it is whole.

    Raises:
        ProjectError: if it is damaged or no archive, has files that would lie outside the folder, cannot be written,
            or no program that unpacks its kind is installed.
    """
    aside = folder / f".{archive.name}.unpacking"
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        _unpack(archive, aside, folder)
        for path in aside.iterdir():
            target = folder / path.name
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(path, target)
    except tarfile.FilterError as error:
        raise _outside(archive) from error
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _damaged(archive) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ProjectError(
            f"{archive} could not be unpacked into {folder} ({reason}): "
            "check that the folder is writable and the disk not full."
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _unpack(archive: Path, aside: Path, folder: Path) -> None:
    if (kind := _other_kind(archive)) is not None:
        _call(archive, aside, kind, folder)
    elif zipfile.is_zipfile(archive):
        _unzip(archive, aside)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            tar.extractall(aside, filter="data")
    else:
        raise _damaged(archive)


def _unzip(archive: Path, aside: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            path = PurePosixPath(member.filename.replace("\\", "/"))
            linked = stat.S_ISLNK(member.external_attr >> 16)
            if path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts[:1]) or linked:
                raise _outside(archive)
        content.extractall(aside)


def _other_kind(archive: Path) -> str | None:
    with archive.open("rb") as file:
        start = file.read(8)
    return next((kind for mark, kind in _OTHER_KINDS.items() if start.startswith(mark)), None)


def _call(archive: Path, aside: Path, kind: str, folder: Path) -> None:
    """Unpack with the first program that is there."""
    program = next((name for name in _PROGRAMS if shutil.which(name) and (kind == "rar" or name != "unrar")), None)
    if program is None:
        raise ProjectError(
            f"{archive} is a {kind} archive and no program that unpacks it is installed: "
            f"install one of {', '.join(_PROGRAMS)}, or unpack it by hand into {folder}, and try again."
        )
    words = [word.format(archive=archive, folder=aside) for word in _PROGRAMS[program]]
    done = subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    made = list(aside.rglob("*"))
    if done.returncode != 0 or not made:
        raise _damaged(archive)
    if any(path.is_symlink() for path in made):
        raise _outside(archive)


def _damaged(archive: Path) -> ProjectError:
    return ProjectError(f"{archive} is damaged or no archive: delete it and download it again.")


def _outside(archive: Path) -> ProjectError:
    return ProjectError(
        f"{archive} holds files that would lie outside its folder, so nothing of it is trusted: "
        "delete it and download it again from its publisher."
    )
