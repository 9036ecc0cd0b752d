"""Every kind of network as an ONNX file, in 2D and in 3D: by how much it differs from torch, and how long it takes.

Usage: python benchmarks/export_kinds.py [KIND ...]

The networks have their default sizes and have learnt nothing. Differences are shares of the largest value; points are
compared in pixels. Ends with exit code 1 if a network cannot be exported.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from pydantic import TypeAdapter

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.losses.configs import WingConfig
from napari_landmarker.engine.models.configs import ModelConfig, NetworkConfig
from napari_landmarker.engine.predict.bundle import ModelInfo, load_network, save_bundle
from napari_landmarker.engine.predict.onnx_export import export_onnx
from napari_landmarker.engine.predict.onnx_graph import AsOnnx
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.frame import NetworkFrame, up_to

NAMES = ("a", "b", "c")
#: Least pixels of a frame along an axis.
LEAST = {2: 96, 3: 48}


def main(kinds: list[str]) -> int:
    """Export each kind and print a row for it."""
    adapter: TypeAdapter[NetworkConfig] = TypeAdapter(ModelConfig)
    known = list(adapter.json_schema()["discriminator"]["mapping"])
    failed = 0
    print(f"{'network':28} {'ndim':>4}  {'sizes':6} {'seconds':>7}  largest differences")
    for kind in kinds or known:
        for ndim in (2, 3):
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                try:
                    sizes, apart = exported(Path(folder), adapter.validate_python({"kind": kind}), ndim)
                except LandmarkerError as error:
                    failed += 1
                    sizes, apart = "none", str(error)
                print(f"{kind:28} {ndim:4}  {sizes:6} {time.perf_counter() - start:7.1f}  {apart}", flush=True)
    return int(failed > 0)


def exported(folder: Path, model: NetworkConfig, ndim: int) -> tuple[str, str]:
    """Which sizes of images the file takes, and by how much its answers differ from torch's."""
    multiple = model.multiple(ndim)
    shape = tuple(up_to(LEAST[ndim] + multiple * axis, multiple) for axis in range(ndim))
    options: dict[str, Any] = {"loss": WingConfig(of="points")} if model.answer == "points" else {}
    info = ModelInfo(
        name="untrained",
        landmarks=LandmarkSchema.from_names(NAMES),
        ndim=ndim,
        channels=1,
        frame=NetworkFrame(shape=shape, spacing_mm=None, multiple=multiple),
        config=TrainConfig(preset="none", model=model, **options),
        n_train=0,
        n_validation=0,
        validation_error=None,
        minutes=0,
        steps=0,
    )
    torch.manual_seed(0)
    save_bundle(folder / "model", info, model.build(ndim, 1, len(NAMES)).eval(), [])
    path = export_onnx(folder / "model", folder / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    module = AsOnnx(load_network(folder / "model", info), model.answer)
    image = np.random.default_rng(1).standard_normal((2, 1, *shape), dtype=np.float32)
    with torch.inference_mode():
        wanted = module(torch.from_numpy(image))
    words = []
    for name, own, other in zip(module.names, wanted, session.run(None, {"image": image}), strict=True):
        difference = float(np.nanmax(np.abs(own.numpy() - other)))
        scale = 1.0 if name == "points" else float(own.abs().max())
        words.append(f"{name} {difference / scale:.1e}")
    any_size = json.loads(session.get_modelmeta().custom_metadata_map["any_size"])
    return "any" if any_size else "frame", ", ".join(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
