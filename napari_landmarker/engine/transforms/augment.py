"""Random changes of image and landmarks together, so that a network learns what does not matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.transforms.base import LandmarkTransform, Moved
from napari_landmarker.engine.transforms.collimation import RandomCollimation
from napari_landmarker.engine.transforms.flip import RandomFlip
from napari_landmarker.engine.transforms.intensity import RandomIntensity
from napari_landmarker.engine.transforms.resample import FloatImage, resample
from napari_landmarker.engine.transforms.spatial import RandomAffine, RandomElastic
from napari_landmarker.engine.transforms.warp import Warp


class AugmentationConfig(BaseModel):
    """How much an image may be changed. Nothing is mirrored unless asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotation_deg: float = Field(15.0, ge=0, le=180, title="Rotation", description="Up to so many degrees, each axis.")
    log_scale: float = Field(0.2, ge=0, le=1, title="Scale", description="Natural logarithm of the largest zoom.")
    log_aspect: float = Field(0.08, ge=0, le=1, title="Aspect", description="The same, each axis on its own.")
    shear: float = Field(0.1, ge=0, le=1, title="Shear")
    shift: float = Field(0.08, ge=0, le=0.5, title="Shift", description="Share of the image's size.")
    elastic: float = Field(
        0.008,
        ge=0,
        le=0.2,
        title="Elastic deformation",
        description="Standard deviation of a smooth displacement, share of the image's size; 0 bends nothing.",
    )
    smoothness: float = Field(
        0.1,
        gt=0,
        le=1,
        title="Smoothness",
        description="Of the elastic deformation, share of the image's longest side; more bends larger parts as one.",
    )
    flip: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Mirror images",
        description="Share of images that are mirrored left to right; needs the left-right pairs of landmarks.",
    )
    log_gamma: float = Field(0.5, ge=0, le=2, title="Gamma")
    log_contrast: float = Field(0.35, ge=0, le=2, title="Contrast")
    brightness: float = Field(0.25, ge=0, le=2, title="Brightness", description="In standard deviations.")
    noise: float = Field(0.08, ge=0, le=2, title="Noise", description="In standard deviations.")
    blur: float = Field(0.6, ge=0, le=3, title="Blur", description="Largest width of the blur, pixels of the frame.")
    collimation: float = Field(
        0.15, ge=0, le=1, title="Collimation", description="Share of images of which edges are covered."
    )
    collimation_depth: float = Field(
        0.15, ge=0, le=0.5, title="Covered", description="Deepest that an edge is covered, share of the image's size."
    )
    probability: float = Field(0.9, ge=0, le=1, title="Probability", description="Share of images that are moved.")


class Augmentation(LandmarkTransform):
    """Draws random changes; image and points always move by the same map, and the image is drawn once.

    Args:
        config: how much.
        schema: where the left-right pairs of landmarks are named; needed to mirror images.
        names: of the landmarks in use, in order; all of the schema's by default.

    Raises:
        GeometryError: if images are to be mirrored and the pairs are not known or not complete.
    """

    def __init__(
        self, config: AugmentationConfig, schema: LandmarkSchema | None = None, names: Sequence[str] | None = None
    ) -> None:
        self.config = config
        self._affine = RandomAffine(
            **{n: getattr(config, n) for n in ("rotation_deg", "log_scale", "log_aspect", "shear", "shift")}
        )
        self._elastic = RandomElastic(displacement=config.elastic, smoothness=config.smoothness)
        self._recolour = RandomIntensity(
            **{n: getattr(config, n) for n in ("log_gamma", "log_contrast", "brightness", "noise", "blur")}
        )
        self._collimation = RandomCollimation(probability=config.collimation, depth=config.collimation_depth)
        self._flip: RandomFlip | None = None
        if config.flip:
            if schema is None:
                raise GeometryError("Images cannot be mirrored: the left-right pairs of landmarks are not known.")
            self._flip = RandomFlip.for_schema(schema, names, probability=config.flip)

    def trace(self, image: FloatImage, points: FloatArray, rng: np.random.Generator) -> Moved:
        """Change a standardised image ``(C, *space)`` and its points; see `LandmarkTransform`.

        A landmark that is covered is missing, although the map says where it lies; see `RandomCollimation`.
        """
        space = image.shape[1:]
        points = np.asarray(points, dtype=np.float64)
        warp = Warp.identity(space)
        if rng.random() < self.config.probability:
            warp = Warp.of(self.draw(space, rng))
            if self.config.elastic:
                warp = warp.then(self._elastic.draw(space, points, rng))
        if self._flip is not None:
            warp = warp.then(self._flip.maybe(space, points, rng))
        drawn = resample(image, warp) if warp.steps else image
        recoloured = self._recolour.recolour(drawn, rng)
        return Moved(recoloured, self._collimation.cover(recoloured, warp.landmarks(points), rng), warp)

    def draw(self, space: tuple[int, ...], rng: np.random.Generator) -> AffineMap:
        """A random affine map about the centre of a frame."""
        return self._affine.draw_map(space, rng)
