"""The last part of a training: the model that it saved is calibrated on the cases that were kept for that."""

from __future__ import annotations

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.predict.calibrate import calibrate_model, promise
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.train.events import Calibrated, Calibrating, Control, Listener
from napari_landmarker.engine.uncertainty import leave_one_out


class _LeftOff(Exception):
    """A person asked for the end."""


def calibrate_trained(
    project: Project, name: str, listener: Listener, control: Control, *, folds: bool = False
) -> None:
    """Calibrate a model that was just trained; where that is not possible, it stays as it is, and it is said why.

    Args:
        project: the project.
        name: of its model.
        listener: takes how far it is, and what came of it.
        control: a new word of it leaves the calibration off.
        folds: on what the folds of a cross-validation held out, see `calibrate_model`.
    """
    before = control.ending

    def progress(done: int, total: int) -> None:
        if control.ending is not before:
            raise _LeftOff
        if total:
            listener(Calibrating(done, total))

    try:
        calibration = calibrate_model(project, name, folds=folds, progress=progress)
    except _LeftOff:
        listener(Calibrated(0, "The calibration was left off: calibrate this model later, to have it promise regions."))
    except LandmarkerError as error:
        listener(Calibrated(0, str(error)))
    else:
        listener(Calibrated(calibration.count, promise(calibration, leave_one_out(calibration))))
