"""What MONAI reads of a model folder: ``configs/inference.json``, which it runs, and ``configs/metadata.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.bundle import ModelInfo

#: What stands for the transforms and the loop of the configuration.
PARTS = "napari_landmarker.engine.predict.monai_bundle"
#: What MONAI's ``verify_metadata`` fetches to check the metadata by.
SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"


def inference(info: ModelInfo) -> dict[str, Any]:
    """The configuration that ``python -m monai.bundle run`` understands.

    It reads the images of ``dataset_dir`` and writes one annotation file for each into ``output_dir``; both, and
    ``bundle_root``, can be given on the command line.
    """
    return {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/predictions'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "network_def": info.config.model.definition(info.ndim, info.channels, len(info.names)),
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [{"_target_": f"{PARTS}.DrawInFrame", "model": "@bundle_root"}],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": {"_target_": f"{PARTS}.image_files", "folder": "@dataset_dir"},
            "transform": "@preprocessing",
        },
        "dataloader": {
            "_target_": "DataLoader",
            "dataset": "@dataset",
            "batch_size": 1,
            "num_workers": 0,
            "collate_fn": {"_target_": f"{PARTS}.collate", "_mode_": "callable"},
        },
        "inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": f"{PARTS}.FindLandmarks", "model": "@bundle_root", "network": "@network"},
                {"_target_": f"{PARTS}.SaveLandmarks", "output_dir": "@output_dir"},
            ],
        },
        "evaluator": {
            "_target_": f"{PARTS}.LandmarkEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
        },
        "initialize": [
            "$@network.load_state_dict("
            "torch.load(@bundle_root + '/models/model.pt', map_location=@device, weights_only=True))"
        ],
        "run": ["$@evaluator.run()"],
    }


def metadata(info: ModelInfo) -> dict[str, Any]:
    """The metadata, with all keys that MONAI's specification of a bundle asks for."""
    import monai
    import numpy
    import torch

    colours = ("red", "green", "blue") if info.channels == 3 else ("grey",)
    image = _tensor("image", "magnitude", info.channels, info.frame.shape)
    return {
        "schema": SCHEMA,
        "version": "1.0.0",
        "changelog": {"1.0.0": "trained"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": numpy.__version__,
        "required_packages_version": {"napari-landmarker": _own_version()},
        "task": f"{info.ndim}D anatomical landmark localization",
        "description": f"Finds {', '.join(info.names)}.",
        "authors": "whoever trained it with napari-landmarker",
        "copyright": "not stated",
        "network_data_format": {
            "inputs": {"image": {**image, "channel_def": {str(i): colour for i, colour in enumerate(colours)}}},
            "outputs": _outputs(info),
        },
    }


def _outputs(info: ModelInfo) -> dict[str, Any]:
    """What the network gives, the last stack's where there are several."""
    count, answer = len(info.names), info.config.model.answer
    names = {"channel_def": {str(i): name for i, name in enumerate(info.names)}}
    grid = [-(-size // info.stride) for size in info.frame.shape]
    maps = _tensor("image", "logits" if info.config.loss.reads_logits else "magnitude", count, grid)
    points = _tensor("tuples", "points", count, [info.ndim])
    if answer == "points":
        return {"pred": {**points, **names}}
    if answer == "cascade":
        return {"pred": {**points, **names}, "maps": {**maps, **names}}
    outputs = {"pred": {**maps, **names}}
    if answer.endswith("covariances"):
        outputs["covariances"] = {**_tensor("tuples", "raw", count, [info.ndim, info.ndim]), **names}
    return outputs


def _tensor(kind: str, form: str, channels: int, shape: Sequence[int]) -> dict[str, Any]:
    return {
        "type": kind,
        "format": form,
        "modality": "n/a",
        "num_channels": channels,
        "spatial_shape": list(shape),
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
    }


def _own_version() -> str:
    from importlib.metadata import version

    return version("napari-landmarker")
