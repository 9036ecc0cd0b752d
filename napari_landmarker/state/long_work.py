"""How a session does what may take long: at once here; a window does it in a thread, and shows how far it is."""

from __future__ import annotations

from collections.abc import Callable

from napari_landmarker.engine.progress import Progress

#: What may take long: told how to report how much is done, of how much; an error of that report stops it.
Work = Callable[[Progress], object]
#: Does it and returns whether it came to its end; False where a person stopped it. The words say what goes on.
RunLong = Callable[[str, Work], bool]


def at_once(_: str, work: Work) -> bool:
    """Do it here and now."""
    work(lambda done, total: None)
    return True
