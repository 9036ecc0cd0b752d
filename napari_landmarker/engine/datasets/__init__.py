"""Data sets: benchmark sets that are downloaded, and the sample images that ship with the program."""

from napari_landmarker.engine.datasets.benchmark import BenchmarkSplit
from napari_landmarker.engine.datasets.cepha400 import (
    get_cepha_heatmap_datasets,
    get_cepha_landmark_datasets,
    get_cepha_mask_datasets,
    get_cepha_patch_datasets,
    get_cepha_patch_mask_datasets,
)
from napari_landmarker.engine.datasets.endovis2015 import (
    ENDOVIS2015_CLASSES,
    get_endovis2015_heatmap_datasets,
    get_endovis2015_landmark_datasets,
    load_endovis2015,
)
from napari_landmarker.engine.datasets.fetch import DownloadCancelled
from napari_landmarker.engine.datasets.hand_xray import load_hand_xray
from napari_landmarker.engine.datasets.isbi2015 import load_isbi2015
from napari_landmarker.engine.datasets.mml import load_mml
from napari_landmarker.engine.datasets.plant_centroids import (
    get_plant_centroids_heatmap_datasets,
    get_plant_centroids_landmark_datasets,
    get_plant_centroids_mask_datasets,
    load_plant_centroids,
)
from napari_landmarker.engine.datasets.samples import SAMPLES, Sample, sample_project

__all__ = [
    "ENDOVIS2015_CLASSES",
    "SAMPLES",
    "BenchmarkSplit",
    "DownloadCancelled",
    "Sample",
    "get_cepha_heatmap_datasets",
    "get_cepha_landmark_datasets",
    "get_cepha_mask_datasets",
    "get_cepha_patch_datasets",
    "get_cepha_patch_mask_datasets",
    "get_endovis2015_heatmap_datasets",
    "get_endovis2015_landmark_datasets",
    "get_plant_centroids_heatmap_datasets",
    "get_plant_centroids_landmark_datasets",
    "get_plant_centroids_mask_datasets",
    "load_endovis2015",
    "load_hand_xray",
    "load_isbi2015",
    "load_mml",
    "load_plant_centroids",
    "sample_project",
]
