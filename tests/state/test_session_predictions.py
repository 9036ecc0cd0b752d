"""`Session`: predictions, what a person makes of them, and annotations from elsewhere. No window."""

from __future__ import annotations

import numpy as np
import pytest
from results import NAMES, on_disk, result, words

from napari_landmarker.engine.errors import ModelError
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.state.session import Session


def test_predictions_fill_what_is_not_annotated_and_are_saved_apart(session: Session) -> None:
    session.place((1, 1))
    heard: list[str] = []
    session.heatmaps_changed.connect(lambda: heard.append("heatmaps"))
    session.predictions_changed.connect(lambda: heard.append("predictions"))
    given = result(session, A=(9, 9), B=(3, 4))
    session.take_prediction("x", given)
    assert words(session) == ["confirmed", "predicted", "unplaced"]
    np.testing.assert_array_equal(session.shown.points[:2], [(1, 1), (3, 4)])
    assert (session.shown.score_of("B"), session.current, session.prediction) == (0.75, "C", given)
    assert session.progress("x") == (1, 3)
    assert sorted(heard) == ["heatmaps", "predictions"]
    assert on_disk(session).status_of("B") == LandmarkStatus.UNPLACED
    np.testing.assert_array_equal(Project.open(session.project.root).predictions("x", "m").point("A"), (9, 9))


def test_accept_move_and_reset_a_prediction(session: Session) -> None:
    session.take_prediction("x", result(session, A=(9, 9), B=(3, 4), C=(5, 6)))
    assert session.current is None
    session.accept("A")
    assert session.current == "B", "the next one that waits for an answer"
    session.move("B", (3.5, 4))
    assert words(session) == ["confirmed", "edited", "predicted"]
    assert np.isnan(on_disk(session).score_of("A")), "a score is of a prediction, not of a person"
    assert not session.can_reset("C")
    assert session.can_reset("B")
    session.reset("B")
    assert words(session) == ["confirmed", "predicted", "predicted"]
    session.accept_all()
    assert words(session) == ["confirmed"] * 3
    session.undo()
    assert words(session) == ["confirmed", "predicted", "predicted"]


def test_a_removed_prediction_stays_hidden_until_it_is_reset(session: Session) -> None:
    session.take_prediction("x", result(session, A=(9, 9)))
    session.remove("A")
    assert (words(session)[0], session.current) == ("unplaced", "A")
    session.open_case("y")
    session.open_case("x")
    assert words(session)[0] == "unplaced"
    session.undo()
    assert words(session)[0] == "predicted"
    session.redo()
    session.place((2, 2))
    session.remove("A")
    assert words(session)[0] == "unplaced"
    session.reset("A")
    assert words(session)[0] == "predicted"
    assert Project.open(session.project.root).predictions("x", "m").placed[0]


def test_a_prediction_of_another_case_or_model_is_only_saved(session: Session) -> None:
    session.take_prediction("y", result(session, A=(9, 9)))
    session.take_prediction("x", result(session, A=(9, 9)), model="other")
    assert (words(session)[0], session.prediction) == ("unplaced", None)
    session.open_case("y")
    assert words(session)[0] == "predicted"
    session.set_model(None)
    assert words(session)[0] == "unplaced"
    with pytest.raises(ModelError, match="No model is chosen"):
        session.take_prediction("y", result(session, A=(9, 9)))
    with pytest.raises(ModelError, match="no model 'gone'"):
        session.set_model("gone")
    session.set_model("m")
    assert words(session)[0] == "predicted"


def test_a_broken_prediction_file_is_told_and_does_not_stop_annotating(session: Session) -> None:
    told: list[str] = []
    session.failed.connect(told.append)
    path = session.project.prediction_path("y", "m")
    path.parent.mkdir(parents=True)
    path.write_text("{", encoding="utf-8")
    session.open_case("y")
    assert session.place((1, 1))
    assert len(told) == 1
    assert "y.json" in told[0]


# ---- import


def test_import_fills_in_is_one_step_and_keeps_what_a_person_did(session: Session) -> None:
    session.place((1, 1))
    grid = session.image.grid
    incoming = LandmarkSet.from_points({"A": (8, 8), "B": (2, 2)}, grid, names=NAMES)
    assert session.apply_annotations({"x": incoming, "y": incoming}) == 2
    np.testing.assert_array_equal(on_disk(session, "x").points[:2], [(1, 1), (2, 2)])
    np.testing.assert_array_equal(on_disk(session, "y").points[:2], [(8, 8), (2, 2)])
    assert (session.current, session.progress("y")) == ("C", (2, 3))
    assert session.apply_annotations({"x": incoming}) == 0
    session.undo()
    assert not on_disk(session, "y").placed.any()
    assert (session.case_id, list(on_disk(session, "x").placed)) == ("x", [True, False, False])


def test_what_was_taken_away_stays_away_when_the_same_model_is_chosen_again(session: Session) -> None:
    given = result(session, A=(9, 9), B=(3, 4))
    session.take_prediction("x", given)
    session.remove("A")
    session.set_model("m")
    assert words(session) == ["unplaced", "predicted", "unplaced"]
    assert session.prediction is given
    session.accept_all()
    assert words(session) == ["unplaced", "confirmed", "unplaced"]
    session.set_model(None)
    session.set_model("m")
    assert words(session)[0] == "predicted"
