"""Every loss with random inputs, for tests of what all of them promise."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_landmarker.engine.losses import (
    AdaptiveWingLoss,
    EuclideanDistanceVarianceReg,
    GaussianHeatmapL2Loss,
    GeneralizedNormalHeatmapLoss,
    HeatmapCrossEntropyLoss,
    HuberLoss,
    L1Loss,
    L2Loss,
    MultivariateGaussianNLLLoss,
    NLLLoss,
    StarLoss,
    WingLoss,
)

SPACE = {2: (4, 3), 3: (3, 3, 2)}
BATCH, LANDMARKS = 3, 3


@dataclass(frozen=True)
class Case:
    """A loss and its inputs; the last of them is the target, with the images in front."""

    name: str
    make: Callable
    kinds: tuple[str, ...]
    options: dict

    def loss(self, **more):
        return self.make(**self.options, **more)

    def inputs(self, ndim, dtype=torch.float64):
        torch.manual_seed(7 * ndim)
        return [draw(kind, ndim).to(dtype) for kind in self.kinds]

    def without(self, inputs, image=None, landmark=None):
        """The inputs with an image or a landmark taken out."""
        out = []
        for kind, given in zip(self.kinds, inputs, strict=True):
            axes = [image, landmark] if not kind.startswith("own") else [None, landmark]
            shared = kind.startswith("own")
            for axis, chosen in enumerate(axes):
                if chosen is not None:
                    keep = [n for n in range(given.shape[axis - shared]) if n != chosen]
                    given = given.index_select(axis - shared, torch.tensor(keep))
            out.append(given)
        return out


def covariances(*lead, ndim):
    root = torch.randn(*lead, ndim, ndim, dtype=torch.float64)
    return root @ root.mT + torch.diag_embed(torch.arange(1.0, ndim + 1).double()).expand_as(root)


def draw(kind, ndim):
    lead, space = (BATCH, LANDMARKS), SPACE[ndim]
    return {
        "points": lambda: 4 * torch.randn(*lead, ndim, dtype=torch.float64),
        "maps": lambda: torch.randn(*lead, *space, dtype=torch.float64),
        "shares": lambda: 0.1 + 0.8 * torch.rand(*lead, *space, dtype=torch.float64),
        "covariances": lambda: covariances(*lead, ndim=ndim),
        "own covariances": lambda: covariances(LANDMARKS, ndim=ndim),
        "own widths": lambda: 0.5 + torch.rand(LANDMARKS, ndim, dtype=torch.float64),
    }[kind]()


def _cases():
    for name, make in {"L1": L1Loss, "L2": L2Loss, "Huber": HuberLoss}.items():
        yield Case(f"{name} points", make, ("points", "points"), {})
        yield Case(f"{name} maps", make, ("maps", "maps"), {})
    yield Case("Wing", WingLoss, ("points", "points"), {})
    yield Case("AdaptiveWing", AdaptiveWingLoss, ("maps", "shares"), {})
    yield Case("GaussianHeatmapL2", GaussianHeatmapL2Loss, ("maps", "own widths", "maps"), {})
    for kind in ("l2", "l1", "smooth-l1", "bce-with-logits", "bce"):
        predicted = "shares" if kind == "bce" else "maps"
        kinds = (predicted, "own covariances", "shares")
        yield Case(f"GeneralizedNormal {kind}", GeneralizedNormalHeatmapLoss, kinds, {"distance": kind})
    kinds = ("maps", "covariances", "maps")
    yield Case("GeneralizedNormal of images", GeneralizedNormalHeatmapLoss, kinds, {})
    kinds = ("points", "covariances", "points")
    yield Case("EuclideanDistanceVarianceReg", EuclideanDistanceVarianceReg, kinds, {})
    yield Case("MultivariateGaussianNLL", MultivariateGaussianNLLLoss, kinds, {})
    for kind in ("l2", "l1", "smooth-l1"):
        yield Case(f"Star {kind}", StarLoss, kinds, {"distance": kind})
    yield Case("NLL", NLLLoss, ("maps", "shares"), {})
    yield Case("NLL of shares", NLLLoss, ("shares", "shares"), {"apply_softmax": False})
    yield Case("CrossEntropy", HeatmapCrossEntropyLoss, ("maps", "shares"), {})


CASES = list(_cases())
BOTH = [(case, ndim) for case in CASES for ndim in (2, 3)]
IDS = [f"{case.name} {ndim}D" for case, ndim in BOTH]
