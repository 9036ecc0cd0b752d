"""A model in a few words: what it expects and how it was judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_landmarker.engine.metrics.evaluation import shapes_text
from napari_landmarker.engine.predict.bundle import ModelInfo
from napari_landmarker.engine.project import Split


def expects(info: ModelInfo) -> str:
    """Which images a model is for."""
    kind = f"{info.ndim}D images in {'colour' if info.channels == 3 else 'grey'}"
    if info.frame.spacing_mm is None:
        return f"For {kind}, of whatever size."
    return f"For {kind} that state their spacing; it sees them at {info.frame.spacing_mm:.3g} mm per pixel."


def judged(info: ModelInfo, folder: Path) -> str:
    """How far its points were off, on which images, and in which pixels if not in mm."""
    said, in_px = [], False
    for split in (Split.TEST, Split.CALIBRATION):
        figures = _figures(folder / "evaluations" / f"{split.value}.json")
        if figures is not None:
            mean, unit, images = figures
            said.append(f"mean error {mean:.3g} {unit} on {images}")
            in_px |= unit == "px"
    if info.validation_error is not None:
        said.append(f"mean error {info.validation_error:.3g} {info.unit} on validation images")
        in_px |= info.unit == "px"
    text = "; ".join(said) if said else "not checked on validation images"
    return f"{text} (in pixels of those images, which may be of another size than yours)" if in_px else text


def _figures(path: Path) -> tuple[float, str, str] | None:
    """Mean error, its unit and on what images, of a saved evaluation; None where there is none."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        unit, images = str(content["unit"]), f"{int(content['n_images'])} {content['split']} images"
        if unit == "px" and "image_shapes" in content:
            images += f" of {shapes_text(content['image_shapes'])}"
        return float(content["overall"]["mean"]), unit, images
    except (OSError, ValueError, KeyError, TypeError):
        return None
