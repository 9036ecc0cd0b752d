"""The sample images in napari: *File > Open Sample*, and the sample projects of the window."""

from __future__ import annotations

from pathlib import Path

from napari_landmarker.engine.datasets import SAMPLES, Sample, sample_project
from napari_landmarker.engine.io import read_table
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.image_finder import FoundImage
from napari_landmarker.gui.landmark_layers import LayerData, points_layer
from napari_landmarker.gui.origin import IMAGE_KEY
from napari_landmarker.gui.readers import image_layers


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
    (image,) = image_layers(path)
    geometry = image[1]["metadata"][IMAGE_KEY].geometry
    images = read_table(sample.folder / "landmarks.csv", lambda name: geometry if name == path.name else None)
    annotations = next(own for own in images if own.image == path.name)
    return [image, points_layer(annotations, FoundImage(path, geometry), "Landmarks")]
