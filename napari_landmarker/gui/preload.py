"""Loads the engine's heavy libraries without holding the window up."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def preload_engine() -> None:
    """Import what prediction and reports need; to be called in a worker thread before anything that needs them.

    Python's own import keeps every thread waiting while the system loads and sets up torch's largest library, about a
    fifth of a second. Loading it first through a foreign call lets the window go on meanwhile. So does keeping Python's
    search for unreachable objects away from what these imports make: it lives as long as the program, and looking
    through all of it takes half a second.
    """
    if "napari_landmarker.engine.models.unet" in sys.modules:
        return
    preload_torch()
    with _without_collections():
        import napari_landmarker.engine.heatmap
        import napari_landmarker.engine.models.unet
        import napari_landmarker.engine.report  # noqa: F401


def preload_torch() -> None:
    """As `preload_engine`, torch alone: all that a look at the computer needs."""
    if "torch" in sys.modules:
        return
    _load_library()
    with _without_collections():
        import torch  # noqa: F401


def release_window() -> None:
    """Let Python find again what belonged to a window that closes: `preload_engine` kept it out of sight."""
    gc.unfreeze()


def _load_library() -> None:
    spec = importlib.util.find_spec("torch")
    if os.name != "posix" or spec is None or spec.origin is None:
        return
    name = "libtorch_cpu.dylib" if sys.platform == "darwin" else "libtorch_cpu.so"
    library = Path(spec.origin).parent / "lib" / name
    if library.exists():
        dlopen = ctypes.CDLL(None).dlopen
        dlopen.restype, dlopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
        dlopen(os.fsencode(library), os.RTLD_NOW)


@contextmanager
def _without_collections() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
