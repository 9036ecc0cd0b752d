"""The preset ``auto``: look at a project, a machine and the minutes given, choose a whole configuration and say why."""

from __future__ import annotations

import math

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.heatmap.configs import GaussianTargetConfig
from napari_landmarker.engine.losses.configs import CrossEntropyConfig, L2Config, LossConfig
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.train import reasons
from napari_landmarker.engine.train.config import FrameConfig, OptimiserConfig, RefineConfig, TrainConfig
from napari_landmarker.engine.train.facts import ProjectFacts
from napari_landmarker.engine.train.machine import Machine
from napari_landmarker.engine.train.presets import PRESETS
from napari_landmarker.engine.train.sketch import Sketch, sketches
from napari_landmarker.engine.transforms import AugmentationConfig

#: Minutes of ``auto`` where none are given.
DEFAULT_MINUTES = 15.0
#: The average of the weights reaches back over about so much of a stage: the first or only one, and the second.
AVERAGED, REFINE_AVERAGED = 0.1, 0.3
#: Most of the time that judging may take, and how often a stage is judged at least and at most.
JUDGING, FEWEST, MOST = 0.08, 5, 20
#: Landmarks that are placed in less than this share of the images of the commonest one are rare.
RARE = 0.8


def preset_config(
    name: str, project: Project | None, max_minutes: float | None = None, *, processes: int = 1
) -> TrainConfig:
    """The configuration of a preset.

    Args:
        name: of a preset; ``auto`` plans for the project.
        project: needed by ``auto``.
        max_minutes: the run's limit; by default what the preset says, and `DEFAULT_MINUTES` for ``auto``.
        processes: that are to train together on this machine.

    Raises:
        TrainingError: for an unknown name, or minutes that are not above 0; what `plan_config` raises.
    """
    preset = PRESETS.get(name)
    if preset is None:
        raise TrainingError(f"There is no preset '{name}': choose one of {', '.join(PRESETS)}.")
    if max_minutes is not None:
        _check_minutes(max_minutes)
    if preset.config is not None:
        return preset.config if max_minutes is None else preset.config.changed(max_minutes=max_minutes)
    if project is None:
        raise TrainingError("The preset 'auto' is planned for a project: name one, or choose another preset.")
    return plan_config(project, DEFAULT_MINUTES if max_minutes is None else max_minutes, processes=processes)


def plan_config(
    project: Project,
    max_minutes: float,
    *,
    device: str = "auto",
    memory_bytes: int | None = None,
    processes: int = 1,
) -> TrainConfig:
    """Plan a run for a project: only headers and annotations are read, and nothing is trained.

    Args:
        project: what to learn from.
        max_minutes: the run's limit.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        memory_bytes: what the run may take of the device's memory; by default most of what is free now.
        processes: that are to train together on this machine, each on a device of its own or all on the processor.

    Returns:
        The whole configuration, with a sentence for every choice.

    Raises:
        TrainingError: if there is nothing to learn from, no device of that name, minutes that are not above 0, or too
            little memory for any network.
        ImageError: if an image cannot be read.
    """
    _check_minutes(max_minutes)
    facts = ProjectFacts.of(project)
    return plan(facts, Machine.look(device, memory_bytes, processes), max_minutes)


def plan(facts: ProjectFacts, machine: Machine, max_minutes: float) -> TrainConfig:
    """The configuration for what is known; see `plan_config`."""
    sketch = choose(facts, machine, max_minutes)
    steps = sketch.steps(max_minutes)
    flat = facts.ndim == 2
    decay = _decay(AVERAGED * steps[0])
    refine = _refine(sketch, steps[1])
    validations = _validations(sketch, max_minutes)
    rarity = min(facts.placed.values()) / max(facts.placed.values())
    balance = 0.5 if rarity < RARE else 0.0
    sigma = 1.0 if sketch.stride >= 4 else 1.5
    batch = {"batch_size_2d" if flat else "batch_size_3d": sketch.batch}
    augmentation = AugmentationConfig()
    return TrainConfig(
        preset="auto",
        reasons=(
            reasons.learns_from(facts),
            reasons.frame(sketch),
            reasons.network(sketch, max_minutes),
            reasons.steps(sketch, max_minutes),
            reasons.memory(sketch),
            reasons.target(sketch, sigma),
            *([reasons.refine(sketch)] if sketch.cascade else []),
            reasons.averaging(decay, refine.ema if sketch.cascade else None, validations, facts),
            reasons.precision(machine),
            reasons.balance(facts, balance),
            reasons.augmentation(facts),
        ),
        max_minutes=max_minutes,
        validations=validations,
        precision="bfloat16" if machine.half else "float32",
        workers=machine.workers,
        balance=balance,
        frame=FrameConfig.model_validate({"budget_2d" if flat else "budget_3d": sketch.budget}),
        model=sketch.model,
        target=GaussianTargetConfig(sigma=sigma),
        loss=_loss(facts),
        refine=refine,
        augmentation=augmentation,
        optimiser=OptimiserConfig.model_validate({**batch, "ema": decay}),
    )


def choose(facts: ProjectFacts, machine: Machine, max_minutes: float) -> Sketch:
    """The most that fits into memory and can be learnt in the minutes; else the least that fits into memory.

    Raises:
        TrainingError: if nothing fits into memory.
    """
    least, most_modest = math.inf, None
    for way in sketches(facts, machine):
        if way.fits:
            most_modest = way
            if way.is_enough(max_minutes):
                return way
        least = min(least, way.memory_bytes)
    if most_modest is None:
        needs, may = reasons.size_of(least), reasons.size_of(machine.memory_bytes)
        raise TrainingError(
            f"Training needs about {needs} of memory and may take {may}: close other programs, or train on a computer "
            "with more."
        )
    return most_modest


def _loss(facts: ProjectFacts) -> LossConfig:
    """Maps of one point are a distribution; of several points, values with a peak for each."""
    return CrossEntropyConfig() if facts.instances == 1 else L2Config()


def _refine(sketch: Sketch, steps: int) -> RefineConfig:
    """The second stage: as long as it needs, around points that are wrong by about a pixel of the first one's maps."""
    if not sketch.cascade:
        return RefineConfig()
    flat = sketch.facts.ndim == 2
    wrong_px = (0.575 if flat else 1.2) * sketch.downsample * sketch.stride
    jitter = round(min(0.12, max(0.03, wrong_px / sketch.patch)), 3)
    batch = {"batch_size_2d" if flat else "batch_size_3d": sketch.refine_batch}
    return RefineConfig.model_validate(
        {
            "share": sketch.share,
            "sigma": 1.3 if flat else 2.0,
            "jitter": jitter,
            "distance_weight": 0.4,
            "ema": _decay(REFINE_AVERAGED * steps),
            **batch,
        }
    )


def _decay(steps: float) -> float:
    """The decay of an average over about so many steps."""
    return round(min(0.999, max(0.9, 1 - 1 / max(1.0, steps))), 4)


def _validations(sketch: Sketch, minutes: float) -> int:
    """How often each stage is judged: as often as its share of the time allows."""
    facts = sketch.facts
    rate = 3 * sketch.machine.rate(facts.ndim)  # nothing is learnt, so that it takes a third
    first = facts.n_validation * sketch.elements / rate
    once = first + (first + facts.n_validation * sketch.patch_elements / rate if sketch.cascade else 0.0)
    times = JUDGING * minutes * 60 / max(once, 1e-6)
    return int(min(MOST, max(FEWEST, times)))


def _check_minutes(minutes: float) -> None:
    if not (math.isfinite(minutes) and minutes > 0):
        raise TrainingError(f"The time limit must be a number of minutes above 0, not {minutes:g}.")
