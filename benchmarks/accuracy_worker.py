"""The reference package's tutorial recipe on a list of images; runs in an environment of its own.

Usage: python accuracy_worker.py landmarker WORK.json

WORK.json: minutes, spacing, radii, and for "train", "validation" and "test" lists of ``[path, [[y, x], ...]]``. The
last line of the output is a JSON object with the figures.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from landmarker.data import LandmarkDataset
from landmarker.heatmap import GaussianHeatmapGenerator, heatmap_to_coord
from landmarker.losses import GaussianHeatmapL2Loss
from landmarker.metrics import point_error
from landmarker.models import OriginalSpatialConfigurationNet
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandGaussianNoised,
    RandScaleIntensityd,
    ScaleIntensityd,
)
from torch.utils.data import DataLoader

SIZE = (240, 192)
CHANNELS = 64
BATCH = 4


def main(path: Path) -> None:
    """Train for the minutes given, judge on the test images, print the figures."""
    work = json.loads(path.read_text(encoding="utf-8"))
    torch.manual_seed(0)
    begin = time.monotonic()
    scale = ScaleIntensityd(keys=("image",))
    change = Compose(
        [
            scale,
            RandAffined(
                keys=("image",),
                prob=1.0,
                rotate_range=(0.15,),
                translate_range=(8, 8),
                scale_range=(0.1, 0.1),
                padding_mode="zeros",
            ),
            RandScaleIntensityd(keys=("image",), factors=0.25, prob=0.5),
            RandAdjustContrastd(keys=("image",), gamma=(0.7, 1.4), prob=0.5),
            RandGaussianNoised(keys=("image",), std=0.02, prob=0.5),
        ]
    )
    sets = {part: _dataset(work[part], work["spacing"], change if part == "train" else scale) for part in _PARTS}
    landmarks = len(work["train"][0][1])
    network = OriginalSpatialConfigurationNet(
        in_channels=1, out_channels=landmarks, la_channels=CHANNELS, sp_channels=CHANNELS
    )
    generator = GaussianHeatmapGenerator(nb_landmarks=landmarks, sigmas=3, learnable=True, heatmap_size=SIZE)
    loss_of = GaussianHeatmapL2Loss(alpha=5)
    optimiser = torch.optim.Adam(
        [
            {"params": network.parameters(), "weight_decay": 1e-3},
            {"params": [generator.sigmas, generator.rotation]},
        ],
        lr=1e-4,
    )
    best, weights, steps = np.inf, network.state_dict(), 0
    limit_s, judged = work["minutes"] * 60, 0.0
    while time.monotonic() - begin < limit_s:
        network.train()
        for batch in DataLoader(sets["train"], batch_size=BATCH, shuffle=True):
            optimiser.zero_grad()
            loss = loss_of(network(batch["image"].float()), generator.sigmas, generator(batch["landmark"]))
            loss.backward()
            optimiser.step()
            steps += 1
            if time.monotonic() - begin >= limit_s:
                break
        if time.monotonic() - judged > limit_s / 20 or time.monotonic() - begin >= limit_s:
            judged = time.monotonic()
            error = float(np.mean(_errors(network, sets["validation"])))
            if error < best:
                best, weights = error, {key: value.clone() for key, value in network.state_dict().items()}
    minutes = (time.monotonic() - begin) / 60
    network.load_state_dict(weights)
    begin = time.monotonic()
    errors = _errors(network, sets["test"])
    seconds = (time.monotonic() - begin) / len(errors)
    out = {
        "who": f"landmarker 0.4.1, {SIZE[1]} x {SIZE[0]}, {steps} steps",
        "images": len(errors),
        "points": int(errors.size),
        "unit": "mm",
        "mean": float(errors.mean()),
        "median": float(np.median(errors)),
        "std": float(errors.std()),
        "sdr": {str(float(radius)): float((errors <= radius).mean() * 100) for radius in work["radii"]},
        "landmarks": errors.mean(axis=0).tolist(),
        "minutes": minutes,
        "seconds_per_image": seconds,
    }
    sys.stdout.write("\n" + json.dumps(out) + "\n")


_PARTS = ("train", "validation", "test")


def _dataset(images: list, spacing: float, transform: object) -> LandmarkDataset:
    return LandmarkDataset(
        imgs=[path for path, _ in images],
        landmarks=torch.tensor([points for _, points in images]),
        spatial_dims=2,
        pixel_spacing=[spacing, spacing],
        transform=transform,
        dim_img=SIZE,
    )


def _errors(network: torch.nn.Module, dataset: LandmarkDataset) -> np.ndarray:
    """Errors in mm, ``(N, L)``, by the reference's own decoder and metric."""
    network.eval()
    errors = []
    with torch.inference_mode():
        for batch in DataLoader(dataset, batch_size=BATCH):
            points = heatmap_to_coord(network(batch["image"].float()), method="local_soft_argmax")
            errors.append(
                point_error(
                    batch["landmark"],
                    points,
                    SIZE,
                    batch["dim_original"],
                    batch["spacing"],
                    batch["padding"],
                    reduction="none",
                ).numpy()
            )
    return np.concatenate(errors)


if __name__ == "__main__":
    main(Path(sys.argv[2]))
