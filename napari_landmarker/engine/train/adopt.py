"""Fine-tuning: a network begins with the weights of a model that may know other landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.models import LandmarkNetwork
from napari_landmarker.engine.models.configs import ModelConfig
from napari_landmarker.engine.predict.bundle import ModelInfo, load_network, read_info
from napari_landmarker.engine.predict.ensemble import member_folders


def base_model(folder: Path, ndim: int, channels: int) -> ModelInfo:
    """What a model is that a run is to begin with.

    Raises:
        ModelError: if the folder is no model.
        TrainingError: if it is several models, or its images have other dimensions or channels.
    """
    info = read_info(folder)
    if member_folders(folder) != [folder]:
        first = member_folders(folder)[0]
        raise TrainingError(f"{folder} holds several models: begin with one of them, such as {first}.")
    if (info.ndim, info.channels) != (ndim, channels):
        kinds = {1: "grey", 3: "colour"}
        raise TrainingError(
            f"{folder} is for {kinds[info.channels]} {info.ndim}D images, and the project's are {kinds[channels]} and "
            f"{ndim}D: begin with another model."
        )
    return info


def adopt_weights(network: LandmarkNetwork, folder: Path, names: Sequence[str]) -> None:
    """Give a network the weights of a model, landmark by landmark.

    What belongs to a landmark of the same name is taken over; what belongs to one that the model does not know stays
    as it was made. Which parts these are is found by comparing the network for two numbers of landmarks.

    Args:
        network: of the configuration of the model.
        folder: the model.
        names: the landmarks of `network`, ``L`` of them.

    Raises:
        ModelError: if the folder is no model.
        TrainingError: if the model's network has other parts.
    """
    info = read_info(folder)
    own, known = network.state_dict(), load_network(folder, info).state_dict()
    axes = _landmark_axes(info.config.model, info.ndim, info.channels)
    shared = [(row, info.names.index(name)) for row, name in enumerate(names) if name in info.names]
    if own.keys() != known.keys():
        raise TrainingError(f"{folder} has another network than the configuration says: leave --config out.")
    for key, value in own.items():
        own[key] = _taken(value, known[key], axes.get(key, ()), shared, same=tuple(names) == info.names)
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        raise TrainingError(f"{folder} has a network of other sizes: leave --config out.") from error


def _taken(own: Tensor, known: Tensor, axes: Sequence[int], shared: Sequence[tuple[int, int]], same: bool) -> Tensor:
    """A weight with what the model knows; ``axes`` are those along which landmarks lie."""
    if same or not axes:
        return known if own.shape == known.shape else own
    rows, others = (torch.tensor([pair[side] for pair in shared], dtype=torch.int64) for side in (0, 1))
    return _filled(own, known, axes, rows, others)


def _filled(own: Tensor, known: Tensor, axes: Sequence[int], rows: Tensor, others: Tensor) -> Tensor:
    """A weight with the block of the landmarks that both know; one between any two landmarks has two axes."""
    axis, *rest = axes
    block = known.index_select(axis, others)
    if rest:
        block = _filled(own.index_select(axis, rows), block, rest, rows, others)
    return own.index_copy(axis, rows, block)


def _landmark_axes(model: ModelConfig, ndim: int, channels: int) -> dict[str, tuple[int, ...]]:
    """Along which axes of which weights landmarks lie: those that grow by one with one landmark more."""
    few, more = (model.build(ndim, channels, count).state_dict() for count in (2, 3))
    return {
        key: tuple(axis for axis, (a, b) in enumerate(zip(few[key].shape, more[key].shape, strict=True)) if a != b)
        for key in few
    }
