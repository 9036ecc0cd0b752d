"""`CaseList`: the images of the project, what each is used for and what is done in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QItemSelectionModel, QModelIndex, Qt, QTimer
from qtpy.QtGui import QContextMenuEvent
from qtpy.QtWidgets import QAbstractItemView, QMenu, QWidget

from napari_landmarker.engine.project import Case, Split
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import reports, tell
from napari_landmarker.gui.row_table import Index, RowModel, RowTable
from napari_landmarker.state.session import Session

_NAME, _SPLIT, _DONE = range(3)
_COLUMNS = (
    ("Image", "The images of this project. Choose one to open it."),
    (
        "Use",
        "What the image is used for: training, validation (watched while training), calibration (to learn how far the "
        "points of a model may be from the true ones) or test (for the report). Right-click an image to change it, or "
        "choose several with Shift or Ctrl first.",
    ),
    ("Done", "How many landmarks are placed, accepted or marked as not visible. A tick means all of them."),
)
SPLIT_WORDS = {
    Split.TRAIN: "training",
    Split.VALIDATION: "validation",
    Split.CALIBRATION: "calibration",
    Split.TEST: "test",
}
_OUT_TIP = "Their files stay where they are, annotations too: added again, they come back as they were."


class CaseModel(RowModel):
    """One row an image. Counts are read when a row is seen, so that thousands of images open at once."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(_COLUMNS, parent)
        self._session = session
        self._cases: list[Case] = []
        self._rows: dict[str, int] = {}
        follow(self, session.project_changed, self._reset)
        follow(self, session.cases_changed, self._reset)
        follow(self, session.progress_changed, self._rows_changed)
        self._reset()

    def row_of(self, case_id: str | None) -> int:
        """The row of a case, -1 for none."""
        return self._rows.get(case_id or "", -1)

    def id_at(self, row: int) -> str:
        """The case of a row."""
        return self._cases[row].id

    # ---- what Qt asks

    def count(self) -> int:
        """One for each image."""
        return len(self._cases)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Called by Qt."""
        if not index.isValid() or self._session.project is None:
            return None
        case = self._cases[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            if index.column() == _NAME:
                return case.id
            if index.column() == _SPLIT:
                return SPLIT_WORDS[case.split]
            done, total = self._session.progress(case.id)
            return f"✓ {done}/{total}" if done == total else f"{done}/{total}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return case.id if index.column() == _NAME else self.columns[index.column()][1]
        return None

    # ---- what the session tells

    def _reset(self) -> None:
        self.beginResetModel()
        project = self._session.project
        self._cases = [] if project is None else list(project.cases)
        self._rows = {case.id: row for row, case in enumerate(self._cases)}
        self.endResetModel()

    def _rows_changed(self, case_ids: tuple[str, ...]) -> None:
        project = self._session.project
        rows = [self.row_of(case_id) for case_id in case_ids]
        for row, case_id in zip(rows, case_ids, strict=True):
            if row >= 0 and project is not None:
                self._cases[row] = project.case(case_id)
        self.tell_rows(rows)


class CaseList(RowTable):
    """The list. Choosing a row opens its image; if that fails, the row that is open is selected again."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._following = False
        self._model = CaseModel(session, self)
        self.show_rows(self._model)
        self.setMinimumHeight(90)
        self.make_room(_SPLIT, SPLIT_WORDS.values())
        self.make_room(_DONE, ("✓ 100/100",))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.selectionModel().currentRowChanged.connect(self._row_chosen)
        follow(self, session.case_changed, self._select)
        follow(self, session.cases_changed, self._select)
        self._select()

    def _row_chosen(self, index: QModelIndex, _: QModelIndex) -> None:
        if index.isValid() and not self._following:
            case_id = self._model.id_at(index.row())
            self._open(case_id)
            if case_id != self._session.case_id:
                QTimer.singleShot(0, self._select)

    @reports
    def _open(self, case_id: str) -> None:
        if case_id != self._session.case_id:
            self._session.open_case(case_id)

    def _select(self) -> None:
        """Follow the session without telling it again; further rows that a person chose stay chosen."""
        self._following = True
        row = self._model.row_of(self._session.case_id)
        if row < 0:
            self.clearSelection()
            self.setCurrentIndex(QModelIndex())
        elif self.currentIndex().row() != row or not self.selectionModel().hasSelection():
            index, rows = self._model.index(row, 0), QItemSelectionModel.SelectionFlag.Rows
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect | rows)
            self.scrollTo(index)
        self._following = False

    # ---- the menu of the chosen images

    def menu_at(self, row: int) -> QMenu:
        """What can be done with the image of a row, and with all chosen ones where it is among them."""
        chosen = sorted(index.row() for index in self.selectionModel().selectedRows())
        case_ids = [self._model.id_at(at) for at in (chosen if row in chosen else [row])]
        many = f" ({len(case_ids)} images)" if len(case_ids) > 1 else ""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        for split, word in SPLIT_WORDS.items():
            action = menu.addAction(f"Use for {word}{many}")
            action.triggered.connect(lambda _=False, s=split: self._set_split(case_ids, s))
        menu.addSeparator()
        out = menu.addAction(f"Take out of the project{many}")
        out.setToolTip(_OUT_TIP)
        out.triggered.connect(lambda _=False: self._take_out(case_ids))
        return menu

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Called by Qt: for the row under the mouse, or the current one where a key asks for the menu."""
        place, index = event.globalPos(), self.currentIndex()
        if event.reason() != QContextMenuEvent.Reason.Keyboard:
            index = self.indexAt(self.viewport().mapFromGlobal(place))
        elif index.isValid():
            place = self.viewport().mapToGlobal(self.visualRect(index).center())
        if index.isValid():
            self.menu_at(index.row()).exec(place)

    @reports
    def _set_split(self, case_ids: Sequence[str], split: Split) -> None:
        self._session.set_splits(dict.fromkeys(case_ids, split))

    @reports
    def _take_out(self, case_ids: Sequence[str]) -> None:
        self._session.take_out(case_ids)
        what = f"“{case_ids[0]}” is" if len(case_ids) == 1 else f"{len(case_ids)} images are"
        tell(f"{what} in the project no more; all files stay. Ctrl+Z brings back what was taken out.")
