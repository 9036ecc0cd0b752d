"""`LandmarksPage`: names, colours, groups, sides, descriptions and example pictures of the landmarks."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon
from qtpy.QtWidgets import (
    QColorDialog,
    QComboBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QWidget,
)

from napari_landmarker.engine.schema import PALETTE
from napari_landmarker.gui.file_choice import choose_file
from napari_landmarker.gui.pictures import read_picture
from napari_landmarker.gui.schema_draft import LandmarkDraft, SchemaDraft
from napari_landmarker.gui.schema_fields import LandmarkChoice, color_icon
from napari_landmarker.gui.schema_page import SchemaPage

#: Size of the example picture, in heights of a line of text.
_PICTURE = 8


class LandmarksPage(SchemaPage[LandmarkDraft]):
    """The landmarks.

    Args:
        draft: what is changed.
        root: folder of the project; example pictures lie in it.
        parent: as in Qt.
    """

    def __init__(self, draft: SchemaDraft, root: Path, parent: QWidget | None = None) -> None:
        self._root = root
        super().__init__(draft, "landmark", "There is no landmark: add one.", parent=parent)
        pair = QPushButton("Pair left and right by name")
        pair.setToolTip("Make pairs of landmarks whose names differ only in left and right, or in _l and _r.")
        pair.setAutoDefault(False)
        pair.clicked.connect(lambda _=False: self._pair_by_name())
        self.items.more.addWidget(pair)

    # ---- the page

    def _all(self) -> list[LandmarkDraft]:
        return self.draft.landmarks

    def _make_fields(self) -> None:
        self.name, self.group, self.where = QLineEdit(), QComboBox(), QPlainTextEdit()
        self.partner = LandmarkChoice("none")
        self.color = QPushButton()
        self.color.setToolTip("Choose the colour of its point.")
        self.color.setAutoDefault(False)
        self.group.setEditable(True)
        self.group.lineEdit().setPlaceholderText("none")
        self.group.setToolTip("Landmarks that belong together, such as those of one bone.")
        self.partner.setToolTip("The same landmark on the other side of the body.")
        self.where.setTabChangesFocus(True)
        self.where.setPlaceholderText("Where it lies, in words that stand beside the image while it is placed")
        self.where.setStyleSheet("QPlainTextEdit { border: 1px solid #868e93; border-radius: 2px; }")
        self.where.setMaximumHeight(self.fontMetrics().height() * 6)
        self.fields.add("Name", self.name, "name")
        self.fields.add("Colour", self.color)
        self.fields.add("Group", self.group)
        self.fields.add("Other side", self.partner)
        self.fields.add("Where it lies", self.where)
        self.fields.add("Example", self._make_example(), "example")
        self.name.textEdited.connect(self._name_typed)
        self.name.setToolTip("Enter adds the next landmark.")
        self.color.clicked.connect(lambda _=False: self._choose_color())
        self.group.editTextChanged.connect(self._group_typed)
        self.partner.currentIndexChanged.connect(lambda _: self._partner_chosen())
        self.where.textChanged.connect(self._where_typed)

    def _make_example(self) -> QWidget:
        box = QWidget()
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.take = QPushButton("Choose a picture…")
        self.take.setToolTip("A picture that shows where it lies; it is copied into the project.")
        self.leave = QPushButton("No picture")
        for button in (self.take, self.leave):
            button.setAutoDefault(False)
        self.take.clicked.connect(lambda _=False: self._choose_picture())
        self.leave.clicked.connect(lambda _=False: self.set_picture(None))
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.take, 0, 0)
        grid.addWidget(self.leave, 0, 1)
        grid.addWidget(self.picture, 1, 0, 1, 2)
        return box

    def _show(self, item: LandmarkDraft) -> None:
        for widget in (self.name, self.group, self.where):
            widget.blockSignals(True)
        if self.name.text() != item.name:
            self.name.setText(item.name)
        self.group.clear()
        self.group.addItems(sorted({landmark.group for landmark in self.draft.landmarks} - {""}))
        self.group.setEditText(item.group)
        self.where.setPlainText(item.description)
        for widget in (self.name, self.group, self.where):
            widget.blockSignals(False)
        self.color.setIcon(color_icon(item.color))
        self.color.setText(_color_name(item.color))
        self.partner.show_landmarks(self.draft, item.partner, without=item)
        self._show_picture(item)

    def _new(self, at: int) -> None:
        self.draft.add_landmark(at)

    def _drop(self, item: LandmarkDraft) -> str:
        lines, measurements = self.draft.remove_landmark(item)
        used = [f"{lines} line{'s' if lines > 1 else ''}"] if lines else []
        used += [", ".join(measurements)] if measurements else []
        also = f", and with it {' and '.join(used)}" if used else ""
        return f"“{item.name}” is removed{also}; Cancel brings all back."

    def _text(self, item: LandmarkDraft) -> str:
        return item.name + (f"   ({item.group})" if item.group else "")

    def _icon(self, item: LandmarkDraft) -> QIcon:
        return color_icon(item.color)

    def _first_field(self) -> QWidget:
        return self.name

    # ---- what a person does

    def set_picture(self, path: Path | None) -> None:
        """Give the chosen landmark a picture, or none."""
        if self.item is not None:
            self.item.picture, self.item.example = path, ""
            self._show_picture(self.item)
            self._changed()

    def set_color(self, color: str) -> None:
        """Give the chosen landmark a colour, ``#rrggbb``."""
        if self.item is not None:
            self.item.color = color
            self.color.setIcon(color_icon(color))
            self.color.setText(_color_name(color))
            self._changed()

    def _name_typed(self, text: str) -> None:
        if self.item is not None:
            self.item.name = text
            self._changed()

    def _group_typed(self, text: str) -> None:
        if self.item is not None:
            self.item.group = text
            self._changed()

    def _where_typed(self) -> None:
        if self.item is not None:
            self.item.description = self.where.toPlainText()
            self._changed()

    def _partner_chosen(self) -> None:
        if self.item is not None:
            self.draft.pair(self.item, self.partner.landmark)
            self._changed()

    def _choose_color(self) -> None:
        for number, color in enumerate(PALETTE[: QColorDialog.customCount()]):
            QColorDialog.setCustomColor(number, QColor(color))
        if self.item is not None:
            chosen = QColorDialog.getColor(QColor(self.item.color), self, "Colour of the landmark")
            if chosen.isValid():
                self.set_color(chosen.name())

    def _choose_picture(self) -> None:
        path = choose_file(self, "Picture that shows where it lies", "Pictures (*.png *.jpg *.jpeg *.gif *.bmp)")
        if path is not None:
            self.set_picture(path)

    def _pair_by_name(self) -> None:
        found = self.draft.pair_by_name()
        words = {0: "No new pair: no two names differ only in left and right.", 1: "One pair of left and right made."}
        self.refill()
        self._changed()
        self.told.emit(words.get(found, f"{found} pairs of left and right made."))

    def _show_picture(self, item: LandmarkDraft) -> None:
        path = item.picture or (self._root / PurePosixPath(item.example) if item.example else None)
        there = path is not None and path.is_file()
        side = _PICTURE * self.fontMetrics().height()
        self.picture.clear()
        if path is not None and there:
            self.picture.setPixmap(read_picture(path, side))
        elif path is not None:
            self.picture.setText(f"“{path.name}” is not in the project's folder any more.")
        self.picture.setVisible(path is not None)
        self.leave.setEnabled(path is not None)


def _color_name(color: str) -> str:
    return color or "by itself"
