"""Typical errors: what a model says of one image, and how it errs of a landmark in general, taken together.

A network's covariance of a point tells images apart, but knows little of how hard the landmark is: where annotators
differ, in which direction they do, how often the network takes another place for it. The scatter of the landmark's own
errors knows just that and nothing of the image. Regions from the sum of both are smaller at the same promise: ellipses
of landmarks that are marked along an edge become long, and those of one threshold fit easy and hard landmarks alike.

As with temperatures, the images that tell the scatter set no threshold (see `uncertainty.temperature`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.uncertainty.score import covariances_of, places_of, points_of

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction


class ErrorScatter(BaseModel):
    """How far, and in which direction, a model usually errs of each landmark: what is added to its covariances.

    Attributes:
        scatter: mean of the squared errors of each landmark, ``(D, D)`` along the axes of the image in array order.
        unit: its length, squared: ``"mm"``, or ``"px"`` of images without a spacing.
        of: what it changes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scatter: dict[str, tuple[tuple[float, ...], ...]] = Field(min_length=1, title="Squared errors")
    unit: Literal["mm", "px"] = Field(title="Unit")
    of: Literal["covariance"] = Field("covariance", title="Of")

    @model_validator(mode="after")
    def _are_covariances(self) -> ErrorScatter:
        shapes = {(len(rows), *map(len, rows)) for rows in self.scatter.values()}
        if len(shapes) > 1 or next(iter(shapes)) not in ((2, 2, 2), (3, 3, 3, 3)):
            raise ValueError("the scatter of each landmark must have the dimensions of the images")
        table = np.array(list(self.scatter.values()))
        if not np.allclose(table, table.swapaxes(1, 2)) or (np.linalg.eigvalsh(table) <= 0).any():
            raise ValueError("the scatter of each landmark must be a covariance")
        return self

    @classmethod
    def fit(cls, predictions: Iterable[Prediction], truths: Iterable[LandmarkSet]) -> ErrorScatter:
        """The scatter of the errors of each landmark.

        As if each landmark had been seen ``D`` times more, erring as all do on average and in no direction: so a few
        images give no needle, and a landmark without a true place is taken to be like the others.

        Args:
            predictions: what the model says of images it has not learnt from; none is kept.
            truths: the true places in each, matched by name; missing ones, and points not found, are left out.

        Raises:
            CalibrationError: if no true place has a point that errs, images and truths are not equally many, or some
                have a spacing and others none.
        """
        seen: dict[str, list[FloatArray]] = {}
        units: set[str] = set()
        for prediction, truth in zip_longest(predictions, truths):
            if prediction is None or truth is None:
                raise CalibrationError("A scatter needs the true places of each image, and a prediction of each.")
            grid = prediction.landmarks.grid
            units.add(grid.unit)
            errors = (places_of(truth.truth(), prediction.names) - points_of(prediction.landmarks)) * _lengths(grid)
            for name, error in zip(prediction.names, errors, strict=True):
                seen.setdefault(name, []).extend([error] if np.isfinite(error).all() else [])
        if len(units) > 1:
            raise CalibrationError("Some of the images have a spacing and others none: give all one, or none.")
        known = [error for of_landmark in seen.values() for error in of_landmark]
        typical = float(np.mean(np.square(known))) if known else 0.0
        if not typical:
            raise CalibrationError("Typical errors need true places that differ from the points: add annotated images.")
        ndim = len(known[0])
        prior = ndim * typical * np.eye(ndim)
        scatter = {}
        for name, own in seen.items():
            table = np.reshape(own, (-1, ndim))
            scatter[name] = tuple(map(tuple, ((table.T @ table + prior) / (len(table) + ndim)).tolist()))
        return cls.model_validate({"scatter": scatter, "unit": units.pop()})

    def applied(self, prediction: Prediction) -> Prediction:
        """A prediction with the scatter of each landmark added to its covariance; all else stays as it is.

        Raises:
            CalibrationError: for points without covariances, an image of other dimensions, or one that is measured in
                another unit.
        """
        landmarks, grid = prediction.landmarks, prediction.landmarks.grid
        each = np.array([self.scatter.get(name, self._mean()) for name in prediction.names])
        if grid.unit != self.unit or each.shape[-1] != grid.ndim:
            raise CalibrationError(
                f"The typical errors of this model are those of {each.shape[-1]}D images in {self.unit}, and this one "
                f"is {grid.ndim}D in {grid.unit}: calibrate it again for such images."
            )
        lengths = _lengths(grid)
        widened = covariances_of(landmarks) + each / np.multiply.outer(lengths, lengths)
        return replace(
            prediction, landmarks=replace(landmarks, covariance=widened.reshape(*landmarks.points.shape, -1))
        )

    def _mean(self) -> list[list[float]]:
        """Of a landmark that is not among them."""
        mean: list[list[float]] = np.mean(list(self.scatter.values()), axis=0).tolist()
        return mean


def _lengths(grid: Grid) -> FloatArray:
    """Of a pixel along each axis: mm, or 1 px without a spacing."""
    return np.asarray(grid.spacing or (1.0,) * grid.ndim)
