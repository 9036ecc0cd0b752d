"""A model on disk: a folder in MONAI Bundle layout that carries all that is needed to use and to judge it.

```
configs/metadata.json     MONAI's metadata: versions, inputs and outputs
configs/inference.json    the network, for MONAI's config parser
configs/landmarker.json   landmarks, frame, configuration, how it was trained (`ModelInfo`)
models/model.pt           weights only
docs/README.md            the same in words;  docs/training.csv  the training curve
evaluations/<split>.json  what it scored, as in report.json, without the names of cases
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
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

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
VERSION = 1


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
    ndim: int
    channels: int
    frame: NetworkFrame
    config: TrainConfig
    n_train: int
    n_validation: int
    validation_error: float | None
    minutes: float
    steps: int

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

    partial = folder.with_name(f".{folder.name}.partial")
    if folder.exists():
        raise ProjectError(f"{folder} is there already: choose another name for the model.")
    shutil.rmtree(partial, ignore_errors=True)
    weights = io.BytesIO()
    torch.save({key: value.cpu() for key, value in network.state_dict().items()}, weights)
    write_bytes(partial / WEIGHTS, weights.getvalue())
    write_json(partial / "configs" / "inference.json", _inference(info))
    write_json(partial / "configs" / "metadata.json", _metadata(info))
    content = {"format": FORMAT, "version": VERSION, **info.model_dump(mode="json")}
    write_json(partial / INFO, content)
    write_text(partial / "docs" / "training.csv", _curve_csv(curve))
    write_text(partial / "docs" / "README.md", _words(info))
    try:
        partial.rename(folder)
    except OSError as error:
        raise ProjectError(f"{folder} could not be written ({error.strerror}): check the folder.") from error


def read_info(folder: Path | str) -> ModelInfo:
    """Read what a model is, without loading it; the folder's name is the model's name.

    Raises:
        ModelError: if the folder is no model of this program.
    """
    folder = Path(folder)
    if not (folder / INFO).exists():
        raise ModelError(f"{folder} is no model: choose a model folder, one that holds {INFO.as_posix()}.")
    content = read_json(folder / INFO, "a model of napari-landmarker", ModelError)
    if content.get("format") != FORMAT:
        raise ModelError(f"{folder / INFO} is not a model of napari-landmarker.")
    if not isinstance(content.get("version"), int) or content["version"] > VERSION:
        raise ModelError(f"{folder} was made by a newer napari-landmarker: update this program to use it.")
    try:
        return ModelInfo.model_validate({**content, "name": folder.resolve().name})
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
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


def _curve_csv(curve: Sequence[CurvePoint]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CurvePoint.__dataclass_fields__)
    for point in curve:
        writer.writerow(["" if isinstance(v, float) and math.isnan(v) else v for v in astuple(point)])
    return text.getvalue()


def _inference(info: ModelInfo) -> dict[str, Any]:
    return {
        "bundle_root": ".",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "imports": ["$import torch"],
        "network_def": info.config.model.definition(info.ndim, info.channels, len(info.names)),
        "network": "$@network_def.to(@device).eval()",
    }


def _metadata(info: ModelInfo) -> dict[str, Any]:
    import monai
    import numpy
    import torch

    shape = list(info.frame.shape)
    return {
        "version": "1.0.0",
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": numpy.__version__,
        "task": f"{info.ndim}D anatomical landmark localization",
        "description": f"Finds {', '.join(info.names)} by heatmap regression.",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "num_channels": info.channels,
                    "spatial_shape": shape,
                    "dtype": "float32",
                    "is_patch_data": False,
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "probability",
                    "num_channels": len(info.names),
                    "spatial_shape": [size // info.stride for size in shape],
                    "dtype": "float32",
                    "is_patch_data": False,
                    "channel_def": {str(i): name for i, name in enumerate(info.names)},
                }
            },
        },
    }


def _words(info: ModelInfo) -> str:
    error = "was not judged" if info.validation_error is None else f"{info.validation_error:.2f} {info.unit}"
    return (
        f"# {info.name}\n\nFinds {', '.join(info.names)} in {info.ndim}D images"
        f" ({'colour' if info.channels == 3 else 'grey'}).\n\n"
        f"- Preset: {info.config.preset}; {info.steps} steps in {info.minutes:.1f} minutes\n"
        f"- Learnt from {info.n_train} cases; chosen on {info.n_validation} others (validation split)\n"
        f"- Mean point error on those {info.n_validation}: {error}; it was chosen on them,"
        " so expect more on new images\n"
        f"- Works in {'millimetres' if info.unit == 'mm' else 'pixels (the images stated no spacing)'}\n"
    )
