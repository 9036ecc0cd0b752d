"""What is said about an export, before and after it."""

from __future__ import annotations

from pathlib import Path

from napari_landmarker.engine.exporting import ExportResult
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import AnnotationFormat
from napari_landmarker.engine.io.limits import left_out, unit_written


def note_on(fmt: AnnotationFormat, grid: Grid, predicted: bool) -> str:
    """What a person should know of a format before choosing it for an image.

    Args:
        fmt: the format.
        grid: geometry of the image.
        predicted: whether points that wait to be accepted are exported too.
    """
    unit = "millimetres"
    if unit_written(fmt, grid) == "px":
        unit = "pixels, as the pixel size is not known" if grid.spacing is None else "pixels of the image"
    lost = left_out(fmt)
    kept = f"No place in it for: {'; '.join(lost)}." if lost else "It keeps all that is known of a landmark."
    warning = ""
    if predicted and not fmt.capabilities.status:
        warning = " Points that wait to be accepted will look as if a person had placed them."
    return f"Coordinates in {unit}. {kept}{warning}"


def told_after(result: ExportResult, target: Path) -> str:
    """What came of an export."""
    if not result.n_images:
        return "Nothing was exported: nothing is annotated in these images yet."
    images = "one image" if result.n_images == 1 else f"{result.n_images} images"
    points = "One point" if result.n_points == 1 else f"{result.n_points} points"
    sentence = f"{points} of {images} written to {target}."
    return f"{sentence} Not kept there: {' '.join(result.lost)}" if result.lost else sentence
