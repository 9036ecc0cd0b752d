"""The heart of a session: which project is open."""

from __future__ import annotations

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.predict.usable import default_model
from napari_landmarker.engine.project import Project
from napari_landmarker.state.lock import ProjectLock
from napari_landmarker.state.prefetch import ImageCache
from napari_landmarker.state.sharing import SessionSharing


class SessionCore(SessionSharing):
    """Opens and closes projects. See `Session` for the rules."""

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
        self.lock_owner = self._acquire(project, take_over)
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
            ProjectError: if an edit cannot be saved, or all files are just being changed; the project stays open.
        """
        if self.project is None:
            return
        if self.held is not None:
            raise ProjectError(self.held)
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

    # ---- inside

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
