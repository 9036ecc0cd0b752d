"""The heart of a session: which project, case and landmark are open, for whom, and whether it may be written."""

from __future__ import annotations

import errno
from collections.abc import Callable

from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict.usable import default_model
from napari_landmarker.engine.project import Project
from napari_landmarker.state.lock import ProjectLock
from napari_landmarker.state.modes import LabelMode
from napari_landmarker.state.open_case import OpenCase
from napari_landmarker.state.prefetch import ImageCache
from napari_landmarker.state.work import Work

#: What an operating system says of a folder in which nothing may be written.
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


class SessionCore(OpenCase):
    """Project, case and current landmark of one window. See `Session` for the rules.

    Attributes:
        images: the images of the project as they are read ahead, or None.
        lock_owner: why nothing can be written in this project, in one sentence, or None.
        read_image: how a case's image is taken from `images`; a window may wait for it in its own way.
    """

    def __init__(self) -> None:
        super().__init__()
        self.images: ImageCache | None = None
        self.lock_owner: str | None = None
        self.read_image: Callable[[ImageCache, str], Image] = ImageCache.image
        self._lock: ProjectLock | None = None

    # ---- project

    @property
    def unsaved(self) -> bool:
        """Whether an edit is in memory only, because writing it failed or another program changed the file."""
        return any(work.store.unsaved for work in self._works.values())

    @property
    def read_only(self) -> bool:
        """Whether this project can only be looked at; `lock_owner` says why."""
        return self.lock_owner is not None

    def open_project(self, project: Project, *, take_over: bool = False) -> None:
        """Close what is open and open a project: a model is active and its first readable case is open.

        The model is the newest of the project, else one that comes with the program and knows its landmarks. A project
        that another window has open is `read_only`.

        Args:
            project: the project.
            take_over: become the one who writes, even if another window is it.

        Raises:
            ProjectError: if edits of the project that is open cannot be saved, or this project cannot be edited here.
        """
        if project.schema.instances > 1:
            raise ProjectError(
                f"{project.root} allows several points for one landmark, which this window cannot edit: "
                "use the command line for it."
            )
        self.close_project()
        self._lock = ProjectLock(project.root)
        self.lock_owner = self._acquire(take_over)
        self.project, self.images = project, ImageCache(project)
        self.model = default_model(project)
        self.project_changed.emit()
        self.access_changed.emit()
        self.predictions_changed.emit()
        self._open_first([case.id for case in project.cases])

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
        self._let_go()
        self.project_changed.emit()
        self.access_changed.emit()
        self.case_changed.emit()
        self._emit_rest()

    def leave(self) -> None:
        """Save what can be saved and close the project without a signal: the window is going away."""
        if self.project is not None:
            if not self.read_only and self._lock is not None and self._lock.held:
                for work in self._works.values():
                    work.store.flush()
            self._let_go()

    def save(self) -> str | None:
        """Try again to save what could not be saved; the reason in one sentence if that fails, else None."""
        error = self._save()
        self.history_changed.emit()
        return None if error is None else str(error)

    # ---- who may write

    def take_over(self) -> None:
        """Become the one who writes in this project; the other window is told at its next edit or heartbeat."""
        if self.project is not None and self._lock is not None:
            self._set_owner(self._acquire(True))
            self.save()

    def heartbeat(self) -> None:
        """Say that this window is open still, and see whether another one took over; every `lock.HEARTBEAT_S`."""
        if self.project is not None and not self.read_only:
            self._check_lock()

    # ---- case and landmark

    def open_case(self, case_id: str) -> None:
        """Open a case: take its image from memory or its file, and read annotations and predictions.

        Raises:
            LandmarkerError: if image or annotations cannot be read; the case that was open stays open.
        """
        project, work = self._need_project()
        image = self.read_image(self.images or ImageCache(project), case_id)
        annotations = work.store.get(case_id)
        predictions = self._predictions_of(case_id)
        kept = None if self.mode is LabelMode.SEQUENTIAL else self.current
        self._leave_case()
        self.case_id, self.image, self.annotations, self.predictions = case_id, image, annotations, predictions
        self._refresh_shown()
        self.current = kept or self._next_unplaced(None)
        self.case_changed.emit()
        self._emit_rest()

    def next_case(self) -> bool:
        """Open the next case; False at the last one."""
        return self._open_neighbour(+1)

    def previous_case(self) -> bool:
        """Open the case before; False at the first one."""
        return self._open_neighbour(-1)

    def next_ids(self, count: int = 2) -> tuple[str, ...]:
        """The cases a person may open next, for `ImageCache.prefetch`: those that follow, then the one before."""
        ids = [] if self.project is None else [case.id for case in self.project.cases]
        if self.case_id not in ids:
            return ()
        at = ids.index(self.case_id)
        return (*ids[at + 1 : at + 1 + count], *ids[max(at - 1, 0) : at])

    def progress(self, case_id: str) -> tuple[int, int]:
        """How many landmarks of a case are done, and how many there are. Read once, then kept up to date."""
        return self._need_project()[1].store.counts(case_id).done, len(self.names)

    def placed(self, case_id: str) -> int:
        """How many landmarks of a case a person gave a point; absent ones are done but have none."""
        return self._need_project()[1].store.counts(case_id).placed

    # ---- inside

    def _need_project(self) -> tuple[Project, Work]:
        if self.project is None or self._work is None:
            raise ProjectError("No project is open: open or create one first.")
        return self.project, self._work

    def _need_writable(self) -> tuple[Project, Work]:
        """As `_need_project`; ProjectError also where another window writes."""
        project, work = self._need_project()
        if self.lock_owner is None:
            self._check_lock()
        if self.lock_owner is not None:
            raise ProjectError(self.lock_owner)
        return project, work

    def _let_go(self) -> None:
        """Close the project: keep its counts, free its lock and forget it."""
        if not self.read_only:
            for work in self._works.values():
                work.store.close()
        if self._lock is not None:
            self._lock.release()
        self.project = self.images = self.model = self.lock_owner = self._lock = None
        self._works.clear()
        self._leave_case()

    def _acquire(self, take_over: bool) -> str | None:
        """Take the project's lock; why that cannot be, in one sentence. A full disk is told when something is saved."""
        assert self._lock is not None
        try:
            owner = self._lock.acquire(take_over=take_over)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                return None
            return "The project's folder cannot be written, so nothing is saved from here: copy it to open it for work."
        return None if owner is None else owner.sentence

    def _check_lock(self) -> None:
        """See whether the lock is ours still. A folder that is gone is told when something is saved."""
        assert self._lock is not None
        try:
            owner = self._lock.renew()
        except OSError:
            return
        if owner is not None:
            self._set_owner(owner.sentence)

    def _set_owner(self, sentence: str | None) -> None:
        if sentence != self.lock_owner:
            self.lock_owner = sentence
            self.access_changed.emit()

    def _save(self) -> LandmarkerError | None:
        """Write what is not on disk; tells of new conflicts, and gives the first reason why all is not on disk."""
        if self.project is None or not self.unsaved:
            return None
        if not self.read_only:
            self._check_lock()
        if self.lock_owner is not None:
            return ProjectError(self.lock_owner)
        errors = []
        for work in self._works.values():
            before = work.store.conflicts
            errors += [work.store.flush(), work.store.conflict_error()]
            for case_id in work.store.conflicts:
                if case_id not in before:
                    self.conflict.emit(case_id)
        return next((error for error in errors if error is not None), None)

    def _open_first(self, case_ids: list[str]) -> None:
        """Open the first case that can be opened; why those before cannot, is told of the first of them."""
        first: LandmarkerError | None = None
        for case_id in case_ids:
            try:
                self.open_case(case_id)
            except LandmarkerError as error:
                first = first or error
            else:
                break
        if first is not None:
            self.failed.emit(str(first))

    def _open_neighbour(self, step: int) -> bool:
        if self.project is None or not self.project.cases:
            return False
        ids = [case.id for case in self.project.cases]
        at = ids.index(self.case_id) + step if self.case_id in ids else 0
        if not 0 <= at < len(ids):
            return False
        self.open_case(ids[at])
        return True

    def _predictions_of(self, case_id: str) -> LandmarkSet | None:
        """The saved predictions of the active model; a file that cannot be read is told and left alone."""
        if self.project is None or self.model is None:
            return None
        try:
            return self.project.predictions(case_id, self.model)
        except LandmarkerError as error:
            self.failed.emit(str(error))
            return None
