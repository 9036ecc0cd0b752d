"""What the regions of a model are in the window: where they come from, and what they promise in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict.calibration_file import CALIBRATION, StoredCalibration
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.uncertainty import Calibration, DensityScore, EuclideanScore, RankScore, Region
from napari_landmarker.state.prediction import PredictionLike

#: What is promised unless a person asks for something else.
USUAL_CONFIDENCE = 0.95


@dataclass(frozen=True)
class CalibrationKey:
    """Which calibration of which model: another one if its file is written again."""

    folder: Path
    written: float

    @classmethod
    def of(cls, folder: Path) -> CalibrationKey:
        """The key of a model folder; `written` is 0 where nothing was calibrated."""
        path = folder / CALIBRATION
        return cls(folder, path.stat().st_mtime if path.exists() else 0.0)


@dataclass(frozen=True, eq=False)
class ModelRegions:
    """What a model promises.

    Attributes:
        key: of the calibration.
        stored: the calibration, or why there is none.
    """

    key: CalibrationKey
    stored: StoredCalibration

    @property
    def calibration(self) -> Calibration | None:
        """The calibration, None where there is none that can be used."""
        return self.stored.calibration


def regions_of(
    calibration: Calibration, predictions: LandmarkSet | None, fresh: PredictionLike | None, confidence: float
) -> dict[str, Region]:
    """The region of each landmark that the model was calibrated for and says something of.

    Args:
        calibration: of the model.
        predictions: its points in the open image, from memory or from disk; None where it was not predicted.
        fresh: the same with its heatmaps, where the image was predicted while it was open.
        confidence: what is promised.

    Raises:
        CalibrationError: one sentence on why there are none for these points.
    """
    if fresh is not None:
        said = Prediction(fresh.landmarks, fresh.heatmaps, fresh.to_heatmap)
    elif predictions is None:
        return {}
    else:
        said = from_disk(calibration, predictions)
    return {name: region for name, region in calibration.regions(said, confidence).items() if name in calibration.names}


def from_disk(calibration: Calibration, predictions: LandmarkSet) -> Prediction:
    """Saved points as a prediction without heatmaps.

    Raises:
        CalibrationError: if the regions of the model need more than was saved.
    """
    if isinstance(calibration.config.score, DensityScore | RankScore):
        raise CalibrationError("The regions of this model need its heatmaps: predict this image to see them.")
    if predictions.covariance is None and not isinstance(calibration.config.score, EuclideanScore):
        raise CalibrationError(
            "These points were saved without how far they may be off: predict this image again to see their regions."
        )
    shape = predictions.grid.shape
    return Prediction(
        predictions, np.empty((len(predictions.names), *(0 for _ in shape)), np.float32), AffineMap.identity(shape)
    )


def promise_of(calibration: Calibration, confidence: float) -> str:
    """What the regions promise, in plain words."""
    percent = f"{100 * confidence:g}"
    if calibration.config.joint:
        promise = f"In {percent} of 100 such images, the true points of all landmarks lie inside their regions."
    elif calibration.config.landmarks == "pooled":
        promise = f"Of 100 landmarks in such images, the true points of {percent} lie inside their regions."
    else:
        promise = f"In {percent} of 100 such images, the true point of a landmark lies inside its region."
    if calibration.config.calibrator == "parametric":
        return f"If the model is as sure as it should be: {promise[0].lower()}{promise[1:]}"
    if calibration.crossed:
        return f"As a rule, though cross-validation does not prove it: {promise[0].lower()}{promise[1:]}"
    return promise


def size_of(region: Region) -> str:
    """The size of a region in words, such as ``"14.2 mm²"``."""
    return f"{region.size:,.0f} {region.unit}" if region.size >= 100 else f"{region.size:.3g} {region.unit}"


def sizes_of(regions: Mapping[str, Region], current: str | None) -> list[str]:
    """How large regions are: that of the current landmark, the largest, and those that are the whole image."""
    limited = {name: region for name, region in regions.items() if not region.whole}
    said = []
    if current in limited:
        said.append(f"The region of {current} is {size_of(limited[current])} large.")
    largest = max(limited, key=lambda name: limited[name].size, default=None)
    if largest is not None and largest != current:
        said.append(f"The largest here is that of {largest}, {size_of(limited[largest])}.")
    unlimited = [name for name in regions if name not in limited]
    if unlimited:
        told = unlimited[0] if current not in unlimited else str(current)
        more = f" So it is for {len(unlimited) - 1} more." if len(unlimited) > 1 else ""
        said.append(f"{told} may be anywhere in the image: {regions[told].reason}{more}")
    return said


def width_mm(region: Region) -> float | None:
    """The diameter of a disc or ball as large as a region, in mm; None where the spacing is not known."""
    if region.grid.spacing is None:
        return None
    return float(2 * np.sqrt(region.size / pi) if region.grid.ndim == 2 else 2 * np.cbrt(0.75 * region.size / pi))
