"""`ModelDialog`: what a model from elsewhere is, and which of its landmarks are those of the project."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QScrollArea, QVBoxLayout, QWidget

from napari_landmarker.engine.predict.importing import StagedModel
from napari_landmarker.gui.model_words import expects, judged
from napari_landmarker.gui.problem_label import ProblemLabel
from napari_landmarker.gui.scroll_panel import choice, wrapped

_NONE = "not found by this model"


class ModelDialog(QDialog):
    """Asks a person to look at a model before it is used.

    Args:
        staged: the model.
        names: the landmarks of the project.
        spacing_known: whether the open image states its spacing.
        parent: as in Qt.
    """

    def __init__(
        self, staged: StagedModel, names: tuple[str, ...], spacing_known: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add a model to the project")
        info = staged.info
        self._found = info.names
        self.choices: dict[str, QComboBox] = {}
        about = f"'{staged.name}' finds {len(info.names)} landmark{'s' * (len(info.names) != 1)}. {expects(info)} "
        about += f"Learnt from {info.n_train} images; {judged(info, staged.folder)}."
        layout = QVBoxLayout(self)
        layout.addWidget(wrapped(about))
        if info.frame.spacing_mm is not None and not spacing_known:
            layout.addWidget(wrapped("The open image states no spacing: measure it with the ruler before predicting."))
        self.question = wrapped(
            "The model and the project call their landmarks differently: say which belong together. "
            "What you leave out, the model will not predict."
        )
        self.question.setVisible(set(info.names) != set(names))
        layout.addWidget(self.question)
        suggested = staged.suggested(names)
        inside = QWidget()
        form = QFormLayout(inside)
        for name in names:
            combo = choice()
            combo.addItem(_NONE, None)
            for theirs in info.names:
                combo.addItem(theirs, theirs)
            combo.setCurrentIndex(combo.findData(suggested.get(name)) if name in suggested else 0)
            combo.currentIndexChanged.connect(self._check)
            combo.setAccessibleName(name)
            self.choices[name] = combo
            form.addRow(name, combo)
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        layout.addWidget(scroll, 1)
        self.problem = ProblemLabel()
        layout.addWidget(self.problem)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.add = buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.add.setText("Add the model")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        self.resize(self.fontMetrics().averageCharWidth() * 75, self.fontMetrics().height() * 30)
        self._check()

    @property
    def landmarks(self) -> dict[str, str]:
        """For landmarks of the project, which one of the model each is."""
        chosen = {name: combo.currentData() for name, combo in self.choices.items()}
        return {name: theirs for name, theirs in chosen.items() if theirs is not None}

    def _check(self, *_: object) -> None:
        chosen = list(self.landmarks.values())
        twice = next((name for name in chosen if chosen.count(name) > 1), None)
        if not chosen:
            self.problem.say("None of its landmarks is one of the project: choose at least one.")
        elif twice is not None:
            self.problem.say(f"'{twice}' of the model is chosen twice.")
        else:
            self.problem.say("")
        self.add.setEnabled(not self.problem.text())


Ask = Callable[[StagedModel, tuple[str, ...], bool, QWidget], dict[str, str] | None]


def ask_landmarks(
    staged: StagedModel, names: tuple[str, ...], spacing_known: bool, parent: QWidget
) -> dict[str, str] | None:
    """Show the dialog; which landmarks belong together, or None if the model is not wanted."""
    dialog = ModelDialog(staged, names, spacing_known, parent)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    landmarks = dialog.landmarks
    dialog.deleteLater()
    return landmarks if accepted else None
