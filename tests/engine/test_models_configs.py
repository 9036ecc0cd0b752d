"""Configurations of networks: their files, their bounds, and the networks they make."""

import json
import subprocess
import sys

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from napari_landmarker.engine.models.configs import (
    CascadeConfig,
    CoordinateRegressionConfig,
    ModelConfig,
    OriginalSCNConfig,
    SCNConfig,
    StackedHourglassConfig,
    UNetConfig,
)

ADAPTER = TypeAdapter(ModelConfig)
KINDS = sorted(ADAPTER.json_schema()["discriminator"]["mapping"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_configuration_makes_the_network_it_describes(kind):
    config = ADAPTER.validate_python({"kind": kind})
    assert ADAPTER.validate_json(ADAPTER.dump_json(config)) == config
    for ndim in (2, 3):
        # What MONAI's SwinUNETR makes needs numbers.
        with torch.device("cpu" if kind == "swin_unetr" else "meta"):
            net = config.build(ndim, 3, 7)
        assert (net.spatial_dims, net.in_channels, net.out_channels) == (ndim, 3, 7)
        assert net.multiple == config.multiple(ndim)
        if config.answer != "points":
            assert net.stride == config.stride(ndim)
        definition = json.loads(json.dumps(config.definition(ndim, 3, 7)))
        assert definition["_target_"] == f"napari_landmarker.engine.models.{type(net).__name__}"


@pytest.mark.parametrize("kind", ["unet", "original_scn", "stacked_cholesky_hourglass", "cascade"])
def test_monai_makes_the_same_network_from_a_definition(kind):
    from monai.bundle import ConfigParser

    config = ADAPTER.validate_python({"kind": kind})
    torch.manual_seed(0)
    own = config.build(2, 1, 2)
    torch.manual_seed(0)
    made = ConfigParser({"net": config.definition(2, 1, 2)}).get_parsed_content("net")
    assert type(own) is type(made)
    for (name, first), (other, second) in zip(own.state_dict().items(), made.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(first, second)


def test_every_number_has_a_title_a_description_and_a_bound():
    for kind, reference in ADAPTER.json_schema()["discriminator"]["mapping"].items():
        schema = ADAPTER.json_schema()["$defs"][reference.rsplit("/", 1)[-1]]
        for name, entry in schema["properties"].items():
            if name == "kind":
                continue
            assert entry.get("title"), f"{kind}.{name}"
            assert entry.get("description"), f"{kind}.{name}"
            if entry.get("type") in ("integer", "number"):
                assert "minimum" in entry or "exclusiveMinimum" in entry, f"{kind}.{name}"
                assert "maximum" in entry or "exclusiveMaximum" in entry, f"{kind}.{name}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "unet", "features_2d": [8, 8, 8, 8, 12]},
        {"kind": "unet", "width": 3},
        {"kind": "vnet"},
        {"kind": "scn", "sp_kernel_size_2d": 4},
        {"kind": "stacked_hourglass", "stacks": 0},
        {"kind": "swin_unetr", "features": 20},
        {"kind": "cascade", "patch_2d": 40},
        {"kind": "cascade", "coarse": {"kind": "coordinate"}},
        {"kind": "dynunet", "features_3d": [8, 8]},
    ],
)
def test_what_cannot_be_built_is_refused(wrong):
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(wrong)


def test_what_each_gives_is_said():
    assert UNetConfig().answer == SCNConfig().answer == OriginalSCNConfig().answer == "maps"
    assert StackedHourglassConfig().answer == "stacks"
    assert CoordinateRegressionConfig().answer == "points"
    assert CascadeConfig(coarse=SCNConfig()).answer == "cascade"
    assert UNetConfig().features(3) == (16, 32, 64, 96, 128)


def test_configurations_do_not_load_torch():
    code = "import sys, napari_landmarker.engine.models.configs; print(sorted({'torch', 'monai'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
