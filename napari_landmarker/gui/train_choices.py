"""`TrainChoices`: how to train, for how long, and what the automatic choice would do and why."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QDoubleSpinBox,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QWidget,
)

from napari_landmarker.engine.project import Project
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.planner import DEFAULT_MINUTES, plan_config
from napari_landmarker.engine.train.presets import PRESETS
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.preload import preload_torch
from napari_landmarker.gui.scroll_panel import choice, wrapped
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.gui.train_settings import TrainSettings, differences
from napari_landmarker.gui.train_words import WHEN
from napari_landmarker.state.session import Session

_AUTO = next(iter(PRESETS))
#: How many of the settings of one's own are named.
_LISTED = 4


class TrainChoices(QGroupBox):
    """The automatic choice, another method or settings of one's own, and a time limit.

    Args:
        session: whose project would be trained on.
        parent: as in Qt.

    Attributes:
        own: what a person set by hand, beginning with the chosen preset; None where nothing was.
    """

    changed = Signal()
    """Another method or time limit was chosen."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("How to train", parent)
        self.session = session
        self.task: Task | None = None
        self.own: TrainConfig | None = None
        self._own_base: TrainConfig | None = None
        self._make_methods()
        self._make_time()
        grid = QGridLayout(self)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.automatic, 0, 0, 1, 2)
        grid.addWidget(wrapped(_words(_AUTO)), 1, 0, 1, 2)
        grid.addWidget(self.other, 2, 0)
        grid.addWidget(self.methods, 2, 1)
        grid.addWidget(self.description, 3, 0, 1, 2)
        grid.addWidget(QLabel("Time limit"), 4, 0)
        grid.addWidget(self.minutes, 4, 1, Qt.AlignmentFlag.AlignLeft)
        more = QHBoxLayout()
        for button in (self.explain, self.settings, self.reset):
            more.addWidget(button)
        more.addStretch(1)
        grid.addLayout(more, 5, 0, 1, 2)
        grid.addWidget(self.changes, 6, 0, 1, 2)
        grid.addWidget(self.plan, 7, 0, 1, 2)
        follow(self, session.project_changed, self.forget_settings)
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
                self.methods.setItemData(self.methods.count() - 1, WHEN[preset.name], Qt.ItemDataRole.ToolTipRole)
        self.description = wrapped()
        self._buttons.buttonToggled.connect(self._method_chosen)
        self.methods.currentIndexChanged.connect(self._method_chosen)

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
        self.settings = QPushButton("All settings…")
        self.settings.setToolTip("For those who want more: look at every setting of the training, and change it.")
        self.settings.clicked.connect(self.choose_settings)
        self.reset = QPushButton("Reset")
        self.reset.setToolTip("Forget your own settings: train as the method above says.")
        self.reset.clicked.connect(self.forget_settings)
        self.changes = wrapped()
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
        self._plan(lambda config: self._show("\n".join(f"•  {reason}" for reason in config.reasons)))

    def choose_settings(self) -> None:
        """Show every setting, beginning with the chosen preset; the automatic one is planned first."""
        preset = PRESETS[self.preset]
        if self._own_base is not None and self.own is not None:
            self._open_settings(self._own_base)
        elif preset.config is not None:
            self._open_settings(preset.config)
        else:
            self._plan(self._open_settings)

    def use_settings(self, config: TrainConfig, base: TrainConfig) -> None:
        """Train with settings of one's own.

        Args:
            config: the settings.
            base: those of the preset that they began with.
        """
        self.own, self._own_base = (None, None) if config == base else (config, base)
        self._forget()
        self.changed.emit()

    def forget_settings(self) -> None:
        """Train as the preset says."""
        self.own = self._own_base = None
        self._chosen()

    # ---- inside

    def _plan(self, use: Callable[[TrainConfig], None]) -> None:
        """Plan the automatic choice in a worker thread."""
        project = self.session.project
        if project is None or self.task is not None:
            return
        task = Task(functools.partial(_planned, project.root, self.minutes.value()))
        self.task = task
        task.failed.connect(self._show)
        task.returned.connect(functools.partial(self._planned_for, use))
        task.finished.connect(self._finished)
        self._show("Looking at the images and the computer…")
        self._refresh()
        task.start()

    def _open_settings(self, base: TrainConfig) -> None:
        dialog = TrainSettings(base, PRESETS[self.preset].title, self.own, self._ndim(), self)
        if dialog.exec():
            self.use_settings(dialog.config, base)
        dialog.deleteLater()

    def _ndim(self) -> int | None:
        """Dimensions of the project's images; None where no image is open."""
        return None if self.session.image is None else self.session.image.grid.ndim

    def _method_chosen(self, *_: object) -> None:
        self.forget_settings()

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

    def _planned_for(self, use: Callable[[TrainConfig], None], config: TrainConfig) -> None:
        self._show("")
        use(config)

    def _finished(self) -> None:
        self.task = None
        self._refresh()

    def _refresh(self) -> None:
        automatic = self.automatic.isChecked()
        self.methods.setEnabled(not automatic)
        self.description.setVisible(not automatic)
        self.description.setText(_words(str(self.methods.currentData())))
        self.explain.setVisible(automatic and self.own is None)
        ready = self.session.project is not None and self.task is None
        self.explain.setEnabled(ready)
        self.settings.setEnabled(ready)
        self.reset.setVisible(self.own is not None)
        self.changes.setVisible(self.own is not None)
        self.changes.setText(self._changes())

    def _changes(self) -> str:
        """What a person set, in a few words."""
        if self.own is None or self._own_base is None:
            return ""
        left = {"preset", "reasons", "max_minutes"}
        found = differences(self._own_base.model_dump(exclude=left), self.own.model_dump(exclude=left))
        listed = "; ".join(found[:_LISTED])
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        return f"With settings of your own: {listed}{more}."


def _words(preset: str) -> str:
    """What a preset does, and when to choose it."""
    return f"{PRESETS[preset].description} {WHEN[preset]}"


def _planned(root: Path, minutes: float, job: Job) -> TrainConfig:
    """What ``auto`` would do. In a worker thread, so with a project of its own."""
    preload_torch()
    job.check()
    return plan_config(Project.open(root), minutes)
