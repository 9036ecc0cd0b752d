"""Edits as values: what changed, from what to what. Every edit knows its inverse."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet


@dataclass(frozen=True, eq=False)
class Edit:
    """A change of some landmarks of one case.

    Attributes:
        case_id: the case that changes.
        before: the annotations of the landmarks that change, as they were; only those landmarks.
        after: the same landmarks as they become.
        hides: landmarks whose prediction is no longer shown.
        reveals: landmarks whose prediction is shown again.
    """

    case_id: str
    before: LandmarkSet
    after: LandmarkSet
    hides: frozenset[str] = frozenset()
    reveals: frozenset[str] = frozenset()

    @classmethod
    def between(
        cls,
        case_id: str,
        before: LandmarkSet,
        after: LandmarkSet,
        names: Iterable[str],
        *,
        hides: Iterable[str] = (),
        reveals: Iterable[str] = (),
    ) -> Edit:
        """The change of ``names`` from one set of a case to another."""
        names = tuple(names)
        return cls(case_id, before.reordered(names), after.reordered(names), frozenset(hides), frozenset(reveals))

    @property
    def names(self) -> tuple[str, ...]:
        """The landmarks that change."""
        return self.before.names

    @property
    def inverse(self) -> Edit:
        """The edit that undoes this one."""
        return Edit(self.case_id, self.after, self.before, hides=self.reveals, reveals=self.hides)

    @property
    def changes_something(self) -> bool:
        """Whether anything differs afterwards."""
        return self.before != self.after or bool(self.hides or self.reveals)

    def place_of(self, name: str) -> FloatArray | None:
        """Where a landmark of this edit is afterwards, or was before, ``(D,)``; None where it is and was nowhere."""
        for landmarks in (self.after, self.before):
            if landmarks.status_of(name).has_point:
                return landmarks.point(name)
        return None

    def applied_to(self, landmarks: LandmarkSet) -> LandmarkSet:
        """The set with this edit's landmarks as they become; all others stay as they are.

        An image whose spacing was said since the edit is the same image.
        """
        after = self.after
        if after.grid.shape == landmarks.grid.shape:
            after = replace(after, grid=landmarks.grid)
        return landmarks.taking(self.names, after)

    def hidden_after(self, hidden: frozenset[str]) -> frozenset[str]:
        """Which predictions are hidden afterwards, given which are hidden now."""
        return (hidden | self.hides) - self.reveals


@dataclass(frozen=True, eq=False)
class ProjectEdit:
    """A change of what a project says of its images beside their annotations.

    Attributes:
        what: what changes, in words that follow "Taken back:".
        before: what it was.
        after: what it becomes.
        put: makes it so and tells of it; False where a person stopped that.
    """

    what: str
    before: Any
    after: Any
    put: Callable[[Any], bool]

    @property
    def inverse(self) -> ProjectEdit:
        """The edit that undoes this one."""
        return ProjectEdit(self.what, self.after, self.before, self.put)
