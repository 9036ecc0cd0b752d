"""Which images a step sees: every one of them, rare ones oftener, and the same again after a break."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import make_project

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.train.choice import Choice, choose_folds
from napari_landmarker.engine.train.clock import Clock, StageClock
from napari_landmarker.engine.train.sampling import MOST, StepSampler, image_weights


def never():
    return False


def taken(sampler, steps):
    batches = iter(sampler)
    return [next(batches) for _ in range(steps)]


@given(st.integers(1, 13), st.integers(1, 7), st.integers(0, 5))
def test_each_round_sees_every_image_once_and_each_visit_is_new(count, size, seed):
    keys = [key for batch in taken(StepSampler(np.ones(count), size, seed, 0, never), 3 * count) for key in batch]
    images = [index for index, _ in keys]
    for start in range(0, len(images) - count + 1, count):
        assert sorted(images[start : start + count]) == list(range(count))
    assert [visit for _, visit in keys] == list(range(len(keys)))


@given(st.lists(st.floats(0.3, 5), min_size=2, max_size=9), st.integers(1, 4), st.integers(1, 6))
def test_the_order_goes_on_at_any_step_and_is_shared_between_processes(weights, size, step):
    weights, size = np.array(weights), 2 * size
    whole = taken(StepSampler(weights, size, 3, 0, never), step + 3)
    assert taken(StepSampler(weights, size, 3, step, never), 3) == whole[step:]
    shared = [taken(StepSampler(weights, size, 3, 0, never, rank, 2), step + 3) for rank in range(2)]
    for one, first, second in zip(whole, *shared, strict=True):
        assert first == one[::2]
        assert second == one[1::2]


def test_images_of_rare_landmarks_are_seen_as_often_as_their_weight_says():
    weights = np.array([1.0, 1.0, 1.0, 3.0])
    images = [index for batch in taken(StepSampler(weights, 6, 0, 0, never), 2000) for index, _ in batch]
    np.testing.assert_allclose(np.bincount(images) / len(images), weights / 6, atol=0.01)


def test_an_iteration_ends_when_it_is_told_and_takes_a_step_at_least():
    sampler = StepSampler(np.ones(4), 2, 0, 0, lambda: sampler.step % 3 == 0)
    assert [len(list(sampler)) for _ in range(2)] == [3, 3]
    assert sampler.step == 6


def test_the_weight_of_an_image_is_how_rare_its_rarest_landmark_is():
    present = np.array([[True, True]] + [[True, False]] * 3)
    np.testing.assert_allclose(image_weights(present, 1.0), [4, 1, 1, 1])
    np.testing.assert_allclose(image_weights(present, 0.5), [2, 1, 1, 1])
    np.testing.assert_allclose(image_weights(present, 0.0), 1)
    seldom = np.array([[True, True]] + [[True, False]] * 99)
    assert image_weights(seldom, 1.0)[0] == MOST


def test_a_clock_is_as_far_as_its_minutes_or_its_steps():
    clock = Clock(2.0, 10)
    clock.tick(30.0)
    assert clock.fraction == 0.25
    clock.step = 5
    assert clock.fraction == 0.5
    assert clock.remaining_s == pytest.approx(30.0)
    stage = StageClock(clock, 0.25, 0.75)
    assert stage.fraction == 0.5
    assert StageClock(clock, 0.6, 0.6).fraction == 1.0
    later = Clock(2.0, elapsed_s=60.0)
    assert later.fraction == 0.5


def test_folds_hold_out_every_case_once(tmp_path):
    project, _ = make_project(tmp_path, count=16)
    folds = choose_folds(project, 3)
    held = [case.id for _, out in folds for case in out]
    assert len(held) == len(set(held)) == 12
    for train, out in folds:
        assert not {c.id for c in train} & {c.id for c in out}
        assert len(train) + len(out) == 12
    for count, words in ((1, "at least 2"), (13, "fewer folds")):
        with pytest.raises(TrainingError, match=words):
            choose_folds(project, count)


def test_a_choice_knows_which_landmark_each_case_shows(tmp_path):
    project, _ = make_project(tmp_path, count=4)
    first = project.cases[0]
    project.save_annotations(first.id, project.annotations(first.id).without_point("bright"))
    choice = Choice.of(project, project.cases[:2], ())
    assert choice.names == ("bright", "dark")
    np.testing.assert_array_equal(choice.present, [[False, True], [True, True]])
    assert Choice.of(project, [first], ()).names == ("dark",)
