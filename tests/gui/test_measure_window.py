"""The measurements beside and on the image, by mouse and keys; one behaviour a test."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Points, Vectors
from one_window import one_window, open_fresh
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from window import SHAPE_2D, SPACING_3D, Canvas, prediction

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.io.isbi import ISBI_NAMES
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.modes import LabelMode

K = Qt.Key
SCHEMA = LandmarkSchema.parse(
    {
        "landmarks": [{"name": name} for name in ("nasion", "sella", "menton")],
        "measurements": [
            {"name": "depth", "kind": "distance", "landmarks": ("nasion", "sella"), "norm": 20, "deviation": 5},
            {"name": "bend", "kind": "angle", "landmarks": ("nasion", "sella", "menton"), "norm": 60, "deviation": 10},
        ],
    }
)


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two pictures that most tests share, as opening one takes longer than they do."""
    folder = tmp_path_factory.mktemp("shared")
    paths = [folder / f"head_{number}.png" for number in range(2)]
    for path in paths:
        PillowImage.fromarray(np.random.default_rng(0).integers(0, 255, SHAPE_2D, dtype=np.uint8)).save(path)
    return create_project(folder / "study", SCHEMA, paths).root


@pytest.fixture
def flat(window: Canvas, study: Path) -> Canvas:
    """A picture of unknown pixel size; nasion and sella lie 40 px apart, menton at a right angle."""
    session = window.widget.session
    if session.project is None or session.project.root != study:
        window.widget.open_project(study)
        window.viewer.reset_view()
    session.model = None
    session.open_case("head_0")
    return ready(window, ((20, 60), (60, 60), (60, 90)))


@pytest.fixture
def own(window: Canvas, tmp_path: Path, images_2d: list[Path]) -> Canvas:
    """As `flat`, in a project of its own."""
    open_fresh(window, tmp_path / "study", SCHEMA, images_2d)
    return ready(window, ((20, 60), (60, 60), (60, 90)))


def ready(canvas: Canvas, points: Sequence[Sequence[float]]) -> Canvas:
    """Place all landmarks, draw nothing and look at the page of measurements."""
    session, measures = canvas.widget.session, canvas.widget.canvas.actions.measures
    measures.choose(())
    measures.draw_all(False)
    session.set_mode(LabelMode.QUICK)
    for name, point in zip(session.names, points, strict=True):
        if session.annotations.point(name).tolist() != list(point):
            session.set_current(name)
            session.place(point)
    session.set_mode(LabelMode.SEQUENTIAL)
    canvas.widget.tabs.setCurrentWidget(canvas.widget.measure)
    canvas.native.setFocus()
    QApplication.processEvents()
    return canvas


@pytest.fixture
def solid(window: Canvas, tmp_path: Path, images_3d: list[Path]) -> Canvas:
    """A volume with nasion and menton on slice 2, sella on slice 4."""
    open_fresh(window, tmp_path / "study", SCHEMA, images_3d)
    return ready(window, ((2, 10, 10), (4, 10, 10), (2, 10, 50)))


def cells(canvas: Canvas, name: str) -> tuple[str, str, str]:
    """Value, deviations and norm of a row."""
    model = canvas.widget.measure.table.values
    row = [m.name for m in model.measurements].index(name)
    return tuple(model.index(row, column).data() for column in (1, 2, 3))  # type: ignore[return-value]


def texts(canvas: Canvas) -> list[str]:
    """What is written on the image beside landmarks' names."""
    values = canvas.widget.canvas.actions.measures.values
    assert values.layer is None or values.layer.visible == bool(values.written)
    drawn = [] if not values.written else list(values.layer.features["written"])
    assert drawn[: len(values.written)] == list(values.written)
    assert set(drawn[len(values.written) :]) <= {" "}
    return list(values.written)


def segments(canvas: Canvas) -> np.ndarray:
    """Both ends of the lines that are drawn."""
    layer = canvas.widget.canvas.actions.measures.lines.layer
    if layer is None or not layer.visible:
        return np.empty((0, 2, 2))
    data = np.asarray(layer.data)
    return np.stack([data[:, 0], data[:, 0] + data[:, 1]], axis=1)


# ---- the table


def test_lengths_of_unknown_pixels_are_px_and_not_compared_with_mm(flat: Canvas) -> None:
    assert cells(flat, "depth") == ("40.0 px", "", "20.0 ± 5.0 mm")
    assert cells(flat, "bend") == ("90.0°", "+3.0 very high", "60.0 ± 10.0°")
    panel = flat.widget.measure
    assert panel.notice.isVisible()
    assert "lengths are in px and not compared with norms in mm" in panel.notice.text()
    assert "square" in panel.notice.text()


def test_once_the_pixel_size_is_known_lengths_are_mm(own: Canvas) -> None:
    own.widget.session.set_spacing((0.5, 1.0))
    assert cells(own, "depth") == ("20.0 mm", "0.0 usual", "20.0 ± 5.0 mm")
    assert not own.widget.measure.notice.isVisible()


def test_values_follow_a_landmark_while_it_is_dragged(flat: Canvas) -> None:
    QTest.qWait(20)
    flat.send(QEvent.Type.MouseMove, flat.pixel((20, 60)), held=False)
    flat.send(QEvent.Type.MouseButtonPress, flat.pixel((20, 60)))
    flat.send(QEvent.Type.MouseMove, flat.pixel((25, 60)))
    flat.send(QEvent.Type.MouseMove, flat.pixel((30, 60)))
    during, kept = float(cells(flat, "depth")[0].split()[0]), flat.widget.session.annotations.point("nasion").tolist()
    flat.send(QEvent.Type.MouseButtonRelease, flat.pixel((30, 60)))
    assert during == pytest.approx(30, abs=0.5)
    assert kept == [20, 60]
    flat.undo()
    assert cells(flat, "depth")[0] == "40.0 px"


def test_a_landmark_that_has_no_place_leaves_no_value(flat: Canvas) -> None:
    flat.widget.session.remove("menton")
    assert cells(flat, "bend")[0] == "–"
    assert cells(flat, "depth")[0] == "40.0 px"
    index = flat.widget.measure.table.values.index(1, 1)
    assert "menton has no place" in index.data(Qt.ItemDataRole.ToolTipRole)


def test_values_from_predictions_are_told_apart(flat: Canvas) -> None:
    session = flat.widget.session
    session.remove("menton")
    session.model = "m"
    session.take_prediction(session.case_id, prediction(session, {"menton": (60, 90)}))
    model = flat.widget.measure.table.values
    assert cells(flat, "bend")[0] == "90.0°"
    assert model.index(1, 1).data(Qt.ItemDataRole.FontRole).italic()
    assert model.index(0, 1).data(Qt.ItemDataRole.FontRole) is None
    assert "nobody has confirmed" in model.index(1, 1).data(Qt.ItemDataRole.ToolTipRole)


def test_the_table_is_not_worked_out_while_nobody_looks(flat: Canvas, monkeypatch: pytest.MonkeyPatch) -> None:
    flat.widget.tabs.setCurrentIndex(0)
    shown: list[object] = []
    monkeypatch.setattr(flat.widget.measure.table.values, "show", lambda *seen: shown.append(seen))
    flat.widget.session.move("menton", (70, 90))
    assert shown == []
    monkeypatch.undo()
    flat.widget.tabs.setCurrentWidget(flat.widget.measure)
    assert cells(flat, "bend")[0] == "108.4°"


# ---- on the image


def test_a_chosen_row_is_drawn_and_the_active_layer_stays(flat: Canvas) -> None:
    active = flat.viewer.layers.selection.active
    table = flat.widget.measure.table
    QTest.mouseClick(
        table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(table.values.index(0, 0)).center()
    )
    assert texts(flat) == ["depth 40.0 px"]
    np.testing.assert_allclose(segments(flat), [[(20, 60), (60, 60)]])
    assert flat.viewer.layers.selection.active is active
    measures = flat.widget.canvas.actions.measures
    assert isinstance(measures.lines.layer, Vectors)
    assert isinstance(measures.values.layer, Points)
    for layer in (measures.lines.layer, measures.values.layer):
        assert layer.metadata == {"landmarker": "measurements"}
        assert flat.viewer.layers.index(layer) < flat.viewer.layers.index(flat.widget.layers.points)


def test_all_are_drawn_with_a_key_and_hidden_with_it(flat: Canvas) -> None:
    flat.key(K.Key_K)
    assert flat.widget.measure.all.isChecked()
    assert texts(flat) == ["40.0 px", "90.0° ▲"]
    flat.key(K.Key_K)
    assert not flat.widget.measure.all.isChecked()
    assert texts(flat) == []
    assert len(segments(flat)) == 0


def test_the_box_draws_all_and_chosen_ones_stand_out(flat: Canvas) -> None:
    flat.widget.measure.all.click()
    flat.widget.measure.table.choose(("depth",))
    assert texts(flat) == ["depth 40.0 px", "90.0° ▲"]
    colors = flat.widget.canvas.actions.measures.lines.layer.edge_color
    assert colors[0, 3] == 1.0
    assert colors[-1, 3] < 0.5


def test_what_is_drawn_follows_a_landmark_that_is_dragged(flat: Canvas) -> None:
    flat.key(K.Key_K)
    flat.widget.layers.preview("nasion", np.array([30.0, 60.0]))
    assert texts(flat)[0] == "30.0 px"
    np.testing.assert_allclose(segments(flat)[0], [(30, 60), (60, 60)])
    flat.widget.layers.redraw()
    assert texts(flat)[0] == "40.0 px"


def test_in_another_image_its_own_measurements_are_drawn(own: Canvas) -> None:
    own.key(K.Key_K)
    own.widget.session.next_case()
    assert texts(own) == []
    own.widget.session.place((10, 10))
    own.widget.session.place((10, 22))
    assert texts(own) == ["12.0 px"]


def test_a_key_without_measurements_says_so(own: Canvas, told: list[str]) -> None:
    own.widget.session.change_schema(SCHEMA.model_copy(update={"measurements": ()}))
    own.key(K.Key_K)
    assert any("Nothing is measured in this project yet" in sentence for sentence in told)
    assert own.widget.measure.summary.text() == "Nothing is measured in this project yet."


# ---- volumes


def test_a_volume_is_measured_in_mm_and_drawn_on_its_slices(solid: Canvas) -> None:
    assert cells(solid, "depth") == ("10.0 mm", "−2.0 low", "20.0 ± 5.0 mm")
    solid.key(K.Key_K)
    for at, drawn in ((2, True), (3, True), (4, True), (5, False), (0, False)):
        solid.viewer.dims.set_point(0, at * SPACING_3D[0])
        QApplication.processEvents()
        assert bool(texts(solid)) is drawn, at
        assert np.all(segments(solid)[..., 0] == at)


def test_in_the_3d_view_a_measurement_lies_in_space(solid: Canvas) -> None:
    solid.widget.measure.table.choose(("depth",))
    solid.viewer.dims.ndisplay = 3
    np.testing.assert_allclose(segments(solid), [[(2, 10, 10), (4, 10, 10)]])
    QApplication.processEvents()
    solid.viewer.dims.ndisplay = 2


# ---- what a person does


def test_the_cephalometric_analysis_is_one_click_away(window: Canvas, tmp_path: Path, images_2d: list[Path]) -> None:
    canvas = open_fresh(window, tmp_path / "heads", LandmarkSchema.from_names(ISBI_NAMES), images_2d)
    canvas.widget.tabs.setCurrentWidget(canvas.widget.measure)
    (button,) = canvas.widget.measure.sets.values()
    assert button.isVisible()
    assert button.text() == "Add the cephalometric analysis (16 measurements)"
    button.click()
    assert not button.isVisible()
    saved = Project.open(canvas.widget.session.project.root).schema.measurements
    assert [m.name for m in saved][:3] == ["SNA", "SNB", "ANB"]
    assert canvas.widget.measure.table.values.rowCount() == 16


def test_the_editor_opens_at_the_measurements(flat: Canvas) -> None:
    flat.widget.measure.edit.click()
    dialog = flat.widget.annotate.schema.dialog
    assert dialog is not None
    assert dialog.tabs.currentWidget() is dialog.measurements
    dialog.reject()


def test_all_images_are_written_as_a_table(own: Canvas, tmp_path: Path, qtbot: QtBot, told: list[str]) -> None:
    out = tmp_path / "measured.csv"
    own.widget.measure.export_to(out)
    qtbot.waitUntil(lambda: any("1 image were written" in sentence for sentence in told))
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert (rows[0]["measurement"], rows[0]["value"], rows[0]["unit"]) == ("depth", "40.0", "px")
    assert rows[0]["deviations_from_norm"] == ""
