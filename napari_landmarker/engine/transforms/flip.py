"""Mirror images, in which left and right change names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.transforms.base import SpatialTransform
from napari_landmarker.engine.transforms.warp import Warp

Pairs = Sequence[tuple[str, str]]


def mirror_swaps(names: Sequence[str], pairs: Pairs) -> tuple[tuple[int, int], ...]:
    """The rows of landmarks that change places in a mirror image.

    Args:
        names: of all rows.
        pairs: left and right landmarks. Where both are missing from ``names`` a pair is passed over.

    Raises:
        GeometryError: if only one landmark of a pair is among the names: in a mirror image it would be called what
            it is not.
    """
    rows = {name: row for row, name in enumerate(names)}
    swaps = []
    for pair in pairs:
        known = [name for name in pair if name in rows]
        if len(known) == 1:
            other = pair[1] if known[0] == pair[0] else pair[0]
            raise GeometryError(f"Images cannot be mirrored: '{known[0]}' is used without '{other}' of the other side.")
        if known:
            swaps.append((rows[pair[0]], rows[pair[1]]))
    return tuple(swaps)


class RandomFlip(SpatialTransform):
    """Mirror the image along one axis; the landmarks of each left-right pair then change names with each other.

    A body mirrored along any axis is one whose left and right are exchanged (and which is turned), so the pairs are
    swapped whatever the axis. Landmarks in no pair, as on the midline, keep their name.

    Raises:
        GeometryError: without pairs, unless ``without_pairs`` says that no landmark has a side; if a pair is not
            complete among the names; on use, if there are not as many landmarks as names.
    """

    probability: float = Field(0.5, ge=0, le=1, title="Probability", description="Share of images that are mirrored.")
    axis: int = Field(-1, ge=-3, le=2, title="Axis", description="Array axis; -1 is x, from left to right.")
    names: tuple[str, ...] = Field((), title="Landmarks", description="The names of all landmarks, in order.")
    pairs: tuple[tuple[str, str], ...] = Field((), title="Pairs", description="Left and right landmarks.")
    without_pairs: bool = Field(False, title="No sides", description="No landmark has a left and a right.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.without_pairs and not mirror_swaps(self.names, self.pairs):
            raise GeometryError(
                "Images cannot be mirrored: name the left-right pairs of landmarks, or say that there are none "
                "(without_pairs)."
            )
        return self

    @classmethod
    def for_schema(cls, schema: LandmarkSchema, names: Sequence[str] | None = None, **options: Any) -> RandomFlip:
        """A flip with the pairs of a schema.

        Args:
            schema: whose pairs are swapped.
            names: of the landmarks in use, in order; all of the schema's by default.
            options: other fields of the class.
        """
        return cls(names=tuple(schema.names if names is None else names), pairs=schema.pairs, **options)

    def draw(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> Warp:
        """See `SpatialTransform`."""
        if not -len(space) <= self.axis < len(space):
            raise GeometryError(f"An image of {len(space)} dimensions cannot be mirrored along axis {self.axis}.")
        if self.names and len(points) != len(self.names):
            raise GeometryError(f"A flip for {len(self.names)} landmarks was given {len(points)}.")
        flip = AffineMap.flip(space, (self.axis % len(space),))
        return Warp.of(flip, swaps=mirror_swaps(self.names, self.pairs))
