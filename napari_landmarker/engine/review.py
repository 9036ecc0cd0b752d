"""Which images of a project a person should look at first, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.shape_model import LEAST_REFERENCES, ShapeModel

#: A shape that is off by so many standard deviations is worth a look.
_LEAST_Z = 4.0
#: A region so many times as large as it is elsewhere is worth a look.
_LARGE = 1.5
#: So many images at most say what shapes are usual.
_MOST_REFERENCES = 500

#: The size of the calibrated region of each landmark of a case, in millimetres.
RegionSizes = Callable[[str, LandmarkSet], Mapping[str, float]]


class ReviewKind(StrEnum):
    """Why a landmark should be looked at; in the order in which they are."""

    CONFIDENCE = "confidence"
    """The model is unsure."""
    REGION = "region"
    """The region in which the landmark lies with a known probability is large."""
    SHAPE = "shape"
    """It lies elsewhere among the other landmarks than in the images that persons did."""
    SWAP = "swap"
    """It seems to have the name of the landmark of the other side."""


@dataclass(frozen=True)
class ReviewItem:
    """One thing to look at.

    Attributes:
        case_id: the image.
        landmark: which landmark to look at.
        kind: why.
        reason: the same in one plain sentence, with the numbers.
        severity: how urgent it is among those of its kind, in [0, 1].
    """

    case_id: str
    landmark: str
    kind: ReviewKind
    reason: str
    severity: float


def review(
    project: Project,
    model: str,
    *,
    region_mm: RegionSizes | None = None,
    progress: Progress | None = None,
) -> list[ReviewItem]:
    """What a person should look at in the saved predictions of a model and in what was annotated.

    Of each image there is one item at most of `ReviewKind.CONFIDENCE` and `ReviewKind.REGION`: its least certain
    landmark that nobody has answered yet. Shapes and sides are compared with what persons placed in at least six
    images; below that nothing is said of them. A case that cannot be read is left out.

    Args:
        project: the project.
        model: whose predictions.
        region_mm: the sizes of calibrated regions, where the model has a calibration.
        progress: called as the cases are read.

    Returns:
        The items: kinds in their order, the most urgent first in each.
    """
    read: dict[str, tuple[LandmarkSet, LandmarkSet | None]] = {}
    for number, case in enumerate(project.cases, start=1):
        try:
            read[case.id] = project.annotations(case.id), project.predictions(case.id, model)
        except LandmarkerError:
            continue
        finally:
            if progress is not None:
                progress(number, len(project.cases))
    items = _confidence(read)
    if region_mm is not None:
        items += _regions(read, region_mm)
    items += _shapes(project, read)
    order = list(ReviewKind)
    return sorted(items, key=lambda item: (order.index(item.kind), -item.severity))


_Read = Mapping[str, tuple[LandmarkSet, LandmarkSet | None]]


def _waiting(annotations: LandmarkSet, predictions: LandmarkSet | None) -> list[str]:
    """The landmarks that are predicted and that no person has answered yet."""
    if predictions is None:
        return []
    known = [name for name in predictions.names if predictions.status_of(name).has_point]
    return [name for name in known if annotations.status_of(name) is LandmarkStatus.UNPLACED]


def _confidence(read: _Read) -> list[ReviewItem]:
    """The least certain landmark of each image."""
    items = []
    for case_id, (ours, predictions) in read.items():
        if predictions is None:
            continue
        scores = {name: predictions.score_of(name) for name in _waiting(ours, predictions)}
        scores = {name: score for name, score in scores.items() if np.isfinite(score)}
        if scores:
            name = min(scores, key=lambda n: scores[n])
            reason = f"Of this image's points the model is least sure of '{name}': {scores[name]:.0%}."
            severity = float(np.clip(1 - scores[name], 0, 1))
            items.append(ReviewItem(case_id, name, ReviewKind.CONFIDENCE, reason, severity))
    return items


def _regions(read: _Read, region_mm: RegionSizes) -> list[ReviewItem]:
    """The landmark of each image whose region is largest beside what is usual for it, where it is large."""
    sizes: dict[str, dict[str, float]] = {}
    for case_id, (ours, predictions) in read.items():
        waiting = _waiting(ours, predictions)
        if predictions is not None and waiting:
            given = region_mm(case_id, predictions)
            sizes[case_id] = {name: given[name] for name in waiting if name in given and np.isfinite(given[name])}
    names = {name for known in sizes.values() for name in known}
    usual = {name: float(np.median([known[name] for known in sizes.values() if name in known])) for name in names}
    items = []
    for case_id, known in sizes.items():
        ratios = {name: size / usual[name] for name, size in known.items() if usual[name] > 0}
        name = max(ratios, key=lambda n: ratios[n], default=None)
        if name is not None and ratios[name] >= _LARGE:
            reason = (
                f"The region of '{name}' is {known[name]:.1f} mm large here, and {usual[name]:.1f} mm in most images."
            )
            items.append(ReviewItem(case_id, name, ReviewKind.REGION, reason, 1 - 1 / ratios[name]))
    return items


def _shapes(project: Project, read: _Read) -> list[ReviewItem]:
    """Landmarks that lie elsewhere than in the images that persons did, or that have each other's names."""
    truths = {case_id: ours.truth() for case_id, (ours, _) in read.items()}
    references = [case_id for case_id, truth in truths.items() if truth.placed.any()][:_MOST_REFERENCES]
    if len(references) < LEAST_REFERENCES or project.schema.instances > 1:
        return []
    in_mm = all(ours.grid.spacing is not None for ours, _ in read.values())
    model = ShapeModel(np.stack([_places(truths[case_id], in_mm) for case_id in references]))
    names, items = project.schema.names, []
    rows = {name: row for row, name in enumerate(names)}
    for case_id, (ours, predictions) in read.items():
        points = _places(ours, in_mm)
        if predictions is not None:
            open_still = ours.status == LandmarkStatus.UNPLACED.value
            points = np.where(open_still[:, None], _places(predictions, in_mm), points)
        swapped: set[str] = set()
        for one, other in project.schema.pairs:
            if model.is_swapped(points, rows[one], rows[other], _LEAST_Z):
                swapped |= {one, other}
                items.append(_swap(case_id, one, other, min(model.seen(rows[one]), model.seen(rows[other]))))
        for misfit in model.misfits(points, _LEAST_Z):
            name = names[misfit.row]
            if name not in swapped:
                reason = (
                    f"'{name}' lies elsewhere than usual: its distances to the other landmarks are off by "
                    f"{misfit.share:.0%}, compared with {model.seen(misfit.row)} images that persons did."
                )
                severity = misfit.z / (misfit.z + _LEAST_Z)
                items.append(ReviewItem(case_id, name, ReviewKind.SHAPE, reason, severity))
    return items


def _swap(case_id: str, one: str, other: str, seen: int) -> ReviewItem:
    reason = (
        f"'{one}' and '{other}' lie the other way round than in {seen} images that persons did: "
        "they may have each other's names, or the image may be mirrored."
    )
    return ReviewItem(case_id, one, ReviewKind.SWAP, reason, 1.0)


def _places(landmarks: LandmarkSet, in_mm: bool) -> FloatArray:
    """Points ``(L, D)`` in array order, in millimetres from the corner of the image or in pixels."""
    places: FloatArray = landmarks.points * np.asarray(landmarks.grid.spacing if in_mm else 1.0)
    return places
