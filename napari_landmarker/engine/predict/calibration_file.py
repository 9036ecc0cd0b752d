"""The calibration of a model on disk: it holds for the weights and the views of an image that it was made with.

``configs/calibration.json`` of the model's folder holds a `Calibration` and what it was made with; scores only, and
nothing that tells whose images they are of.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.io.atomic import read_json, write_json
from napari_landmarker.engine.predict.ensemble import fingerprint_of

if TYPE_CHECKING:
    from napari_landmarker.engine.uncertainty import Calibration

CALIBRATION = Path("configs") / "calibration.json"
FORMAT = "napari-landmarker calibration"
#: 2: covariances of cascades are without the bell that they were taught to draw.
VERSION = 2
#: In the place of a split: the cases of a cross-validation.
CROSS_VALIDATION = "cross-validation"
#: The fewest annotated images that can promise 95 %.
FEWEST = 19
#: What is told of a model without a calibration.
NO_CALIBRATION = (
    "No case is in the calibration split, so this model cannot promise regions: "
    f"put at least {FEWEST} annotated cases there and calibrate it."
)


@dataclass(frozen=True, eq=False)
class StoredCalibration:
    """The calibration of a model, or why there is none.

    Attributes:
        calibration: None where there is none that can be used.
        reason: one sentence where there is none, else empty.
        split: of the cases that it was made from.
    """

    calibration: Calibration | None = None
    reason: str = ""
    split: str = ""


def read_calibration(folder: Path | str, *, views: int = 1, flips: bool = False) -> Calibration | None:
    """The calibration of a model folder, or None: `stored_calibration` also says why.

    Args:
        folder: of a model or an ensemble.
        views: of an image that are averaged, see `Predictor.load`.
        flips: see `Predictor.load`.
    """
    return stored_calibration(folder, views=views, flips=flips).calibration


def stored_calibration(
    folder: Path | str, *, views: int = 1, flips: bool = False, fingerprint: str | None = None
) -> StoredCalibration:
    """The calibration of a model folder, if it is one of these weights and views.

    Args:
        folder: of a model or an ensemble.
        views: see `Predictor.load`.
        flips: see `Predictor.load`.
        fingerprint: of the weights, where it is known (see `fingerprint_of`).
    """
    from napari_landmarker.engine.uncertainty import Calibration

    folder = Path(folder)
    path, name = folder / CALIBRATION, folder.resolve().name
    if not path.exists():
        return StoredCalibration(
            reason=f"The model '{name}' was not calibrated, so it cannot promise regions: put at least {FEWEST} "
            "annotated cases in the calibration split and calibrate it."
        )
    try:
        content = read_json(path, "a calibration", CalibrationError)
        if content.get("format") == FORMAT and content.get("version") in range(1, VERSION):
            raise CalibrationError(
                f"The model '{name}' was calibrated by an older napari-landmarker, which measured otherwise how sure "
                "points are, so it promises no regions: calibrate it again."
            )
        if content.get("format") != FORMAT or content.get("version") != VERSION:
            raise CalibrationError(f"{path} is damaged or of a newer napari-landmarker: calibrate the model again.")
        calibration = Calibration.from_dict(content.get("calibration") or {})
    except CalibrationError as error:
        return StoredCalibration(reason=str(error))
    if content.get("weights") != (fingerprint_of([folder]) if fingerprint is None else fingerprint):
        return StoredCalibration(
            reason=f"The model '{name}' has changed since it was calibrated, so it promises no regions: "
            "calibrate it again."
        )
    if (content.get("views"), content.get("flips")) != (views, flips):
        return StoredCalibration(
            reason=f"The model '{name}' was calibrated for other views of an image, so it promises no regions for "
            "these: calibrate it with them, or predict without."
        )
    return StoredCalibration(calibration, split=str(content.get("split") or ""))


def write_calibration(
    folder: Path, calibration: Calibration, *, fingerprint: str, views: int, flips: bool, split: str
) -> None:
    """Write the calibration of a model; ProjectError if its folder cannot be written."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "weights": fingerprint,
        "views": views,
        "flips": flips,
        "split": split,
        "calibration": calibration.to_dict(),
    }
    write_json(folder / CALIBRATION, content)
