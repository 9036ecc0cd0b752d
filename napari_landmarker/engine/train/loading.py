"""The images of a stage, drawn in its frame: those it learns from, step after step, and those it is judged on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader

from napari_landmarker.engine.data import LandmarkDataset
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.cost import kept_bytes
from napari_landmarker.engine.train.folder import RunRecord
from napari_landmarker.engine.train.sampling import StepSampler, Visited
from napari_landmarker.engine.train.stages import Stage
from napari_landmarker.engine.train.together import TrainingBatches, ValidationBatches
from napari_landmarker.engine.transforms import Augmentation


def batch_size(stage: Stage, record: RunRecord) -> int:
    """Images of a step, of all processes together; not more than there are."""
    return min(stage.batch_size, len(record.train))


class StageImages:
    """Makes the loaders of a stage.

    Args:
        project: where the images are.
        config: the run's configuration.
        record: the run's cases.
        stage: whose frame images are drawn in.
        number: of the stage; its order of images differs from that of the others.
        devices: how many processes train on this machine, and keep images in its memory.
    """

    def __init__(
        self, project: Project, config: TrainConfig, record: RunRecord, stage: Stage, number: int, devices: int = 1
    ) -> None:
        self.project, self.config, self.record, self.stage, self.number = project, config, record, stage, number
        images = len(record.train) + len(record.validation)
        self.keeps = kept_bytes(images, record.channels, stage.frame.shape, devices) > 0

    def learnt(
        self, weights: npt.NDArray[np.float64], step: int, until: Callable[[int], bool], place: tuple[int, int]
    ) -> TrainingBatches:
        """Batches of training images, changed at random; an iteration ends when the next judgement is due.

        Args:
            weights: how often each image is to be seen, ``(N,)``.
            step: with which step of the stage to begin.
            until: whether the iteration is to end before a step of the stage.
            place: how many processes share each step, and which this one is.
        """
        dataset = self._dataset(self.record.train, learning=True)
        world, rank = place
        size = max(batch_size(self.stage, self.record), world)
        seed = self.config.seed + 1000 * self.number
        order = StepSampler(weights, size, seed, step, lambda: until(order.step), rank, world)
        workers = self.config.workers
        loader: DataLoader[dict[str, Any]] = DataLoader(
            Visited(dataset), batch_sampler=order, num_workers=workers, persistent_workers=workers > 0
        )

        def prepare() -> None:
            if workers and self.keeps:
                dataset.preload()

        return TrainingBatches(loader, prepare)

    def judged(self, place: tuple[int, int]) -> ValidationBatches | None:
        """Batches of the validation images, as they are; None where there are none."""
        ids = self.record.validation
        if not ids:
            return None
        world, rank = place
        own = ids[rank::world] if len(ids) >= world else ids
        loader: DataLoader[dict[str, Any]] = DataLoader(
            self._dataset(own, learning=False), min(self.stage.batch_size, len(own))
        )
        return ValidationBatches(loader)

    def _dataset(self, ids: Sequence[str], *, learning: bool) -> LandmarkDataset:
        names, frame = self.record.names, self.stage.frame
        augmentation = Augmentation(self.config.augmentation, self.project.schema, names) if learning else None
        return LandmarkDataset.from_project(
            self.project,
            [self.project.case(case_id) for case_id in ids],
            names=names,
            frame=frame.map_for,
            channels=self.record.channels,
            transform=augmentation,
            store_imgs=self.keeps,
            seed=self.config.seed,
        )
