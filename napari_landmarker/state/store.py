"""The annotations of a project while it is open: read once, written at every change, kept when a write fails."""

from __future__ import annotations

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project


class AnnotationStore:
    """Reads and writes annotations through the project and counts what is done in each case.

    What could not be written stays in memory and is tried again by `flush`.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._unsaved: dict[str, LandmarkSet] = {}
        self._done: dict[str, int] = {}

    @property
    def unsaved(self) -> tuple[str, ...]:
        """Cases whose annotations are not on disk yet."""
        return tuple(self._unsaved)

    def get(self, case_id: str) -> LandmarkSet:
        """The annotations of a case in the order of the schema; LandmarkerError if its file cannot be read."""
        if case_id in self._unsaved:
            return self._unsaved[case_id]
        landmarks = self._project.annotations(case_id)
        self._count(case_id, landmarks)
        return landmarks

    def put(self, case_id: str, landmarks: LandmarkSet) -> None:
        """Take new annotations of a case; `flush` writes them."""
        self._unsaved[case_id] = landmarks
        self._count(case_id, landmarks)

    def flush(self) -> LandmarkerError | None:
        """Write all that is not on disk; the first error, if one could not be written."""
        first: LandmarkerError | None = None
        for case_id, landmarks in list(self._unsaved.items()):
            try:
                self._project.save_annotations(case_id, landmarks)
            except LandmarkerError as error:
                first = first or error
            else:
                del self._unsaved[case_id]
        return first

    def done(self, case_id: str) -> int:
        """How many landmarks of a case a person has placed, accepted or said to be absent; read from disk once.

        A case that cannot be read counts as nothing done: opening it tells why.
        """
        if case_id not in self._done:
            try:
                self.get(case_id)
            except LandmarkerError:
                self._done[case_id] = 0
        return self._done[case_id]

    def _count(self, case_id: str, landmarks: LandmarkSet) -> None:
        self._done[case_id] = int(landmarks.by_person.sum())
