"""Where the models, training runs and reports of a project lie."""

from __future__ import annotations

from pathlib import Path

from napari_landmarker.engine.cases import Split
from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.model_folders import model_folders, named_model


class ProjectModels:
    """The part of a project that models make.

    Attributes:
        root: the project's folder.
    """

    root: Path

    @property
    def models_dir(self) -> Path:
        """Where the models of this project lie."""
        return self.root / "models"

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the trained models, oldest first."""
        found = sorted(model_folders(self.models_dir), key=lambda folder: (folder.stat().st_ctime, folder.name))
        return tuple(folder.name for folder in found)

    def model_path(self, name: str) -> Path:
        """The folder of a model, there or not."""
        return self.models_dir / name

    def find_model(self, model: str | Path) -> Path:
        """The folder of a model: of this project or shipped, by name, or of any by path; ProjectError if none is."""
        own = self.model_path(str(model))
        folder = own if own.is_dir() else named_model(model)
        if folder is None:
            known = ", ".join(self.models) or "none yet"
            raise ProjectError(f"There is no model '{model}' in {self.root.name}: it has {known}.")
        return folder

    @property
    def runs_dir(self) -> Path:
        """Where the training runs of this project keep what they need."""
        return self.root / "runs"

    def new_model_name(self, prefix: str) -> str:
        """A name that no model and no training run has: ``prefix-1``, ``prefix-2``, ..."""
        taken = {path.name for folder in (self.models_dir, self.runs_dir) for path in folder.glob("*")}
        number = 1
        while f"{prefix}-{number}" in taken:
            number += 1
        return f"{prefix}-{number}"

    def report_dir(self, model: str, split: Split) -> Path:
        """Where the report of a model on a split is written."""
        return self.root / "reports" / f"{model}-{split.value}"
