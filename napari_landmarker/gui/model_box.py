"""`ModelBox`: the models to choose from, of the project and with the program, and what the chosen one is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.predict.usable import models_to_map, usable_models
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.model_words import expects, judged
from napari_landmarker.gui.scroll_panel import breakable, choice, wrapped
from napari_landmarker.state.session import Session


class ModelBox(QWidget):
    """Shows and sets the session's active model.

    Args:
        session: what is open.
        open_model: takes in a model of which a person must say first what its landmarks are; without it, none is shown.
        parent: as in Qt.
    """

    def __init__(
        self, session: Session, open_model: Callable[[Path], None] | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.session = session
        self._open_model = open_model
        self.combo = choice()
        self.combo.setPlaceholderText("no model yet")
        self.combo.setToolTip("The model that predicts and is judged. New models come from the Train tab.")
        self.combo.activated.connect(self._chosen)
        self.about = wrapped()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.combo)
        layout.addWidget(self.about)
        self._shown: str | None = None
        follow(self, session.project_changed, self._refill)
        follow(self, session.models_changed, self._refill)
        follow(self, session.predictions_changed, self._show_active)
        self._refill()

    def _refill(self) -> None:
        project = self.session.project
        own = () if project is None else project.models
        models = () if project is None else usable_models(project)
        self.combo.clear()
        for name in models:
            self.combo.addItem(name if name in own else f"{name} (comes with the program)", name)
        if project is not None and self._open_model is not None:
            for name, folder in models_to_map(project).items():
                self.combo.addItem(f"{name} (comes with the program): say what its landmarks are…", folder)
        self.combo.setEnabled(self.combo.count() > 0)
        self._shown = None
        self._show_active()

    def _show_active(self) -> None:
        model = self.session.model
        self.combo.setCurrentIndex(-1 if model is None else self.combo.findData(model))
        if self._shown != (model or ""):
            self._shown = model or ""
            self.about.setText(self._about(model))

    def _chosen(self, row: int) -> None:
        chosen = self.combo.itemData(row)
        if isinstance(chosen, Path):
            self._show_active()
            if self._open_model is not None:
                self._open_model(chosen)
            return
        try:
            self.session.set_model(chosen)
        except LandmarkerError as error:
            self.session.failed.emit(str(error))
            self._show_active()

    def _about(self, model: str | None) -> str:
        """What a model is, in a few words."""
        from napari_landmarker.engine.predict import read_info

        project = self.session.project
        if project is None:
            return "Open or create a project first."
        if model is None:
            others = " or choose one above and say what its landmarks are" if self.combo.isEnabledTo(self) else ""
            return f"Train a model first (tab Train){others}."
        try:
            folder = project.find_model(model)
            info = read_info(folder)
        except LandmarkerError as error:
            return str(error)
        known = [name for name in project.schema.names if name in info.names]
        listed = ", ".join(map(breakable, known)) or "no landmark"
        finds = "all landmarks" if len(known) == len(project.schema.names) else listed
        return (
            f"Finds {finds} of this project. Learnt from {info.n_train} images; {judged(info, folder)}. {expects(info)}"
        )
