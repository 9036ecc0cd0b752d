"""Confidence intervals: against a plain loop over resamples, and as they should behave."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics import CaseResult, bootstrap_intervals, draw_weights, evaluate
from napari_landmarker.engine.metrics.bootstrap import MIN_IMAGES

NAN = float("nan")


def points(n_images: int, each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Errors of ``each`` points an image, some missed, and their images."""
    rng = np.random.default_rng(seed)
    errors = rng.gamma(2.0, 1.0, (n_images, each))
    errors[rng.uniform(size=errors.shape) < 0.1] = NAN
    return errors.reshape(-1), np.repeat(np.arange(n_images), each)


def test_intervals_are_those_of_a_plain_loop() -> None:
    errors, image = points(11, 3)
    weights = draw_weights(11, resamples=60, seed=4)
    assert (weights.sum(axis=1) == 11).all()
    means, medians, rates = [], [], []
    for row in weights.astype(int):
        drawn = np.concatenate([np.tile(errors[image == i], times) for i, times in enumerate(row)])
        means.append(np.nanmean(drawn))
        medians.append(np.nanmedian(drawn))
        rates.append(100 * np.count_nonzero(drawn <= 2.0) / drawn.size)
    found = bootstrap_intervals(errors, image, (2.0,), weights, level=0.9)
    for interval, values in ((found.mean, means), (found.median, medians), (found.sdr[2.0], rates)):
        assert interval == pytest.approx(tuple(np.percentile(values, [5, 95])), rel=1e-12)


def test_the_same_seed_gives_the_same_interval() -> None:
    assert (draw_weights(20, seed=1) == draw_weights(20, seed=1)).all()
    assert not (draw_weights(20, seed=1) == draw_weights(20, seed=2)).all()


def test_points_of_one_image_count_as_one() -> None:
    # Ten images whose five points err alike know no more than ten images of one point.
    single = np.linspace(1, 4, 10)
    weights = draw_weights(10)
    one = bootstrap_intervals(single, np.arange(10), (2.0,), weights)
    five = bootstrap_intervals(np.repeat(single, 5), np.repeat(np.arange(10), 5), (2.0,), weights)
    assert one == five
    alone = bootstrap_intervals(np.repeat(single, 5), np.arange(50), (2.0,), draw_weights(50))
    assert alone.mean is not None
    assert one.mean is not None
    assert alone.mean.high - alone.mean.low < 0.6 * (one.mean.high - one.mean.low)


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    weights = draw_weights(60, resamples=400)
    held = 0
    for _ in range(300):
        interval = bootstrap_intervals(rng.normal(5, 1, 60), np.arange(60), (), weights).mean
        assert interval is not None
        held += interval.low <= 5 <= interval.high
    assert 0.90 <= held / 300 <= 0.98


def test_too_few_images_have_no_interval() -> None:
    for n_images in (1, MIN_IMAGES - 1):
        errors, image = points(n_images, 4)
        found = bootstrap_intervals(errors, image, (2.0,), draw_weights(n_images))
        assert (found.mean, found.median, found.sdr) == (None, None, {2.0: None})
    errors, image = points(MIN_IMAGES, 4)
    assert bootstrap_intervals(errors, image, (2.0,), draw_weights(MIN_IMAGES)).mean is not None


def test_where_all_agree_there_is_no_interval() -> None:
    image = np.arange(20)
    found = bootstrap_intervals(np.full(20, 2.0), image, (1.0, 3.0), draw_weights(20))
    assert (found.mean, found.median, found.sdr) == (None, None, {1.0: None, 3.0: None})
    missed = bootstrap_intervals(np.full(20, NAN), image, (1.0,), draw_weights(20))
    assert (missed.mean, missed.median, missed.sdr) == (None, None, {1.0: None})


@pytest.mark.parametrize("ndim", [2, 3])
def test_an_evaluation_has_intervals_around_its_numbers(ndim: int) -> None:
    rng = np.random.default_rng(1)
    grid = Grid((50,) * ndim, (1.0,) * ndim)
    results = []
    for number in range(12):
        true = {name: rng.uniform(10, 40, ndim) for name in "ab"}
        found = {name: point + rng.normal(0, 2, ndim) for name, point in true.items()}
        results.append(
            CaseResult(str(number), LandmarkSet.from_points(true, grid), LandmarkSet.from_points(found, grid))
        )
    evaluation = evaluate(results, model="m", split="test")
    for summary in (evaluation.overall, *evaluation.landmarks.values()):
        intervals = summary.intervals
        assert intervals.mean is not None
        assert intervals.median is not None
        assert intervals.mean.low < summary.mean < intervals.mean.high
        assert intervals.median.low <= summary.median <= intervals.median.high
        assert list(intervals.sdr) == list(summary.sdr)
        for radius, percent in summary.sdr.items():
            if 0 < percent < 100:
                assert intervals.sdr[radius].low <= percent <= intervals.sdr[radius].high
    content = evaluation.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["overall"]["intervals"]["mean"] == list(evaluation.overall.intervals.mean)
    assert content["intervals"]["level"] == 0.95
    assert evaluate(results, model="m", split="test").to_dict() == content
