"""Where models lie: in the folder of a project, and beside the program, which comes with some."""

from __future__ import annotations

from pathlib import Path

from napari_landmarker.engine.io.paths import whole_path

#: Every model folder holds this file; it is MONAI's.
MARK = Path("configs") / "metadata.json"
#: The models that come with the program.
SHIPPED_DIR = Path(__file__).parents[1] / "models"


def model_folders(folder: Path) -> list[Path]:
    """The model folders in a folder, in order of their names; none that is still being written."""
    return sorted(mark.parents[1] for mark in folder.glob(f"[!.]*/{MARK.as_posix()}"))


def shipped_models() -> dict[str, Path]:
    """The folders of the models that come with the program, by name."""
    return {folder.name: folder for folder in model_folders(SHIPPED_DIR)}


def named_model(model: Path | str) -> Path | None:
    """The folder that a person means: a model folder by its path, or a model that comes with the program by its name.

    Returns:
        The folder; one that holds no model only where no model of that name comes with the program, and None if there
        is no such folder either.
    """
    folder = whole_path(model)
    if (folder / MARK).exists():
        return folder
    return shipped_models().get(str(model), folder if folder.is_dir() else None)
