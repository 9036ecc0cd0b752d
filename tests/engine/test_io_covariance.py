"""Covariances of predictions in annotation files: in the order and unit of the positions, and read back the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic import make_project

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import read_landmarks, write_landmarks
from napari_landmarker.engine.io.convert import convert
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project

FLAT = Grid((20, 30), (0.5, 0.25))
#: a quarter turn about z: a step along x of the image leads along y of the world
TURNED = Grid(
    (20, 30, 40), (3.0, 1.5, 0.5), np.array([-10.0, 20.0, 5.0]), np.array([[0.0, -1, 0], [0, 0, 1], [1, 0, 0]])
)
#: variance of each axis of the image, last axis first, and one covariance; the second landmark is not found
SPREAD = {2: np.array([[4.0, 0.5], [0.5, 1.0]]), 3: np.array([[9.0, 0, 0], [0, 4.0, 0.5], [0, 0.5, 1.0]])}


def predicted(grid: Grid) -> LandmarkSet:
    points = np.full((3, grid.ndim), 5.0)
    points[1] = np.nan
    status = ["predicted", "unplaced", "predicted"]
    covariance = np.stack([SPREAD[grid.ndim], np.full((grid.ndim,) * 2, np.nan), np.eye(grid.ndim) / 3])
    return LandmarkSet(("a", "b", "c"), points, np.array(status), grid, np.array([0.5, 0, 0.25]), covariance)


def path_of(folder: Path, grid: Grid) -> Path:
    return folder / ("a.json" if grid.ndim == 2 else "a.mrk.json")


def points_in(path: Path) -> list[dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return content["shapes"] if "shapes" in content else content["markups"][0]["controlPoints"]


def test_what_is_written(tmp_path: Path) -> None:
    write_landmarks(predicted(FLAT), tmp_path / "a.json")
    assert [shape.get("covariance") for shape in points_in(tmp_path / "a.json")] == [
        [[1.0, 0.5], [0.5, 4.0]],
        [[1 / 3, 0.0], [0.0, 1 / 3]],
    ]
    # x of the world is minus y of the image (1.5 mm), y is x of the image (0.5 mm), z is z (3 mm)
    by_hand = [[4 * 1.5**2, -0.5 * 1.5 * 0.5, 0], [-0.5 * 1.5 * 0.5, 1 * 0.5**2, 0], [0, 0, 9 * 3.0**2]]
    write_landmarks(predicted(TURNED), tmp_path / "a.mrk.json")
    first, nowhere, _ = points_in(tmp_path / "a.mrk.json")
    np.testing.assert_allclose(first["covariance"], by_hand, atol=1e-12)
    assert "covariance" not in nowhere


@pytest.mark.parametrize("grid", [FLAT, TURNED, Grid((20, 30, 40))], ids=["2D", "3D", "3D without spacing"])
def test_a_round_trip_in_every_frame(tmp_path: Path, grid: Grid) -> None:
    given, path = predicted(grid), path_of(tmp_path, grid)
    write_landmarks(given, path)
    read = read_landmarks(path, grid, given.names)
    assert read.covariance is not None
    np.testing.assert_allclose(read.covariance, given.covariance, rtol=1e-13, atol=1e-13)
    assert read.covariance_of("b") is None
    write_landmarks(read.with_point("a", [1.0] * grid.ndim), path)  # a person moved it: how unsure it was is history
    assert all("covariance" not in point for point in points_in(path))
    assert read_landmarks(path, grid, given.names).covariance is None


def a_list(system: str, sign: float) -> dict[str, Any]:
    """One predicted point in a frame whose x and y are those of LPS times ``sign``."""
    turn = np.diag([sign, sign, 1.0])
    covariance = turn @ np.array([[4.0, 0.5, 0.25], [0.5, 1.0, 0.125], [0.25, 0.125, 9.0]]) @ turn
    point = {
        "id": "1",
        "label": "a",
        "position": [-7.0 * sign, 26.0 * sign, 11.0],
        "status": "predicted",
        "covariance": covariance.tolist(),
    }
    markup = {"type": "Fiducial", "coordinateSystem": system, "coordinateUnits": "mm", "controlPoints": [point]}
    return {"markups": [markup]}


def test_a_list_in_ras_keeps_its_own_frame(tmp_path: Path) -> None:
    found = {}
    for system, sign in (("LPS", 1.0), ("RAS", -1.0)):
        path = tmp_path / f"{system}.mrk.json"
        path.write_text(json.dumps(a_list(system, sign)), encoding="utf-8")
        found[system] = read_landmarks(path, TURNED, ["a"])
        write_landmarks(found[system], path)
        np.testing.assert_allclose(
            points_in(path)[0]["covariance"], points_in_list(a_list(system, sign))["covariance"], atol=1e-12
        )
    np.testing.assert_allclose(found["LPS"].covariance, found["RAS"].covariance, atol=1e-12)
    # x of the image (0.5 mm) is y of the world, y of the image (1.5 mm) is minus x of the world
    by_hand = [9 / 3**2, -0.25 / 3 / 1.5, 0.125 / 3 / 0.5], [-0.25 / 3 / 1.5, 4 / 1.5**2, -0.5 / 1.5 / 0.5]
    np.testing.assert_allclose(found["LPS"].covariance[0, :2], by_hand, atol=1e-12)  # type: ignore[index]


def points_in_list(content: dict[str, Any]) -> dict[str, Any]:
    (point,) = content["markups"][0]["controlPoints"]
    return dict(point)


@pytest.mark.parametrize(
    "wrong", [1, [1, 2], [[1, 2], [3, 4]], [[1, 0]], [[-1, 0], [0, 1]], [[1, 0], [0, "1"]], [[1, 2], [2, 1]]]
)
def test_a_covariance_that_cannot_be(tmp_path: Path, wrong: object) -> None:
    path = tmp_path / "a.json"
    write_landmarks(predicted(FLAT), path)
    content = json.loads(path.read_text(encoding="utf-8"))
    content["shapes"][0]["covariance"] = wrong
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(AnnotationError, match="'a' a covariance that cannot be"):
        read_landmarks(path, FLAT, ["a", "b", "c"])


def test_a_conversion_says_that_it_is_lost(tmp_path: Path) -> None:
    write_landmarks(predicted(FLAT), tmp_path / "a.json")
    lost = convert(tmp_path / "a.json", tmp_path / "a.csv").lost
    assert "The covariances of 2 points." in lost
    assert convert(tmp_path / "a.json", tmp_path / "b.json").lost == ()


@pytest.mark.parametrize("ndim", [2, 3])
def test_predictions_of_a_project_keep_theirs(tmp_path: Path, ndim: int) -> None:
    project, _ = make_project(tmp_path, ndim=ndim, count=1, spacing=(2.0, 1.5, 0.5)[-ndim:])
    case = project.cases[0].id
    grid = project.geometry(case).grid
    covariance = SPREAD[ndim][None]
    one = LandmarkSet(("dark",), np.full((1, ndim), 7.0), np.array(["predicted"]), grid, covariance=covariance)
    project.save_predictions(case, "m", one.reordered(project.schema.names))
    read = Project.open(project.root).predictions(case, "m")
    assert read is not None
    assert read.covariance is not None
    assert read.status_of("dark") is LandmarkStatus.PREDICTED
    np.testing.assert_allclose(read.covariance_of("dark"), covariance[0], rtol=1e-13)
    assert read.covariance_of("bright") is None
