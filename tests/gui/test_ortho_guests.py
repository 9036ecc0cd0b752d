"""The three views show what the main canvas shows beside the landmarks, and their texts leave each other free."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from one_window import one_window, open_fresh
from qtpy.QtCore import QPointF
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QApplication
from window import NAMES, Canvas, prediction

from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.uncertainty import Calibration, CalibrationConfig
from napari_landmarker.gui.ortho_view import OrthoView
from napari_landmarker.gui.ortho_views import OrthoViews
from napari_landmarker.gui.region_layer import EVERY
from napari_landmarker.gui.regions import from_disk
from napari_landmarker.gui.slice_guests import SliceLine, SliceMark, laid_flat

SCHEMA = LandmarkSchema.from_names(NAMES).model_copy(update={"edges": ((NAMES[0], NAMES[1]),)})


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def solid(window: Canvas, tmp_path: Path, images_3d: list[Path]) -> Canvas:
    """A volume with an edge between two of its landmarks."""
    return open_fresh(window, tmp_path / "study", SCHEMA, images_3d)


def shown(canvas: Canvas) -> OrthoViews:
    """The three views, switched on."""
    canvas.widget.canvas.actions.view.set_three_views(True)
    QApplication.processEvents()
    views = canvas.widget.ortho.views
    assert views is not None
    return views


def color_at(view: OrthoView, at: QPointF) -> QColor:
    """What is drawn there."""
    return view.grab().toImage().pixelColor(at.toPoint())


def meet(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two boxes have more than a pixel in common both ways."""
    return bool((np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]) > 1).all())


def outlines(views: OrthoViews, axis: int, at: int) -> list[np.ndarray]:
    """The corners of the lines on a slice."""
    return [drawn.points for drawn in views.guests(axis, at) if isinstance(drawn, SliceLine)]


def test_lines_are_seen_from_the_slice_of_one_end_to_that_of_the_other() -> None:
    line = np.array([[[2.0, 10.0, 10.0], [5.0, 30.0, 20.0]]])
    for at, seen in ((1, False), (2, True), (4, True), (5, True), (6, False)):
        flat = laid_flat(line, [0], at)
        assert len(flat) == seen
        if seen:
            np.testing.assert_array_equal(flat, [[[at, 10, 10], [at, 30, 20]]])
    assert len(laid_flat(line, [2], 15)) == 1
    assert len(laid_flat(line, [2], 25)) == 0


def test_edges_are_drawn_in_the_views(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    session.place((4, 10, 10))
    session.place((4, 50, 60))
    views.look_at((4, 50, 10))
    axial = views.views[0]
    middle = axial.to_widget((4, 30, 35))
    assert color_at(axial, middle).name() == "#8fd3ff"
    views.look_at((6, 50, 10))
    assert color_at(axial, middle).name() != "#8fd3ff"
    assert views.guests(1, 30) != []
    assert views.guests(1, 55) == []


def test_the_points_of_another_rater_are_drawn_in_the_views(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    first = session.rater
    session.place((4, 20, 20))
    session.set_rater("other")
    session.place((4, 20, 40))
    session.set_rater(first)
    session.show_rater("other")
    views.look_at((4, 50, 60))
    axial, coronal = views.views[:2]
    lines = [drawn for drawn in views.guests(0, 4) if isinstance(drawn, SliceLine)]
    marks = [drawn for drawn in views.guests(0, 4) if isinstance(drawn, SliceMark)]
    np.testing.assert_allclose(marks[0].place, (4, 20, 40))
    np.testing.assert_allclose(lines[0].points, [(4, 20, 20), (4, 20, 40)])
    corner = axial.to_widget((4, 20, 40)) + QPointF(0, -views.size_px / 2)
    assert color_at(axial, corner).name() == QColor(SCHEMA.definition(NAMES[0]).color).name()
    solid.widget.layers.show_names(False)  # the link runs under that of one's own
    link = [color_at(axial, axial.to_widget((4, 20, 30)) + QPointF(0, step)).lightness() for step in (-1, 0, 1)]
    assert max(link) > 200
    assert coronal.slice == 50
    assert views.guests(1, 50) == []
    session.show_rater(None)
    assert views.guests(0, 4) == []


def test_the_points_of_the_other_rater_vanish_with_the_comparison(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    first = session.rater
    session.set_rater("other")
    session.place((4, 20, 40))
    session.set_rater(first)
    views.look_at((4, 50, 60))
    corner = views.views[0].to_widget((4, 20, 40)) + QPointF(0, -views.size_px / 2)
    ink = QColor(SCHEMA.definition(NAMES[0]).color).name()
    for who, there in (("other", True), (None, False)):
        session.show_rater(who)
        assert (color_at(views.views[0], corner).name() == ink) is there


def test_regions_are_cut_by_every_view(solid: Canvas) -> None:
    """The outlines are where one is neither surely inside nor surely outside; that of the axial view is drawn."""
    views, session, layer = shown(solid), solid.widget.session, solid.widget.predict.regions.layer
    session.model = "m"
    session.take_prediction(session.case_id, prediction(session, {"nasion": (4, 30, 35)}), model="m")
    made = session.shown
    spread = np.tile(np.diag([1.0, 9.0, 4.0]), (len(made.names), 1, 1))
    found = LandmarkSet(made.names, made.points, made.status, made.grid, made.score, spread)
    scores = np.tile((np.arange(1, 100) / 20)[:, None, None], (1, len(NAMES), 1))
    calibration = Calibration.from_scores(CalibrationConfig(), NAMES, 3, list(scores), None, "99 images")
    region = calibration.regions(from_disk(calibration, found), 0.6)["nasion"]
    layer.which = EVERY
    layer.show({"nasion": region})
    for axis, at in ((0, 4), (0, 5), (1, 33), (2, 33)):
        line = outlines(views, axis, at)[0]
        middle = line[:-1].mean(axis=0)
        np.testing.assert_allclose(line[:, axis], at)
        assert region.contains(middle + 0.99 * (line - middle)).all()
        assert not region.contains(middle + 1.01 * (line - middle)).any()
    assert outlines(views, 1, 55) == []
    views.look_at((4, 50, 60))
    axial = views.views[0]
    edge = axial.to_widget(min(outlines(views, 0, 4), key=len)[0])
    near = [color_at(axial, edge + QPointF(*step)).name() for step in ((-1, 0), (0, 0), (1, 0), (0, 1), (0, -1))]
    assert QColor(SCHEMA.definition("nasion").color).name() in near
    layer.show({})
    assert outlines(views, 0, 5) == []


def test_names_cover_neither_each_other_nor_the_title_nor_a_side_of_the_patient(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    views.look_at((4, 30, 35))
    view = views.views[0]
    letter = next(box for text, box, _ in view.words.fixed() if text == "L")
    title = view.words.fixed()[0][1]
    middle = view.to_index(QPointF(letter[0] - 30, (letter[1] + letter[3]) / 2))
    places = (middle, middle + np.array([0, 1, -1]), view.to_index(QPointF(title[0] + 10, title[3] + 6)))
    for name, place in zip(NAMES, places, strict=True):
        session.set_current(name)
        session.place(np.clip(place, 0, np.array(views.shape) - 1))
    view.grab()
    boxes = view.words.name_boxes(*view.named())
    assert set(boxes) == set(NAMES)
    fixed = [box for _, box, _ in view.words.fixed()]
    assert not any(meet(name, box) for name in boxes.values() for box in fixed)
    assert not any(meet(a, b) for a, b in combinations(boxes.values(), 2))
    again = view.words.name_boxes(*view.named())
    assert all((boxes[name] == again[name]).all() for name in NAMES)


def test_no_names_are_written_in_the_views_while_they_are_not_wanted(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    session.place((4, 30, 35))
    views.look_at((4, 30, 35))
    assert views.views[0].named()[0] == [NAMES[0]]
    solid.widget.layers.show_names(False)
    assert views.views[0].named()[0] == []
