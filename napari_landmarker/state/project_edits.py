"""Changes of the project itself: its images, their use and spacing, and its landmarks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.io.renaming import Taken
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Case, Project, Split
from napari_landmarker.engine.project_changes import annotated_in, change_schema, schema_change_back, set_spacing
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.edits import ProjectEdit
from napari_landmarker.state.raters import SessionRaters

_FORGOTTEN = "The project was changed: what other raters did in it before can no longer be undone."


class SessionProject(SessionRaters):
    """What a person changes in the project as a whole; all of it can be undone."""

    def add_images(
        self, images: Iterable[Path | str], spacing: Sequence[float] | None = None
    ) -> tuple[Case, ...] | None:
        """Add images as new cases, as one step (see `Project.add_images`); the first case opens if none was open.

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
        places = {case.id: at for at, case in enumerate(read[0], start=len(project.cases))}
        added = project.add_cases(read[0])
        if added:
            self._remember(self._membership(places, there=True))
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

    def take_out(self, case_ids: Iterable[str]) -> None:
        """Take images out of the project, as one step; no file but project.json changes.

        Added again, they come back with all that was annotated in them.

        Raises:
            LandmarkerError: if no image would be left, or that cannot be saved; nothing changes then.
        """
        project, _ = self._need_writable()
        wanted = set(case_ids)
        places = {case.id: at for at, case in enumerate(project.cases) if case.id in wanted}
        if self._put_cases(False, places):
            self._remember(self._membership(places, there=False))

    # ---- landmarks

    def annotated_in(self, names: Iterable[str]) -> dict[str, int] | None:
        """In how many images each landmark is placed or said to be absent, by any rater; reads all annotations.

        Returns:
            The numbers; None where a person stopped it.

        Raises:
            LandmarkerError: if annotations cannot be read, or are not saved yet.
        """
        project, _ = self._need_project()
        self._need_saved()
        wanted, found = tuple(names), list[dict[str, int]]()

        def work(progress: Progress) -> None:
            found.append(annotated_in(project, wanted, progress))

        done = self.run_long("Looking where these landmarks are annotated…", work)
        return found[0] if done else None

    def change_schema(
        self, new: LandmarkSchema, renamed: Mapping[str, str] | None = None, *, removed: Collection[str] = ()
    ) -> bool:
        """Give the project other landmarks, as one step; the annotations of all raters and all predictions follow.

        A landmark that is neither in ``new`` nor renamed loses its points in all images, until that is undone: ask
        before (`annotated_in`). What other raters did before can no longer be undone.

        Args:
            new: the new landmarks.
            renamed: old names with their new ones.
            removed: landmarks that lose their points although another one takes their name.

        Returns:
            False where a person stopped it: nothing changes then.

        Raises:
            LandmarkerError: if the new landmarks do not fit or a file cannot be read or written; nothing changes then.
        """
        project, _ = self._need_writable()
        if new.instances > 1:
            raise ProjectError("This window edits one point for each landmark: use the command line for several.")
        there = _Landmarks(new, dict(renamed or {}), frozenset(removed))
        back = _Landmarks(project.schema, *schema_change_back(project.schema, new, there.renamed, there.removed))
        taken: dict[Path, Taken] = {}

        def put(landmarks: _Landmarks) -> bool:
            nonlocal taken
            changed = self._put_landmarks(landmarks, taken, keeps=landmarks is back)
            taken = taken if changed is None else changed
            return changed is not None

        done = put(there)
        if done:
            self._remember(ProjectEdit("the landmarks of the project", back, there, put))
        return done

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

    def _put_landmarks(
        self, landmarks: _Landmarks, back: Mapping[Path, Taken], *, keeps: bool
    ) -> dict[Path, Taken] | None:
        """Give the project these landmarks.

        Args:
            landmarks: the new ones, and what becomes of the old ones.
            back: what is put back into which file.
            keeps: refuse it where landmarks go that are annotated.

        Returns:
            What was taken out of which file; None where a person stopped it.
        """
        project, _ = self._need_writable()
        now, old = project.snapshot(), project.schema.names
        gone = landmarks.gone_of(old)

        def change(progress: Progress) -> dict[Path, Taken]:
            for name, count in annotated_in(now, gone).items() if keeps and gone else ():
                if count:
                    raise ProjectError(f"'{name}' is annotated by now: remove it in the list of landmarks instead.")
            return change_schema(
                now, landmarks.schema, landmarks.renamed, progress, removed=landmarks.removed, back=back
            )

        taken = self._change_all("Changing the landmarks…", change)
        if taken is None:
            return None
        project.adopt(now)
        for work in self._works.values():
            work.store.read_anew()
            work.follow_names(landmarks.renamed, gone)
        self._forget_edits_of_others()
        self._show_anew(landmarks.renamed.get(self.current or "", self.current), other_landmarks=True)
        return taken

    def _membership(self, places: Mapping[str, int], *, there: bool) -> ProjectEdit:
        """That images came or went, as a step."""
        return ProjectEdit(
            f"{_images(places)} of the project", not there, there, lambda now: self._put_cases(now, places)
        )

    def _put_cases(self, there: bool, places: Mapping[str, int]) -> bool:
        """Bring images back to their places, or take them out."""
        project, _ = self._need_writable()
        self._need_saved()
        if there:
            project.bring_back(places)
            self.cases_changed.emit()
            return True
        ids = [case.id for case in project.cases]
        at = ids.index(self.case_id) if self.case_id in ids else 0
        project.take_out(places)
        self._forget_edits_of_others()
        left = [case_id for case_id in (*ids[at:], *reversed(ids[:at])) if case_id not in places]
        self._show_anew(self.current, other_landmarks=False, instead=left[0])
        return True

    def _forget_edits_of_others(self) -> None:
        """What other raters did here may not fit any more; one's own steps are taken back in their order."""
        _, mine = self._need_project()
        self._forget_edits([work for work in self._works.values() if work is not mine], _FORGOTTEN)


@dataclass(frozen=True)
class _Landmarks:
    """What the landmarks of a project become, and what becomes of those that there are."""

    schema: LandmarkSchema
    renamed: Mapping[str, str]
    removed: frozenset[str]

    def gone_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """Which of the landmarks before go."""
        kept = {*self.renamed, *self.schema.names} - self.removed
        return tuple(name for name in names if name not in kept)


def _images(case_ids: Collection[str]) -> str:
    """How many images, or which one."""
    return f"'{next(iter(case_ids))}'" if len(case_ids) == 1 else f"{len(case_ids)} images"
