"""Data sets: the sample images that ship with the program."""

from napari_landmarker.engine.datasets.samples import SAMPLES, Sample, sample_project

__all__ = ["SAMPLES", "Sample", "sample_project"]
