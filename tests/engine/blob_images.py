"""Small images of a bright and a dark blob of which the true centres are known, for tests that train."""

import math

import torch

SHAPES = {2: (32, 40), 3: (12, 16, 16)}
LANDMARKS = 2
SIGMA_PX = 1.8
#: Blobs that lie on each other cancel, and nobody could say where they are.
APART_PX = 6.0


def blob_images(ndim, count, seed, missing=0.2, noise=0.05):
    """Standardised images ``(N, 1, *space)`` and sub-pixel centres ``(N, 2, D)``, NaN where there is no blob."""
    chance = torch.Generator().manual_seed(seed)
    size = torch.tensor(SHAPES[ndim], dtype=torch.float32)
    points = size * (0.2 + 0.6 * torch.rand(20 * count, LANDMARKS, ndim, generator=chance)) - 0.5
    points = points[(points[:, 0] - points[:, 1]).norm(dim=-1) > APART_PX][:count]
    points[torch.rand(count, LANDMARKS, generator=chance) < missing] = math.nan
    axes = [torch.arange(n, dtype=torch.float32) for n in SHAPES[ndim]]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    away = (grid - points.view(count, LANDMARKS, *[1] * ndim, ndim)).square().sum(dim=-1)
    blobs = torch.exp(-away / (2 * SIGMA_PX**2)).nan_to_num()
    image = blobs[:, :1] - blobs[:, 1:] + noise * torch.randn(count, 1, *SHAPES[ndim], generator=chance)
    return (image - image.mean()) / image.std(), points
