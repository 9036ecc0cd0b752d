"""The errors of one image: truth meets prediction by landmark name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics.points import point_error

Unit = Literal["mm", "px"]


@dataclass(frozen=True)
class CaseResult:
    """What is to be compared for one image.

    Attributes:
        case_id: name of the case, as it appears in the report.
        truth: its annotation; only what a person stands behind counts.
        predicted: what the model found, matched by name.
    """

    case_id: str
    truth: LandmarkSet
    predicted: LandmarkSet


@dataclass(frozen=True, eq=False)
class CaseScore:
    """The errors of one image.

    Attributes:
        case_id: name of the case.
        truth: what a person stands behind.
        predicted: what the model found.
        errors: error of each landmark that has a true point; None where the model gave no point.
        missing: number of landmarks without a true point; they are left out.
    """

    case_id: str
    truth: LandmarkSet
    predicted: LandmarkSet
    errors: dict[str, float | None]
    missing: int = 0

    @classmethod
    def of(cls, result: CaseResult, unit: Unit, names: Sequence[str] | None = None) -> CaseScore:
        """Compare one image.

        Args:
            result: the image.
            unit: of the errors.
            names: the landmarks there should be; by default those of the truth.

        Raises:
            GeometryError: naming the case, if truth and prediction do not fit.
        """
        try:
            errors = landmark_errors(result.truth, result.predicted, unit=unit)
        except GeometryError as error:
            raise GeometryError(f"Case '{result.case_id}': {error}") from error
        missing = len(result.truth.names if names is None else names) - len(errors)
        return cls(result.case_id, result.truth.truth(), result.predicted, errors, missing)

    @property
    def n(self) -> int:
        """Number of true points."""
        return len(self.errors)

    @property
    def missed(self) -> int:
        """Number of true points for which the model gave no point."""
        return sum(error is None for error in self.errors.values())

    @property
    def mean(self) -> float | None:
        """Mean error over the points found, None if there is none."""
        found = self._found()
        return float(np.mean(found)) if found else None

    @property
    def median(self) -> float | None:
        """Median error over the points found, None if there is none."""
        found = self._found()
        return float(np.median(found)) if found else None

    @property
    def max(self) -> float | None:
        """Largest error of the points found, None if there is none."""
        return max(self._found(), default=None)

    @property
    def worst_landmark(self) -> str | None:
        """The landmark that is farthest off, one that the model did not find before all others."""
        return worst_landmark(self.errors)

    def to_dict(self) -> dict[str, Any]:
        """The errors as strict JSON."""
        return {
            "case": self.case_id,
            "n": self.n,
            "missing": self.missing,
            "missed": self.missed,
            "mean": self.mean,
            "median": self.median,
            "max": self.max,
            "errors": dict(self.errors),
        }

    def _found(self) -> list[float]:
        return [error for error in self.errors.values() if error is not None]


def worst_landmark(errors: dict[str, float | None]) -> str | None:
    """The name with the largest error, None (not found) being the largest; None if there is no name."""
    return max(errors, key=lambda name: _rank(errors[name]), default=None)


def landmark_errors(truth: LandmarkSet, predicted: LandmarkSet, *, unit: Unit | None = None) -> dict[str, float | None]:
    """Error of each landmark that has a true point, by name.

    Args:
        truth: the annotation, one point a landmark; only what a person stands behind counts.
        predicted: what a model found in the same image; other names are ignored.
        unit: ``"mm"`` or ``"px"``; by default mm where the truth's grid states its spacing.

    Returns:
        ``{name: error}``, None where there is a true point and no prediction.

    Raises:
        GeometryError: if the two do not lie in the same image frame, or have several points a landmark.
    """
    here, there = truth.grid, predicted.grid
    if here.shape != there.shape or not np.allclose(here.direction, there.direction):
        raise GeometryError(
            f"Truth ({here.shape} pixels) and prediction ({there.shape} pixels) do not lie in the same "
            "image: predict on the image that was annotated."
        )
    if truth.points.ndim != 2 or predicted.points.ndim != 2:
        raise GeometryError("Landmarks with several points each cannot be evaluated: annotate one point a landmark.")
    truth = truth.truth()
    spacing = truth.grid.spacing if unit in (None, "mm") else None
    if unit == "mm" and spacing is None:
        raise GeometryError("An image that states no spacing has no errors in millimetres: evaluate in px.")
    found = predicted.reordered(truth.names).points
    errors = point_error(truth.points, found, pixel_spacing=spacing, reduction="none")
    return {
        name: float(error) if np.isfinite(error) else None
        for name, error, present in zip(truth.names, errors, truth.placed, strict=True)
        if present
    }


def _rank(error: float | None) -> float:
    return float("inf") if error is None else error
