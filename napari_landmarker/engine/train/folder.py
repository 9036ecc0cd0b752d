"""The folder of a run: all that is needed to go on with it after it was cut off, and its logs.

```
run.json          cases, landmarks and frame of the run (`RunRecord`)
config.yaml       its configuration, with the reasons
checkpoint.pt     the last good state, as long as the run is not finished
curve.csv         one line for every time it was judged
tensorboard/      the same and the loss of the steps, for TensorBoard
```
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.io.atomic import read_json, write_bytes, write_json, write_text
from napari_landmarker.engine.predict.bundle import CurvePoint, curve_csv
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.frame import NetworkFrame
from napari_landmarker.engine.train.presets import read_config, write_config

FORMAT = "napari-landmarker run"
RECORD, CONFIG, CHECKPOINT, CURVE = "run.json", "config.yaml", "checkpoint.pt", "curve.csv"


class RunRecord(BaseModel):
    """What a run is about.

    Attributes:
        model: name that its model is to have.
        train: ids of the cases that it learns from.
        validation: ids of the cases that it is judged on.
        names: the landmarks.
        ndim: 2 or 3.
        channels: of the images, 1 or 3.
        frame: in which the network sees images.
        chooses_best: whether the model that did best on the validation cases is kept, instead of the last.
        met: ids of the cases that the model it began with had learnt from or was chosen on, and those before that.
        stranger: name of a model among those of which this project does not know what it had met; else empty.
    """

    model_config = ConfigDict(frozen=True)

    format: str = FORMAT
    model: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    names: tuple[str, ...]
    ndim: int
    channels: int
    frame: NetworkFrame
    chooses_best: bool = True
    met: tuple[str, ...] = ()
    stranger: str = ""


@dataclass(frozen=True)
class History:
    """What a model has met in its training, and in that of the models that it began with.

    Attributes:
        cases: ids of the cases that it learnt from or was chosen on.
        stranger: name of a model that it began with and of which that is not known; else empty.
    """

    cases: frozenset[str] = frozenset()
    stranger: str = ""


def history_of(path: Path) -> History:
    """What the model of a run, or those of the folds of a cross-validation, met.

    There are no cases where the folder tells of no run, as for a model that came from elsewhere.

    Args:
        path: folder of the run.

    Raises:
        TrainingError: if its record is damaged.
    """
    records = [_record(record) for record in (path / RECORD, *sorted(path.glob(f"*/{RECORD}"))) if record.exists()]
    cases = frozenset(case for one in records for case in (*one.train, *one.validation, *one.met))
    return History(cases, next((one.stranger for one in records if one.stranger), ""))


def _record(path: Path) -> RunRecord:
    try:
        return RunRecord.model_validate(read_json(path, "a training run", TrainingError))
    except ValidationError as error:
        raise TrainingError(f"{path} is damaged: train anew, without --resume.") from error


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_unfinished(self) -> bool:
        """Whether there is something to go on with."""
        return (self.path / RECORD).exists() and (self.path / CHECKPOINT).exists()

    @property
    def kept_at(self) -> float:
        """When its state was last kept, seconds since 1970."""
        return (self.path / CHECKPOINT).stat().st_mtime

    def begin(self, record: RunRecord, config: TrainConfig) -> None:
        """Write what the run is about; ProjectError if that fails."""
        write_json(self.path / RECORD, record.model_dump(mode="json"))
        write_config(self.path / CONFIG, config)

    def read(self) -> tuple[RunRecord, TrainConfig]:
        """What the run is about.

        Raises:
            TrainingError: if its files are missing or damaged.
        """
        return _record(self.path / RECORD), read_config(self.path / CONFIG)

    def keep(self, state: dict[str, Any], curve: Sequence[CurvePoint]) -> None:
        """Write the state of the run; the one before stays until the new one is whole."""
        import torch

        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_bytes(self.path / CHECKPOINT, buffer.getvalue())
        write_text(self.path / CURVE, curve_csv(curve))

    def state(self) -> dict[str, Any]:
        """The last state that was kept; nothing in the file is run as code.

        Raises:
            TrainingError: if it is missing or damaged.
        """
        import torch

        path = self.path / CHECKPOINT
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            raise TrainingError(f"{self.path} holds no unfinished run: train anew, without --resume.") from None
        except Exception as error:  # torch raises a different kind for each way a file can be broken
            raise TrainingError(f"{path} is no state of a training run: train anew, without --resume.") from error
        return state

    def finish(self) -> None:
        """The model is saved: the state is not needed any more, the logs stay."""
        (self.path / CHECKPOINT).unlink(missing_ok=True)

    def remove(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
