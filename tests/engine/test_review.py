"""`review`: what should be looked at first, found in projects in which we know what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.review import ReviewKind, review
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.shape_model import ShapeModel

NAMES = ("crown", "left", "right", "chin", "brow left", "brow right", "nose")
FACE = np.array([(20, 100), (100, 40), (100, 160), (190, 100), (60, 55), (60, 145), (120, 100)], dtype=float)
PAIRS = (("left", "right"), ("brow left", "brow right"))


def faces(count: int, seed: int, ndim: int = 2) -> np.ndarray:
    """Faces of several sizes at several places, all upright, each point off by about a pixel."""
    rng = np.random.default_rng(seed)
    face = FACE - FACE.mean(axis=0)
    if ndim == 3:
        face = np.column_stack([np.linspace(-20, 20, len(face)), face])
    size, place = rng.uniform(0.7, 1.0, (count, 1, 1)), rng.uniform(95, 105, (count, 1, ndim))
    return face * size + place + rng.normal(0, 1, (count, *face.shape))


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    return (points - 100) @ turn.T + 100


@pytest.mark.parametrize("ndim", [2, 3])
@settings(max_examples=15, deadline=None)
@given(row=st.integers(0, len(NAMES) - 1), angle=st.floats(0, 6.28), seed=st.integers(0, 1000))
def test_the_misplaced_landmark_is_found_and_no_other(ndim: int, row: int, angle: float, seed: int) -> None:
    model = ShapeModel(faces(30, 1, ndim))
    (points,) = faces(1, seed, ndim)
    points[:, -2:] = turned(points[:, -2:], angle)
    assert model.misfits(points, 6.0) == []
    points[row, -1] += 60
    assert [misfit.row for misfit in model.misfits(points, 6.0)] == [row]


def test_how_far_off_a_distance_is_by_hand() -> None:
    references = np.array([[(0.0, 0), (0, 10 + d)] for d in (-0.2, -0.1, 0, 0, 0.1, 0.2)])
    model = ShapeModel(references)
    (misfit,) = model.misfits(np.array([(0.0, 0), (0, 20)]), 4.0)
    # usual 10 px, spread below its least value of 3 %: log(20 / 10) / 0.03
    assert misfit.z == pytest.approx(np.log(2) / 0.03, rel=1e-3)
    assert misfit.share == pytest.approx(1.0, rel=1e-3)
    assert model.misfits(np.array([(5.0, 5), (5, 15)]), 4.0) == []
    assert model.misfits(np.array([(np.nan, np.nan), (5, 15)]), 4.0) == []


def test_mistakes_among_the_references_do_no_harm() -> None:
    references = faces(30, 2)
    references[:4, 3] += 50
    (points,) = faces(1, 5)
    points[0, 1] -= 60
    assert [misfit.row for misfit in ShapeModel(references).misfits(points, 6.0)] == [0]
    assert ShapeModel(references).misfits(faces(1, 6)[0], 6.0) == []


def test_sides_are_told_apart_where_images_lie_alike_and_where_they_do_not() -> None:
    for turns in (np.zeros(20), np.linspace(0, 6, 20)):
        references = np.stack([turned(face, angle) for face, angle in zip(faces(20, 3), turns, strict=True)])
        references[:, 4] -= 15  # not symmetric, so that distances tell the sides apart
        model = ShapeModel(references)
        right = references[7]
        assert not model.is_swapped(right, 4, 5, 4.0)
        wrong = right.copy()
        wrong[[4, 5]] = right[[5, 4]]
        assert model.is_swapped(wrong, 4, 5, 4.0)


# ---- in a project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    paths = [tmp_path / f"{number}.png" for number in range(10)]
    for path in paths:
        PillowImage.fromarray(np.zeros((200, 200), np.uint8)).save(path)
    schema = LandmarkSchema.parse({"landmarks": [{"name": n} for n in NAMES], "pairs": PAIRS})
    project = create_project(tmp_path / "project", schema, paths, spacing=(0.5, 0.5))
    for case, points in zip(project.cases, faces(10, 4), strict=True):
        grid = project.geometry(case.id).grid
        if case.id < "7":
            placed = LandmarkSet.from_points(dict(zip(NAMES, points, strict=True)), grid, names=NAMES)
            project.save_annotations(case.id, placed)
        else:
            predict(project, case.id, points, 0.9)
    return project


def predict(project: Project, case_id: str, points: np.ndarray, score: float, **scores: float) -> None:
    grid = project.geometry(case_id).grid
    given = dict.fromkeys(NAMES, score) | scores
    landmarks = LandmarkSet.from_points(
        dict(zip(NAMES, points, strict=True)), grid, names=NAMES, status=LandmarkStatus.PREDICTED, score=given
    )
    project.save_predictions(case_id, "m", landmarks)


def test_the_least_certain_landmark_of_each_image_comes_first(project: Project) -> None:
    predict(project, "8", faces(1, 8)[0], 0.9, nose=0.31)
    predict(project, "9", faces(1, 9)[0], 0.9, chin=0.2, nose=0.1)
    grid = project.geometry("9").grid
    project.save_annotations("9", LandmarkSet.empty(NAMES, grid).without_point("nose", LandmarkStatus.ABSENT))
    told: list[tuple[int, int]] = []
    items = review(project, "m", progress=lambda *done: told.append(done))
    assert [(i.case_id, i.landmark) for i in items] == [("9", "chin"), ("8", "nose"), ("7", "crown")]
    assert {i.kind for i in items} == {ReviewKind.CONFIDENCE}
    assert items[1].severity == pytest.approx(0.69)
    assert items[1].reason == "Of this image's points the model is least sure of 'nose': 31%."
    assert told[-1] == (10, 10)


def test_a_large_region_an_outlier_and_swapped_sides_are_told_in_words(project: Project) -> None:
    far = faces(1, 8)[0]
    far[3] = (60, 180)
    predict(project, "8", far, 0.9)
    swapped = faces(1, 9)[0]
    swapped[[1, 2]] = swapped[[2, 1]]
    predict(project, "9", swapped, 0.9)
    sizes = {"7": 4.0, "8": 4.0, "9": 12.0}
    items = review(project, "m", region_mm=lambda case_id, _: {"nose": sizes[case_id]})
    other = [item for item in items if item.kind is not ReviewKind.CONFIDENCE]
    assert [(i.case_id, i.landmark, i.kind) for i in other] == [
        ("9", "nose", ReviewKind.REGION),
        ("8", "chin", ReviewKind.SHAPE),
        ("9", "left", ReviewKind.SWAP),
    ]
    assert other[0].reason == "The region of 'nose' is 12.0 mm large here, and 4.0 mm in most images."
    assert "compared with 7 images that persons did" in other[1].reason
    assert "'left' and 'right' lie the other way round" in other[2].reason


def test_few_done_images_say_nothing_of_shapes_and_a_broken_file_stops_nothing(project: Project) -> None:
    for case_id in "56":
        project.annotation_path(case_id).write_text("{", encoding="utf-8")
    far = faces(1, 8)[0]
    far[3] = (60, 180)
    predict(project, "8", far, 0.9)
    assert {item.kind for item in review(project, "m")} == {ReviewKind.CONFIDENCE}
