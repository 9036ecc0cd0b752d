"""What a file holds of a calibration, beside its table of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from napari_landmarker.engine.uncertainty.configs import CalibrationConfig
from napari_landmarker.engine.uncertainty.scaling import Scaling

if TYPE_CHECKING:
    from napari_landmarker.engine.uncertainty.calibration import Calibration


class StoredFields(BaseModel):
    """The fields of a file; see `Calibration`."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    config: CalibrationConfig
    names: tuple[str, ...]
    ndim: Literal[2, 3]
    unit: Literal["mm", "px"] | None
    made_from: str = ""
    temperature: Scaling | None = None
    crossed: bool = False
    scores: list[list[list[float | None]]] = []

    @staticmethod
    def of(calibration: Calibration) -> dict[str, Any]:
        """The fields of a calibration without its scores, for a JSON file."""
        fields: dict[str, Any] = {
            "version": 1,
            "config": calibration.config.model_dump(mode="json"),
            "names": list(calibration.names),
            "ndim": calibration.ndim,
            "unit": calibration.unit,
            "made_from": calibration.made_from,
        }
        if calibration.scaling is not None:
            fields["temperature"] = calibration.scaling.model_dump(mode="json")
        if calibration.crossed:
            fields["crossed"] = True
        return fields
