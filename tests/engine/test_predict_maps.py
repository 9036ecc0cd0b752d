"""Predictors of networks whose answers are known: points, scores, covariances and heat in the image's own pixels."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from oracles import Fixed, FixedPoints, Ramps, gaussian, member, ramp_cascade, ramps

from napari_landmarker.engine.errors import ModelError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.heatmap.configs import DecoderConfig
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.losses.configs import L2Config, MultivariateGaussianNLLConfig
from napari_landmarker.engine.models.configs import (
    CascadeConfig,
    CholeskyHourglassConfig,
    CoordinateRegressionConfig,
    UNetConfig,
)
from napari_landmarker.engine.predict.instances import read_instances
from napari_landmarker.engine.predict.predictor import Predictor

#: Shapes of images, and places in them.
CASES = OrderedDict({2: ((40, 48), [(14.3, 30.6), (25.0, 20.2)]), 3: ((20, 22, 24), [(9.3, 12.6, 11.2)])})
VALUES = {"loss": L2Config()}
POINTS = {"model": CoordinateRegressionConfig(), "loss": L2Config(of="points")}


def grey(shape, spacing=None):
    return Image.from_array(np.random.default_rng(0).normal(size=shape).astype(np.float32), Grid(shape, spacing))


def shown_at(prediction):
    """Where each heatmap is largest, in the image's pixels."""
    maps = prediction.heatmaps
    index = [np.unravel_index(one.argmax(), one.shape) for one in maps]
    return prediction.to_heatmap.inverse.apply(index)


@pytest.mark.parametrize("ndim", CASES)
@pytest.mark.parametrize("logits", [True, False])
def test_points_follow_the_image_wherever_and_however_large_it_lies_in_the_frame(ndim, logits):
    shape, places = CASES[ndim]
    image = ramps(shape)
    for frame in (shape, tuple(size + 16 for size in shape), tuple(2 * size for size in shape)):
        network = Ramps(image, places, 1.2, logits=logits)
        one = member(network, frame, decoder=DecoderConfig(window=6), **({} if logits else VALUES))
        prediction = Predictor([one]).predict(image)
        np.testing.assert_allclose(prediction.landmarks.points, places, atol=0.02)
        variance = np.broadcast_to(1.2**2 * np.eye(ndim), (len(places), ndim, ndim))
        np.testing.assert_allclose(prediction.landmarks.covariance, variance, atol=0.1)
        assert prediction.heatmaps.max(axis=tuple(range(1, ndim + 1))) == pytest.approx(1)
        np.testing.assert_allclose(shown_at(prediction), places, atol=0.6)
        assert (prediction.landmarks.score > 0.9).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_covariances_are_those_of_the_image_through_the_frames_map(ndim):
    spacing, frame = (2.0, 1.0, 0.5)[:ndim], (40,) * ndim
    turned = np.array([[1.5, 0.6, 0.0], [0.6, 1.2, 0.3], [0.0, 0.3, 1.0]])[:ndim, :ndim]
    centre = (20.2, 18.7, 21.4)[:ndim]
    shape = tuple(int(40 / s) for s in spacing)
    network = Fixed(gaussian(frame, centre, turned).clamp(min=1e-30).log()[None])
    one = member(network, frame, spacing=1.0, decoder=DecoderConfig(window=7))
    landmarks = Predictor([one]).predict(grey(shape, spacing)).landmarks
    np.testing.assert_allclose((landmarks.points[0] + 0.5) * spacing - 0.5, centre, atol=0.01)
    expected = turned / np.outer(spacing, spacing)
    np.testing.assert_allclose(landmarks.covariance[0], expected, rtol=0.02, atol=0.01)


def test_a_network_that_answers_covariances_is_believed():
    frame, own = (32, 32), torch.tensor([[3.0, 0.5], [0.5, 2.0]])

    class Told(Fixed):
        def forward(self, image):
            return super().forward(image), own.expand(1, 1, 2, 2)

    network = Told(gaussian(frame, (9.0, 20.0), np.eye(2)).clamp(min=1e-30).log()[None], stride=2)
    config = {"model": CholeskyHourglassConfig(stride_2d=2), "loss": MultivariateGaussianNLLConfig()}
    one = member(network, (64, 64), **config)
    for members in ([one], [one, one]):  # two that agree are no surer
        landmarks = Predictor(members).predict(grey((64, 64))).landmarks
        np.testing.assert_allclose(landmarks.points[0], (18.5, 40.5), atol=0.01)
        np.testing.assert_allclose(landmarks.covariance[0], 4 * own, rtol=1e-5)


@pytest.mark.parametrize("ndim", CASES)
def test_two_equal_members_are_one_and_frames_may_differ(ndim):
    shape, places = CASES[ndim]
    image = ramps(shape)
    network = Ramps(image, places, 1.5)
    wide = {"decoder": DecoderConfig(window=6)}
    one = member(network, shape, **wide)
    alone, twice = (Predictor(members).predict(image) for members in ([one], [one, one]))
    np.testing.assert_allclose(twice.landmarks.points, alone.landmarks.points, atol=1e-5)
    np.testing.assert_allclose(twice.landmarks.score, alone.landmarks.score, atol=1e-5)
    np.testing.assert_allclose(twice.landmarks.covariance, alone.landmarks.covariance, atol=1e-4)
    np.testing.assert_allclose(twice.heatmaps, alone.heatmaps, atol=1e-5)
    other = member(network, tuple(int(1.5 * size) for size in shape), **wide)
    mixed = Predictor([one, other]).predict(image)
    assert mixed.heatmaps.shape == alone.heatmaps.shape
    np.testing.assert_allclose(mixed.landmarks.points, places, atol=0.05)


def test_heat_is_averaged_and_not_coordinates():
    here, there = (gaussian((32, 32), at, np.eye(2)).clamp(min=1e-30).log()[None] for at in ((8, 8), (20, 24)))
    members = [member(Fixed(maps), (32, 32)) for maps in (here, there, there)]
    landmarks = Predictor(members).predict(grey((32, 32))).landmarks
    np.testing.assert_allclose(landmarks.points[0], (20, 24), atol=0.02)
    assert landmarks.score[0] == pytest.approx(2 / 3, abs=0.01)


def test_a_member_without_a_landmark_or_with_a_broken_map_has_no_vote():
    maps = torch.stack([gaussian((24, 24), at, np.eye(2)).clamp(min=1e-30).log() for at in ((6, 6), (15, 11))])
    broken = maps.clone()
    broken[0, 3, 3] = torch.nan
    both, swapped = member(Fixed(broken), (24, 24), ("a", "b")), member(Fixed(maps.flip(0)), (24, 24), ("b", "a"))
    only = member(Fixed(maps[1:]), (24, 24), ("b",))
    info = both.info
    for members in ([both, swapped], [both, swapped, only]):
        landmarks = Predictor(members, info).predict(grey((24, 24))).landmarks
        np.testing.assert_allclose(landmarks.points, [(6, 6), (15, 11)], atol=0.02)
        assert landmarks.names == ("a", "b")


def test_members_that_cannot_be_averaged_are_refused_by_name():
    flat = torch.zeros(1, 16, 16)
    one = member(Fixed(flat), (16, 16))
    for other in (
        member(Fixed(flat), (16, 16), name="other", **VALUES),
        member(FixedPoints(torch.zeros(1, 2)), (16, 16), name="other", **POINTS),
        member(Fixed(torch.zeros(1, 8, 8, 8)), (8, 8, 8), name="other"),
    ):
        with pytest.raises(ModelError, match="'oracle' and 'other'"):
            Predictor([one, other])


@pytest.mark.parametrize("ndim", CASES)
@pytest.mark.parametrize("logits", [True, False])
def test_views_of_a_network_that_follows_the_image_change_nothing(ndim, logits):
    shape, places = CASES[ndim]
    image = ramps(shape)
    network = Ramps(image, places, 1.5, logits=logits)
    one = member(network, shape, decoder=DecoderConfig(window=6), **({} if logits else VALUES))
    plain = Predictor([one]).predict(image)
    many = Predictor([one], views=4).predict(image)
    again = Predictor([one]).predict(image, views=4)
    np.testing.assert_array_equal(many.landmarks.points, again.landmarks.points)
    np.testing.assert_allclose(many.landmarks.points, plain.landmarks.points, atol=0.05)
    np.testing.assert_allclose(many.landmarks.score, plain.landmarks.score, atol=0.1)
    np.testing.assert_allclose(many.landmarks.covariance, plain.landmarks.covariance, atol=0.4)


def test_no_view_loses_a_landmark_in_the_corner_of_the_image():
    image = ramps((40, 60))
    places = [(1.0, 2.0), (38.0, 54.0)]
    one = member(Ramps(image, places, 1.0), (40, 60), multiple=4)
    found = Predictor([one], views=6).predict(image).landmarks
    assert (found.score > 0.9).all()
    np.testing.assert_allclose(found.points, places, atol=0.1)


def test_views_are_turned_no_more_than_the_training_was():
    from napari_landmarker.engine.geometry import AffineMap
    from napari_landmarker.engine.predict.views import view_of
    from napari_landmarker.engine.transforms import AugmentationConfig

    plain = AffineMap.identity((64, 64))
    still = view_of(plain, 3, AugmentationConfig(rotation_deg=0, log_scale=0), 1, 1.0)
    np.testing.assert_allclose(still.matrix[:2, :2], np.eye(2), atol=1e-12)
    turned = view_of(plain, 3, AugmentationConfig(), 1, 1.0)
    assert 0 < abs(np.rad2deg(np.arctan2(*turned.matrix[1::-1, 0]))) < 4
    assert view_of(plain, 0, AugmentationConfig(), 1, 1.0) is plain


def test_mirrored_views_exchange_the_names_of_left_and_right():
    maps = torch.stack([gaussian((32, 32), (10, x), np.eye(2)).clamp(min=1e-30).log() for x in (5, 26, 15.5)])
    one = member(Fixed(maps), (32, 32), ("left", "right", "middle"), pairs=(("left", "right"),))
    found = Predictor([one], flips=True).predict(grey((32, 32))).landmarks
    np.testing.assert_allclose(found.points, [(10, 5), (10, 26), (10, 15.5)], atol=0.02)
    assert (found.score > 0.95).all()
    plain = member(Fixed(maps), (32, 32), ("left", "right", "middle"))
    with pytest.raises(ModelError, match="no left-right pairs"):
        Predictor([plain], flips=True).predict(grey((32, 32)))


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("logits", [True, False])
def test_several_points_of_a_landmark_are_found_in_the_order_of_their_scores(ndim, logits):
    shape, centres = (32,) * ndim, [(6.3, 9.0, 12.0)[:ndim], (20.0, 22.4, 20.0)[:ndim]]
    bells = [gaussian(shape, centre, np.eye(ndim)) for centre in centres]
    heat = (0.6 * bells[0] + bells[1])[None]
    network = Fixed(heat.clamp(min=1e-30).log() if logits else heat)
    config = {"instances": 3, "decoder": DecoderConfig(window=4), **({} if logits else VALUES)}
    one = member(network, shape, ("a",), **config)
    for predictor in (Predictor([one]), Predictor([one], window=True)):
        landmarks = predictor.predict(grey(shape)).landmarks
        assert landmarks.points.shape == (1, 3, ndim)
        np.testing.assert_allclose(landmarks.points[0, :2], centres[::-1], atol=0.02)
        assert np.isnan(landmarks.points[0, 2]).all()
        expected = (1.0, 0.6, 0.0) if logits else (np.exp(-0.5 * 0.4**2), 0.6 * np.exp(-0.5 * 0.3**2), 0.0)
        np.testing.assert_allclose(landmarks.score[0], expected, atol=0.03)
        np.testing.assert_allclose(landmarks.covariance[0, 0], np.eye(ndim), atol=0.05)


def test_noise_is_no_instance_and_what_says_nothing_has_none():
    maps = torch.zeros(1, 3, 32, 32)
    maps[0, 0] = gaussian((32, 32), (10, 10), np.eye(2)) + 0.1 * gaussian((32, 32), (24, 24), np.eye(2))
    maps[0, 1] = 0.5
    found = read_instances(maps, DecoderConfig(), 4, logits=False)
    assert found.points.shape == (1, 3, 4, 2)
    assert torch.isfinite(found.points[0]).all(dim=-1).sum(dim=-1).tolist() == [1, 0, 0]


@pytest.mark.parametrize("ndim", [2, 3])
def test_points_networks_are_averaged_and_their_spread_is_the_covariance(ndim):
    shape = (24,) * ndim
    points = [torch.full((1, ndim), 10.0), torch.full((1, ndim), 12.0)]
    members = [member(FixedPoints(own), shape, **POINTS) for own in points]
    alone = Predictor(members[:1]).predict(grey(shape))
    np.testing.assert_allclose(alone.landmarks.points, points[0])
    assert alone.landmarks.covariance is None
    assert np.isnan(alone.landmarks.score).all()  # such a network says nothing of how sure it is
    assert alone.heatmaps.max() == 1
    np.testing.assert_allclose(shown_at(alone), points[0], atol=0.6)
    both = Predictor(members).predict(grey(shape)).landmarks
    np.testing.assert_allclose(both.points, np.full((1, ndim), 11.0))
    np.testing.assert_allclose(both.covariance[0], np.full((ndim, ndim), 2.0))
    assert np.isnan(both.score).all()
    lost = Predictor([member(FixedPoints(torch.full((1, ndim), torch.nan)), shape, **POINTS)]).predict(grey(shape))
    assert lost.landmarks.status.tolist() == ["unplaced"]
    assert lost.landmarks.score.tolist() == [0]


@pytest.mark.parametrize("ndim", CASES)
def test_a_cascade_answers_as_its_second_stage_does_alone_and_in_an_ensemble(ndim):
    shape, places = CASES[ndim]
    image, config = ramps(shape), {"model": CascadeConfig(coarse=UNetConfig())}
    one = member(ramp_cascade(image, places), shape, **config)
    with torch.no_grad():
        direct = one.network(torch.from_numpy(_drawn(one, image))[None])
    alone = Predictor([one]).predict(image)
    np.testing.assert_allclose(alone.landmarks.points, direct.points[0], atol=1e-4)
    np.testing.assert_allclose(alone.landmarks.points, places, atol=0.02)
    np.testing.assert_allclose(shown_at(alone), places, atol=0.6)
    other = member(ramp_cascade(image, places), tuple(2 * size for size in shape), **config)
    for predictor in (Predictor([one, one]), Predictor([one, other]), Predictor([one], views=3)):
        found = predictor.predict(image)
        np.testing.assert_allclose(found.landmarks.points, places, atol=0.1)
        assert found.heatmaps.shape == alone.heatmaps.shape
    windows = Predictor([one], window=True).predict(image)
    np.testing.assert_allclose(windows.landmarks.points, alone.landmarks.points, atol=1e-3)


def test_a_cascade_is_no_surer_than_its_first_stage():
    image, shape = ramps((48, 48)), (48, 48)
    network = ramp_cascade(image, [(16.0, 16.0)])
    sure = Predictor([member(network, shape, model=CascadeConfig())]).predict(image).landmarks.score[0]
    two = torch.maximum(*(gaussian((12, 12), at, np.eye(2)) for at in ((3.5, 3.5), (9, 9)))).clamp(min=1e-30).log()
    network.coarse_maps = lambda drawn: two[None, None]
    unsure = Predictor([member(network, shape, model=CascadeConfig())]).predict(image).landmarks.score[0]
    assert sure > 0.8
    assert unsure == pytest.approx(sure / 2, rel=0.1)


def test_too_little_memory_is_one_sentence_that_names_the_image():
    class Hungry(Fixed):
        def forward(self, image):
            return torch.empty(2**55)

    class Full(Fixed):
        def forward(self, image):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    for kind, words in ((Hungry, "too little memory for this image"), (Full, "graphics card has too little memory")):
        predictor = Predictor([member(kind(torch.zeros(1, 8, 8)), (8, 8))])
        with pytest.raises(ModelError, match=f"scan7.png: .*{words}"):
            predictor.landmarks(grey((8, 8)), "scan7.png")
    broken = Predictor([member(Fixed(torch.zeros(1, 8, 8)), (8, 8))])
    broken.members[0].network.forward = lambda image: (_ for _ in ()).throw(RuntimeError("a mistake"))
    with pytest.raises(RuntimeError, match="a mistake"):
        broken.predict(grey((8, 8)))


def _drawn(one, image):
    from napari_landmarker.engine.transforms import resample, standardise

    return resample(standardise(image.channels_first()), one.info.frame.map_for(image.grid))
