"""Predict many image files: what fails is said, and the others go on."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
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
from napari_landmarker.engine.io.atomic import require_writable, write_json
from napari_landmarker.engine.io.fields import entries_of
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.table_text import safe_text, write_sheet
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.predict.by_products import write_rows
from napari_landmarker.engine.predict.covariances import covariance_header, covariance_rows
from napari_landmarker.engine.predict.marks import ImageMarks
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.predict.predictor import Predictor
from napari_landmarker.engine.predict.region_table import region_header, region_rows
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.uncertainty import Calibration
from napari_landmarker.engine.uncertainty.quantile import checked_confidence

TABLE, COVARIANCES, REGIONS, FAILURES = "predictions.csv", "covariances.csv", "regions.csv", "failures.csv"
#: Says which models and settings found what is in the folder, and in which images.
SETTINGS = ".settings.json"
#: Predictions of an earlier run for an image that fails now are moved to this folder.
EARLIER = "earlier"
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
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> FilesPredicted:
    """Predict image files and write one annotation file for each (labelme in 2D, Slicer in 3D) and tables of all.

    The tables are predictions.csv, ``image, landmark, x, y[, z], score, status`` in pixels of the images as stored;
    covariances.csv where the model says how sure it is along each axis; regions.csv where it is calibrated (see
    `region_rows`); and failures.csv, with a sentence for each image that could not be predicted, if there are any. What
    an earlier run predicted for such an image is moved to the folder "earlier", so that it is not taken for a result of
    this one. Scores that are not known, as those of networks that answer with points, are left empty.

    Args:
        predictor: the model.
        images: the files; their names must differ.
        out: folder for the results; use one for each model.
        spacing: millimetres per pixel in array order, for all images; it replaces what their files state.
        resume: whether to keep what an earlier run with the same models and settings found in images that have not
            been changed or replaced since.
        confidence: what the regions of a calibrated model promise, between 0 and 1.
        progress: called with images done and images in all, also within a large image; may raise to end the work.

    Raises:
        ImageError: for two images of one name.
        ProjectError: if ``out`` cannot be written.
        CalibrationError: if the confidence is not between 0 and 1.
    """
    _require_own_names(images)
    require_writable(out)
    calibration = predictor.calibration
    marks, settings = ImageMarks(), _settings(predictor, spacing, calibration, checked_confidence(confidence))
    rows = _Earlier(predictor, out, spacing, settings).rows(images, marks) if resume else {}
    kept = len(rows)
    marked = {path: marks.of(path) for path in rows}
    _write_settings(out, settings, marked)  # what is older was found with other settings, or is to be found anew
    say, beside = progress or _unheard, _Beside(out, predictor.info.ndim, rows)

    def write_tables() -> None:
        write_table(out / TABLE, [rows[path] for path in images if path in rows])
        beside.write()
        _write_settings(out, settings, marked)

    try:
        for done, path in enumerate(images):
            say(done, len(images))
            if path in rows:
                continue
            if (done + 1) % TABLES_EVERY == 0:
                write_tables()
            try:
                mark = marks.of(path)
                found, geometry = _predict(predictor, path, out, spacing, partial(say, done, len(images)))
                marked[path], landmarks = mark, found.landmarks
                beside.add(path.name, found, geometry, calibration, confidence)
                rows[path] = ImageAnnotations(path.name, landmarks.grid, entries_of(landmarks), geometry)
            except ProjectError:  # nothing can be written any more
                raise
            except LandmarkerError as error:
                beside.fail(path, error)
                _set_aside(path, out)
        say(len(images), len(images))
    finally:
        write_tables()
    return FilesPredicted(out / TABLE, len(rows) - kept, kept, tuple(beside.failures))


class _Beside:
    """The tables beside predictions.csv; rows of images that an earlier run predicted stay in them."""

    def __init__(self, out: Path, ndim: int, kept: Iterable[Path]) -> None:
        self._out, self._ndim, self._kept = out, ndim, frozenset(path.name for path in kept)
        self._covariances: list[list[str]] = []
        self._regions: list[list[str]] = []
        self.failures: list[Failure] = []

    def add(
        self, image: str, found: Prediction, geometry: ImageGeometry, calibration: Calibration | None, confidence: float
    ) -> None:
        """Take what was found in one more image."""
        self._covariances += covariance_rows(image, found.landmarks, geometry)
        if calibration is not None:
            self._regions += region_rows(image, found, geometry, calibration, confidence)

    def fail(self, image: Path, error: LandmarkerError) -> None:
        """Take why one more image could not be predicted."""
        named = image.name in str(error)
        self.failures.append(Failure(image, str(error) if named else f"{image}: {error}"))

    def write(self) -> None:
        """Write them; those without rows are removed."""
        write_rows(self._out / COVARIANCES, covariance_header(self._ndim), self._covariances, self._kept)
        write_rows(self._out / REGIONS, region_header(self._ndim), self._regions, self._kept)
        _write_failures(self._out, self.failures)


def _require_own_names(images: Sequence[Path]) -> None:
    counts = Counter(image_stem(path) for path in images)
    twice = next((path for path in images if counts[image_stem(path)] > 1), None)
    if twice is not None:
        raise ImageError(f"{twice} has the same name as another image: predict these in two runs.")


def _geometry(path: Path, spacing: Sequence[float] | None) -> ImageGeometry:
    geometry = read_geometry(path)
    return geometry if spacing is None else replace(geometry, grid=geometry.grid.with_spacing(spacing))


def _predict(
    predictor: Predictor, path: Path, out: Path, spacing: Sequence[float] | None, check: Callable[[], None]
) -> tuple[Prediction, ImageGeometry]:
    """Predict one image and write its annotation file."""
    geometry = _geometry(path, spacing)
    target = _target(path, geometry, out)
    image = read_image(path)
    if spacing is not None:
        image = replace(image, grid=image.grid.with_spacing(spacing))
    prediction = predictor.predict_source(image, path, check=check)
    write_landmarks(prediction.landmarks, target, path)
    return prediction, geometry


def _target(path: Path, geometry: ImageGeometry, out: Path) -> Path:
    """The annotation file to write for an image; it must not hold a person's work."""
    target = out / (image_stem(path) + (".json" if geometry.grid.ndim == 2 else ".mrk.json"))
    if target.exists() and read_landmarks(target, geometry, image_name=path.name).by_person.any():
        raise AnnotationError(f"{target} holds landmarks placed by a person: choose another folder for predictions.")
    return target


def _set_aside(path: Path, out: Path) -> None:
    """Move what an earlier run predicted for an image out of the way; what a person placed stays where it is."""
    for ending in (".json", ".mrk.json"):
        old = out / f"{image_stem(path)}{ending}"
        if not old.exists():
            continue
        try:
            found = read_landmarks(old, image_name=path.name)
        except LandmarkerError:
            continue  # it is none of ours
        if found.by_person.any() or not (found.status == LandmarkStatus.PREDICTED).any():
            continue
        try:
            (out / EARLIER).mkdir(exist_ok=True)
            old.replace(out / EARLIER / old.name)
        except OSError as error:
            raise ProjectError(f"{old} could not be moved ({error.strerror}): check the folder.") from error


class _Earlier:
    """What an earlier run with the same models and settings found."""

    def __init__(
        self, predictor: Predictor, out: Path, spacing: Sequence[float] | None, settings: list[object]
    ) -> None:
        self.names, self.out, self.spacing = predictor.info.names, out, spacing
        self.marks: dict[str, str] = {}
        with suppress(OSError, ValueError, TypeError, KeyError):  # none, or one of an older version
            said = json.loads((out / SETTINGS).read_text(encoding="utf-8"))
            if said["settings"] == settings:
                self.marks = dict(said["images"])
        self.listed: set[str] = set()
        if self.marks and (out / TABLE).exists():
            with (out / TABLE).open(newline="", encoding="utf-8") as file:
                self.listed = {row["image"] for row in csv.DictReader(file)}

    def rows(self, images: Sequence[Path], marks: ImageMarks) -> dict[Path, ImageAnnotations]:
        """The predictions that stand: the tables list them, and their images are those that they were found in."""
        found = {}
        for path in images:
            with suppress(LandmarkerError):  # said when its turn comes
                same = safe_text(path.name) in self.listed and self.marks.get(path.name) == marks.of(path)
                row = self._row(path) if same else None
                if row is not None:
                    found[path] = row
        return found

    def _row(self, path: Path) -> ImageAnnotations | None:
        geometry = _geometry(path, self.spacing)
        target = _target(path, geometry, self.out)
        if not target.exists():
            return None
        found = read_landmarks(target, geometry, image_name=path.name)
        if not set(found.names) <= set(self.names):
            return None
        return ImageAnnotations(path.name, found.grid, entries_of(found.reordered(self.names)), geometry)


def _settings(
    predictor: Predictor, spacing: Sequence[float] | None, calibration: Calibration | None, confidence: float
) -> list[object]:
    """What a prediction and its regions depend on beside the image, as it stands in JSON."""
    given = None if spacing is None else [float(step) for step in spacing]
    how: list[object] = [predictor.fingerprint, predictor.views, predictor.flips, predictor.window, given]
    if calibration is not None:
        reach = calibration.thresholds(confidence).tolist()
        how += [confidence, calibration.config.score.model_dump(mode="json"), repr(reach)]
        if calibration.scaling is not None:
            how.append(calibration.scaling.model_dump(mode="json"))
    return how


def _write_settings(out: Path, settings: list[object], marked: Mapping[Path, str]) -> None:
    """Leave word for a later run: the settings, and the marks of the images whose predictions are in the folder."""
    write_json(out / SETTINGS, {"settings": settings, "images": {path.name: mark for path, mark in marked.items()}})


def _unheard(done: int, total: int) -> None:
    """Nobody wants to know."""


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
