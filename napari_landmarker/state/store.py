"""The annotations of a rater while a project is open: read once, written at every change, kept when a write fails."""

from __future__ import annotations

from collections.abc import Iterable

from napari_landmarker.engine.errors import AnnotationError, LandmarkerError
from napari_landmarker.engine.io.stamp import Stamp, stamp_of
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project
from napari_landmarker.state.progress import Counts, ProgressCache


class AnnotationStore:
    """Reads and writes annotations through the project and counts what is done in each case.

    What could not be written stays in memory and is tried again by `flush`. A file that another program changed since
    it was read is not written over: its case is in `conflicts` until `keep_mine` or `take_theirs`.
    """

    def __init__(self, project: Project, rater: str) -> None:
        self.rater = rater
        self._project = project
        self._unsaved: dict[str, LandmarkSet] = {}
        self._conflicts: dict[str, None] = {}
        self._seen: dict[str, Stamp] = {}
        self._counts: dict[str, Counts] = {}
        self._cache: ProgressCache | None = None

    @property
    def unsaved(self) -> tuple[str, ...]:
        """Cases whose annotations are not on disk yet."""
        return tuple(self._unsaved)

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Cases that are not written because another program changed their files."""
        return tuple(self._conflicts)

    def get(self, case_id: str) -> LandmarkSet:
        """The annotations of a case in the order of the schema; LandmarkerError if its file cannot be read."""
        if case_id in self._unsaved:
            return self._unsaved[case_id]
        return self._read(case_id)

    def changed_by_others(self, case_id: str) -> bool:
        """Whether there is a file that is not the one last read or written; nothing is lost where there is none."""
        stamp = self._stamp(case_id)
        return stamp is not None and case_id in self._seen and stamp != self._seen[case_id]

    def put(self, case_id: str, landmarks: LandmarkSet) -> None:
        """Take new annotations of a case; `flush` writes them."""
        self._unsaved[case_id] = landmarks
        self._counts[case_id] = Counts.of(landmarks)

    def flush(self) -> LandmarkerError | None:
        """Write all that is not on disk; the first error, if one could not be written. Conflicts are no errors here."""
        first: LandmarkerError | None = None
        for case_id, landmarks in list(self._unsaved.items()):
            if case_id in self._conflicts:
                continue
            try:
                if self.changed_by_others(case_id):
                    self._conflicts[case_id] = None
                    continue
                self._project.save_annotations(case_id, landmarks, self.rater)
            except LandmarkerError as error:
                first = first or error
            else:
                del self._unsaved[case_id]
                self._note(case_id, self._stamp(case_id))
        return first

    def written(self, case_id: str, landmarks: LandmarkSet) -> None:
        """Note that the program itself has written the annotations of a case, all of which were saved."""
        self._counts[case_id] = Counts.of(landmarks)
        self._note(case_id, self._stamp(case_id))

    def keep_mine(self, case_id: str) -> None:
        """Let the next `flush` write over what another program wrote."""
        if self._conflicts.pop(case_id, "none") is None:
            self._seen[case_id] = self._stamp(case_id)

    def take_theirs(self, case_id: str) -> LandmarkSet:
        """What another program wrote; it is what `get` gives from now on.

        Raises:
            LandmarkerError: if it cannot be read; the conflict stays.
        """
        landmarks = self._read(case_id)
        self._unsaved.pop(case_id, None)
        self._conflicts.pop(case_id, None)
        return landmarks

    def conflict_error(self) -> AnnotationError | None:
        """What to say where a case cannot be saved because of another program, or None."""
        if not self._conflicts:
            return None
        return AnnotationError(
            f"The annotations of '{next(iter(self._conflicts))}' were changed by another program: choose which to keep."
        )

    def counts(self, case_id: str) -> Counts:
        """How far a case is; read from disk once, and only where the file is not the one that was counted last time.

        A case that cannot be read counts as nothing done: opening it tells why.
        """
        if case_id not in self._counts:
            try:
                known = self._progress().get(case_id, self._stamp(case_id))
                self._counts[case_id] = known or Counts()
                if known is None:
                    self._read(case_id)
                    self._progress().save(at_once=False)
            except LandmarkerError:
                self._counts[case_id] = Counts()
        return self._counts[case_id]

    def read_again(self, case_ids: Iterable[str]) -> None:
        """Take no notice that the program itself has written the files of some cases anew."""
        for case_id in case_ids:
            self._seen.pop(case_id, None)

    def read_anew(self) -> tuple[str, ...]:
        """Count anew, in the landmarks of the project as they are now; what is not on disk yet stays, as far as it can.

        Returns:
            What had to be dropped, as the project has no such landmarks any more: ``"'landmark' in 'case'"``.
        """
        names, lost = self._project.schema.names, []
        self._cache = None
        self._counts.clear()
        for case_id, landmarks in list(self._unsaved.items()):
            self.put(case_id, landmarks.reordered(names))
            done = zip(landmarks.names, landmarks.by_person, strict=True)
            lost += [f"'{name}' in '{case_id}'" for name, by_person in done if by_person and name not in names]
        return tuple(lost)

    def close(self) -> None:
        """Keep the counts for the next time."""
        if self._cache is not None:
            self._cache.save()

    # ---- inside

    def _read(self, case_id: str) -> LandmarkSet:
        stamp = self._stamp(case_id)  # before reading: a change in between is seen later
        landmarks = self._project.annotations(case_id, self.rater)
        self._counts[case_id] = Counts.of(landmarks)
        self._note(case_id, stamp)
        return landmarks

    def _note(self, case_id: str, stamp: Stamp) -> None:
        self._seen[case_id] = stamp
        self._progress().put(case_id, stamp, self._counts[case_id])

    def _stamp(self, case_id: str) -> Stamp:
        return stamp_of(self._project.annotation_path(case_id, self.rater))

    def _progress(self) -> ProgressCache:
        if self._cache is None:
            folder = self._project.root / "annotations" / self.rater
            self._cache = ProgressCache(folder, self._project.schema.names)
        return self._cache
