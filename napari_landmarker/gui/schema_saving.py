"""Saving a changed list of landmarks: what is lost by it, in words, and the pictures that go into the project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.io.atomic import write_bytes
from napari_landmarker.gui.schema_draft import SchemaDraft

#: Folder of the example pictures, in the project's.
PICTURES = "pictures"


def loss(removed: Iterable[str], renamed: Mapping[str, str], annotated: Mapping[str, int]) -> tuple[str, str]:
    """What removing and renaming landmarks does to what is annotated.

    Args:
        removed: landmarks that go.
        renamed: old names with their new ones.
        annotated: in how many images each is annotated.

    Returns:
        What is lost and what is changed, in sentences; both empty where nothing is annotated.
    """
    gone = [name for name in removed if annotated.get(name)]
    changed = [name for name in renamed if annotated.get(name)]
    lost = [f"“{name}” is annotated in {_images(annotated[name])}: its points there are deleted." for name in gone]
    kept = [
        f"“{name}” is annotated in {_images(annotated[name])}: it is called “{renamed[name]}” there from now on."
        for name in changed
    ]
    return "\n".join(lost), "\n".join(kept)


def take_pictures(draft: SchemaDraft, root: Path) -> list[Path]:
    """Copy the pictures that were chosen into the project, and name them in the draft.

    Returns:
        The files that were made, to be removed if nothing comes of the change.

    Raises:
        ProjectError: if one cannot be read or written; none is left behind then.
    """
    made: list[Path] = []
    try:
        for landmark in draft.landmarks:
            if landmark.picture is None:
                continue
            inside = _inside(landmark.picture, root)
            if inside is None:
                path = _free(root / PICTURES, landmark.name, landmark.picture.suffix.lower())
                write_bytes(path, _read(landmark.picture))
                made.append(path)
                inside = path.relative_to(root)
            landmark.example = str(PurePosixPath(*inside.parts))
    except ProjectError:
        drop_pictures(made)
        raise
    return made


def drop_pictures(made: Iterable[Path]) -> None:
    """Remove pictures that were copied for nothing."""
    for path in made:
        path.unlink(missing_ok=True)


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _inside(path: Path, root: Path) -> Path | None:
    """The path relative to the project, if it lies in it."""
    try:
        return path.resolve().relative_to(root.resolve())
    except ValueError:
        return None


def _free(folder: Path, name: str, suffix: str) -> Path:
    """A file that is not there yet, named after a landmark."""
    stem = "".join(sign if sign.isalnum() or sign in "-_" else "_" for sign in name.strip())[:60] or "landmark"
    path, number = folder / f"{stem}{suffix}", 2
    while path.exists():
        path, number = folder / f"{stem}_{number}{suffix}", number + 1
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProjectError(f"{path.name} could not be read ({error.strerror}): choose another picture.") from error
