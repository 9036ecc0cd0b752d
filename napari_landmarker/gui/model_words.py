"""A model in a few words: what it expects and how it was judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_landmarker.engine.predict.bundle import ModelInfo
from napari_landmarker.engine.project import Split


def expects(info: ModelInfo) -> str:
    """Which images a model is for."""
    kind = f"{info.ndim}D images in {'colour' if info.channels == 3 else 'grey'}"
    if info.frame.spacing_mm is None:
        return f"For {kind}, of whatever size."
    return f"For {kind} that state their spacing; it sees them at {info.frame.spacing_mm:.3g} mm per pixel."


def judged(info: ModelInfo, folder: Path) -> str:
    """How far its points were off, on which images."""
    said = []
    for split in (Split.TEST, Split.CALIBRATION):
        figures = _figures(folder / "evaluations" / f"{split.value}.json")
        if figures is not None:
            mean, unit, count = figures
            said.append(f"mean error {mean:.3g} {unit} on {count} {split.value} images")
    if info.validation_error is not None:
        said.append(f"mean error {info.validation_error:.3g} {info.unit} on validation images")
    return "; ".join(said) if said else "not checked on validation images"


def _figures(path: Path) -> tuple[float, str, int] | None:
    """Mean error, its unit and the number of images of a saved evaluation; None where there is none."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return float(content["overall"]["mean"]), str(content["unit"]), int(content["n_images"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
