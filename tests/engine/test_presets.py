"""Presets as files: what they say, how they are read and written, and that each learns in 2D and in 3D."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from blob_images import LANDMARKS, SHAPES, blob_images
from torch import nn

from napari_landmarker.engine.errors import ProjectError, TrainingError
from napari_landmarker.engine.predict.reading import read_answer
from napari_landmarker.engine.train import presets
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.frame import NetworkFrame
from napari_landmarker.engine.train.presets import PRESETS, read_config, write_config
from napari_landmarker.engine.train.stages import stages_of

FILES = [name for name in PRESETS if name != "auto"]
SCN = {"la_channels_2d": 8, "la_channels_3d": 8, "la_depth": 2, "sp_channels_2d": 8, "sp_channels_3d": 8,
       "sp_kernel_size_2d": 3, "sp_kernel_size_3d": 3, "sp_downsample_2d": 8, "sp_downsample_3d": 4,
       "stride_2d": 1, "stride_3d": 1}  # fmt: skip
#: What is changed in the network of each kind to make it tiny.
TINY = {
    "unet": {"features_2d": (8, 8, 8, 8, 16), "features_3d": (8, 8, 8, 8, 16), "stride_2d": 1, "stride_3d": 1},
    "original_scn": SCN,
    "scn": SCN,
    "prob_scn": SCN,
    "coordinate": {"features_2d": (8, 16), "features_3d": (8, 16), "fold_2d": 1},
    "cascade": {"features_2d": (8, 16), "features_3d": (8, 16), "patch_2d": 16, "patch_3d": 12, "patch_stride_2d": 1},
}
#: Steps of each stage, in 2D and in 3D.
STEPS = {
    "adaptive": (90, 100),
    "adaloss": (60, 75),
    "soft-argmax": (90, 90),
    "coordinate": (120, 90),
    "cascade": (40, 40),
}
RATE = 6e-3


def tiny(config):
    """The configuration with a tiny network of the same kind; all else stays."""
    model = config.model.model_dump() | TINY[config.model.kind]
    if "coarse" in model:
        model["coarse"] |= TINY["unet"]
    return config.changed(model=model)


def learn(stage, images, points, steps, options, batch):
    """A plain loop over random batches: AdamW, warm-up and cosine, and clipped gradients."""
    groups = [
        {"params": [p for p in stage.network.parameters() if p.requires_grad], "weight_decay": options.weight_decay},
        {"params": list(stage.objective.parameters()), "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, RATE, betas=(0.9, 0.99))
    chance = torch.Generator().manual_seed(0)
    for step in range(steps):
        done = step / steps
        cosine = 0.5 * (1 + math.cos(math.pi * (done - options.warmup) / (1 - options.warmup)))
        for group in optimiser.param_groups:
            group["lr"] = RATE * (max(done / options.warmup, 0.1) if done < options.warmup else cosine)
        chosen = torch.randperm(len(images), generator=chance)[:batch]
        loss = stage.loss(stage.network, images[chosen], points[chosen])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(stage.network.parameters(), options.clip_norm)
        optimiser.step()
        if (step + 1) % (steps // 10) == 0:
            stage.objective.end_of_period()


def coarser(images, points, factor):
    """Images in which so many pixels, along each axis, are one, and where the points are in them."""
    pool = nn.functional.avg_pool2d if images.ndim == 4 else nn.functional.avg_pool3d
    return pool(images, factor), (points + 0.5) / factor - 0.5


@pytest.fixture
def one_thread():
    """Networks so small only wait for each other on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", FILES)
def test_every_preset_finds_blobs_to_half_a_pixel_with_a_fifth_missing(name, ndim):
    config = tiny(PRESETS[name].config)
    torch.manual_seed(0)
    network = config.model.build(ndim, 1, LANDMARKS)
    images, points = blob_images(ndim, 96, seed=1)
    frame = NetworkFrame(shape=SHAPES[ndim], spacing_mm=None, multiple=1)
    network.train()
    for stage in stages_of(network, config, frame, LANDMARKS):
        stage.begin()
        stage.train()
        factor = SHAPES[ndim][0] // stage.frame.shape[0]
        seen = coarser(images, points, factor) if factor > 1 else (images, points)
        batch = 8 if ndim == 2 and name != "cascade" else 4
        learn(stage, *seen, STEPS.get(name, (60, 60))[ndim - 2], config.optimiser, batch)
    network.eval()
    images, points = blob_images(ndim, 48, seed=2)
    with torch.no_grad():
        answer = network(images)
    stride = 1 if config.model.answer == "points" else network.stride
    found = read_answer(answer, config, stride)
    there = torch.isfinite(points).all(dim=-1)
    assert 0.15 < 1 - there.float().mean() < 0.25
    error = (found.points - points).norm(dim=-1)[there]
    print(f"{name} in {ndim}D: mean error {error.mean():.3f} px, largest {error.max():.2f} px")
    assert error.mean() <= 0.5
    assert error.max() < 2


def test_the_presets_are_the_papers_methods_and_auto_comes_first():
    assert list(PRESETS) == [
        "auto", "static", "adaptive", "adaloss", "one-hot", "soft-argmax", "coordinate", "cascade",
    ]  # fmt: skip
    assert PRESETS["auto"].config is None
    assert all(preset.title and preset.description.endswith(".") for preset in PRESETS.values())
    assert sorted(path.stem for path in Path(presets.__file__).parent.glob("*.yaml")) == sorted(FILES)
    configs = {name: PRESETS[name].config for name in FILES}
    assert all(config.preset == name == PRESETS[name].name for name, config in configs.items())
    widths = [configs[name].target.widths for name in ("static", "adaptive", "adaloss")]
    assert widths == ["fixed", "learned", "scheduled"]
    assert configs["one-hot"].target.kind == "mask"
    assert configs["soft-argmax"].loss.compares == "points_and_covariances"
    assert configs["coordinate"].model.answer == "points"
    assert configs["cascade"].model.answer == "cascade"


@pytest.mark.parametrize("name", FILES)
def test_a_preset_is_the_same_after_writing_and_reading(name, tmp_path):
    config = PRESETS[name].config.changed(reasons=("Because: it's so.", "Größe # 2"), max_minutes=7.25)
    path = tmp_path / "deep" / "run.yaml"
    write_config(path, config)
    assert read_config(path) == config
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines[0] == "reasons:"
    assert {line.split(":")[0] for line in lines if line[0] not in " -"} == set(TrainConfig.model_fields)
    assert [one.name for one in path.parent.iterdir()] == ["run.yaml"]


def test_a_file_needs_to_say_no_more_than_what_it_changes(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("loss: {kind: huber, of: points}\noptimiser:\n  learning_rate: 1e-3\nmax_minutes: 30\n")
    expected = TrainConfig(max_minutes=30)
    config = read_config(path)
    assert config.loss.of == "points"
    assert config.optimiser == expected.optimiser.model_copy(update={"learning_rate": 1e-3})
    assert config.model == expected.model
    assert config.target == expected.target


def test_json_is_read_as_well(tmp_path):
    path = tmp_path / "run.json"
    config = PRESETS["adaptive"].config
    path.write_text(json.dumps(config.model_dump(mode="json"), indent=1))
    assert read_config(str(path)) == config


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("optimizer: {}", ["unknown key 'optimizer'", "optimiser"]),
        ("optimiser: {lr: 1}", ["unknown key 'lr' in 'optimiser'", "learning_rate"]),
        ("model: {kind: cascade, coarse: {kind: unet, width: 3}}", ["'width' in 'model.coarse'", "features_2d"]),
        ("optimiser: {learning_rate: -0.5}", ["'optimiser.learning_rate'", "greater than 0", "-0.5"]),
        ("optimiser: {learning_rate: .nan}", ["'optimiser.learning_rate'"]),
        ("balance: 2", ["'balance'", "less than or equal to 1", "not 2"]),
        ("loss: {kind: hinge}", ["'loss.kind'", "'cross_entropy'", "'hinge'"]),
        ("loss: {alpha: 3}", ["'loss' must name its kind"]),
        ("model: unet", ["'model' must hold keys"]),
        ("precision: half", ["'precision'", "'bfloat16'", "'half'"]),
        ("seed: on", ["'seed'", "integer", "'on'"]),
        ("model: {kind: unet, features_2d: [7, 8, 8, 8, 8]}", ["'model.features_2d.0'", "multiple of 8"]),
        ("model: {kind: cascade, patch_2d: 95}", ["'model'", "multiple of 16"]),
        ("loss: {kind: nll}", ["'nll' needs a mask"]),
        ("seed: 1\nseed: 2", ["line 2", "'seed' stands twice"]),
        ("model: [", ["not valid YAML in line"]),
        ("a: !!python/object:os.system {}", ["not valid YAML in line 1"]),
        ("\x00", ["not valid YAML"]),
        ("- 1\n- 2", ["not a configuration"]),
        ("", ["not a configuration"]),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_file_and_what_is_allowed(text, parts, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(TrainingError) as caught:
        read_config(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert all(part in said for part in parts), said
    assert "\n" not in said
    assert said.endswith(".")
    assert not said.endswith("..")


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"none\.yaml does not exist"):
        read_config(tmp_path / "none.yaml")
    with pytest.raises(TrainingError, match="could not be read"):
        read_config(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("preset: Größe".encode("latin-1"))
    with pytest.raises(TrainingError, match="not valid YAML"):
        read_config(tmp_path / "latin.yaml")
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="could not be written"):
        write_config(tmp_path / "file" / "run.yaml", TrainConfig())


def test_presets_load_no_torch():
    code = "import sys, napari_landmarker.engine.train.presets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=240).returncode == 0
