"""Whether a file is the one that was read."""

from __future__ import annotations

from pathlib import Path

#: When a file was changed, in nanoseconds, and its size in bytes; None where there is no file.
Stamp = tuple[int, int] | None


def stamp_of(path: Path) -> Stamp:
    """What tells that a file was changed since; None where it is not there."""
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_mtime_ns, known.st_size
