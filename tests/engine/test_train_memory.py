"""How much of the images a run keeps in memory: the planner and the loader count the same."""

import pytest
from synthetic import make_project, small

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.train import cost
from napari_landmarker.engine.train.choice import choose_cases
from napari_landmarker.engine.train.cost import BASE_BYTES, kept_bytes
from napari_landmarker.engine.train.facts import ProjectFacts
from napari_landmarker.engine.train.fit import record_of
from napari_landmarker.engine.train.loading import StageImages
from napari_landmarker.engine.train.machine import Machine
from napari_landmarker.engine.train.sketch import SIZES, Sketch
from napari_landmarker.engine.train.stages import stages_of

GB = 2**30


def images_of(project, devices):
    """The loaders of a small run."""
    config = small(4)
    record = record_of(project, config, *choose_cases(project), "a")
    network = config.model.build(record.ndim, record.channels, len(record.names))
    stage = stages_of(network, config, record.frame, len(record.names))[0]
    return StageImages(project, config, record, stage, 0, devices)


@pytest.mark.parametrize("ndim", [2, 3])
def test_training_and_validation_images_of_all_processes_share_one_budget(tmp_path, monkeypatch, ndim):
    """Of 12 cases 6 are learnt from and 3 are judged: 9 images of one channel, of 4 bytes a pixel, in one process."""
    project, _ = make_project(tmp_path, ndim=ndim, count=12)
    frame = images_of(project, 1).stage.frame.shape
    image = 4
    for size in frame:
        image *= size
    for budget, processes, keeps in (
        (9 * image + 1, 1, True),
        (9 * image, 1, False),  # though either part alone is well below
        (18 * image + 1, 2, True),
        (18 * image, 2, False),  # though it would be enough for one process
    ):
        monkeypatch.setattr(cost, "KEPT_BYTES", budget)
        images = images_of(project, processes)
        assert images.keeps == keeps
        assert kept_bytes(9, 1, frame, processes) == (9 * image if keeps else 0)
        loaders = images.learnt([1.0] * 6, 0, bool, (1, 0)).loader.dataset.dataset, images.judged((1, 0)).loader.dataset
        for dataset in loaders:
            dataset[0]
            assert (dataset.drawn(0) is dataset.drawn(0)) == keeps


def facts(n_train=40):
    grid = Grid((256, 256), (1.0, 1.0))
    return ProjectFacts((grid,) * (n_train + 10), 1, n_train, 10, {"a": n_train})


def test_the_planner_counts_what_every_process_of_a_machine_takes():
    one, two = (Sketch(facts(), Machine("cpu", 4, 12 * GB, half=False, processes=n), SIZES[2][0]) for n in (1, 2))
    kept = kept_bytes(50, 1, one.frame.shape)
    step = one.memory_bytes - BASE_BYTES - kept
    assert kept == 50 * 4 * one.frame.shape[0] * one.frame.shape[1]
    # half of the images of a step each, but both keep all images and have a program of their own
    assert two.memory_bytes == pytest.approx(2 * (BASE_BYTES + kept) + step)
    assert two.step_s == one.step_s


def test_graphics_cards_share_a_step_and_each_has_memory_of_its_own():
    one, two = (Sketch(facts(), Machine("cuda", 16, 12 * GB, half=True, processes=n), SIZES[2][0]) for n in (1, 2))
    assert two.memory_bytes - BASE_BYTES == pytest.approx((one.memory_bytes - BASE_BYTES) / 2)
    assert two.step_s < one.step_s
    assert two.machine.words == "2 graphics cards"
    assert (one.machine.workers, two.machine.workers) == (8, 7)
