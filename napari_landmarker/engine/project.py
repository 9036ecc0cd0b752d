"""A project: a folder of open formats that holds cases, annotations, predictions, models and reports.

```
project.json                         schema, cases, splits, spacing overrides, cases taken out
annotations/<rater>/<case>.json      labelme (2D); <case>.mrk.json, 3D Slicer markups (3D)
annotations/<rater>/.progress.json   how far each of them is, to be counted fast; made again where it is missing
predictions/<model>/<case>.json      the same formats; they never overwrite annotations
models/<name>/                       trained models
runs/<name>/                         how they were trained: configuration, curve, and the state of an unfinished run
reports/                             what `evaluate` writes
reviewed.jsonl                       which predictions a person has looked through, one line a tick
.lock                                which window has the project open for writing
```
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from napari_landmarker.engine.cases import FILE_NAME, Case, Split, check_images, draw_splits, make_cases
from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.io import read_landmarks, write_landmarks
from napari_landmarker.engine.io.paths import natural_order, whole_path
from napari_landmarker.engine.io.stamp import stamp_of
from napari_landmarker.engine.io.together import write_together
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project_cases import ProjectCases
from napari_landmarker.engine.project_file import DEFAULT_RATER, PROJECT_FILE, ProjectFile
from napari_landmarker.engine.project_models import ProjectModels
from napari_landmarker.engine.schema import LandmarkSchema

__all__ = ["DEFAULT_RATER", "PROJECT_FILE", "Case", "Project", "Split", "draw_splits"]


class Project(ProjectCases, ProjectModels):
    """An open project folder.

    Every method that writes does so at once and atomically. Make one with `exchange.create_project`, or `open`.
    What another program wrote in project.json since it was read is never written over: `read_again` takes it in.
    """

    # ---- making and opening

    @classmethod
    def prepare(
        cls,
        root: Path | str,
        schema: LandmarkSchema,
        images: Iterable[Path | str],
        *,
        spacing: Sequence[float] | None = None,
        splits: dict[str, Split] | None = None,
        progress: Progress | None = None,
    ) -> Project:
        """A project around images, which stay where they are; nothing is written before `save`.

        Args:
            root: the project's folder; it must not hold a project yet.
            schema: the landmarks.
            images: image files; all 2D or all 3D.
            spacing: millimetres per pixel in array order, for all images; it replaces what their files state.
            splits: split of each image by file name; others are drawn (see `draw_splits`).
            progress: is told how many images are read, of how many.

        Raises:
            ProjectError: if the folder holds a project, or there is no image.
            ImageError: for an image that cannot be read, or a mix of 2D and 3D.
        """
        root = whole_path(root)
        paths = [whole_path(image) for image in images]
        if (root / PROJECT_FILE).exists():
            raise ProjectError(f"{root} already holds a project: open it, or choose another folder.")
        if not paths:
            raise ProjectError(f"{root} would be a project without images: name at least one image.")
        check_images(paths, spacing, progress=progress)
        cases = make_cases(root, paths, spacing, splits or {})
        return cls(root, ProjectFile(schema=schema, cases=cases))  # type: ignore[call-arg]

    @classmethod
    def open(cls, root: Path | str) -> Project:
        """Open a project by its folder or its project.json; ProjectError if it is none.

        A change of its landmarks that was cut off by the end of the program is finished first.
        """
        root = whole_path(root)
        if root.name == PROJECT_FILE and not root.is_dir():
            root = root.parent
        return cls(root, *ProjectFile.read(root))

    def with_cases(self, cases: Iterable[Case]) -> Project:
        """The project as it would be with these cases; nothing is written."""
        return Project(self.root, self._content.model_copy(update={"cases": tuple(cases)}), self._stamp)

    def snapshot(self) -> Project:
        """The project as it is now: for work beside the window, which would else follow a change of the rater."""
        return self.with_cases(self.cases)

    def adopt(self, changed: Project, other_spacing: Iterable[str] = ()) -> None:
        """Become what a `snapshot` of it became beside the window; its images are the same ones.

        Args:
            changed: the snapshot.
            other_spacing: cases that have another spacing now.
        """
        self._take(changed._content, changed._stamp)
        for case_id in other_spacing:
            self._geometry.pop(case_id, None)

    def rewrite(
        self,
        files: Iterable[tuple[Path, bytes]],
        *,
        schema: LandmarkSchema | None = None,
        cases: Iterable[Case] | None = None,
    ) -> None:
        """Change the schema or cases together with the files that depend on them: all is changed or nothing.

        Args:
            files: files of the project's folder with their new bytes; an error raised by it leaves all as it was.
            schema: the new schema; None keeps it.
            cases: all cases as they become; None keeps them.

        Raises:
            ProjectError: if the folder cannot be written, or another program changed project.json.
        """
        self._need_unchanged()
        kept = self.cases if cases is None else tuple(cases)
        content = self._content.model_copy(update={"schema_": schema or self.schema, "cases": kept})
        path = self.root / PROJECT_FILE
        write_together(self.root, chain(files, [(path, content.as_bytes())]))
        self._take(content, stamp_of(path))
        self._geometry.clear()

    # ---- what is in it

    @property
    def schema(self) -> LandmarkSchema:
        """The landmarks of this project."""
        return self._content.schema_

    @property
    def rater(self) -> str:
        """Whose annotations are read and written."""
        return self._content.rater

    @property
    def raters(self) -> tuple[str, ...]:
        """Everybody whose annotations lie in the project, and who is at work now."""
        folder = self.root / "annotations"
        names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
        known = {self.rater, *(name for name in names if not name.startswith("."))}
        return tuple(sorted(known, key=lambda name: natural_order(Path(name))))

    def set_rater(self, name: str) -> None:
        """Choose whose annotations are read and written, for this object; `save` keeps it.

        Raises:
            ProjectError: for a name that cannot be a folder's.
        """
        if not re.match(FILE_NAME, name) or name.strip() != name or name.startswith("."):
            raise ProjectError(f"{name!r} cannot be a rater's name: use letters, digits, spaces or hyphens.")
        self._content.rater = name

    def annotated_cases(self, split: Split) -> tuple[Case, ...]:
        """The cases of a split in which a person placed at least one landmark."""
        return tuple(c for c in self.cases_in(split) if self.annotations(c.id).truth().placed.any())

    # ---- annotations and predictions

    def annotation_path(self, case_id: str, rater: str | None = None) -> Path:
        """The annotation file of a case, there or not."""
        return self.root / "annotations" / (rater or self.rater) / self._file_name(case_id)

    def annotations(self, case_id: str, rater: str | None = None) -> LandmarkSet:
        """What a rater annotated in a case; all unplaced if nothing is saved yet."""
        return self._read(case_id, self.annotation_path(case_id, rater))

    def save_annotations(self, case_id: str, landmarks: LandmarkSet, rater: str | None = None) -> None:
        """Write a rater's annotations of a case; ProjectError if that fails."""
        write_landmarks(landmarks, self.annotation_path(case_id, rater), self.image_path(case_id))

    def prediction_path(self, case_id: str, model: str) -> Path:
        """The prediction file of a case by a model, there or not."""
        return self.root / "predictions" / model / self._file_name(case_id)

    def predictions(self, case_id: str, model: str) -> LandmarkSet | None:
        """What a model predicted in a case, or None if it was not run on it."""
        path = self.prediction_path(case_id, model)
        return self._read(case_id, path) if path.exists() else None

    def save_predictions(self, case_id: str, model: str, landmarks: LandmarkSet) -> None:
        """Write a model's predictions for a case; annotations are not touched."""
        write_landmarks(landmarks, self.prediction_path(case_id, model), self.image_path(case_id))

    # ---- inside

    def _file_name(self, case_id: str) -> str:
        known = next(iter(self._geometry.values()), None)  # all images have as many dimensions
        return case_id + (".json" if (known or self.geometry(case_id)).grid.ndim == 2 else ".mrk.json")

    def _read(self, case_id: str, path: Path) -> LandmarkSet:
        grid = self.geometry(case_id).grid
        if not path.exists():
            return LandmarkSet.empty(self.schema.names, grid, self.schema.instances)
        return read_landmarks(path, grid, self.schema.names, self.image_path(case_id).name, self.schema.instances)
