"""What regions can be told: one model for the form, the command line and the file on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.uncertainty.density import DensityScore, RankScore
from napari_landmarker.engine.uncertainty.quantile import Landmarks
from napari_landmarker.engine.uncertainty.score import places_of
from napari_landmarker.engine.uncertainty.scores import EuclideanScore, MahalanobisScore, PerAxisScore

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction

ScoreConfig = Annotated[
    EuclideanScore | MahalanobisScore | PerAxisScore | DensityScore | RankScore, Field(discriminator="kind")
]


#: How predictions are changed before they are scored.
Temperature = Literal["none", "common", "each", "scatter"]
#: Of the images of a calibration, one in so many sets the temperatures.
TEMPERATURE_EVERY = 3
#: The kind of mistake that a temperature is asked for where there is nothing to temper.
_COLD = "nothing_to_temper"


class CalibrationConfig(BaseModel):
    """Which regions are drawn, and what they promise (see `uncertainty.calibration`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    score: ScoreConfig = Field(
        MahalanobisScore(), title="Score", description="How badly a place fits what the model says of a landmark."
    )
    calibrator: Literal["conformal", "parametric"] = Field(
        "conformal",
        title="Calibrator",
        description="Learn from images how far regions must reach, or believe the model's own probabilities.",
    )
    landmarks: Landmarks = Field(
        "each",
        title="Landmarks",
        description="Promise it of each landmark, of landmarks on average, or of all landmarks of an image together.",
    )

    temperature: Temperature = Field(
        "none",
        title="Temperature",
        description="Make the heatmaps, or the spreads, first as sure as they are right: by one temperature for all "
        "landmarks, or by one for each; or add to the spreads how each landmark usually errs (scatter). A third of the "
        "images then sets that, and nothing else.",
    )

    @model_validator(mode="after")
    def _has_what_to_temper(self) -> CalibrationConfig:
        if self.temperature != "none" and self.score.tempered is None:
            raise PydanticCustomError(
                _COLD,
                "The score '{kind}' reads neither heatmaps nor spreads, so it has no temperature: choose none.",
                {"kind": self.score.kind},
            )
        if self.temperature == "scatter" and self.score.tempered != "covariance":
            raise PydanticCustomError(
                _COLD,
                "The score '{kind}' reads heatmaps and no spreads, to which typical errors could be added: choose "
                "another temperature.",
                {"kind": self.score.kind},
            )
        return self

    @property
    def joint(self) -> bool:
        """Whether the promise is one about all landmarks of an image together."""
        return self.landmarks in ("bonferroni", "max")

    def for_temperature(self, images: int) -> int:
        """How many of so many images set temperatures, and no threshold."""
        return 0 if self.temperature == "none" else images // TEMPERATURE_EVERY

    def images_for(self, cases: int) -> int:
        """How many images there must be, so that so many of them set thresholds."""
        every = TEMPERATURE_EVERY
        return cases if self.temperature == "none" else max(every, -(-(every * cases - every + 1) // (every - 1)))

    def changed(
        self, score: str | None = None, landmarks: str | None = None, temperature: str | None = None
    ) -> CalibrationConfig:
        """A copy with other choices: a score by its name and as it is by default, and the others as they are named.

        Raises:
            CalibrationError: if there is none of that name, or they do not suit each other.
        """
        kind = None if score is None else {"kind": score}
        changes = {"score": kind, "landmarks": landmarks, "temperature": temperature}
        wanted = {key: value for key, value in changes.items() if value is not None}
        try:
            return CalibrationConfig.model_validate({**self.model_dump(), **wanted})
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == _COLD:
                raise CalibrationError(first["msg"]) from error
            allowed = first.get("ctx", {}).get("expected_tags") or first.get("ctx", {}).get("expected")
            raise CalibrationError(
                f"There is no such choice of {first['loc'][0]} for regions: choose one of {allowed}."
            ) from error

    def unit_of(self, grid: Grid) -> str | None:
        """Unit of scores in an image: ``"mm"``, ``"px"``, or None for plain numbers."""
        return grid.unit if self.score.physical else None

    def scores_of(self, prediction: Prediction, truth: LandmarkSet) -> FloatArray:
        """Scores of the true places in one image, so that its prediction need not be kept.

        Args:
            prediction: what the model says, of ``L`` landmarks.
            truth: places, found by name; only those that a person stands behind count.

        Returns:
            ``(L, K)`` in the prediction's order: NaN where no true place is known, infinite where none was predicted.

        Raises:
            CalibrationError: if the two are of different images, or there are several instances.
        """
        here, there = prediction.landmarks.grid, truth.grid
        if here.ndim != there.ndim or (here.has_image and there.has_image and here.shape != there.shape):
            raise CalibrationError(
                f"The true places are those of an image of {there.shape} pixels, the predicted of one of {here.shape}."
            )
        return self.score.at(prediction, places_of(truth.truth(), prediction.names))
