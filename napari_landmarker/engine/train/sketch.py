"""`Sketch`: one way to train for a project on a machine, with what it costs; the planner chooses among several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from napari_landmarker.engine.models.configs import CascadeConfig, UNetConfig
from napari_landmarker.engine.train.cost import (
    BASE_BYTES,
    kept_bytes,
    step_bytes,
    step_seconds,
    unet_elements,
)
from napari_landmarker.engine.train.facts import ProjectFacts
from napari_landmarker.engine.train.frame import NetworkFrame, plan_frame
from napari_landmarker.engine.train.machine import Machine

#: Share of the minutes that steps can have; the rest is judging and saving.
FOR_STEPS = 0.85
#: Seconds to read and draw a pixel of a file, once for every stage.
READ_S = 80e-9
#: How many pixels of a cascade's frame, along each axis, its first stage sees as one.
DOWNSAMPLE = 2
#: An image of less than so many times the pixels of a single network's frame gains nothing by a cascade.
FINER = {2: 2.0, 3: 5.0}
#: Shares of the pixels that are wanted: the best of the first, as sizes are multiples of the network's; and where that
#: still makes the frame larger than wanted by more than `ROOM`, the first of the others that does not.
_NEAR = tuple(1 - 0.01 * step for step in range(13))
_FAR = (0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5)
ROOM = 1.3
#: Patches of a step of a second stage, about; and how many steps it needs at least.
PATCHES = {2: 38, 3: 12}
REFINE_STEPS = {2: 300, 3: 250}


@dataclass(frozen=True)
class Size:
    """How much a network sees of an image, how wide it is, and how long it must learn.

    Attributes:
        budget: pixels of its frame.
        cells: pixels of its maps, about; the stride follows from both.
        features: channels of the U-Net's five levels.
        batch: images of a step.
        steps: fewer are not worth this size: a smaller one learns more in the same time.
    """

    budget: int
    cells: int
    features: tuple[int, int, int, int, int]
    batch: int
    steps: int


#: From the most to the least that is worth training. Fewer pixels seen by a wider network, and more often, were better
#: than more pixels for all runs of minutes that were measured.
_WIDE, _PLAIN, _NARROW = (64, 96, 128, 160, 160), (32, 32, 64, 96, 128), (16, 24, 32, 48, 48)
SIZES: dict[int, tuple[Size, ...]] = {
    2: (
        Size(160_000, 10_000, _WIDE, 8, 900),
        Size(160_000, 10_000, _PLAIN, 8, 700),
        Size(82_000, 5_200, _WIDE, 8, 450),
        Size(82_000, 5_200, _PLAIN, 8, 400),
        Size(50_000, 4_000, (24, 32, 48, 64, 64), 8, 350),
        Size(25_000, 2_500, _NARROW, 8, 250),
        Size(10_000, 2_500, _NARROW, 4, 0),
    ),
    3: (
        Size(1_000_000, 140_000, (32, 64, 96, 128, 160), 2, 8000),
        Size(160_000, 160_000, (16, 32, 64, 96, 128), 2, 4000),
        Size(160_000, 160_000, (8, 16, 32, 64, 96), 2, 400),
        Size(80_000, 80_000, (8, 16, 32, 64, 96), 2, 400),
        Size(40_000, 40_000, (16, 24, 32, 48, 64), 2, 300),
        Size(20_000, 20_000, (8, 16, 24, 32, 32), 2, 200),
        Size(8_000, 8_000, (8, 16, 24, 32, 32), 1, 0),
    ),
}
#: The same for the first stage of a cascade.
STAGED: dict[int, tuple[Size, ...]] = {
    2: (
        Size(160_000, 10_000, _WIDE, 8, 6000),
        Size(82_000, 5_200, _WIDE, 8, 350),
        Size(82_000, 5_200, _PLAIN, 8, 300),
    ),
    3: SIZES[3][:3],
}


@dataclass(frozen=True, eq=False)
class Sketch:
    """One way to train.

    Attributes:
        facts: what there is to learn from.
        machine: what computes.
        size: of the network, or of a cascade's first stage.
        cascade: whether a second stage refines patches of a finer frame.
    """

    facts: ProjectFacts
    machine: Machine
    size: Size
    cascade: bool = False

    # ---- what it is

    @cached_property
    def native(self) -> int:
        """Pixels of the images as they are, in one frame."""
        return math.prod(plan_frame(self.facts.grids, 2**62, 1).shape)

    @cached_property
    def wanted(self) -> int:
        """Pixels that the frame would have, if sizes were no multiples; of a cascade, the fine one."""
        ndim = self.facts.ndim
        if not self.cascade:
            return self.size.budget
        return min(self.native, int(self.size.budget * DOWNSAMPLE**ndim))

    @cached_property
    def budget(self) -> int:
        """Pixels that the frame is told to have: a little fewer than wanted, where sizes being multiples is dear."""
        most = min(self.wanted, self.native)
        near = {budget: self._made(budget) for budget in (max(1, int(most * share)) for share in _NEAR)}
        best = min(near, key=lambda budget: (near[budget], -budget))
        for share in _FAR:
            if near.get(best, 0) <= ROOM * self.wanted:
                break
            best = max(1, int(most * share))
            near[best] = self._made(best)
        return best

    def _made(self, budget: int) -> int:
        """Pixels of the frame that a budget makes."""
        return math.prod(plan_frame(self.facts.grids, budget, self.model.multiple(self.facts.ndim)).shape)

    @property
    def downsample(self) -> int:
        """Pixels of the frame, along each axis, that the first stage sees as one."""
        return DOWNSAMPLE if self.cascade else 1

    @cached_property
    def stride(self) -> int:
        """Pixels that the network sees per pixel of its maps, along each axis."""
        ndim = self.facts.ndim
        seen = min(self.wanted, self.native) / self.downsample**ndim
        return next(s for s in (1, 2, 4, 8, 16) if seen / s**ndim <= 1.3 * self.size.cells or s == 16)

    @property
    def patch(self) -> int:
        """Width of a second stage's patches, pixels of the frame."""
        if self.facts.ndim == 3:
            return 32
        return 64 if self.downsample * self.stride <= 8 else 128

    @cached_property
    def model(self) -> UNetConfig | CascadeConfig:
        """The network."""
        flat = self.facts.ndim == 2
        axes = "2d" if flat else "3d"
        unet = UNetConfig.model_validate({f"features_{axes}": self.size.features, f"stride_{axes}": self.stride})
        if not self.cascade:
            return unet
        return CascadeConfig.model_validate(
            {"coarse": unet, f"downsample_{axes}": self.downsample, f"patch_{axes}": self.patch}
        )

    @cached_property
    def frame(self) -> NetworkFrame:
        """In which images are drawn, the fine one of a cascade."""
        return plan_frame(self.facts.grids, self.budget, self.model.multiple(self.facts.ndim))

    @property
    def batch(self) -> int:
        """Images of a step."""
        return min(self.size.batch, self.facts.n_train)

    @property
    def refine_batch(self) -> int:
        """Images of a step of a second stage, of which every landmark has a patch."""
        wanted = round(PATCHES[self.facts.ndim] / self.facts.landmarks)
        return max(1, min(wanted, self.size.batch, self.facts.n_train))

    # ---- what it costs

    @property
    def cells(self) -> float:
        """Pixels of the maps, the first stage's of a cascade."""
        return float(math.prod(self.frame.shape) / float(self.downsample * self.stride) ** self.facts.ndim)

    @cached_property
    def elements(self) -> float:
        """Activations of an image; a pixel of a map that is compared counts as half of one."""
        return unet_elements(self.size.features, self.cells, self.facts.ndim) + 0.5 * self.facts.landmarks * self.cells

    @cached_property
    def patch_elements(self) -> float:
        """Activations of an image in the second stage."""
        flat, ndim = self.facts.ndim == 2, self.facts.ndim
        config = CascadeConfig()
        features = config.features_2d if flat else config.features_3d
        return self.facts.landmarks * unet_elements(features, self._patch_cells, ndim)

    @property
    def _patch_cells(self) -> float:
        config = CascadeConfig()
        stride = config.patch_stride_2d if self.facts.ndim == 2 else config.patch_stride_3d
        return float((self.patch / stride) ** self.facts.ndim)

    @cached_property
    def step_s(self) -> float:
        """Seconds of a step of the network, or of a cascade's first stage."""
        ndim = self.facts.ndim
        drawn = self.batch * math.prod(self.frame.shape) / self.downsample**ndim / max(1, self.machine.workers)
        return step_seconds(self.batch * self.elements, drawn, self.machine.rate(ndim), ndim)

    @cached_property
    def refine_step_s(self) -> float:
        """Seconds of a step of the second stage; 0 without one."""
        if not self.cascade:
            return 0.0
        size, ndim = self.refine_batch, self.facts.ndim
        drawn = size * math.prod(self.frame.shape) / max(1, self.machine.workers)
        return step_seconds(size * self.patch_elements, drawn, self.machine.rate(ndim), ndim)

    @cached_property
    def memory_bytes(self) -> float:
        """Most memory that a step takes, and what lies beside it: of all processes that share this memory."""
        facts, ndim, processes = self.facts, self.facts.ndim, self.machine.processes
        share, refine_share = -(-self.batch // processes), -(-self.refine_batch // processes)
        first = step_bytes(share * self.elements, share * self.cells, facts.landmarks)
        second = 0.0
        if self.cascade:
            patches = refine_share * facts.landmarks
            second = step_bytes(refine_share * self.patch_elements, patches * self._patch_cells, 1)
            # the regions around them, and the whole numbers that say where each pixel comes from
            second += patches * (2 * self.patch) ** ndim * (8 * facts.channels + 8)
        if self.machine.device == "cuda":  # each has a card of its own, and images lie elsewhere
            return BASE_BYTES + max(first, second)
        images = facts.n_train + facts.n_validation
        return processes * (
            BASE_BYTES + max(first, second) + kept_bytes(images, facts.channels, self.frame.shape, processes)
        )

    # ---- what comes of it

    def steps(self, minutes: float) -> tuple[int, int]:
        """How many steps of the first and of the second stage fit into the minutes, about."""
        left = self._seconds(minutes)
        return int(left * (1 - self.share) / self.step_s), int(left * self.share / max(self.refine_step_s, 1e-9))

    @cached_property
    def share(self) -> float:
        """Of the run, for the second stage: as both stages need it; 0 without one."""
        if not self.cascade:
            return 0.0
        first, second = self.size.steps * self.step_s, REFINE_STEPS[self.facts.ndim] * self.refine_step_s
        return round(min(0.65, max(0.55, second / (first + second))), 2)

    def is_enough(self, minutes: float) -> bool:
        """Whether the minutes are enough for this way to be better than a smaller one."""
        first, second = self.steps(minutes)
        return first >= self.size.steps and (not self.cascade or second >= REFINE_STEPS[self.facts.ndim])

    @property
    def fits(self) -> bool:
        """Whether the memory is enough."""
        return self.memory_bytes <= self.machine.memory_bytes

    @property
    def may_be_cascade(self) -> bool:
        """Whether images are fine enough for a second stage, and every landmark is one point."""
        return self.facts.instances == 1 and self.native >= FINER[self.facts.ndim] * self.size.budget

    def _seconds(self, minutes: float) -> float:
        images = self.facts.n_train + self.facts.n_validation
        reading = READ_S * images * math.prod(self.facts.size) * (2 if self.cascade else 1)
        return max(FOR_STEPS * minutes * 60 - reading, 0.25 * minutes * 60)


def sketches(facts: ProjectFacts, machine: Machine) -> Iterator[Sketch]:
    """All ways worth thinking of, from the most to the least costly.

    Where images are fine enough, a second stage comes before a wider network; fewer images in a step come before a
    smaller network.
    """
    single = [Sketch(facts, machine, size) for size in SIZES[facts.ndim]]
    staged = [Sketch(facts, machine, size, cascade=True) for size in STAGED[facts.ndim]]
    staged = [sketch for sketch in staged if sketch.may_be_cascade]
    for sketch in (*staged, *single):
        # beside two stages, one that sees more is no alternative
        if staged and not sketch.cascade and sketch.size.budget > staged[-1].size.budget:
            continue
        yield sketch
        if sketch.size.batch > 1:
            yield replace(sketch, size=replace(sketch.size, batch=sketch.size.batch // 2))
    smallest = single[-1].size
    if smallest.batch > 2:
        yield Sketch(facts, machine, replace(smallest, batch=1))
