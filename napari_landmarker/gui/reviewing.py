"""What worker threads do for the review: look for what a person should see, and read images ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.review import ReviewItem, ReviewKind, review
from napari_landmarker.engine.uncertainty import Calibration
from napari_landmarker.gui.calibrating import region_widths
from napari_landmarker.gui.tasks import Job, TaskCancelled
from napari_landmarker.state.prefetch import ImageCache


@dataclass(frozen=True)
class Queue:
    """What should be looked at.

    Attributes:
        items: one kind after the other, the most urgent first in each.
        by_region: of each image the landmark with the widest region, the widest first; empty where none is known.
    """

    items: tuple[ReviewItem, ...] = ()
    by_region: tuple[ReviewItem, ...] = ()


def find_items(job: Job, project: Project, model: str, calibration: Calibration | None) -> Queue:
    """Look through a project.

    Args:
        job: is told of progress.
        project: the project.
        model: whose predictions.
        calibration: of the model, where it has one.
    """
    widest: list[ReviewItem] = []

    def widths(case_id: str, predictions: LandmarkSet) -> Mapping[str, float]:
        job.check()
        assert calibration is not None
        found = region_widths(calibration, predictions)
        if found:
            name = max(found, key=lambda n: found[n])
            reason = f"The region of '{name}' is {found[name]:.1f} mm wide, the widest of this image."
            widest.append(ReviewItem(case_id, name, ReviewKind.REGION, reason, found[name] / (1 + found[name])))
        return found

    items = review(project, model, region_mm=None if calibration is None else widths, progress=job.progress)
    return Queue(tuple(items), tuple(sorted(widest, key=lambda item: -item.severity)))


def read_ahead(job: Job, images: ImageCache, case_ids: Sequence[str]) -> None:
    """Read images that will be opened next; an image that is being read is read to its end."""

    def wanted() -> bool:
        try:
            job.check()
        except TaskCancelled:
            return False
        return True

    images.prefetch(case_ids, wanted)
