"""`TrainPanel`: training from the window."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from heartbeat import Heartbeat
from machine import slowness
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QWidget

from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.train.planner import plan_config
from napari_landmarker.engine.train.presets import PRESETS, read_config
from napari_landmarker.gui.close_guard import Answer, CloseGuard
from napari_landmarker.gui.save_guard import SaveGuard
from napari_landmarker.gui.tasks import TrainingProcess
from napari_landmarker.gui.train_panel import TrainPanel
from napari_landmarker.gui.train_settings import TrainSettings
from napari_landmarker.gui.train_words import WHEN
from napari_landmarker.gui.widget import LandmarkerWidget
from napari_landmarker.state.session import Session
from napari_landmarker.state.training import TrainingState

EVENTS = """
import json, pathlib, sys, time
pathlib.Path(__file__).with_suffix(".args").write_text(json.dumps(sys.argv[1:]))
def say(**event): print(json.dumps(event), flush=True)
say(event="started", model="auto-1", preset="auto", device="cpu", n_train=2, n_validation=1, unit="px", max_minutes=1)
for step in range(1, 4):
    now = dict(epoch=step, step=step, train_loss=4 / step, elapsed_s=60 * step, remaining_s=130)
    say(event="progress", fraction=step / 4, **now)
    say(event="epoch", validation_loss=5 / step, validation_error=(9, 4, 6)[step - 1], unit="px", **now)
word = sys.stdin.readline().strip()
if word == "stop":
    say(event="finished", model="auto-1", validation_error=4, unit="px", stopped=True, elapsed_s=180)
elif word == "cancel":
    say(event="cancelled")
"""


def click(qtbot: QtBot, button: QWidget) -> None:
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))


def annotate(session: Session) -> None:
    """Place every landmark in every image of the project."""
    assert session.project is not None
    for case in session.project.cases:
        session.open_case(case.id)
        for number, name in enumerate(session.names):
            session.set_current(name)
            assert session.place(np.full(session.image.grid.ndim, 20.0 + 15 * number))


@pytest.fixture
def panel(widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot) -> Iterator[TrainPanel]:
    """The panel of a project of three annotated images, in front."""
    for number, case in enumerate(project_2d.cases):
        project_2d.set_split(case.id, Split.VALIDATION if number == 2 else Split.TRAIN)
    widget.session.open_project(project_2d)
    annotate(widget.session)
    widget.tabs.setCurrentWidget(widget.train)
    qtbot.waitUntil(lambda: "Learns from" in widget.train.numbers.text())
    yield widget.train
    process = TrainingProcess.active()
    if process is not None:
        process.kill()


@pytest.fixture
def fake_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Let the panel start a script instead of a training."""

    def use(script: str = EVENTS) -> None:
        path = tmp_path / "fake_run.py"
        path.write_text(script, encoding="utf-8")
        monkeypatch.setattr(
            "napari_landmarker.gui.train_panel.training_command", lambda _, how: [sys.executable, str(path), *how]
        )

    return use


def test_trains_stops_and_predicts_while_the_window_stays_alive(
    panel: TrainPanel, widget: LandmarkerWidget, qtbot: QtBot, told: list[str]
) -> None:
    project = widget.session.project
    assert project is not None
    panel.choices.minutes.setValue(3)
    heart = Heartbeat()
    click(qtbot, panel.start)
    process = panel.process
    assert process is not None
    run = process.run
    qtbot.waitUntil(lambda: len(run.losses) >= 3 or run.state.ended, timeout=120_000)
    assert not run.state.ended, (run.message, process.errors)
    click(qtbot, panel.stop)
    qtbot.waitUntil(lambda: run.state.ended, timeout=120_000)
    heart.stop()
    assert (run.state, run.stopped, told) == (TrainingState.FINISHED, True, [])
    assert heart.beats > 100
    assert heart.longest_s < 0.2 * slowness()
    assert project.models == (run.model,)
    assert widget.session.model == run.model

    widget.session.open_case(project.cases[0].id)
    for name in widget.session.names:
        widget.session.remove(name)
    widget.session.open_case(project.cases[1].id)
    click(qtbot, panel.use)
    assert widget.tabs.currentWidget() is widget.predict
    assert widget.session.case_id == project.cases[0].id, "the only image that is not finished"
    qtbot.waitUntil(lambda: widget.predict.task is None)
    shown = widget.session.shown
    assert shown is not None
    predicted = project.predictions(project.cases[0].id, run.model)
    assert predicted is not None
    np.testing.assert_array_equal(shown.status, predicted.status)  # so few epochs may leave a landmark unfound
    np.testing.assert_array_equal(shown.points, predicted.points)
    assert not shown.by_person.any()
    assert widget.session.prediction is not None
    assert told == []


def test_numbers_before_the_start(panel: TrainPanel, widget: LandmarkerWidget, qtbot: QtBot) -> None:
    assert panel.numbers.text() == (
        "Learns from 2 annotated images. Checks itself on 1 annotated image that it does not learn from."
    )
    project = widget.session.project
    assert project is not None
    for case in project.cases:
        widget.session.set_split(case.id, Split.TEST)
    qtbot.waitUntil(lambda: "Annotate at least one image" in panel.numbers.text())
    assert not panel.start.isEnabled()
    assert panel.start.toolTip() == panel.numbers.text()


def test_without_a_project_nothing_can_start(widget: LandmarkerWidget) -> None:
    assert not widget.train.start.isEnabled()
    assert widget.train.start.toolTip() == "Open or create a project first."


def test_automatic_is_the_plain_choice_and_the_others_are_told_in_words(panel: TrainPanel) -> None:
    choices = panel.choices
    assert (choices.preset, choices.minutes.value()) == ("auto", 15)
    assert not choices.methods.isEnabled()
    assert not choices.description.isVisible()
    choices.other.click()
    names = [choices.methods.itemData(row) for row in range(choices.methods.count())]
    assert names == [name for name in PRESETS if name != "auto"]
    for row, name in enumerate(names):
        choices.methods.setCurrentIndex(row)
        assert choices.preset == name
        assert choices.description.text() == f"{PRESETS[name].description} {WHEN[name]}"
        assert choices.methods.currentText() == PRESETS[name].title
    assert not choices.explain.isVisible()
    choices.choose("static")
    choices.minutes.setValue(2.5)
    assert panel._how(Path("runs")) == ["--preset", "static", "--max-minutes", "2.5"]
    choices.choose("auto")
    assert choices.preset == "auto"


def test_what_it_will_do_is_told_while_the_window_stays_alive(panel: TrainPanel, qtbot: QtBot, told: list[str]) -> None:
    choices = panel.choices
    choices.minutes.setValue(3)
    assert not choices.plan.isVisible()
    heart = Heartbeat()
    click(qtbot, choices.explain)
    assert not choices.explain.isEnabled()
    qtbot.waitUntil(lambda: choices.task is None)
    heart.stop()
    assert heart.longest_s < 0.25 * slowness()
    project = panel.session.project
    assert project is not None
    assert choices.plan.text().splitlines() == [f"•  {reason}" for reason in plan_config(project, 3).reasons]
    assert "from 2 images" in choices.plan.text()
    assert "3 minutes" in choices.plan.text()
    choices.minutes.setValue(4)  # what was said is not so any more
    assert not choices.plan.isVisible()
    assert told == []


def test_what_cannot_be_planned_is_said_in_the_panel(panel: TrainPanel, qtbot: QtBot) -> None:
    session = panel.session
    assert session.project is not None
    for case in session.project.cases:
        session.set_split(case.id, Split.TEST)
    click(qtbot, panel.choices.explain)
    qtbot.waitUntil(lambda: panel.choices.task is None)
    assert "annotate some first" in panel.choices.plan.text()


def test_curve_stop_and_offer(
    panel: TrainPanel, widget: LandmarkerWidget, qtbot: QtBot, fake_run: Callable[..., None], told: list[str]
) -> None:
    fake_run()
    project = widget.session.project
    assert project is not None
    assert not panel.plot.isVisible()
    click(qtbot, panel.start)
    assert not panel.choices.isEnabled()
    assert not panel.start.isVisible()
    run = panel.process.run if panel.process else None
    assert run is not None
    qtbot.waitUntil(lambda: len(run.curve) == 3)
    assert "about 2 min left" in panel.state.text().lower()
    assert "Best mean error" in panel.state.text()
    assert panel.bar.value() == 750
    train, held_out = panel.plot.loss.series
    assert list(train.xs) == [1, 2, 3]
    assert list(held_out.ys) == [5, 2.5, pytest.approx(5 / 3)]
    (error,) = panel.plot.error.series
    assert list(error.ys) == [9, 4, 6]
    assert error.mark == 1
    pictured = panel.plot.error.grab().toImage()
    assert len({pictured.pixel(x, y) for x in range(pictured.width()) for y in range(pictured.height())}) > 10
    folder = project.model_path("auto-1") / "configs"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text("{}", encoding="utf-8")
    click(qtbot, panel.stop)
    qtbot.waitUntil(lambda: panel.process is None)
    assert panel.state.text() == "The model 'auto-1' is ready (stopped early). Mean error on validation images: 4 px."
    assert panel.start.isVisible()
    assert panel.use.isVisible()
    assert widget.session.model == "auto-1"
    assert told == []


def test_cancel(panel: TrainPanel, qtbot: QtBot, fake_run: Callable[..., None], told: list[str]) -> None:
    fake_run()
    click(qtbot, panel.start)
    click(qtbot, panel.cancel)
    qtbot.waitUntil(lambda: panel.process is None)
    assert panel.state.text() == "The training was cancelled; no model was kept."
    assert not panel.use.isVisible()
    assert told == []


def test_a_run_that_fails_is_told_once_and_the_next_can_start(
    panel: TrainPanel, qtbot: QtBot, fake_run: Callable[..., None], told: list[str]
) -> None:
    fake_run("""print('{"event": "failed", "message": "The disk is full: make room."}')""")
    click(qtbot, panel.start)
    qtbot.waitUntil(lambda: panel.process is None)
    assert told == ["The disk is full: make room."]
    assert panel.state.text() == told[0]
    assert panel.start.isEnabled()


def test_a_run_survives_its_panel(
    panel: TrainPanel, widget: LandmarkerWidget, qtbot: QtBot, fake_run: Callable[..., None]
) -> None:
    fake_run()
    click(qtbot, panel.start)
    process = panel.process
    other = TrainPanel(widget.session)
    qtbot.addWidget(other)
    assert other.process is process
    assert process is not None
    qtbot.waitUntil(lambda: len(process.run.curve) == 3)
    other.stop_training()
    qtbot.waitUntil(lambda: panel.process is None and other.process is None)
    assert other.state.text().startswith("The model 'auto-1' is ready")


def test_a_script_that_closes_the_viewer_is_not_asked_about_a_training(
    panel: TrainPanel, viewer: Viewer, qtbot: QtBot, fake_run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: object) -> Answer:
        pytest.fail("a dialog would wait for ever")

    monkeypatch.setattr(CloseGuard, "ask", ask)
    fake_run()
    click(qtbot, panel.start)
    run = panel.process.run
    qtbot.waitUntil(lambda: len(run.curve) == 3)
    viewer.close()
    assert run.state is TrainingState.CANCELLED


def test_a_person_who_closes_the_viewer_is_asked_about_a_training(
    panel: TrainPanel, viewer: Viewer, qtbot: QtBot, fake_run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [Answer.STAY]
    monkeypatch.setattr(CloseGuard, "ask", lambda *_: answers.pop(0))
    fake_run()
    click(qtbot, panel.start)
    run = panel.process.run
    window = panel.window()
    window.close()
    assert window.isVisible()
    assert answers == []
    assert not run.state.ended


def test_a_training_goes_on_when_the_window_stays_open_for_unsaved_annotations(
    panel: TrainPanel, qtbot: QtBot, fake_run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CloseGuard, "ask", lambda *_: Answer.DISCARD)
    fake_run()
    click(qtbot, panel.start)
    window = panel.window()
    with monkeypatch.context() as patch:
        patch.setattr(SaveGuard, "may_close", lambda _: False)
        window.close()
    assert window.isVisible()
    assert not panel.process.run.state.ended


def test_a_run_says_which_project_it_belongs_to_when_another_one_is_open(
    panel: TrainPanel,
    widget: LandmarkerWidget,
    project_3d: Project,
    qtbot: QtBot,
    fake_run: Callable[..., None],
    told: list[str],
) -> None:
    fake_run()
    root = widget.session.project.root
    click(qtbot, panel.start)
    qtbot.waitUntil(lambda: len(panel.process.run.curve) == 3)
    widget.open_project(project_3d.root)
    widget.tabs.setCurrentWidget(panel)
    assert panel.state.text().startswith(f"Project '{root.name}': Training 'auto-1'")
    click(qtbot, panel.stop)
    qtbot.waitUntil(lambda: panel.process is None)
    assert panel.state.text().startswith(f"Project '{root.name}': The model 'auto-1' is ready")
    assert not panel.use.isVisible()
    assert widget.session.model is None
    widget.open_project(root)
    widget.tabs.setCurrentWidget(panel)
    assert not panel.state.isVisible()
    assert told == []


def test_settings_of_ones_own_are_trained_with_and_can_be_forgotten(
    panel: TrainPanel, qtbot: QtBot, fake_run: Callable[..., None], tmp_path: Path
) -> None:
    fake_run()
    choices, base = panel.choices, PRESETS["static"].config
    assert base is not None
    choices.choose("static")
    own = base.changed(preset="own", validations=7)
    choices.use_settings(own, base)
    assert choices.changes.text() == "With settings of your own: validations: 7."
    choices.minutes.setValue(2)
    click(qtbot, panel.start)
    qtbot.waitUntil(lambda: bool(panel.process.run.curve))
    settings = panel.session.project.runs_dir / "settings.yaml"
    args = json.loads((tmp_path / "fake_run.args").read_text())
    assert args == ["--config", str(settings), "--max-minutes", "2"]
    assert read_config(settings) == own
    click(qtbot, panel.stop)
    qtbot.waitUntil(lambda: panel.process is None)
    click(qtbot, choices.reset)
    assert choices.own is None
    assert panel._how(settings.parent)[:2] == ["--preset", "static"]


def test_all_settings_begin_with_the_chosen_method(
    panel: TrainPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[TrainSettings] = []

    def answer(dialog: TrainSettings) -> int:
        opened.append(dialog)
        dialog.form.general.editors["validations"].set_value(9)
        return 1

    monkeypatch.setattr(TrainSettings, "exec", answer)
    panel.choices.choose("one-hot")
    click(qtbot, panel.choices.settings)
    assert opened[0].base == PRESETS["one-hot"].config
    assert panel.choices.own is not None
    assert panel.choices.own.validations == 9
    panel.choices.choose("auto")
    assert panel.choices.own is None
    click(qtbot, panel.choices.settings)
    qtbot.waitUntil(lambda: len(opened) == 2)
    assert opened[1].base.reasons == plan_config(panel.session.project, panel.choices.minutes.value()).reasons


def cut_off(project: Project) -> Path:
    """A run whose process ended before it was done."""
    folder = project.runs_dir / "auto-7"
    folder.mkdir(parents=True)
    for name in ("run.json", "checkpoint.pt"):
        (folder / name).write_text("{}", encoding="utf-8")
    curve = "step,elapsed_s,train_loss,validation_loss,validation_error\n10,60,2.5,3.5,8\n20,120,1.5,,\n"
    (folder / "curve.csv").write_text(curve, encoding="utf-8")
    return folder


def test_a_run_that_was_cut_off_can_be_gone_on_with(
    panel: TrainPanel, widget: LandmarkerWidget, qtbot: QtBot, fake_run: Callable[..., None], tmp_path: Path
) -> None:
    assert not panel.resume.isVisible()
    fake_run()
    project = widget.session.project
    cut_off(project)
    widget.open_project(project.root)
    widget.tabs.setCurrentWidget(panel)
    assert panel.resume.text() == "Go on with 'auto-7', which was cut off"
    click(qtbot, panel.resume)
    assert not panel.resume.isVisible()
    run = panel.process.run
    assert [(point.step, point.validation_error) for point in run.curve[:2]] == [(10, 8), (20, None)]
    qtbot.waitUntil(lambda: len(run.curve) == 5)
    assert json.loads((tmp_path / "fake_run.args").read_text()) == ["--resume", "--run", "auto-7"]
    click(qtbot, panel.cancel)
    qtbot.waitUntil(lambda: panel.process is None)


def test_a_run_that_was_cut_off_can_be_discarded(panel: TrainPanel, widget: LandmarkerWidget, qtbot: QtBot) -> None:
    folder = cut_off(widget.session.project)
    widget.open_project(widget.session.project.root)
    widget.tabs.setCurrentWidget(panel)
    click(qtbot, panel.discard)
    assert not folder.exists()
    assert not panel.resume.isVisible()


def test_the_finished_model_is_offered_for_a_look_at_its_errors(
    panel: TrainPanel, widget: LandmarkerWidget, qtbot: QtBot, fake_run: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fake_run()
    made: list[str] = []
    monkeypatch.setattr(widget.report, "make_report", lambda: made.append(widget.report.split.currentData()))
    folder = widget.session.project.model_path("auto-1") / "configs"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text("{}", encoding="utf-8")
    click(qtbot, panel.start)
    click(qtbot, panel.stop)
    qtbot.waitUntil(lambda: panel.process is None)
    click(qtbot, panel.errors)
    assert widget.tabs.currentWidget() is widget.report
    assert made == ["validation"]
    assert widget.session.model == "auto-1"


def test_the_finished_model_is_offered_for_the_next_image_that_is_not_finished(
    panel: TrainPanel, widget: LandmarkerWidget, qtbot: QtBot, fake_run: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fake_run()
    session, asked = widget.session, []
    monkeypatch.setattr(widget.predict, "_predict", asked.append)
    project = session.project
    folder = project.model_path("auto-1") / "configs"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text("{}", encoding="utf-8")
    click(qtbot, panel.start)
    click(qtbot, panel.stop)
    qtbot.waitUntil(lambda: panel.process is None)
    last, first = project.cases[-1].id, project.cases[0].id
    session.open_case(first)
    session.remove(session.names[0])
    session.open_case(last)
    click(qtbot, panel.use)
    assert widget.tabs.currentWidget() is widget.predict
    assert (session.model, session.case_id) == ("auto-1", asked[0][0])
    done, total = session.progress(session.case_id)
    assert done < total


def test_calibration_is_counted_before_and_told_after(
    panel: TrainPanel, widget: LandmarkerWidget, qtbot: QtBot, fake_run: Callable[..., None]
) -> None:
    project = widget.session.project
    widget.session.set_split(project.cases[0].id, Split.CALIBRATION)
    qtbot.waitUntil(lambda: "calibration split" in panel.numbers.text())
    assert panel.numbers.text() == (
        "Learns from 1 annotated image. Checks itself on 1 annotated image that it does not learn from. "
        "Then 1 annotated image of the calibration split tells how large its regions must be."
    )
    said = 'say(event="calibrating", done=1, total=4)'
    fake_run(EVENTS.replace("word = ", f"{said}\nword = ").replace(
        'if word == "stop":', 'if word == "stop":\n    say(event="calibrated", count=4, sentence="It promises.")'
    ))  # fmt: skip
    click(qtbot, panel.start)
    run = panel.process.run
    qtbot.waitUntil(lambda: run.calibrating is not None)
    assert panel.state.text() == "The model 'auto-1' is saved. Calibrating its regions: 1 of 4 images."
    assert (panel.bar.value(), panel.bar.maximum()) == (1, 4)
    click(qtbot, panel.stop)
    qtbot.waitUntil(lambda: panel.process is None)
    assert panel.state.text().endswith("It promises.")
    assert run.calibrated == 4


def test_an_image_of_which_all_is_absent_is_not_learnt_from(
    panel: TrainPanel, widget: LandmarkerWidget, qtbot: QtBot
) -> None:
    session = widget.session
    session.open_case(session.project.cases[0].id)
    for name in session.names:
        session.mark_absent(name)
    qtbot.waitUntil(lambda: "Learns from 1 annotated image." in panel.numbers.text())
