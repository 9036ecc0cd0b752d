"""A model that is dropped anywhere on napari is offered to the open project."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from one_window import clean, one_window
from test_drop import drop, places
from window import Canvas

from napari_landmarker.engine.project import Project
from napari_landmarker.gui.widget import LandmarkerWidget


@pytest.fixture(scope="module")
def shared() -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def window(shared: Canvas, monkeypatch: pytest.MonkeyPatch) -> tuple[LandmarkerWidget, list[Path]]:
    """The window without a project, and the models that it was asked to open; what is left to napari is let fall."""
    clean(shared.widget)
    monkeypatch.setattr("napari._qt.qt_viewer.QtViewer._open_from_list_of_urls_data", lambda *_, **__: None)
    opened: list[Path] = []
    monkeypatch.setattr(shared.widget.predict.opener, "open_model", opened.append)
    return shared.widget, opened


@pytest.fixture(params=["folder", "zip"])
def model(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """What looks like a model until it is read."""
    folder = tmp_path / "away"
    (folder / "configs").mkdir(parents=True)
    mark = folder / "configs" / "metadata.json"
    mark.write_text("{}", encoding="utf-8")
    if request.param == "folder":
        return folder
    with zipfile.ZipFile(tmp_path / "away.zip", "w") as archive:
        archive.write(mark, "away/configs/metadata.json")
    return tmp_path / "away.zip"


@pytest.mark.parametrize("dims", [2, 3])
def test_a_model_dropped_anywhere_is_opened_for_the_project(
    window: tuple[LandmarkerWidget, list[Path]], model: Path, dims: int, request: pytest.FixtureRequest
) -> None:
    widget, opened = window
    project: Project = request.getfixturevalue(f"project_{dims}d")
    widget.open_project(project.root)
    for where in places(widget).values():
        widget.tabs.setCurrentIndex(0)
        assert drop(where, model)
        assert widget.tabs.currentWidget() is widget.predict
    assert opened == [model] * 3
    assert widget.session.project.root == project.root


def test_a_model_without_a_project_is_told_what_to_do_first(
    window: tuple[LandmarkerWidget, list[Path]], model: Path, told: list[str]
) -> None:
    widget, opened = window
    assert drop(widget, model)
    assert opened == []
    assert len(told) == 1
    assert told[0].startswith("Open or create a project first")
