"""Edits of the open case by hand: place, move, remove, say that it is absent, agree, lock."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.state.editing import SessionEditing
from napari_landmarker.state.modes import LabelMode

_NOTHING_LEFT = "Every landmark has its place or an answer: drag one to move it, or choose the Quick mode."
_NONE_CHOSEN = "No landmark is chosen: choose the one to place in the list."


class SessionPlacing(SessionEditing):
    """What a person does with landmarks. What is locked, or another window's, is left alone and told by `refused`."""

    def place(self, point: npt.ArrayLike) -> bool:
        """Do what a click at index coordinates ``(D,)`` does in the mode that is chosen (see `LabelMode`).

        Returns:
            Whether a landmark was placed or moved: not so where the point lies outside the image, and not where the
            mode leaves everything as it is, which `refused` explains.

        Raises:
            LandmarkerError: in the loop mode, if the next image cannot be opened; the landmark is placed then.
        """
        landmarks, shown, name = self.annotations, self.shown, self.current
        if landmarks is None or shown is None or not landmarks.grid.contains(point):
            return False
        if name is None:
            left = self.mode is not LabelMode.SEQUENTIAL or self._next_unplaced(None) is not None
            self.refused.emit(_NONE_CHOSEN if left else _NOTHING_LEFT)
            return False
        if not self._may(name):
            return False
        if not shown.status_of(name).has_point:
            self._edit(_placed(landmarks, name, point), [name])
        elif self.mode is not LabelMode.SEQUENTIAL:
            self.move(name, point)
        else:
            self.refused.emit(f"'{name}' has its place: drag it to move it, or choose the Quick mode.")
            return False
        self._answered(name)
        return True

    def move(self, name: str, point: npt.ArrayLike) -> None:
        """Move a landmark that is shown; a point beyond the image's border goes to the border.

        A confirmed landmark stays confirmed, and a predicted one becomes an edited annotation.
        """
        if self.annotations is None or self.shown is None or not self.shown.status_of(name).has_point:
            return
        moved = np.clip(np.asarray(point, dtype=np.float64), -0.5, np.asarray(self.shown.grid.shape) - 0.5)
        if not np.isfinite(moved).all() or not self._may(name):
            return
        was = self.shown.status_of(name)
        status = LandmarkStatus.EDITED if was == LandmarkStatus.PREDICTED else was
        self._edit(_placed(self.annotations, name, moved, status), [name])

    def remove(self, name: str) -> None:
        """Leave a landmark unplaced and hide its prediction; it is the current one then."""
        if self.annotations is not None and self._may(name):
            self._edit(self.annotations.without_point(name), [name], hides=self._predicted(name))
            self.set_current(name)

    def mark_absent(self, name: str) -> None:
        """Say that a landmark is not visible in this image: that is an annotation too."""
        if self.annotations is not None and self._may(name):
            self._edit(_without(self.annotations, name, LandmarkStatus.ABSENT), [name])
            self._answered(name)

    def restore(self, name: str) -> None:
        """Take back that a landmark is absent: it is unplaced or as predicted again, and the current one."""
        if self.annotations is None or self.annotations.status_of(name) is not LandmarkStatus.ABSENT:
            return
        if self._may(name):
            self._edit(self.annotations.without_point(name), [name])
            self.set_current(name)

    def reset(self, name: str) -> None:
        """Drop the annotation of a landmark and show its prediction again, if there is one."""
        if self.annotations is not None and self._may(name):
            self._edit(self.annotations.without_point(name), [name], reveals={name} & self._hidden)

    def can_reset(self, name: str) -> bool:
        """Whether there is a prediction of a landmark that an annotation covers or that was hidden."""
        if self.predictions is None or self.shown is None or not self.predictions.status_of(name).has_point:
            return False
        return self.shown.status_of(name) != LandmarkStatus.PREDICTED

    # ---- agreeing

    def confirm(self, name: str) -> None:
        """Agree with a landmark that a model placed, moved since or not: it is confirmed.

        The next landmark that waits for an answer is the current one then.
        """
        self._agree(name, (LandmarkStatus.PREDICTED, LandmarkStatus.EDITED))

    def accept(self, name: str) -> None:
        """As `confirm`, for a prediction as it is shown."""
        self._agree(name, (LandmarkStatus.PREDICTED,))

    def accept_all(self) -> int:
        """Agree with all predictions that are shown in this case, in one edit; how many these are."""
        return self._confirm(self.names)

    def accept_above(self, score: float) -> int:
        """Agree with the predictions that are shown and as confident as ``score`` or more; how many these are."""
        shown = self.shown
        return self._confirm([] if shown is None else [name for name in self.names if shown.score_of(name) >= score])

    # ---- locks

    def set_locked(self, name: str, locked: bool) -> None:
        """Keep a landmark from being changed by accident, or no longer; `refused` if it has no place or answer yet."""
        landmarks = self.annotations
        if landmarks is None:
            return
        if locked and landmarks.status_of(name) is LandmarkStatus.UNPLACED:
            self.refused.emit(f"'{name}' is not annotated yet, so there is nothing to lock: place or accept it first.")
            return
        self._edit(landmarks.with_locked(name, locked), [name])

    def lock_all(self, locked: bool = True) -> None:
        """Lock every landmark of the open case that has a place or an answer, or unlock all, in one edit."""
        after = self.annotations
        if after is None:
            return
        names = [n for n in self.names if not locked or after.status_of(n) is not LandmarkStatus.UNPLACED]
        for name in names:
            after = after.with_locked(name, locked)
        self._edit(after, names)

    # ---- inside

    def _agree(self, name: str, of: tuple[LandmarkStatus, ...]) -> None:
        if self.shown is not None and self.shown.status_of(name) in of and self._may(name):
            self._confirm([name], of)
            following = self._next_with(LandmarkStatus.PREDICTED, name)
            if self.current not in (None, name):  # the next click is for the landmark that was chosen, not for this one
                return
            if self.mode is LabelMode.LOOP:
                self._answered(name)
            elif following is not None:
                self.set_current(following)

    def _confirm(self, names: Iterable[str], of: tuple[LandmarkStatus, ...] = (LandmarkStatus.PREDICTED,)) -> int:
        """Make landmarks that are shown with a status of ``of`` confirmed annotations; how many these are."""
        shown, after = self.shown, self.annotations
        if shown is None or after is None:
            return 0
        accepted = [name for name in names if shown.status_of(name) in of and not self.locked(name)]
        if not accepted or self._refuses_all():
            return 0
        for name in accepted:
            after = _placed(after, name, shown.point(name))
        self._edit(after, accepted)
        self._step_from(self.current)
        return len(accepted)

    def _answered(self, name: str) -> None:
        """Go to what comes after an answer: the next landmark, or, in the loop mode, the next image.

        An answer for another landmark than the current one leaves that as it is: the next click is for it still. After
        the answer that it is absent, a click is for the next landmark in every mode: it would take that answer back.
        """
        if self.current not in (None, name):
            return
        if self.mode is not LabelMode.LOOP:
            absent = self.shown is not None and self.shown.status_of(name) is LandmarkStatus.ABSENT
            if absent:
                self.set_current(self._next_unplaced(name))
            else:
                self._step_from(name)
        elif self.current == name and not self.next_case():
            self.told.emit(f"This was the last image for '{name}': choose the next landmark.")

    def _predicted(self, name: str) -> frozenset[str]:
        """``{name}`` if there is a prediction of it that is not hidden yet, else nothing."""
        if self.predictions is None or not self.predictions.status_of(name).has_point:
            return frozenset()
        return frozenset({name}) - self._hidden


def _placed(
    landmarks: LandmarkSet, name: str, point: npt.ArrayLike, status: LandmarkStatus = LandmarkStatus.CONFIRMED
) -> LandmarkSet:
    """The set with a landmark at a point; a lock of what had no place before is none of it."""
    return landmarks.with_locked(name, False).with_point(name, point, status)


def _without(landmarks: LandmarkSet, name: str, status: LandmarkStatus) -> LandmarkSet:
    return landmarks.with_locked(name, False).without_point(name, status)
