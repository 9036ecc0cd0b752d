"""Who may write in the open project, what is not written yet, and what others wrote in it meanwhile."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import TypeVar

from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.io.together import is_unfinished
from napari_landmarker.engine.left_behind import remove_left_behind
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Project
from napari_landmarker.state.cases import SessionCases
from napari_landmarker.state.lock import ProjectLock
from napari_landmarker.state.work import Work

T = TypeVar("T")

#: What an operating system says of a folder in which nothing may be written.
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
#: What a person is told where another window, or program, wrote in the project.
_READ_ANEW = "This project was changed elsewhere, so it was read again."
_HELD = "Many files of the project are just being changed: wait until that is done."
_FORGOTTEN = "Landmarks or images of the project were changed elsewhere: what was done before can no longer be undone."
_DO_AGAIN = "This project was changed elsewhere, so it was read again: look at it, then do that once more."


class SessionSharing(SessionCases):
    """One window writes in a project; another one, or another program, may do so before and after it.

    Whatever was written meanwhile is read again, in one place, before this window writes: `_go_on`.

    Attributes:
        lock_owner: why nothing can be written in this project, in one sentence, or None.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lock_owner: str | None = None
        self._lock: ProjectLock | None = None

    # ---- saving

    @property
    def unsaved(self) -> bool:
        """Whether an edit is in memory only, because writing it failed or another program changed the file."""
        return any(work.store.unsaved for work in self._works.values())

    def save(self) -> str | None:
        """Try again to save what could not be saved; the reason in one sentence if that fails, else None."""
        error = self._save()
        self.history_changed.emit()
        return None if error is None else str(error)

    def why_not_ready(self) -> str | None:
        """Save everything, for work that reads and writes the project's files by itself.

        Returns:
            Why that work cannot begin now, in one sentence, or None.
        """
        try:
            self._need_writable()
            self._need_saved()
        except LandmarkerError as error:
            return str(error)
        return None

    # ---- who may write

    @property
    def read_only(self) -> bool:
        """Whether this project can only be looked at; `lock_owner` says why."""
        return self.lock_owner is not None

    def take_over(self) -> None:
        """Become the one who writes in this project, and go on from what the other window did.

        The other one is told at its next edit or heartbeat.
        """
        if self.project is not None:
            sentence = self._acquire(self.project, True)
            if sentence is not None:
                self._set_owner(sentence)
                return
            self._go_on(others_wrote=True)
            self.save()

    def heartbeat(self) -> None:
        """Say that this window is open still, and see who writes in the project; every `lock.HEARTBEAT_S`.

        Where another window did and is closed now, it is this one.
        """
        if self.project is None:
            return
        looked_on = self.read_only
        if self._check_lock():
            self.told.emit(_READ_ANEW)
        if looked_on and not self.read_only:
            remove_left_behind(self.project.root)
            self.told.emit("No other window has this project open any more: what you change here is saved again.")
            self.save()

    # ---- inside

    def _need_writable(self) -> tuple[Project, Work]:
        """As `_need_project`; ProjectError also where another window writes, or did since this one looked."""
        project, work = self._need_project()
        sentence = self._refusal()
        if sentence is not None:
            raise ProjectError(sentence)
        return project, work

    def _refusal(self) -> str | None:
        """Why nothing may be written now, in one sentence, or None."""
        if self.held is not None:
            return self.held
        changed = self.project is not None and self.lock_owner is None and self._check_lock()
        return self.lock_owner or (_DO_AGAIN if changed else None)

    def _need_saved(self) -> None:
        """Make sure that all annotations are on disk, where they are about to be read or changed as files."""
        error = self._save()
        if error is not None:
            raise ProjectError(f"Not all annotations are saved yet, so this has to wait: {error}") from error

    def _change_all(self, words: str, change: Callable[[Progress], T]) -> T | None:
        """Change many files beside the window, while all that would read or change the project is held off.

        Args:
            words: what goes on.
            change: changes all of them or none.

        Returns:
            What ``change`` returned; None where a person stopped it.

        Raises:
            LandmarkerError: if that cannot be now, or fails. Where the disk failed in the middle, nothing is written
                any more until it is finished.
        """
        project, _ = self._need_writable()
        self._need_saved()
        done: list[T] = []
        self.held = _HELD
        try:
            self.run_long(words, lambda progress: done.append(change(progress)))
        except LandmarkerError as error:
            if is_unfinished(project.root):
                self._set_owner(str(error))
            raise
        finally:
            self.held = None
        return done[0] if done and self.project is project else None

    def _acquire(self, project: Project, take_over: bool) -> str | None:
        """Take the project's lock; why that cannot be, in one sentence. A full disk is told when something is saved."""
        assert self._lock is not None
        try:
            owner = self._lock.acquire(take_over=take_over)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                return None
            return "The project's folder cannot be written, so nothing is saved from here: copy it to open it for work."
        if owner is not None:
            return owner.sentence
        remove_left_behind(project.root)
        return None

    def _check_lock(self) -> bool:
        """See whether the lock is ours, or free, and go on from what others wrote; whether they changed something.

        A folder that is gone is told when something is saved.
        """
        assert self._lock is not None
        held = self._lock.held
        try:
            owner = self._lock.renew()
        except OSError:
            return False
        if owner is not None:
            self._set_owner(owner.sentence)
            return False
        return self._go_on(others_wrote=not held)

    def _go_on(self, *, others_wrote: bool) -> bool:
        """Become the one who writes, or stay it, and read again what others changed; whether they changed something.

        A project that cannot be read any more is not written either.

        Args:
            others_wrote: whether another window may have written since this one held the lock.
        """
        if self.held is not None:
            return False
        changed = False
        try:
            if self.project is not None and (others_wrote or self.project.changed_elsewhere):
                changed = self._read_anew(self.project)
        except LandmarkerError as error:
            self._set_owner(str(error))
        else:
            self._set_owner(None)
        return changed

    def _read_anew(self, project: Project) -> bool:
        """Read again what is open; whether anything is different. Case, rater and what is not saved stay.

        Raises:
            ProjectError: if the project cannot be read; everything stays as it is.
        """
        changed, schema = project.changed_elsewhere, project.schema
        ids = {case.id for case in project.cases}
        if changed:
            project.read_again()
        lost = [text for work in self._works.values() for text in work.store.read_anew()]
        if not changed and not self._case_differs():
            return False
        other_landmarks = schema != project.schema
        if other_landmarks or not ids <= {case.id for case in project.cases}:
            self._forget_edits(self._works.values(), _FORGOTTEN)
        self._show_anew(self.current, other_landmarks=other_landmarks)
        if lost:
            self.failed.emit(f"Points that were not saved are lost, as their landmarks are gone: {', '.join(lost)}.")
        return True

    def _case_differs(self) -> bool:
        """Whether the annotations that are shown are no longer those on disk; a conflict tells it of unsaved ones."""
        store = None if self._work is None else self._work.store
        if self.case_id is None or store is None or self.case_id in store.unsaved:
            return False
        return store.changed_by_others(self.case_id)

    def _show_anew(self, current: str | None, *, other_landmarks: bool, instead: str | None = None) -> None:
        """Tell that the project is another one, and open its case again at a landmark that is still to be placed.

        Args:
            current: the landmark.
            other_landmarks: whether it has other landmarks.
            instead: the case to open where the one that was open is gone; None for the first.
        """
        case_id = self.case_id
        self._leave_case()
        if other_landmarks:
            self.schema_changed.emit()
        self.project_changed.emit()
        ids = [] if self.project is None else [case.id for case in self.project.cases]
        self._open_again(case_id if case_id is None or case_id in ids else instead or ids[0])
        if self.shown is not None and current in self.names and not self.shown.status_of(current).has_point:
            self.set_current(current)

    def _forget_edits(self, works: Iterable[Work], sentence: str) -> None:
        """Let edits no longer be undone, as they do not fit the project any more; told where there are some."""
        some = False
        for work in works:
            some |= work.history.to_undo is not None or work.history.to_redo is not None
            work.forget_edits()
        if some:
            self.told.emit(sentence)

    def _set_owner(self, sentence: str | None) -> None:
        if sentence != self.lock_owner:
            self.lock_owner = sentence
            self.access_changed.emit()

    def _save(self) -> LandmarkerError | None:
        """Write what is not on disk; tells of new conflicts, and gives the first reason why all is not on disk."""
        error = self._flush()
        conflicts = (work.store.conflict_error() for work in self._works.values())
        return error or next((conflict for conflict in conflicts if conflict is not None), None)

    def _flush(self) -> LandmarkerError | None:
        """As `_save`; a conflict is told once, by its signal, and is no error here."""
        if self.project is None or not self.unsaved:
            return None
        if self.lock_owner is None and self._check_lock():
            self.told.emit(_READ_ANEW)
        if self.lock_owner is not None:
            return ProjectError(self.lock_owner)
        errors = []
        for work in self._works.values():
            before = work.store.conflicts
            errors.append(work.store.flush())
            for case_id in work.store.conflicts:
                if case_id not in before:
                    self.conflict.emit(case_id)
        return next((error for error in errors if error is not None), None)
