"""`Progress`: how long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

#: Told how much is done, of how much. Work that it raises an error in ends with that error, and changes nothing more.
Progress = Callable[[int, int], None]
