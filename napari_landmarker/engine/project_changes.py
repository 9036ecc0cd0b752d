"""Changes of a whole project: other landmarks, or another spacing, in all files that depend on them, or in none."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from napari_landmarker.engine.errors import AnnotationError, ImageError, ProjectError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import read_landmarks, write_landmarks
from napari_landmarker.engine.io.atomic import require_writable
from napari_landmarker.engine.io.renaming import Taken, done_in_file, renamed_file
from napari_landmarker.engine.io.stamp import Stamp, stamp_of
from napari_landmarker.engine.io.together import write_together
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema

#: Where annotations are made ready: an image has the same relative path from there as from a rater's folder.
_COMING = ".coming"


def annotated_in(project: Project, names: Iterable[str], progress: Progress | None = None) -> dict[str, int]:
    """In how many images each landmark is placed or said to be absent, by any rater.

    Args:
        project: the project.
        names: the landmarks.
        progress: called as the files are read.

    Raises:
        AnnotationError: if an annotation file cannot be read.
    """
    wanted, known = tuple(names), project.schema.names
    found: dict[str, set[str]] = {name: set() for name in wanted}
    files = _files(project, "annotations")
    for number, path in enumerate(files, start=1):
        for name in done_in_file(path, known) & found.keys():
            found[name].add(path.name)
        if progress is not None:
            progress(number, len(files))
    return {name: len(found[name]) for name in wanted}


def change_schema(
    project: Project,
    new: LandmarkSchema,
    renamed: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    *,
    removed: Collection[str] = (),
    back: Mapping[Path, Taken] | None = None,
) -> dict[Path, Taken]:
    """Give a project other landmarks; its annotations, of all raters, and predictions follow.

    A landmark that is neither in the new schema nor renamed loses its points. Models keep the names they learnt.
    Killed at any moment, the project is the old or the new one as a whole. `schema_change_back` undoes it.

    Args:
        project: the project.
        new: the new landmarks.
        renamed: old names with their new ones; names may change places.
        progress: called as the files are read.
        removed: landmarks that lose their points although another one takes their name.
        back: what an earlier change took out of which file, and this one puts back.

    Returns:
        What was taken out of which file.

    Raises:
        AnnotationError: if a landmark is renamed that there is not, or to one there is not, or to one that stays, or a
            file is damaged.
        ProjectError: if the files cannot be written.
    """
    changes = _changes(project.schema, new, renamed or {}, removed)
    names = project.schema.names
    taken: dict[Path, Taken] = {}

    def files() -> Iterator[tuple[Path, bytes]]:
        found = [*_files(project, "annotations"), *_files(project, "predictions")] if changes or back else []
        for number, path in enumerate(found, start=1):
            content, gone = renamed_file(path, changes, names, (back or {}).get(path))
            if gone:
                taken[path] = gone
            if content is not None:
                yield path, content
            if progress is not None:
                progress(number, len(found))

    project.rewrite(files(), schema=new)
    return taken


def schema_change_back(
    old: LandmarkSchema, new: LandmarkSchema, renamed: Mapping[str, str], removed: Collection[str]
) -> tuple[dict[str, str], frozenset[str]]:
    """What `change_schema` has to be told to go from the new landmarks back to the old ones.

    Args:
        old: the landmarks before the change.
        new: the landmarks after it.
        renamed: as the change was told.
        removed: as the change was told.

    Returns:
        The new names with their old ones, and the landmarks of ``new`` that are not among the old ones, whatever they
        are called. The change back takes their points out.

    Raises:
        AnnotationError: as `change_schema`.
    """
    changes = _changes(old, new, renamed, removed)
    came_from = {after: before for before in old.names if (after := changes.get(before, before)) is not None}
    back = {after: before for after, before in came_from.items() if after != before}
    return back, frozenset(new.names) - came_from.keys()


def set_spacing(
    project: Project, spacings: Mapping[str, Sequence[float] | None], progress: Progress | None = None
) -> None:
    """Say how many millimetres a pixel is; landmarks keep their place in the image.

    Of pictures, whose annotations are in pixels, nothing is read, however many they are.

    Args:
        project: the project.
        spacings: of images, in array order; None for what their files state.
        progress: called for each image that is dealt with.

    Raises:
        GeometryError: if it is not one positive number for each dimension.
        LandmarkerError: if a volume or its annotations cannot be read, or the files cannot be written.
    """
    ids = tuple(spacings)
    said = {name: None if one is None else tuple(float(value) for value in one) for name, one in spacings.items()}
    changed = {case_id: project.case(case_id).model_copy(update={"spacing": said[case_id]}) for case_id in ids}
    for spacing in set(said.values()) - {None}:
        _some_grid(project, ids).with_spacing(spacing)
    after = project.with_cases([changed.get(case.id, case) for case in project.cases])

    def files() -> Iterator[tuple[Path, bytes]]:
        flat = not ids or _some_grid(project, ids).ndim == 2
        with tempfile.TemporaryDirectory() as folder:
            for number, case_id in enumerate(ids, start=1):
                yield from () if flat else _in_millimetres(project, after, case_id, Path(folder))
                if progress is not None:
                    progress(number, len(ids))

    project.rewrite(files(), cases=after.cases)


def change_annotations(
    project: Project,
    case_ids: Sequence[str],
    change: Callable[[str, LandmarkSet], LandmarkSet],
    progress: Progress | None = None,
) -> dict[str, tuple[LandmarkSet, LandmarkSet]]:
    """Change the annotations of the rater at work in many images: all of them are changed, or none.

    Args:
        project: the project.
        case_ids: the images.
        change: what the annotations of an image become, given its id and what they are.
        progress: called for each image; an error that it raises leaves all as it was.

    Returns:
        Of the images in which something changed: the annotations before and after.

    Raises:
        LandmarkerError: if annotations cannot be read or written, or another program changed them meanwhile.
    """
    changed: dict[str, tuple[LandmarkSet, LandmarkSet]] = {}
    seen: dict[Path, Stamp] = {}

    def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
        for number, case_id in enumerate(case_ids, start=1):
            path = project.annotation_path(case_id)
            seen[path] = stamp_of(path)
            before = project.annotations(case_id)
            after = change(case_id, before)
            if after != before:
                changed[case_id] = before, after
                copy = folder / path.name
                if path.exists():
                    shutil.copyfile(path, copy)  # what else is in the file stays
                write_landmarks(after, copy, project.image_path(case_id))
                yield path, copy.read_bytes()
            if progress is not None:
                progress(number, len(case_ids))
        for path, stamp in seen.items():
            if stamp_of(path) != stamp:
                raise ProjectError(f"{path} was changed by another program meanwhile: do that once more.")

    coming = project.root / "annotations" / _COMING
    try:
        shutil.rmtree(coming, ignore_errors=True)  # of a program that was killed
        require_writable(coming)
        write_together(project.root, files(coming))
    finally:
        shutil.rmtree(coming, ignore_errors=True)
    return changed


def _in_millimetres(before: Project, after: Project, case_id: str, folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The files of a volume, which are in millimetres where its spacing is known."""
    grid = after.geometry(case_id).grid
    if grid == before.geometry(case_id).grid:
        return
    for path in _files(before, "annotations", case_id) + _files(before, "predictions", case_id):
        landmarks: LandmarkSet = read_landmarks(
            path, before.geometry(case_id), before.schema.names, instances=before.schema.instances
        )
        copy = folder / path.name
        shutil.copyfile(path, copy)
        write_landmarks(replace(landmarks, grid=grid), copy)
        yield path, copy.read_bytes()


def _some_grid(project: Project, case_ids: Sequence[str]) -> Grid:
    """The grid of one of these images, as all have as many dimensions; ImageError if none can be read."""
    for case_id in case_ids:
        with suppress(ImageError):
            return project.geometry(case_id).grid
    return project.geometry(case_ids[0]).grid


def _changes(
    old: LandmarkSchema, new: LandmarkSchema, renamed: Mapping[str, str], removed: Collection[str]
) -> dict[str, str | None]:
    """What becomes of the landmarks that do not simply stay."""
    for before, after in renamed.items():
        if before not in old.names or after not in new.names:
            raise AnnotationError(f"'{before}' cannot become '{after}': both must be landmarks, of before and after.")
    kept = set(new.names).difference(removed)
    changes = {name: renamed.get(name, name if name in kept else None) for name in old.names}
    targets = Counter(name for name in changes.values() if name is not None)
    twice = next((name for name, count in targets.items() if count > 1), None)
    if twice is not None:
        raise AnnotationError(f"Two landmarks would be called '{twice}': give one of them another name.")
    if new.instances < old.instances:
        raise ProjectError("A project whose landmarks have several points cannot go back to fewer.")
    return {name: to for name, to in changes.items() if name != to}


def _files(project: Project, kind: str, case_id: str | None = None) -> list[Path]:
    """The files of annotations or predictions, of one case, or of all, with those that were taken out."""
    cases = (*project.cases, *project.taken_out) if case_id is None else (project.case(case_id),)
    names = {f"{case.id}{suffix}" for case in cases for suffix in (".json", ".mrk.json")}
    found = (project.root / kind).glob("*/*.json")
    return sorted(path for path in found if path.name in names and not path.parent.name.startswith("."))
