"""`Fields`: a form in which what is wrong stands right below the field that it is about."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_landmarker.gui.problem_label import ProblemLabel
from napari_landmarker.gui.schema_draft import Item, LandmarkDraft, SchemaDraft
from napari_landmarker.gui.schema_problems import Problem


class Fields(QWidget):
    """Rows of a form, each with a line for what is wrong, which is there only while something is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._wrong: dict[str, ProblemLabel] = {}

    def add(self, label: str, widget: QWidget, name: str = "") -> QLabel:
        """Add a row; ``name`` is what problems call its field. Returns the label."""
        words = QLabel(label)
        words.setBuddy(widget)
        widget.setAccessibleName(label)
        if not name:
            self.form.addRow(words, widget)
            return words
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(widget)
        self._wrong[name] = ProblemLabel()
        column.addWidget(self._wrong[name])
        self.form.addRow(words, box)
        return words

    def problem(self, name: str) -> str:
        """What is said below a field now, nothing while all is well."""
        label = self._wrong[name]
        return "" if label.isHidden() else label.text()

    def show_problems(self, item: Item | None, problems: Sequence[Problem]) -> None:
        """Say what is wrong with an item, each below its field."""
        for name, label in self._wrong.items():
            sentences = [problem.sentence for problem in problems if problem.item is item and problem.field == name]
            label.say("\n".join(sentences))


class LandmarkChoice(QComboBox):
    """Chooses a landmark of a draft, or none."""

    def __init__(self, nothing: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMaxVisibleItems(20)
        self._nothing = nothing
        self._landmarks: list[LandmarkDraft] = []

    def show_landmarks(
        self, draft: SchemaDraft, chosen: LandmarkDraft | None, without: LandmarkDraft | None = None
    ) -> None:
        """Offer the landmarks of a draft and choose one, without telling."""
        self.blockSignals(True)
        self.clear()
        self._landmarks = [landmark for landmark in draft.landmarks if landmark is not without]
        self.addItem(self._nothing)
        for landmark in self._landmarks:
            self.addItem(color_icon(landmark.color), landmark.name)
        self.setCurrentIndex(self._landmarks.index(chosen) + 1 if chosen in self._landmarks else 0)
        self.blockSignals(False)

    @property
    def landmark(self) -> LandmarkDraft | None:
        """What is chosen."""
        at = self.currentIndex()
        return self._landmarks[at - 1] if at > 0 else None

    def choose(self, name: str) -> None:
        """Choose a landmark by its name, as a person does."""
        self.setCurrentIndex(self.findText(name))


def color_icon(color: str) -> QIcon:
    """A square of a colour."""
    pixmap = QPixmap(16, 16)
    pixmap.fill(QColor(color or "#808080"))
    return QIcon(pixmap)
