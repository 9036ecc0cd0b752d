"""Paths as people type them."""

from __future__ import annotations

import os
from pathlib import Path


def whole_path(path: Path | str) -> Path:
    """The path from the root on, with ``~`` as the user's own folder; ``~name`` of an unknown user stays as it is."""
    return Path(os.path.expanduser(path)).absolute()
