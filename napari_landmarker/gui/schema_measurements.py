"""`MeasurementsPage`: what is measured between landmarks, and what is usual."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QWidget

from napari_landmarker.engine.measurement_sets import MEASUREMENT_SETS, MeasurementSet
from napari_landmarker.gui.measure_words import FORMS, Form, form_of
from napari_landmarker.gui.schema_draft import MeasurementDraft, SchemaDraft
from napari_landmarker.gui.schema_fields import LandmarkChoice
from napari_landmarker.gui.schema_page import SchemaPage
from napari_landmarker.gui.scroll_panel import choice, wrapped

_MOST = max(len(form.roles) for form in FORMS)


class MeasurementsPage(SchemaPage[MeasurementDraft]):
    """The measurements."""

    def __init__(self, draft: SchemaDraft, parent: QWidget | None = None) -> None:
        super().__init__(
            draft, "measurement", "Nothing is measured: add a distance, an angle or a ratio.", parent=parent
        )

    def refill(self, row: int | None = None) -> None:
        """As for all pages; a ready-made set is offered where the landmarks allow any of it."""
        super().refill(row)
        names = [landmark.name for landmark in self.draft.landmarks]
        for ready in MEASUREMENT_SETS:
            known = ready.for_landmarks(names)
            self.sets[ready.title].setEnabled(bool(known))
            self.sets[ready.title].setToolTip(_offer(known) if known else _why_not(ready))

    # ---- the page

    def _all(self) -> list[MeasurementDraft]:
        return self.draft.measurements

    def _make_fields(self) -> None:
        self.name, self.norm, self.deviation, self.source = (QLineEdit() for _ in range(4))
        self.form: QComboBox = choice()
        self.form.addItems([form.title for form in FORMS])
        self.said = wrapped()
        self.landmarks = tuple(LandmarkChoice("choose…") for _ in range(_MOST))
        self.norm.setPlaceholderText("what is usual; empty if you do not know")
        self.deviation.setPlaceholderText("standard deviation, or half of the usual range")
        self.source.setPlaceholderText("where the norm is published")
        self.fields.add("Name", self.name, "name")
        self.fields.add("What", self.form)
        self.roles: list[QLabel] = []
        for number, landmark in enumerate(self.landmarks):
            last = "landmarks" if number == _MOST - 1 else ""
            self.roles.append(self.fields.add("", landmark, last))
            landmark.currentIndexChanged.connect(lambda _, number=number: self._landmark_chosen(number))
        self.fields.form.addRow("", self.said)
        self.norm_label = self.fields.add("Norm", self.norm, "norm")
        self.deviation_label = self.fields.add("Deviation", self.deviation, "deviation")
        self.fields.add("Source", self.source)
        self.sets: dict[str, QPushButton] = {}
        for ready in MEASUREMENT_SETS:
            button = QPushButton(f"Add: {ready.title.lower()}")
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, ready=ready: self._add_set(ready))
            self.items.more.addWidget(button)
            self.sets[ready.title] = button
        self.form.currentIndexChanged.connect(self._form_chosen)
        for key in ("name", "norm", "deviation", "source"):
            getattr(self, key).textEdited.connect(lambda text, key=key: self._typed(key, text))

    def _show(self, item: MeasurementDraft) -> None:
        for key in ("name", "norm", "deviation", "source"):
            if getattr(self, key).text() != getattr(item, key):
                getattr(self, key).setText(getattr(item, key))
                getattr(self, key).setCursorPosition(0)
        form = form_of(item.kind, len(item.landmarks))
        self.form.blockSignals(True)
        self.form.setCurrentIndex(FORMS.index(form))
        self.form.blockSignals(False)
        for number, landmark in enumerate(self.landmarks):
            used = number < len(form.roles)
            self.roles[number].setText(form.roles[number] if used else "")
            self.roles[number].setVisible(used)
            landmark.setAccessibleName(form.roles[number] if used else "")
            landmark.setVisible(used)
            landmark.show_landmarks(self.draft, item.landmarks[number] if used else None)
        unit = {"ratio": "", "angle": " (°)", "angle_difference": " (°)"}.get(item.kind, " (mm)")
        self.norm_label.setText(f"Norm{unit}")
        self.deviation_label.setText(f"Deviation{unit}")
        self._say(item, form)

    def _new(self, at: int) -> None:
        titles = {m.name for m in self.draft.measurements}
        number = next(n for n in range(1, len(titles) + 2) if f"measurement {n}" not in titles)
        self.draft.measurements.insert(at, MeasurementDraft(f"measurement {number}", "distance", [None, None]))

    def _text(self, item: MeasurementDraft) -> str:
        return item.name

    def _first_field(self) -> QWidget:
        return self.name

    # ---- what a person does

    def _typed(self, key: str, text: str) -> None:
        if self.item is not None:
            setattr(self.item, key, text)
            self._changed()

    def _form_chosen(self, at: int) -> None:
        item, form = self.item, FORMS[at]
        if item is not None:
            count = len(form.roles)
            item.kind = form.kind
            item.landmarks = (item.landmarks + [None] * count)[:count]
            self._show(item)
            self._changed()

    def _landmark_chosen(self, number: int) -> None:
        item = self.item
        if item is not None and number < len(item.landmarks):
            item.landmarks[number] = self.landmarks[number].landmark
            self._say(item, form_of(item.kind, len(item.landmarks)))
            self._changed()

    def _add_set(self, ready: MeasurementSet) -> None:
        count = self.draft.add_measurements(ready.measurements)
        self.refill(len(self.draft.measurements) - 1 if count else None)
        self._changed()
        self.told.emit(
            f"{count} measurements added." if count else f"All of the {ready.title.lower()} is there already."
        )

    def _say(self, item: MeasurementDraft, form: Form) -> None:
        names = ["…" if landmark is None else landmark.name for landmark in item.landmarks]
        self.said.setText(form.sentence.format(*names) + ".")


def _offer(known: tuple[object, ...]) -> str:
    return f"Add {len(known)} measurements with their published norms; those that are there already stay as they are."


def _why_not(ready: MeasurementSet) -> str:
    needed = dict.fromkeys(name for measurement in ready.measurements for name in measurement.landmarks)
    return f"It needs landmarks of these names: {', '.join(needed)}."
