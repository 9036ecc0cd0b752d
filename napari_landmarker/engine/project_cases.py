"""The cases of an open project: which there are, what each is used for, and their images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from napari_landmarker.engine.cases import Case, Split, check_images, make_cases
from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import read_geometry, read_image
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.paths import whole_path
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project_content import ProjectContent


class ProjectCases(ProjectContent):
    """The part of a project that its images make."""

    @property
    def cases(self) -> tuple[Case, ...]:
        """All cases, in order."""
        return tuple(self._cases.values())

    def case(self, case_id: str) -> Case:
        """A case by its id; ProjectError if there is none."""
        if case_id not in self._cases:
            raise ProjectError(f"This project has no case '{case_id}'.")
        return self._cases[case_id]

    def cases_in(self, split: Split) -> tuple[Case, ...]:
        """The cases of one split."""
        return tuple(case for case in self._cases.values() if case.split == split)

    def set_split(self, case_id: str, split: Split) -> None:
        """Move a case to another split."""
        self.set_splits({case_id: split})

    def set_splits(self, splits: Mapping[str, Split]) -> None:
        """Move cases to other splits."""
        moved = {case_id: self.case(case_id).model_copy(update={"split": split}) for case_id, split in splits.items()}
        cases = tuple(moved.get(case.id, case) for case in self.cases)
        self._write(self._content.model_copy(update={"cases": cases}))

    def add_images(
        self,
        images: Iterable[Path | str],
        spacing: Sequence[float] | None = None,
        *,
        progress: Progress | None = None,
    ) -> tuple[Case, ...]:
        """Add images as new cases; returns these. Arguments and errors are those of `new_cases`."""
        return self.add_cases(self.new_cases(images, spacing, progress=progress))

    def new_cases(
        self,
        images: Iterable[Path | str],
        spacing: Sequence[float] | None = None,
        *,
        progress: Progress | None = None,
    ) -> tuple[Case, ...]:
        """The cases that images would become, with their splits drawn; nothing is written before `add_cases`.

        Args:
            images: image files; those that the project has already are passed over, and those that were taken out
                come back as the cases they were, with all that was annotated in them.
            spacing: as in `prepare`.
            progress: is told how many images are read, of how many.

        Raises:
            ImageError: for an image that cannot be read or has other dimensions than the project's.
            ProjectError: for an image that was taken out and had another spacing.
        """
        known = {self.image_path(case.id) for case in self.cases}
        out = {self._place_of(case): case for case in self.taken_out}
        paths = [p for p in (Path(os.path.normpath(whole_path(i))) for i in images) if p not in known]
        ndim = self.geometry(self.cases[0].id).grid.ndim if self.cases else None
        check_images(paths, spacing, ndim, progress)
        back = {path: out[path] for path in paths if path in out}
        for path, case in back.items():
            if spacing is not None and case.spacing != tuple(float(value) for value in spacing):
                raise ProjectError(f"{path} had another pixel size when it was taken out: add it without one.")
        taken = frozenset(self._cases) | {case.id for case in self.taken_out}
        new = make_cases(self.root, [path for path in paths if path not in back], spacing, {}, taken=taken)
        return (*back.values(), *new)

    def add_cases(self, added: tuple[Case, ...]) -> tuple[Case, ...]:
        """Take in what `new_cases` made of images since the last change of the cases; returns it."""
        ids = {case.id for case in added}
        out = tuple(case for case in self.taken_out if case.id not in ids)
        self._write(self._content.model_copy(update={"cases": (*self.cases, *added), "taken_out": out}))
        return added

    # ---- images that are taken out

    @property
    def taken_out(self) -> tuple[Case, ...]:
        """Cases that are in the project no more. Their annotations stay, for the case that they come back."""
        return self._content.taken_out

    def take_out(self, case_ids: Iterable[str]) -> dict[str, int]:
        """Take cases out of the project; no file but project.json changes.

        Returns:
            The place that each had among the cases, for `bring_back`.

        Raises:
            ProjectError: if no case would be left, there is no such case, or project.json cannot be written.
        """
        gone = {case_id: self.case(case_id) for case_id in case_ids}
        places = {case.id: at for at, case in enumerate(self.cases) if case.id in gone}
        if len(gone) == len(self.cases):
            raise ProjectError("A project needs at least one image: add another one first.")
        kept = tuple(case for case in self.cases if case.id not in gone)
        self._write(self._content.model_copy(update={"cases": kept, "taken_out": (*self.taken_out, *gone.values())}))
        return places

    def bring_back(self, places: Mapping[str, int]) -> None:
        """Bring cases back that were taken out, as they were.

        Args:
            places: the place of each among the cases.

        Raises:
            ProjectError: if one was not taken out, or project.json cannot be written.
        """
        out = {case.id: case for case in self.taken_out}
        cases = list(self.cases)
        for case_id, place in sorted(places.items(), key=lambda item: item[1]):
            if case_id not in out:
                raise ProjectError(f"No case '{case_id}' was taken out of this project.")
            cases.insert(place, out.pop(case_id))
        self._write(self._content.model_copy(update={"cases": tuple(cases), "taken_out": tuple(out.values())}))

    # ---- images

    def image_path(self, case_id: str) -> Path:
        """Where a case's image lies."""
        return self._place_of(self.case(case_id))

    def geometry(self, case_id: str) -> ImageGeometry:
        """Geometry of a case's image, with the spacing a person said; read once from the file's header."""
        if case_id not in self._geometry:
            geometry = read_geometry(self.image_path(case_id))
            self._geometry[case_id] = replace(geometry, grid=self._with_spacing(case_id, geometry))
        return self._geometry[case_id]

    def image(self, case_id: str) -> Image:
        """A case's image, with the spacing a person said; ImageError if it cannot be read."""
        image = read_image(self.image_path(case_id))
        return replace(image, grid=self._with_spacing(case_id, image.geometry))

    # ---- inside

    def _place_of(self, case: Case) -> Path:
        return Path(os.path.normpath(self.root / PurePosixPath(case.image)))

    def _with_spacing(self, case_id: str, geometry: ImageGeometry) -> Grid:
        spacing = self.case(case_id).spacing
        return geometry.grid if spacing is None else geometry.grid.with_spacing(spacing)
