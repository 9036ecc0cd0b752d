"""What a session needs of a predictor's result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.landmarks import LandmarkSet


class PredictionLike(Protocol):
    """What a predictor returns for one image, as far as a session needs it."""

    @property
    def landmarks(self) -> LandmarkSet:
        """The points, status predicted, in the index frame of the image."""

    @property
    def heatmaps(self) -> npt.NDArray[np.float32]:
        """``(L, *space)`` in [0, 1]."""

    @property
    def names(self) -> Sequence[str]:
        """The ``L`` landmarks of the heatmaps."""

    @property
    def to_heatmap(self) -> AffineMap:
        """Image index to heatmap index."""
