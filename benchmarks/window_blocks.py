"""How long the window stands still while a model predicts or is trained in it."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtTest import QTest
from window_bench import Bench, Line, longest_gap_ms

from napari_landmarker.engine.datasets import SAMPLES, sample_project
from napari_landmarker.engine.project import Split
from napari_landmarker.gui.tasks import TrainingProcess

BLOCK_MS = 200
_PATIENCE_S, _MINUTES = 300.0, 0.2


def block(bench: Bench) -> list[Line]:
    """The longest that the event loop does nothing else, while the sample's model predicts and one is trained."""
    project = sample_project(SAMPLES[2], bench.folder / "sample")
    bench.widget.open_project(project.root)
    session, predict, train = bench.widget.session, bench.widget.predict, bench.widget.train
    bench.widget.tabs.setCurrentWidget(predict)
    one = []
    for case in project.cases_in(Split.TEST)[: bench.times(5)]:
        session.open_case(case.id)
        bench.settle()
        one.append(_gap_ms(predict.predict_this, lambda: predict.task is None))
    predict.which_cases.setCurrentIndex(predict.which_cases.findText("all images"))
    many = [_gap_ms(predict.predict_many, lambda: predict.task is None) for _ in range(bench.times(3))]
    bench.widget.tabs.setCurrentWidget(train)
    train.choices.minutes.setValue(_MINUTES)
    bench.settle()
    training = [_gap_ms(train.start_training, lambda: TrainingProcess.active() is None) for _ in range(1)]
    assert project.models, "the training ended without a model"
    bench.widget.tabs.setCurrentIndex(0)
    return [
        Line("block: predicting one image", one, BLOCK_MS),
        Line(f"block: predicting {len(project.cases)} images", many, BLOCK_MS),
        Line("block: training, from the start to the model", training, BLOCK_MS),
    ]


def _gap_ms(start: Callable[[], object], ended: Callable[[], bool]) -> float:
    """The longest gap from the click that starts something until a moment after it ended, in milliseconds."""
    with longest_gap_ms() as longest:
        start()
        until = time.perf_counter() + _PATIENCE_S
        while not ended():
            QTest.qWait(20)
            if time.perf_counter() > until:
                raise TimeoutError("it did not end")
        QTest.qWait(300)
    return longest[0]
