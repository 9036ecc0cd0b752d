"""Annotations of other programs into a project, of every format that is known here; `exporting` is the way out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_landmarker.engine.errors import AnnotationError, LandmarkerError
from napari_landmarker.engine.exporting import image_labels
from napari_landmarker.engine.io.annotations import (
    annotation_stem,
    find_annotations,
    read_annotation_file,
    read_landmarks,
)
from napari_landmarker.engine.io.atomic import read_json
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.image_names import ImageIndex
from napari_landmarker.engine.io.paths import whole_path
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.schema import LandmarkSchema


def create_project(
    root: Path | str,
    schema: LandmarkSchema,
    images: Iterable[Path | str],
    *,
    annotations: Path | str | None = None,
    spacing: Sequence[float] | None = None,
    splits: dict[str, Split] | None = None,
    progress: Progress | None = None,
) -> Project:
    """Make a project; all is checked before the first file is written.

    Where that fails, or ``progress`` raises an error to stop it, nothing is left of it.

    Args:
        root: the new folder.
        schema: the landmarks.
        images: image files, all 2D or all 3D; they stay where they are.
        annotations: existing ones to take in; see `read_annotations`.
        spacing: millimetres per pixel in array order, for all images; it replaces what their files state.
        splits: split of each image by file name; others are drawn.
        progress: is told how many are done, of how many: of the images that are read, then of the files of
            annotations, then of the annotations that are written.

    Raises:
        LandmarkerError: for anything that cannot be read, does not fit or cannot be written.
    """
    project = Project.prepare(root, schema, images, spacing=spacing, splits=splits, progress=progress)
    taken_in = {} if annotations is None else read_annotations(project, annotations, progress=progress)
    save_new(project, taken_in, progress=progress)
    return project


def save_new(
    project: Project,
    annotations: Mapping[str, LandmarkSet],
    *,
    progress: Progress | None = None,
) -> None:
    """Write a project that was prepared, with the annotations of its cases; ProjectError if that fails.

    project.json comes last: where it stands, the project is whole. Where it does not come to that, because of an error
    or as ``progress`` raises one, what was written is taken away again.
    """
    with _all_or_nothing(project, annotations):
        for number, (case_id, landmarks) in enumerate(annotations.items(), start=1):
            project.save_annotations(case_id, landmarks)
            if progress is not None:
                progress(number, len(annotations))
        project.save()


def parse_schema(text: str) -> LandmarkSchema:
    """A schema from what a person typed: names with commas between, or a file of names or of a whole schema.

    A ``.json`` file holds a schema as project.json does (or is a project.json); any other file one name a line.

    Raises:
        AnnotationError: if a name is given twice, or the file is no list of names.
    """
    path = whole_path(text)
    if not _is_file(path):
        if path.suffix.lower() in (".json", ".txt", ".csv"):
            raise AnnotationError(
                f"{text} does not exist: give a file of landmark names, or names with commas between."
            )
        return LandmarkSchema.from_names([name.strip() for name in text.split(",") if name.strip()])
    if path.suffix.lower() == ".json":
        content = read_json(path, "a list of landmarks", AnnotationError)
        return LandmarkSchema.parse(content.get("schema", content), str(path))
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(
            f"{path} could not be read as text: give a file with one landmark name a line."
        ) from error
    return LandmarkSchema.parse({"landmarks": [{"name": n.strip()} for n in lines if n.strip()]}, str(path))


def read_annotations(
    project: Project,
    path: Path | str,
    case_id: str | None = None,
    *,
    progress: Progress | None = None,
) -> dict[str, LandmarkSet]:
    """Read existing annotations for the cases of a project; nothing is written.

    Args:
        project: the project.
        path: an annotation file of any format, of one image or of many, or a folder of these.
        case_id: take only what a file says of this case; a file that names no image counts as one of it, whatever
            the file is called. None takes all cases.
        progress: is told how many files are read, of how many; where there is one, how many images, of how many.

    Returns:
        Landmarks by case id, in the order of the schema.

    Raises:
        AnnotationError: for a file that is broken, of an image that is not in the project, or with a label that is not
            in the schema; with ``case_id`` also for a folder, or a file of another image.
    """
    path = Path(os.path.expanduser(path))
    if not path.exists():
        raise AnnotationError(f"{path} does not exist: choose a folder of annotations, or a file.")
    if case_id is not None:
        geometry, image, schema = project.geometry(case_id), image_labels(project)[case_id], project.schema
        return {case_id: read_landmarks(path, geometry, schema.names, image, schema.instances)}
    found: dict[str, LandmarkSet] = {}
    for read in _read_files(project, find_annotations(path) if path.is_dir() else [path], progress):
        if isinstance(read, LandmarkerError):
            raise read
        found |= read
    return found


def read_what_fits(
    project: Project, paths: Iterable[Path | str], *, progress: Progress | None = None
) -> tuple[dict[str, LandmarkSet], tuple[str, ...]]:
    """Read the annotations for the cases of a project among other files; nothing is written.

    Args:
        project: the project; files in its own folder are passed over.
        paths: annotation files, or folders in which other files may lie too.
        progress: is told how many files are read, of how many.

    Returns:
        Landmarks by case id, in the order of the schema, and for each file that was left out, as it is broken, of
        another image or with other landmarks, one sentence that says why.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        with suppress(AnnotationError):  # a folder without annotations
            files += find_annotations(path) if path.is_dir() else [path]
    found: dict[str, LandmarkSet] = {}
    left_out: list[str] = []
    others = [file for file in dict.fromkeys(files) if not whole_path(file).is_relative_to(project.root)]
    for read in _read_files(project, others, progress):
        if isinstance(read, LandmarkerError):
            left_out.append(str(read))
        else:
            found |= read
    return found, tuple(left_out)


def merge(own: LandmarkSet, incoming: LandmarkSet) -> LandmarkSet:
    """What a person did stays; where nothing was done yet, what comes in is taken."""
    said = [name for name in incoming.names if incoming.status_of(name) is not LandmarkStatus.UNPLACED]
    return own.taking([name for name in said if not own.status_of(name).by_person], incoming)


def _read_files(
    project: Project, files: Sequence[Path], progress: Progress | None
) -> Iterator[dict[str, LandmarkSet] | LandmarkerError]:
    """What each file says of the cases of a project, or why it cannot be taken; no case comes twice."""
    case_of, seen = _cases(project), set[str]()
    for number, file in enumerate(files):
        if progress is not None and len(files) > 1:
            progress(number, len(files))
        found: dict[str, LandmarkSet] = {}
        try:
            for of_case, landmarks in _read_file(project, file, case_of, progress if len(files) == 1 else None):
                if of_case in seen or of_case in found:
                    raise AnnotationError(f"{file} annotates '{of_case}' a second time: keep one file for each image.")
                found[of_case] = landmarks
        except LandmarkerError as error:
            yield error
        else:
            seen |= found.keys()
            yield found


def _read_file(
    project: Project,
    file: Path,
    case_of: Callable[[str, Path], str],
    progress: Progress | None,
) -> list[tuple[str, LandmarkSet]]:
    """What a file says of the cases of a project; where it names no image, its own name does.

    For a file of many images ``progress`` is told of how many of the project's the geometry is known.
    """
    schema, looked_at = project.schema, set[str]()

    def case(image: str | None) -> str:
        return case_of(image or annotation_stem(file), file)

    def geometry_of(image: str | None) -> ImageGeometry:
        looked_at.add(case_id := case(image))
        if progress is not None:
            progress(len(looked_at), len(project.cases))
        return project.geometry(case_id)

    read = read_annotation_file(file, geometry_of, schema.names, schema.instances > 1)
    return [(case(one.image), one.landmarks(schema.names, schema.instances, file)) for one in read]


def _cases(project: Project) -> Callable[[str, Path], str]:
    """A search for the case of an image that a file names: by its file name, or by its id.

    Of several images of one name, it is the one that lies beside the file.
    """
    ids = [case.id for case in project.cases]
    paths = [project.image_path(key) for key in ids]
    by_path = ImageIndex(map(str, paths))
    by_id = ImageIndex(ids)

    def case_of(image: str, file: Path) -> str:
        found = by_path.find_moved(image) or by_id.find_moved(image)
        if not found:
            raise AnnotationError(
                f"{file} is of the image '{image}', which is not in this project: add that image first."
            )
        beside = [at for at in found if paths[at].parent == whole_path(file).parent]
        found = beside if len(beside) == 1 else found
        if len(found) > 1:
            raise AnnotationError(f"{file} is of '{image}', and {len(found)} images have that name: rename them.")
        return ids[found[0]]

    return case_of


@contextmanager
def _all_or_nothing(project: Project, case_ids: Iterable[str]) -> Iterator[None]:
    """Take away, where the block fails, the annotations of these cases and all folders that were made for them."""
    files = [project.annotation_path(case_id) for case_id in case_ids]
    files = [path for path in files if not path.exists()]
    folder = project.annotation_path(project.cases[0].id).parent
    folders = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except BaseException:
        for path in files:
            with suppress(OSError):
                path.unlink()
        with suppress(OSError):  # another program has put something there
            for path in folders:
                path.rmdir()
        raise


def _is_file(path: Path) -> bool:
    """Whether there is such a file; False for what cannot be a file's name, such as a long text."""
    try:
        return path.is_file()
    except OSError:
        return False
