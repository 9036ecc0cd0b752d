"""The graph of a network as ONNX, by torch's exporter."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from napari_landmarker.engine.models import CascadeAnswer, LandmarkNetwork, covariance_stacks, heatmap_stacks
from napari_landmarker.engine.models.base import space_to_depth
from napari_landmarker.engine.models.configs import AnswerKind
from napari_landmarker.engine.models.sound_conv import SoundConv3d
from napari_landmarker.engine.predict.bundle import ModelInfo

#: Networks whose graph holds the size of the image: of these, files take images of the frame's size alone.
FIXED = frozenset({"cascade", "coordinate", "swin_unetr"})
#: Most images at once, and most multiples of a network's own along an axis.
_MOST = 4096


class AsOnnx(nn.Module):
    """A network whose answer is a plain tuple of named tensors.

    Args:
        network: the network.
        answer: what it gives.

    Attributes:
        names: of the tensors.
    """

    def __init__(self, network: LandmarkNetwork, answer: AnswerKind) -> None:
        super().__init__()
        self.network = network
        self.names: tuple[str, ...] = ("maps",)
        if answer == "points":
            self.names = ("points",)
        elif answer == "cascade":
            self.names = ("points", "maps")
        elif answer.endswith("covariances"):
            self.names = ("maps", "covariances")

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """The tensors for an image ``(B, C, *space)``."""
        answer: Any = self.network(image)
        if isinstance(answer, CascadeAnswer):
            return answer.points, answer.maps
        if self.names == ("points",):
            return (answer,)
        return (heatmap_stacks(answer)[-1], *covariance_stacks(answer)[-1:])


def graph_of(network: LandmarkNetwork, info: ModelInfo, *, sized: bool) -> bytes:
    """A serialised ONNX model with the input ``image`` and the outputs of `AsOnnx`.

    Args:
        network: is changed by this.
        info: what it is.
        sized: whether images are to have the frame's size; else any multiples of the network's own, not below its
            smallest.
    """
    for part in network.modules():
        if type(part) is SoundConv3d:  # it asks how large its input is, for the sake of gradients alone
            part.__class__ = nn.Conv3d  # type: ignore[assignment]
        elif isinstance(part, LandmarkNetwork) and not sized:
            _expect_whole_sizes(part)
    axes: dict[int, Any] = {0: torch.export.Dim("batch", min=1, max=_MOST)}
    space = info.frame.shape
    if not sized:
        least = -(-network.smallest // network.multiple)
        space = tuple(size + network.multiple for size in other_size(network))
        for axis in range(info.ndim):
            steps = torch.export.Dim(f"n{axis}", min=least, max=_MOST)
            axes[axis + 2] = steps if network.multiple == 1 else network.multiple * steps
    module = AsOnnx(network, info.config.model.answer).eval()
    image = torch.zeros(2, info.channels, *space)
    program = torch.export.export(module, (image,), dynamic_shapes=(axes,), strict=False)
    made = torch.onnx.export(
        program, dynamo=True, verbose=False, input_names=["image"], output_names=list(module.names)
    )
    assert made is not None
    return _with_named_sizes(made.model_proto)


def other_size(network: LandmarkNetwork) -> tuple[int, ...]:
    """A size that suits a network, another along each axis, and not the one that its graph was made with."""
    least = -(-network.smallest // network.multiple)
    return tuple(network.multiple * (least + 1 + axis) for axis in range(network.spatial_dims))


def _expect_whole_sizes(network: LandmarkNetwork) -> None:
    """Let a network take images whose sizes it need not change."""

    def fit(image: Tensor) -> Tensor:
        return space_to_depth(image, network.stride)

    def crop(maps: Tensor, image: Tensor) -> Tensor:
        return maps

    network.fit, network.crop = fit, crop  # type: ignore[method-assign]


def _with_named_sizes(model: Any) -> bytes:
    """The serialised model, with sizes that can be any called ``batch``, ``n0``, ``n1`` ... in place of ``s77`` ..."""
    dims = [dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim]
    symbols = [match[0] for dim in dims if (match := re.search(r"\bs\d+\b", dim))]
    names = dict(zip(symbols, ["batch", *(f"n{axis}" for axis in range(len(symbols)))], strict=False))
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(r"\bs\d+\b", lambda found: names.get(found[0], found[0]), dim.dim_param)
    graph = model.graph
    parts = [graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]
    parts += [part for function in model.functions for part in (function, *function.node)]
    for part in parts:  # where in whose folders the code lies that made it
        del part.metadata_props[:]
    data: bytes = model.SerializeToString()
    return data


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Nothing of what torch and ONNX say reaches the screen."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            with contextlib.redirect_stderr(io.StringIO()):
                yield
    finally:
        logging.disable(before)
