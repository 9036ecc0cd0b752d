"""Links from the session's signals to widgets, which end when the widget does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psygnal import SignalInstance
from qtpy.QtCore import QObject


def follow(receiver: QObject, signal: SignalInstance, slot: Callable[..., Any]) -> None:
    """Call ``slot`` whenever ``signal`` is emitted, until ``receiver`` is destroyed."""
    signal.connect(slot)
    receiver.destroyed.connect(lambda: signal.disconnect(slot, missing_ok=True))
