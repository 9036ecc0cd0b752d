"""The sample images in napari: *File > Open Sample*, and the sample projects of the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_landmarker.engine.datasets import SAMPLES, Sample, sample_project
from napari_landmarker.engine.io import read_image, read_table
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.layers import TEXT_SIZE, layer_geometry

LayerData = tuple[Any, dict[str, Any], str]


def fundus() -> list[LayerData]:
    """A fundus photograph with optic disc centre and fovea, as napari asks for it."""
    return _layers(SAMPLES[2])


def hippocampus() -> list[LayerData]:
    """An MRI crop of a hippocampus with its five landmarks, as napari asks for it."""
    return _layers(SAMPLES[3])


def samples_folder() -> Path:
    """Where the sample projects are made."""
    return Path.home() / "napari-landmarker"


def open_sample(ndim: int) -> Project:
    """The sample project of a number of dimensions; it is made at the first time.

    Raises:
        ProjectError: if it cannot be written.
    """
    sample = SAMPLES[ndim]
    return sample_project(sample, samples_folder() / f"sample-{sample.name}")


def _layers(sample: Sample) -> list[LayerData]:
    path = sample.images[0]
    image = read_image(path)
    images = read_table(sample.folder / "landmarks.csv", lambda name: image.geometry if name == path.name else None)
    landmarks = next(own for own in images if own.image == path.name).landmarks(sample.schema.names)
    colors = [definition.color for definition in sample.schema.landmarks]
    geometry = layer_geometry(image.grid)
    points = {
        "name": "Landmarks",
        "features": {"name": np.array(landmarks.names, dtype=object)},
        "text": {"string": "{name}", "anchor": "upper_left", "size": TEXT_SIZE, "color": "white"},
        "face_color": colors,
        "size": max(image.grid.shape) / 40,
        **geometry,
    }
    shown = {"name": path.name, "rgb": image.is_color, **geometry}
    return [(image.array, shown, "image"), (landmarks.points, points, "points")]
