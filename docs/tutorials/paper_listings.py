"""The six listings of the paper, from a folder of images to a report (Jonkers et al., SoftwareX 30, 2025, section 4).

They run as they stand on the fundus photographs that come with napari-landmarker:

    python docs/tutorials/paper_listings.py --epochs 20 --out listings

With ISBI 2015, listing 1 is one call instead: `get_cepha_landmark_datasets` of `napari_landmarker.engine.datasets`
downloads the images or takes a folder that holds them.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from monai.transforms import Compose, RandAffined, RandGaussianNoised, RandScaleIntensityd
from torch.utils.data import DataLoader

from napari_landmarker.engine.data import LandmarkDataset
from napari_landmarker.engine.datasets import SAMPLES
from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator, heatmap_to_coord
from napari_landmarker.engine.losses import GaussianHeatmapL2Loss
from napari_landmarker.engine.metrics import point_error, sdr
from napari_landmarker.engine.models import OriginalSpatialConfigurationNet
from napari_landmarker.engine.visualize import detection_report, inspection_plot, plot_cpe, prediction_inspect_plot

NAMES = ["optic_disc_centre", "fovea"]


def read_points(split: str, most: int | None) -> tuple[list[Path], np.ndarray]:
    """The photographs of a split, at most so many, and their landmarks, ``(N, 2, 2)`` as (y, x)."""
    folder = SAMPLES[2].folder
    points: dict[str, dict[str, list[float]]] = {}
    with (folder / "landmarks.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] == split:
                points.setdefault(row["image"], {})[row["landmark"]] = [float(row["y"]), float(row["x"])]
    kept = list(points)[:most]
    return [folder / image for image in kept], np.array([[points[image][name] for name in NAMES] for image in kept])


def main(epochs: int, size: tuple[int, int], channels: int, images: int | None, out: Path) -> float:
    """Run the listings; returns the mean point error on the test images, in pixels of the photographs."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)

    # Listing 1: datasets of images with landmarks. What moves the image moves the landmarks.
    transform = Compose(
        [
            RandAffined(
                keys=("image",), prob=1.0, rotate_range=(0.1,), translate_range=(6, 6), scale_range=(0.1, 0.1),
                padding_mode="border",
            ),
            RandScaleIntensityd(keys=("image",), factors=0.2, prob=0.5),
            RandGaussianNoised(keys=("image",), std=0.05, prob=0.5),
        ]
    )  # fmt: skip
    train_paths, train_points = read_points("train", images)
    test_paths, test_points = read_points("test", images)
    options = {"spatial_dims": 2, "class_names": NAMES, "dim_img": size, "channels": 1}
    train_set = LandmarkDataset(train_paths, train_points, transform=transform, **options)
    test_set = LandmarkDataset(test_paths, test_points, **options)

    # Listing 2: heatmaps whose widths are learnt with the network.
    generator = GaussianHeatmapGenerator(nb_landmarks=len(NAMES), sigmas=3.0, heatmap_size=size, learnable=True)

    # Listing 3: look at what the network will see.
    inspection_plot(train_set, range(2), heatmap_generator=generator, save_path=out / "inspection.png")

    # Listing 4: a network, a loss and a plain training loop.
    model = OriginalSpatialConfigurationNet(
        in_channels=1, out_channels=len(NAMES), la_channels=channels, sp_channels=channels, la_dropout=0.1
    )
    criterion = GaussianHeatmapL2Loss(alpha=5.0)
    optimizer = torch.optim.Adam(
        [
            {"params": model.parameters(), "weight_decay": 1e-4},
            {"params": [generator.sigmas, generator.rotation], "lr": 1e-2},
        ],
        lr=1e-3,
    )
    for _ in range(epochs):
        model.train()
        for batch in DataLoader(train_set, batch_size=4, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(batch["image"]), generator.sigmas, generator(batch["landmark"]))
            loss.backward()
            optimizer.step()

    # Listing 5: look at what it says.
    model.eval()
    prediction_inspect_plot(test_set, model, range(2), save_path=out / "predictions.png")

    # Listing 6: judge it, in pixels of the photographs as they are on disk.
    truth, predicted, frames = [], [], []
    with torch.inference_mode():
        for batch in DataLoader(test_set, batch_size=4):
            predicted.append(heatmap_to_coord(model(batch["image"])))
            truth.append(batch["landmark"])
            frames.append((batch["dim_original"], batch["padding"]))
    both = torch.cat(truth), torch.cat(predicted)
    frame = {
        "dim": size,
        "dim_orig": torch.cat([shape for shape, _ in frames]),
        "padding": torch.cat([padding for _, padding in frames]),
    }
    report = detection_report(*both, **frame, class_names=NAMES, radius=[10, 20, 35])
    plot_cpe(*both, **frame, class_names=NAMES, save_path=out / "errors.png")
    (out / "report.txt").write_text(report + "\n", encoding="utf-8")
    error = float(point_error(*both, **frame))
    within = sdr([35.0], *both, **frame)[35.0]
    (out / "summary.txt").write_text(f"mean error {error:.1f} px, {within:.0f} % within 35 px\n", encoding="utf-8")
    return error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The listings of the paper, on the fundus photographs that ship.")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("listings"))
    given = parser.parse_args()
    main(given.epochs, (128, 192), 32, None, given.out)
