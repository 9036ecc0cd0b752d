"""What a training run can be told: one model for the form, the command line, the file on disk and the docs."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.models.configs import UNetConfig
from napari_landmarker.engine.transforms import AugmentationConfig


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FrameConfig(_Config):
    """How finely the network sees an image."""

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


class HeatmapConfig(_Config):
    """What the maps should look like, and how they are read."""

    sigma: float = Field(1.5, gt=0, title="Width", description="Standard deviation of the target, heatmap pixels.")
    window: int = Field(3, ge=1, title="Window", description="Half width of the window that is read, heatmap pixels.")


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


class TrainConfig(_Config):
    """A whole training run."""

    preset: str = Field("fast", title="Preset")
    max_minutes: float = Field(5.0, gt=0, title="Minutes", description="The run ends after so many minutes.")
    max_steps: int | None = Field(None, ge=1, title="Steps", description="The run ends after so many steps.")
    validations: int = Field(20, ge=1, title="Validations", description="How often the run is judged on its way.")
    seed: int = Field(0, ge=0, title="Seed")
    frame: FrameConfig = FrameConfig()
    model: UNetConfig = UNetConfig()
    heatmap: HeatmapConfig = HeatmapConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    optimiser: OptimiserConfig = OptimiserConfig()


class Preset(_Config):
    """A ready configuration with a line that says when to choose it."""

    name: str
    title: str
    description: str
    config: TrainConfig


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="fast",
            title="Fast",
            description="A first model in a few minutes, also without a graphics card. Good for trying out.",
            config=TrainConfig(preset="fast", max_minutes=4.0),
        ),
        Preset(
            name="accurate",
            title="Accurate",
            description="Sees finer detail with a larger network. Choose it for work, with half an hour or more.",
            config=TrainConfig(
                preset="accurate",
                max_minutes=30.0,
                frame=FrameConfig(budget_2d=400_000, budget_3d=600_000),
                model=UNetConfig(features_2d=(64, 64, 96, 128, 160), features_3d=(32, 32, 64, 96, 128), dropout=0.1),
                optimiser=OptimiserConfig(ema=0.998),
            ),
        ),
    )
}


def preset_config(name: str, max_minutes: float | None = None) -> TrainConfig:
    """The configuration of a preset.

    Raises:
        TrainingError: if there is no preset of that name, or the minutes are not positive.
    """
    if name not in PRESETS:
        raise TrainingError(f"There is no preset '{name}': choose one of {', '.join(PRESETS)}.")
    if max_minutes is None:
        return PRESETS[name].config
    if not 0 < max_minutes < float("inf"):
        raise TrainingError(f"A run of {max_minutes:g} minutes is not possible: give a number above 0.")
    return PRESETS[name].config.model_copy(update={"max_minutes": float(max_minutes)})
