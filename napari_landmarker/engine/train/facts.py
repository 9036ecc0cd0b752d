"""What a planner knows of a project, from the headers of its images and its annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.train.choice import Choice, choose_cases


@dataclass(frozen=True)
class ProjectFacts:
    """What there is to learn from.

    Attributes:
        grids: of all images of the run, training and validation.
        channels: of the images, 1 or 3.
        n_train: images that are learnt from.
        n_validation: images that the run is judged on.
        placed: in how many training images each landmark is placed, by name.
        instances: points that one landmark may have, ``M``.
        pairs: left-right pairs among the landmarks.
    """

    grids: tuple[Grid, ...]
    channels: int
    n_train: int
    n_validation: int
    placed: dict[str, int]
    instances: int = 1
    pairs: int = 0

    @classmethod
    def of(cls, project: Project) -> ProjectFacts:
        """Look at a project; no volume is read, and of 2D images one, to see whether they are in colour.

        Raises:
            TrainingError: if no training case is annotated.
            ImageError: if an image cannot be read.
        """
        train, validation = choose_cases(project)
        choice = Choice.of(project, train, validation)
        grids = tuple(project.geometry(case.id).grid for case in (*train, *validation))
        coloured = grids[0].ndim == 2 and project.image(train[0].id).is_color
        counts = choice.present.sum(axis=0)
        return cls(
            grids,
            3 if coloured else 1,
            len(train),
            len(validation),
            {name: int(count) for name, count in zip(choice.names, counts, strict=True)},
            project.schema.instances,
            len(project.schema.reduced(choice.names).pairs),
        )

    @property
    def ndim(self) -> int:
        """``D``."""
        return self.grids[0].ndim

    @property
    def landmarks(self) -> int:
        """``L``."""
        return len(self.placed)

    @property
    def size(self) -> tuple[int, ...]:
        """Size of the median image, pixels."""
        return median_size([grid.shape for grid in self.grids])

    @property
    def spaced(self) -> int:
        """How many images state their spacing."""
        return sum(grid.spacing is not None for grid in self.grids)

    @property
    def spacing_mm(self) -> float | None:
        """The finest spacing of the median image, or None where not all images state one."""
        if self.spaced < len(self.grids):
            return None
        return float(np.median([min(grid.spacing) for grid in self.grids if grid.spacing is not None]))


def median_size(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The median along each axis."""
    return tuple(int(size) for size in np.median(np.array(shapes), axis=0))
