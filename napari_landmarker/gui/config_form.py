"""`ConfigForm`: a form that is made from a pydantic model: groups, choices between kinds, values with their bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.gui.config_fields import Editor, bounds_text, calm, value_editor
from napari_landmarker.gui.scroll_panel import wrapped

#: Names of groups whose field says none.
_TITLES = {
    "frame": "Resolution",
    "model": "Network",
    "target": "Target",
    "loss": "Loss",
    "decoder": "Reading of maps",
    "refine": "Second stage",
    "augmentation": "Augmentation",
    "optimiser": "Optimiser",
    "calibration": "Regions",
    "coarse": "First stage",
}


class GroupEditor(Editor):
    """All values of a model, one below the other; those of another number of dimensions are kept, not shown.

    Args:
        model: the kind of model.
        ndim: of the images; None shows the values of 2D and of 3D.
        leave: fields that are not shown.
        split: leave the fields that are models to somebody else.
    """

    def __init__(
        self, model: type[BaseModel], ndim: int | None = None, leave: tuple[str, ...] = (), *, split: bool = False
    ) -> None:
        inside = QWidget()
        super().__init__(inside)
        self.editors: dict[str, Editor] = {}
        self._labels: dict[str, QLabel] = {}
        self._kept: dict[str, Any] = {}
        form = QFormLayout(inside)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        other = () if ndim is None else ("_3d",) if ndim == 2 else ("_2d",)
        for name, info in model.model_fields.items():
            if name in leave or name == "kind" or (split and is_group(info)):
                continue
            editor = field_editor(info, ndim)
            editor.changed.connect(self.changed)
            self.editors[name] = editor
            if name.endswith(other or ("\0",)):
                editor.setParent(self)
                editor.hide()
            elif is_group(info):
                form.addRow(_boxed(title_of(name, info), editor))
            else:
                self._add_row(form, name, info, editor)

    def value(self) -> dict[str, Any]:
        """The values by the names of the fields."""
        return self._kept | {name: editor.value() for name, editor in self.editors.items()}

    def set_value(self, value: Any) -> None:
        """Show the values of a model."""
        self._kept = {name: getattr(value, name) for name in type(value).model_fields if name not in self.editors}
        for name, editor in self.editors.items():
            editor.set_value(getattr(value, name))

    def mark(self, base: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Write the names of those values bold that differ from others."""
        for name, editor in self.editors.items():
            if name in self._labels:
                _embolden(self._labels[name], base.get(name) != now.get(name))
            elif isinstance(editor, (GroupEditor, KindEditor)):
                editor.mark(base.get(name, {}), now.get(name, {}))

    def _add_row(self, form: QFormLayout, name: str, info: FieldInfo, editor: Editor) -> None:
        label = QLabel(title_of(name, info))
        tip = "\n".join(text for text in (info.description, bounds_text(info.metadata)) if text)
        for widget in (label, editor.inside):
            widget.setToolTip(tip)
        label.setBuddy(editor)
        self._labels[name] = label
        form.addRow(label, editor)


class KindEditor(Editor):
    """One of several kinds of models, and its values."""

    def __init__(self, kinds: Mapping[str, type[BaseModel]], ndim: int | None = None) -> None:
        inside = QWidget()
        super().__init__(inside)
        self._kinds = kinds
        self._ndim = ndim
        self.group: GroupEditor | None = None
        self.combo = QComboBox()
        calm(self.combo)
        self.about = wrapped()
        self._label = QLabel("Kind")
        self._label.setBuddy(self.combo)
        row = QHBoxLayout()
        row.addWidget(self._label)
        row.addWidget(self.combo, 1)
        self._layout = QVBoxLayout(inside)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addLayout(row)
        self._layout.addWidget(self.about)
        for kind, model in kinds.items():
            self.combo.addItem(kind.replace("_", " "), kind)
            self.combo.setItemData(self.combo.count() - 1, about(model), Qt.ItemDataRole.ToolTipRole)
        self.combo.activated.connect(lambda _: self._choose(self._kinds[self.combo.currentData()]()))
        self.setFocusProxy(self.combo)

    def value(self) -> dict[str, Any]:
        """The kind and its values."""
        return {"kind": self.combo.currentData(), **({} if self.group is None else self.group.value())}

    def set_value(self, value: Any) -> None:
        """Show a model of any of the kinds."""
        self.combo.setCurrentIndex(self.combo.findData(value.kind))
        self._show(value)

    def mark(self, base: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """As in `GroupEditor`; the values of another kind are not compared."""
        other = base.get("kind") != now.get("kind")
        _embolden(self._label, other)
        if self.group is not None:
            self.group.mark(now if other else base, now)

    def _choose(self, value: BaseModel) -> None:
        self._show(value)
        self.changed.emit()

    def _show(self, value: BaseModel) -> None:
        """The values of a kind as it is by default, or as it is given."""
        if self.group is not None:
            self._layout.removeWidget(self.group)
            self.group.hide()
            self.group.deleteLater()
        self.group = GroupEditor(type(value), self._ndim)
        self.group.set_value(value)
        self.group.changed.connect(self.changed)
        self._layout.addWidget(self.group)
        self.about.setText(about(type(value)))


class ConfigForm(Editor):
    """A page for each group of a model, and a list to choose the page from.

    Args:
        model: the kind of model.
        ndim: of the images; None shows the values of 2D and of 3D.
        leave: fields that are not shown.
    """

    def __init__(self, model: type[BaseModel], ndim: int | None = None, leave: tuple[str, ...] = ()) -> None:
        inside = QWidget()
        super().__init__(inside)
        self.sections = QListWidget()
        self.pages = QStackedWidget()
        self.general = GroupEditor(model, ndim, leave, split=True)
        self.groups: dict[str, Editor] = {}
        self._add("General", "What is so for the whole run.", self.general)
        for name, info in model.model_fields.items():
            if is_group(info) and name not in leave:
                self.groups[name] = field_editor(info, ndim)
                self._add(title_of(name, info), about(type(info.default)), self.groups[name], kinds_of(info))
        for editor in (self.general, *self.groups.values()):
            editor.changed.connect(self.changed)
        self.sections.currentRowChanged.connect(self.pages.setCurrentIndex)
        self.sections.setCurrentRow(0)
        widest = max(
            self.fontMetrics().horizontalAdvance(self.sections.item(r).text()) for r in range(self.pages.count())
        )
        self.sections.setFixedWidth(widest + 4 * self.fontMetrics().height())
        row = QHBoxLayout(inside)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.sections)
        row.addWidget(self.pages, 1)

    def value(self) -> dict[str, Any]:
        """The values by the names of the fields."""
        return self.general.value() | {name: editor.value() for name, editor in self.groups.items()}

    def set_value(self, value: Any) -> None:
        """Show the values of a model."""
        self.general.set_value(value)
        for name, editor in self.groups.items():
            editor.set_value(getattr(value, name))

    def mark(self, base: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Write the names of those values and pages bold that differ from others."""
        self.general.mark(base, now)
        names = ("", *self.groups)
        for row, name in enumerate(names):
            editor = self.groups.get(name)
            if isinstance(editor, (GroupEditor, KindEditor)):
                editor.mark(base[name], now[name])
            keys = [name] if name else list(self.general.editors)
            item = self.sections.item(row)
            font = item.font()
            font.setBold(any(base.get(key) != now.get(key) for key in keys))
            item.setFont(font)

    def _add(self, title: str, words: str, editor: Editor, kinds: Mapping[str, Any] | None = None) -> None:
        page = QWidget()
        layout = QVBoxLayout(page)
        if not kinds:
            layout.addWidget(wrapped(words))
        layout.addWidget(editor)
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(page)
        scroll.setWidgetResizable(True)
        self.pages.addWidget(scroll)
        self.sections.addItem(title)


def field_editor(info: FieldInfo, ndim: int | None = None) -> Editor:
    """The editor of any field."""
    kinds = kinds_of(info)
    if kinds:
        return KindEditor(kinds, ndim)
    annotation = info.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return GroupEditor(annotation, ndim)
    return value_editor(annotation, info.metadata)


def kinds_of(info: FieldInfo) -> dict[str, type[BaseModel]]:
    """The models of a field that may hold several, by their kinds; empty for other fields."""
    members = get_args(info.annotation) if get_origin(info.annotation) is not None else ()
    models = [one for one in members if isinstance(one, type) and issubclass(one, BaseModel)]
    return {str(model.model_fields["kind"].default): model for model in models}


def is_group(info: FieldInfo) -> bool:
    """Whether a field holds a model."""
    annotation = info.annotation
    return bool(kinds_of(info)) or (isinstance(annotation, type) and issubclass(annotation, BaseModel))


def title_of(name: str, info: FieldInfo) -> str:
    """What a field is called."""
    return info.title or _TITLES.get(name) or name.replace("_", " ").capitalize()


def about(model: type[BaseModel]) -> str:
    """What a model is, in a line."""
    return (model.__doc__ or "").strip().split("\n")[0].replace("`", "")


def _boxed(title: str, editor: Editor) -> QGroupBox:
    box = QGroupBox(title)
    layout = QVBoxLayout(box)
    layout.addWidget(editor)
    return box


def _embolden(label: QLabel, bold: bool) -> None:
    font = label.font()
    font.setBold(bold)
    label.setFont(font)
