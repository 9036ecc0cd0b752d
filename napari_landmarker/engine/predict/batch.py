"""Predict many image files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from napari_landmarker.engine.errors import AnnotationError, ImageError
from napari_landmarker.engine.io import (
    image_stem,
    read_geometry,
    read_image,
    read_landmarks,
    write_landmarks,
    write_table,
)
from napari_landmarker.engine.io.annotation_format import ImageAnnotations
from napari_landmarker.engine.io.atomic import require_writable
from napari_landmarker.engine.io.fields import entries_of
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
        spacing: millimetres per pixel in array order, for all images; it replaces what their files state.
        progress: called with images done and images in all.

    Returns:
        The path of predictions.csv: ``image, landmark, x, y[, z], score, status`` in pixels of the images as stored.

    Raises:
        ImageError: for an image that cannot be read, or two of one name.
        AnnotationError: if a file to be written holds what a person placed; it is left as it is.
        ModelError: for an image that does not fit the model.
        ProjectError: if ``out`` cannot be written.
    """
    names = [image_stem(path) for path in images]
    twice = next((path for path, name in zip(images, names, strict=True) if names.count(name) > 1), None)
    if twice is not None:
        raise ImageError(f"{twice} has the same name as another image: predict these in two runs.")
    targets = [_target(path, out / name, spacing) for path, name in zip(images, names, strict=True)]
    require_writable(out)
    predicted = []
    for done, (path, target) in enumerate(zip(images, targets, strict=True)):
        if progress is not None:
            progress(done, len(images))
        image = read_image(path)
        if spacing is not None:
            image = replace(image, grid=image.grid.with_spacing(spacing))
        landmarks = predictor.landmarks(image, path)
        write_landmarks(landmarks, target, path)
        predicted.append(ImageAnnotations(path.name, landmarks.grid, entries_of(landmarks), image.geometry))
    if progress is not None:
        progress(len(images), len(images))
    table = out / "predictions.csv"
    write_table(table, predicted)
    return table


def _target(path: Path, base: Path, spacing: Sequence[float] | None) -> Path:
    """The annotation file to write for an image that can be read; it must not hold a person's work."""
    grid = read_geometry(path).grid
    if spacing is not None:
        grid = grid.with_spacing(spacing)
    target = base.with_name(base.name + (".json" if grid.ndim == 2 else ".mrk.json"))
    if target.exists() and read_landmarks(target, grid, image_name=path.name).by_person.any():
        raise AnnotationError(f"{target} holds landmarks placed by a person: choose another folder for predictions.")
    return target
