"""`LandmarkSet`: the landmarks of one image, and `LandmarkStatus`: what is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray, Grid

StatusArray = npt.NDArray[np.str_]
BoolArray = npt.NDArray[np.bool_]


class LandmarkStatus(StrEnum):
    """What is known of one landmark in one image."""

    UNPLACED = "unplaced"
    """Nobody has looked yet."""
    ABSENT = "absent"
    """A person looked: it is not visible in this image."""
    PREDICTED = "predicted"
    """A model placed it; no person has agreed yet."""
    EDITED = "edited"
    """A model placed it and a person moved it."""
    CONFIRMED = "confirmed"
    """A person placed it, or accepted a prediction."""

    @property
    def has_point(self) -> bool:
        """Whether a landmark of this status has coordinates."""
        return self not in (LandmarkStatus.UNPLACED, LandmarkStatus.ABSENT)

    @property
    def by_person(self) -> bool:
        """Whether a person stands behind it: it counts as done, and as truth (absent included)."""
        return self in (LandmarkStatus.ABSENT, LandmarkStatus.EDITED, LandmarkStatus.CONFIRMED)


@dataclass(frozen=True, eq=False)
class LandmarkSet:
    """The landmarks of one image. Immutable: every change returns a new set.

    Attributes:
        names: the landmarks, ``L`` of them, unique.
        points: index coordinates in array order, ``(L, D)``, or ``(L, M, D)`` for several instances; NaN exactly
            where a landmark has no point.
        status: values of `LandmarkStatus`, ``(L,)`` or ``(L, M)``.
        grid: geometry of the image the points lie in.
        score: confidence of predictions in [0, 1], NaN where unknown, ``(L,)`` or ``(L, M)``.
        covariance: of predictions, in px², ``(L, D, D)`` or ``(L, M, D, D)``, NaN where unknown; None where all are.
        locked: where a person said that nothing may change it by accident, ``(L,)`` or ``(L, M)``.
    """

    names: tuple[str, ...]
    points: FloatArray
    status: StatusArray
    grid: Grid
    score: FloatArray = None  # type: ignore[assignment]
    covariance: FloatArray | None = None
    locked: BoolArray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        names = tuple(self.names)
        points = np.array(self.points, dtype=np.float64)
        status = np.array(self.status, dtype=np.str_)
        score = np.full(status.shape, np.nan) if self.score is None else np.array(self.score, dtype=np.float64)
        locked = np.zeros(status.shape, bool) if self.locked is None else np.array(self.locked, dtype=np.bool_)
        if len(set(names)) != len(names):
            raise AnnotationError(f"A landmark name is given twice in {', '.join(names)}.")
        if points.ndim not in (2, 3) or points.shape[0] != len(names) or points.shape[-1] != self.grid.ndim:
            raise AnnotationError(
                f"Points of shape {points.shape} do not fit {len(names)} landmarks in {self.grid.ndim} dimensions."
            )
        if status.shape != points.shape[:-1] or score.shape != status.shape or locked.shape != status.shape:
            raise AnnotationError("There must be one status, one score and one lock for each point.")
        unknown = set(status.ravel()) - {s.value for s in LandmarkStatus}
        if unknown:
            raise AnnotationError(f"'{sorted(unknown)[0]}' is not a landmark status.")
        status = status.astype("<U9")  # wide enough for every status, so that a copy can be changed in place
        has_point = ~np.isin(status, (LandmarkStatus.UNPLACED.value, LandmarkStatus.ABSENT.value))
        finite, empty = np.isfinite(points).all(axis=-1), np.isnan(points).all(axis=-1)
        if not (finite == has_point).all() or not (empty == ~has_point).all():
            raise AnnotationError(
                "A landmark has finite coordinates exactly where its status says that it has a place."
            )
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "points": points,
            "status": status,
            "score": score,
            "locked": locked,
        }
        if self.covariance is not None:
            covariance = np.array(self.covariance, dtype=np.float64)
            if covariance.shape != (*points.shape, self.grid.ndim):
                raise AnnotationError("There must be one covariance for each point.")
            arrays["covariance"] = covariance
        for key, array in arrays.items():
            array.setflags(write=False)
            object.__setattr__(self, key, array)
        object.__setattr__(self, "names", names)

    @classmethod
    def empty(cls, names: Sequence[str], grid: Grid, instances: int = 1) -> LandmarkSet:
        """Nothing placed yet; ``(L, D)`` for one instance, else ``(L, M, D)``."""
        shape = (len(names),) if instances == 1 else (len(names), instances)
        points = np.full((*shape, grid.ndim), np.nan)
        return cls(tuple(names), points, np.full(shape, LandmarkStatus.UNPLACED.value), grid)

    @classmethod
    def from_points(
        cls,
        points: Mapping[str, npt.ArrayLike],
        grid: Grid,
        *,
        names: Sequence[str] | None = None,
        status: LandmarkStatus = LandmarkStatus.CONFIRMED,
        score: Mapping[str, float] | None = None,
    ) -> LandmarkSet:
        """One point a landmark, ``{name: (D,)}``; names without a point, or with a NaN one, are unplaced."""
        names = tuple(points) if names is None else tuple(names)
        out = cls.empty(names, grid)
        for name, point in points.items():
            if not np.isnan(np.asarray(point, dtype=np.float64)).any():
                out = out.with_point(name, point, status, (score or {}).get(name, np.nan))
        return out

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LandmarkSet):
            return NotImplemented
        return (
            self.names == other.names
            and self.grid == other.grid
            and np.array_equal(self.points, other.points, equal_nan=True)
            and np.array_equal(self.status, other.status)
            and np.array_equal(self.score, other.score, equal_nan=True)
            and np.array_equal(self.locked, other.locked)
        )

    __hash__ = None  # type: ignore[assignment]

    def row(self, name: str) -> int:
        """Where a landmark stands in the arrays; AnnotationError if it is not in this set."""
        try:
            return self.names.index(name)
        except ValueError:
            raise AnnotationError(f"There is no landmark '{name}': there are {', '.join(self.names)}.") from None

    def point(self, name: str, instance: int = 0) -> FloatArray:
        """Index coordinates ``(D,)`` of a landmark, NaN where it has none."""
        return self.points[self._at(name, instance)]  # type: ignore[no-any-return]

    def status_of(self, name: str, instance: int = 0) -> LandmarkStatus:
        """The status of a landmark."""
        return LandmarkStatus(str(self.status[self._at(name, instance)]))

    def score_of(self, name: str, instance: int = 0) -> float:
        """The score of a landmark, NaN where there is none."""
        return float(self.score[self._at(name, instance)])

    def covariance_of(self, name: str, instance: int = 0) -> FloatArray | None:
        """The covariance ``(D, D)`` of a landmark in px², None where there is none."""
        at = self._at(name, instance)
        if self.covariance is None or not np.isfinite(self.covariance[at]).all():
            return None
        return self.covariance[at]  # type: ignore[no-any-return]

    def locked_of(self, name: str, instance: int = 0) -> bool:
        """Whether a landmark is locked."""
        return bool(self.locked[self._at(name, instance)])

    def with_locked(self, name: str, locked: bool) -> LandmarkSet:
        """The set with all points of a landmark locked, or none."""
        locks = self.locked.copy()
        locks[self.row(name)] = locked
        return replace(self, locked=locks)

    def with_point(
        self,
        name: str,
        point: npt.ArrayLike,
        status: LandmarkStatus = LandmarkStatus.CONFIRMED,
        score: float = np.nan,
        instance: int = 0,
    ) -> LandmarkSet:
        """The set with one landmark at ``point`` ``(D,)``."""
        return self._changed(name, instance, np.asarray(point, dtype=np.float64), status, score)

    def without_point(
        self, name: str, status: LandmarkStatus = LandmarkStatus.UNPLACED, instance: int = 0
    ) -> LandmarkSet:
        """The set with one landmark unplaced, or said to be absent."""
        return self._changed(name, instance, np.full(self.grid.ndim, np.nan), status, np.nan)

    def with_status(self, name: str, status: LandmarkStatus, instance: int = 0) -> LandmarkSet:
        """The set with another status for a landmark; its point is dropped where the status has none."""
        if not status.has_point:
            return self.without_point(name, status, instance)
        return self._changed(name, instance, self.point(name, instance), status, self.score_of(name, instance))

    def taking(self, names: str | Iterable[str], other: LandmarkSet) -> LandmarkSet:
        """The set with all that ``other`` says of one landmark, or of several."""
        names = (names,) if isinstance(names, str) else tuple(names)
        if not names:
            return self
        here, there = [self.row(name) for name in names], [other.row(name) for name in names]
        if other.grid != self.grid or other.status.shape[1:] != self.status.shape[1:]:
            raise AnnotationError(f"'{names[0]}' cannot be taken over: it was placed in another image.")
        points, status, score = self.points.copy(), self.status.copy(), self.score.copy()
        points[here], status[here], score[here] = other.points[there], other.status[there], other.score[there]
        locked = self.locked.copy()
        locked[here] = other.locked[there]
        return replace(self, points=points, status=status, score=score, covariance=None, locked=locked)

    def reordered(self, names: Sequence[str]) -> LandmarkSet:
        """The set for another list of names: others are left out, and new ones are unplaced."""
        instances = 1 if self.status.ndim == 1 else self.status.shape[1]
        out = LandmarkSet.empty(names, self.grid, instances)
        points, status, score, locked = out.points.copy(), out.status.copy(), out.score.copy(), out.locked.copy()
        covariance = None if self.covariance is None else np.full((*points.shape, self.grid.ndim), np.nan)
        rows = [(names.index(n), self.names.index(n)) for n in names if n in self.names]
        for there, here in rows:
            points[there], status[there], score[there] = (
                self.points[here],
                self.status[here],
                self.score[here],
            )
            locked[there] = self.locked[here]
            if covariance is not None and self.covariance is not None:
                covariance[there] = self.covariance[here]
        return LandmarkSet(tuple(names), points, status, self.grid, score, covariance, locked)

    def moved_to(self, grid: Grid, points: FloatArray) -> LandmarkSet:
        """The same landmarks at other coordinates, in another frame."""
        return replace(self, grid=grid, points=points, covariance=None)

    @property
    def placed(self) -> npt.NDArray[np.bool_]:
        """Which landmarks have a point: shape of `status`."""
        return np.asarray(np.isfinite(self.points).all(axis=-1))

    @property
    def by_person(self) -> npt.NDArray[np.bool_]:
        """Where a person placed, accepted, moved or looked in vain: shape of `status`."""
        return np.isin(self.status, [s.value for s in LandmarkStatus if s.by_person])

    def truth(self) -> LandmarkSet:
        """Only what a person stands behind; predictions count as unplaced."""
        points, status, score = self.points.copy(), self.status.copy(), self.score.copy()
        drop = ~self.by_person
        points[drop], status[drop], score[drop] = np.nan, LandmarkStatus.UNPLACED.value, np.nan
        return replace(self, points=points, status=status, score=score, covariance=None, locked=self.locked & ~drop)

    def world(self) -> FloatArray:
        """World coordinates in mm, ``(L, [M,] D)`` in the order x, y[, z]; GeometryError without spacing."""
        return self.grid.index_to_world(self.points)

    def _at(self, name: str, instance: int) -> tuple[int, ...]:
        row = self.row(name)
        count = 1 if self.status.ndim == 1 else self.status.shape[1]
        if not 0 <= instance < count:
            raise AnnotationError(f"'{name}' has {count} point(s) in an image, so there is no point {instance + 1}.")
        return (row,) if self.status.ndim == 1 else (row, instance)

    def _changed(
        self, name: str, instance: int, point: FloatArray, status: LandmarkStatus, score: float
    ) -> LandmarkSet:
        at = self._at(name, instance)
        if point.shape != (self.grid.ndim,):
            raise AnnotationError(f"'{name}' needs {self.grid.ndim} coordinates, not an array of {point.shape}.")
        points, statuses, scores = self.points.copy(), self.status.copy(), self.score.copy()
        points[at], statuses[at], scores[at] = point, status.value, score
        return replace(self, points=points, status=statuses, score=scores, covariance=None)
