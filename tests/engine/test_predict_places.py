"""Where a predicted point may lie, whom its landmark belongs to, and how a prediction is ended before it is done."""

import numpy as np
import pytest
import torch
from oracles import Fixed, FixedPoints, Ramps, gaussian, member, ramp_cascade, ramps

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.losses.configs import L2Config
from napari_landmarker.engine.models.configs import CascadeConfig, CoordinateRegressionConfig
from napari_landmarker.engine.predict.predictor import Predictor

VALUES = {"loss": L2Config()}
POINTS = {"model": CoordinateRegressionConfig(), "loss": L2Config(of="points")}


def grey(shape, spacing=None):
    return Image.from_array(np.random.default_rng(0).normal(size=shape).astype(np.float32), Grid(shape, spacing))


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("answers", ["points", "maps"])
def test_a_point_out_in_the_padding_is_no_point_and_one_just_beyond_the_border_is_moved_to_it(ndim, answers):
    shape, frame, spacing = (20,) * ndim, (40,) * ndim, (1.0,) * ndim
    # drawn half as large and in the middle, the image is in the frame's pixels 15 to 24: its borders are 14.5 and 24.5
    places = [(y, *[20.0] * (ndim - 1)) for y in (24.4, 24.8, 25.4, 25.7, 39.0, 13.6, 13.2)]
    expected = [19.3, 19.5, 19.5, None, None, -0.5, None]  # a pixel of the frame is two of the image
    network, options = FixedPoints(torch.tensor(places)), POINTS
    if answers == "maps":
        maps = torch.stack([gaussian(frame, place, 0.5 * np.eye(ndim)).clamp(min=1e-30).log() for place in places])
        network, options = Fixed(maps), {}
    one = member(network, frame, spacing=2.0, **options)
    landmarks = Predictor([one]).predict(grey(shape, spacing)).landmarks
    for name, place in zip(landmarks.names, expected, strict=True):
        if place is None:
            assert np.isnan(landmarks.point(name)).all()
            assert (landmarks.score_of(name), landmarks.status_of(name)) == (0, "unplaced")
        else:
            np.testing.assert_allclose(landmarks.point(name), (place, *[10.5] * (ndim - 1)), atol=0.02)
            assert landmarks.status_of(name) == "predicted"


def test_of_several_points_those_beyond_the_image_come_last():
    # the image is in the rows 6 to 17 of the frame
    bells = ((1.0, (20, 5)), (0.9, (10, 5)), (0.8, (14, 14)))
    heat = sum(height * gaussian((24, 24), at, np.eye(2)) for height, at in bells)
    one = member(Fixed(heat[None]), (24, 24), ("a",), spacing=1.0, instances=3, **VALUES)
    landmarks = Predictor([one]).predict(grey((12, 24), (1.0, 1.0))).landmarks
    np.testing.assert_allclose(landmarks.points[0, :2], [(4, 5), (8, 14)], atol=0.02)
    assert landmarks.status[0].tolist() == ["predicted", "predicted", "unplaced"]
    np.testing.assert_allclose(landmarks.score[0], (0.9, 0.8, 0), atol=0.01)


def test_what_is_asked_between_may_end_the_work():
    class Ended(Exception):
        pass

    shape = (40, 40)
    image = ramps(shape, (1.0, 1.0))

    def asked(predictor):
        calls = []
        predictor.predict(image, check=lambda: calls.append(1))
        for last in range(len(calls)):
            left = iter(range(last))

            def check(left=left):
                if next(left, None) is None:
                    raise Ended

            with pytest.raises(Ended):
                predictor.predict(image, check=check)
        return len(calls)

    network = Ramps(image, [(14.0, 20.0)], 1.2)
    assert asked(Predictor([member(network, shape)])) == 1
    assert asked(Predictor([member(network, shape)], views=3)) == 3
    through = Predictor([member(network, (12, 12), spacing=1.0)], window=True)
    assert asked(through) == 4  # windows of 24 x 24, two along each axis
    assert asked(Predictor([member(FixedPoints(torch.zeros(1, 2)), shape, **POINTS)] * 2)) == 2
    both = Predictor([member(ramp_cascade(image, [(16.0, 16.0)]), shape, model=CascadeConfig())])
    assert asked(both) == 2  # its two stages


@pytest.mark.parametrize("kind", ["maps", "windows", "cascade", "points"])
def test_a_landmark_that_no_member_knows_is_left_out(kind):
    image, shape = ramps((48, 48)), (48, 48)
    one = {
        "maps": lambda: member(Ramps(image, [(16.0, 16.0)], 1.2), shape),
        "windows": lambda: member(Ramps(image, [(16.0, 16.0)], 1.2), shape),
        "cascade": lambda: member(ramp_cascade(image, [(16.0, 16.0)]), shape, model=CascadeConfig()),
        "points": lambda: member(FixedPoints(torch.full((1, 2), 16.0)), shape, **POINTS),
    }[kind]()
    told = member(Ramps(image, [(0, 0)] * 3, 1.0), shape, ("x", "a", "y"), pairs=(("x", "a"),)).info
    predictor = Predictor([one], told, window=kind == "windows")
    assert predictor.info.names == ("a",)
    assert predictor.info.landmarks.pairs == ()
    landmarks = predictor.predict(image).landmarks
    assert landmarks.names == ("a",)
    np.testing.assert_allclose(landmarks.points, [(16, 16)], atol=0.05)
