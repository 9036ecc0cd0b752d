"""`TrainingProcess` and `Task`: processes and threads beside an event loop that is never held up."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QThread
from qtpy.QtWidgets import QLabel, QMainWindow

from napari_landmarker.engine.errors import ModelError
from napari_landmarker.gui.close_guard import Answer, CloseGuard
from napari_landmarker.gui.tasks import Job, Task, TrainingProcess, training_command
from napari_landmarker.state.training import TrainingRun, TrainingState

SCRIPT = """
import json, sys, threading, time
def say(**event): print(json.dumps(event), flush=True)
words = []
def listen(): words.extend(line.strip() for line in iter(sys.stdin.readline, ""))
threading.Thread(target=listen, daemon=True).start()
print("some library says: è")
say(event="started", model="auto-1", preset="auto", device="cpu", n_train=3, n_validation=1, unit="px", max_minutes=1)
for step in range(SECONDS * 50):
    time.sleep(0.02)
    say(event="progress", fraction=step / (SECONDS * 50), elapsed_s=step / 50, remaining_s=3, epoch=0, step=step,
        train_loss=1)
    if "stop" in words:
        say(event="finished", model="auto-1", validation_error=4.5, unit="px", stopped=True, elapsed_s=1); break
    if "cancel" in words and OBEYS:
        say(event="cancelled"); break
"""


@pytest.fixture
def start(qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[..., TrainingProcess]]:
    """Start a script as if it were a training."""
    started: list[TrainingProcess] = []

    def start(script: str, *, seconds: int = 60, obeys: bool = True, python: str = sys.executable) -> TrainingProcess:
        path = tmp_path / "run.py"
        path.write_text(script.replace("SECONDS", str(seconds)).replace("OBEYS", str(obeys)), encoding="utf-8")
        process = TrainingProcess(TrainingRun("auto"), tmp_path, [python, str(path)])
        started.append(process)
        process.start()
        return process

    yield start
    for process in started:
        if not process.run.state.ended:
            with qtbot.waitSignal(process.ended):
                process.kill()


def test_command_is_what_a_person_would_type() -> None:
    command = training_command(Path("project"), ["--preset", "auto", "--max-minutes", "2.5"])
    assert command[1:] == [
        "-m", "napari_landmarker", "train", "project", "--preset", "auto", "--max-minutes", "2.5", "--events", "jsonl",
    ]  # fmt: skip


def test_stop_keeps_the_model(start: Callable[..., TrainingProcess], qtbot: QtBot) -> None:
    process = start(SCRIPT)
    run = process.run
    qtbot.waitUntil(lambda: run.fraction > 0)
    assert (run.state, TrainingProcess.active()) == (TrainingState.RUNNING, process)
    with qtbot.waitSignal(process.ended):
        process.stop()
        assert run.state is TrainingState.STOPPING
    assert (run.state, run.stopped, run.validation_error) == (TrainingState.FINISHED, True, 4.5)
    assert TrainingProcess.active() is None


def test_cancel_keeps_nothing(start: Callable[..., TrainingProcess], qtbot: QtBot) -> None:
    process = start(SCRIPT)
    qtbot.waitUntil(lambda: process.run.fraction > 0)
    with qtbot.waitSignal(process.ended):
        process.cancel()
    assert process.run.state is TrainingState.CANCELLED


def test_a_run_that_does_not_obey_a_cancel_is_ended(
    start: Callable[..., TrainingProcess], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_landmarker.gui.tasks.CANCEL_PATIENCE_MS", 200)
    process = start(SCRIPT, obeys=False)
    qtbot.waitUntil(lambda: process.run.fraction > 0)
    with qtbot.waitSignal(process.ended):
        process.cancel()
    assert process.run.state is TrainingState.CANCELLED


def test_a_crash_is_a_sentence(start: Callable[..., TrainingProcess], qtbot: QtBot) -> None:
    process = start("import os, sys; sys.stderr.write('Traceback\\n'); sys.stderr.flush(); os._exit(9)")
    qtbot.waitSignal(process.ended).wait()
    assert process.run.state is TrainingState.FAILED
    assert "ended unexpectedly" in process.run.message
    assert process.errors == "Traceback\n"


def test_a_program_that_is_not_there_is_a_sentence(start: Callable[..., TrainingProcess], qtbot: QtBot) -> None:
    process = start("", python="/nowhere/python")
    qtbot.waitUntil(lambda: process.run.state.ended)
    assert process.run.message.startswith("The training could not start: ")


# ---- closing the window


@pytest.fixture
def window(qtbot: QtBot) -> QMainWindow:
    window = QMainWindow()
    window.setCentralWidget(QLabel("canvas"))
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    CloseGuard.watch(window)
    CloseGuard.watch(window)
    assert len(window.findChildren(CloseGuard)) == 1
    return window


def test_closing_asks_first(
    start: Callable[..., TrainingProcess], window: QMainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[TrainingProcess] = []
    answers = [Answer.STAY, Answer.KEEP]
    monkeypatch.setattr(CloseGuard, "ask", lambda self, process: asked.append(process) or answers.pop(0))
    process = start(SCRIPT)
    qtbot.waitUntil(lambda: process.run.fraction > 0)
    assert not window.close()
    assert window.isVisible()
    assert not process.run.state.ended
    assert not window.close()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert asked == [process, process]
    assert process.run.state is TrainingState.FINISHED


def test_closing_and_discarding_ends_the_run(
    start: Callable[..., TrainingProcess], window: QMainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CloseGuard, "ask", lambda self, process: Answer.DISCARD)
    process = start(SCRIPT)
    qtbot.waitUntil(lambda: process.run.fraction > 0)
    assert window.close()
    assert process.run.state is TrainingState.CANCELLED


def test_a_script_that_closes_the_window_is_not_asked(
    start: Callable[..., TrainingProcess], window: QMainWindow, qtbot: QtBot
) -> None:
    process = start(SCRIPT)
    qtbot.waitUntil(lambda: process.run.fraction > 0)
    window.centralWidget().close()
    assert window.close()
    assert process.run.state is TrainingState.CANCELLED


# ---- threads


def test_task_reports_and_returns_on_the_gui_thread(qtbot: QtBot) -> None:
    here, heard = QThread.currentThread(), []

    def work(job: Job) -> str:
        assert QThread.currentThread() is not here
        for number in range(3):
            job.progress(number, 3)
            job.give(number * 10)
        return "done"

    task = Task(work)
    for signal in (task.progressed, task.given, task.returned):
        signal.connect(lambda *values: heard.append((values, QThread.currentThread() is here)))
    with qtbot.waitSignal(task.finished):
        task.start()
    assert heard == [
        ((0, 3), True), ((0,), True), ((1, 3), True), ((10,), True), ((2, 3), True), ((20,), True), (("done",), True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModelError("This model is for 3D images."), "This model is for 3D images."),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "not enough memory"),
        (RuntimeError("strange\nlong text"), "(strange)"),
        (KeyError(), "(KeyError)"),
    ],
)
def test_every_error_of_a_task_arrives_as_a_sentence(qtbot: QtBot, error: Exception, words: str) -> None:
    def work(job: Job) -> None:
        raise error

    said: list[str] = []
    task = Task(work)
    task.failed.connect(said.append)
    with qtbot.waitSignal(task.finished):
        task.start()
    assert len(said) == 1
    assert words in said[0]


def test_cancelled_task_ends_without_a_result(qtbot: QtBot) -> None:
    def work(job: Job) -> None:
        for number in range(10_000):
            time.sleep(0.01)
            job.progress(number, 10_000)

    heard: list[object] = []
    task = Task(work)
    task.returned.connect(heard.append)
    task.failed.connect(heard.append)
    with qtbot.waitSignal(task.progressed):
        task.start()
    with qtbot.waitSignal(task.finished):
        task.cancel()
    assert heard == []
    assert Task.all_running() == []


def test_a_window_that_is_slower_than_its_task_is_given_one_value_at_a_time(qtbot: QtBot) -> None:
    handled: list[int] = []
    left: list[int] = []

    def work(job: Job) -> None:
        for number in range(6):
            job.give(number)
            left.append(number - len(handled))

    def take(number: int) -> None:
        time.sleep(0.03)
        handled.append(number)

    task = Task(work)
    task.given.connect(take)
    with qtbot.waitSignal(task.finished):
        task.start()
    assert handled == list(range(6))
    assert max(left) <= 0, "the one before was dealt with before the next was handed over"


def test_a_task_that_waits_for_the_window_can_be_cancelled(qtbot: QtBot) -> None:
    given: list[int] = []

    def work(job: Job) -> None:
        for number in range(1_000_000):
            job.give(number)

    task = Task(work)
    task.given.connect(lambda number: given.append(number) or (number == 3 and task.cancel()))
    with qtbot.waitSignal(task.finished):
        task.start()
    assert given[:4] == [0, 1, 2, 3]
    assert len(given) <= 5
