"""Heatmaps equal their formula: every distribution, covariance, channel and kind of landmark, in 2D and 3D."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from napari_landmarker.engine.heatmap import (
    GaussianHeatmapGenerator,
    HeatmapGenerator,
    LaplacianHeatmapGenerator,
    drawing,
)

SPACE = (13, 17, 11)
POINT = (5.3, 9.8, 4.6)
NAN = float("nan")
BOTH = [GaussianHeatmapGenerator, LaplacianHeatmapGenerator]


def formula(kind, space, point, covariance):
    """The map, written down once more, pixel by pixel."""
    inverse = np.linalg.inv(np.asarray(covariance, dtype=np.float64))
    out = np.empty(space)
    for index in np.ndindex(*space):
        away = np.array(index) - np.asarray(point)
        squared = away @ inverse @ away
        if kind is GaussianHeatmapGenerator:
            out[index] = math.exp(-squared / 2)
        else:
            out[index] = math.exp(-math.sqrt((len(space) + 1) * squared))
    return out


def random_covariance(ndim, seed=0):
    root = np.random.default_rng(seed).normal(size=(ndim, ndim))
    return root @ root.T + np.eye(ndim)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", BOTH)
def test_maps_equal_their_formula(kind, ndim):
    space, sigmas = SPACE[:ndim], np.array([[1.5, 2.0, 0.7], [1.0, 3.0, 1.2]])[:, :ndim]
    points = torch.tensor([[POINT[:ndim], (0.0, 12.0, 3.0)[:ndim]], [(-2.0, 3.5, 12.5)[:ndim], POINT[:ndim]]])
    points = points.double()
    maps = kind(2, torch.tensor(sigmas), heatmap_size=space)(points)
    assert maps.dtype == torch.float64
    for b, lm in np.ndindex(2, 2):
        expected = formula(kind, space, points[b, lm].numpy(), np.diag(sigmas[lm] ** 2))
        np.testing.assert_allclose(maps[b, lm].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", BOTH)
def test_a_full_covariance_is_drawn_and_read_back(kind, ndim):
    space, covariance = SPACE[:ndim], np.stack([random_covariance(ndim, seed) for seed in (1, 2)])
    generator = kind(2, heatmap_size=space, covariance=covariance)
    np.testing.assert_allclose(generator.get_covariance_matrix().numpy(), covariance, rtol=1e-5, atol=1e-5)
    points = torch.tensor([[POINT[:ndim], (2.0, 3.0, 4.0)[:ndim]]])
    given_now = kind(2, heatmap_size=space)(points, covariance=torch.tensor(covariance))
    for maps in (generator(points), given_now):
        for lm in range(2):
            expected = formula(kind, space, points[0, lm].double().numpy(), covariance[lm])
            np.testing.assert_allclose(maps[0, lm].numpy(), expected, atol=2e-6)


def test_rotation_in_2d_turns_the_first_axis_towards_the_second():
    angle, long, short = 0.6, 4.0, 1.0
    generator = GaussianHeatmapGenerator(1, [long, short], rotation=angle, heatmap_size=(9, 9))
    c, s = math.cos(angle), math.sin(angle)
    expected = [
        [long**2 * c * c + short**2 * s * s, (long**2 - short**2) * s * c],
        [(long**2 - short**2) * s * c, long**2 * s * s + short**2 * c * c],
    ]
    np.testing.assert_allclose(generator.get_covariance_matrix()[0].numpy(), expected, rtol=1e-6)
    peak = torch.tensor([[[4.0, 4.0]]])
    assert generator(peak)[0, 0, 6, 6] > generator(peak)[0, 0, 6, 2]
    turned = GaussianHeatmapGenerator(1, [long, short], rotation=math.pi / 2, heatmap_size=(9, 9))
    plain = GaussianHeatmapGenerator(1, [short, long], heatmap_size=(9, 9))
    torch.testing.assert_close(turned(peak), plain(peak), atol=1e-6, rtol=0)


def test_rotation_in_3d_is_yaw_pitch_roll():
    angles, sigmas = [0.4, -0.7, 1.1], np.array([1.0, 2.0, 3.0])
    turn = Rotation.from_euler("ZYX", angles).as_matrix()
    generator = GaussianHeatmapGenerator(2, [sigmas.tolist()] * 2, rotation=angles, heatmap_size=SPACE)
    expected = turn @ np.diag(sigmas**2) @ turn.T
    np.testing.assert_allclose(generator.get_covariance_matrix()[1].numpy(), expected, atol=1e-5)
    whole = generator.get_covariance_matrix(return4by4=True)
    np.testing.assert_allclose(whole[0, :3, :3].numpy(), expected, atol=1e-5)
    assert whole[0, 3].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("ndim", [2, 3])
def test_any_covariance_has_widths_and_angles(ndim):
    generator = GaussianHeatmapGenerator(40, heatmap_size=SPACE[:ndim])
    covariance = np.stack([random_covariance(ndim, seed) for seed in range(40)])
    covariance[0] = np.diag([4.0, 1.0, 9.0][:ndim])
    covariance[1] = 4 * np.eye(ndim)
    generator.set_covariance(torch.tensor(covariance))
    np.testing.assert_allclose(generator.get_covariance_matrix().numpy(), covariance, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(generator.sigmas[0].numpy(), [2.0, 1.0, 3.0][:ndim])
    assert (generator.rotation[:2] == 0).all()


@pytest.mark.parametrize(
    ("kind", "ndim", "peak"),
    [
        (GaussianHeatmapGenerator, 2, 1 / (2 * math.pi * 1.5 * 2)),
        (GaussianHeatmapGenerator, 3, 1 / ((2 * math.pi) ** 1.5 * 1.5 * 2 * 2.5)),
        (LaplacianHeatmapGenerator, 2, 3 / (2 * math.pi * 1.5 * 2)),
        (LaplacianHeatmapGenerator, 3, 1 / (math.pi * 1.5 * 2 * 2.5)),
    ],
)
def test_gamma_is_the_integral(kind, ndim, peak):
    space = (41, 45, 49)[:ndim]
    generator = kind(1, [[1.5, 2.0, 2.5][:ndim]], gamma=7.0, heatmap_size=space)
    points = torch.tensor([[[20.0, 21.0, 23.0][:ndim]]])
    maps = generator(points)
    assert maps[(0, 0, *points[0, 0].long())].item() == pytest.approx(7 * peak, rel=1e-5)
    assert maps.sum().item() == pytest.approx(7, rel=1e-3 if kind is GaussianHeatmapGenerator else 0.05)
    stretched = generator(points, 1.5 * torch.eye(ndim))
    assert stretched.amax().item() == pytest.approx(7 * peak / 1.5**ndim, rel=1e-5)
    assert HeatmapGenerator.mass(generator) == pytest.approx(generator.mass(), rel=1e-6)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_sigma_of_a_laplacian_is_its_standard_deviation(ndim):
    space = (81, 81, 81)[:ndim]
    maps = LaplacianHeatmapGenerator(1, [[3.0, 4.0, 5.0][:ndim]], heatmap_size=space)(torch.full((1, 1, ndim), 40.0))
    weight = maps[0, 0].double() / maps[0, 0].double().sum()
    for axis, sigma in enumerate((3.0, 4.0, 5.0)[:ndim]):
        along = weight.sum(dim=tuple(a for a in range(ndim) if a != axis))
        variance = (along * (torch.arange(81) - 40.0) ** 2).sum().item()
        assert math.sqrt(variance) == pytest.approx(sigma, rel=0.02)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("rotation", [0, 0.5])
def test_a_missing_landmark_leaves_the_rest_as_it_would_be_without_it(kind, ndim, rotation):
    space = SPACE[:ndim]
    there = [[POINT[:ndim], (3.0, 4.5, 8.0)[:ndim]]]
    lost = [(NAN, 5.0, 5.0), (5.0, math.inf, 5.0), (NAN, NAN, NAN)]
    points = torch.tensor([[there[0][0], there[0][1], *(p[:ndim] for p in lost)]])
    before = points.clone()
    for front in ({}, {"background": True}, {"all_points": True}):
        options = {"sigmas": 2.5, "rotation": rotation, "heatmap_size": space, **front}
        first = len(front)
        alone = kind(2, **options)(torch.tensor(there))
        for na_zero in (True, False):
            maps = kind(5, na_zero=na_zero, **options)(points)
            assert maps.shape == (1, first + 5, *space)
            torch.testing.assert_close(maps[:, : first + 2], alone, rtol=0, atol=1e-7)
            gone = maps[:, first + 2 :]
            assert (gone == 0).all() if na_zero else torch.isnan(gone).all()
    torch.testing.assert_close(points, before, equal_nan=True)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_channel_in_front(ndim):
    space = SPACE[:ndim]
    points = torch.tensor([[POINT[:ndim], POINT[:ndim], (0.0, 0.0, 0.0)[:ndim]]])
    options = {"sigmas": 2.0, "rotation": 0.3, "heatmap_size": space}
    maps = GaussianHeatmapGenerator(3, **options)(points)
    total = sum(maps[0, lm].double().numpy() for lm in range(3))
    background = GaussianHeatmapGenerator(3, background=True, **options)(points)
    np.testing.assert_allclose(background[0, 0].numpy(), 1 - total, atol=1e-6)
    assert total.max() > 1.5
    everything = GaussianHeatmapGenerator(3, all_points=True, background=True, **options)(points)
    np.testing.assert_allclose(everything[0, 0].numpy(), total, atol=1e-6)
    for fronted in (background, everything):
        torch.testing.assert_close(fronted[:, 1:], maps)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("gamma", [None, 3.0])
def test_instances_are_added_and_empty_places_contribute_nothing(kind, ndim, gamma):
    space = SPACE[:ndim]
    points = torch.tensor([[[POINT, (2.0, 3.0, 4.0), (NAN, 1.0, 1.0)], [(NAN, NAN, NAN)] * 3]])[..., :ndim]
    for options in ({"na_zero": True}, {"na_zero": False}):
        generator = kind(2, torch.tensor([[1.5], [2.0]]), gamma=gamma, heatmap_size=space, **options)
        maps = generator(points)
        single = kind(1, 1.5, gamma=gamma, heatmap_size=space)
        expected = single(points[:, :1, 0]) + single(points[:, :1, 1])
        torch.testing.assert_close(maps[:, :1], expected, atol=1e-6, rtol=1e-5)
        assert (maps[:, 1] == 0).all()
        assert (generator(points[:, :, :0]) == 0).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_discrete_maps_are_drawn_around_pixel_centres(ndim):
    options = {"sigmas": 1.3, "rotation": 0.2, "heatmap_size": SPACE[:ndim]}
    points = torch.tensor([[POINT[:ndim]]])
    maps = GaussianHeatmapGenerator(1, continuous=False, **options)(points)
    torch.testing.assert_close(maps, GaussianHeatmapGenerator(1, **options)(torch.tensor([[(5.0, 10.0, 5.0)[:ndim]]])))
    assert maps.amax() == 1


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", BOTH)
def test_the_affine_of_the_image_turns_and_stretches_the_covariance(kind, ndim):
    space, points = SPACE[:ndim], torch.tensor([[POINT[:ndim]]] * 2)
    generator = kind(1, [[1.0, 2.0, 1.5][:ndim]], heatmap_size=space)
    linear = np.stack([np.random.default_rng(seed).normal(size=(ndim, ndim)) + np.eye(ndim) for seed in (3, 4)])
    given = torch.tensor(linear).float()
    maps = generator(points, given)
    for b in range(2):
        covariance = linear[b] @ np.diag(np.array([1.0, 4.0, 2.25])[:ndim]) @ linear[b].T
        expected = formula(kind, space, points[0, 0].double().numpy(), covariance)
        np.testing.assert_allclose(maps[b, 0].numpy(), expected, atol=1e-5)
    moved = torch.eye(4).repeat(2, 1, 1)
    moved[:, :ndim, :ndim], moved[:, :ndim, 3] = given, 30.0
    torch.testing.assert_close(generator(points, moved), maps)
    torch.testing.assert_close(generator(points, given[0])[0], maps[0])


@pytest.mark.parametrize("ndim", [2, 3])
def test_ways_to_give_sigmas(ndim):
    def sigmas(given, count=4):
        return GaussianHeatmapGenerator(count, given, heatmap_size=SPACE[:ndim]).sigmas

    axes, landmarks = [1.0, 2.0, 3.0][:ndim], [1.0, 2.0, 3.0, 4.0]
    assert sigmas(2).tolist() == [[2.0] * ndim] * 4
    for per_axis in (axes, np.array(axes), torch.tensor(axes), [axes], [axes] * 4):
        assert sigmas(per_axis).tolist() == [axes] * 4
    for per_landmark in (landmarks, tuple(landmarks), np.array(landmarks)[:, None]):
        assert sigmas(per_landmark).tolist() == [[s] * ndim for s in landmarks]
    assert sigmas(axes, count=ndim).tolist() == [axes] * ndim
    assert sigmas(np.array(axes)[:, None], count=ndim).tolist() == [[s] * ndim for s in axes]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64])
def test_the_float_type_of_the_landmarks_is_that_of_the_maps(dtype):
    points = torch.tensor([[[5, 9]]], dtype=dtype)
    for rotation in (0, 0.4):
        generator = GaussianHeatmapGenerator(1, [1.0, 2.0], rotation=rotation, heatmap_size=SPACE[:2], background=True)
        maps = generator(points)
        assert maps.dtype == (dtype if dtype.is_floating_point else torch.float32)
        exact = generator(points.double()).to(maps.dtype)
        torch.testing.assert_close(
            maps, exact, rtol=1e-6 if dtype in (torch.float64, torch.float32) else 1e-2, atol=1e-6
        )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(generator(points.float()), generator(points.double()).float(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("rotation", [0, 0.4])
def test_no_batch_no_instance_and_landmarks_far_outside(kind, ndim, rotation):
    generator = kind(2, 2.0, rotation=rotation, heatmap_size=SPACE[:ndim], background=True)
    assert generator(torch.zeros(0, 2, ndim)).shape == (0, 3, *SPACE[:ndim])
    maps = generator(torch.tensor([[[-1e30] * ndim, [1e4] * ndim]]))
    assert (maps[:, 1:] == 0).all()
    assert (maps[:, 0] == 1).all()
    single = kind(1, 2.0, rotation=rotation, heatmap_size=SPACE[:ndim])
    torch.testing.assert_close(single(torch.tensor([POINT[:ndim]])), single(torch.tensor([[POINT[:ndim]]])))


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", BOTH)
def test_slabs_and_whole_maps_give_the_same(kind, ndim, monkeypatch):
    torch.manual_seed(0)
    points = torch.rand(2, 3, 2, ndim) * torch.tensor(SPACE[:ndim])
    generator = kind(3, [[0.3, 0.8, 0.5][:ndim]], rotation=0.4, heatmap_size=SPACE[:ndim], learnable=True)

    def drawn():
        generator.zero_grad()
        maps = generator(points)
        maps.square().sum().backward()
        return maps.detach(), generator.sigmas.grad, generator.rotation.grad

    expected = drawn()
    monkeypatch.setattr(drawing, "TILE_PIXELS", 50)
    in_slabs = drawn()
    monkeypatch.setattr(drawing, "GROUP_PIXELS", 2 * math.prod(SPACE[:ndim]))
    monkeypatch.setattr(drawing, "_boxes", lambda bells, space, reach: drawing._whole_maps(bells, space))
    for got in (in_slabs, drawn()):
        for a, b in zip(got, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_a_new_distribution_needs_its_profile_and_nothing_else():
    class Student(HeatmapGenerator):
        def profile(self, squared_distance):
            return (1 + squared_distance / 4) ** -3

    class Flat(HeatmapGenerator):
        def profile(self, squared_distance):
            return 1 / (1 + squared_distance)

    points = torch.tensor([[[5.0, 9.0]]])
    maps = Student(1, [1.0, 2.0], heatmap_size=SPACE[:2])(points)
    assert maps[0, 0, 5, 9] == 1
    assert maps[0, 0, 7, 13].item() == pytest.approx((1 + (4 + 4) / 4) ** -3)
    # Its integral over the plane is pi * 4 / 2.
    scaled = Student(1, 1.0, gamma=1.0, heatmap_size=SPACE[:2])(points)
    assert scaled[0, 0, 5, 9].item() == pytest.approx(1 / (2 * math.pi), rel=1e-6)
    with pytest.raises(ValueError, match="finite integral"):
        Flat(1, gamma=1.0, heatmap_size=SPACE[:2])(points)
    with pytest.raises(TypeError, match="abstract"):
        HeatmapGenerator(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigmas": 0.0}, "positive"),
        ({"sigmas": [[1.0, -1.0]]}, "positive"),
        ({"sigmas": NAN}, "positive"),
        ({"sigmas": [1.0, 2.0, 3.0, 4.0, 5.0]}, r"sigmas must be a number, \(2,\), \(3,\) or \(3, 2\), not \(5,\)"),
        ({"rotation": [1.0, 2.0]}, r"rotation must be a number or \(3,\), not \(2,\)"),
        ({"rotation": math.inf}, "rotation must be finite"),
        ({"heatmap_size": (5,)}, "two or three"),
        ({"heatmap_size": (5, 0)}, "two or three"),
        ({"covariance": np.eye(3)}, r"covariance must be \(2, 2\) or \(3, 2, 2\), not \(3, 3\)"),
        ({"covariance": [[1.0, 2.0], [2.0, 1.0]]}, "positive definite"),
        ({"covariance": [[1.0, 0.5], [0.0, 1.0]]}, "symmetric"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianHeatmapGenerator(3, **{"heatmap_size": (8, 8), **options})


@pytest.mark.parametrize(
    ("shape", "keywords", "message"),
    [
        ((1, 2, 2), {}, r"landmarks must be \(B, 3, 2\) or \(B, 3, M, 2\), not \(1, 2, 2\)"),
        ((1, 3, 3), {}, "landmarks must be"),
        ((4, 2), {}, "landmarks must be"),
        ((2,), {}, "landmarks must be"),
        ((1, 3, 2), {"affine_matrix": torch.eye(5)}, "affine_matrix must be"),
        ((1, 3, 2), {"affine_matrix": torch.zeros(2, 2)}, "invertible"),
        ((1, 3, 2), {"affine_matrix": torch.eye(2).repeat(2, 1, 1)}, "one or 1 matrices"),
        ((1, 3, 2), {"covariance": torch.eye(3)}, "covariance must be"),
        ((1, 3, 2), {"covariance": -torch.eye(2)}, "positive definite"),
    ],
)
def test_wrong_inputs_are_named(shape, keywords, message):
    with pytest.raises(ValueError, match=message):
        GaussianHeatmapGenerator(3, heatmap_size=(8, 8))(torch.zeros(shape), **keywords)
