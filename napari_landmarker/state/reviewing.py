"""What a person has looked through in the review, kept in a file to which each tick adds one line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.state.edits import ProjectEdit
from napari_landmarker.state.project_edits import SessionProject

REVIEWED_FILE = "reviewed.jsonl"


class ReviewLog:
    """Which cases were reviewed with which model's predictions.

    Lines that are cut off or say nothing that is known are passed over.

    Args:
        root: the project's folder.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / REVIEWED_FILE
        self._ticked = dict(filter(None, map(_tick, self._lines())))

    def get(self, case_id: str, model: str | None) -> bool:
        """Whether a case is ticked off."""
        return self._ticked.get((case_id, model), False)

    def put(self, case_id: str, model: str | None, reviewed: bool) -> None:
        """Tick a case off, or take the tick back; ProjectError if that cannot be saved."""
        line = json.dumps({"case": case_id, "model": model, "reviewed": reviewed}, ensure_ascii=False)
        try:
            with self._path.open("a+b") as file:
                whole = file.tell() == 0 or _ends_a_line(self._path)
                file.write(f"{'' if whole else chr(10)}{line}\n".encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ProjectError(
                f"{self._path} could not be written ({error.strerror}): check that the folder is writable "
                "and the disk not full."
            ) from error
        self._ticked[case_id, model] = reviewed

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []


class SessionReviewing(SessionProject):
    """Ticks of the review; they are of the active model, as another one predicts other points."""

    def __init__(self) -> None:
        super().__init__()
        self._reviews: ReviewLog | None = None
        self.project_changed.connect(self._forget_reviews)

    def reviewed(self, case_id: str) -> bool:
        """Whether a person has ticked a case off in the review of the active model's predictions."""
        return self.project is not None and self._log().get(case_id, self.model)

    def set_reviewed(self, case_id: str, reviewed: bool = True) -> None:
        """Tick a case off, or take the tick back; LandmarkerError if that cannot be saved."""
        self._need_writable()[0].case(case_id)
        model = self.model

        def put(ticked: bool) -> bool:
            self._need_writable()
            self._log().put(case_id, model, ticked)
            self.reviewed_changed.emit(case_id)
            return True

        self._change_project(ProjectEdit(f"the review of '{case_id}'", self.reviewed(case_id), reviewed, put))

    def _log(self) -> ReviewLog:
        if self._reviews is None:
            self._reviews = ReviewLog(self._need_project()[0].root)
        return self._reviews

    def _forget_reviews(self) -> None:
        self._reviews = None


def _ends_a_line(path: Path) -> bool:
    """Whether a file that is not empty ends with a whole line: a program that was killed may have left half of one."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _tick(line: str) -> tuple[tuple[str, str | None], bool] | None:
    try:
        said: Any = json.loads(line)
        return (said["case"], said["model"]), bool(said["reviewed"])
    except (ValueError, TypeError, KeyError):
        return None
