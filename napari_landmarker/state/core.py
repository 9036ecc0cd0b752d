"""The heart of a session: what is open, its signals, and how an edit is done, saved, undone and redone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from psygnal import Signal

from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.predict.usable import default_model
from napari_landmarker.engine.project import Case, Project, Split
from napari_landmarker.state.edits import Edit
from napari_landmarker.state.history import History, Step
from napari_landmarker.state.prediction import PredictionLike
from napari_landmarker.state.store import AnnotationStore


class SessionCore:
    """Project, case, current landmark and history of one window. See `Session` for the rules.

    Signals:
        project_changed: another project, or none, is open. No case is open yet.
        cases_changed: cases were added.
        progress_changed: these cases have another split or count of landmarks done.
        case_changed: another case, or none, is open; annotations, predictions and heatmaps are its own.
        landmarks_changed: these landmarks of the open case look different now.
        current_changed: another landmark is to be placed next; ``""`` for none.
        predictions_changed: another active model, or its points of the open case changed.
        heatmaps_changed: `prediction` changed.
        history_changed: `can_undo`, `can_redo` or `unsaved` may have changed.
        models_changed: the project has other models.
        failed: one sentence to show.
    """

    project_changed = Signal()
    cases_changed = Signal()
    progress_changed = Signal(tuple)
    case_changed = Signal()
    landmarks_changed = Signal(tuple)
    current_changed = Signal(str)
    predictions_changed = Signal()
    heatmaps_changed = Signal()
    history_changed = Signal()
    models_changed = Signal()
    failed = Signal(str)

    def __init__(self) -> None:
        self.project: Project | None = None
        self.case_id: str | None = None
        self.image: Image | None = None
        self.annotations: LandmarkSet | None = None
        self.predictions: LandmarkSet | None = None
        self.shown: LandmarkSet | None = None
        self.current: str | None = None
        self.model: str | None = None
        self.prediction: PredictionLike | None = None
        self._store: AnnotationStore | None = None
        self._history = History()
        self._hidden: dict[str, frozenset[str]] = {}

    # ---- project and cases

    @property
    def unsaved(self) -> bool:
        """Whether an edit is in memory only, because writing it failed."""
        return self._store is not None and bool(self._store.unsaved)

    @property
    def names(self) -> tuple[str, ...]:
        """The landmarks of the project, none without a project."""
        return () if self.project is None else self.project.schema.names

    def open_project(self, project: Project) -> None:
        """Close what is open and open a project: a model is active and its first readable case is open.

        The model is the newest of the project, else one that comes with the program and knows its landmarks.

        Raises:
            ProjectError: if edits of the project that is open cannot be saved, or this project cannot be edited here.
        """
        if project.schema.instances > 1:
            raise ProjectError(
                f"{project.root} allows several points for one landmark, which this window cannot edit: "
                "use the command line for it."
            )
        self.close_project()
        self.project, self._store = project, AnnotationStore(project)
        self.model = default_model(project)
        self.project_changed.emit()
        self.predictions_changed.emit()
        first: LandmarkerError | None = None
        for case in project.cases:
            try:
                self.open_case(case.id)
            except LandmarkerError as error:
                first = first or error
            else:
                break
        if first is not None:
            self.failed.emit(str(first))

    def close_project(self, *, discard: bool = False) -> None:
        """Save what is not saved and close the project.

        Args:
            discard: close even if an edit cannot be saved; that edit is lost.

        Raises:
            ProjectError: if an edit cannot be saved; the project stays open.
        """
        if self.project is None:
            return
        error = self._save()
        if error is not None and not discard:
            raise ProjectError(f"The last annotations are not saved yet, so the project stays open: {error}") from error
        self.project = self._store = self.model = None
        self._history.clear()
        self._hidden.clear()
        self._leave_case()
        self.project_changed.emit()
        self.case_changed.emit()
        self._emit_rest()

    def save(self) -> str | None:
        """Try again to save what could not be saved; the reason in one sentence if that fails, else None."""
        error = self._save()
        self.history_changed.emit()
        return None if error is None else str(error)

    def open_case(self, case_id: str) -> None:
        """Open a case: read its image, annotations and predictions.

        Raises:
            LandmarkerError: if image or annotations cannot be read; the case that was open stays open.
        """
        project, store = self._need_project()
        image = project.image(case_id)
        annotations = store.get(case_id)
        predictions = self._predictions_of(case_id)
        self._leave_case()
        self.case_id, self.image, self.annotations, self.predictions = case_id, image, annotations, predictions
        self._refresh_shown()
        self.current = self._next_unplaced(None)
        self.case_changed.emit()
        self._emit_rest()

    def next_case(self) -> bool:
        """Open the next case; False at the last one."""
        return self._open_neighbour(+1)

    def previous_case(self) -> bool:
        """Open the case before; False at the first one."""
        return self._open_neighbour(-1)

    def add_images(self, images: Iterable[Path | str], spacing: Sequence[float] | None = None) -> tuple[Case, ...]:
        """Add images as new cases (see `Project.add_images`); the first case opens if none was open."""
        project, _ = self._need_project()
        added = project.add_images(images, spacing)
        self.cases_changed.emit()
        if self.case_id is None and added:
            self.open_case(added[0].id)
        return added

    def set_split(self, case_id: str, split: Split) -> None:
        """Move a case to another split; LandmarkerError if that cannot be saved."""
        project, _ = self._need_project()
        project.set_split(case_id, split)
        self.progress_changed.emit((case_id,))

    def progress(self, case_id: str) -> tuple[int, int]:
        """How many landmarks of a case are done, and how many there are. Read once, then kept up to date."""
        _, store = self._need_project()
        return store.done(case_id), len(self.names)

    def set_current(self, name: str | None) -> None:
        """Choose the landmark that the next click places; None for none."""
        if name is not None and name not in self.names:
            return
        if name != self.current:
            self.current = name
            self.current_changed.emit(name or "")

    # ---- undo and redo

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return self._history.to_undo is not None

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to do again."""
        return self._history.to_redo is not None

    def undo(self) -> None:
        """Take the last edit back; LandmarkerError if its case cannot be opened."""
        self._travel(self._history.to_undo, self._history.undone)

    def redo(self) -> None:
        """Do the edit that was taken back last again; LandmarkerError if its case cannot be opened."""
        self._travel(self._history.to_redo, self._history.redone)

    # ---- inside

    def _edit(
        self, after: LandmarkSet, names: Iterable[str], *, hides: Iterable[str] = (), reveals: Iterable[str] = ()
    ) -> None:
        """Change landmarks of the open case to what they are in ``after``."""
        if self.case_id is None or self.annotations is None:
            return
        edit = Edit.between(self.case_id, self.annotations, after, names, hides=hides, reveals=reveals)
        if edit.changes_something:
            self._do((edit,))

    def _do(self, step: Step) -> None:
        """Apply a new step and remember it."""
        if step:
            self._apply(step)
            self._history.push(step)
            self._tell(step)

    def _travel(self, step: Step | None, note: Callable[[], None]) -> None:
        """Apply a step of the history, in sight: a step of one other case opens that case first."""
        if step is None:
            return
        cases = {edit.case_id for edit in step}
        if self.case_id not in cases and len(cases) == 1:
            self.open_case(step[0].case_id)
        self._apply(step)
        note()
        self._tell(step)
        changed = [name for edit in step if edit.case_id == self.case_id for name in edit.names]
        self._step_from(changed[0] if changed else self.current)

    def _apply(self, step: Step) -> None:
        """Change annotations and hidden predictions, and save; nothing changes if a case cannot be read."""
        _, store = self._need_project()
        changed = [(edit, edit.applied_to(self._annotations_of(edit.case_id))) for edit in step]
        for edit, landmarks in changed:
            store.put(edit.case_id, landmarks)
            hidden = self._hidden.get(edit.case_id, frozenset())
            self._hidden[edit.case_id] = edit.hidden_after(hidden)
            if edit.case_id == self.case_id:
                self.annotations = landmarks
                self._refresh_shown()
        error = self._save()
        if error is not None:
            self.failed.emit(str(error))

    def _annotations_of(self, case_id: str) -> LandmarkSet:
        """What is annotated in a case, open or not; LandmarkerError if it cannot be read."""
        if case_id == self.case_id and self.annotations is not None:
            return self.annotations
        return self._need_project()[1].get(case_id)

    def _predictions_of(self, case_id: str) -> LandmarkSet | None:
        """The saved predictions of the active model; a file that cannot be read is told and left alone."""
        if self.project is None or self.model is None:
            return None
        try:
            return self.project.predictions(case_id, self.model)
        except LandmarkerError as error:
            self.failed.emit(str(error))
            return None

    def _tell(self, step: Step) -> None:
        names = tuple(name for edit in step if edit.case_id == self.case_id for name in edit.names)
        if names:
            self.landmarks_changed.emit(names)
        self.progress_changed.emit(tuple(edit.case_id for edit in step))
        self.history_changed.emit()

    def _save(self) -> LandmarkerError | None:
        return None if self._store is None else self._store.flush()

    def _need_project(self) -> tuple[Project, AnnotationStore]:
        if self.project is None or self._store is None:
            raise ProjectError("No project is open: open or create one first.")
        return self.project, self._store

    def _open_neighbour(self, step: int) -> bool:
        if self.project is None or not self.project.cases:
            return False
        ids = [case.id for case in self.project.cases]
        at = ids.index(self.case_id) + step if self.case_id in ids else 0
        if not 0 <= at < len(ids):
            return False
        self.open_case(ids[at])
        return True

    def _leave_case(self) -> None:
        self.case_id = self.image = self.current = self.prediction = None
        self.annotations = self.predictions = self.shown = None

    def _emit_rest(self) -> None:
        """What follows from another case being open."""
        self.heatmaps_changed.emit()
        self.current_changed.emit(self.current or "")
        self.history_changed.emit()

    def _refresh_shown(self) -> None:
        """Work out what a person sees: annotations, and predictions where nothing is annotated or hidden."""
        self.shown = self.annotations
        if self.annotations is None or self.predictions is None:
            return
        ours, theirs = self.annotations, self.predictions
        hidden = self._hidden.get(str(self.case_id), frozenset())
        fill = (ours.status == LandmarkStatus.UNPLACED.value) & ~np.isin(ours.names, sorted(hidden))
        self.shown = replace(
            ours,
            points=np.where(fill[:, None], theirs.points, ours.points),
            status=np.where(fill, theirs.status, ours.status),
            score=np.where(fill, theirs.score, ours.score),
            covariance=None,
        )

    def _next_unplaced(self, after: str | None) -> str | None:
        """The first landmark after ``after``, round and round, that has neither annotation nor shown prediction."""
        return self._next_with(LandmarkStatus.UNPLACED, after)

    def _next_with(self, status: LandmarkStatus, after: str | None) -> str | None:
        """The first landmark after ``after``, round and round, that is shown with a status."""
        if self.shown is None:
            return None
        start = self.names.index(after) + 1 if after in self.names else 0
        for name in (*self.names[start:], *self.names[:start]):
            if self.shown.status_of(name) == status:
                return name
        return None

    def _step_from(self, name: str | None) -> None:
        """Make ``name`` current if it is still to be placed, else the next one that is."""
        if name is None or self.shown is None or self.shown.status_of(name) != LandmarkStatus.UNPLACED:
            name = self._next_unplaced(name)
        self.set_current(name)
