"""A model on disk: a folder in MONAI Bundle layout that carries all that is needed to use and to judge it.

```
configs/metadata.json     MONAI's metadata: versions, inputs and outputs
configs/inference.json    what MONAI's ``monai.bundle run`` runs; this program never reads it
configs/landmarker.json   landmarks, frame, configuration, how it was trained (`ModelInfo`)
configs/train.yaml        the configuration alone, to copy and train with
models/model.pt           weights only
docs/README.md            the same in words;  docs/training.csv  the training curve
evaluations/<split>.json  what it scored, as in report.json, without the names of cases
configs/calibration.json  how far its points may be from the true ones, if it was calibrated (`calibration_file`)
evaluations/regions.json  how often such regions cover in the images of the calibration, each judged by the others
```
"""

from __future__ import annotations

import csv
import io
import math
import shutil
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from napari_landmarker.engine.errors import ModelError, ProjectError
from napari_landmarker.engine.io.atomic import read_json, write_bytes, write_json, write_text
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.frame import NetworkFrame

if TYPE_CHECKING:
    from napari_landmarker.engine.models import LandmarkNetwork

INFO = Path("configs") / "landmarker.json"
WEIGHTS = Path("models") / "model.pt"
FORMAT = "napari-landmarker model"
VERSION = 2
#: The kind of mistake that a model is of which a landmark may have several points and the network finds one.
SEVERAL = "several_points"


@dataclass(frozen=True)
class CurvePoint:
    """The run when it was judged; errors in the model's unit."""

    step: int
    elapsed_s: float
    train_loss: float
    validation_loss: float
    validation_error: float


class ModelInfo(BaseModel):
    """What a model is and how it came to be.

    Attributes:
        name: its name.
        landmarks: the landmarks it finds.
        ndim: 2 or 3.
        channels: 1 grey, 3 colour.
        frame: how images are drawn for it.
        config: the training run's configuration.
        n_train: number of cases it learnt from.
        n_validation: number of cases it was chosen on.
        validation_error: mean error on those, in `unit`; None without any.
        minutes: length of the run.
        steps: length of the run.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    landmarks: LandmarkSchema
    ndim: int = Field(ge=2, le=3)
    channels: int = Field(ge=1)
    frame: NetworkFrame
    config: TrainConfig
    n_train: int
    n_validation: int
    validation_error: float | None
    minutes: float
    steps: int

    @model_validator(mode="after")
    def _frame_fits(self) -> ModelInfo:
        shape, spacing = self.frame.shape, self.frame.spacing_mm
        if len(shape) != self.ndim or min(shape) < 1 or self.frame.multiple < 1:
            raise ValueError(f"a frame of {shape} is none for images of {self.ndim}D")
        if spacing is not None and not 0 < spacing < math.inf:
            raise ValueError(f"a spacing of {spacing} mm cannot be")
        return self

    @model_validator(mode="after")
    def _finds_so_many(self) -> ModelInfo:
        kind = self.config.model.kind
        if self.landmarks.instances > 1 and self.config.model.answer in ("points", "cascade"):
            raise PydanticCustomError(
                SEVERAL,
                "its landmarks may have several points each, which a network of the kind '{kind}' cannot find",
                {"kind": kind},
            )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The landmarks it finds."""
        return self.landmarks.names

    @property
    def unit(self) -> str:
        """``"mm"`` or ``"px"``."""
        return self.frame.unit

    @property
    def stride(self) -> int:
        """Frame pixels per heatmap pixel."""
        return self.config.model.stride(self.ndim)


def save_bundle(folder: Path, info: ModelInfo, network: LandmarkNetwork, curve: Sequence[CurvePoint]) -> None:
    """Write a model folder; it appears whole or not at all.

    Raises:
        ProjectError: if the folder cannot be written or is taken.
    """
    import torch

    from napari_landmarker.engine.predict.model_card import words
    from napari_landmarker.engine.predict.monai_config import inference, metadata
    from napari_landmarker.engine.train.presets import write_config

    partial = folder.with_name(f".{folder.name}.partial")
    if folder.exists():
        raise ProjectError(f"{folder} is there already: choose another name for the model.")
    shutil.rmtree(partial, ignore_errors=True)
    weights = io.BytesIO()
    torch.save({key: value.cpu() for key, value in network.state_dict().items()}, weights)
    write_bytes(partial / WEIGHTS, weights.getvalue())
    write_json(partial / "configs" / "inference.json", inference(info))
    write_json(partial / "configs" / "metadata.json", metadata(info))
    write_config(partial / "configs" / "train.yaml", info.config)
    content = {"format": FORMAT, "version": VERSION, **info.model_dump(mode="json")}
    write_json(partial / INFO, content)
    write_text(partial / "docs" / "training.csv", curve_csv(curve))
    write_text(partial / "docs" / "README.md", words(info))
    try:
        partial.rename(folder)
    except OSError as error:
        raise ProjectError(f"{folder} could not be written ({error.strerror}): check the folder.") from error


def read_info(folder: Path | str) -> ModelInfo:
    """Read what a model is, without loading it; the folder's name is the model's name.

    Raises:
        ModelError: if the folder is no model of this program, or its description is damaged or of another version.
    """
    folder = Path(folder)
    if not (folder / INFO).exists():
        raise ModelError(f"{folder} is no model: choose a model folder, one that holds {INFO.as_posix()}.")
    content = read_json(folder / INFO, "a model of napari-landmarker", ModelError)
    version = content.get("version")
    if content.get("format") != FORMAT:
        raise ModelError(f"{folder / INFO} is not a model of napari-landmarker: choose another folder.")
    if type(version) is not int:
        raise ModelError(f"{folder / INFO} is damaged at 'version': get the model folder again.")
    if version > VERSION:
        raise ModelError(f"{folder} was made by a newer napari-landmarker: update this program to use it.")
    if version < VERSION:
        raise ModelError(f"{folder} was made by an older napari-landmarker, whose models differ: train it again.")
    try:
        return ModelInfo.model_validate({**content, "name": folder.resolve().name})
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == SEVERAL:
            raise ModelError(f"{folder / INFO} describes no possible model: {first['msg']}; train another.") from error
        where = ".".join(str(part) for part in first["loc"]) or "frame"
        raise ModelError(f"{folder / INFO} is damaged at '{where}': get the model folder again.") from error


def load_network(folder: Path, info: ModelInfo) -> LandmarkNetwork:
    """Build the network and load its weights; no code in the folder is run.

    Raises:
        ModelError: if the weights are missing, damaged or of another network.
    """
    import torch

    network = info.config.model.build(info.ndim, info.channels, len(info.names))
    path = folder / WEIGHTS
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError:
        raise ModelError(f"{path} is missing: get the model folder again.") from None
    except Exception as error:  # torch raises a different kind for each way a file can be broken
        raise ModelError(f"{path} holds no weights of this model: get the model folder again.") from error
    return network.eval()


def read_curve(folder: Path) -> list[CurvePoint]:
    """The training curve of a model; empty if it carries none."""
    path = folder / "docs" / "training.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        CurvePoint(int(r["step"]), *(float(r[k] or "nan") for k in list(CurvePoint.__dataclass_fields__)[1:]))
        for r in rows
    ]


def curve_csv(curve: Sequence[CurvePoint]) -> str:
    """A training curve as a table with a line of names; what is not known is left out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CurvePoint.__dataclass_fields__)
    for point in curve:
        writer.writerow(["" if isinstance(v, float) and math.isnan(v) else v for v in astuple(point)])
    return text.getvalue()
