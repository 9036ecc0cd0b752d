"""Regressors of regions of heatmaps, under the names of the paper: see `uncertainty.regressors`.

Heatmaps are ``(N, C, *heatmap_size)``, 0 or more, of images of ``original_dims`` ``(N, D)`` pixels that were padded by
``padding`` ``(N, D)`` pixels on both sides and then resized. Images may differ in size. Regions are made of whole cells
of the heatmap (see `uncertainty.cells`), so that `MR2CCP`, which the paper defines between cells too, is `MR2C2R`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import AffineMap, FloatArray, Grid
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.uncertainty.configs import CalibrationConfig
from napari_landmarker.engine.uncertainty.density import DensityScore, RankScore
from napari_landmarker.engine.uncertainty.regions import BoolArray
from napari_landmarker.engine.uncertainty.regressor import (
    Regions,
    Regressor,
    Surfaces,
    fitted,
    inside_of,
    on_host,
    sizes_of,
)

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction


class HeatRegressor(Regressor):
    """What regressors of heatmaps share; a subclass says which composition it is.

    Args:
        spatial_dims: ``D``.
        nb_landmarks: ``C``.
        heatmap_size: shape of a heatmap.
    """

    _composition: CalibrationConfig

    def __init__(self, spatial_dims: int = 2, nb_landmarks: int = 1, heatmap_size: Sequence[int] = (512, 512)) -> None:
        super().__init__(self._composition, spatial_dims, nb_landmarks)
        self.heatmap_size = tuple(heatmap_size)

    def fit(
        self,
        heatmaps: npt.ArrayLike,
        target: npt.ArrayLike,
        original_dims: npt.ArrayLike | None = None,
        padding: npt.ArrayLike | None = None,
        confidence: float = 0.95,
    ) -> None:
        """Calibrate on heatmaps and true places ``(N, C, D)``, for any ``confidence``."""
        self._fit(self._predictions(heatmaps, original_dims, padding), target)

    def regions(
        self,
        heatmaps: npt.ArrayLike,
        original_dims: npt.ArrayLike | None = None,
        padding: npt.ArrayLike | None = None,
        spacing: npt.ArrayLike | None = None,
        confidence: float = 0.95,
    ) -> Regions:
        """The regions of each image, one for each landmark; sizes are in mm where the spacing ``(N, D)`` is given."""
        return self._regions(self._predictions(heatmaps, original_dims, padding, spacing), confidence)

    def predict(
        self,
        heatmaps: npt.ArrayLike,
        original_dims: npt.ArrayLike | None = None,
        padding: npt.ArrayLike | None = None,
        confidence: float = 0.95,
    ) -> BoolArray | list[BoolArray]:
        """The pixels of the images that lie inside, ``(N, C, *space)``: a byte for each pixel and landmark.

        Of images that differ in size a list, ``(C, *space)`` each. Where the pixels are not needed, `regions` says the
        same in a small part of the memory and time.
        """
        masks = [
            np.stack([region.mask((0,) * self.spatial_dims, region.grid.shape) for region in own])
            for own in self.regions(heatmaps, original_dims, padding, confidence=confidence)
        ]
        return np.stack(masks) if len({mask.shape for mask in masks}) == 1 else masks

    def predict_contour(
        self,
        heatmaps: npt.ArrayLike,
        original_dims: npt.ArrayLike | None = None,
        padding: npt.ArrayLike | None = None,
        confidence: float = 0.95,
    ) -> list[list[list[FloatArray]]] | Surfaces:
        """For each image and landmark the outlines of its region; in three dimensions its surface."""
        regions = self.regions(heatmaps, original_dims, padding, confidence=confidence)
        if self.spatial_dims == 3:
            return [[region.surface() for region in own] for own in regions]
        return [[region.contour() for region in own] for own in regions]

    def in_region(
        self,
        heatmaps: npt.ArrayLike,
        target: npt.ArrayLike,
        original_dims: npt.ArrayLike | None = None,
        padding: npt.ArrayLike | None = None,
        confidence: float = 0.95,
        batch_size: int = 1,
    ) -> BoolArray:
        """Whether true places ``(N, C, D)`` lie inside, ``(N, C)``; False of one that is missing."""
        return inside_of(self.regions(heatmaps, original_dims, padding, None, confidence), self._points(target))

    def area_prediction_region(
        self,
        heatmaps: npt.ArrayLike,
        original_dims: npt.ArrayLike | None = None,
        padding: npt.ArrayLike | None = None,
        spacing: npt.ArrayLike | None = None,
        confidence: float = 0.95,
    ) -> FloatArray:
        """Areas or volumes ``(N, C)`` in mm, or in px without a spacing ``(N, D)``."""
        return sizes_of(self.regions(heatmaps, original_dims, padding, spacing, confidence))

    def evaluate(
        self,
        heatmaps: npt.ArrayLike,
        pred_landmarks: npt.ArrayLike,
        target: npt.ArrayLike,
        original_dims: npt.ArrayLike | None = None,
        padding: npt.ArrayLike | None = None,
        spacing: npt.ArrayLike | None = None,
        confidence: float = 0.95,
        batch_size: int = 1,
        return_summary: bool = True,
    ) -> dict[str, float] | tuple[BoolArray, FloatArray, FloatArray]:
        """See `ConformalRegressorMahalanobis.evaluate`; one image is held at a time, whatever ``batch_size``."""
        regions = self.regions(heatmaps, original_dims, padding, spacing, confidence)
        return self._evaluated(regions, pred_landmarks, target, spacing, return_summary)

    def _predictions(
        self,
        heatmaps: npt.ArrayLike,
        original_dims: npt.ArrayLike | None,
        padding: npt.ArrayLike | None,
        spacing: npt.ArrayLike | None = None,
    ) -> Iterator[Prediction]:
        """Heatmaps as predictions, one at a time; each point is where its heat is largest."""
        from napari_landmarker.engine.predict.prediction import Prediction

        maps = np.asarray(on_host(heatmaps))
        if maps.ndim != 2 + self.spatial_dims or maps.shape[1:] != (self.nb_landmarks, *self.heatmap_size):
            expected = f"(N, {self.nb_landmarks}, {', '.join(map(str, self.heatmap_size))})"
            raise CalibrationError(f"Heatmaps must have the shape {expected}, not {maps.shape}.")
        for heat, (grid, to_heatmap) in zip(
            maps, self._frames(len(maps), original_dims, padding, spacing), strict=True
        ):
            at = np.unravel_index(heat.reshape(self.nb_landmarks, -1).argmax(axis=1), self.heatmap_size)
            points = to_heatmap.inverse.apply(np.stack(at, axis=1))
            landmarks = self._landmarks(points, grid, LandmarkStatus.PREDICTED)
            yield Prediction(landmarks, np.maximum(heat, 0), to_heatmap)

    def _frames(
        self,
        count: int,
        original_dims: npt.ArrayLike | None,
        padding: npt.ArrayLike | None,
        spacing: npt.ArrayLike | None,
    ) -> Iterator[tuple[Grid, AffineMap]]:
        """The pixels of each image, and the map from them to its heatmap."""
        per_image, size = (count, self.spatial_dims), np.asarray(self.heatmap_size, dtype=np.float64)
        dims = fitted(size if original_dims is None else original_dims, per_image, "The sizes of images")
        pad = fitted(0.0 if padding is None else padding, per_image, "The padding")
        steps = fitted(1.0 if spacing is None else spacing, per_image, "The spacing")
        if not (np.isfinite(dims + pad).all() and (dims + 2 * pad > 0).all()):
            raise CalibrationError("The sizes of images, with their padding, must be positive numbers.")
        for dim, border, step in zip(dims, pad, steps, strict=True):
            grid = Grid(tuple(dim.astype(int).tolist()), None if spacing is None else tuple(step))
            matrix = np.eye(self.spatial_dims + 1)
            scale = size / (dim + 2 * border)
            matrix[:-1, :-1], matrix[:-1, -1] = np.diag(scale), (border + 0.5) * scale - 0.5
            yield grid, AffineMap(matrix, grid.shape, self.heatmap_size)


class MR2CCP(HeatRegressor):
    """The cells that are likely enough, as calibration images say."""

    _composition = CalibrationConfig(score=DensityScore(relative=False))


class MR2C2R(MR2CCP):
    """The cells that are likely enough or, with ``aps``, that together hold enough of the heat, as images say."""

    def __init__(
        self,
        spatial_dims: int = 2,
        nb_landmarks: int = 1,
        heatmap_size: Sequence[int] = (512, 512),
        aps: bool = False,
    ) -> None:
        if aps:
            self._composition = CalibrationConfig(score=RankScore())
        super().__init__(spatial_dims, nb_landmarks, heatmap_size)


class ContourHuggingRegressor(HeatRegressor):
    """The hottest cells that together hold the confidence, if the heatmap is right: `fit` changes nothing."""

    _composition = CalibrationConfig(score=RankScore(), calibrator="parametric")
