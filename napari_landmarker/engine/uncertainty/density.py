"""Scores that are read off the heatmap itself: regions of any form, in as many pieces as the model hesitates between.

A heatmap is taken as the probability of each of its cells (see `uncertainty.cells`), of which those beyond the image
are left out, as landmarks lie in the image. A true place beyond the border belongs to the nearest cell. A heatmap that
is flat, zero or not a number says nothing: the region is the whole image.

With ``connected`` the region is only what hangs together with the maximum, cells that share a corner included: the
level sets of each cell's bottleneck, the lowest heat on the best path to the maximum (the heat's morphological
reconstruction from its maximum: Vincent, *Morphological grayscale reconstruction*, IEEE TIP 2, 1993). These are nested
too, so that what was calibrated on them holds just as well.

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

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.uncertainty.box import WholeImage
from napari_landmarker.engine.uncertainty.cells import CellGrid, CellSet
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
        tiles: where the cells are.
        connected: whether only cells count that hang together with the maximum.
    """

    values: npt.NDArray[np.floating]
    tiles: CellGrid
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

    @cached_property
    def total(self) -> float:
        """The sum of all heat."""
        return float(self.values.sum(dtype=np.float64))

    def masses(self, values: npt.NDArray[np.floating]) -> IntArray:
        """The shares of all heat that some values are, in units of `_MASS_UNIT`."""
        return np.asarray(np.rint(values.astype(np.float64) / (self.total * _MASS_UNIT)), dtype=np.int64)

    def mass_above(self, level: float, masses: IntArray) -> float:
        """The share of all heat in the cells above a level that count, of the `masses` of all cells."""
        return float(masses.sum(where=self.hanging(self.values > level))) * _MASS_UNIT

    def hanging(self, cells: BoolArray) -> BoolArray:
        """Those of a set of cells that count: with `connected` the piece that holds the maximum."""
        if not self.connected:
            return cells
        from scipy import ndimage  # slow to load

        pieces, _ = ndimage.label(cells, np.ones((3,) * cells.ndim))
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

    @property
    def tempered(self) -> Literal["heat"]:
        """See `Score.tempered`."""
        return "heat"

    def heat(self, prediction: Prediction, row: int) -> Heat:
        """The heat of the landmark in row ``row``; CalibrationError if its map is turned against the image."""
        tiles = CellGrid.of(prediction.landmarks.grid, prediction.to_heatmap)
        return Heat(tiles.cut(prediction.heatmaps[row]), tiles, self.connected)

    def found(self, prediction: Prediction, row: int) -> bool:
        """See `Score.found`."""
        return super().found(prediction, row) and self.heat(prediction, row).says_something

    def measure(self, prediction: Prediction, row: int, points: FloatArray) -> FloatArray:
        """See `Score.measure`."""
        heat = self.heat(prediction, row)
        return self.scores_at(heat, heat.levels_of(heat.tiles.cell_of(points)))[:, None]

    def level_set(self, prediction: Prediction, row: int, threshold: FloatArray) -> Region:
        """See `Score.level_set`."""
        heat = self.heat(prediction, row)
        inside = heat.hanging(heat.values >= self.lowest(heat, float(threshold[0])))
        if inside.all():
            sentence = f"At this confidence '{prediction.names[row]}' may be anywhere in the image."
            return WholeImage(prediction.landmarks.grid, sentence)
        return CellSet.of(heat.tiles, inside)

    @abstractmethod
    def scores_at(self, heat: Heat, levels: npt.NDArray[np.floating]) -> FloatArray:
        """The scores of cells that need levels ``(N,)`` (see `Heat.levels_of`): ``(N,)``."""

    @abstractmethod
    def lowest(self, heat: Heat, threshold: float) -> float:
        """The lowest level of any cell whose score is at most a threshold of 0 or more."""


class DensityScore(_HeatScore):
    """How little heat there is at a place: the region is a highest-density set.

    Relative to the maximum, the score is ``1 - p / max(p)``, and a region grows where a model hesitates between many
    cells. Else it is ``1 - p`` of the probability ``p`` of the cell, and 0 for the maximum, which is always inside.
    """

    kind: Literal["density"] = "density"
    relative: bool = Field(
        True,
        title="Relative",
        description="Compare the heat with the heatmap's maximum, not with that of other images.",
    )

    def scores_at(self, heat: Heat, levels: npt.NDArray[np.floating]) -> FloatArray:
        """See `_HeatScore.scores_at`."""
        most = heat.peak if self.relative else heat.total
        return np.where(levels < heat.peak, 1 - levels.astype(np.float64) / most, 0.0)

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
        masses = heat.masses(heat.values)
        return np.array([heat.mass_above(level, masses) for level in levels.tolist()])

    def lowest(self, heat: Heat, threshold: float) -> float:
        """See `_HeatScore.lowest`."""
        hottest = np.sort(heat.values, axis=None)[::-1]
        masses = heat.masses(hottest)
        before = (np.cumsum(masses) - masses) * _MASS_UNIT
        at = int(np.searchsorted(before, threshold, side="right")) - 1
        if not heat.connected:
            return float(hottest[at])
        levels, masses = np.unique(hottest[at:])[::-1].tolist(), heat.masses(heat.values)
        # a piece has less mass than the whole, so it may reach lower
        return float(levels[_last(len(levels), lambda k: heat.mass_above(levels[k], masses) <= threshold)])


def _last(count: int, holds: Callable[[int], bool]) -> int:
    """The last of ``0 ... count - 1`` for which something holds that holds for 0 and, once it fails, fails on."""
    return bisect_left(range(count), True, key=lambda k: not holds(k)) - 1
