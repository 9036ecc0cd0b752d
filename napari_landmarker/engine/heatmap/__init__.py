"""Heatmaps: from landmarks to maps (generators) and from maps to landmarks (decoders).

What targets and their reading can be told stands in `napari_landmarker.engine.heatmap.configs`; all else is loaded,
with torch, when its name is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_landmarker.engine.heatmap.configs import DecoderConfig, TargetConfig

if TYPE_CHECKING:
    from napari_landmarker.engine.heatmap.activation import softmax_2d
    from napari_landmarker.engine.heatmap.argmax import coord_argmax
    from napari_landmarker.engine.heatmap.decoder import (
        DecodedPoints,
        decode_heatmap,
        heatmap_to_coord,
        heatmap_to_coord_enlarge,
    )
    from napari_landmarker.engine.heatmap.gaussian import GaussianHeatmapGenerator
    from napari_landmarker.engine.heatmap.gaussian_fit import coord_cov_from_gaussian_ls, cov_from_gaussian_ls
    from napari_landmarker.engine.heatmap.generator import HeatmapGenerator
    from napari_landmarker.engine.heatmap.laplacian import LaplacianHeatmapGenerator
    from napari_landmarker.engine.heatmap.local import coord_local_soft_argmax, coord_local_weighted
    from napari_landmarker.engine.heatmap.mask import PixelMaskGenerator
    from napari_landmarker.engine.heatmap.peaks import (
        Peaks,
        find_peaks,
        heatmap_to_multiple_coord,
        non_maximum_suppression,
        non_maximum_suppression_local_soft_argmax,
        non_maximum_surpression,
        non_maximum_surpression_local_soft_argmax,
    )
    from napari_landmarker.engine.heatmap.positivity import positive
    from napari_landmarker.engine.heatmap.refine import coord_dark
    from napari_landmarker.engine.heatmap.spatial_mean import (
        coord_soft_argmax,
        coord_soft_argmax_2d,
        coord_weighted_spatial_mean,
    )
    from napari_landmarker.engine.heatmap.spread import (
        coord_soft_argmax_cov,
        coord_weighted_spatial_mean_cov,
        cov_from_cholesky,
        heatmap_to_coord_cov,
        weighted_sample_cov,
        windowed_weighted_sample_cov,
        windowed_weigthed_sample_cov,
    )

_HOMES = {
    "DecodedPoints": "decoder",
    "GaussianHeatmapGenerator": "gaussian",
    "HeatmapGenerator": "generator",
    "LaplacianHeatmapGenerator": "laplacian",
    "Peaks": "peaks",
    "PixelMaskGenerator": "mask",
    "coord_argmax": "argmax",
    "coord_cov_from_gaussian_ls": "gaussian_fit",
    "coord_dark": "refine",
    "coord_local_soft_argmax": "local",
    "coord_local_weighted": "local",
    "coord_soft_argmax": "spatial_mean",
    "coord_soft_argmax_2d": "spatial_mean",
    "coord_soft_argmax_cov": "spread",
    "coord_weighted_spatial_mean": "spatial_mean",
    "coord_weighted_spatial_mean_cov": "spread",
    "cov_from_cholesky": "spread",
    "cov_from_gaussian_ls": "gaussian_fit",
    "decode_heatmap": "decoder",
    "find_peaks": "peaks",
    "heatmap_to_coord": "decoder",
    "heatmap_to_coord_cov": "spread",
    "heatmap_to_coord_enlarge": "decoder",
    "heatmap_to_multiple_coord": "peaks",
    "non_maximum_suppression": "peaks",
    "non_maximum_suppression_local_soft_argmax": "peaks",
    "non_maximum_surpression": "peaks",
    "non_maximum_surpression_local_soft_argmax": "peaks",
    "positive": "positivity",
    "softmax_2d": "activation",
    "weighted_sample_cov": "spread",
    "windowed_weighted_sample_cov": "spread",
    "windowed_weigthed_sample_cov": "spread",
}

__all__ = [
    "DecodedPoints",
    "DecoderConfig",
    "GaussianHeatmapGenerator",
    "HeatmapGenerator",
    "LaplacianHeatmapGenerator",
    "Peaks",
    "PixelMaskGenerator",
    "TargetConfig",
    "coord_argmax",
    "coord_cov_from_gaussian_ls",
    "coord_dark",
    "coord_local_soft_argmax",
    "coord_local_weighted",
    "coord_soft_argmax",
    "coord_soft_argmax_2d",
    "coord_soft_argmax_cov",
    "coord_weighted_spatial_mean",
    "coord_weighted_spatial_mean_cov",
    "cov_from_cholesky",
    "cov_from_gaussian_ls",
    "decode_heatmap",
    "find_peaks",
    "heatmap_to_coord",
    "heatmap_to_coord_cov",
    "heatmap_to_coord_enlarge",
    "heatmap_to_multiple_coord",
    "non_maximum_suppression",
    "non_maximum_suppression_local_soft_argmax",
    "non_maximum_surpression",
    "non_maximum_surpression_local_soft_argmax",
    "positive",
    "softmax_2d",
    "weighted_sample_cov",
    "windowed_weighted_sample_cov",
    "windowed_weigthed_sample_cov",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
