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
        }
        kinds = ["Gaussian", "Laplacian"] if ndim == 2 else ["Gaussian"]
        for kind in kinds:
            maker = getattr(module, f"{kind}HeatmapGenerator")
            for name, given in options.items():
                generator = maker(4, heatmap_size=space, **given)
                yield f"{kind} {dims}, {name}", lambda generator=generator, at=at: generator(at)
            generator = maker(4, sigmas=2.0, heatmap_size=space)
            yield f"{kind} {dims}, two instances", lambda generator=generator, many=many: generator(many)
            affine = torch.eye(4)
            affine[:ndim, :ndim] = turn
            yield (
                f"{kind} {dims}, affine of the image",
                lambda generator=generator, at=at, affine=affine: generator(at, affine),
            )


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
        for method in ("soft_argmax", "weighted_spatial_mean", "weighted_spatial_mean_relu"):
            yield (
                f"heatmap_to_coord {dims}, {method}",
                lambda m=positive, d=ndim, k=method: module.heatmap_to_coord(m, method=k, spatial_dims=d),
            )


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


def main() -> None:
    """Compute every case."""
    package, target = sys.argv[1:]
    values = {}
    for family in (generators, decoders, metrics):
        torch.manual_seed(11)
        for name, work in family(package):
            values[name] = work().detach().double().numpy()
    np.savez(target, **values)
    sys.stdout.write(json.dumps(list(values)) + "\n")


if __name__ == "__main__":
    main()
