"""Why the planner chose as it did: one sentence for each choice, with the figures, in words that a clinician knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from napari_landmarker.engine.train.facts import ProjectFacts
from napari_landmarker.engine.train.machine import Machine
from napari_landmarker.engine.train.sketch import FINER, Sketch


def learns_from(facts: ProjectFacts) -> str:
    """What there is to learn from."""
    judged = (
        f"and is judged on {_count(facts.n_validation, 'other')}"
        if facts.n_validation
        else "and is judged on none, as there are too few to hold some out"
    )
    return f"The model learns {_count(facts.landmarks, 'landmark')} from {_count(facts.n_train, 'image')} {judged}."


def frame(sketch: Sketch) -> str:
    """How finely images are seen."""
    facts, shape = sketch.facts, times(sketch.frame.shape)
    own, unit = times(facts.size), "pixels" if facts.ndim == 2 else "voxels"
    colour = "colour " if facts.channels == 3 else ""
    if sketch.frame.spacing_mm is not None:
        native = f" at {facts.spacing_mm:.3g} mm" if facts.spacing_mm is not None else ""
        return (
            f"The {colour}images have about {own} {unit}{native}, and the network sees them at "
            f"{sketch.frame.spacing_mm:.3g} mm per pixel in a frame of {shape}."
        )
    missing = len(facts.grids) - facts.spaced
    who = "no image states" if missing == len(facts.grids) else f"{missing} of {len(facts.grids)} images do not state"
    return (
        f"The {colour}images have about {own} {unit} and {who} a spacing, so that each is fitted into a frame of "
        f"{shape} and errors are counted in pixels."
    )


def network(sketch: Sketch, minutes: float) -> str:
    """Which network, and why no other."""
    facts, size = sketch.facts, sketch.size
    channels = f"{size.features[0]} to {max(size.features)} channels"
    if sketch.cascade:
        ratio = sketch.native / (sketch.cells * sketch.stride**facts.ndim)
        return (
            f"Two stages, coarse to fine: the images have {ratio:,.1f} times the pixels that a network of {channels} "
            f"can look at as a whole, so a second one refines each landmark in a patch {sketch.patch} pixels wide."
        )
    one = f"One U-Net of {channels} looks at the whole image"
    if facts.instances > 1:
        return f"{one}, as a landmark may have up to {facts.instances} points, which a second stage cannot tell apart."
    if sketch.native < FINER[facts.ndim] * size.budget:
        return f"{one}: it sees most of the {_large(sketch.native)} pixels there are, so a second stage gains nothing."
    if not replace(sketch, cascade=True).fits:
        return f"{one}: a second stage would not fit into the {size_of(sketch.machine.memory_bytes)} of memory."
    short = f"{_minutes(minutes)} on {sketch.machine.words} {'is' if minutes == 1 else 'are'} too short"
    return f"{one}: {short} for a second stage to help."


def steps(sketch: Sketch, minutes: float) -> str:
    """How much can be learnt in the time."""
    first, second = sketch.steps(minutes)
    machine = sketch.machine.words
    images = _count(sketch.batch, "image")
    if sketch.cascade:
        return (
            f"In {_minutes(minutes)} on {machine} about {_large(first)} steps of {images} fit into the first stage and "
            f"{_large(second)} steps of {_count(sketch.refine_batch, 'image')} into the second."
        )
    few = (
        ""
        if first >= max(sketch.size.steps, 200)
        else ", which is little: give it more minutes for a model to be relied upon"
    )
    return f"In {_minutes(minutes)} on {machine} about {_large(first)} steps of {images} fit{few}."


def memory(sketch: Sketch) -> str:
    """That it fits."""
    return (
        f"A step needs about {size_of(sketch.memory_bytes)} of the {size_of(sketch.machine.memory_bytes)} it may take."
    )


def target(sketch: Sketch, sigma: float) -> str:
    """What the network is to draw."""
    facts = sketch.facts
    pixel = f"{sketch.stride * sketch.downsample} pixels" if sketch.stride * sketch.downsample > 1 else "one pixel"
    bell = f"a bell with a standard deviation of {sigma:g} map pixel{'' if sigma == 1 else 's'}"
    drawn = f"Each pixel of the maps stands for {pixel} of the frame along each axis, and a landmark is drawn as {bell}"
    if facts.instances > 1:
        return f"{drawn}, one for each of its up to {facts.instances} points."
    return f"{drawn}, which says how likely it lies where."


def refine(sketch: Sketch) -> str:
    """How the time is shared between the stages."""
    return (
        f"The second stage has {sketch.share:.0%} of the time, as its steps take {sketch.refine_step_s:.2g} s and "
        f"those of the first {sketch.step_s:.2g} s."
    )


def averaging(decay: float, refine: float | None, validations: int, facts: ProjectFacts) -> str:
    """What is kept, and how often it is looked at."""
    kept = f"The last {1 / (1 - decay):.0f} or so steps are averaged (decay {decay:g})"
    if refine is not None:
        kept += f", in the second stage the last {1 / (1 - refine):.0f} (decay {refine:g})"
    if not facts.n_validation:
        return f"{kept}, and the last of these averages is kept, as no images are held out."
    return f"{kept}, and of {validations} such averages the best on held-out images is kept."


def precision(machine: Machine) -> str:
    """In which precision it computes."""
    if machine.half:
        return f"It computes in half precision (bfloat16), for which {_this(machine)} has units of its own."
    return f"It computes in single precision (float32), as half precision would not be faster on {_this(machine)}."


def balance(facts: ProjectFacts, weight: float) -> str:
    """Whether rare landmarks are seen oftener."""
    rarest = min(facts.placed, key=lambda name: facts.placed[name])
    count, most = facts.placed[rarest], max(facts.placed.values())
    if count == most:
        return f"Every landmark is placed in as many images ({most}), so all images are seen alike."
    if weight:
        return f"'{rarest}' is placed in {count} images and others in {most}, so images that show it are seen oftener."
    return f"Every landmark is placed in {count} to {most} of the images, so all images are seen alike."


def augmentation(facts: ProjectFacts) -> str:
    """How images are changed, and that they are not mirrored."""
    known = (
        f", though {_count(facts.pairs, 'left-right pair')} would allow it (augmentation: flip)" if facts.pairs else ""
    )
    return (
        f"Images are turned, scaled, bent, recoloured and covered at their edges at random, and never mirrored{known}."
    )


def size_of(count: float) -> str:
    """Bytes for a person."""
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"


def times(shape: Sequence[int]) -> str:
    """A shape for a person, in array order."""
    return " x ".join(str(n) for n in shape)


def _this(machine: Machine) -> str:
    return "this processor" if machine.device == "cpu" else "this graphics card"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _large(number: int) -> str:
    return f"{number:,}"


def _minutes(minutes: float) -> str:
    return f"{minutes:g} minute" + ("" if minutes == 1 else "s")
