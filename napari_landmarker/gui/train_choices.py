"""`TrainChoices`: how to train, for how long, and what the automatic choice would do and why."""

from __future__ import annotations

import functools
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QDoubleSpinBox,
    QGridLayout,
    QGroupBox,
    QLabel,
    QPushButton,
    QRadioButton,
    QWidget,
)

from napari_landmarker.engine.project import Project
from napari_landmarker.engine.train.planner import DEFAULT_MINUTES, plan_config
from napari_landmarker.engine.train.presets import PRESETS
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.preload import preload_torch
from napari_landmarker.gui.scroll_panel import choice, wrapped
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.state.session import Session

_AUTO = next(iter(PRESETS))


class TrainChoices(QGroupBox):
    """The automatic choice or another method, and a time limit.

    Args:
        session: whose project would be trained on.
        parent: as in Qt.
    """

    changed = Signal()
    """Another method or time limit was chosen."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("How to train", parent)
        self.session = session
        self.task: Task | None = None
        self._make_methods()
        self._make_time()
        grid = QGridLayout(self)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.automatic, 0, 0, 1, 2)
        grid.addWidget(wrapped(PRESETS[_AUTO].description), 1, 0, 1, 2)
        grid.addWidget(self.other, 2, 0)
        grid.addWidget(self.methods, 2, 1)
        grid.addWidget(self.description, 3, 0, 1, 2)
        grid.addWidget(QLabel("Time limit"), 4, 0)
        grid.addWidget(self.minutes, 4, 1, Qt.AlignmentFlag.AlignLeft)
        grid.addWidget(self.explain, 5, 1, Qt.AlignmentFlag.AlignLeft)
        grid.addWidget(self.plan, 6, 0, 1, 2)
        for signal in (session.project_changed, session.cases_changed, session.progress_changed):
            follow(self, signal, self._forget)
        self._chosen()

    def _make_methods(self) -> None:
        self.automatic = QRadioButton(PRESETS[_AUTO].title)
        self.automatic.setToolTip("The right choice unless you want to compare methods.")
        self.other = QRadioButton("Other methods")
        self.other.setToolTip("Methods from the literature, each as it was published, in 2D and in 3D.")
        self.automatic.setChecked(True)
        self._buttons = QButtonGroup(self)
        for button in (self.automatic, self.other):
            self._buttons.addButton(button)
        self.methods = choice()
        for preset in PRESETS.values():
            if preset.name != _AUTO:
                self.methods.addItem(preset.title, preset.name)
        self.description = wrapped()
        self._buttons.buttonToggled.connect(self._chosen)
        self.methods.currentIndexChanged.connect(self._chosen)

    def _make_time(self) -> None:
        self.minutes = QDoubleSpinBox()
        self.minutes.setDecimals(1)
        self.minutes.setRange(0.1, 10_000)
        self.minutes.setValue(DEFAULT_MINUTES)
        self.minutes.setSuffix(" min")
        self.minutes.setToolTip(
            "The training ends by itself after this time and keeps the best model it found.\n"
            "More time mostly means smaller errors, the more images there are the longer it pays."
        )
        self.minutes.valueChanged.connect(self._chosen)
        self.explain = QPushButton("What will it do?")
        self.explain.setToolTip("Say what the automatic choice would be for these images, this computer and this time.")
        self.explain.clicked.connect(self.explain_plan)
        self.plan = wrapped()
        self.plan.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    # ---- what a person does

    @property
    def preset(self) -> str:
        """Name of the chosen preset."""
        return _AUTO if self.automatic.isChecked() else str(self.methods.currentData())

    def choose(self, preset: str) -> None:
        """Choose a preset by its name."""
        (self.automatic if preset == _AUTO else self.other).setChecked(True)
        if preset != _AUTO:
            self.methods.setCurrentIndex(self.methods.findData(preset))

    def explain_plan(self) -> None:
        """Plan in a worker thread, and show why each choice was made."""
        project = self.session.project
        if project is None or self.task is not None:
            return
        task = Task(functools.partial(_planned, project.root, self.minutes.value()))
        self.task = task
        task.returned.connect(self._show)
        task.failed.connect(self._show)
        task.finished.connect(self._finished)
        self._show("Looking at the images and the computer…")
        self._refresh()
        task.start()

    # ---- inside

    def _chosen(self, *_: object) -> None:
        self._forget()
        self.changed.emit()

    def _forget(self, *_: object) -> None:
        """What was planned is not what would be planned now."""
        if self.task is not None:
            self.task.cancel()
        self._show("")
        self._refresh()

    def _show(self, text: str) -> None:
        self.plan.setText(text)
        self.plan.setVisible(bool(text))

    def _finished(self) -> None:
        self.task = None
        self._refresh()

    def _refresh(self) -> None:
        automatic = self.automatic.isChecked()
        self.methods.setEnabled(not automatic)
        self.description.setVisible(not automatic)
        self.description.setText(PRESETS[str(self.methods.currentData())].description)
        self.explain.setVisible(automatic)
        self.explain.setEnabled(self.session.project is not None and self.task is None)


def _planned(root: Path, minutes: float, job: Job) -> str:
    """What ``auto`` would do, as a list in plain words. In a worker thread, so with a project of its own."""
    preload_torch()
    job.check()
    config = plan_config(Project.open(root), minutes)
    return "\n".join(f"•  {reason}" for reason in config.reasons)
