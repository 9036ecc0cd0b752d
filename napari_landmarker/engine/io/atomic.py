"""Atomic writes: a file is either the old one or the new one, never half of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import tempfile
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import LandmarkerError, ProjectError

#: So much of a file's name stands in its temporary file's, which must not be longer than a name may be.
_KEPT = 40
#: A temporary file's name: the file it becomes, the computer and the process that write it, and chance.
TEMPORARY = re.compile(r"\..+\.(?P<host>[0-9a-f]{8})-(?P<pid>[0-9]{1,10})-[a-z0-9_]{8}\.tmp", re.DOTALL)


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write ``data`` to ``path`` through a temporary file in the same folder, fsync and replace.

    Raises:
        ProjectError: if the folder cannot be written; a file that was there before is untouched.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise _not_written(path, error) from error


def require_writable(folder: Path | str) -> None:
    """Make sure, before long work, that its result can be written; the folder is made where there is none.

    Raises:
        ProjectError: if the folder cannot be made or written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _not_written(folder, error) from error


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` as UTF-8, atomically (see `write_bytes`)."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path | str, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically; NaN is refused, as other programs cannot read it."""
    write_bytes(path, json_bytes(content))


def json_bytes(content: Any) -> bytes:
    """``content`` as the bytes of an indented JSON file; ValueError for NaN, which other programs cannot read."""
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def read_json(path: Path | str, what: str, error: type[LandmarkerError]) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: the file.
        what: what the file should be, for the message, such as ``"a labelme file"``.
        error: the kind of error to raise.

    Raises:
        LandmarkerError: of the kind ``error``, if the file is missing, unreadable or not a JSON object.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as cause:
        raise error(f"{path} does not exist: choose {what}.") from cause
    except OSError as cause:
        raise error(f"{path} could not be read ({cause.strerror}): check its permissions.") from cause
    except (ValueError, RecursionError) as cause:
        raise error(f"{path} is not {what}: it holds no valid JSON.") from cause
    if not isinstance(content, dict):
        raise error(f"{path} is not {what}: its top level is not a JSON object.")
    return content


def has_key(path: Path | str, key: str) -> bool:
    """Whether a file is a JSON object with such a key at its top level."""
    try:
        return key in read_json(path, "a JSON file", ProjectError)
    except ProjectError:
        return False


def this_host() -> str:
    """A mark that tells this computer from others, without its name."""
    return hashlib.sha256(socket.gethostname().encode("utf-8", "replace")).hexdigest()[:8]


def _prefix(path: Path) -> str:
    """How the name of a file's temporary file begins (see `TEMPORARY`)."""
    return f".{path.name[:_KEPT]}.{this_host()}-{os.getpid()}-"


def _not_written(path: Path, error: OSError) -> ProjectError:
    reason = error.strerror or type(error).__name__
    return ProjectError(
        f"{path} could not be written ({reason}): check that the folder is writable and the disk not full."
    )


def _umask() -> int:
    """The process's file mode mask, which `tempfile` ignores."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
