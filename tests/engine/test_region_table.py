"""regions.csv: every landmark of every image has a row, and one without a region says why."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.predict.region_table import region_header, region_rows
from napari_landmarker.engine.uncertainty import Calibration, CalibrationConfig, EuclideanScore

NAMES = ("nasion", "sella")
SHAPE, SPACING = {2: (40, 60), 3: (10, 40, 60)}, {2: (0.5, 0.25), 3: (2.0, 0.5, 0.25)}


def calibrated(ndim: int) -> Calibration:
    """Regions in mm, of one image of which both points are off by 2 mm."""
    config = CalibrationConfig(score=EuclideanScore())
    return Calibration.from_scores(config, NAMES, ndim, [np.full((2, 1), 2.0)] * 19, "mm", "19 images")


def rows(ndim: int, spacing: tuple[float, ...] | None, confidence: float, shape: int | None = None) -> list[dict]:
    """The rows of an image, of which the table has the columns of an image of ``ndim`` dimensions."""
    image = Image.from_array(np.zeros(SHAPE[shape or ndim], np.uint8), Grid(SHAPE[shape or ndim], spacing))
    at = dict.fromkeys(NAMES, (5.0, 20.0, 30.0)[-image.grid.ndim :])
    found = LandmarkSet.from_points(at, image.grid, names=NAMES, status=LandmarkStatus.PREDICTED)
    prediction = Prediction(found, np.zeros((2, *image.grid.shape), np.float32), AffineMap.identity(image.grid.shape))
    made = region_rows("head.png", prediction, image.geometry, calibrated(ndim), confidence)
    header = region_header(image.grid.ndim)
    assert all(len(row) == len(header) for row in made)
    return [dict(zip(header, row, strict=True)) for row in made]


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_region_in_mm_gives_no_reason(ndim: int) -> None:
    for row in rows(ndim, SPACING[ndim], 0.9):
        size = math.pi * 2**2 if ndim == 2 else 4 / 3 * math.pi * 2**3
        assert float(row["size"]) == pytest.approx(size, rel=1e-4)
        assert (row["unit"], row["reason"]) == ({2: "mm²", 3: "mm³"}[ndim], "")
        assert (float(row["min_x"]), float(row["max_x"])) == (30 - 2 / 0.25, 30 + 2 / 0.25)


@pytest.mark.parametrize("ndim", [2, 3])
def test_an_image_without_spacing_has_rows_without_a_size_that_say_why(ndim: int) -> None:
    made = rows(ndim, None, 0.9)
    assert [row["landmark"] for row in made] == list(NAMES)
    for row in made:
        assert (row["image"], row["confidence"], row["shape"]) == ("head.png", "0.9", "none")
        assert {row[column] for column in row if column[:4] in ("size", "unit", "min_", "max_")} == {""}
        assert "calibrated in mm, but this image is measured in px" in row["reason"]


def test_an_image_of_other_dimensions_says_so() -> None:
    assert {row["reason"] for row in rows(3, None, 0.9, shape=2)} == {
        "These regions were calibrated on 3D images; this one is 2D."
    }


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_region_that_is_the_whole_image_says_why(ndim: int) -> None:
    for row in rows(ndim, SPACING[ndim], 0.99):
        assert row["shape"] == "whole image"
        assert "it takes 99 images" in row["reason"]
