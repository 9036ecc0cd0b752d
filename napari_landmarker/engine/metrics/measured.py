"""The measurements of one image as they are shown to a person: value, unit, and how far from the norm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.metrics.measurements import MeasurementUnit, measure, unit_of
from napari_landmarker.engine.schema import Measurement


@dataclass(frozen=True)
class Measured:
    """One measurement in one image.

    Attributes:
        measurement: what was measured.
        value: its value; None where a point is missing or it is not defined.
        unit: of the value; ``"px"`` for lengths where the spacing is not known.
        square_pixels: whether pixels were taken as square, as the image states no spacing.
        predicted: whether a point of it is a model's, which no person has agreed with yet.
        missing: landmarks of it that have no point.
    """

    measurement: Measurement
    value: float | None
    unit: MeasurementUnit
    square_pixels: bool
    predicted: bool
    missing: tuple[str, ...]

    @property
    def comparable(self) -> bool:
        """Whether value and norm are in the same unit: never for lengths in px."""
        return self.unit != "px" and self.measurement.norm is not None

    @property
    def off(self) -> float | None:
        """Value less norm; None where they cannot be compared."""
        norm = self.measurement.norm
        return None if self.value is None or norm is None or not self.comparable else self.value - norm

    @property
    def deviations(self) -> float | None:
        """How many deviations the value is above the norm, below 0 under it; None where that cannot be said."""
        off, deviation = self.off, self.measurement.deviation
        return None if off is None or deviation is None else off / deviation


def measurements_of(landmarks: LandmarkSet, measurements: Iterable[Measurement]) -> tuple[Measured, ...]:
    """Measure one image; cheap enough to be done at every step of a drag.

    Args:
        landmarks: one point a landmark; a landmark that a measurement needs and that is not among them is missing.
        measurements: of the schema.

    Raises:
        GeometryError: if landmarks have several points each.
    """
    return tuple(_measured(measurement, landmarks) for measurement in measurements)


def _measured(measurement: Measurement, landmarks: LandmarkSet) -> Measured:
    names = tuple(dict.fromkeys(measurement.landmarks))
    known = [name for name in names if name in landmarks.names]
    status = {name: landmarks.status_of(name) for name in known}
    missing = tuple(name for name in names if name not in status or not status[name].has_point)
    return Measured(
        measurement,
        None if missing else measure(measurement, landmarks),
        unit_of(measurement, "px" if landmarks.grid.spacing is None else "mm"),
        landmarks.grid.spacing is None,
        LandmarkStatus.PREDICTED in status.values(),
        missing,
    )
