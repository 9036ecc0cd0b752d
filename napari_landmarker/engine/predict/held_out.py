"""Which cases a model has met: those that it, or the model that it began with, learnt from or was chosen on.

Cases are known by their ids, as the records of a project's runs have them (`train.folder`), and the ids of those that a
calibration was made from stand beside them. A model folder holds neither, as it may be given away; so of a model from
elsewhere it is not known what it has met.

The cases of an earlier model's calibration are not among those met: its weights do not depend on them, nor do those of
a model that begins with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.io.atomic import read_json, write_json
from napari_landmarker.engine.project import Case, Project

if TYPE_CHECKING:
    from napari_landmarker.engine.train.folder import History

#: In the folder of a run: the ids of the cases that its model was calibrated on.
CALIBRATED = "calibrated.json"
FORMAT = "napari-landmarker calibrated cases"


@dataclass(frozen=True)
class HeldOut:
    """The cases of a split that a model has not met.

    Attributes:
        cases: those that it has not met, as far as is known.
        met: the others.
        stranger: see `History`.
    """

    cases: tuple[Case, ...]
    met: tuple[Case, ...]
    stranger: str

    @property
    def words(self) -> str:
        """What was left out, to stand after ``"20 images"``; empty where nothing was and all is known."""
        left = len(self.met)
        out = f", without {left} that it, or the model it began with, learnt from or was chosen on" if left else ""
        if self.stranger:
            out += f" (it began with '{self.stranger}' from elsewhere, which may have met some of them)"
        return out

    def sentence(self, split: str) -> str:
        """The same as a sentence about the images of a split that are judged."""
        said = []
        if self.met:
            images, were, them = ("image", "was", "it") if len(self.met) == 1 else ("images", "were", "them")
            said.append(
                f"{len(self.met)} {images} of the {split} split {were} left out, as the model, or the one it began "
                f"with, learnt from {them} or was chosen on {them}."
            )
        if self.stranger:
            said.append(
                f"The model began with '{self.stranger}' from elsewhere; whether that had met any of these images is "
                "not known."
            )
        return " ".join(said)


def history_of_model(project: Project, folder: Path) -> History:
    """What a model has met, as far as the project knows; a part of an ensemble counts as the ensemble.

    Raises:
        TrainingError: if the record of its run is damaged.
    """
    from napari_landmarker.engine.train.folder import History, history_of

    run = _run_of(project, folder)
    return History() if run is None else history_of(run)


def held_out(project: Project, folder: Path, cases: Sequence[Case]) -> HeldOut:
    """Which of some cases a model has not met; TrainingError if the record of its run is damaged."""
    history = history_of_model(project, folder)
    fresh = tuple(case for case in cases if case.id not in history.cases)
    return HeldOut(fresh, tuple(case for case in cases if case.id in history.cases), history.stranger)


def keep_calibrated(project: Project, folder: Path, cases: Iterable[Case]) -> None:
    """Note which cases a model is calibrated on; ProjectError if that cannot be written."""
    run = _run_of(project, folder)
    if run is not None:
        write_json(run / CALIBRATED, {"format": FORMAT, "cases": [case.id for case in cases]})


def calibrated_cases(project: Project, folder: Path) -> frozenset[str] | None:
    """The ids of the cases that a model was calibrated on; None where that is not known."""
    run = _run_of(project, folder)
    if run is None or not (run / CALIBRATED).exists():
        return None
    try:
        content = read_json(run / CALIBRATED, "a list of calibrated cases", CalibrationError)
    except CalibrationError:
        return None
    cases = content.get("cases")
    return frozenset(map(str, cases)) if content.get("format") == FORMAT and isinstance(cases, list) else None


def _run_of(project: Project, folder: Path) -> Path | None:
    """The folder of the run of a model of the project, or of a part of one; None of a model from elsewhere."""
    models, place = project.models_dir.resolve(), folder.resolve()
    for own in (place, place.parent):
        if own.parent == models:
            return project.runs_dir / own.name
    return None
