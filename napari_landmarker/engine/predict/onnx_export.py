"""A model as an ONNX file, which other programs run without torch; checked against torch before it is written."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from napari_landmarker.engine.errors import ModelError
from napari_landmarker.engine.io.atomic import require_writable, write_bytes
from napari_landmarker.engine.models import LandmarkNetwork
from napari_landmarker.engine.predict.bundle import ModelInfo, load_network, read_info
from napari_landmarker.engine.predict.ensemble import ENSEMBLE, member_folders
from napari_landmarker.engine.predict.onnx_graph import FIXED, AsOnnx, graph_of, other_size, quietly

#: What the file answers may differ from torch by so much of the largest value; points by no more than so many pixels.
TOLERANCE = 1e-4
TOLERANCE_PX = 1e-3
#: Values that are all smaller than this count as nothing.
_LEAST = 1e-6
#: Of what stands in the file's metadata.
FORMAT = "napari-landmarker ONNX"
VERSION = 1
_PREPROCESSING = (
    "Colour becomes luminance where one channel is wanted. Values are cut to the 1st and 99th percentile of the whole "
    "image, then brought to mean 0 and standard deviation 1. The image is drawn in the frame, centred, by linear "
    "interpolation, smoothed before where it shrinks, its border continued: at spacing_mm along every axis where that "
    "is given, else scaled to fit with its aspect kept."
)
_AXES = (
    "Points and sizes are in array order, (y, x) or (z, y, x). A pixel's centre has whole numbers; pixel i of a map "
    "lies at (i + 0.5) * stride - 0.5 of the image."
)


class _Tools(NamedTuple):
    """The packages of the extra ``export``."""

    onnx: Any
    runtime: Any


def export_onnx(folder: Path | str, path: Path | str) -> Path:
    """Write a model as one ONNX file.

    Its input ``image`` is float32 ``(B, C, *space)``, drawn in the network's frame. Its outputs are ``maps``
    ``(B, L, *space / stride)`` as the network gives them (of a stack, the last), with ``covariances`` ``(B, L, D, D)``
    in square pixels of the maps where the network gives them; or ``points`` ``(B, L, D)`` in index coordinates of the
    image for coordinate regression, and both ``points`` and ``maps``, those of its first stage, for a cascade. Any
    number of images can be given at once; of any size where the network allows it, else of the frame's. The metadata
    name the landmarks and all that is needed to draw an image and to read the answer.

    Args:
        folder: a model folder.
        path: the file, which ends in ``.onnx``; one that is there is replaced.

    Returns:
        The path of the file.

    Raises:
        ModelError: if the folder is no model or an ensemble of several, the packages that are needed are missing, or
            the network cannot be written so that its answers are the same to `TOLERANCE`; nothing is written.
        ProjectError: if the file cannot be written.
    """
    folder, path = Path(folder), Path(path)
    info = read_info(folder)
    if (folder / ENSEMBLE).exists():
        raise ModelError(
            f"{folder} is an ensemble of {len(member_folders(folder))} models: give a folder with --out, into which "
            "each is exported."
        )
    if path.suffix.lower() != ".onnx":
        raise ModelError(f"{path} is no name for an ONNX file: let it end in .onnx.")
    tools = _tools()
    require_writable(path.parent)
    write_bytes(path, _exported(folder, info, tools))
    return path


def export_members(folder: Path | str, out: Path | str) -> list[Path]:
    """Write every member of an ensemble, or a model that is none, into a folder as ``NAME.onnx``; see `export_onnx`."""
    return [export_onnx(member, Path(out) / f"{member.resolve().name}.onnx") for member in member_folders(Path(folder))]


def _exported(folder: Path, info: ModelInfo, tools: _Tools) -> bytes:
    """The file's bytes, with the first kind of graph whose answers are right: of any size, then of the frame's."""
    network = load_network(folder, info)
    problem, cause = "", None
    for sized in (False, True):
        if not sized and (info.config.model.kind in FIXED or min(info.frame.shape) < network.smallest):
            continue
        sizes = [info.frame.shape] if sized else [info.frame.shape, other_size(network)]
        try:
            with quietly():
                data = _with_metadata(graph_of(load_network(folder, info), info, sized=sized), info, sized, tools)
                problem = _difference(data, network, info, sizes, tools)
        except Exception as error:  # each step of torch, onnxscript and onnxruntime has errors of its own
            problem, cause = f"cannot be written as ONNX by torch {torch.__version__} ({type(error).__name__})", error
            continue
        if not problem:
            return data
    kind = info.config.model.kind
    raise ModelError(f"{folder}: its network '{kind}' {problem}: use the model folder itself.") from cause


def _with_metadata(graph: bytes, info: ModelInfo, sized: bool, tools: _Tools) -> bytes:
    model = tools.onnx.load_model_from_string(graph)
    for key, value in _metadata(info, sized).items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    model.doc_string = f"Finds {', '.join(info.names)}."
    data = io.BytesIO()
    tools.onnx.save_model(model, data)
    return data.getvalue()


def _metadata(info: ModelInfo, sized: bool) -> dict[str, Any]:
    """What stands in the file beside the graph, each value as JSON."""
    model = info.config.model
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": info.name,
        "landmarks": list(info.names),
        "unit": info.unit,
        "spacing_mm": info.frame.spacing_mm,
        "frame_shape": list(info.frame.shape),
        "any_size": not sized,
        "multiple": model.multiple(info.ndim),
        "stride": info.stride,
        "maps": "logits" if info.config.loss.reads_logits else "values",
        "peak": getattr(info.config.target, "peak", 1.0),
        "window": 2 * info.config.decoder.window + 1,
        "network": model.kind,
        "axes": _AXES,
        "preprocessing": _PREPROCESSING,
    }


def _difference(
    data: bytes, network: LandmarkNetwork, info: ModelInfo, sizes: Sequence[tuple[int, ...]], tools: _Tools
) -> str:
    """By what the file's answers differ from torch's, in words; nothing where they are the same."""
    options = tools.runtime.SessionOptions()
    options.log_severity_level = 4
    session = tools.runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    module = AsOnnx(network, info.config.model.answer)
    for batch, size in enumerate(sizes, start=1):
        rng = np.random.default_rng(batch)
        image = rng.standard_normal((batch, info.channels, *size), dtype=np.float32)
        with torch.inference_mode():
            wanted = [tensor.numpy() for tensor in module(torch.from_numpy(image))]
        given = session.run(list(module.names), {"image": image})
        for name, own, other in zip(module.names, wanted, given, strict=True):
            apart = _apart(own, other)
            limit = TOLERANCE * max(_LEAST, float(np.nanmax(np.abs(own), initial=0.0)))
            limit = min(limit, TOLERANCE_PX) if name == "points" else limit
            if not apart <= limit:
                return f"answers with other {name} as ONNX (by {apart:.2g}, where {limit:.2g} is allowed)"
    return ""


def _apart(own: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """The largest difference; infinite where shapes differ or only one of them is a number."""
    if own.shape != other.shape or not np.array_equal(np.isnan(own), np.isnan(other)):
        return float("inf")
    return float(np.nanmax(np.abs(own.astype(np.float64) - other), initial=0.0))


def _tools() -> _Tools:
    """ONNX's packages, which only an export needs."""
    try:
        import_module("onnxscript")
        return _Tools(import_module("onnx"), import_module("onnxruntime"))
    except ImportError as error:
        raise ModelError(
            f"An export to ONNX needs the package {error.name}: pip install napari-landmarker[export]."
        ) from error
