"""The cases of the open project: which one is open, which may be next, and how far each is."""

from __future__ import annotations

from collections.abc import Callable

from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project
from napari_landmarker.state.long_work import RunLong, at_once
from napari_landmarker.state.modes import LabelMode
from napari_landmarker.state.open_case import OpenCase
from napari_landmarker.state.prefetch import ImageCache
from napari_landmarker.state.work import Work


class SessionCases(OpenCase):
    """Opens cases and counts what is done in them.

    Attributes:
        images: the images of the project as they are read ahead, or None.
        run_long: how the session does what may take long, such as changing many files (see `long_work.RunLong`).
        read_image: how a case's image is taken from `images`; a window may wait for it in its own way.
        held: what is going on in all files of the project, in one sentence, so that nothing may be read or changed
            meanwhile; or None.
    """

    def __init__(self) -> None:
        super().__init__()
        self.images: ImageCache | None = None
        self.run_long: RunLong = at_once
        self.read_image: Callable[[ImageCache, str], Image] = ImageCache.image
        self.held: str | None = None

    def open_case(self, case_id: str) -> None:
        """Open a case: take its image from memory or its file, and read annotations and predictions.

        Raises:
            LandmarkerError: if image or annotations cannot be read; the case that was open stays open.
        """
        project, work = self._need_project()
        if self.held is not None:
            raise ProjectError(self.held)
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

    def _open_again(self, case_id: str | None) -> None:
        """Open a case that was open; where that fails now, no case is open, and told."""
        if case_id is None:
            return
        try:
            self.open_case(case_id)
        except LandmarkerError as error:
            self._leave_case()
            self.case_changed.emit()
            self._emit_rest()
            self.failed.emit(str(error))

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
