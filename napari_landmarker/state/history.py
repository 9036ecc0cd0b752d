"""Undo and redo over all cases of a session."""

from __future__ import annotations

from napari_landmarker.state.edits import Edit, ProjectEdit

#: What one undo takes back: one edit for a click, one for each case for an import; or a change of the project.
Step = tuple[Edit, ...] | ProjectEdit


class History:
    """Steps done and steps undone. It only remembers; the session applies what it returns.

    A step moves from one pile to the other in two calls, `to_undo` then `undone` (or `to_redo` then `redone`), so that
    a step that could not be applied stays where it was.
    """

    def __init__(self) -> None:
        self._done: list[Step] = []
        self._undone: list[Step] = []

    def __len__(self) -> int:
        return len(self._done)

    @property
    def to_undo(self) -> Step | None:
        """What the next undo has to apply, inverted already, or None."""
        if not self._done:
            return None
        last = self._done[-1]
        return last.inverse if isinstance(last, ProjectEdit) else tuple(edit.inverse for edit in reversed(last))

    @property
    def to_redo(self) -> Step | None:
        """What the next redo has to apply, or None."""
        return self._undone[-1] if self._undone else None

    def push(self, step: Step) -> None:
        """Remember a new step; what was undone before it cannot be redone any more."""
        self._done.append(step)
        self._undone.clear()

    def undone(self) -> None:
        """Note that the last step was taken back."""
        self._undone.append(self._done.pop())

    def redone(self) -> None:
        """Note that the last step taken back was done again."""
        self._done.append(self._undone.pop())

    def clear(self) -> None:
        """Forget everything."""
        self._done.clear()
        self._undone.clear()
