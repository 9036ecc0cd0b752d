"""One editor for each kind of value that a configuration holds: numbers with their bounds, choices, lists, switches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from qtpy.QtCore import QEvent, QLocale, QObject, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)

#: What numbers without bounds may be.
_LARGEST = 2_000_000_000
#: Decimals that a number may have; only those that say something are shown.
_DECIMALS = 12


class Editor(QWidget):
    """Edits one value."""

    changed = Signal()
    """A person gave another value."""

    def __init__(self, inside: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(inside, 1)
        self.setFocusProxy(inside)
        self.inside = inside

    def value(self) -> Any:
        """What is shown; a text where it is no such value, which the configuration then refuses."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Show a value."""
        raise NotImplementedError


class SwitchEditor(Editor):
    """Yes or no."""

    def __init__(self) -> None:
        self.box = QCheckBox()
        super().__init__(self.box)
        self.box.toggled.connect(lambda _: self.changed.emit())

    def value(self) -> bool:
        """As in `Editor`."""
        return bool(self.box.isChecked())

    def set_value(self, value: Any) -> None:
        """As in `Editor`."""
        self.box.setChecked(bool(value))


class NumberEditor(Editor):
    """A whole or a real number between its bounds.

    Args:
        whole: whether it has no decimals.
        bounds: what pydantic says of the field.
    """

    def __init__(self, whole: bool, bounds: Sequence[Any]) -> None:
        self.box: QSpinBox | QDoubleSpinBox = QSpinBox() if whole else _RealBox()
        super().__init__(self.box)
        low, high = limits(bounds)
        number = int if whole else float
        self.box.setRange(number(-_LARGEST if low is None else low), number(_LARGEST if high is None else high))
        step = next((bound.multiple_of for bound in bounds if isinstance(bound, MultipleOf)), None)
        if step is not None:
            self.box.setSingleStep(number(step))
        else:
            self.box.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        calm(self.box)
        self.box.valueChanged.connect(lambda _: self.changed.emit())

    def value(self) -> int | float:
        """As in `Editor`."""
        return self.box.value()

    def set_value(self, value: Any) -> None:
        """As in `Editor`."""
        self.box.setValue(value)


class ChoiceEditor(Editor):
    """One of several words or numbers."""

    def __init__(self, choices: Sequence[Any]) -> None:
        self.box = QComboBox()
        super().__init__(self.box)
        for choice in choices:
            self.box.addItem(str(choice).replace("_", " "), choice)
        calm(self.box)
        self.box.currentIndexChanged.connect(lambda _: self.changed.emit())

    def value(self) -> Any:
        """As in `Editor`."""
        return self.box.currentData()

    def set_value(self, value: Any) -> None:
        """As in `Editor`."""
        self.box.setCurrentIndex(self.box.findData(value))


class TextEditor(Editor):
    """Words, or whole numbers with commas between."""

    def __init__(self, *, numbers: bool) -> None:
        self.line = QLineEdit()
        super().__init__(self.line)
        self._numbers = numbers
        if numbers:
            self.line.setPlaceholderText("numbers with commas between")
        self.line.textChanged.connect(lambda _: self.changed.emit())

    def value(self) -> Any:
        """As in `Editor`."""
        text = self.line.text().strip()
        if not self._numbers:
            return text
        words = [word for word in re.split(r"[,;\s]+", text) if word]
        return tuple(int(word) if word.lstrip("-").isdecimal() else word for word in words)

    def set_value(self, value: Any) -> None:
        """As in `Editor`."""
        self.line.setText(", ".join(map(str, value)) if self._numbers else str(value))


class OptionalEditor(Editor):
    """A value that may be left out."""

    def __init__(self, editor: Editor) -> None:
        super().__init__(editor)
        self.editor = editor
        self.box = QCheckBox()
        self.box.setToolTip("Tick to give a value.")
        layout = self.layout()
        assert isinstance(layout, QHBoxLayout)
        layout.insertWidget(0, self.box)
        editor.setEnabled(False)
        self.box.toggled.connect(self._toggled)
        editor.changed.connect(self.changed)

    def value(self) -> Any:
        """As in `Editor`."""
        return self.editor.value() if self.box.isChecked() else None

    def set_value(self, value: Any) -> None:
        """As in `Editor`."""
        self.box.setChecked(value is not None)
        if value is not None:
            self.editor.set_value(value)

    def _toggled(self, on: bool) -> None:
        self.editor.setEnabled(on)
        self.changed.emit()


def value_editor(annotation: Any, bounds: Sequence[Any]) -> Editor:
    """The editor of a field that is no model.

    Args:
        annotation: the field's type.
        bounds: what else pydantic says of it.
    """
    if get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation):
        inner = next(one for one in get_args(annotation) if one is not NoneType)
        return OptionalEditor(value_editor(inner, bounds))
    if annotation is bool:
        return SwitchEditor()
    if annotation in (int, float):
        return NumberEditor(annotation is int, bounds)
    if get_origin(annotation) is Literal:
        return ChoiceEditor(get_args(annotation))
    return TextEditor(numbers=get_origin(annotation) is tuple)


def limits(bounds: Sequence[Any]) -> tuple[float | None, float | None]:
    """The smallest and the largest value, where there are such."""
    low = [getattr(bound, "ge", getattr(bound, "gt", None)) for bound in bounds if isinstance(bound, (Ge, Gt))]
    high = [getattr(bound, "le", getattr(bound, "lt", None)) for bound in bounds if isinstance(bound, (Le, Lt))]
    return next(iter(low), None), next(iter(high), None)


def bounds_text(bounds: Sequence[Any]) -> str:
    """The bounds in words, such as ``"At least 0, below 1."``; empty for none."""
    words = {Ge: ("at least", "ge"), Gt: ("above", "gt"), Le: ("at most", "le"), Lt: ("below", "lt")}
    parts = [
        f"{word} {getattr(bound, key):g}"
        for kind, (word, key) in words.items()
        for bound in bounds
        if isinstance(bound, kind)
    ]
    parts += [f"a multiple of {bound.multiple_of:g}" for bound in bounds if isinstance(bound, MultipleOf)]
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def calm(widget: QWidget) -> None:
    """Leave a value as it is when a person only scrolls past it."""
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(_NoWheel(widget))


class _RealBox(QDoubleSpinBox):
    """Shows as many decimals as a number has."""

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(QLocale.c())
        self.setDecimals(_DECIMALS)

    def textFromValue(self, value: float) -> str:
        """Called by Qt."""
        return f"{value:.6g}" if value == 0 or abs(value) >= 1e-4 else f"{value:.{_DECIMALS}f}".rstrip("0")


class _NoWheel(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Called by Qt."""
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False
