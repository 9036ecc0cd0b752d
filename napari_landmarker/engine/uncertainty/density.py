"""Scores that are read off the heatmap itself: regions of any form, in as many pieces as the model hesitates between.

A heatmap is taken as the probability of each of its cells (see `uncertainty.cells`), of which those beyond the image
are left out, as landmarks lie in the image. A true place beyond the border belongs to the nearest cell. A heatmap that
is flat, zero or not a number says nothing: the region is the whole image.

With ``connected`` the region is only what hangs together with the maximum, cell by neighbouring cell: the level sets of
each cell's bottleneck, the lowest heat on the best path to the maximum (the heat's morphological reconstruction from its
maximum: Vincent, *Morphological grayscale reconstruction*, IEEE TIP 2, 1993). These are nested too, so that what was
calibrated on them holds just as well.

Cells have equal scores where they have equal heat, and all places in a cell have one score: where ties matter, break
them by chance (``rng`` of `Calibration.threshold`).

Sources: Jonkers et al., arXiv 2503.14106 (their MR2CCP and MR2C2R); by rank, the adaptive prediction sets of Romano et
al., *Classification with valid and adaptive coverage*, NeurIPS 2020, and contour hugging by McCouat and Voiculescu,
*Contour-hugging heatmaps for landmark detection*, CVPR 2022.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import ndimage

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.uncertainty.box import WholeImage
from napari_landmarker.engine.uncertainty.cells import CellSet, Tiling
from napari_landmarker.engine.uncertainty.regions import BoolArray, IntArray, Region
from napari_landmarker.engine.uncertainty.score import Score

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction

#: Masses are counted in whole units of this share, so that their sums are exact in any order.
_MASS_UNIT = 2.0**-52


@dataclass(frozen=True, eq=False)
class Heat:
    """The heat of one landmark in the cells of its image.

    Attributes:
        values: heat of each cell, 0 or more, in the order of the image's axes.
        tiling: where the cells are.
        connected: whether only cells count that hang together with the maximum.
    """

    values: npt.NDArray[np.floating]
    tiling: Tiling
    connected: bool

    @cached_property
    def says_something(self) -> bool:
        """Whether the heat is finite and not the same everywhere."""
        low, high = float(self.values.min()), float(self.values.max())
        return bool(np.isfinite([low, high]).all()) and low < high

    @cached_property
    def _mode(self) -> tuple[int, ...]:
        return tuple(int(i) for i in np.unravel_index(int(self.values.argmax()), self.values.shape))

    @property
    def peak(self) -> float:
        """The largest heat."""
        return float(self.values[self._mode])

    def hanging(self, cells: BoolArray) -> BoolArray:
        """Those of a set of cells that count: with `connected` the piece that holds the maximum."""
        if not self.connected:
            return cells
        pieces, _ = ndimage.label(cells)
        own = pieces[self._mode]
        return np.asarray(pieces == own) if own else np.zeros_like(cells)

    def levels_of(self, cells: IntArray) -> npt.NDArray[np.floating]:
        """The level down to which a set of cells must reach to hold each of the cells ``(N, D)``: ``(N,)``."""
        at = tuple(np.moveaxis(cells, -1, 0))
        levels = self.values[at]
        if not self.connected:
            return np.asarray(levels)
        return np.array([self._bottleneck(cell) for cell in zip(*at, strict=True)], dtype=levels.dtype)

    def _bottleneck(self, cell: tuple[int, ...]) -> float:
        own = self.values[cell]
        if self.hanging(self.values >= own)[cell]:
            return float(own)
        below = np.unique(self.values[self.values < own])
        return float(below[_last(len(below), lambda k: bool(self.hanging(self.values >= below[k])[cell]))])


class _HeatScore(Score):
    """Scores of the cells of a heatmap."""

    connected: bool = Field(
        False, title="One piece", description="Keep only the piece of the region that holds the heatmap's maximum."
    )

    def heat(self, prediction: Prediction, row: int) -> Heat:
        """The heat of the landmark in row ``row``; GeometryError if its map is turned against the image."""
        tiling = Tiling.of(prediction.to_heatmap)
        return Heat(tiling.arranged(prediction.heatmaps[row]), tiling, self.connected)

    def found(self, prediction: Prediction, row: int) -> bool:
        """See `Score.found`."""
        return super().found(prediction, row) and self.heat(prediction, row).says_something

    def measure(self, prediction: Prediction, row: int, points: FloatArray) -> FloatArray:
        """See `Score.measure`."""
        heat = self.heat(prediction, row)
        return self.scores_at(heat, heat.levels_of(heat.tiling.cell_of(points)))[:, None]

    def level_set(self, prediction: Prediction, row: int, threshold: FloatArray) -> Region:
        """See `Score.level_set`."""
        heat, grid = self.heat(prediction, row), prediction.landmarks.grid
        inside = heat.hanging(heat.values >= self.lowest(heat, float(threshold[0])))
        if inside.all():
            return WholeImage(grid, f"At this confidence '{prediction.names[row]}' may be anywhere in the image.")
        return CellSet.of(grid, heat.tiling, inside)

    @abstractmethod
    def scores_at(self, heat: Heat, levels: npt.NDArray[np.floating]) -> FloatArray:
        """The scores of cells that need levels ``(N,)`` (see `Heat.levels_of`): ``(N,)``."""

    @abstractmethod
    def lowest(self, heat: Heat, threshold: float) -> float:
        """The lowest level of any cell whose score is at most a threshold of 0 or more."""


class DensityScore(_HeatScore):
    """How far the heat of a place lies below the maximum, as a share of it: the region is a highest-density set.

    The score is ``1 - p / max(p)``. Relative to the maximum, a region is never empty, and grows where a model hesitates.
    """

    kind: Literal["density"] = "density"

    def scores_at(self, heat: Heat, levels: npt.NDArray[np.floating]) -> FloatArray:
        """See `_HeatScore.scores_at`."""
        return np.asarray(1 - levels.astype(np.float64) / heat.peak)

    def lowest(self, heat: Heat, threshold: float) -> float:
        """See `_HeatScore.lowest`."""
        return float(heat.values.min(initial=heat.peak, where=self.scores_at(heat, heat.values) <= threshold))


class RankScore(_HeatScore):
    """How much of the heat lies in cells that are hotter than that of a place: the region is a highest-density set.

    The score is the probability that the region would have without the cell, from 0 at the maximum to 1 where there is
    no heat. A threshold of ``c`` is thus the smallest region with a probability of ``c`` or, as it ends with a whole
    cell, just more: what `parametric` takes.
    """

    kind: Literal["rank"] = "rank"

    def parametric(self, confidence: float, ndim: int) -> float:
        """See `Score.parametric`."""
        return confidence

    def scores_at(self, heat: Heat, levels: npt.NDArray[np.floating]) -> FloatArray:
        """See `_HeatScore.scores_at`."""
        masses = _masses(heat)
        return np.array([_mass_above(heat, masses, level) for level in levels])

    def lowest(self, heat: Heat, threshold: float) -> float:
        """See `_HeatScore.lowest`."""
        hottest = np.sort(heat.values, axis=None)[::-1]
        before = np.cumsum(_units(heat, hottest)) - _units(heat, hottest)
        lowest = hottest[np.searchsorted(before * _MASS_UNIT, threshold, side="right") - 1]
        if not heat.connected:
            return float(lowest)
        masses = _masses(heat)
        levels = np.unique(hottest[hottest <= lowest])[::-1]  # a piece has less mass than the whole, so it may reach on
        return float(levels[_last(len(levels), lambda k: _mass_above(heat, masses, levels[k]) <= threshold)])


def _units(heat: Heat, values: npt.NDArray[np.floating]) -> IntArray:
    """Shares of all heat, in whole units of `_MASS_UNIT`."""
    total = heat.values.sum(dtype=np.float64)
    return np.rint(values.astype(np.float64) * (1 / (total * _MASS_UNIT))).astype(np.int64)


def _masses(heat: Heat) -> IntArray:
    return _units(heat, heat.values)


def _mass_above(heat: Heat, masses: IntArray, level: np.floating) -> float:
    """The share of heat in those cells hotter than a level that count."""
    return float(masses.sum(where=heat.hanging(heat.values > level)) * _MASS_UNIT)


def _last(count: int, holds: Callable[[int], bool]) -> int:
    """The last of ``0 ... count - 1`` for which something holds that holds for 0 and, once it fails, fails on."""
    return bisect_left(range(count), True, key=lambda k: not holds(k)) - 1
