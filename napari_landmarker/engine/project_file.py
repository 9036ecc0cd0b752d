"""`ProjectFile`: what project.json holds, read and written in one place."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_landmarker.engine.cases import FILE_NAME, Case
from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.io.atomic import json_bytes, read_json
from napari_landmarker.engine.io.stamp import Stamp, stamp_of
from napari_landmarker.engine.io.together import finish_together
from napari_landmarker.engine.schema import LandmarkSchema

FORMAT = "napari-landmarker project"
VERSION = 1
PROJECT_FILE = "project.json"
DEFAULT_RATER = "rater1"


class ProjectFile(BaseModel):
    """What project.json holds; keys that are not known here survive."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    format: str = FORMAT
    version: int = VERSION
    schema_: LandmarkSchema = Field(alias="schema")
    rater: str = Field(DEFAULT_RATER, pattern=FILE_NAME)
    cases: tuple[Case, ...] = ()
    taken_out: tuple[Case, ...] = ()

    @classmethod
    def read(cls, root: Path) -> tuple[ProjectFile, Stamp]:
        """The file of a project's folder, and its stamp.

        A change that the end of the program cut off is finished first.

        Raises:
            ProjectError: if the folder holds no project, or it is damaged or of a newer version of the program.
        """
        finish_together(root)
        path = root / PROJECT_FILE
        stamp = stamp_of(path)  # before reading: a change in between is seen later
        if not path.exists():
            raise ProjectError(f"{root} is no project: it holds no {PROJECT_FILE}; make one with 'New project'.")
        raw = read_json(path, "a napari-landmarker project", ProjectError)
        if raw.get("format") != FORMAT:
            raise ProjectError(f"{path} is not a napari-landmarker project: choose the folder of one.")
        if not isinstance(raw.get("version"), int) or raw["version"] > VERSION:
            raise ProjectError(f"{path} was made by a newer napari-landmarker: update this program to open it.")
        try:
            LandmarkSchema.parse(raw.get("schema"), f"The list of landmarks in {path}")
            content = cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ProjectError(f"{path} is damaged at '{where}': {first['msg']}.") from error
        ids = [case.id for case in (*content.cases, *content.taken_out)]
        if len(set(ids)) != len(ids):
            raise ProjectError(f"{path} is damaged: a case is listed twice.")
        return content, stamp

    def as_bytes(self) -> bytes:
        """The file."""
        return json_bytes(self.model_dump(mode="json", by_alias=True))
