"""The errors of one image: truth meets prediction by landmark name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.metrics.instances import match_points
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
        landmark_of: where landmarks may have several points, each is a landmark of its own in the above, such as
            ``"plant #2"``, and this is the landmark that it belongs to; else empty.
    """

    case_id: str
    truth: LandmarkSet
    predicted: LandmarkSet
    errors: dict[str, float | None]
    missing: int = 0
    landmark_of: dict[str, str] = field(default_factory=dict)

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
        truth, predicted = result.truth, result.predicted
        owner: dict[str, str] = {}
        try:
            if truth.points.ndim == 3:
                _require_same_image(truth, predicted)
                truth, predicted, owner = one_point_each(truth.truth(), predicted)
            errors = landmark_errors(truth, predicted, unit=unit)
        except GeometryError as error:
            raise GeometryError(f"Case '{result.case_id}': {error}") from error
        known = {owner.get(name, name) for name in errors}
        missing = len(result.truth.names if names is None else names) - len(known)
        return cls(result.case_id, truth.truth(), predicted, errors, missing, owner)

    def errors_of(self, landmark: str) -> list[float | None]:
        """The errors of all true points of a landmark, at most one unless it may have several."""
        return [error for name, error in self.errors.items() if self.landmark_of.get(name, name) == landmark]

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
    _require_same_image(truth, predicted)
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


def one_point_each(truth: LandmarkSet, predicted: LandmarkSet) -> tuple[LandmarkSet, LandmarkSet, dict[str, str]]:
    """Landmarks that may have several points, as landmarks of one point each, such as ``"plant #2"``.

    The predictions of a landmark are matched with its true points one to one, by the smallest total distance (see
    `match_points`). Predictions that belong to no true point are left out.

    Args:
        truth: the annotation ``(L, M, D)``.
        predicted: what a model found, ``(L, P, D)`` or ``(L, D)``.

    Returns:
        Truth, prediction, and the landmark that each name belongs to.
    """
    found, scale = predicted.reordered(truth.names), np.asarray(truth.grid.spacing or 1.0)
    several = found.points if found.points.ndim == 3 else found.points[:, None]
    points, matched, owner = {}, {}, {}
    for name, true, own in zip(truth.names, truth.points, several, strict=True):
        match = match_points(true * scale, own * scale)
        prediction_of = dict(zip(match.true.tolist(), match.predicted.tolist(), strict=True))
        for row in np.flatnonzero(np.isfinite(true).all(axis=-1)).tolist():
            key = f"{name} #{row + 1}"
            owner[key], points[key] = name, true[row]
            if row in prediction_of:
                matched[key] = own[prediction_of[row]]
    status = LandmarkStatus.PREDICTED
    return (
        LandmarkSet.from_points(points, truth.grid),
        LandmarkSet.from_points(matched, predicted.grid, names=tuple(points), status=status),
        owner,
    )


def _require_same_image(truth: LandmarkSet, predicted: LandmarkSet) -> None:
    here, there = truth.grid, predicted.grid
    if here.shape != there.shape or not np.allclose(here.direction, there.direction):
        raise GeometryError(
            f"Truth ({here.shape} pixels) and prediction ({there.shape} pixels) do not lie in the same "
            "image: predict on the image that was annotated."
        )


def _rank(error: float | None) -> float:
    return float("inf") if error is None else error
