"""`LabelMode`: what a click on the image does."""

from __future__ import annotations

from enum import StrEnum


class LabelMode(StrEnum):
    """What a click on the image does with the current landmark."""

    SEQUENTIAL = "sequential"
    """It places the current landmark and goes to the next one without a place; it never moves one."""
    QUICK = "quick"
    """It places or moves the current landmark, which stays the current one."""
    LOOP = "loop"
    """It places or moves the current landmark and opens the next image, at the same landmark."""

    @property
    def label(self) -> str:
        """What a person reads."""
        return self.value.capitalize()

    @property
    def help(self) -> str:
        """One line that says what a click does."""
        return _HELP[self]


_HELP = {
    LabelMode.SEQUENTIAL: "A click places the current landmark, then the next one. Nothing that has a place is moved.",
    LabelMode.QUICK: "A click places the current landmark, or moves it there if it has a place.",
    LabelMode.LOOP: "A click places or moves the current landmark, then opens the next image at the same landmark.",
}
