"""Annotations of a project out of it, as files of every format that other programs know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.io.annotation_format import AnnotationFormat, ImageAnnotations
from napari_landmarker.engine.io.convert import fitting_format, formats_for
from napari_landmarker.engine.io.fields import entries_of
from napari_landmarker.engine.io.file_set import new_files, one_point_each
from napari_landmarker.engine.io.labelme import LABELME
from napari_landmarker.engine.io.losses import losses
from napari_landmarker.engine.io.paths import seen_from, whole_path
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import PROJECT_FILE, Project

#: Files and folders of a project that no export may change.
_OWN = (PROJECT_FILE, "annotations", "predictions", "models", "runs", "reports", "reviewed.jsonl", ".lock")


@dataclass(frozen=True)
class Selection:
    """Which landmarks of a project are exported; by default all that a person stands behind.

    Attributes:
        case_ids: which images; all where None.
        rater: whose annotations; of who is at work where None.
        finished: only images in which every landmark is done.
        predicted: also points that wait to be accepted.
        model: whose saved predictions these are, besides those among the annotations; none where None.
        hidden: by case, the landmarks whose prediction a person took away.
    """

    case_ids: tuple[str, ...] | None = None
    rater: str | None = None
    finished: bool = False
    predicted: bool = False
    model: str | None = None
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ExportResult:
    """What an export did.

    Attributes:
        n_images: images that were written.
        n_points: points that were written.
        lost: what the format could not carry, one sentence for each kind of thing; empty if nothing is lost.
    """

    n_images: int
    n_points: int
    lost: tuple[str, ...] = ()


def export_annotations(
    project: Project,
    target: Path | str,
    to: str | None = None,
    chosen: Selection | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ExportResult:
    """Write annotations of a project; images in which nothing is annotated are left out.

    No file appears before all are complete: an error, or an exception of ``progress``, leaves everything as it was.
    Files name their images without the folders that lead to them, but for those that tell two of one name apart and,
    in labelme, which opens the image, the way to it from the file.

    Args:
        project: the project.
        target: the file, or a folder for one file for each image.
        to: the format, one of `ANNOTATION_FORMATS`; None takes that of the ending of ``target``.
        chosen: which landmarks.
        overwrite: whether to replace files that are there already.
        progress: is told how many images are done, of how many.

    Raises:
        AnnotationError: if the format cannot hold these landmarks, or a file is there already.
        ImageError: for an image that cannot be read.
        ProjectError: if the target cannot be written.
    """
    target, chosen = whole_path(target), chosen or Selection()
    choice, to_folder = formats_for(target, to)
    _require_free(project, target, overwrite or to_folder)
    images: list[ImageAnnotations] = []
    ready: list[ImageAnnotations] = []
    fmt = choice[0]
    with new_files(target, to_folder) as write:
        for case_id, image in _images(project, chosen, progress or (lambda done, total: None)):
            fmt = fitting_format({image.grid.ndim}, choice, project.root)
            images.append(image)
            one = one_point_each(image, fmt)
            if fmt is LABELME:
                place = target if to_folder else target.parent
                one = replace(one, image=seen_from(place, project.image_path(case_id)))
            ready.append(one)
            if to_folder:
                name = case_id + fmt.suffixes[0]
                _require_free(project, target / name, overwrite)
                write(name, [one], fmt)
        if ready and not to_folder:
            _require_room(ready, fmt, target)
            write(target.name, ready, fmt)
        elif not ready:
            return ExportResult(0, 0)
    points = sum(entry.point is not None for one in ready for given in one.entries.values() for entry in given)
    return ExportResult(len(ready), points, losses(images, fmt))


def _images(project: Project, chosen: Selection, progress: Progress) -> Iterator[tuple[str, ImageAnnotations]]:
    """The cases in which there is something to export, and that."""
    ids = [case.id for case in project.cases] if chosen.case_ids is None else list(chosen.case_ids)
    rater, labels = chosen.rater or project.rater, image_labels(project)
    for number, case_id in enumerate(ids):
        progress(number, len(ids))
        landmarks = _landmarks(project, chosen, case_id, rater)
        if landmarks is not None:
            geometry = project.geometry(case_id)
            yield case_id, ImageAnnotations(labels[case_id], landmarks.grid, entries_of(landmarks), geometry)
    progress(len(ids), len(ids))


def _landmarks(project: Project, chosen: Selection, case_id: str, rater: str) -> LandmarkSet | None:
    """What is exported of a case; None where that is nothing. Images without any file of landmarks are not opened."""
    model = chosen.model if chosen.predicted else None
    predicted = model is not None and project.prediction_path(case_id, model).exists()
    if not predicted and not project.annotation_path(case_id, rater).exists():
        return None
    landmarks = project.annotations(case_id, rater)
    if chosen.finished and not landmarks.by_person.all():
        return None
    if not chosen.predicted:
        landmarks = landmarks.truth()
    predictions = project.predictions(case_id, model) if predicted and model is not None else None
    if predictions is not None:
        landmarks = _filled(landmarks, predictions, chosen.hidden.get(case_id, frozenset()))
    return landmarks if (landmarks.placed | landmarks.by_person).any() else None


def _filled(own: LandmarkSet, predictions: LandmarkSet, hidden: frozenset[str]) -> LandmarkSet:
    """Annotations, with predictions where nobody has placed, looked for or taken away anything."""
    shown = ~np.isin(own.names, sorted(hidden)).reshape(-1, *[1] * (own.status.ndim - 1))
    fill = (own.status == LandmarkStatus.UNPLACED.value) & shown
    covariance = None
    if predictions.covariance is not None:
        kept = np.full(predictions.covariance.shape, np.nan) if own.covariance is None else own.covariance
        covariance = np.where(fill[..., None, None], predictions.covariance, kept)
    return replace(
        own,
        points=np.where(fill[..., None], predictions.points, own.points),
        status=np.where(fill, predictions.status, own.status),
        score=np.where(fill, predictions.score, own.score),
        covariance=own.covariance if covariance is None else covariance,
    )


def image_labels(project: Project) -> dict[str, str]:
    """For each case the image's file name, with as many of its folders as tell it from others of that name."""
    parts = {case.id: project.image_path(case.id).parts for case in project.cases}
    labels: dict[str, str] = {}
    count, left = 1, list(parts)
    while left:
        by_end: dict[tuple[str, ...], list[str]] = {}
        for case_id in left:
            by_end.setdefault(parts[case_id][-count:], []).append(case_id)
        left = []
        for end, ids in by_end.items():
            told_apart = len(ids) == 1 or all(count >= len(parts[case_id]) for case_id in ids)
            labels |= dict.fromkeys(ids, "/".join(end))
            left += [] if told_apart else ids
        count += 1
    return labels


def _require_room(ready: Sequence[ImageAnnotations], fmt: AnnotationFormat, target: Path) -> None:
    """Make sure that one file can hold the images."""
    if len(ready) > 1 and not fmt.capabilities.several_images:
        raise AnnotationError(
            f"{target} would hold one image ({fmt.name}), but there are {len(ready)}: give a folder to write to."
        )


def _require_free(project: Project, path: Path, overwrite: bool) -> None:
    """Make sure that a place may be written to: nothing stands there, and nothing of the project ever does."""
    inside = path.relative_to(project.root).parts[:1] if path.is_relative_to(project.root) else ()
    if inside and inside[0] in _OWN:
        raise AnnotationError(f"{path} is where the project keeps its own files: choose another place.")
    if path.exists() and not overwrite:
        raise AnnotationError(f"{path} is there already: choose another place, or say that it may be replaced.")
