"""`KeepingBox`: whether the regions of a model still hold what persons corrected, and how to calibrate it again."""

from __future__ import annotations

import functools

from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QMessageBox, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.project import Split
from napari_landmarker.gui.calibrating import Kept, calibrate_again, see_whether_kept
from napari_landmarker.gui.close_guard import CloseGuard
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.regions import ModelRegions
from napari_landmarker.gui.scroll_panel import wrapped
from napari_landmarker.gui.tasks import Task
from napari_landmarker.state.session import Session


class KeepingBox(QWidget):
    """Says whether regions keep their word, and calibrates the active model.

    Args:
        session: what is open.
        parent: as in Qt.

    Attributes:
        model: what the active model promises, None while that is not known.
        kept: whether it still does, None while that is not known.
        task: what is going on in the background.
    """

    calibrated = Signal(object)
    """The active model promises this now (`ModelRegions`)."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.model: ModelRegions | None = None
        self.kept: Kept | None = None
        self.task: Task | None = None
        self._outcome = ""
        self._stale = True
        self.still = wrapped()
        self.still.setToolTip(
            "Compares the model's points with those that persons placed in images it has not met. "
            "Points that were accepted without a look make the regions seem better than they are."
        )
        self.check = QPushButton("Check again")
        self.check.setToolTip("See whether the regions hold the points that were corrected since.")
        self.check.clicked.connect(self.check_kept)
        self.calibrate = QPushButton("Recalibrate")
        self.calibrate.setToolTip(
            "Learn anew, from the annotated images of the calibration split, how far the model's points may be off."
        )
        self.calibrate.clicked.connect(self.recalibrate)
        self.bar = QProgressBar()
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop; the model promises what it did before.")
        self.cancel.clicked.connect(self._cancel)
        buttons, going = QHBoxLayout(), QHBoxLayout()
        for button in (self.check, self.calibrate):
            buttons.addWidget(button)
        going.addWidget(self.bar, 1)
        going.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.still)
        layout.addLayout(buttons)
        layout.addLayout(going)
        follow(self, session.rater_changed, self._rater_changed)
        self.refresh()

    def set_model(self, model: ModelRegions | None) -> None:
        """Another model is active, or it is calibrated otherwise; None while that is not known."""
        if model is None or self.model is None or self.model.key.folder != model.key.folder:
            self._outcome = ""
        self.model, self.kept, self._stale = model, None, True
        self.refresh()
        self._check_stale()

    def refresh(self) -> None:
        """Show what is known now."""
        calibration = None if self.model is None else self.model.calibration
        still = "" if self.kept is None else self.kept.sentence
        self.still.setText(" ".join(filter(None, (self._outcome, still))))
        self.still.setVisible(bool(self.still.text()))
        going = self.task is not None
        self.check.setVisible(calibration is not None)
        self.check.setEnabled(not going)
        self.calibrate.setText("Calibrate" if calibration is None else "Recalibrate")
        self.calibrate.setEnabled(self.model is not None and not going)
        self.bar.setVisible(going)
        self.cancel.setVisible(going)

    # ---- whether it holds

    def showEvent(self, event: QShowEvent) -> None:
        """Called by Qt."""
        super().showEvent(event)
        self._check_stale()

    def check_kept(self) -> None:
        """See, beside the window, whether the regions hold what was corrected since."""
        project, model = self.session.project, self.session.model
        if project is None or model is None or self.model is None or self.model.calibration is None:
            return
        if self.task is None:
            self._stale = False
            now = project.snapshot()
            task = Task(functools.partial(see_whether_kept, project=now, model=model, regions=self.model))
            task.returned.connect(functools.partial(self._know_kept, now.rater))
            self._start(task)

    def _know_kept(self, rater: str, kept: Kept) -> None:
        if rater == self.session.rater:
            self.kept = kept

    def _rater_changed(self) -> None:
        """What is known was seen in the annotations of somebody else."""
        self.kept, self._stale = None, True
        self.refresh()
        self._check_stale()

    def _check_stale(self) -> None:
        if self._stale and self.isVisible():
            self.check_kept()

    # ---- calibrating

    def recalibrate(self) -> None:
        """Calibrate the active model again; where corrected images could be used too, ask whether they should."""
        project, model = self.session.project, self.session.model
        if project is None or model is None or self.task is not None:
            return
        sentence = self.session.why_not_ready()  # calibrating reads the annotations on disk
        if sentence is not None:
            self.session.failed.emit(sentence)
            return
        usable = () if self.kept is None else self.kept.usable
        wanted = self.ask(len(usable)) if usable else False
        if wanted is None:
            return
        try:
            if wanted:
                self.session.set_splits(dict.fromkeys(usable, Split.CALIBRATION))
        except LandmarkerError as error:
            self.session.failed.emit(str(error))
            return
        config = None if self.model is None or self.model.calibration is None else self.model.calibration.config
        task = Task(functools.partial(calibrate_again, project=project.snapshot(), model=model, config=config))
        task.returned.connect(self._calibrated)
        CloseGuard.watch(self.window())
        self._start(task)

    def ask(self, count: int) -> bool | None:
        """Ask whether corrected images should be calibrated on too; None to do nothing at all."""
        images = "an image was" if count == 1 else f"{count} images were"
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Recalibrate")
        box.setText(
            f"Since this model was trained, {images} predicted and corrected. Put into the calibration split, they "
            "make its promise truer; models that are trained later will then not learn from them."
        )
        use = box.addButton("Use them too", QMessageBox.ButtonRole.AcceptRole)
        leave = box.addButton("Leave them", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        return {use: True, leave: False}.get(box.clickedButton())

    def _calibrated(self, result: tuple[ModelRegions, str]) -> None:
        model, self._outcome = result
        self.calibrated.emit(model)

    # ---- work beside the window

    def _start(self, task: Task) -> None:
        self.task = task
        task.progressed.connect(self._progressed)
        task.failed.connect(self.session.failed.emit)
        task.finished.connect(self._finished)
        self.bar.setRange(0, 0)
        task.start()
        self.refresh()

    def _progressed(self, done: int, total: int) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)

    def _finished(self) -> None:
        self.task = None
        self.refresh()
        self._check_stale()

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()
