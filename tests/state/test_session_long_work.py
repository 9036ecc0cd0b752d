"""A session does what may take long in the way of its window; what is stopped has not happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from results import NAMES, SHAPE, on_disk

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project
from napari_landmarker.state.long_work import Work
from napari_landmarker.state.session import Session


class Stopped(Exception):
    """What a report of progress raises after a stop."""


def stopped_at_once(_: str, work: Work) -> bool:
    """A window in which a person stops all work at its first report."""

    def report(_: int, __: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        work(report)
    return False


def stopped_too_late(_: str, work: Work) -> bool:
    """A window in which the work is over when a person stops it."""
    work(lambda done, total: None)
    return False


def incoming(session: Session) -> dict[str, LandmarkSet]:
    points = LandmarkSet.from_points({"B": (2, 2)}, session.image.grid, names=NAMES)
    return {"x": points, "y": points}


def test_what_is_stopped_has_not_happened(session: Session, tmp_path: Path) -> None:
    PillowImage.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "w.png")
    session.place((1, 1))
    assert session.apply_annotations(incoming(session)) == 2
    session.run_long = stopped_at_once
    session.undo()
    assert (on_disk(session, "y").placed.any(), session.can_undo, session.can_redo) == (True, True, False)
    other = LandmarkSet.from_points({"C": (3, 3)}, session.image.grid, names=NAMES)
    assert session.apply_annotations({"x": other, "y": other}) is None
    assert session.add_images([tmp_path / "w.png"]) is None
    assert session.set_spacing((0.5, 0.5), ["x", "y"]) is False
    kept = Project.open(session.project.root)
    assert (len(session.project.cases), len(kept.cases), kept.geometry("x").grid.spacing) == (3, 3, None)
    assert (list(session.annotations.placed), session.held) == ([True, True, False], None)
    assert session.place((4, 4))


def test_what_was_over_before_it_was_stopped_has_happened(session: Session) -> None:
    session.run_long = stopped_too_late
    assert session.apply_annotations(incoming(session)) == 2
    assert (session.progress("y"), on_disk(session, "y").placed.tolist()) == ((1, 3), [False, True, False])
    session.undo()
    assert (session.progress("y"), session.can_undo, on_disk(session, "y").placed.any()) == ((0, 3), False, False)
    assert session.set_spacing((0.5, 0.5))


def test_nothing_else_is_done_with_the_project_while_many_files_change(session: Session) -> None:
    refusals: list[str] = []
    session.refused.connect(refusals.append)

    def meanwhile(words: str, work: Work) -> bool:
        acts: tuple[Callable[[], object], ...] = (lambda: session.open_case("y"), session.close_project)
        for act in acts:
            with pytest.raises(ProjectError, match="Many files of the project are just being changed"):
                act()
        session.place((5, 5))
        session.undo()
        work(lambda done, total: None)
        return True

    session.place((1, 1))
    session.run_long = meanwhile
    assert session.apply_annotations(incoming(session)) == 2
    assert len(refusals) == 2
    assert on_disk(session, "x").placed.tolist() == [True, True, False]


def test_images_are_not_added_to_a_project_that_others_changed_meanwhile(session: Session, tmp_path: Path) -> None:
    PillowImage.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "w.png")
    PillowImage.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "v.png")

    def meanwhile(words: str, work: Work) -> bool:
        work(lambda done, total: None)
        Project.open(session.project.root).add_images([tmp_path / "v.png"])
        return True

    session.run_long = meanwhile
    with pytest.raises(ProjectError, match="changed elsewhere"):
        session.add_images([tmp_path / "w.png"])
    assert [case.id for case in session.project.cases] == ["x", "y", "z", "v"]
    assert session.project.cases == Project.open(session.project.root).cases


def test_an_import_that_cannot_be_written_changes_nothing_and_is_no_step(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ProjectError("The disk is full.")

    monkeypatch.setattr("napari_landmarker.engine.project_changes.write_landmarks", full)
    with pytest.raises(ProjectError, match="The disk is full"):
        session.apply_annotations(incoming(session))
    assert (session.can_undo, session.unsaved, session.held) == (False, False, None)
    assert not session.annotations.placed.any()
