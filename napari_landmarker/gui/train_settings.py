"""`TrainSettings`: the dialog for those who want to choose every setting of a training themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.presets import read_config, write_config
from napari_landmarker.engine.train.presets.mistakes import sentence
from napari_landmarker.gui.config_form import ConfigForm
from napari_landmarker.gui.file_choice import choose_file, choose_new_file
from napari_landmarker.gui.scroll_panel import wrapped

#: What the panel itself asks for, or nobody needs to see.
_LEFT = ("preset", "reasons", "max_minutes")
_KINDS = "Training settings (*.yaml *.yml *.json)"
#: Name of what a person set by hand; its models are called by it.
OWN = "own"


class TrainSettings(QDialog):
    """Every setting of a run, beginning with a preset. What differs from the preset is written bold.

    Args:
        base: the preset's configuration, to which everything can be reset.
        title: what the preset is called.
        config: what is shown at first; the preset's by default.
        ndim: of the project's images; None shows the settings of 2D and of 3D.
        parent: as in Qt.

    Attributes:
        config: what was set; the preset's own as long as nothing was changed.
    """

    def __init__(
        self,
        base: TrainConfig,
        title: str,
        config: TrainConfig | None = None,
        ndim: int | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.base, self.title = base, title
        self.config = base if config is None else config
        self.setWindowTitle("Settings of the training")
        self.form = ConfigForm(TrainConfig, ndim, _LEFT)
        self.form.changed.connect(self._check)
        self.told = wrapped()
        self.told.setTextFormat(Qt.TextFormat.PlainText)
        layout = QVBoxLayout(self)
        layout.addWidget(
            wrapped(f"Begins with “{title}”; what differs from it is written bold. Rest the mouse on a name.")
        )
        layout.addWidget(self.form, 1)
        layout.addWidget(self.told)
        layout.addLayout(self._make_buttons())
        letters = self.fontMetrics()
        self.resize(letters.averageCharWidth() * 100, letters.height() * 34)
        self._show(self.config)

    def _make_buttons(self) -> QHBoxLayout:
        self.reset = QPushButton("Reset")
        self.reset.setToolTip(f"Set everything back to “{self.title}”.")
        self.reset.clicked.connect(lambda: self._show(self.base))
        self.load = QPushButton("Load…")
        self.load.setToolTip("Read the settings from a file, such as the one in the folder of a model.")
        self.load.clicked.connect(self._choose_file)
        self.save = QPushButton("Save…")
        self.save.setToolTip("Write the settings into a file, to train with them elsewhere or to pass them on.")
        self.save.clicked.connect(self._choose_new_file)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.use = self.buttons.addButton("Use these settings", QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        row = QHBoxLayout()
        for button in (self.reset, self.load, self.save):
            button.setAutoDefault(False)
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.buttons)
        return row

    # ---- what a person does

    def load_file(self, path: Path) -> None:
        """Show the settings of a file; what is wrong with it is said below the form."""
        try:
            self._show(read_config(path))
        except LandmarkerError as error:
            self.told.setText(str(error))

    def save_file(self, path: Path) -> None:
        """Write what is shown into a file."""
        try:
            write_config(path, self.config)
        except LandmarkerError as error:
            self.told.setText(str(error))
        else:
            self.told.setText(f"Saved as {path.name}.")

    # ---- inside

    def _show(self, config: TrainConfig) -> None:
        self.form.blockSignals(True)
        self.form.set_value(config)
        self.form.blockSignals(False)
        self._check()

    def _check(self) -> None:
        """Take over what is shown if a run can be made of it, else say why not."""
        try:
            shown = TrainConfig.model_validate(self.form.value())
        except ValidationError as error:
            mistake = sentence(error.errors()[0])
            self.told.setText(f"This cannot be trained: {mistake}")
            self.use.setEnabled(False)
            self.save.setEnabled(False)
            return
        base = self.base.changed(preset=shown.preset, reasons=shown.reasons, max_minutes=shown.max_minutes)
        same = base == shown
        reasons = (f"Set by hand, beginning with the preset '{self.base.preset}'.",)
        self.config = self.base if same else shown.changed(preset=OWN, reasons=reasons)
        self.form.mark(_plain(base), _plain(shown))
        count = len(differences(_plain(base), _plain(shown)))
        self.told.setText("As the preset." if same else f"{count} setting{'' if count == 1 else 's'} of your own.")
        self.use.setEnabled(True)
        self.save.setEnabled(True)

    def _choose_file(self) -> None:
        path = choose_file(self, "Settings of a training", _KINDS)
        if path is not None:
            self.load_file(path)

    def _choose_new_file(self) -> None:
        path = choose_new_file(self, "Save the settings", "training.yaml", _KINDS)
        if path is not None:
            self.save_file(path if path.suffix else path.with_suffix(".yaml"))


def differences(base: Mapping[str, Any], now: Mapping[str, Any], of: str = "") -> list[str]:
    """Which settings differ, such as ``"optimiser › learning rate: 0.001"``; of a part of another kind, its kind."""
    found = []
    for key, after in now.items():
        before, title = base.get(key), f"{of}{key.replace('_', ' ')}"
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            if before.get("kind") == after.get("kind"):
                found += differences(before, after, f"{title} › ")
            else:
                found.append(f"{title}: {str(after['kind']).replace('_', ' ')}")
        else:
            found.append(f"{title}: {'none' if after is None else after}")
    return found


def _plain(config: TrainConfig) -> dict[str, Any]:
    return config.model_dump(exclude=set(_LEFT))
