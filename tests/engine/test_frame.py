"""Images whose size in millimetres cannot be right are refused, and those that merely differ are drawn."""

import numpy as np
import pytest

from napari_landmarker.engine.errors import ModelError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.train.frame import NetworkFrame


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_spacing_in_another_unit_is_said_with_both_spacings(ndim):
    frame = NetworkFrame(shape=(64,) * ndim, spacing_mm=2.0, multiple=16)
    shape = (256,) * ndim  # at 0.5 mm it fills the frame
    np.testing.assert_allclose(frame.map_for(Grid(shape, (0.5,) * ndim)).matrix[0, 0], 0.25)
    for step, words in ((0.0005, "0.0005"), (5e-7, "5e-07"), (500.0, "500")):
        with pytest.raises(ModelError, match="check") as caught:
            frame.map_for(Grid(shape, (step,) * ndim))
        said = str(caught.value)
        assert f"its spacing is {' x '.join([words] * ndim)} mm, and the model works at 2 mm per pixel" in said
        assert "\n" not in said
        assert said.endswith(".")
    with pytest.raises(ModelError, match="in millimetres"):  # only one axis in another unit
        frame.map_for(Grid(shape, (1e-6, *[0.5] * (ndim - 1))))


def test_a_small_part_of_an_image_and_a_thin_one_are_drawn():
    frame = NetworkFrame(shape=(64, 64, 64), spacing_mm=2.0, multiple=16)
    assert frame.map_for(Grid((20, 24, 30), (0.5, 0.5, 0.5))).target_shape == (64, 64, 64)
    assert frame.map_for(Grid((1, 256, 256), (0.5, 0.5, 0.5))).target_shape == (64, 64, 64)
