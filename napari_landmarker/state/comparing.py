"""How far apart two raters are, and how far a model is: in the open image and over a project."""

from __future__ import annotations

from dataclasses import dataclass

from napari_landmarker.engine.errors import GeometryError, LandmarkerError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics import CaseResult, Evaluation, evaluate
from napari_landmarker.engine.metrics.case import landmark_errors
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Project


def distances(own: LandmarkSet | None, other: LandmarkSet | None) -> dict[str, float]:
    """Distance of every landmark that both place, by name: in mm where the image states its spacing, else in px.

    Args:
        own: annotations; only what a person stands behind counts.
        other: of another rater, or what a model predicted, in the same image.
    """
    if own is None or other is None:
        return {}
    try:
        errors = landmark_errors(own, other)
    except GeometryError:  # another program gave the other file another image
        return {}
    return {name: error for name, error in errors.items() if error is not None}


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well two raters agree.

    Attributes:
        one: name of a rater.
        other: name of the other.
        evaluation: their distances, as if one were to be judged by the other: only landmarks that both placed.
        only_one: landmarks of the compared images that only the first placed.
        only_other: landmarks that only the other placed.
    """

    one: str
    other: str
    evaluation: Evaluation
    only_one: int
    only_other: int


def agreement(project: Project, one: str, other: str, progress: Progress | None = None) -> Agreement:
    """Compare two raters over all images that both annotated.

    Args:
        project: the project.
        one: name of a rater.
        other: name of another.
        progress: called with images done and images in all; may raise to end the work.

    Raises:
        LandmarkerError: if there is no landmark that both placed, or annotations cannot be read.
    """
    results, alone = [], [0, 0]
    for done, case in enumerate(project.cases):
        if progress is not None:
            progress(done, len(project.cases))
        if not all(project.annotation_path(case.id, rater).exists() for rater in (one, other)):
            continue
        first, second = (project.annotations(case.id, rater).truth() for rater in (one, other))
        both = set(_placed(first)) & set(_placed(second))
        alone[0] += len(set(_placed(first)) - both)
        alone[1] += len(set(_placed(second)) - both)
        if both:
            results.append(CaseResult(case.id, _only(first, both), second))
    if progress is not None:
        progress(len(project.cases), len(project.cases))
    if not results:
        raise LandmarkerError(f"{one} and {other} placed no landmark in the same image: let both annotate some images.")
    evaluation = evaluate(results, model=other, split="both raters")
    return Agreement(one, other, evaluation, alone[0], alone[1])


def _placed(landmarks: LandmarkSet) -> list[str]:
    return [name for name, placed in zip(landmarks.names, landmarks.placed, strict=True) if placed]


def _only(landmarks: LandmarkSet, names: set[str]) -> LandmarkSet:
    points = {name: landmarks.point(name) for name in landmarks.names if name in names}
    return LandmarkSet.from_points(points, landmarks.grid, names=landmarks.names)
