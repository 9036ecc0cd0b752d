"""`PointErrors`: every point that was judged, the largest error first; a row opens its image at its landmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

if TYPE_CHECKING:
    from napari_landmarker.engine.metrics import Evaluation

_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
#: How many rows are in sight before the table scrolls.
_SHOWN_ROWS = 9


class JudgedPoint(NamedTuple):
    """One true point.

    Attributes:
        case_id: its image.
        name: its name in the report.
        landmark: the landmark that it is, or is one of several points of.
        error: how far the model is off; None where it found nothing.
    """

    case_id: str
    name: str
    landmark: str
    error: float | None


def judged_points(evaluation: Evaluation) -> list[JudgedPoint]:
    """All true points, those that were not found first, then the largest error first."""
    points = [
        JudgedPoint(case.case_id, name, case.landmark_of.get(name, name), error)
        for case in evaluation.cases
        for name, error in case.errors.items()
    ]
    return sorted(points, key=lambda point: (point.error is not None, -(point.error or 0.0), point.case_id))


class PointErrors(QTableView):
    """The table: image, landmark, error."""

    opened = Signal(str, str)
    """A person chose a row: its case and landmark."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points: list[JudgedPoint] = []
        self._model = _PointModel(self)
        self.setModel(self._model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setToolTip("Click a row, or move to it with the arrow keys and press Enter, to open that image there.")
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self.clicked.connect(self._open)
        self.activated.connect(self._open)

    def show_evaluation(self, evaluation: Evaluation) -> None:
        """List the points of an evaluation."""
        self._points = judged_points(evaluation)
        self._model.show_points(self._points, evaluation.unit)
        rows = min(max(len(self._points), 1), _SHOWN_ROWS)
        self.setFixedHeight(int(self.verticalHeader().defaultSectionSize() * (rows + 1.2)))

    def show_landmark(self, landmark: str | None) -> None:
        """List the points of one landmark only, or of all."""
        kept = self._points if landmark is None else [point for point in self._points if point.landmark == landmark]
        self._model.show_points(kept, self._model.unit)

    def point(self, row: int) -> JudgedPoint:
        """The point of a row."""
        return self._model.points[row]

    def _open(self, index: QModelIndex) -> None:
        point = self.point(index.row())
        self.opened.emit(point.case_id, point.landmark)


class _PointModel(QAbstractTableModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.points: list[JudgedPoint] = []
        self.unit = "px"

    def show_points(self, points: list[JudgedPoint], unit: str) -> None:
        self.beginResetModel()
        self.points, self.unit = points, unit
        self.endResetModel()

    def rowCount(self, parent: _Index = _ROOT) -> int:
        """Called by Qt."""
        return 0 if parent.isValid() else len(self.points)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        """Called by Qt."""
        return 0 if parent.isValid() else 3

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Called by Qt."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("Image", "Landmark", f"Error ({self.unit})")[section]
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Called by Qt."""
        point = self.points[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole) and index.column() < 2:
            return (point.case_id, point.name)[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return "not found" if point.error is None else f"{point.error:.{1 if self.unit == 'px' else 2}f}"
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == 2:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None
