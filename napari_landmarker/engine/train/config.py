"""What a training run can be told: one model for the form, the command line, the file on disk and the docs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.heatmap.configs import DecoderConfig, GaussianTargetConfig, TargetConfig
from napari_landmarker.engine.losses.configs import CrossEntropyConfig, LossConfig
from napari_landmarker.engine.models.configs import ModelConfig, UNetConfig
from napari_landmarker.engine.transforms import AugmentationConfig
from napari_landmarker.engine.uncertainty.configs import CalibrationConfig


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FrameConfig(_Config):
    """How finely the network sees an image."""

    spacing_mm: float | None = Field(
        None, gt=0, title="Millimetres per pixel", description="Of the network's frame; none: what the budget allows."
    )
    budget_2d: int = Field(
        200_000,
        ge=1_000,
        title="Pixels (2D)",
        description="The network sees about so many pixels of an image.",
    )
    budget_3d: int = Field(
        160_000,
        ge=1_000,
        title="Voxels (3D)",
        description="The network sees about so many voxels of a volume.",
    )


class OptimiserConfig(_Config):
    """AdamW on a schedule that runs on the clock, so that it always ends with the minutes given."""

    learning_rate: float = Field(2e-3, gt=0, title="Learning rate")
    weight_decay: float = Field(1e-2, ge=0, title="Weight decay")
    batch_size_2d: int = Field(8, ge=1, title="Images per step (2D)")
    batch_size_3d: int = Field(2, ge=1, title="Volumes per step (3D)")
    warmup: float = Field(0.06, ge=0, lt=1, title="Warm-up", description="Share of the run.")
    final: float = Field(0.005, ge=0, le=1, title="End", description="Last learning rate, share of the first.")
    clip_norm: float = Field(5.0, gt=0, title="Gradient norm", description="Larger gradients are shortened to it.")
    ema: float = Field(0.99, ge=0, lt=1, title="Averaging", description="Decay of the running average of the weights.")


class RefineConfig(_Config):
    """How the second stage of a cascade learns: on patches around points that are wrong by as much as the first's."""

    share: float = Field(0.5, gt=0, lt=1, title="Share", description="Of the run that the second stage is given.")
    sigma: float = Field(2.0, gt=0.1, title="Width", description="Of its target, pixels of its maps.")
    jitter: float = Field(
        0.07, gt=0, le=0.5, title="Jitter", description="Standard deviation of the patches' centres, share of a patch."
    )
    far: float = Field(0.3, gt=0, le=0.5, title="Far", description="Largest jitter of some patches, share of a patch.")
    far_share: float = Field(0.2, ge=0, le=1, title="Share of far", description="Of the patches that lie anywhere.")
    distance_weight: float = Field(0.5, ge=0, title="Distance", description="Weight of the points' distance.")
    learning_rate: float = Field(2e-3, gt=0, title="Learning rate")
    batch_size_2d: int = Field(3, ge=1, title="Images per step (2D)")
    batch_size_3d: int = Field(2, ge=1, title="Volumes per step (3D)")
    ema: float = Field(0.998, ge=0, lt=1, title="Averaging", description="Decay of the running average of the weights.")


class TrainConfig(_Config):
    """A whole training run.

    Attributes:
        reasons: why it is as it is, a sentence each, where a planner chose.
    """

    preset: str = Field("auto", title="Preset", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,40}$")
    reasons: tuple[str, ...] = Field((), title="Reasons")
    max_minutes: float = Field(5.0, gt=0, title="Minutes", description="The run ends after so many minutes.")
    max_steps: int | None = Field(
        None, ge=1, title="Steps", description="The run ends after so many steps, of all its stages."
    )
    validations: int = Field(20, ge=1, title="Validations", description="How often a stage is judged on its way.")
    patience: int | None = Field(
        None,
        ge=1,
        title="Patience",
        description="End a stage early after so many validations without a smaller error; none: never.",
    )
    seed: int = Field(0, ge=0, title="Seed")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", title="Precision", description="By itself: half where the device is made for it."
    )
    workers: int = Field(
        0, ge=0, le=64, title="Helpers", description="Processes that draw images while the network learns; 0: none."
    )
    balance: float = Field(
        0.5,
        ge=0,
        le=1,
        title="Class balance",
        description="How much oftener images of rare landmarks are seen: 0 not at all, 1 until all are seen alike.",
    )
    frame: FrameConfig = FrameConfig()
    model: ModelConfig = UNetConfig()
    target: TargetConfig = GaussianTargetConfig()
    loss: LossConfig = CrossEntropyConfig()
    decoder: DecoderConfig = DecoderConfig()
    refine: RefineConfig = RefineConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    calibration: CalibrationConfig = CalibrationConfig()

    def changed(self, **changes: Any) -> TrainConfig:
        """A copy with other values, which are checked; TrainingError if they do not fit."""
        from napari_landmarker.engine.train.presets.mistakes import sentence

        try:
            return TrainConfig.model_validate({**dict(self), **changes})
        except ValidationError as error:
            raise TrainingError(f"The configuration is not possible: {sentence(error.errors()[0])}") from error

    @model_validator(mode="after")
    def _parts_fit(self) -> TrainConfig:
        """The network, the target and the loss must speak of the same."""
        points = self.model.answer == "points"
        compares = self.loss.compares
        if points and compares != "points":
            raise ValueError(f"the network answers with points, which the loss '{self.loss.kind}' does not compare")
        if compares == "maps":
            if self.target.kind == "mask" and not self.loss.logits:
                raise ValueError(f"the loss '{self.loss.kind}' needs a target with a width, not a mask")
            if self.loss.kind == "nll" and self.target.kind != "mask":
                raise ValueError("the loss 'nll' needs a mask as its target")
        widths = getattr(self.target, "widths", "fixed")
        if widths == "learned" and self.loss.kind not in ("gaussian_heatmap_l2", "generalized_normal_heatmap"):
            raise ValueError(
                "widths can be learnt with the losses 'gaussian_heatmap_l2' and 'generalized_normal_heatmap' alone: "
                "any other makes them vanish or grow without end"
            )
        if self.model.kind == "cascade" and not (compares == "maps" and self.loss.logits):
            raise ValueError("the first stage of a cascade learns logits: choose the loss 'cross_entropy' or 'nll'")
        return self
