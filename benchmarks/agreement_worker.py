"""Computes the values of `engine_agreement.py` for one package, named by its import path.

Runs in either environment. Writes the results of every case to an .npz file; prints which cases it has as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

SPACES = {"2D": (40, 52), "3D": (18, 22, 26)}


def points(space: tuple[int, ...], *lead: int) -> Tensor:
    """Random points well inside a map."""
    size = torch.tensor(space, dtype=torch.float32)
    return size * (0.25 + 0.5 * torch.rand(*lead, len(space)))


def generators(package: str) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Heatmaps of all kinds. Laplacian maps of the reference are 2D only."""
    module = importlib.import_module(f"{package}.heatmap")
    for dims, space in SPACES.items():
        ndim = len(space)
        at, many = points(space, 3, 4), points(space, 3, 4, 2)
        widths = 1.5 + torch.rand(4, ndim) * 3
        angles = torch.rand(4) * 3 if ndim == 2 else torch.rand(4, 3)
        turn = torch.linalg.qr(torch.randn(ndim, ndim))[0] * 1.3
        options = {
            "one width": {"sigmas": 3.0},
            "width per landmark and axis": {"sigmas": widths},
            "gamma": {"sigmas": 2.0, "gamma": 100.0},
            "rotation": {"sigmas": widths, "rotation": angles},
            "background": {"sigmas": 3.0, "background": True},
            "all points": {"sigmas": 3.0, "all_points": True},
            "whole pixels": {"sigmas": 2.5, "continuous": False},
            "width per axis": {"sigmas": [1.5, 2.5, 3.5][:ndim]},
            "gamma and rotation": {"sigmas": widths, "rotation": angles, "gamma": 100.0},
        }
        kinds = ["Gaussian", "Laplacian"] if ndim == 2 else ["Gaussian"]
        for kind in kinds:
            maker = getattr(module, f"{kind}HeatmapGenerator")
            for name, given in options.items():
                generator = maker(4, heatmap_size=space, **given)
                yield f"{kind} {dims}, {name}", lambda generator=generator, at=at: generator(at)
            generator = maker(4, sigmas=2.0, heatmap_size=space)
            yield f"{kind} {dims}, two instances", lambda generator=generator, many=many: generator(many)
            square = maker(ndim, sigmas=[1.5, 2.5, 3.5][:ndim], heatmap_size=space)
            yield (
                f"{kind} {dims}, width per axis, as many landmarks",
                lambda generator=square, at=at[:, :ndim]: generator(at),
            )
            generator = maker(4, sigmas=2.0, heatmap_size=space, learnable=True)
            yield f"{kind} {dims}, gradient of sigmas", lambda generator=generator, at=at: gradient(generator, at)
            affine = torch.eye(4)
            affine[:ndim, :ndim] = turn
            yield (
                f"{kind} {dims}, affine of the image",
                lambda generator=generator, at=at, affine=affine: generator(at, affine),
            )


def gradient(generator: torch.nn.Module, at: Tensor) -> Tensor:
    """How the mean square of maps changes with the widths."""
    with torch.enable_grad():
        return torch.autograd.grad(generator(at).square().mean() * 1e3, generator.sigmas)[0]


def decoders(package: str) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Coordinates and covariances of random maps."""
    module = importlib.import_module(f"{package}.heatmap")
    for dims, space in SPACES.items():
        ndim = len(space)
        noise = torch.randn(3, 4, *space)
        positive = torch.rand(3, 4, *space)
        blobs = module.GaussianHeatmapGenerator(4, sigmas=2.5, heatmap_size=space)(points(space, 3, 4))
        blobs = blobs.detach() + 0.01 * torch.rand(3, 4, *space)
        yield f"coord_argmax {dims}", lambda m=noise, d=ndim: module.coord_argmax(m, spatial_dims=d).float()
        for activation in ("softmax", "ReLU", "sigmoid", None):
            maps = positive if activation is None else noise
            options = {"spatial_dims": ndim, "activation": activation}
            yield (
                f"coord_weighted_spatial_mean {dims}, {activation}",
                lambda m=maps, o=options: module.coord_weighted_spatial_mean(m, **o),
            )
            for part, index in (("mean", 0), ("covariance", 1)):
                yield (
                    f"coord_weighted_spatial_mean_cov {dims}, {activation}, {part}",
                    lambda m=maps, o=options, i=index: module.coord_weighted_spatial_mean_cov(m, **o)[i],
                )
        yield (
            f"coord_local_soft_argmax {dims}, inside",
            lambda m=blobs, d=ndim: module.coord_local_soft_argmax(m, spatial_dims=d),
        )
        means = [f"weighted_spatial_mean{activation}" for activation in ("", "_relu", "_sigmoid")]
        for method in ("soft_argmax", *means):
            yield (
                f"heatmap_to_coord {dims}, {method}",
                lambda m=positive, d=ndim, k=method: module.heatmap_to_coord(m, method=k, spatial_dims=d),
            )
            for part, index in (("mean", 0), ("covariance", 1)):
                yield (
                    f"heatmap_to_coord_cov {dims}, {method}, {part}",
                    lambda m=positive, d=ndim, k=method, i=index: module.heatmap_to_coord_cov(m, k, False, d)[i],
                )
        for method in ("argmax", "local_soft_argmax"):
            yield (
                f"heatmap_to_coord {dims}, {method}, without the first channel",
                lambda m=blobs, d=ndim, k=method: module.heatmap_to_coord(m, 1, k, d).float(),
            )


def windows(package: str) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Decoding about given points and maxima, well inside; windows and least squares of the reference are 2D only."""
    module = importlib.import_module(f"{package}.heatmap")
    local = importlib.import_module(f"{package}.heatmap.decoder" if package == "landmarker" else f"{package}.heatmap")
    for dims, space in SPACES.items():
        ndim = len(space)
        centres, covariances = points(space, 3, 4), torch.tensor([[1.5, 2.0, 2.5][:ndim]] * 4)
        clean = module.GaussianHeatmapGenerator(4, covariances, rotation=0.5, heatmap_size=space)(centres).detach()
        maps = clean + 0.01 * torch.rand(3, 4, *space)
        exact = maps.double(), centres.double()  # in single precision the reference loses the fifth digit
        for activation in ("softmax", "ReLU", "sigmoid", None):
            options = {"spatial_dims": ndim, "activation": activation}
            yield (
                f"coord_local_weighted {dims}, {activation}",
                lambda m=maps, o=options: local.coord_local_weighted(m, 7, **o),
            )
            yield (
                f"weighted_sample_cov {dims}, {activation}",
                lambda m=exact[0], c=exact[1], o=options: module.weighted_sample_cov(m, c, **o),
            )
            if ndim == 2:
                # The reference's windows are right for one item, about whole pixels in the first half of a map.
                near = (torch.rand(1, 4, 2) * torch.tensor([15, 20]) + 4).floor()
                yield (
                    f"windowed_weigthed_sample_cov {dims}, {activation}",
                    lambda m=maps[:1], c=near, o=options: module.windowed_weigthed_sample_cov(m, c, **o),
                )
        if ndim == 3:
            continue
        scaled = clean * 50
        gamma = 50 * 2 * torch.pi * 1.5 * 2.0
        yield (
            f"cov_from_gaussian_ls {dims}",
            lambda m=clean[:1], c=centres[:1]: module.cov_from_gaussian_ls(m, c),
        )
        yield (
            f"cov_from_gaussian_ls {dims}, gamma",
            lambda m=scaled[:1], c=centres[:1], g=gamma: module.cov_from_gaussian_ls(m, c, g),
        )
        for part, index in (("mean", 0), ("covariance", 1)):
            yield (
                f"coord_cov_from_gaussian_ls {dims}, {part}",
                lambda m=clean[:1], i=index: module.coord_cov_from_gaussian_ls(m)[i],
            )


def peaks(package: str) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Several instances, as far from each other and from the border as the reference needs; there 2D only."""
    module = importlib.import_module(f"{package}.heatmap")
    corners = torch.cartesian_prod(torch.tensor([8.0, 20.0, 30.0]), torch.tensor([8.0, 22.0, 36.0]))
    centres = (corners + torch.rand(2, 3, 9, 2) * 4)[:, :, torch.randperm(9)]
    maps = module.GaussianHeatmapGenerator(3, 1.6, heatmap_size=(40, 52))(centres)
    maps = maps * torch.linspace(0.6, 1.0, 40)[:, None] * torch.linspace(0.8, 1.0, 52)
    yield (
        "heatmap_to_multiple_coord 2D",
        lambda: stacked(module.heatmap_to_multiple_coord(maps, 5, 0.3, "argmax")[0]),
    )
    yield (
        "heatmap_to_multiple_coord 2D, scores",
        lambda: torch.tensor(module.heatmap_to_multiple_coord(maps, 5, 0.3, "argmax")[1]),
    )
    yield (
        "heatmap_to_multiple_coord 2D, one map",
        lambda: torch.stack(module.heatmap_to_multiple_coord(maps[0, 0], 7, 0.5, "argmax")[0]),
    )


def stacked(nested: list[list[list[Tensor]]]) -> Tensor:
    """Lists of as many points each as a tensor."""
    return torch.stack([torch.stack([torch.stack(found) for found in row]) for row in nested])


def metrics(package: str) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Errors where nothing is missing."""
    module = importlib.import_module(f"{package}.metrics")
    for dims, space in SPACES.items():
        truth, predicted = points(space, 5, 7), points(space, 5, 7)
        spacing = 0.2 + torch.rand(5, len(space))
        options = {"pixel_spacing": spacing, "reduction": "none"}
        yield (
            f"point_error {dims}, mm",
            lambda t=truth, p=predicted, o=options: torch.as_tensor(module.point_error(t, p, **o)),
        )
        yield (
            f"sdr {dims}, mm",
            lambda t=truth, p=predicted, s=spacing: torch.as_tensor(module.sdr(4.0, t, p, pixel_spacing=s)),
        )
        original = torch.tensor(space) * torch.tensor([[2.0], [3.0], [1.0], [4.0], [2.0]])
        frame = (space, original, spacing, None)
        for reduction in ("mean", "nanmean"):
            yield (
                f"point_error {dims}, frame of the network, {reduction}",
                lambda t=truth, p=predicted, f=frame, r=reduction: torch.as_tensor(module.point_error(t, p, *f, r)),
            )
        yield (
            f"sdr {dims}, several radii",
            lambda t=truth, p=predicted, f=frame: torch.tensor(list(module.sdr([2, 4.5, 9], t, p, *f).values())),
        )


def reports(package: str) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Several instances that are paired without a doubt, and the numbers of the reports, where nothing is missing."""
    module = importlib.import_module(f"{package}.metrics.metrics" if package == "landmarker" else f"{package}.metrics")
    figures = importlib.import_module(f"{package}.visualize" + (".evaluation" if package == "landmarker" else ""))
    for dims, space in SPACES.items():
        ndim = len(space)
        grid = torch.cartesian_prod(*[torch.tensor([5.0, 12.0])] * ndim)
        truth = grid + torch.rand(3, 2, len(grid), ndim)
        moved = truth + 0.5 * torch.randn(3, 2, len(grid), ndim).clamp(-2, 2)
        order = torch.randperm(len(grid))
        spacing = 0.5 + torch.rand(3, ndim)
        given = (truth, moved[:, :, order], space, torch.tensor([space] * 3) * 2.0, spacing, None)
        for number, part in enumerate(("error", "true positives", "false positives", "false negatives", "matched")):
            for reduction in ("mean", "none"):
                yield (
                    f"multi_instance_point_error {dims}, {part}, {reduction}",
                    lambda g=given, i=number, r=reduction: torch.as_tensor(module.multi_instance_point_error(*g, r)[i]),
                )
        few = [[list(moved[b, c, order[:3]]) for c in range(2)] for b in range(3)]
        yield (
            f"multi_instance_point_error {dims}, too few predictions",
            lambda t=truth, p=few: torch.tensor(module.multi_instance_point_error(t, p)[:4]),
        )
        # The reference's rates are right where all images have the same spacing.
        single = (truth[:, :, 0], moved[:, :, 0], *given[2:4], spacing[:1].expand(3, ndim), None)
        yield (
            f"detection_report {dims}",
            lambda s=single: numbers(figures.detection_report(*s, ["a", "b"], [0.5, 1.0], output_dict=True)),
        )
        counts = (torch.full((3, 2), 3.0), torch.full((3, 2), 1.0), torch.full((3, 2), 2.0))
        several = (truth, moved, *counts, *given[2:], ["a", "b"])
        yield (
            f"multi_instance_detection_report {dims}",
            lambda s=several: numbers(
                figures.multi_instance_detection_report(*s, [0.5, 1.0], output_dict=True), "TP", "FP", "FN", "TPR"
            ),
        )


def numbers(report: dict[str, dict[str, object]], *more: str) -> Tensor:
    """The numbers of a report that both sides know."""
    keys = ("Mean", "Median", "Std", "Min", "Max", *more)
    rows = [[float(row[key]) for key in keys] + list(row["SDR"].values()) for row in report.values()]
    return torch.tensor(rows, dtype=torch.float64)


def losses(package: str) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Losses where nothing is missing; of the reference a wing loss in one dimension each, and stars of one point."""
    module = importlib.import_module(f"{package}.losses")
    for dims, space in SPACES.items():
        ndim = len(space)
        maps, target, widths = torch.rand(3, 4, *space), torch.rand(3, 4, *space), 1.5 + torch.rand(4, ndim) * 3
        predicted, truth = points(space, 3, 4), points(space, 3, 4)
        turn = torch.linalg.qr(torch.randn(3, 4, ndim, ndim))[0]
        spread = turn @ torch.diag_embed(1 + 8 * torch.rand(3, 4, ndim)) @ turn.mT
        named = {"spatial_dims": ndim}
        cases = {"GaussianHeatmapL2Loss": (named, (maps, widths, target))}
        for kind in ("l2", "l1", "smooth-l1", "bce-with-logits", "bce"):
            cases[f"GeneralizedNormalHeatmapLoss, {kind}"] = ({"distance": kind}, (maps, spread[0], target))
        for kind in ("l2", "l1", "smooth-l1"):
            cases[f"StarLoss, {kind}"] = (
                named | {"distance": kind},
                (predicted[:1, :1], spread[:1, :1], truth[:1, :1]),
            )
        for reduction in ("mean", "sum", "none"):
            options = named | {"reduction": reduction}
            cases[f"EuclideanDistanceVarianceReg, {reduction}"] = (options, (predicted, spread, truth))
            cases[f"MultivariateGaussianNLLLoss, {reduction}"] = (options, (predicted, spread, truth))
            cases[f"NLLLoss, {reduction}"] = (options, (maps, target))
            cases[f"NLLLoss of probabilities, {reduction}"] = (options | {"apply_softmax": False}, (maps, target))
            wing = ("WingLoss", (predicted, truth)) if ndim == 3 else ("AdaptiveWingLoss", (maps, target))
            cases[f"{wing[0]}, {reduction}"] = (options, wing[1])
        for name, (options, given) in cases.items():
            loss = getattr(module, name.split(",")[0].split(" ")[0])(**options)
            yield f"{name} {dims}", lambda loss=loss, given=given: loss(*given)
        stacked = module.StackedLoss(module.NLLLoss, spatial_dims=ndim)
        yield f"StackedLoss {dims}", lambda loss=stacked, m=maps, t=target: loss([m, m.flip(0)], t)


def main() -> None:
    """Compute every case."""
    package, target = sys.argv[1:]
    values = {}
    for family in (generators, decoders, windows, peaks, metrics, reports, losses):
        torch.manual_seed(11)
        for name, work in family(package):
            values[name] = work().detach().double().numpy()
    np.savez(target, **values)
    sys.stdout.write(json.dumps(list(values)) + "\n")


if __name__ == "__main__":
    main()
