"""How far apart raters are, by hand-computed distances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.comparing import agreement, distances

NAMES = ("a", "b", "c")


@pytest.mark.parametrize(
    ("spacing", "apart"), [(None, 5.0), ((2.0, 0.5), 5 * np.sqrt((3 * 2 / 5) ** 2 + (4 * 0.5 / 5) ** 2))]
)
def test_distances_are_in_the_unit_of_the_image(spacing: tuple[float, float] | None, apart: float) -> None:
    grid = Grid((50, 60), spacing)
    own = LandmarkSet.from_points({"a": (10, 10), "b": (5, 5)}, grid, names=NAMES)
    other = LandmarkSet.from_points({"c": (1, 1), "a": (13, 14)}, grid, names=NAMES)
    assert distances(own, other) == {"a": pytest.approx(apart)}


def test_distances_of_a_volume_with_thick_slices() -> None:
    grid = Grid((9, 20, 20), (5.0, 0.5, 0.5))
    own = LandmarkSet.from_points({"a": (4, 10, 10)}, grid, names=NAMES)
    other = LandmarkSet.from_points({"a": (5, 10, 10)}, grid, names=NAMES)
    assert distances(own, other) == {"a": 5.0}
    assert distances(own, None) == distances(None, other) == {}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three images; one rater annotated all, the other two of them."""
    for number in range(3):
        PillowImage.fromarray(np.zeros((40, 50), np.uint8)).save(tmp_path / f"image_{number}.png")
    images = sorted(tmp_path.glob("*.png"))
    made = create_project(tmp_path / "study", LandmarkSchema.from_names(NAMES), images)
    grid = Grid((40, 50))
    for number, case in enumerate(made.cases):
        own = LandmarkSet.from_points({"a": (10, 10), "b": (20, 20)}, made.annotations(case.id).grid, names=NAMES)
        made.save_annotations(case.id, own, "one")
        if number < 2:
            grid = own.grid
            points = {"a": (10, 13 + number)} if number else {"a": (10, 13), "c": (1, 1)}
            made.save_annotations(case.id, LandmarkSet.from_points(points, grid, names=NAMES), "two")
    return made


def test_agreement_counts_only_what_both_placed(project: Project) -> None:
    seen: list[tuple[int, int]] = []
    found = agreement(project, "one", "two", lambda done, total: seen.append((done, total)))
    overall = found.evaluation.overall
    assert (overall.n, overall.missed, overall.mean, overall.max) == (2, 0, 3.5, 4.0)
    assert (found.only_one, found.only_other) == (2, 1)
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    back = agreement(project, "two", "one")
    assert (back.evaluation.overall.mean, back.only_one, back.only_other) == (3.5, 1, 2)


def test_raters_with_nothing_in_common_are_told(project: Project) -> None:
    with pytest.raises(LandmarkerError, match="one and three placed no landmark in the same image"):
        agreement(project, "one", "three")
