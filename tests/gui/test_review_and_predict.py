"""The review by mouse: its order and the image after the open one; predicting the next, and how far long work is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
from one_window import one_window, open_fresh
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QPushButton
from window import SHAPE_2D, SHAPE_3D, SPACING_3D, Canvas, prediction

from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.predicting import LoadedModel

NAMES = ("top", "left", "right", "low", "mid", "far")
SCHEMA = LandmarkSchema.from_names(NAMES).model_copy(update={"pairs": (("left", "right"),)})
#: Where they lie, as shares of the image.
SHARES = {
    2: [(0.2, 0.5), (0.5, 0.2), (0.5, 0.8), (0.8, 0.5), (0.55, 0.45), (0.85, 0.85)],
    3: [(0.2, 0.2, 0.5), (0.4, 0.5, 0.2), (0.4, 0.5, 0.8), (0.6, 0.8, 0.5), (0.7, 0.5, 0.45), (0.8, 0.85, 0.85)],
}
DONE, COUNT = 6, 9
#: The review opens the last image first, and then one that is not beside it in the list of images.
SWAPPED, ODD, UNSURE = "head_6", "head_7", "head_8"


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def images(tmp_path: Path, request: pytest.FixtureRequest) -> list[Path]:
    """Nine black pictures or volumes."""
    paths = []
    for number in range(COUNT):
        if request.param == 2:
            paths.append(tmp_path / f"head_{number}.png")
            PillowImage.fromarray(np.zeros(SHAPE_2D, np.uint8)).save(paths[-1])
        else:
            paths.append(tmp_path / f"head_{number}.nii.gz")
            volume = np.zeros(SHAPE_3D[::-1], np.int16)
            nibabel.save(nibabel.Nifti1Image(volume, np.diag([*SPACING_3D[::-1], 1.0])), paths[-1])
    return paths


@pytest.fixture
def canvas(window: Canvas, tmp_path: Path, images: list[Path]) -> Canvas:
    """Six images that a person did, and three that were predicted, each of them with another fault."""
    window.widget.session.model = None
    canvas = open_fresh(window, tmp_path / "study", SCHEMA, images)
    project, rng = canvas.widget.session.project, np.random.default_rng(0)
    for number, case in enumerate(project.cases):
        grid = project.geometry(case.id).grid
        points = np.array(SHARES[grid.ndim]) * grid.shape + rng.normal(0, 0.2, (len(NAMES), grid.ndim))
        score = np.full(len(NAMES), 0.9)
        if case.id == ODD:
            points[NAMES.index("mid")] = 0.03 * np.array(grid.shape)
            score[0] = 0.8
        if case.id == SWAPPED:
            points[[1, 2]] = points[[2, 1]]
            score[0] = 0.7
        if case.id == UNSURE:
            score[NAMES.index("low")] = 0.1
        status = LandmarkStatus.CONFIRMED if number < DONE else LandmarkStatus.PREDICTED
        landmarks = LandmarkSet(NAMES, points, np.full(len(NAMES), status.value), grid, score)
        if number < DONE:
            project.save_annotations(case.id, landmarks)
        else:
            project.save_predictions(case.id, "m", landmarks)
    canvas.widget.open_project(project.root)
    canvas.widget.session.model = "m"
    canvas.widget.session.open_case("head_0")
    canvas.widget.tabs.setCurrentWidget(canvas.widget.predict)
    canvas.widget.predict._refresh()
    return canvas


def press(qtbot: QtBot, canvas: Canvas, button: QPushButton) -> None:
    canvas.widget.predict.ensureWidgetVisible(button)
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))


@pytest.mark.parametrize("images", [2, 3], indirect=True)
def test_the_review_goes_from_lowest_confidence_over_odd_shapes_to_swapped_sides(canvas: Canvas, qtbot: QtBot) -> None:
    session, panel = canvas.widget.session, canvas.widget.predict.review
    panel._refresh()
    press(qtbot, canvas, panel.look)
    qtbot.waitUntil(lambda: panel.task is None and bool(panel.rows.items))
    found = [(item.case_id, item.landmark) for item in panel.rows.items]
    assert found[:4] == [(UNSURE, "low"), (SWAPPED, "top"), (ODD, "top"), (ODD, "mid")]
    assert found[-1] == (SWAPPED, "left")
    assert (session.case_id, session.current) == (UNSURE, "low")
    reasons = {}
    for row in (0, 3, len(found) - 1):
        where = panel.list.visualRect(panel.rows.index(row))
        panel.list.scrollTo(panel.rows.index(row))
        where = panel.list.visualRect(panel.rows.index(row))
        qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=where.center())
        assert (session.case_id, session.current) == found[row]
        reasons[row] = panel.reason.text()
    assert "least sure of 'low': 10%" in reasons[0]
    assert "'mid' lies elsewhere than usual" in reasons[3]
    assert "'left' and 'right' lie the other way round" in reasons[len(found) - 1]
    point = session.shown.point("left")
    assert session.image.grid.ndim == 2 or canvas.viewer.dims.current_step[0] == round(point[0])


@pytest.mark.parametrize("images", [2], indirect=True)
def test_the_next_image_of_the_review_is_read_ahead_wherever_it_is_in_the_list(canvas: Canvas, qtbot: QtBot) -> None:
    session, panel = canvas.widget.session, canvas.widget.predict.review
    qtbot.waitUntil(lambda: not canvas.widget.upkeep.busy)
    assert not session.images.has(SWAPPED)
    panel._refresh()
    press(qtbot, canvas, panel.look)
    qtbot.waitUntil(lambda: session.case_id == UNSURE)
    qtbot.waitUntil(lambda: session.images.has(SWAPPED))
    assert not session.images.has("head_5")


class FakeModel:
    """Finds one landmark, at (3, 3), once it is let to.

    Attributes:
        seen: the images that it was asked for.
        may_begin: what it waits for.
    """

    info = SimpleNamespace(names=NAMES)

    def __init__(self, canvas: Canvas) -> None:
        self.session = canvas.widget.session
        self.seen: list[object] = []
        self.may_begin = threading.Event()
        self.may_begin.set()

    def load(self, *_: object) -> FakeModel:
        assert self.may_begin.wait(60)
        return self

    def predict(self, image: object, **_: object) -> object:
        self.seen.append(image)
        return prediction(self.session, {"low": np.full(self.session.image.grid.ndim, 3.0)})


@pytest.fixture
def model(canvas: Canvas, monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    fake = FakeModel(canvas)
    monkeypatch.setattr(LoadedModel, "get", fake.load)
    monkeypatch.setattr(Project, "find_model", lambda self, name: self.models_dir / name)
    return fake


@pytest.mark.parametrize("images", [2, 3], indirect=True)
def test_predict_the_next_opens_the_next_unfinished_image_with_points_to_confirm(
    canvas: Canvas, qtbot: QtBot, model: FakeModel
) -> None:
    session, panel = canvas.widget.session, canvas.widget.predict
    press(qtbot, canvas, panel.next)
    qtbot.waitUntil(lambda: panel.task is None and bool(model.seen))
    assert session.case_id == SWAPPED, "the six before are finished"
    assert session.shown.status_of("low") is LandmarkStatus.PREDICTED
    np.testing.assert_allclose(session.shown.point("low"), 3.0)
    assert not session.annotations.placed.any()
    session.set_current("low")
    canvas.hover(np.array(session.image.grid.shape) / 2)
    canvas.key(Qt.Key.Key_F)
    assert Project.open(session.project.root).annotations(SWAPPED).status_of("low") is LandmarkStatus.CONFIRMED


@pytest.mark.parametrize("images", [2, 3], indirect=True)
def test_images_that_are_skipped_as_finished_count_as_done(canvas: Canvas, qtbot: QtBot, model: FakeModel) -> None:
    session, panel = canvas.widget.session, canvas.widget.predict
    session.open_case(ODD)
    for name in session.names:
        session.mark_absent(name)
    steps: list[tuple[int, int, str]] = []
    model.may_begin.clear()
    press(qtbot, canvas, panel.many)
    panel.task.progressed.connect(lambda done, total: steps.append((done, total, panel.told.text())))
    model.may_begin.set()
    qtbot.waitUntil(lambda: panel.task is None)
    assert [step[:2] for step in steps][-1] == (COUNT, COUNT)
    assert {f"{done} of {COUNT} images" for done in range(1, COUNT + 1)} <= {text for *_, text in steps}
    assert len(model.seen) == COUNT - DONE - 1
    assert panel.told.text() == f"{COUNT - DONE - 1} images predicted."
