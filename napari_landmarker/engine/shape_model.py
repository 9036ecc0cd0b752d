"""What shapes landmarks usually form, and which landmark of an image does not fit in.

A shape is described by the distances between its landmarks, so that it does not matter where and how turned it lies in
the image; with enough landmarks its size does not matter either. Centre and spread of each distance are the median and
the median absolute deviation over the reference images (Rousseeuw and Croux, J. Am. Stat. Assoc. 88, 1993), so a few
mistakes among these do no harm.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from napari_landmarker.engine.geometry import FloatArray

#: Fewer reference images tell nothing of what is usual.
LEAST_REFERENCES = 6
#: With fewer landmarks one that is misplaced cannot be told from a shape of another size.
_LEAST_FOR_SIZE = 5
#: Distances are taken to so many landmarks at most, which bounds the work for hundreds of landmarks.
_MOST_ANCHORS = 48
#: Distances never count as known better than this, as a share of themselves.
_LEAST_SPREAD = 0.03
#: Makes a median absolute deviation a standard deviation where errors are normal.
_TO_SD = 1.4826
#: How parallel the lines between two landmarks must be in the reference images to say which way round they lie.
_PARALLEL = 0.8


@dataclass(frozen=True)
class Misfit:
    """A landmark that does not fit in.

    Attributes:
        row: which landmark.
        z: how many standard deviations its distances are off, at the median.
        share: how far off they are, as a share of what is usual, at the median.
    """

    row: int
    z: float
    share: float


class ShapeModel:
    """The usual shape of ``L`` landmarks in ``D`` dimensions.

    Args:
        references: points of images that are right, ``(N, L, D)`` in millimetres, or pixels if all are; NaN where a
            landmark has none.
    """

    def __init__(self, references: FloatArray) -> None:
        count = references.shape[1]
        self._anchors = np.arange(0, count, -(-count // _MOST_ANCHORS))
        self._size_matters = count < _LEAST_FOR_SIZE
        self._seen = np.isfinite(references).all(axis=-1).sum(axis=0)
        self._references = references
        logs = self._log_distances(references)
        centre = _median(logs, 0)
        if not self._size_matters:
            centre = _median(logs - _median(logs - centre, (1, 2))[:, None, None], 0)
        rest = logs - centre
        if not self._size_matters:
            rest = rest - _median(rest, (1, 2))[:, None, None]
        enough = np.isfinite(rest).sum(axis=0) >= LEAST_REFERENCES
        self._centre = np.where(enough, centre, np.nan)
        self._spread = np.maximum(_TO_SD * _median(np.abs(rest), 0), _LEAST_SPREAD)

    def seen(self, row: int) -> int:
        """In how many reference images a landmark has a point."""
        return int(self._seen[row])

    def misfits(self, points: FloatArray, least_z: float) -> list[Misfit]:
        """The landmarks of an image ``(L, D)`` that do not fit to the others, the worst first.

        Each is judged without those that were found before it, so that one mistake does not make others of its
        neighbours.
        """
        left = points.copy()
        found: list[Misfit] = []
        while True:
            rest, z = self._rest(left), self._z(left)
            if not np.isfinite(z).any() or np.nanmax(z) < least_z:
                return found
            row = int(np.nanargmax(z))
            found.append(Misfit(row, float(z[row]), float(_median(np.abs(np.expm1(rest[row])), 0))))
            left[row] = np.nan

    def is_swapped(self, points: FloatArray, one: int, other: int, least_z: float) -> bool:
        """Whether two landmarks of an image ``(L, D)`` have each other's names: they fit only the other way round.

        That is so where the line from one to the other runs against that of the reference images, which all run in
        nearly one direction; or where their distances to the others fit only if they change places.
        """
        if not np.isfinite(points[[one, other]]).all():
            return False
        usual = self._usual_direction(one, other)
        if usual is not None:
            line = points[other] - points[one]
            return bool(line @ usual < -0.5 * np.linalg.norm(line))
        changed = points.copy()
        changed[[one, other]] = points[[other, one]]
        here, there = (float(np.mean(self._z(p)[[one, other]])) for p in (points, changed))
        return here >= least_z and there < here / 2

    # ---- inside

    def _z(self, points: FloatArray) -> FloatArray:
        return _median(np.abs(self._rest(points)) / self._spread, 1)

    def _rest(self, points: FloatArray) -> FloatArray:
        """How much larger each distance is than usual, in logarithms, ``(L, A)``."""
        rest: FloatArray = self._log_distances(points[None])[0] - self._centre
        if self._size_matters:
            return rest
        present = int(np.isfinite(rest).any(axis=1).sum())
        return rest - _median(rest, (0, 1)) if present >= _LEAST_FOR_SIZE else np.full_like(rest, np.nan)

    def _log_distances(self, points: FloatArray) -> FloatArray:
        """Logarithms of the distances to the anchors, ``(N, L, A)``; NaN to itself."""
        lines = points[:, :, None] - points[:, None, self._anchors]
        distances = np.linalg.norm(lines, axis=-1)
        return np.log(np.where(distances > 0, distances, np.nan))

    def _usual_direction(self, one: int, other: int) -> FloatArray | None:
        """The unit vector from one landmark to the other, if it is nearly the same in all references; else None."""
        lines = self._references[:, other] - self._references[:, one]
        lengths = np.linalg.norm(lines, axis=-1)
        usable = lengths > 0  # not so where one of the two has no point
        if usable.sum() < LEAST_REFERENCES:
            return None
        units = lines[usable] / lengths[usable, None]
        mean = units.mean(axis=0)
        length = float(np.linalg.norm(mean))
        return None if length < _PARALLEL else mean / length


def _median(values: FloatArray, axis: int | tuple[int, ...]) -> FloatArray:
    """Median of the numbers along axes; NaN where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a slice without numbers
        return np.asarray(np.nanmedian(values, axis=axis), dtype=np.float64)
