"""How an edit of a session is done, saved, undone and redone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project_changes import change_annotations
from napari_landmarker.state.core import SessionCore
from napari_landmarker.state.edits import Edit, ProjectEdit
from napari_landmarker.state.history import Step

#: Edits of annotations, one for each case.
Edits = tuple[Edit, ...]


class SessionEditing(SessionCore):
    """Edits as steps that can be undone, and what keeps them from being made."""

    # ---- what may be changed

    def locked(self, name: str) -> bool:
        """Whether a landmark of the open case is locked; one without a place or an answer never is."""
        if self.annotations is None or self.annotations.status_of(name) is LandmarkStatus.UNPLACED:
            return False
        return self.annotations.locked_of(name)

    def editable(self, name: str) -> str | None:
        """Why a landmark cannot be changed now, in one sentence; None if it can."""
        if self.lock_owner is not None:
            return self.lock_owner
        return f"'{name}' is locked: unlock it to change it." if self.locked(name) else None

    # ---- undo and redo

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return self._work is not None and self._work.history.to_undo is not None

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to do again."""
        return self._work is not None and self._work.history.to_redo is not None

    def undo(self) -> None:
        """Take the last edit back; LandmarkerError if its case cannot be opened."""
        if self._work is not None:
            self._travel(self._work.history.to_undo, self._work.history.undone, "Taken back")

    def redo(self) -> None:
        """Do the edit that was taken back last again; LandmarkerError if its case cannot be opened."""
        if self._work is not None:
            self._travel(self._work.history.to_redo, self._work.history.redone, "Done again")

    # ---- annotations that another program changed

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Cases that are not saved because another program changed their annotations."""
        return () if self._work is None else self._work.store.conflicts

    def resolve(self, case_id: str, keep: Literal["mine", "theirs"]) -> None:
        """Settle a conflict.

        Args:
            case_id: the case.
            keep: ``"mine"`` writes over what the other program wrote; ``"theirs"`` takes that in, as an edit that can
                be undone.

        Raises:
            LandmarkerError: if their annotations cannot be read; the conflict stays.
        """
        _, work = self._need_project()
        if case_id not in work.store.conflicts or self._refuses_all():
            return
        if keep == "mine":
            work.store.keep_mine(case_id)
            sentence = self.save()
            if sentence is not None:
                self.failed.emit(sentence)
            return
        mine = self._annotations_of(case_id)
        edit = Edit.between(case_id, mine, work.store.take_theirs(case_id), self.names)
        if edit.changes_something:
            self._do((edit,))
            self._step_from(self.current)
        else:
            self.history_changed.emit()

    # ---- inside

    def _may(self, name: str) -> bool:
        """Whether a landmark may be changed; tells why not."""
        if self._refuses_all():
            return False
        sentence = self.editable(name)
        if sentence is not None:
            self.refused.emit(sentence)
        return sentence is None

    def _edit(
        self, after: LandmarkSet, names: Iterable[str], *, hides: Iterable[str] = (), reveals: Iterable[str] = ()
    ) -> None:
        """Change landmarks of the open case to what they are in ``after``."""
        if self.case_id is None or self.annotations is None:
            return
        edit = Edit.between(self.case_id, self.annotations, after, names, hides=hides, reveals=reveals)
        if edit.changes_something:
            self._do((edit,))

    def _do(self, step: Edits) -> bool:
        """Apply a new step and remember it; False, and told, where nothing may be written."""
        if not step or self._work is None or self._refuses_all():
            return False
        self._apply(step)
        self._work.history.push(step)
        self._tell(step)
        return True

    def _refuses_all(self) -> bool:
        """Whether nothing may be written, as another window has the project or changed it; tells so."""
        sentence = self._refusal()
        if sentence is not None:
            self.refused.emit(sentence)
        return sentence is not None

    def _change_project(self, edit: ProjectEdit) -> bool:
        """Make a new change of the project and remember it; False where a person stopped it."""
        if edit.before != edit.after:
            if not edit.put(edit.after):
                return False
            self._remember(edit)
        return True

    def _remember(self, edit: ProjectEdit) -> None:
        """Remember a change of the project that was made."""
        self._need_project()[1].history.push(edit)
        self.history_changed.emit()

    def _travel(self, step: Step | None, note: Callable[[], None], words: str) -> None:
        """Apply a step of the history, in sight: a step of one other case opens that case first.

        Where it changed one landmark, its place is told, so that a person sees what happened.
        """
        if step is None or self._refuses_all():
            return
        if isinstance(step, ProjectEdit):
            if step.put(step.after):
                note()
                self.history_changed.emit()
                self.told.emit(f"{words}: {step.what}.")
            return
        cases = {edit.case_id for edit in step}
        if self.case_id not in cases and len(cases) == 1:
            self.open_case(step[0].case_id)
        if len(cases) > 1:
            edits = {edit.case_id: edit for edit in step}
            if self._change_cases(tuple(edits), lambda case_id, before: edits[case_id].applied_to(before)) is None:
                return
            self._hide(step)
        else:
            self._apply(step)
        note()
        self._tell(step)
        changed = [(name, edit) for edit in step if edit.case_id == self.case_id for name in edit.names]
        self._step_from(changed[0][0] if changed else self.current)
        if len(changed) == 1:
            name, edit = changed[0]
            place = edit.place_of(name)
            if place is None and self.shown is not None and self.shown.status_of(name).has_point:
                place = self.shown.point(name)
            if place is not None:
                self.travelled.emit(name, place)

    def _apply(self, step: Edits) -> None:
        """Change annotations and hidden predictions, and save; nothing changes if a case cannot be read.

        For steps of one case: saving many takes long (`_change_cases`).
        """
        _, work = self._need_project()
        changed = [(edit, edit.applied_to(self._annotations_of(edit.case_id))) for edit in step]
        for edit, landmarks in changed:
            work.store.put(edit.case_id, landmarks)
            if edit.case_id == self.case_id:
                self.annotations = landmarks
        self._hide(step)
        error = self._flush()
        if error is not None:
            self.failed.emit(str(error))

    def _hide(self, step: Edits) -> None:
        """Hide and reveal what predictions a step does, and show the open case as it is now."""
        _, work = self._need_project()
        for edit in step:
            work.hidden[edit.case_id] = edit.hidden_after(work.hidden.get(edit.case_id, frozenset()))
        if any(edit.case_id == self.case_id for edit in step):
            self._refresh_shown()

    def _change_cases(
        self, case_ids: Sequence[str], change: Callable[[str, LandmarkSet], LandmarkSet]
    ) -> dict[str, tuple[LandmarkSet, LandmarkSet]] | None:
        """Change the annotations of many cases and write them, beside the window: of all of them or of none.

        Args:
            case_ids: the cases.
            change: what the annotations of a case become; called in any thread.

        Returns:
            Of the cases in which something changed: the annotations before and after. None where a person stopped it.

        Raises:
            LandmarkerError: if annotations cannot be read or written; nothing has changed then.
        """
        project, work = self._need_writable()
        now = project.snapshot()
        changed = self._change_all(
            "Changing the annotations…", lambda progress: change_annotations(now, case_ids, change, progress)
        )
        for case_id, (_, landmarks) in (changed or {}).items():
            work.store.written(case_id, landmarks)
            if case_id == self.case_id:
                self.annotations = landmarks
        return changed

    def _annotations_of(self, case_id: str) -> LandmarkSet:
        """What is annotated in a case, open or not; LandmarkerError if it cannot be read."""
        if case_id == self.case_id and self.annotations is not None:
            return self.annotations
        return self._need_project()[1].store.get(case_id)

    def _tell(self, step: Edits) -> None:
        names = tuple(name for edit in step if edit.case_id == self.case_id for name in edit.names)
        if names:
            self.landmarks_changed.emit(names)
        self.progress_changed.emit(tuple(edit.case_id for edit in step))
        self.history_changed.emit()
