"""Two programs with one project.json: neither writes over what the other wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as PilImage

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.project import PROJECT_FILE, Project, Split
from napari_landmarker.engine.project_changes import change_schema, set_spacing
from napari_landmarker.engine.schema import LandmarkSchema

OLD = LandmarkSchema.from_names(("tip", "base"))
NEW = LandmarkSchema.from_names(("top", "base", "side"))


def picture(path: Path) -> Path:
    """A small image."""
    PilImage.new("L", (40, 30), 128).save(path)
    return path


@pytest.fixture
def mine(tmp_path: Path) -> Project:
    """A project of two images, opened by this program and changed by another one since."""
    create_project(tmp_path / "p", OLD, [picture(tmp_path / f"{name}.png") for name in "ab"])
    mine, theirs = (Project.open(tmp_path / "p") for _ in range(2))
    change_schema(theirs, NEW, {"tip": "top"})
    theirs.add_images([picture(tmp_path / "c.png")])
    return mine


CHANGES: dict[str, Callable[[Project, Path], object]] = {
    "save": lambda project, _: project.save(),
    "split": lambda project, _: project.set_split("a", Split.CALIBRATION),
    "images": lambda project, folder: project.add_images([picture(folder / "d.png")]),
    "landmarks": lambda project, _: change_schema(project, LandmarkSchema.from_names(("base",))),
    "spacing": lambda project, _: set_spacing(project, {"a": (2.0, 2.0)}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_another_program_wrote_is_not_written_over(mine: Project, tmp_path: Path, change: str) -> None:
    path = mine.root / PROJECT_FILE
    before, splits = path.read_bytes(), [case.split for case in mine.cases]
    assert mine.changed_elsewhere
    with pytest.raises(ProjectError, match=r"project\.json was changed by another program"):
        CHANGES[change](mine, tmp_path)
    assert path.read_bytes() == before
    assert (mine.schema, [case.id for case in mine.cases]) == (OLD, ["a", "b"]), "nothing is changed in memory either"
    assert [case.split for case in mine.cases] == splits
    assert mine.geometry("a").grid.spacing is None


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_read_again_is_gone_on_from(mine: Project, tmp_path: Path, change: str) -> None:
    mine.set_rater("Eva")
    mine.read_again()
    assert (mine.schema, mine.rater, mine.changed_elsewhere) == (NEW, "Eva", False)
    CHANGES[change](mine, tmp_path)
    CHANGES["save"](mine, tmp_path)
    now = Project.open(mine.root)
    assert [case.id for case in now.cases][:3] == ["a", "b", "c"]
    assert (now.schema, now.cases, now.rater) == (mine.schema, mine.cases, "Eva")


def test_a_project_file_that_is_gone_is_written_again_and_a_damaged_one_is_left_alone(mine: Project) -> None:
    path = mine.root / PROJECT_FILE
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ProjectError, match="valid JSON"):
        mine.read_again()
    assert (mine.schema, mine.changed_elsewhere) == (OLD, True)
    path.unlink()
    assert not mine.changed_elsewhere
    mine.set_split("a", Split.TEST)
    assert Project.open(mine.root).case("a").split is Split.TEST


def test_a_new_project_does_not_write_over_one_that_was_made_meanwhile(tmp_path: Path) -> None:
    image = picture(tmp_path / "a.png")
    slow = Project.prepare(tmp_path / "p", OLD, [image])
    create_project(tmp_path / "p", NEW, [image])
    with pytest.raises(ProjectError, match="changed by another program"):
        slow.save()
    assert Project.open(tmp_path / "p").schema == NEW
