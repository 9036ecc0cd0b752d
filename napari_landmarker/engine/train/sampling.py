"""Which images a step sees: an order without end that a run can take up again at any step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset, Sampler

from napari_landmarker.engine.data import LandmarkDataset

#: An image of rare landmarks is seen at most so many times as often as any other.
MOST = 8.0


class StepSampler(Sampler[list[tuple[int, int]]]):
    """Batches of ``(index, visit)`` for step after step.

    The order is a function of the seed alone: each round goes through all images in a new order, those of larger
    weight more than once. One iteration ends when `until` says so; the next goes on where it ended.

    Args:
        weights: how often each image is to be seen, relative to the others, ``(N,)``.
        batch_size: images of a step, of all processes together.
        seed: of the order.
        step: with which step to begin.
        until: asked before each step; True ends the iteration. At least one step is taken.
        rank: which of several processes this is.
        world: how many processes share each step.
    """

    def __init__(
        self,
        weights: npt.NDArray[np.float64],
        batch_size: int,
        seed: int,
        step: int,
        until: Callable[[], bool],
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.weights, self.batch_size, self.seed = weights, batch_size, seed
        self.step, self.until, self.rank, self.world = step, until, rank, world

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        first = True
        while first or not self.until():
            first = False
            keys = self.batch(self.step)
            self.step += 1
            yield keys[self.rank :: self.world]

    def batch(self, step: int) -> list[tuple[int, int]]:
        """What a step sees; ``visit`` is different every time an image is seen."""
        size, wanted = len(self.weights), range(step * self.batch_size, (step + 1) * self.batch_size)
        rounds = {place // size: self.round(place // size) for place in wanted}
        return [(int(rounds[place // size][place % size]), place) for place in wanted]

    def round(self, number: int) -> npt.NDArray[np.int64]:
        """The order of one round, as long as there are images."""
        rng = np.random.default_rng((self.seed, number))
        size = len(self.weights)
        often = self.weights / self.weights.sum() * size
        times = np.floor(often + 1e-9).astype(np.int64)
        rest = np.maximum(often - times, 0.0)
        left = size - int(times.sum())
        if left:
            keys = rng.random(size) ** (1 / np.maximum(rest, 1e-12))  # drawn without repetition, by the remainders
            times[np.argsort(keys)[::-1][:left]] += 1
        return rng.permutation(np.repeat(np.arange(size), times))


def image_weights(present: npt.NDArray[np.bool_], balance: float) -> npt.NDArray[np.float64]:
    """How often each image is to be seen, so that rare landmarks are not forgotten.

    Args:
        present: which landmarks are placed in which image, ``(N, L)``.
        balance: 0 sees all images alike, 1 an image as much oftener as its rarest landmark is rare, up to `MOST`.

    Returns:
        ``(N,)``, 1 for an image of common landmarks.
    """
    share = present.mean(axis=0)
    rarity = np.where(share > 0, share.max(initial=0.0) / np.maximum(share, 1e-12), 1.0)
    rarest = np.where(present, rarity, 1.0).max(axis=1, initial=1.0)
    return np.asarray(np.minimum(rarest, MOST) ** balance, dtype=np.float64)


class Visited(Dataset[dict[str, Any]]):
    """A dataset whose chance is told by the key: ``(index, visit)``."""

    def __init__(self, dataset: LandmarkDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        return self.dataset.visit(*key)
