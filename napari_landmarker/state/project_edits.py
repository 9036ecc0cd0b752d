"""Changes of the project itself: its images, their use and spacing, and its landmarks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from threading import Event

from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.io.together import is_unfinished
from napari_landmarker.engine.project import Case, Project, Split
from napari_landmarker.engine.project_changes import Progress, annotated_in, change_schema, set_spacing
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.edits import ProjectEdit
from napari_landmarker.state.raters import SessionRaters

_HELD = "The landmarks of the project are just being changed: wait until that is done."
_CUT_OFF = "The change of the landmarks was cut off: open the project again to finish it."


class SessionProject(SessionRaters):
    """What a person changes in the project as a whole.

    The use and the spacing of images can be undone. Other landmarks cannot: they are asked about before. Nor can images
    that were added.
    """

    def add_images(
        self, images: Iterable[Path | str], spacing: Sequence[float] | None = None
    ) -> tuple[Case, ...] | None:
        """Add images as new cases (see `Project.add_images`); the first case opens if none was open.

        Returns:
            The new cases; None where a person stopped it: nothing has changed then.
        """
        project, _ = self._need_writable()
        now, read = project.snapshot(), list[tuple[Case, ...]]()

        def work(progress: Progress) -> None:
            read.append(now.new_cases(images, spacing, progress=progress))

        if not self.run_long("Reading the images…", work) or self.project is not project:
            return None
        self._need_writable()
        if project.cases != now.cases:
            raise ProjectError("The images of the project changed meanwhile: add them once more.")
        added = project.add_cases(read[0])
        self.cases_changed.emit()
        if self.case_id is None and added:
            self.open_case(added[0].id)
        return added

    def set_split(self, case_id: str, split: Split) -> None:
        """Move a case to another split; LandmarkerError if that cannot be saved."""
        self.set_splits({case_id: split})

    def set_splits(self, splits: Mapping[str, Split]) -> None:
        """Move cases to other splits, as one step; LandmarkerError if that cannot be saved."""
        project, _ = self._need_writable()
        before = {case_id: project.case(case_id).split for case_id in splits}
        self._change_project(ProjectEdit(f"the use of {_images(splits)}", before, dict(splits), self._put_splits))

    def set_spacing(self, spacing: Sequence[float] | None, case_ids: Iterable[str] | None = None) -> bool:
        """Say how many millimetres a pixel is; landmarks keep their place in the image.

        Args:
            spacing: in array order; None for what the image files state.
            case_ids: for which cases; None for the open one.

        Returns:
            False where a person stopped it: nothing changes then.

        Raises:
            LandmarkerError: if it is not one positive number for each dimension, or cannot be saved; nothing changes.
        """
        project, _ = self._need_writable()
        ids = tuple(case_ids) if case_ids is not None else (self.case_id,) if self.case_id is not None else ()
        before = {case_id: project.case(case_id).spacing for case_id in ids}
        after = dict.fromkeys(ids, None if spacing is None else tuple(float(value) for value in spacing))
        return self._change_project(ProjectEdit(f"the pixel size of {_images(ids)}", before, after, self._put_spacings))

    # ---- landmarks

    def annotated_in(self, names: Iterable[str]) -> dict[str, int]:
        """In how many images each landmark is placed or said to be absent, by any rater; reads all annotations.

        Raises:
            LandmarkerError: if annotations cannot be read, or are not saved yet.
        """
        return self.count_annotated(names)(lambda done, total: None)

    def count_annotated(self, names: Iterable[str]) -> Callable[[Progress], dict[str, int]]:
        """As `annotated_in`, as a function for any thread that is told how to report its progress.

        Raises:
            LandmarkerError: if annotations are not saved yet.
        """
        project, _ = self._need_project()
        self._need_saved()
        wanted = tuple(names)
        return lambda progress: annotated_in(project, wanted, progress)

    def change_schema(
        self,
        new: LandmarkSchema,
        renamed: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        *,
        removed: Collection[str] = (),
    ) -> None:
        """Give the project other landmarks; the annotations of all raters and all predictions follow.

        A landmark that is neither in ``new`` nor renamed loses its points in all images: ask before (`annotated_in`).
        Edits from before can no longer be undone.

        Args:
            new: the new landmarks.
            renamed: old names with their new ones.
            progress: called as the files are read.
            removed: landmarks that lose their points although another one takes their name.

        Raises:
            LandmarkerError: if the new landmarks do not fit or a file cannot be read or written; nothing changes then.
        """
        with self.changing_schema(new, renamed, removed=removed) as change:
            change(progress or (lambda done, total: None))

    @contextmanager
    def changing_schema(
        self, new: LandmarkSchema, renamed: Mapping[str, str] | None = None, *, removed: Collection[str] = ()
    ) -> Iterator[Callable[[Progress], None]]:
        """As `change_schema`, as a function for any thread that is told how to report its progress.

        While the block lasts, all that would read or change the project is held off (`held`). Where the function did
        not get to its end, nothing is changed.

        Raises:
            LandmarkerError: if nothing may be written, or annotations are not saved yet.
        """
        project, _ = self._need_writable()
        if new.instances > 1:
            raise ProjectError("This window edits one point for each landmark: use the command line for several.")
        self._need_saved()
        changed, done = project.snapshot(), Event()

        def change(progress: Progress) -> None:
            change_schema(changed, new, renamed, progress, removed=removed)
            done.set()

        self.held, problem = _HELD, _CUT_OFF
        try:
            yield change
        except LandmarkerError as error:
            problem = str(error)
            raise
        finally:
            self.held = None
            if done.is_set():
                project.adopt(changed)
            if self.project is project:
                self._end_change(done.is_set(), renamed or {}, problem)

    def example(self, name: str) -> Path | None:
        """The picture that shows where a landmark lies, where there is one."""
        if self.project is None:
            return None
        said = self.project.schema.definition(name).example
        path = self.project.root / PurePosixPath(said)
        return path if said and path.is_file() else None

    # ---- inside

    def _put_splits(self, splits: Mapping[str, Split]) -> bool:
        self._need_writable()[0].set_splits(splits)
        self.progress_changed.emit(tuple(splits))
        return True

    def _put_spacings(self, spacings: Mapping[str, Sequence[float] | None]) -> bool:
        """Points are kept in index coordinates: they stay where they are, and so do edits from before."""
        project, _ = self._need_writable()
        now, ids = project.snapshot(), tuple(spacings)

        def change(progress: Progress) -> Project:
            set_spacing(now, spacings, progress)
            return now

        changed = self._change_all("Changing the pixel size…", change)
        if changed is None:
            return False
        project.adopt(changed, other_spacing=ids)
        for work in self._works.values():
            work.store.read_again(ids)
        self.geometry_changed.emit(ids)
        if self.case_id in ids:
            self._open_again(self.case_id)
        return True

    def _end_change(self, done: bool, renamed: Mapping[str, str], problem: str) -> None:
        """Show the landmarks as they are on disk now; where the change was cut off, nothing is written."""
        project, _ = self._need_project()
        if not done:
            if is_unfinished(project.root):
                self._set_owner(problem)
            return
        for work in self._works.values():
            work.store.read_anew()
        self._show_anew(renamed.get(self.current or "", self.current), other_landmarks=True)


def _images(case_ids: Collection[str]) -> str:
    """How many images, or which one."""
    return f"'{next(iter(case_ids))}'" if len(case_ids) == 1 else f"{len(case_ids)} images"
