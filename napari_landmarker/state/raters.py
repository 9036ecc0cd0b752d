"""Several raters in one project: each annotates apart, and one can look at another's landmarks beside one's own.

The points of the model can be looked at in the same way, where a person dealt with their landmarks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.state.clipboard import SessionClipboard


class SessionRaters(SessionClipboard):
    """Who annotates, and whose annotations are shown beside.

    Attributes:
        other_rater: whose annotations are shown beside, or None.
        other: these annotations of the open case, only to be looked at, or None.
        beside_model: whether the points of the active model are shown beside, in the place of another rater's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.other_rater: str | None = None
        self.other: LandmarkSet | None = None
        self.beside_model = False
        self.case_changed.connect(self._read_other)

    @property
    def rater(self) -> str:
        """Who annotates; empty without a project."""
        return "" if self.project is None else self.project.rater

    @property
    def raters(self) -> tuple[str, ...]:
        """Everybody who annotates in this project."""
        return () if self.project is None else self.project.raters

    @property
    def beside(self) -> LandmarkSet | None:
        """The points that are shown beside one's own in the open case, or None.

        Of the model's points only those of landmarks that a person dealt with: the others are among the shown ones.
        """
        if self.other is not None:
            return self.other.truth()
        ours, theirs = self.annotations, self.predictions
        if not self.beside_model or ours is None or theirs is None:
            return None
        theirs = theirs.reordered(ours.names)
        kept = ours.by_person & theirs.placed
        return replace(
            theirs,
            points=np.where(kept[:, None], theirs.points, np.nan),
            status=np.where(kept, theirs.status, LandmarkStatus.UNPLACED.value),
            score=np.where(kept, theirs.score, np.nan),
            covariance=None,
        )

    def set_rater(self, name: str) -> None:
        """Let somebody else annotate, or somebody new; each has annotations and a history of edits of their own.

        Who leaves has everything saved, so that nobody is asked to decide about the annotations of another person.

        Raises:
            LandmarkerError: for a name that no folder can have, or if annotations are not saved yet, the open case
                cannot be read or the choice cannot be kept; the rater stays the same then.
        """
        project, _ = self._need_project() if self.read_only else self._need_writable()
        self._need_saved()
        before, name = project.rater, name.strip()
        if name == before:
            return
        project.set_rater(name)
        try:
            if self.case_id is not None:
                self._need_project()[1].store.get(self.case_id)
            if not self.read_only:
                project.save()
        except LandmarkerError:
            project.set_rater(before)
            raise
        if self.other_rater == name:
            self.other_rater = None
        self.rater_changed.emit()
        self.cases_changed.emit()
        if self.case_id is not None:
            self.open_case(self.case_id)

    def show_rater(self, name: str | None) -> None:
        """Show the annotations of another rater beside one's own, or nothing.

        Raises:
            LandmarkerError: if there is no such rater, or the annotations cannot be read.
        """
        project, _ = self._need_project()
        name, landmarks = None if name == self.rater else name, None
        if name is not None and name not in self.raters:
            raise ProjectError(f"There is no rater '{name}' in this project: there are {', '.join(self.raters)}.")
        if name is not None and self.case_id is not None:
            landmarks = project.annotations(self.case_id, name)
        self.other_rater, self.other, self.beside_model = name, landmarks, False
        self.other_changed.emit()

    def show_model(self) -> None:
        """Show the points of the active model beside one's own, until `show_rater`; ProjectError without a project."""
        self._need_project()
        self.other_rater, self.other, self.beside_model = None, None, True
        self.other_changed.emit()

    # ---- inside

    def _read_other(self) -> None:
        """Follow the open case; annotations that cannot be read are told and left out."""
        self.other = None
        if self.project is None:
            self.other_rater, self.beside_model = None, False
        elif self.other_rater is not None and self.case_id is not None:
            try:
                self.other = self.project.annotations(self.case_id, self.other_rater)
            except LandmarkerError as error:
                self.failed.emit(str(error))

    def _emit_rest(self) -> None:
        super()._emit_rest()
        self.other_changed.emit()
