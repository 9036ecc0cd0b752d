"""What a model says of one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.landmarks import LandmarkSet


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of one image.

    Attributes:
        landmarks: the points, in index coordinates of the image, with scores in [0, 1] and covariances in px². A score
            is the share of the heatmap's probability that lies around the point; for maps that were trained to have a
            peak of 1, that peak; for a cascade the product of both stages'. Points that come without maps have no known
            score, NaN. A landmark that was not found, or only farther than a pixel of the network beyond the image, is
            unplaced and has a score of 0.
        heatmaps: float32 ``(L, *space)`` in [0, 1], each with its maximum at 1. Of an image that was seen through
            windows they are a coarse overview, of a cascade both stages in one, and of points that come without maps
            Gaussians that show where they are.
        to_heatmap: map from image to heatmap index coordinates.
    """

    landmarks: LandmarkSet
    heatmaps: npt.NDArray[np.float32]
    to_heatmap: AffineMap

    @property
    def names(self) -> tuple[str, ...]:
        """The landmarks, ``L`` of them."""
        return self.landmarks.names
