"""Typical errors: what a model says of one image, and how it errs of a landmark in general, taken together.

A network's covariance of a point tells images apart, but knows little of how hard the landmark is: where annotators
differ, in which direction they do, how often the network takes another place for it. The scatter of the landmark's own
errors knows just that and nothing of the image. Regions from a weighted sum of both are smaller at the same promise:
ellipses of landmarks that are marked along an edge become long, and those of one threshold fit easy and hard landmarks
alike. The two weights are common to all landmarks: those under which the errors are most likely, were they Gaussian and
each measured by the scatter of the others.

As with temperatures, the images that tell the scatter set no threshold (see `uncertainty.temperature`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.uncertainty.score import covariances_of, places_of, points_of

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction

#: Of all weights that are tried.
LEAST, MOST = 1e-3, 1e3


class ErrorScatter(BaseModel):
    """How far, and in which direction, a model usually errs of each landmark, and how much that weighs.

    Attributes:
        scatter: mean of the squared errors of each landmark, ``(D, D)`` along the axes of the image in array order.
        unit: its length, squared: ``"mm"``, or ``"px"`` of images without a spacing.
        typical: weight of the scatter.
        stated: weight of the covariance that the model states.
        of: what it changes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scatter: dict[str, tuple[tuple[float, ...], ...]] = Field(min_length=1, title="Squared errors")
    unit: Literal["mm", "px"] = Field(title="Unit")
    typical: float = Field(1.0, ge=LEAST, le=MOST, title="Weight of typical errors")
    stated: float = Field(1.0, ge=LEAST, le=MOST, title="Weight of what the model states")
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
        """The scatter of the errors of each landmark, and the weights.

        As if each landmark had been seen ``D`` times more, erring as all do on average and in no direction: so a few
        images give no needle, and a landmark without a true place is taken to be like the others.

        Args:
            predictions: what the model says of images it has not learnt from; none is kept.
            truths: the true places in each, matched by name; missing ones, and points not found, are left out.

        Raises:
            CalibrationError: if no true place has a point that errs, points come without covariances, images and
                truths are not equally many, or some images have a spacing and others none.
        """
        seen: dict[str, list[tuple[FloatArray, FloatArray]]] = {}
        units: set[str] = set()
        for prediction, truth in zip_longest(predictions, truths):
            if prediction is None or truth is None:
                raise CalibrationError("A scatter needs the true places of each image, and a prediction of each.")
            landmarks, lengths = prediction.landmarks, _lengths(prediction.landmarks.grid)
            units.add(landmarks.grid.unit)
            errors = (places_of(truth.truth(), prediction.names) - points_of(landmarks)) * lengths
            stated = covariances_of(landmarks) * np.multiply.outer(lengths, lengths)
            for name, error, own in zip(prediction.names, errors, stated, strict=True):
                known = np.isfinite(error).all() and np.isfinite(own).all()
                seen.setdefault(name, []).extend([(error, own)] if known else [])
        if len(units) > 1:
            raise CalibrationError("Some of the images have a spacing and others none: give all one, or none.")
        errors = np.array([error for of_landmark in seen.values() for error, _ in of_landmark])
        if not errors.any():
            raise CalibrationError("Typical errors need true places that differ from the points: add annotated images.")
        covariances = np.array([own for of_landmark in seen.values() for _, own in of_landmark])
        of = np.repeat(np.arange(len(seen)), list(map(len, seen.values())))
        scatter, others = _scatters(errors, of, len(seen))
        typical, stated_weight = _weights(errors, others, covariances)
        tables = {name: tuple(map(tuple, table.tolist())) for name, table in zip(seen, scatter, strict=True)}
        return cls.model_validate({"scatter": tables, "unit": units.pop(), "typical": typical, "stated": stated_weight})

    def applied(self, prediction: Prediction) -> Prediction:
        """A prediction whose covariances are joined by the scatter of each landmark; all else stays as it is.

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
        joined = self.stated * covariances_of(landmarks) + self.typical * each / np.multiply.outer(lengths, lengths)
        shape = (*landmarks.points.shape, grid.ndim)
        return replace(prediction, landmarks=replace(landmarks, covariance=joined.reshape(shape)))

    def _mean(self) -> list[list[float]]:
        """Of a landmark that is not among them."""
        mean: list[list[float]] = np.mean(list(self.scatter.values()), axis=0).tolist()
        return mean


def _lengths(grid: Grid) -> FloatArray:
    """Of a pixel along each axis: mm, or 1 px without a spacing."""
    return np.asarray(grid.spacing or (1.0,) * grid.ndim)


def _scatters(errors: FloatArray, of: npt.NDArray[np.int64], landmarks: int) -> tuple[FloatArray, FloatArray]:
    """The scatter of each landmark ``(L, D, D)``, and of each error ``(N, D)`` that of its landmark's others."""
    ndim = errors.shape[1]
    squares = errors[:, :, None] * errors[:, None, :]
    total = np.zeros((landmarks, ndim, ndim))
    np.add.at(total, of, squares)
    count = np.bincount(of, minlength=landmarks)[:, None, None] + ndim
    total += ndim * float(np.mean(np.square(errors))) * np.eye(ndim)
    return total / count, (total[of] - squares) / (count[of] - 1)


def _weights(errors: FloatArray, scatter: FloatArray, stated: FloatArray) -> tuple[float, float]:
    """The weights of the scatter and of what is stated, each ``(N, D, D)``, under which errors are most likely."""
    from scipy import optimize  # slow to load

    ndim = errors.shape[1]
    stated = stated + np.eye(ndim) * (np.trace(scatter, axis1=1, axis2=2) / ndim * LEAST)[:, None, None]  # not singular

    def unlikely(logs: FloatArray) -> float:
        typical, own = np.exp(logs)
        joined = typical * scatter + own * stated
        squared = np.einsum("ni,ni->n", errors, np.linalg.solve(joined, errors[..., None])[..., 0])
        return float((squared + np.linalg.slogdet(joined).logabsdet).mean() + np.square(logs).sum() / len(errors))

    found = optimize.minimize(unlikely, np.zeros(2), method="Nelder-Mead", bounds=[np.log([LEAST, MOST])] * 2)
    typical, own = np.exp(found.x)
    return float(np.clip(typical, LEAST, MOST)), float(np.clip(own, LEAST, MOST))
