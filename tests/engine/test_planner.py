"""The preset ``auto``: what is chosen for which project, that it fits, and that the reasons name the figures."""

import math
import re

import numpy as np
import pytest
import torch
from synthetic import make_project

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.models.configs import CascadeConfig
from napari_landmarker.engine.project import Split
from napari_landmarker.engine.train.cost import BYTES_PER_ELEMENT, unet_elements
from napari_landmarker.engine.train.facts import ProjectFacts
from napari_landmarker.engine.train.frame import plan_frame
from napari_landmarker.engine.train.machine import Machine
from napari_landmarker.engine.train.planner import choose, plan, plan_config, preset_config
from napari_landmarker.engine.train.presets import PRESETS, read_config, write_config
from napari_landmarker.engine.train.sketch import Sketch, sketches

GB = 2**30
TWO_CORES = Machine("cpu", 2, 12 * GB, half=False)
SERVER = Machine("cuda", 16, 60 * GB, half=True)
LARGE_2D, SMALL_2D = (960, 774), (120, 160)
LARGE_3D, SMALL_3D = (300, 512, 512), (40, 50, 38)


def facts(shape=LARGE_2D, spacing=0.25, *, train=120, validation=20, landmarks=19, rarest=None, **more):
    ndim = len(shape)
    grids = [Grid(shape, None if spacing is None else (spacing,) * ndim) for _ in range(train + validation)]
    placed = {f"point{number}": train for number in range(landmarks)}
    if rarest is not None:
        placed["point0"] = rarest
    return ProjectFacts(tuple(grids), more.pop("channels", 1), train, validation, placed, **more)


def reason(config, words):
    (found,) = [sentence for sentence in config.reasons if words in sentence]
    return found


@pytest.mark.parametrize(
    ("what", "minutes", "machine", "kind"),
    [
        (facts(LARGE_2D), 60, TWO_CORES, "cascade"),
        (facts(LARGE_2D), 1, TWO_CORES, "unet"),  # too little time for two stages
        (facts(LARGE_2D), 15, SERVER, "cascade"),
        (facts(LARGE_2D, instances=5), 60, TWO_CORES, "unet"),  # patches show one point
        (facts(SMALL_2D), 60, TWO_CORES, "unet"),  # nothing finer to see
        (facts(SMALL_3D, 1.0, landmarks=5), 60, SERVER, "unet"),
        (facts(LARGE_3D, 0.8, landmarks=8), 60, SERVER, "cascade"),
        (facts(LARGE_3D, 0.8, landmarks=8), 5, TWO_CORES, "unet"),
    ],
)
def test_two_stages_where_images_are_fine_and_time_is_enough(what, minutes, machine, kind):
    config = plan(what, machine, minutes)
    assert config.model.kind == kind
    assert (config.preset, config.max_minutes) == ("auto", minutes)
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in config.reasons)
    assert ("Two stages" in " ".join(config.reasons)) == (kind == "cascade")
    axes = f"{what.ndim}d"
    budget = getattr(config.frame, f"budget_{axes}")
    frame = plan_frame(what.grids, budget, config.model.multiple(what.ndim))
    shape = " x ".join(map(str, frame.shape))
    assert shape in reason(config, "images have about")
    assert math.prod(frame.shape) <= 1.7 * max(budget, 50_000)
    config.model.build(what.ndim, what.channels, 2)


def test_reasons_name_the_figures():
    config = plan(facts(rarest=7, pairs=3, channels=3), TWO_CORES, 20)
    assert "19 landmarks from 120 images and is judged on 20 others" in config.reasons[0]
    seen = reason(config, "images have about")
    assert "colour images have about 960 x 774 pixels at 0.25 mm" in seen
    frame = plan_frame(facts().grids, config.frame.budget_2d, config.model.multiple(2))
    assert f"{frame.spacing_mm:.3g} mm per pixel" in seen
    stepped = reason(config, "In 20 minutes on 2 processor cores")
    first = int(re.search(r"about ([\d,]+) steps", stepped)[1].replace(",", ""))
    assert first > 300
    decay = float(re.search(r"decay ([\d.]+)", reason(config, "averaged"))[1])
    assert decay == config.optimiser.ema
    assert f"of {config.validations} such" in reason(config, "averaged")
    assert "single precision" in reason(config, "precision")
    assert "'point0' is placed in 7 images and others in 120" in reason(config, "placed in")
    assert "never mirrored, though 3 left-right pairs" in reason(config, "mirrored")
    assert config.augmentation.flip == 0
    assert re.search(r"about [\d.]+ GB of the 12\.0 GB", reason(config, "A step needs"))


@pytest.mark.parametrize("what", [facts(), facts(LARGE_3D, 0.8, landmarks=8), facts(SMALL_3D, None), facts(SMALL_2D)])
@pytest.mark.parametrize("machine", [TWO_CORES, SERVER])
def test_more_minutes_never_see_less(what, machine):
    before, cascaded = None, False
    for minutes in (0.2, 0.5, 1, 2, 4, 8, 15, 30, 60, 240):
        sketch = choose(what, machine, minutes)
        assert sketch.cascade or not cascaded
        cascaded = sketch.cascade
        measure = (sketch.budget, sketch.batch * sketch.elements + sketch.refine_batch * sketch.patch_elements)
        if before is not None and not (sketch.cascade and not before[0]):
            assert measure[0] >= before[1][0]
        before = (sketch.cascade, measure)
        first, second = sketch.steps(minutes)
        if minutes >= 1:
            assert first >= 150, (minutes, sketch.size)
            assert second >= 150 or not sketch.cascade


@pytest.mark.parametrize("what", [facts(), facts(LARGE_3D, 0.8, landmarks=30), facts(SMALL_3D, 1.0)])
def test_the_memory_is_never_too_small_for_what_is_planned(what):
    whole = choose(what, TWO_CORES, 240).memory_bytes
    seen = set()
    for memory in (whole, 0.95 * whole, 0.9 * whole, 0.85 * whole):
        sketch = choose(what, Machine("cpu", 2, int(memory) + 1, half=False), 240)
        assert sketch.memory_bytes <= memory + 1
        seen.add((sketch.cascade, sketch.size))
    assert len(seen) > 1
    says = r"needs about [\d.]+ [MG]B of memory and may take 100 MB: close other programs"
    with pytest.raises(TrainingError, match=says):
        choose(what, Machine("cpu", 2, 100 * 2**20, half=False), 15)


@pytest.mark.parametrize(("ndim", "shape", "stride"), [(2, (96, 128), 2), (3, (16, 32, 32), 1)])
def test_memory_is_what_autograd_keeps(ndim, shape, stride):
    what = facts(shape, None, landmarks=3)
    size = next(s.size for s in sketches(what, TWO_CORES) if s.size.features[0] <= 32)
    config = Sketch(what, TWO_CORES, size).model
    network = config.build(ndim, 1, 3)
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(torch.zeros(2, 1, *shape)).sum()
    cells = 2 * math.prod(shape) / config.stride(ndim) ** ndim
    weights = sum(4 * p.numel() for p in network.parameters())
    estimate = unet_elements(size.features, cells, ndim) * BYTES_PER_ELEMENT
    assert estimate * 0.5 < sum(kept.values()) - weights < estimate
    # the sum over the levels, by hand: 100 cells, of which a quarter and an eighth are left below
    assert unet_elements((8, 16), 100, 2) == 100 * 8 * 4 + 25 * 16 * 2
    assert unet_elements((8, 16), 80, 3) == 80 * 8 * 4 + 10 * 16 * 2


def test_small_choices_follow_the_project():
    even, rare = plan(facts(), TWO_CORES, 30), plan(facts(rarest=6), TWO_CORES, 30)
    assert (even.balance, rare.balance) == (0.0, 0.5)
    half = plan(facts(), Machine("cpu", 2, 12 * GB, half=True), 30)
    assert (even.precision, half.precision) == ("float32", "bfloat16")
    assert "half precision" in reason(half, "precision")
    assert (even.workers, plan(facts(), SERVER, 30).workers) == (0, 8)
    assert plan(facts(train=3, validation=0), TWO_CORES, 5).optimiser.batch_size_2d == 3
    alone = plan(facts(train=1, validation=0, landmarks=1), TWO_CORES, 5)
    assert alone.optimiser.batch_size_2d == 1
    assert "1 landmark from 1 image and is judged on none" in alone.reasons[0]
    several = plan(facts(SMALL_2D, None, instances=4), TWO_CORES, 5)
    assert several.loss.kind == "l2"  # a peak for each point, where a distribution would have one in all
    assert "up to 4 points" in reason(several, "U-Net")
    assert even.loss.kind == "cross_entropy"
    short, long = plan(facts(), SERVER, 1), plan(facts(), SERVER, 60)
    assert short.optimiser.ema < long.optimiser.ema <= 0.999
    many = plan(facts(train=50, validation=3000), TWO_CORES, 5)
    assert 5 <= many.validations < even.validations == 20
    cascade = plan(facts(), SERVER, 60)
    assert isinstance(cascade.model, CascadeConfig)
    assert cascade.refine.batch_size_2d * 19 in range(38, 77)
    assert 0.03 <= cascade.refine.jitter <= 0.12
    assert f"{cascade.refine.share:.0%}" in reason(cascade, "second stage has")


def test_cephalograms_are_seen_as_was_measured_to_be_best():
    for machine in (TWO_CORES, Machine("cpu", 2, 12 * GB, half=True)):
        config = plan(facts(), machine, 30)
        model = config.model
        frame = plan_frame(facts().grids, config.frame.budget_2d, model.multiple(2))
        assert frame.shape == (640, 512)
        assert frame.spacing_mm == pytest.approx(0.378, abs=0.002)
        assert (model.downsample_2d, model.patch_2d, model.patch_stride_2d, model.context) == (2, 64, 2, 2)
        assert (model.coarse.stride_2d, model.coarse.features_2d) == (4, (64, 96, 128, 160, 160))
        assert (config.optimiser.batch_size_2d, config.refine.batch_size_2d) == (8, 2)
        assert (config.target.sigma, config.refine.sigma, config.refine.distance_weight) == (1.0, 1.3, 0.4)
        assert (config.refine.jitter, config.refine.share) == (pytest.approx(0.072, abs=0.001), 0.55)
        assert 0.99 < config.optimiser.ema < config.refine.ema <= 0.999


def test_without_spacing_lengths_are_pixels():
    none = plan(facts(spacing=None), TWO_CORES, 5)
    assert "no image states a spacing" in reason(none, "images have about")
    grids = (*facts(train=10, validation=0).grids[:9], Grid(LARGE_2D))
    mixed = plan(ProjectFacts(grids, 1, 10, 0, {"a": 10}), TWO_CORES, 5)
    assert "1 of 10 images do not state a spacing" in reason(mixed, "images have about")
    assert none.frame.spacing_mm is mixed.frame.spacing_mm is None


def test_a_project_is_looked_at(tmp_path):
    project, truth = make_project(tmp_path, count=12, missing=0.3)
    found = ProjectFacts.of(project)
    train = [case.id for case in project.cases_in(Split.TRAIN) if np.isfinite(truth[case.id]).any()]
    assert (found.n_train, found.n_validation, found.channels, found.ndim) == (len(train), 3, 1, 2)
    assert found.placed == {
        name: sum(np.isfinite(truth[case_id][row]).all() for case_id in train)
        for row, name in enumerate(("bright", "dark"))
    }
    config = plan_config(project, 2, device="cpu", memory_bytes=4 * GB)
    assert "4.0 GB" in reason(config, "A step needs")
    assert "64 x 80 pixels" in reason(config, "images have about")
    path = tmp_path / "config.yaml"
    write_config(path, config)
    assert read_config(path) == config
    with pytest.raises(TrainingError, match="no device 'tpu': choose"):
        plan_config(project, 2, device="tpu")
    with pytest.raises(TrainingError, match=r"needs about \d+ MB"):
        plan_config(project, 2, device="cpu", memory_bytes=1000)


def test_a_project_of_one_case_and_of_none(tmp_path):
    project, _ = make_project(tmp_path, count=1)
    config = plan_config(project, 1, device="cpu", memory_bytes=4 * GB)
    assert config.optimiser.batch_size_2d == 1
    project.set_split(project.cases[0].id, Split.TEST)
    with pytest.raises(TrainingError, match="annotate some first"):
        plan_config(project, 1)


def test_presets_by_name(tmp_path):
    project, _ = make_project(tmp_path, ndim=3, count=4)
    auto = preset_config("auto", project)
    assert (auto.preset, auto.max_minutes) == ("auto", 15)
    assert preset_config("auto", project, 3).max_minutes == 3
    for name, preset in PRESETS.items():
        if preset.config is not None:
            assert preset_config(name, None) == preset.config
            assert preset_config(name, project, 7).max_minutes == 7
    with pytest.raises(TrainingError, match="no preset 'fast': choose one of auto, static"):
        preset_config("fast", project)
    with pytest.raises(TrainingError, match="planned for a project"):
        preset_config("auto", None)
    for minutes in (0, -1, math.nan, math.inf):
        with pytest.raises(TrainingError, match="minutes above 0"):
            preset_config("static", None, minutes)
        with pytest.raises(TrainingError, match="minutes above 0"):
            plan_config(project, minutes)


def test_the_machine_is_looked_at():
    machine = Machine.look("cpu")
    assert machine.cores >= 1
    assert 0 < machine.memory_bytes < 2**50
    assert Machine.look("cpu", 5).memory_bytes == 5
    assert Machine("cpu", 1, GB, half=False).words == "1 processor core"
    assert SERVER.rate(2) > TWO_CORES.rate(2) > TWO_CORES.rate(3)
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="no device 'cuda'"):
            Machine.look("cuda")
