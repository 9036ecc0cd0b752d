"""`SchemaPage`: one page of the schema editor: a list of items, and the fields of the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSplitter, QStackedWidget, QWidget

from napari_landmarker.gui.schema_draft import LandmarkDraft, LineDraft, MeasurementDraft, SchemaDraft
from napari_landmarker.gui.schema_fields import Fields
from napari_landmarker.gui.schema_list import ItemList
from napari_landmarker.gui.schema_problems import Problem
from napari_landmarker.gui.scroll_panel import ScrollPanel

Kind = TypeVar("Kind", LandmarkDraft, LineDraft, MeasurementDraft)


class SchemaPage(QWidget, Generic[Kind]):
    """A page; those for landmarks, lines and measurements say what an item is.

    Args:
        draft: what is changed.
        what: one item, as in "Add a landmark".
        nothing: what is said where there is no item.
        can_order: whether the order of the items matters.
        parent: as in Qt.
    """

    changed = Signal()
    """A person changed the draft."""
    told = Signal(str)
    """One sentence about what was done."""

    def __init__(
        self, draft: SchemaDraft, what: str, nothing: str, *, can_order: bool = True, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.draft = draft
        self.items = ItemList(what, can_order=can_order)
        self.fields = Fields()
        self._problems: Sequence[Problem] = ()
        self._nothing = QLabel(nothing)
        self._nothing.setWordWrap(True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        scroll = ScrollPanel()
        scroll.body.addWidget(self.fields)
        scroll.body.addStretch(1)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(scroll)
        splitter = QSplitter()
        splitter.addWidget(self.items)
        splitter.addWidget(self._pages)
        splitter.setChildrenCollapsible(False)
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 3)
        unit = self.fontMetrics().averageCharWidth()
        splitter.setSizes([50 * unit, 90 * unit])
        QHBoxLayout(self).addWidget(splitter)
        self._make_fields()
        self.items.chosen.connect(lambda _: self._fill())
        self.items.add_wanted.connect(self.add)
        self.items.remove_wanted.connect(self._remove)
        self.items.move_wanted.connect(self._move)
        self.items.edit_wanted.connect(self._edit)
        self.refill(0)

    # ---- what a page says

    def _all(self) -> list[Kind]:
        """The items of the draft, in order: the list itself."""
        raise NotImplementedError

    def _make_fields(self) -> None:
        """Make the fields."""
        raise NotImplementedError

    def _show(self, item: Kind) -> None:
        """Show an item in the fields, without telling."""
        raise NotImplementedError

    def _new(self, at: int) -> None:
        """Add an item at a place of the list."""
        raise NotImplementedError

    def _drop(self, item: Kind) -> str:
        """Remove an item; returns what there is to say of it."""
        self._all().remove(item)
        return ""

    def _text(self, item: Kind) -> str:
        """The item's line in the list."""
        raise NotImplementedError

    def _icon(self, item: Kind) -> QIcon:
        """The icon of that line."""
        return QIcon()

    def _first_field(self) -> QWidget:
        """Where one begins to change an item."""
        raise NotImplementedError

    # ---- what every page does

    @property
    def item(self) -> Kind | None:
        """The item whose fields are shown."""
        row = self.items.row
        return self._all()[row] if 0 <= row < len(self._all()) else None

    def add(self) -> None:
        """Add an item behind the chosen one and go to its fields."""
        at = self.items.row + 1 if self.items.row >= 0 else len(self._all())
        self._new(at)
        self.refill(at)
        self.changed.emit()
        self._edit()

    def enter(self) -> None:
        """Enter was pressed in a field: in the first one it adds the next item."""
        if self.item is not None and self.window().focusWidget() is self._first_field():
            self.add()

    def refill(self, row: int | None = None) -> None:
        """Show the draft as it is now; ``row`` is chosen, by default the same as before."""
        row = self.items.row if row is None else row
        self._show_rows(min(max(row, 0), len(self._all()) - 1))
        self._fill()

    def show_problems(self, problems: Sequence[Problem]) -> None:
        """Say what is wrong, in the list and beside the fields."""
        self._problems = problems
        self._show_rows(self.items.row)
        self.fields.show_problems(self.item, problems)

    def go_to(self, problem: Problem) -> None:
        """Choose the item that a problem is in."""
        if problem.item is not None:
            self.refill(next(row for row, item in enumerate(self._all()) if item is problem.item))
            self.fields.show_problems(self.item, self._problems)
            self._edit()

    # ---- inside

    def _changed(self) -> None:
        """Tell that a field was changed."""
        self.changed.emit()

    def _remove(self, row: int) -> None:
        said = self._drop(self._all()[row])
        self.refill(row)
        self.changed.emit()
        self.told.emit(said)

    def _move(self, row: int, to: int) -> None:
        items = self._all()
        items.insert(to, items.pop(row))
        self.refill(to)
        self.changed.emit()

    def _edit(self) -> None:
        if self.item is not None:
            field = self._first_field()
            field.setFocus(Qt.FocusReason.OtherFocusReason)
            if isinstance(field, QLineEdit):
                field.selectAll()

    def _fill(self) -> None:
        item = self.item
        self._pages.setCurrentIndex(0 if item is None else 1)
        if item is not None:
            self._show(item)
        self.fields.show_problems(item, self._problems)

    def _show_rows(self, row: int) -> None:
        items = self._all()
        wrong = ["\n".join(p.sentence for p in self._problems if p.item is item) for item in items]
        self.items.show_rows([self._text(item) for item in items], [self._icon(item) for item in items], wrong, row)
