"""Who is held out when, in a cross-validation; kept in ``folds.json`` of its folder among the project's runs."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.io.atomic import read_json, write_json

PLAN = "folds.json"


class FoldsPlan(BaseModel):
    """Who is held out when; it stays as it is though cases are added later.

    Attributes:
        model: name that the ensemble is to have.
        train: ids of the cases that each fold learns from.
        held_out: ids of the cases that each fold is judged on.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    train: tuple[tuple[str, ...], ...]
    held_out: tuple[tuple[str, ...], ...]

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the models of the folds."""
        return tuple(f"fold-{number}" for number in range(1, len(self.held_out) + 1))

    def write(self, folder: Path) -> None:
        """Write it to the folder of the cross-validation; ProjectError if that fails."""
        write_json(folder / PLAN, self.model_dump(mode="json"))

    @classmethod
    def read(cls, folder: Path) -> FoldsPlan:
        """Read that of a cross-validation.

        Raises:
            TrainingError: if it is gone or damaged.
        """
        try:
            return cls.model_validate(read_json(folder / PLAN, "a cross-validation", TrainingError))
        except ValidationError as error:
            raise TrainingError(f"{folder / PLAN} is damaged: train anew, without --resume.") from error
