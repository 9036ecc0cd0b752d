"""`predict_cases` beside the window: a cancel is heard within an image, not only between two."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.predicting import predict_cases
from napari_landmarker.gui.tasks import TaskCancelled


class HastyJob:
    """A job that is cancelled while the first image is looked at."""

    def __init__(self) -> None:
        self.given: list[Any] = []
        self.checks = 0

    def progress(self, done: int, total: int) -> None:
        assert done == 0, "the first image was not left"

    def give(self, value: object) -> None:
        self.given.append(value)

    def check(self) -> None:
        self.checks += 1
        if self.checks == 3:
            raise TaskCancelled


def test_a_cancel_is_heard_within_an_image(project_2d: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(image: Image, *, check: Callable[[], None]) -> None:
        for _ in range(100):
            check()

    predictor = SimpleNamespace(info=project_2d.schema, predict=predict)
    monkeypatch.setattr(Project, "find_model", lambda project, name: project.models_dir / name)
    job: Any = HastyJob()
    loaded: Any = SimpleNamespace(get=lambda folder: predictor)
    with pytest.raises(TaskCancelled):
        predict_cases(job, loaded, project_2d, "large", [case.id for case in project_2d.cases])
    assert job.checks == 3
    assert job.given == []
