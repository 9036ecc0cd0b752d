"""`TrainPanel`: choose how to train, start, watch it learn, stop or cancel, use the model."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.train.presets import write_config
from napari_landmarker.gui.annotated_counts import AnnotatedCounts
from napari_landmarker.gui.close_guard import CloseGuard
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.loss_plot import LossPlot
from napari_landmarker.gui.scroll_panel import ScrollPanel, wrapped
from napari_landmarker.gui.tasks import TrainingProcess, training_command
from napari_landmarker.gui.train_choices import TrainChoices
from napari_landmarker.gui.train_words import counted, told
from napari_landmarker.state.session import Session
from napari_landmarker.state.training import TrainingRun, TrainingState, cut_off_run, discard_run, resumed_run

#: What a person set by hand is written into this file of the folder of the runs, to train with it.
SETTINGS = "settings.yaml"
_RESUME_TIP = "Go on with this training where it was cut off, with the time that it had left."
_DISCARD_TIP = "Throw away what this training has learnt."


class TrainPanel(ScrollPanel):
    """Trains a model on the annotated images of the project, in a process of its own.

    Closing this panel does not end the run; the next panel shows it again.

    Args:
        session: what is open.
        parent: as in Qt.
    """

    model_chosen = Signal(str)
    """A person wants to use the model that was trained; it is the session's active model already."""
    report_wanted = Signal(str)
    """A person wants to see the errors of the active model on the images of this split."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.process: TrainingProcess | None = None
        self._run: TrainingRun | None = None
        self._trained_on = Path()
        self._cut_off: str | None = None
        self._counts = AnnotatedCounts(session, self)
        self._counts.counted.connect(self._refresh)
        self.choices = TrainChoices(session)
        self.numbers = wrapped("")
        self._make_run()
        layout = self.body
        layout.addWidget(self.choices)
        layout.addWidget(self.numbers)
        layout.addLayout(self._make_resume())
        layout.addLayout(self._buttons)
        layout.addWidget(self.state)
        layout.addWidget(self.bar)
        layout.addLayout(self._result_row)
        layout.addWidget(self.plot, 1000)
        layout.addStretch(1)
        follow(self, session.project_changed, self._project_changed)
        for signal in (session.cases_changed, session.progress_changed):
            follow(self, signal, self._count)
        follow(self, session.access_changed, self._refresh)
        active = TrainingProcess.active()
        if active is not None:
            self._watch(active)
        self._refresh()

    # ---- making it

    def _make_run(self) -> None:
        self.start = QPushButton("Start training")
        self.start.clicked.connect(self.start_training)
        self.stop = QPushButton("Stop and keep")
        self.stop.setToolTip("End the training now and keep the best model so far.")
        self.stop.clicked.connect(self.stop_training)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("End the training now and throw away what it has learnt.")
        self.cancel.clicked.connect(self.cancel_training)
        self._buttons = QHBoxLayout()
        for button in (self.start, self.stop, self.cancel):
            self._buttons.addWidget(button)
        self.state = wrapped("")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.use = QPushButton("Use this model")
        self.use.setToolTip(
            "Make it the model that predicts, and open the next image that is not finished, with its points."
        )
        self.use.clicked.connect(self._use)
        self.errors = QPushButton("Look at its errors")
        self.errors.clicked.connect(self._look)
        self._result_row = QHBoxLayout()
        self._result_row.addWidget(self.use)
        self._result_row.addWidget(self.errors)
        self._result_row.addStretch(1)
        self.plot = LossPlot()

    def _make_resume(self) -> QHBoxLayout:
        self.resume = QPushButton()
        self.resume.clicked.connect(self.resume_training)
        self.discard = QPushButton("Discard it")
        self.discard.clicked.connect(self.discard_cut_off)
        row = QHBoxLayout()
        row.addWidget(self.resume, 1)
        row.addWidget(self.discard)
        return row

    # ---- what a person does

    def start_training(self) -> None:
        """Start a run as it was chosen, within the time limit."""
        project = self._ready()
        if project is None:
            return
        own = self.choices.own
        try:
            if own is not None:
                write_config(project.runs_dir / SETTINGS, own)
        except LandmarkerError as error:
            self.session.failed.emit(str(error))
        else:
            preset = self.choices.preset if own is None else own.preset
            self._begin(project, TrainingRun(preset, self.choices.minutes.value()), self._how(project.runs_dir))

    def resume_training(self) -> None:
        """Go on with the run that was cut off."""
        project = self._ready()
        if project is not None and self._cut_off is not None:
            self._begin(project, resumed_run(project, self._cut_off), ["--resume", "--run", self._cut_off])

    def discard_cut_off(self) -> None:
        """Throw the run away that was cut off."""
        project = self._ready()
        if project is not None and self._cut_off is not None:
            try:
                discard_run(project, self._cut_off)
            except LandmarkerError as error:
                self.session.failed.emit(str(error))
            self._look_for_cut_off()

    def stop_training(self) -> None:
        """End the run and keep the best model so far."""
        if self.process is not None:
            self.process.stop()

    def cancel_training(self) -> None:
        """End the run and keep nothing."""
        if self.process is not None:
            self.process.cancel()

    # ---- inside

    def showEvent(self, event: QShowEvent) -> None:
        """Called by Qt."""
        super().showEvent(event)
        self._count()

    def _ready(self) -> Project | None:
        """The project, once all that a run reads is saved; why it may not be written is told."""
        sentence = self.session.why_not_ready()
        if sentence is not None:
            self.session.failed.emit(sentence)
        return self.session.project if sentence is None else None

    def _how(self, runs: Path) -> list[str]:
        """The options of the command that say what was chosen."""
        chosen = ["--preset", self.choices.preset]
        if self.choices.own is not None:
            chosen = ["--config", str(runs / SETTINGS)]
        return [*chosen, "--max-minutes", f"{self.choices.minutes.value():g}"]

    def _begin(self, project: Project, run: TrainingRun, how: list[str]) -> None:
        if TrainingProcess.active() is not None:
            return
        process = TrainingProcess(run, project.root, training_command(project.root, how))
        self._watch(process)
        CloseGuard.watch(self.window())
        process.start()
        self._look_for_cut_off()

    def _project_changed(self) -> None:
        if self.process is None:
            self._run = None
        self._look_for_cut_off()
        self._count()

    def _look_for_cut_off(self) -> None:
        """Find out whether there is a run to go on with; while one is going on there is none."""
        project = self.session.project
        going = TrainingProcess.active() is not None
        self._cut_off = None if project is None or going else cut_off_run(project)
        self._refresh()

    def _count(self, *_: object) -> None:
        self._counts.stop()
        if self.isVisible() and self.session.project is not None:
            self._counts.start()
        self._refresh()

    def _watch(self, process: TrainingProcess) -> None:
        self.process, self._run, self._trained_on = process, process.run, process.project
        process.changed.connect(self._refresh)
        process.ended.connect(self._ended)

    def _ended(self) -> None:
        process, run = self.process, self._run
        self.process = None
        if process is None or run is None:
            return
        if run.state is TrainingState.FAILED:
            self.session.failed.emit(run.message)
        elif run.state is TrainingState.FINISHED and self._is_here():
            try:
                self.session.refresh_models(run.model if self.session.model is None else None)
            except LandmarkerError as error:
                self.session.failed.emit(str(error))
        self._look_for_cut_off()

    def _use(self) -> None:
        if self._run is not None and self._activate(self._run.model):
            self.model_chosen.emit(self._run.model)

    def _look(self) -> None:
        split = self._judged_on()
        if self._run is not None and split is not None and self._activate(self._run.model):
            self.report_wanted.emit(split.value)

    def _activate(self, model: str) -> bool:
        """Make a model the active one; whether that worked."""
        try:
            self.session.refresh_models(model)
        except LandmarkerError as error:
            self.session.failed.emit(str(error))
            return False
        return True

    def _judged_on(self) -> Split | None:
        """The best images there are to judge a model on: those of the test split, else of the validation split."""
        counts = self._counts.counts
        return next((split for split in (Split.TEST, Split.VALIDATION) if counts[split]), None)

    def _is_here(self) -> bool:
        """Whether the run belongs to the project that is open."""
        project = self.session.project
        return project is not None and project.root == self._trained_on

    def _refresh(self) -> None:
        """Show what is so now."""
        run = self._run
        running = self.process is not None
        asked = run is not None and run.state in (TrainingState.STOPPING, TrainingState.CANCELLING)
        self.choices.setEnabled(not running)
        reason = self._reason()
        self.start.setVisible(not running)
        self.start.setEnabled(not reason and not self._counts.busy)
        self.start.setToolTip(reason or "Learn from the annotated images. You can go on working meanwhile.")
        self.numbers.setText(reason or self._numbers())
        self.stop.setVisible(running)
        self.cancel.setVisible(running)
        self.stop.setEnabled(not asked)
        self.cancel.setEnabled(run is None or run.state is not TrainingState.CANCELLING)
        self.bar.setVisible(running)
        self._show_bar(run, asked)
        where = "" if self._is_here() else f"Project '{self._trained_on.name}': "
        self.state.setText("" if run is None else where + told(run))
        self.state.setVisible(run is not None)
        ready = run is not None and run.state is TrainingState.FINISHED
        self._show_offers(not running and ready and self._is_here())
        self.plot.setVisible(run is not None)
        self.plot.show_run(run)

    def _show_bar(self, run: TrainingRun | None, asked: bool) -> None:
        """How far the run is, or its calibration; where nobody knows, the bar runs to and fro."""
        if run is not None and run.calibrating is not None:
            self.bar.setRange(0, run.calibrating[1])
            self.bar.setValue(run.calibrating[0])
            return
        busy = run is None or run.state is TrainingState.STARTING or asked
        self.bar.setRange(0, 0 if busy else 1000)
        self.bar.setValue(0 if run is None else round(1000 * run.fraction))

    def _show_offers(self, ready: bool) -> None:
        """What can be done with a finished model, or with a run that was cut off."""
        split = self._judged_on()
        self.use.setVisible(ready)
        self.errors.setVisible(ready and split is not None)
        which = "" if split is None else f"the {split.value} split, which it did not learn from"
        self.errors.setToolTip(f"Make the report of this model on the images of {which}.")
        reason = self.session.lock_owner
        for button, tip in ((self.resume, _RESUME_TIP), (self.discard, _DISCARD_TIP)):
            button.setVisible(self._cut_off is not None)
            button.setEnabled(reason is None)
            button.setToolTip(reason or tip)
        self.resume.setText(f"Go on with '{self._cut_off}', which was cut off")

    def _reason(self) -> str:
        """Why nothing can be trained, or nothing."""
        if self.session.project is None:
            return "Open or create a project first."
        if self.session.lock_owner is not None:
            return self.session.lock_owner
        if not self.isVisible() or self._counts.busy:
            return ""
        if self._counts.counts[Split.TRAIN] == 0:
            return "Annotate at least one image of the train split first: a model learns from annotated images."
        return ""

    def _numbers(self) -> str:
        """What a run would learn from."""
        if self._counts.busy:
            return "Counting the annotated images…"
        return counted(self._counts.counts)
