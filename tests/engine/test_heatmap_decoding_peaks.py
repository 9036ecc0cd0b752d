"""Several instances in one map: all found, also in corners, each once, to sub-pixel positions."""

import itertools

import numpy as np
import pytest
import torch
from heatmap_maps import gaussian_map
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_landmarker.engine import heatmap as decoders
from napari_landmarker.engine.heatmap import find_peaks, heatmap_to_multiple_coord


def loop_peaks(values, half, threshold=None):
    """Pixels that are larger than all others in their window, largest first, by a loop over all pixels."""
    peaks = []
    for place in np.ndindex(values.shape):
        window = values[tuple(slice(max(0, at - half), at + half + 1) for at in place)]
        if (window >= values[place]).sum() == 1 and (threshold is None or values[place] >= threshold):
            peaks.append((-values[place], place))
    return [place for _, place in sorted(peaks)]


def as_tuples(points):
    return [tuple(int(v) for v in point) for point in points]


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([(13, 11), (3, 17), (1, 9), (7, 6, 8), (2, 5, 3)]),
    st.integers(1, 9),
    st.sampled_from([None, 0.7]),
    st.integers(0, 10**6),
)
def test_peaks_equal_a_loop_over_all_pixels(space, window, threshold, seed):
    generator = torch.Generator().manual_seed(seed)
    maps = (torch.randperm(2 * 2 * int(np.prod(space)), generator=generator) / (4 * np.prod(space))).view(2, 2, *space)
    points, scores = heatmap_to_multiple_coord(maps, window, threshold, "argmax", len(space))
    for batch, landmark in itertools.product(range(2), range(2)):
        values = maps[batch, landmark].numpy()
        expected = loop_peaks(values, window // 2, threshold)
        if threshold is None:  # a pixel equal to the lowest of the map is no peak
            expected = [place for place in expected if values[place] > values.min()]
        assert as_tuples(points[batch][landmark]) == expected
        np.testing.assert_allclose(scores[batch][landmark], [values[place] for place in expected])


@pytest.mark.parametrize(("space", "gap"), [((48, 40), 12), ((24, 26, 25), 10)])
@pytest.mark.parametrize("method", ["dark", "local_soft_argmax", "argmax"])
def test_gaussians_are_found_everywhere_to_sub_pixel_positions(space, gap, method):
    ndim = len(space)
    lattice = list(itertools.product(*[range(0, size, gap) for size in space]))
    points = np.array(lattice) + np.random.default_rng(0).uniform(-0.4, 0.4, (len(lattice), ndim))
    points[-1] = [size - 1.2 for size in space]
    heights = np.linspace(1, 0.5, len(points))
    maps = sum(gaussian_map([p], space, 1.0, h, torch.float64) for p, h in zip(points, heights, strict=True))
    found = find_peaks(maps, 5, 0.2, method)
    inside = (np.round(points) > 0) & (np.round(points) < np.array(space) - 2)  # on the border a window is one pixel
    atol = np.where(inside, {"dark": 1e-3, "local_soft_argmax": 0.2, "argmax": 0.5}[method], 0.5)
    by_place = np.lexsort((np.round(found.points.numpy() / gap) * gap).T[::-1])
    assert (np.abs(found.points.numpy()[by_place] - points) <= (1e-3 if method == "dark" else atol)).all()
    assert (found.values.diff() < 0).all()
    assert find_peaks(maps, 5, 0.2, method, max_count=3).values.tolist() == found.values[:3].tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_each_plateau_is_one_peak_at_its_middle(dtype):
    maps = torch.zeros(1, 2, 20, 20, dtype=dtype)
    maps[0, 0, 0:3, 0:5] = 1  # in the corner, wider than the window
    maps[0, 0, 10, 10] = maps[0, 0, 11, 11] = 2  # touching at a corner
    maps[0, 0, 18, 17] = maps[0, 0, 18, 19] = 0.5  # equal, in one window, not touching: the first is kept
    maps[0, 1, 5:9, 4] = 3
    found = find_peaks(maps, 5)
    assert found.owner.tolist() == [[0, 0], [0, 0], [0, 0], [0, 1]]
    assert found.points.tolist() == [[10.5, 10.5], [1, 2], [18, 17], [6.5, 4]]
    assert found.values.tolist() == [2, 1, 0.5, 3]
    pixels, scores = decoders.non_maximum_suppression(maps, 5)
    assert as_tuples(pixels[0][0]) in ([(10, 10), (1, 2), (18, 17)], [(11, 11), (1, 2), (18, 17)])
    assert scores == [[[2, 1, 0.5], [3]]]


def test_a_plateau_in_3d_is_one_peak():
    maps = torch.zeros(1, 1, 9, 9, 9)
    maps[0, 0, 7:, 7:, 7:] = 1
    maps[0, 0, 1:4, 2, 2] = 2
    assert find_peaks(maps, 3).points.tolist() == [[2, 2, 2], [7.5, 7.5, 7.5]]


def test_pixels_that_touch_are_one_peak_only_if_they_are_equal():
    maps = torch.tensor([[1.0, 2.0, 1.0, 2.0], [3.0, 0.0, 4.0, 5.0]])
    points, scores = heatmap_to_multiple_coord(maps, 1, method="argmax")
    assert scores == [5, 4, 3, 2, 2, 1, 1]
    assert as_tuples(points) == [(1, 3), (1, 2), (1, 0), (0, 1), (0, 3), (0, 0), (0, 2)]


def test_a_level_part_of_a_slope_is_no_peak():
    steps = torch.tensor([0.0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3]).repeat(8, 1)[None, None]
    found = find_peaks(steps, 3)
    assert found.points.tolist() == [[3.5, 12.0]]
    rough = gaussian_map([[20.3, 19.6]], (40, 40), 64.0).bfloat16()
    assert len(find_peaks(rough, 5).points) == 1


def test_maps_without_a_peak_have_none():
    maps = torch.rand(2, 2, 8, 9, generator=torch.Generator().manual_seed(0))
    maps[0, 0], maps[0, 1, 3, 4], maps[1, 0, 3, 4] = 0.4, torch.nan, torch.inf
    found = find_peaks(maps, 3)
    assert set(map(tuple, found.owner.tolist())) == {(1, 1)}
    points, scores = heatmap_to_multiple_coord(maps, threshold=2.0)
    assert points == [[[], []], [[], []]]
    assert scores == [[[], []], [[], []]]
    assert heatmap_to_multiple_coord(maps[:0]) == ([], [])


def test_the_lists_follow_the_dimensions_of_the_maps():
    flat = gaussian_map([[4.0, 6.0]], (12, 13), 1.0)
    deep = gaussian_map([[4.0, 6.0, 3.0]], (12, 13, 7), 1.0)
    expected = pytest.approx([4.0, 6.0], abs=1e-3)
    assert heatmap_to_multiple_coord(flat)[0][0][0][0].tolist() == expected
    assert heatmap_to_multiple_coord(flat[0])[0][0][0].tolist() == expected
    assert heatmap_to_multiple_coord(flat[0, 0])[0][0].tolist() == expected
    expected = pytest.approx([4.0, 6.0, 3.0], abs=1e-3)
    assert heatmap_to_multiple_coord(deep)[0][0][0][0].tolist() == expected
    assert heatmap_to_multiple_coord(deep[0], spatial_dims=3)[0][0][0].tolist() == expected
    assert heatmap_to_multiple_coord(deep[0, 0], spatial_dims=3)[0][0].tolist() == expected
    assert decoders.non_maximum_surpression is decoders.non_maximum_suppression
    soft, scores = decoders.non_maximum_surpression_local_soft_argmax(deep, 5)
    assert soft[0][0][0].tolist() == pytest.approx([4.0, 6.0, 3.0], abs=0.05)
    assert scores[0][0] == pytest.approx([1.0])


@pytest.mark.parametrize(
    "call",
    [
        lambda m: heatmap_to_multiple_coord(m, method="best"),
        lambda m: heatmap_to_multiple_coord(m, window=0),
        lambda m: heatmap_to_multiple_coord(m, max_count=0),
        lambda m: heatmap_to_multiple_coord(m, spatial_dims=1),
        lambda m: heatmap_to_multiple_coord(m[0, 0, 0]),
    ],
)
def test_wrong_arguments_are_refused(call):
    with pytest.raises(ValueError, match="must"):
        call(torch.rand(1, 2, 5, 5))
