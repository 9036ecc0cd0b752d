"""How far the cases of one rater are, kept in a file so that thousands of annotation files need not be read again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.io.atomic import read_json, write_json
from napari_landmarker.engine.io.stamp import Stamp
from napari_landmarker.engine.landmarks import LandmarkSet

PROGRESS_FILE = ".progress.json"
#: So many cases, and a quarter of all, are counted anew before the file is written again.
_LEAST_NEWS = 64


@dataclass(frozen=True)
class Counts:
    """How far a case is.

    Attributes:
        done: landmarks that a person placed, accepted or said to be absent.
        placed: those of them that have a point.
    """

    done: int = 0
    placed: int = 0

    @classmethod
    def of(cls, landmarks: LandmarkSet) -> Counts:
        """Counted in a set."""
        return cls(int(landmarks.by_person.sum()), int((landmarks.by_person & landmarks.placed).sum()))


class ProgressCache:
    """Counts by case with the stamp of the file they were counted in.

    A count of a file that was changed since does not count: the worst that a lost or old cache costs is reading again.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._path = folder / PROGRESS_FILE
        self._names = list(names)
        self._known = self._read()
        self._news = 0

    def get(self, case_id: str, stamp: Stamp) -> Counts | None:
        """The counts of a case, or None if they are not known or the file is another one now."""
        if stamp is None:
            return Counts()
        known = self._known.get(case_id)
        return Counts(known[2], known[3]) if known is not None and tuple(known[:2]) == stamp else None

    def put(self, case_id: str, stamp: Stamp, counts: Counts) -> None:
        """Remember the counts of a file, in memory."""
        if stamp is None:
            self._news += self._known.pop(case_id, None) is not None
        elif self._known.get(case_id) != (entry := [*stamp, *astuple(counts)]):
            self._known[case_id] = entry
            self._news += 1

    def save(self, *, at_once: bool = True) -> None:
        """Write the file if there is something new, or only if there is much; a failure is no loss.

        Args:
            at_once: whether a single new count is enough.
        """
        if self._news >= (1 if at_once else _LEAST_NEWS + len(self._known) // 4):
            with suppress(ProjectError):
                write_json(self._path, {"landmarks": self._names, "cases": self._known})
                self._news = 0

    def _read(self) -> dict[str, list[int]]:
        """The counts on disk, if they are of the same landmarks."""
        if not self._path.exists():
            return {}
        try:
            content = read_json(self._path, "a list of counts", ProjectError)
        except ProjectError:
            return {}
        cases = content.get("cases")
        if content.get("landmarks") != self._names or not isinstance(cases, dict):
            return {}
        return {case_id: entry for case_id, entry in cases.items() if _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, list) and len(entry) == 4 and all(type(value) is int for value in entry)
