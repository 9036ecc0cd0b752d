"""`TrainPanel`: choose how to train, start, watch it learn, stop or cancel, use the model."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.project import Split
from napari_landmarker.gui.annotated_counts import AnnotatedCounts
from napari_landmarker.gui.close_guard import CloseGuard
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.loss_plot import LossPlot
from napari_landmarker.gui.scroll_panel import ScrollPanel, wrapped
from napari_landmarker.gui.tasks import TrainingProcess, training_command
from napari_landmarker.gui.train_choices import TrainChoices
from napari_landmarker.state.session import Session
from napari_landmarker.state.training import TrainingRun, TrainingState, duration

#: What a run computes on, in words.
_DEVICES = {"cpu": "processor", "cuda": "graphics card", "mps": "graphics processor"}


class TrainPanel(ScrollPanel):
    """Trains a model on the annotated images of the project, in a process of its own.

    Closing this panel does not end the run; the next panel shows it again.

    Args:
        session: what is open.
        parent: as in Qt.
    """

    model_chosen = Signal(str)
    """A person wants to use the model that was trained; it is the session's active model already."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.process: TrainingProcess | None = None
        self._run: TrainingRun | None = None
        self._trained_on = Path()
        self._counts = AnnotatedCounts(session, self)
        self._counts.counted.connect(self._refresh)
        self.choices = TrainChoices(session)
        self.numbers = wrapped("")
        self._make_run()
        layout = self.body
        layout.addWidget(self.choices)
        layout.addWidget(self.numbers)
        layout.addLayout(self._buttons)
        layout.addWidget(self.state)
        layout.addWidget(self.bar)
        layout.addLayout(self._result_row)
        layout.addWidget(self.plot, 1000)
        layout.addStretch(1)
        follow(self, session.project_changed, self._project_changed)
        for signal in (session.cases_changed, session.progress_changed):
            follow(self, signal, self._count)
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
        self.use.setToolTip("Make it the model that predicts, and go on to the predictions.")
        self.use.clicked.connect(self._use)
        self._result_row = QHBoxLayout()
        self._result_row.addWidget(self.use)
        self._result_row.addStretch(1)
        self.plot = LossPlot()

    # ---- what a person does

    def start_training(self) -> None:
        """Start a run with the chosen preset and time limit."""
        project = self.session.project
        if project is None or TrainingProcess.active() is not None:
            return
        run = TrainingRun(self.choices.preset, self.choices.minutes.value())
        process = TrainingProcess(run, project.root, self._command(project.root))
        self._watch(process)
        CloseGuard.watch(self.window())
        process.start()
        self._refresh()

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

    def _command(self, project: Path) -> list[str]:
        return training_command(project, self.choices.preset, self.choices.minutes.value())

    def _project_changed(self) -> None:
        if self.process is None:
            self._run = None
        self._count()

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
        self._refresh()

    def _use(self) -> None:
        if self._run is None:
            return
        try:
            self.session.refresh_models(self._run.model)
        except LandmarkerError as error:
            self.session.failed.emit(str(error))
        else:
            self.model_chosen.emit(self._run.model)

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
        busy = run is None or run.state is TrainingState.STARTING or asked
        self.bar.setRange(0, 0 if busy else 1000)
        self.bar.setValue(0 if run is None else round(1000 * run.fraction))
        where = "" if self._is_here() else f"Project '{self._trained_on.name}': "
        self.state.setText("" if run is None else where + _told(run))
        self.state.setVisible(run is not None)
        ready = run is not None and run.state is TrainingState.FINISHED
        self.use.setVisible(not running and ready and self._is_here())
        self.plot.setVisible(run is not None)
        self.plot.show_run(run)

    def _reason(self) -> str:
        """Why nothing can be trained, or nothing."""
        if self.session.project is None:
            return "Open or create a project first."
        if not self.isVisible() or self._counts.busy:
            return ""
        if self._counts.counts[Split.TRAIN] == 0:
            return "Annotate at least one image of the train split first: a model learns from annotated images."
        return ""

    def _numbers(self) -> str:
        """What a run would learn from."""
        if self._counts.busy:
            return "Counting the annotated images…"
        counts = self._counts.counts
        learns = f"Learns from {_images(counts[Split.TRAIN])}."
        few = "That is" if counts[Split.TRAIN] == 1 else "They are"
        if counts[Split.VALIDATION] == 0:
            held_out = counts[Split.TRAIN] >= 5
            return f"{learns} " + (
                "About one in seven of them is held out, to check the model on images it does not learn from."
                if held_out
                else f"{few} too few to hold some out, so the error on new images will not be known."
            )
        return f"{learns} Checks itself on {_images(counts[Split.VALIDATION])} that it does not learn from."


def _told(run: TrainingRun) -> str:
    """Where a run is, in a sentence or two."""
    if run.state is TrainingState.FAILED:
        return run.message
    if run.state is TrainingState.CANCELLED:
        return "The training was cancelled; no model was kept."
    if run.state is TrainingState.CANCELLING:
        return "Cancelling…"
    if run.state is TrainingState.STOPPING:
        return "Stopping, and saving the best model so far…"
    if run.state is TrainingState.STARTING:
        return "Starting: reading the images…"
    if run.state is TrainingState.FINISHED:
        error = "" if run.validation_error is None else _error(run.validation_error, run.unit)
        return f"The model '{run.model}' is ready{' (stopped early)' if run.stopped else ''}.{error}"
    left = "Finishing…" if run.remaining_s is None else f"{duration(run.remaining_s).capitalize()} left."
    best = "" if run.best is None or run.best.validation_error is None else _error(run.best.validation_error, run.unit)
    device = f" on the {_DEVICES.get(run.device, run.device)}" if run.device else ""
    return f"Training '{run.model}'{device}. {left}{best.replace('Mean', 'Best mean')}"


def _error(error: float, unit: str) -> str:
    return f" Mean error on validation images: {error:.3g} {unit}."


def _images(count: int) -> str:
    return f"{count} annotated image" + ("" if count == 1 else "s")
