"""Work on the files where another window has the project, or where not all is saved: none of it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from one_window import clean, one_window
from qtpy.QtWidgets import QApplication
from window import Canvas

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.tasks import TrainingProcess
from napari_landmarker.gui.widget import LandmarkerWidget
from napari_landmarker.state.session import Session


@pytest.fixture(scope="module")
def shared() -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def window(shared: Canvas, project_2d: Project, monkeypatch: pytest.MonkeyPatch) -> LandmarkerWidget:
    """A window whose project has a model and a training that was cut off."""
    folder = project_2d.runs_dir / "auto-7"
    folder.mkdir(parents=True)
    for name in ("run.json", "checkpoint.pt"):
        (folder / name).write_text("{}", encoding="utf-8")
    clean(shared.widget)
    shared.widget.open_project(project_2d.root)
    monkeypatch.setattr(shared.widget.session, "model", "auto-1")
    QApplication.processEvents()
    return shared.widget


ACTS: dict[str, Callable[[LandmarkerWidget], None]] = {
    "start": lambda window: window.train.start_training(),
    "resume": lambda window: window.train.resume_training(),
    "discard": lambda window: window.train.discard_cut_off(),
    "report": lambda window: window.report.make_report(),
    "calibrate": lambda window: window.predict.regions.keeping.recalibrate(),
    "model": lambda window: window.predict.opener.open_model(window.session.project.root.parent / "model"),
}


def nothing_began(window: LandmarkerWidget) -> bool:
    """Whether the project is as it was."""
    root = window.session.project.root
    assert TrainingProcess.active() is None
    assert (window.report.task, window.predict.regions.keeping.task, window.predict.opener.task) == (None, None, None)
    return (root / "runs" / "auto-7").exists() and not [p for p in ("predictions", "reports") if (root / p).exists()]


def test_the_buttons_of_a_window_that_only_looks_say_why_they_rest(window: LandmarkerWidget) -> None:
    session, train, report = window.session, window.train, window.report
    buttons = (train.start, train.resume, train.discard, report.make)
    for tab in (train, report):
        window.tabs.setCurrentWidget(tab)
    other = Session()
    other.open_project(Project.open(session.project.root), take_over=True)
    session.heartbeat()
    assert [button.isEnabled() for button in buttons] == [False] * 4
    assert {button.toolTip() for button in buttons} == {session.lock_owner}
    assert window.access.isVisible()
    other.close_project()
    session.heartbeat()
    assert not window.access.isVisible()
    assert [button.isEnabled() for button in buttons[1:]] == [True] * 3
    assert all("another window" not in button.toolTip() for button in buttons)


@pytest.mark.parametrize("act", ACTS)
def test_nothing_begins_in_a_window_that_only_looks(window: LandmarkerWidget, told: list[str], act: str) -> None:
    other = Session()
    other.open_project(Project.open(window.session.project.root), take_over=True)
    ACTS[act](window)  # before the first heartbeat
    assert nothing_began(window)
    assert ["another window" in sentence for sentence in told] == [True]
    other.close_project()


@pytest.mark.parametrize("act", ["start", "resume", "report", "calibrate", "model"])
def test_nothing_begins_with_files_older_than_the_screen(
    window: LandmarkerWidget, monkeypatch: pytest.MonkeyPatch, told: list[str], act: str
) -> None:
    session = window.session

    def fail(*_: object) -> None:
        raise ProjectError("The disk is full: free some space.")

    with monkeypatch.context() as patch:
        patch.setattr(session.project, "save_annotations", fail)
        session.place((10, 10))
        told.clear()
        ACTS[act](window)
    assert nothing_began(window)
    assert ["the disk is full" in sentence.lower() for sentence in told] == [True]
    assert session.why_not_ready() is None
    assert Project.open(session.project.root).annotations(session.case_id).placed[0]
