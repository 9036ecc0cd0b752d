"""Figures to check a dataset, or a model on it, by eye: images, points and maps of some items, in 2D and 3D."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.metrics.frames import as_array
from napari_landmarker.engine.visualize.samples import MapArray, Sample, Samples, sample_of
from napari_landmarker.engine.visualize.sheets import sheet
from napari_landmarker.engine.visualize.style import save_figure

if TYPE_CHECKING:
    from torch import Tensor, nn


def inspection_plot(
    ds: Samples,
    idx: int | Sequence[int],
    heatmap_generator: Callable[[Tensor], Tensor] | None = None,
    save_path: str | Path | None = None,
    fig_title: str = "Landmark dataset inspection plot",
) -> Figure:
    """Draw items of a dataset as a model would see them, with their landmarks and maps.

    Args:
        ds: a dataset: items with ``image`` ``(C, *space)`` and ``landmark`` ``(L, D)``, ``(L, M, D)`` or, of a patch,
            ``(D,)`` in its index coordinates; a ``heatmap`` or ``mask`` is drawn too.
        idx: which item, or items.
        heatmap_generator: draws maps ``(1, C, *space)`` for landmarks ``(1, L, [M,] D)``; instead of the item's own.
        save_path: file to write as well, ``.png``, ``.svg`` or ``.pdf``.
        fig_title: title of the figure.

    Raises:
        GeometryError: if there is no such item, or shapes do not fit.
        LandmarkerError: if the ending of ``save_path`` is another.
        ProjectError: if the file cannot be written.
    """
    samples = [sample_of(ds, index) for index in _indices(idx)]
    if heatmap_generator is not None:
        samples = [replace(sample, maps=_drawn_maps(sample, heatmap_generator)) for sample in samples]
    return _finished(samples, fig_title, save_path)


def prediction_inspect_plot(
    ds: Samples,
    model: nn.Module,
    idx: int | Sequence[int],
    activation: nn.Module | Callable[[Tensor], Tensor] | None = None,
    save_path: str | Path | None = None,
    fig_title: str = "Landmark prediction model inspection plot",
) -> Figure:
    """Draw items of a dataset with the heatmaps of a model and the points they say, beside the true ones.

    Args:
        ds: a dataset, as in `inspection_plot`.
        model: gives heatmaps ``(1, L, *space)`` of any size for an image ``(1, C, *space)``; channels in front, such as
            a background, are left out. It and its parts are put back into the modes they were in.
        idx: which item, or items.
        activation: what makes heatmaps of the model's output; None where it gives heatmaps.
        save_path: file to write as well, ``.png``, ``.svg`` or ``.pdf``.
        fig_title: title of the figure.

    Raises:
        GeometryError: if there is no such item, or the model gives no heatmap for each landmark.
        LandmarkerError: if the ending of ``save_path`` is another.
        ProjectError: if the file cannot be written.
    """
    return _prediction_figure(ds, model, idx, activation, save_path, fig_title, _single_points)


def prediction_inspect_plot_multi_instance(
    ds: Samples,
    model: nn.Module,
    idx: int | Sequence[int],
    threshold: float = 0.5,
    window: int = 5,
    activation: nn.Module | Callable[[Tensor], Tensor] | None = None,
    save_path: str | Path | None = None,
    fig_title: str = "Landmark prediction model inspection plot",
) -> Figure:
    """As `prediction_inspect_plot`, with every peak of a heatmap as a point of its landmark.

    Args:
        ds: a dataset, as in `inspection_plot`.
        model: as in `prediction_inspect_plot`.
        idx: which item, or items.
        threshold: lowest value of a peak, after the activation.
        window: pixels of the heatmap within which only the highest value is a peak.
        activation: what makes heatmaps of the model's output; None where it gives heatmaps.
        save_path: file to write as well, ``.png``, ``.svg`` or ``.pdf``.
        fig_title: title of the figure.

    Raises:
        GeometryError: if there is no such item, or the model gives no heatmap for each landmark.
        LandmarkerError: if the ending of ``save_path`` is another.
        ProjectError: if the file cannot be written.
    """

    def peaks(maps: Tensor) -> FloatArray:
        return _peaks(maps, threshold, window)

    return _prediction_figure(ds, model, idx, activation, save_path, fig_title, peaks)


def _prediction_figure(
    ds: Samples,
    model: nn.Module,
    idx: int | Sequence[int],
    activation: nn.Module | Callable[[Tensor], Tensor] | None,
    save_path: str | Path | None,
    title: str,
    decode: Callable[[Tensor], FloatArray],
) -> Figure:
    samples = []
    for index in _indices(idx):
        sample = sample_of(ds, index)
        maps = _predicted_maps(sample, model, activation)
        to_image = AffineMap.resize(tuple(maps.shape[2:]), sample.image.grid.shape)
        points = to_image.apply(decode(maps))
        samples.append(replace(sample, predicted=points, maps=_as_maps(maps)))
    return _finished(samples, title, save_path)


def _finished(samples: Sequence[Sample], title: str, save_path: str | Path | None) -> Figure:
    figure = sheet(samples, title)
    if save_path is not None:
        save_figure(figure, save_path)
    return figure


def _indices(idx: int | Sequence[int]) -> list[int]:
    indices = [int(index) for index in as_array(idx).reshape(-1)]
    if not indices:
        raise GeometryError("There is nothing to draw: give the index of at least one item.")
    return indices


def _drawn_maps(sample: Sample, heatmap_generator: Callable[[Tensor], Tensor]) -> MapArray:
    import torch

    true = sample.true[:, 0] if sample.true.shape[1] == 1 else sample.true
    with torch.inference_mode():
        return _as_maps(heatmap_generator(torch.from_numpy(true.astype(np.float32))[None]))


def _predicted_maps(
    sample: Sample, model: nn.Module, activation: nn.Module | Callable[[Tensor], Tensor] | None
) -> Tensor:
    """Heatmaps ``(1, L, *space)`` of an item, on the CPU."""
    import torch

    like = next((parameter for parameter in model.parameters()), torch.empty(0))
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.inference_mode():
            output = model(torch.from_numpy(sample.pixels)[None].to(like))
            output = output if activation is None else activation(output)
    finally:
        for module, training in modes.items():
            module.training = training
    ndim, n_landmarks = sample.image.grid.ndim, len(sample.names)
    if not isinstance(output, torch.Tensor) or output.ndim != ndim + 2 or output.shape[1] < n_landmarks:
        raise GeometryError(
            f"The model gives no heatmap for each of {n_landmarks} landmarks: its output must be (1, {n_landmarks}, "
            f"{', '.join('zyx'[-ndim:])})."
        )
    return output[:, -n_landmarks:].float().cpu()


def _as_maps(maps: Tensor) -> MapArray:
    return np.asarray(maps[0].float().cpu().numpy(), dtype=np.float32)


def _single_points(maps: Tensor) -> FloatArray:
    """The point of each heatmap, ``(L, 1, D)``."""
    from napari_landmarker.engine.heatmap import heatmap_to_coord

    points = as_array(heatmap_to_coord(maps))
    return points[0, :, None, :]


def _peaks(maps: Tensor, threshold: float, window: int) -> FloatArray:
    """The peaks of each heatmap, ``(L, P, D)``; NaN where a map has fewer."""
    from napari_landmarker.engine.heatmap import heatmap_to_multiple_coord

    found, _ = heatmap_to_multiple_coord(maps, window=window, threshold=threshold)
    most, ndim = max((len(peaks) for peaks in found[0]), default=0), maps.ndim - 2
    out = np.full((maps.shape[1], most, ndim), np.nan)
    for row, peaks in zip(out, found[0], strict=True):
        row[: len(peaks)] = as_array(peaks).reshape(-1, ndim)
    return out
