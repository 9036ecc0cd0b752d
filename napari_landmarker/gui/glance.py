"""`Glance`: shows something beside one's landmarks in one image, and then what was there before."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.gui.links import follow
from napari_landmarker.state.session import Session


class Glance:
    """What a report shows beside a person's landmarks, until another image is open or the person chooses otherwise.

    Args:
        session: what is open.
        owner: the widget that it ends with.
    """

    def __init__(self, session: Session, owner: QObject) -> None:
        self.session = session
        self._before: tuple[str | None, bool] | None = None
        self._shown: tuple[str | None, bool] = (None, False)
        self._case_id: str | None = None
        follow(owner, session.case_changed, self._case_changed)
        follow(owner, session.project_changed, self._forget)

    def take(self, show: Callable[[], None]) -> None:
        """Show something beside the landmarks of the open image.

        Args:
            show: does so; a `LandmarkerError` that it raises leaves everything as it was.
        """
        now = self._now()
        show()
        if self._before is None or now != self._shown:
            self._before = now
        self._shown, self._case_id = self._now(), self.session.case_id

    def end(self) -> None:
        """Show what was there before, unless the person has chosen something else meanwhile."""
        before, self._before = self._before, None
        if before is None or self._now() != self._shown:
            return
        rater, model = before
        try:
            if model:
                self.session.show_model()
            else:
                self.session.show_rater(rater)
        except LandmarkerError as error:
            self.session.failed.emit(str(error))

    def _now(self) -> tuple[str | None, bool]:
        return self.session.other_rater, self.session.beside_model

    def _case_changed(self) -> None:
        if self.session.case_id != self._case_id:
            self.end()

    def _forget(self) -> None:
        """Another project is open, or none: its raters are others."""
        self._before = None
