"""Large images through windows: what is read on the way is what the merged maps would say as a whole."""

import itertools

import numpy as np
import pytest
import torch
from oracles import Ramps, gaussian, info_of, member, ramps

from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.heatmap.configs import DecoderConfig
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.losses.configs import L2Config
from napari_landmarker.engine.models.base import HeatmapNetwork
from napari_landmarker.engine.predict import windows
from napari_landmarker.engine.predict.found import Found, joined
from napari_landmarker.engine.predict.instances import read_instances
from napari_landmarker.engine.predict.member import Look, Member, Picture
from napari_landmarker.engine.predict.predictor import Predictor
from napari_landmarker.engine.predict.seen import read_stream
from napari_landmarker.engine.predict.stream import halo_of
from napari_landmarker.engine.predict.windows import (
    needs_windows,
    places,
    rows_for,
    shares,
    stream_maps,
    window_shape,
)

LANDMARKS = 3
#: Shape of the image, of what the network learnt from, and of windows that cover the image in several rows.
CASES = {2: ((75, 66), (16, 16)), 3: ((43, 20, 26), (8, 8, 8))}


class Local(HeatmapNetwork):
    """A random convolution with zeros beyond the border, so that every window sees something else near its border."""

    def __init__(self, ndim, stride):
        super().__init__(ndim, 1, LANDMARKS, stride=stride)
        kind = torch.nn.Conv2d if ndim == 2 else torch.nn.Conv3d
        self.convolution = kind(self.folded_channels, LANDMARKS, 5, padding=2)

    def maps(self, folded):
        return 4 * self.convolution(folded)


class Same(HeatmapNetwork):
    """Its maps are the image's channels."""

    def maps(self, folded):
        return folded


def look_at(network, shape, trained, **options):
    names = tuple("abcdefgh"[: network.out_channels])
    info = info_of(names, trained, channels=network.in_channels, **options)
    picture = Picture(Image.from_array(np.zeros(shape, np.float32), Grid(shape)))
    return Look(Member(info, network), picture, AffineMap.identity(shape), tuple(range(len(names))))


def merged(look, drawn):
    """The maps of all windows, each weighted by the product of its shares, in one."""
    network, space = look.member.network, drawn.shape[2:]
    window = window_shape(
        space, look.member.info.frame.shape, network.multiple, network.stride, network.out_channels, 0
    )
    starts = [places(size, width, network.stride) for size, width in zip(space, window, strict=True)]
    assert all(len(own) > 2 for own in starts)
    stride = network.stride
    grid = [-(-size // stride) for size in space]
    total = torch.zeros(network.out_channels, *[size + max(window) for size in grid], dtype=torch.float64)
    weights = torch.zeros(total.shape[1:], dtype=torch.float64)
    padded = torch.nn.functional.pad(drawn, [0, max(window)] * len(space), mode="replicate")
    bells = [torch.sin(torch.pi * (torch.arange(w // stride) + 0.5) / (w // stride)).square() for w in window]
    weight = bells[0]
    for bell in bells[1:]:
        weight = weight[..., None] * bell
    for start in itertools.product(*starts):
        box = tuple(slice(at, at + width) for at, width in zip(start, window, strict=True))
        maps = network(padded[(slice(None), slice(None), *box)])[0]
        cell = tuple(slice(at // stride, (at + width) // stride) for at, width in zip(start, window, strict=True))
        total[(slice(None), *cell)] += maps * weight
        weights[cell] += weight
    part = tuple(slice(0, size) for size in grid)
    return (total[(slice(None), *part)] / weights[part]).float()


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(windows, "WINDOW_PIXELS", 1)
    monkeypatch.setattr(windows, "OVERVIEW_PIXELS", 600)


@pytest.mark.parametrize(
    ("ndim", "stride", "logits", "method", "instances"),
    [
        (2, 2, True, "auto", 1),
        (2, 1, False, "auto", 1),
        (2, 1, True, "argmax", 1),
        (2, 2, True, "soft_argmax", 1),
        (2, 1, False, "soft_argmax", 1),
        (2, 1, True, "auto", 4),
        (3, 1, True, "auto", 1),
        (3, 2, False, "auto", 1),
        (3, 1, False, "auto", 5),
        (3, 1, True, "soft_argmax", 1),
    ],
)
@torch.no_grad()
def test_what_is_read_on_the_way_is_what_the_whole_says(small_windows, ndim, stride, logits, method, instances):
    torch.manual_seed(ndim + instances)
    shape, trained = CASES[ndim]
    network = Local(ndim, stride)
    decoder = DecoderConfig(method=method, window=2)
    loss = {} if logits else {"loss": L2Config()}
    look = look_at(network, shape, trained, decoder=decoder, instances=instances, **loss)
    drawn = torch.randn(1, 1, *shape)
    whole = merged(look, drawn)
    heat = look.member.heat_of_maps(whole[None])
    expected = read_instances(heat, decoder, instances, logits=logits)
    streamed = stream_maps(look, drawn, decoder, instances)
    found = read_stream(streamed, look, instances)
    np.testing.assert_allclose(found.points, expected.points[0], atol=1e-4)
    if logits and method == "soft_argmax":  # away from the peak nothing is kept, and the score is the peak's
        expected = expected._replace(score=read_instances(heat, DecoderConfig(window=2), instances).score)
    np.testing.assert_allclose(found.score, expected.score[0], atol=1e-4)
    if method != "soft_argmax":  # where the mean lies away from the peak, the covariance is that of the whole map
        np.testing.assert_allclose(found.covariance, expected.covariance[0], atol=1e-4)
    pool = torch.nn.functional.max_pool2d if ndim == 2 else torch.nn.functional.max_pool3d
    overview = pool(whole[None], streamed.coarser, ceil_mode=True)[0]
    assert streamed.coarser > 1
    torch.testing.assert_close(streamed.overview, overview, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("ndim", "method", "count"), [(2, "auto", 1), (2, "soft_argmax", 1), (3, "auto", 2)])
@torch.no_grad()
def test_a_peak_between_two_rows_of_windows_is_read_as_any_other(small_windows, ndim, method, count):
    shape, trained = ((64, 20), (16, 16)) if ndim == 2 else ((40, 12, 12), (8, 8, 8))
    decoder = DecoderConfig(window=2, method=method)
    for rows in np.linspace(0.1, shape[0] - 1, 15).reshape(-1, LANDMARKS):
        centres = [(at, *[n / 2 + 0.3 for n in shape[1:]]) for at in rows]
        covariance = np.diag([1.6, 1.0, 1.0][:ndim])
        maps = torch.stack([gaussian(shape, centre, covariance).clamp(min=1e-30).log() for centre in centres])
        look = look_at(Same(ndim, LANDMARKS, LANDMARKS), shape, trained, decoder=decoder)
        expected = read_instances(look.member.heat_of_maps(maps[None]), decoder, 1)
        found = read_stream(stream_maps(look, maps[None], decoder, count), look, count)
        np.testing.assert_allclose(found.points[:, 0], expected.points[0, :, 0], atol=1e-4)
        np.testing.assert_allclose(found.covariance[:, 0], expected.covariance[0, :, 0], atol=1e-3)
        np.testing.assert_allclose(found.score[:, 0], expected.score[0, :, 0], atol=1e-4)


@pytest.mark.parametrize(
    ("ndim", "method", "instances"), [(2, "auto", 1), (2, "auto", 3), (3, "auto", 1), (3, "soft_argmax", 1)]
)
@torch.no_grad()
def test_the_axis_of_the_rows_and_groups_of_landmarks_change_nothing(
    small_windows, monkeypatch, ndim, method, instances
):
    torch.manual_seed(3)
    shape, trained = ((50, 58), (16, 16)) if ndim == 2 else ((22, 18, 20), (8, 8, 8))
    decoder = DecoderConfig(method=method, window=2)
    look = look_at(Local(ndim, 1), shape, trained, decoder=decoder, instances=instances)
    drawn, kept, real = torch.randn(1, 1, *shape), [], windows.Stream.aggregate

    def counted(self, values, location):
        kept.append(tuple(self._planes.shape))
        real(self, values, location)

    monkeypatch.setattr(windows.Stream, "aggregate", counted)
    expected = stream_maps(look, drawn, decoder, instances, axis=0)
    for axis in range(ndim):
        for most in (windows.MOST_BYTES, 1):
            monkeypatch.setattr(windows, "MOST_BYTES", most)
            kept.clear()
            streamed = stream_maps(look, drawn, decoder, instances, axis=axis)
            rows = rows_for(shape, trained, 1, 1, LANDMARKS, halo_of(decoder), axis)
            assert set(kept) == {rows.kept}
            assert rows.order[0] == axis
            assert len(rows.groups) == (LANDMARKS if most == 1 else 1)
            found, plain = (read_stream(one, look, instances) for one in (streamed, expected))
            for own, other in zip(found, plain, strict=True):
                np.testing.assert_allclose(own, other, atol=1e-4)
            torch.testing.assert_close(streamed.overview, expected.overview, atol=1e-4, rtol=0)
            torch.testing.assert_close(streamed.log_total, expected.log_total, atol=1e-4, rtol=0)


@pytest.mark.parametrize("trained", [(64, 64, 64), (128, 128, 128), (48, 200, 200), (200, 200, 48), (250, 250, 250)])
@pytest.mark.parametrize(("space", "landmarks"), [((400, 512, 512), 32), ((100, 800, 800), 60), ((600, 600, 600), 80)])
def test_what_is_kept_of_large_volumes_is_small_whichever_axis_is_long(trained, space, landmarks):
    for turned in set(itertools.permutations(space)):
        rows = rows_for(turned, trained, 4, 1, landmarks, 12)
        assert 4 * np.prod(rows.kept, dtype=float) <= 3 * 2**30
        assert [at for group in rows.groups for at in range(landmarks)[group]] == list(range(landmarks))
        assert rows.kept[2:] == tuple(turned[axis] for axis in rows.order[1:])
        assert turned[rows.order[0]] == max(turned)
        window = 4 * landmarks * np.prod(rows.window, dtype=float)
        assert window <= max(2**30, 4 * landmarks * np.prod(trained))  # what the network answers at once
    usual = rows_for(space, (128, 128, 128), 4, 1, landmarks, 12)
    assert len(usual.groups) == (1 if landmarks < 80 else 4)


@torch.no_grad()
def test_maps_that_say_nothing_have_no_point(small_windows):
    shape, decoder = (64, 20), DecoderConfig()
    maps = torch.zeros(3, *shape)
    maps[1, 5, 5], maps[1, 60, 10] = 3.0, torch.nan
    maps[2, 40, 4] = 9.0
    look = look_at(Same(2, 3, 3), shape, (16, 16), decoder=decoder)
    found = read_stream(stream_maps(look, maps[None], decoder, 1), look, 1)
    assert torch.isfinite(found.points[:, 0, 0]).tolist() == [False, False, True]
    assert found.score[:, 0].tolist()[:2] == [0, 0]


def test_windows_cover_the_axis_and_all_together_count_one():
    for size, width, stride in ((100, 32, 4), (97, 32, 1), (33, 32, 1), (20, 32, 4), (64, 64, 8), (1000, 96, 2)):
        starts = places(size, width, stride)
        assert starts[0] == 0
        assert size <= starts[-1] + width < size + stride or starts == [0]
        assert all(at % stride == 0 for at in starts)
        assert all(later - at <= width - width // 4 for at, later in itertools.pairwise(starts))
        total = np.zeros(max(size, starts[-1] + width))
        for at, share in shares(starts, width, size).items():
            total[at : at + width] += share.numpy()
        np.testing.assert_allclose(total, 1, atol=1e-6)


def test_windows_are_for_images_much_larger_than_those_of_the_training():
    assert not needs_windows((128, 128, 96), (64, 64, 48), 1)  # eight times larger, yet it fits
    assert needs_windows((512, 512, 400), (128, 128, 128), 1)
    assert not needs_windows((512, 512, 400), (400, 400, 300), 1)  # such images it learnt from
    assert not needs_windows((2048, 2048), (512, 512), 4)  # folded, it is small
    shape = window_shape((400, 512, 512), (96, 96, 96), 16, 1, 32, 7)
    assert all(size % 16 == 0 for size in shape)
    assert 4 * 32 * (shape[0] + 14) * 512 * 512 <= windows.ROW_BYTES * 1.01
    assert shape[1:] == (96, 96)  # a window of twice that has more than a million voxels
    assert window_shape((40, 200), (64, 64), 16, 1, 2, 7) == (48, 128)


@pytest.mark.parametrize("flags", [{}, {"views": 3}])
def test_looks_through_windows_are_joined(small_windows, flags):
    image = ramps((70, 60))
    network = Ramps(image, [(20.3, 33.6), (40.0, 41.2)], 1.2)
    one = member(network, (70, 60), decoder=DecoderConfig(window=6))
    small = member(network, (40, 40), decoder=DecoderConfig(window=6))
    small.info = small.info.model_copy(update={"frame": one.info.frame})
    plain = Predictor([one]).predict(image)
    through = Predictor([one, small], window=True, **flags).predict(image)
    np.testing.assert_allclose(through.landmarks.points, plain.landmarks.points, atol=0.05)
    np.testing.assert_allclose(through.landmarks.covariance, plain.landmarks.covariance, atol=0.15)
    np.testing.assert_allclose(through.landmarks.score, plain.landmarks.score, atol=0.05)
    assert through.heatmaps[0].size <= 300
    at = np.unravel_index(through.heatmaps[0].argmax(), through.heatmaps[0].shape)
    np.testing.assert_allclose(through.to_heatmap.inverse.apply(at), (20.3, 33.6), atol=3)


def test_one_finding_elsewhere_does_not_pull_the_others():
    def found(point, score):
        return Found(np.array([[point]], float), np.array([[score]]), np.eye(2)[None, None])

    together = joined([found((10, 10), 0.9), found((11, 10), 0.9), found((50, 50), 0.9)])
    np.testing.assert_allclose(together.points[0, 0], (10.5, 10))
    assert together.score[0, 0] == pytest.approx(0.6)
    np.testing.assert_allclose(together.covariance[0, 0], np.diag([1.25, 1.0]))
    lost = joined([found((10, 10), 0.5), found((np.nan, np.nan), 0.0)])
    np.testing.assert_allclose(lost.points[0, 0], (10, 10))
    assert lost.score[0, 0] == pytest.approx(0.25)
    # a finding that did not look for the landmark takes nothing from it
    both = joined(
        [found((10, 10), 0.8).in_rows([0], 2), found((4, 5), 0.6).in_rows([1], 2), found((4, 5), 0.4).in_rows([1], 2)]
    )
    np.testing.assert_allclose(both.points[:, 0], [(10, 10), (4, 5)])
    np.testing.assert_allclose(both.score[:, 0], (0.8, 0.5))


def test_members_that_share_no_landmark_are_as_sure_together_as_alone(small_windows):
    image = ramps((70, 60))
    networks = [Ramps(image, [place], 1.2) for place in ((20.3, 33.6), (40.0, 41.2))]
    members = [
        member(n, (40, 40), names, decoder=DecoderConfig(window=6)) for n, names in zip(networks, "ab", strict=True)
    ]
    alone = [Predictor([one], window=True).predict(image).landmarks for one in members]
    both = Predictor(members, window=True).predict(image).landmarks
    assert both.names == ("a", "b")
    for own, name in zip(alone, "ab", strict=True):
        assert own.score_of(name) > 0.9
        assert both.score_of(name) == pytest.approx(own.score_of(name), abs=1e-6)
        np.testing.assert_allclose(both.point(name), own.point(name), atol=1e-6)
