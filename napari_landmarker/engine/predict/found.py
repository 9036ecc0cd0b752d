"""What was found in an image, in the image's own pixels, and what several findings say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.geometry import AffineMap, FloatArray, Grid
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.predict.reading import Reading

#: Points that are no farther apart than so many of their standard deviations are taken for the same.
SAME = 3.0


@dataclass(frozen=True, eq=False)
class Found:
    """Points of one image in its index coordinates.

    Attributes:
        points: ``(L, M, D)``, NaN where there is none.
        score: ``(L, M)``, 0 where there is none, NaN where it is not known how sure a point is.
        covariance: in px², ``(L, M, D, D)``, NaN where it is not known.
        asked: which landmarks were looked for, ``(L,)``; all by default.
    """

    points: FloatArray
    score: FloatArray
    covariance: FloatArray
    asked: npt.NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, reading: Reading, to_map: AffineMap) -> Found:
        """What was read of one image, ``(L, M, ...)`` in index coordinates of maps.

        Args:
            reading: of the maps.
            to_map: image to map index coordinates.
        """
        points, score, covariance = (values.cpu().double().numpy() for values in reading)
        back = to_map.inverse
        linear = back.matrix[:-1, :-1]
        return cls(back.apply(points), score, linear @ covariance @ linear.T)

    def in_rows(self, rows: Sequence[int], count: int) -> Found:
        """With the ``n``-th landmark in row ``rows[n]`` of ``count``; other rows are empty."""
        points = np.full((count, *self.points.shape[1:]), np.nan)
        score = np.zeros(points.shape[:-1])
        covariance = np.full((*points.shape, points.shape[-1]), np.nan)
        asked, where = np.zeros(count, dtype=np.bool_), list(rows)
        points[where], score[where], covariance[where] = self.points, self.score, self.covariance
        asked[where] = True if self.asked is None else self.asked
        return Found(points, score, covariance, asked)

    def landmarks(self, names: Sequence[str], grid: Grid, beyond_px: npt.ArrayLike = 0.0) -> LandmarkSet:
        """As landmarks of an image, those that are unplaced last where a landmark may have several points.

        Args:
            names: of the landmarks.
            grid: of the image.
            beyond_px: a point that is at most so far beyond the image's border, ``(D,)``, is moved to it; one that is
                farther out lies on nothing of the image, and its landmark is unplaced.
        """
        points = np.clip(self.points, -0.5, np.asarray(grid.shape) - 0.5)
        beyond = np.abs(self.points - points) > np.asarray(beyond_px) + 1e-9
        known = np.asarray(np.isfinite(points).all(axis=-1)) & ~beyond.any(axis=-1)
        order = np.argsort(~known, axis=1, kind="stable")
        rows = np.arange(len(points))[:, None]
        known, points = known[rows, order], np.where(known[..., None], points, np.nan)[rows, order]
        covariance = np.where(known[..., None, None], self.covariance[rows, order], np.nan)
        score = np.where(known, self.score[rows, order], 0.0)
        status = np.where(known, LandmarkStatus.PREDICTED.value, LandmarkStatus.UNPLACED.value)
        if points.shape[1] == 1:
            points, status, score, covariance = points[:, 0], status[:, 0], score[:, 0], covariance[:, 0]
        certain = None if np.isnan(covariance).all() else covariance
        return LandmarkSet(tuple(names), points, status, grid, score, certain)


def mean_found(found: Sequence[Found]) -> Found:
    """The mean of findings of one point a landmark, row by row, with the spread of these points in the covariance.

    The covariance is the mean of those that are known, plus the sample covariance of the points. Of one finding it is
    its own.

    Args:
        found: at least one.
    """
    points = np.stack([one.points for one in found])
    known = np.asarray(np.isfinite(points).all(axis=-1))
    count = known.sum(axis=0)
    mean = np.where(known[..., None], points, 0.0).sum(axis=0) / np.maximum(count, 1)[..., None]
    mean[count == 0] = np.nan
    score = np.stack([one.score for one in found]).sum(axis=0) / np.maximum(count, 1)
    own = np.stack([one.covariance for one in found])
    given = np.asarray(np.isfinite(own).all(axis=(-2, -1)) & known)
    within = np.where(given[..., None, None], own, 0.0).sum(axis=0)
    within /= np.maximum(given.sum(axis=0), 1)[..., None, None]
    away = np.where(known[..., None], points - mean, 0.0)
    between = np.einsum("n...i,n...j->...ij", away, away) / np.maximum(count - 1, 1)[..., None, None]
    unknown = np.asarray((given.sum(axis=0) == 0) & (count < 2))
    return Found(mean, score, np.where(unknown[..., None, None], np.nan, within + between))


def joined(found: Sequence[Found]) -> Found:
    """What findings of the same image say together where their maps are too large to be averaged.

    Each point stands for the heat about it: a Gaussian of its covariance that weighs as much as its score. Where the
    sum of these of all findings is largest is the answer: the weighted mean of the points that lie there, at most one
    of each finding, with the spread between them in the covariance. A finding that is elsewhere does not pull it, but
    takes from the score, which is the mean over the findings that looked for the landmark.

    Args:
        found: at least one, with covariances.
    """
    if len(found) == 1:
        return found[0]
    first = found[0]
    points, score = np.full_like(first.points, np.nan), np.zeros_like(first.score)
    covariance = np.full_like(first.covariance, np.nan)
    asked = np.sum([np.ones(len(points)) if one.asked is None else one.asked for one in found], axis=0)
    for row in range(len(points)):
        parts = [
            (number, one.points[row, m], one.score[row, m], one.covariance[row, m])
            for number, one in enumerate(found)
            for m in range(points.shape[1])
            if np.isfinite(one.points[row, m]).all() and one.score[row, m] > 0
        ]
        for instance in range(points.shape[1]):
            if not parts:
                break
            together = _strongest(parts)
            weight = np.array([parts[at][2] for at in together])
            where = np.array([parts[at][1] for at in together])
            mean = weight @ where / weight.sum()
            away = where - mean
            spread = np.array([parts[at][3] for at in together]) + away[:, :, None] * away[:, None, :]
            points[row, instance] = mean
            score[row, instance] = weight.sum() / asked[row]
            covariance[row, instance] = np.tensordot(weight, spread, axes=1) / weight.sum()
            parts = [part for at, part in enumerate(parts) if at not in together]
    order = np.argsort(-score, axis=1, kind="stable")
    rows = np.arange(len(points))[:, None]
    return Found(points[rows, order], score[rows, order], covariance[rows, order], asked > 0)


_Part = tuple[int, FloatArray, float, FloatArray]


def _strongest(parts: Sequence[_Part]) -> list[int]:
    """Which parts lie where the sum of all Gaussians is largest, of each finding at most the nearest."""
    where = np.array([part[1] for part in parts])
    weight = np.array([part[2] for part in parts])
    spread = np.array([part[3] for part in parts])
    away = where[:, None] - where[None]
    squared = np.einsum("abi,bij,abj->ab", away, np.linalg.inv(spread), away)
    height = weight / np.sqrt(np.linalg.det(spread))
    best = int((np.exp(-0.5 * squared) @ height).argmax())
    both = np.linalg.inv(spread + spread[best])
    distance = np.sqrt(np.einsum("ai,aij,aj->a", away[:, best], both, away[:, best]))
    chosen: dict[int, int] = {}
    for at in np.argsort(distance, kind="stable"):
        if distance[at] <= SAME:
            chosen.setdefault(parts[at][0], int(at))
    return sorted(chosen.values())
