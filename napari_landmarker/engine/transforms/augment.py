"""Random changes of image and landmarks together, so that a network learns what does not matter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.transforms.resample import FloatImage, resample


class AugmentationConfig(BaseModel):
    """How much an image may be changed. Nothing is ever flipped: left and right have different names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotation_deg: float = Field(15.0, ge=0, le=180, title="Rotation", description="Up to so many degrees, each axis.")
    log_scale: float = Field(0.2, ge=0, le=1, title="Scale", description="Natural logarithm of the largest zoom.")
    log_aspect: float = Field(0.08, ge=0, le=1, title="Aspect", description="The same, each axis on its own.")
    shear: float = Field(0.1, ge=0, le=1, title="Shear")
    shift: float = Field(0.08, ge=0, le=0.5, title="Shift", description="Share of the image's size.")
    log_gamma: float = Field(0.5, ge=0, le=2, title="Gamma")
    log_contrast: float = Field(0.35, ge=0, le=2, title="Contrast")
    brightness: float = Field(0.25, ge=0, le=2, title="Brightness", description="In standard deviations.")
    noise: float = Field(0.08, ge=0, le=2, title="Noise", description="In standard deviations.")
    probability: float = Field(0.9, ge=0, le=1, title="Probability", description="Share of images that are moved.")


class Augmentation:
    """Draws random changes; image and points always move by the same map."""

    def __init__(self, config: AugmentationConfig) -> None:
        self.config = config

    def __call__(
        self, image: FloatImage, points: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatImage, FloatArray]:
        """Change a standardised image ``(C, *space)`` and its points ``(L, D)``.

        A landmark that leaves the image becomes missing (NaN).
        """
        space = image.shape[1:]
        if rng.random() < self.config.probability:
            move = self.draw(space, rng)
            image, points = resample(image, move), move.apply(points)
            outside = np.any((points < -0.5) | (points > np.asarray(space) - 0.5), axis=-1, keepdims=True)
            points = np.where(outside, np.nan, points)
        return self._recolour(image, rng), points

    def draw(self, space: tuple[int, ...], rng: np.random.Generator) -> AffineMap:
        """A random affine map about the centre of a frame."""
        config, ndim = self.config, len(space)
        linear: npt.NDArray[np.float64] = np.eye(ndim)
        for first in range(ndim):
            for second in range(first + 1, ndim):
                angle = np.deg2rad(rng.uniform(-config.rotation_deg, config.rotation_deg))
                turn = np.eye(ndim)
                turn[[first, second], [first, second]] = np.cos(angle)
                turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
                linear = linear @ turn
        shear = rng.uniform(-config.shear, config.shear, (ndim, ndim))
        np.fill_diagonal(shear, 0)
        scale = np.exp(
            rng.uniform(-config.log_scale, config.log_scale) + rng.uniform(-config.log_aspect, config.log_aspect, ndim)
        )
        shift = rng.uniform(-config.shift, config.shift, ndim) * np.asarray(space)
        return AffineMap.about_centre(space, linear @ (np.eye(ndim) + shear) @ np.diag(scale), shift)

    def _recolour(self, image: FloatImage, rng: np.random.Generator) -> FloatImage:
        """Gamma, contrast, brightness and noise; the image stays about standardised."""
        config = self.config
        low, high = float(image.min()), float(image.max())
        if high > low:
            unit = (image - low) / (high - low)
            image = unit ** np.float32(np.exp(rng.uniform(-config.log_gamma, config.log_gamma))) * (high - low) + low
        image = image * np.float32(np.exp(rng.uniform(-config.log_contrast, config.log_contrast)))
        image = image + np.float32(rng.uniform(-config.brightness, config.brightness))
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        return np.asarray(image + np.float32(rng.uniform(0, config.noise)) * noise, dtype=np.float32)
