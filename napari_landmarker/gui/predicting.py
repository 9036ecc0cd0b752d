"""What a worker thread does to predict: load the model, predict case after case. No widget, no layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_landmarker.engine.errors import LandmarkerError, ModelError
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.preload import preload_engine
from napari_landmarker.gui.tasks import Job

if TYPE_CHECKING:
    from napari_landmarker.engine.predict import Prediction, Predictor


@dataclass(frozen=True, eq=False)
class CasePrediction:
    """One result on its way to the session."""

    case_id: str
    model: str
    prediction: Prediction


@dataclass(frozen=True)
class Predicted:
    """What came of predicting several cases.

    Attributes:
        done: how many were predicted.
        failed: a sentence for each case that could not be.
    """

    done: int
    failed: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The failures in one sentence, empty without any."""
        if not self.failed:
            return ""
        if self.done == 0 and len(self.failed) == 1:
            return self.failed[0]
        return f"{len(self.failed)} of {self.done + len(self.failed)} images could not be predicted: {self.failed[0]}"


class LoadedModel:
    """Keeps the last model in memory, so that the next prediction starts at once."""

    def __init__(self) -> None:
        self._key: tuple[Path, float] | None = None
        self._predictor: Predictor | None = None

    def get(self, folder: Path) -> Predictor:
        """The predictor of a model folder, read again if the folder has changed; ModelError if it is none."""
        from napari_landmarker.engine.predict import Predictor

        key = (folder, folder.stat().st_mtime if folder.exists() else 0.0)
        if self._predictor is None or self._key != key:
            preload_engine()
            self._predictor, self._key = Predictor.load(folder), key
        return self._predictor


def predict_cases(
    job: Job, loaded: LoadedModel, project: Project, model: str, case_ids: Sequence[str], *, unfinished: bool = False
) -> Predicted:
    """Predict cases one by one and give each as a `CasePrediction`; a case that fails does not end the others.

    Args:
        job: takes the results and the progress.
        loaded: the model that is in memory.
        project: the project.
        model: name of one of its models.
        case_ids: which cases.
        unfinished: leave out those in which a person has dealt with every landmark.

    Raises:
        ModelError: if the model cannot be loaded or shares no landmark with the project.
    """
    job.progress(0, len(case_ids))
    predictor = loaded.get(project.find_model(model))
    if not set(predictor.info.names) & set(project.schema.names):
        raise ModelError(
            f"The model '{model}' finds {', '.join(predictor.info.names)}, none of which is a landmark of this "
            "project: choose another model."
        )
    done, failed = 0, []
    for number, case_id in enumerate(case_ids):
        job.progress(number, len(case_ids))
        try:
            if unfinished and project.annotations(case_id).by_person.all():
                continue
            job.give(CasePrediction(case_id, model, predictor.predict(project.image(case_id), check=job.check)))
            done += 1
        except ModelError as error:
            failed.append(f"{project.image_path(case_id).name}: {error}")
        except LandmarkerError as error:
            failed.append(str(error))
    job.progress(len(case_ids), len(case_ids))
    return Predicted(done, tuple(failed))
