"""Predict many image files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import read_image, write_landmarks, write_table
from napari_landmarker.engine.predict.predictor import Predictor


def predict_files(
    predictor: Predictor,
    images: Sequence[Path],
    out: Path,
    *,
    spacing: Sequence[float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Predict image files and write one annotation file for each (labelme in 2D, Slicer in 3D) and predictions.csv.

    Args:
        predictor: the model.
        images: the files; their names must differ.
        out: folder for the results.
        spacing: millimetres per pixel in array order, for images that do not state it.
        progress: called with images done and images in all.

    Returns:
        The path of predictions.csv: ``image, landmark, x, y[, z], score`` in pixels of the images as stored.

    Raises:
        ImageError: for an image that cannot be read, or two of one name.
        ModelError: for an image that does not fit the model.
    """
    names = [_stem(path) for path in images]
    twice = next((path for path, name in zip(images, names, strict=True) if names.count(name) > 1), None)
    if twice is not None:
        raise ImageError(f"{twice} has the same name as another image: predict these in two runs.")
    rows = []
    for done, (path, name) in enumerate(zip(images, names, strict=True)):
        if progress is not None:
            progress(done, len(images))
        image = read_image(path)
        if spacing is not None and image.grid.spacing is None:
            image = replace(image, grid=image.grid.with_spacing(spacing))
        landmarks = predictor.predict(image).landmarks
        suffix = ".json" if image.grid.ndim == 2 else ".mrk.json"
        write_landmarks(landmarks, out / f"{name}{suffix}", path)
        rows.append((path.name, landmarks, image.stored))
    if progress is not None:
        progress(len(images), len(images))
    table = out / "predictions.csv"
    write_table(table, rows, score=True)
    return table


def _stem(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return name[: -len(Path(name).suffix)] if Path(name).suffix else name
