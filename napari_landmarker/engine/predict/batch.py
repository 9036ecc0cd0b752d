"""Predict many image files: what fails is said, and the others go on."""

from __future__ import annotations

import csv
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from napari_landmarker.engine.errors import AnnotationError, ImageError, LandmarkerError, ProjectError
from napari_landmarker.engine.io import (
    image_stem,
    read_geometry,
    read_image,
    read_landmarks,
    write_landmarks,
    write_table,
)
from napari_landmarker.engine.io.annotation_format import ImageAnnotations
from napari_landmarker.engine.io.atomic import require_writable, write_text
from napari_landmarker.engine.io.fields import entries_of
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.table_text import safe_text, write_sheet
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict.covariances import covariance_rows, write_covariances
from napari_landmarker.engine.predict.predictor import Predictor

TABLE, COVARIANCES, FAILURES = "predictions.csv", "covariances.csv", "failures.csv"
#: Says which models and settings found what is in the folder.
SETTINGS = ".settings.json"
#: The tables are written after so many images, so that a run that is cut off loses no more.
TABLES_EVERY = 50


@dataclass(frozen=True)
class Failure:
    """An image that could not be predicted, and why in one sentence."""

    image: Path
    sentence: str


@dataclass(frozen=True)
class FilesPredicted:
    """What came of predicting many files.

    Attributes:
        table: predictions.csv.
        predicted: how many images were predicted.
        kept: how many predictions of an earlier run were kept.
        failures: the images that could not be predicted.
    """

    table: Path
    predicted: int
    kept: int
    failures: tuple[Failure, ...]


def predict_files(
    predictor: Predictor,
    images: Sequence[Path],
    out: Path,
    *,
    spacing: Sequence[float] | None = None,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> FilesPredicted:
    """Predict image files and write one annotation file for each (labelme in 2D, Slicer in 3D) and tables of all.

    The tables are predictions.csv, ``image, landmark, x, y[, z], score, status`` in pixels of the images as stored;
    covariances.csv where the model says how sure it is along each axis; and failures.csv, with a sentence for each
    image that could not be predicted, if there are any.

    Args:
        predictor: the model.
        images: the files; their names must differ.
        out: folder for the results; use one for each model.
        spacing: millimetres per pixel in array order, for all images; it replaces what their files state.
        resume: whether to keep what an earlier run with the same models and settings found, if it is newer than the
            image.
        progress: called with images done and images in all; may raise to end the work.

    Raises:
        ImageError: for two images of one name.
        ProjectError: if ``out`` cannot be written.
    """
    counts = Counter(image_stem(path) for path in images)
    twice = next((path for path in images if counts[image_stem(path)] > 1), None)
    if twice is not None:
        raise ImageError(f"{twice} has the same name as another image: predict these in two runs.")
    require_writable(out)
    rows = _Earlier(predictor, out, spacing).rows(images) if resume else {}
    kept = [path.name for path in rows]
    _say_settings(predictor, out, spacing)
    sure: list[list[str]] = []
    failures: list[Failure] = []

    def write_tables() -> None:
        write_table(out / TABLE, [rows[path] for path in images if path in rows])
        write_covariances(out / COVARIANCES, sure, kept)
        _write_failures(out, failures)

    try:
        for done, path in enumerate(images):
            if progress is not None:
                progress(done, len(images))
            if path in rows:
                continue
            if (done + 1) % TABLES_EVERY == 0:
                write_tables()
            try:
                geometry = _geometry(path, spacing)
                target = _target(path, geometry, out)
                landmarks = _predict(predictor, path, spacing)
                write_landmarks(landmarks, target, path)
                sure += covariance_rows(path.name, landmarks, geometry)
                rows[path] = ImageAnnotations(path.name, landmarks.grid, entries_of(landmarks), geometry)
            except ProjectError:  # nothing can be written any more
                raise
            except LandmarkerError as error:
                named = path.name in str(error)
                failures.append(Failure(path, str(error) if named else f"{path}: {error}"))
        if progress is not None:
            progress(len(images), len(images))
    finally:
        write_tables()
    return FilesPredicted(out / TABLE, len(rows) - len(kept), len(kept), tuple(failures))


def _geometry(path: Path, spacing: Sequence[float] | None) -> ImageGeometry:
    geometry = read_geometry(path)
    return geometry if spacing is None else replace(geometry, grid=geometry.grid.with_spacing(spacing))


def _predict(predictor: Predictor, path: Path, spacing: Sequence[float] | None) -> LandmarkSet:
    image = read_image(path)
    if spacing is not None:
        image = replace(image, grid=image.grid.with_spacing(spacing))
    return predictor.landmarks(image, path)


def _target(path: Path, geometry: ImageGeometry, out: Path) -> Path:
    """The annotation file to write for an image; it must not hold a person's work."""
    target = out / (image_stem(path) + (".json" if geometry.grid.ndim == 2 else ".mrk.json"))
    if target.exists() and read_landmarks(target, geometry, image_name=path.name).by_person.any():
        raise AnnotationError(f"{target} holds landmarks placed by a person: choose another folder for predictions.")
    return target


class _Earlier:
    """What an earlier run with the same models and settings found."""

    def __init__(self, predictor: Predictor, out: Path, spacing: Sequence[float] | None) -> None:
        self.names, self.out, self.spacing = predictor.info.names, out, spacing
        said = out / SETTINGS
        same = said.exists() and said.read_text(encoding="utf-8") == _settings(predictor, spacing)
        self.since = said.stat().st_mtime if same else math.inf
        self.listed: set[str] = set()
        if same and (out / TABLE).exists():
            with (out / TABLE).open(newline="", encoding="utf-8") as file:
                self.listed = {row["image"] for row in csv.DictReader(file)}

    def rows(self, images: Sequence[Path]) -> dict[Path, ImageAnnotations]:
        """The predictions that stand: the tables list them, and they are newer than the settings and the image."""
        found = {}
        for path in images:
            with suppress(LandmarkerError):  # said when its turn comes
                row = self._row(path) if safe_text(path.name) in self.listed else None
                if row is not None:
                    found[path] = row
        return found

    def _row(self, path: Path) -> ImageAnnotations | None:
        geometry = _geometry(path, self.spacing)
        target = _target(path, geometry, self.out)
        if not target.exists() or target.stat().st_mtime < max(self.since, path.stat().st_mtime):
            return None
        found = read_landmarks(target, geometry, image_name=path.name)
        if not set(found.names) <= set(self.names):
            return None
        return ImageAnnotations(path.name, found.grid, entries_of(found.reordered(self.names)), geometry)


def _settings(predictor: Predictor, spacing: Sequence[float] | None) -> str:
    """What a prediction depends on beside the image."""
    given = None if spacing is None else [float(step) for step in spacing]
    return json.dumps([predictor.fingerprint, predictor.views, predictor.flips, predictor.window, given]) + "\n"


def _say_settings(predictor: Predictor, out: Path, spacing: Sequence[float] | None) -> None:
    """Leave word for a later run; what is older than this word was found with other settings."""
    own, said = _settings(predictor, spacing), out / SETTINGS
    if not said.exists() or said.read_text(encoding="utf-8") != own:
        write_text(said, own)


def _write_failures(out: Path, failures: Sequence[Failure]) -> None:
    """Write failures.csv without anybody's folders; remove that of an earlier run where nothing failed."""
    if not failures:
        (out / FAILURES).unlink(missing_ok=True)
        return
    rows = []
    for one in failures:
        sentence = one.sentence.replace(f"{one.image.parent}{os.sep}", "").replace(f"{out}{os.sep}", "")
        rows.append((safe_text(one.image.name), safe_text(sentence)))
    write_sheet(out / FAILURES, ("image", "problem"), rows)
