"""Networks on flat images, in half precision, at odd sizes, saved and exported; in 2D and in 3D."""

import pytest
import torch
from network_zoo import HEATMAPS, LANDMARKS, ZOO, random_image, tensors, tiny

from napari_landmarker.engine.models import heatmap_stacks


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Networks so small only wait for each other on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


EVERY = [(name, ndim) for name in ZOO for ndim in (2, 3)]


@pytest.mark.parametrize(("name", "ndim"), EVERY)
def test_a_network_is_sound_on_flat_images_in_half_precision_and_after_a_round_trip(name, ndim):
    net = tiny(name, ndim).eval()
    other = ZOO[name](ndim).eval()
    other.load_state_dict(net.state_dict())
    image = random_image(ndim, batch=1)
    with torch.no_grad():
        answer, same = tensors(net(image)), tensors(other(image))
        for level in (0.0, 1000.0):
            flat = net(torch.full_like(image, level))
            # A cascade's points are NaN where a map is exactly flat: that is its word for "nothing here".
            assert all(torch.isfinite(values).all() for values in tensors(flat)[2 if name == "cascade" else 0 :])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = tensors(net(image))
    for own, copy, coarse in zip(answer, same, half, strict=True):
        assert torch.equal(own, copy)
        assert coarse.shape == own.shape
        assert torch.isfinite(coarse).all()
    if name in HEATMAPS:
        maps, rough = answer[0], half[0].float()
        assert (rough - maps).norm() < 0.15 * maps.norm()


@pytest.mark.parametrize("name", ["original_scn", "scn", "prob_scn", "hourglass", "cholesky_hourglass"])
@pytest.mark.parametrize("space", [(256, 128), (500, 500), (42, 42, 42), (1, 5), (3, 1, 2)])
def test_sizes_that_the_reference_refuses(name, space):
    net = tiny(name, len(space)).eval()
    with torch.no_grad():
        maps = heatmap_stacks(net(random_image(len(space), 1, space)))[-1]
    assert maps.shape == (1, LANDMARKS, *(-(-size // net.stride) for size in space))
    assert torch.isfinite(maps).all()


@pytest.mark.parametrize("name", ["unet_stride", "original_scn", "stacked_cholesky_hourglass", "coordinate"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_a_network_can_be_exported(name, ndim):
    """A graph without Python, whose shapes do not depend on values, gives the same."""
    net, image = tiny(name, ndim).eval(), random_image(ndim, batch=1)
    exported = torch.export.export(net, (image,), strict=False).module()
    other = random_image(ndim, batch=1, seed=5)
    with torch.no_grad():
        for own, copy in zip(tensors(net(other)), tensors(exported(other)), strict=True):
            torch.testing.assert_close(own, copy, rtol=1e-4, atol=1e-5)
