"""What an open project holds of project.json: read, written, and never written over unseen."""

from __future__ import annotations

from pathlib import Path

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.io.atomic import write_bytes
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.stamp import Stamp, stamp_of
from napari_landmarker.engine.io.together import is_unfinished
from napari_landmarker.engine.project_file import PROJECT_FILE, ProjectFile


class ProjectContent:
    """The part of a project that project.json makes.

    Attributes:
        root: the project's folder.
    """

    def __init__(self, root: Path, content: ProjectFile, stamp: Stamp = None) -> None:
        self.root = root
        self._content = content
        self._stamp = stamp
        self._cases = {case.id: case for case in content.cases}
        self._geometry: dict[str, ImageGeometry] = {}

    @property
    def changed_elsewhere(self) -> bool:
        """Whether another program changed project.json since it was read or written here; not so where it is gone."""
        now = stamp_of(self.root / PROJECT_FILE)
        return (now is not None and now != self._stamp) or is_unfinished(self.root)

    def read_again(self) -> None:
        """Take in what another program wrote in project.json; the rater at work stays.

        Raises:
            ProjectError: if it cannot be read; everything stays as it is then.
        """
        content, stamp = ProjectFile.read(self.root)
        content.rater = self._content.rater
        self._take(content, stamp)
        self._geometry.clear()

    def save(self) -> None:
        """Write project.json; ProjectError if the folder is not writable, or another program changed the file."""
        self._write(self._content)

    # ---- inside

    def _need_unchanged(self) -> None:
        if self.changed_elsewhere:
            raise ProjectError(
                f"{self.root / PROJECT_FILE} was changed by another program since it was read: open the project again "
                "and repeat what you did."
            )

    def _write(self, content: ProjectFile) -> None:
        """Write project.json and take what it holds then; nothing changes if that fails."""
        self._need_unchanged()
        path = self.root / PROJECT_FILE
        write_bytes(path, content.as_bytes())
        self._take(content, stamp_of(path))

    def _take(self, content: ProjectFile, stamp: Stamp) -> None:
        self._content, self._stamp = content, stamp
        self._cases = {case.id: case for case in content.cases}
