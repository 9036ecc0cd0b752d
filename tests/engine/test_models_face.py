"""What holds for every network, in 2D and in 3D."""

import pytest
import torch
from network_zoo import CHANNELS, HEATMAPS, LANDMARKS, SPACES, ZOO, random_image, tensors, tiny

from napari_landmarker.engine.models import covariance_stacks, heatmap_stacks


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Networks so small only wait for each other on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


EVERY = [(name, ndim) for name in ZOO for ndim in (2, 3)]


@pytest.mark.parametrize(("name", "ndim"), EVERY)
def test_a_network_takes_any_size_and_learns_with_all_it_has(name, ndim):
    net = tiny(name, ndim)
    assert net.out_channels == LANDMARKS
    image = random_image(ndim)
    answer = net(image)
    if name in HEATMAPS:
        shape = (len(image), LANDMARKS, *(-(-size // net.stride) for size in SPACES[ndim]))
        assert all(maps.shape == shape for maps in heatmap_stacks(answer))
        assert all(covariance.shape == (len(image), LANDMARKS, ndim, ndim) for covariance in covariance_stacks(answer))
    else:
        assert tensors(answer)[0].shape == (len(image), LANDMARKS, ndim)
    sum(
        (values * torch.linspace(-1, 1, values.numel()).view(values.shape)).sum() for values in tensors(answer)
    ).backward()
    for parameter_name, parameter in net.named_parameters():
        assert parameter.grad is not None, f"{parameter_name} is not used"
        assert torch.isfinite(parameter.grad).all(), parameter_name
    before = [values.shape for values in tensors(answer)]
    net.eval()
    with torch.no_grad():
        once, twice = tensors(net(image)), tensors(net(image))
    assert [values.shape for values in once] == before
    for first, second in zip(once, twice, strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("name", HEATMAPS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_padding_continues_the_border_and_is_cut_off_again(name, ndim):
    """The same as continuing the border by hand."""
    net = tiny(name, ndim).eval()
    image = random_image(ndim, batch=1)
    whole = [max(net.smallest, -(-size // net.multiple) * net.multiple) for size in SPACES[ndim]]
    index = torch.meshgrid(
        *(torch.arange(size).clamp(max=own - 1) for size, own in zip(whole, SPACES[ndim], strict=True)), indexing="ij"
    )
    with torch.no_grad():
        padded, own = heatmap_stacks(net(image[(slice(None), slice(None), *index)]))[-1], heatmap_stacks(net(image))[-1]
    cut = tuple(slice(0, size) for size in own.shape[2:])
    torch.testing.assert_close(own, padded[(slice(None), slice(None), *cut)], rtol=1e-4, atol=1e-5)


def test_an_image_of_another_kind_is_refused_in_one_sentence():
    net = tiny("unet", 2)
    with pytest.raises(ValueError, match=f"images of {CHANNELS} channels in 2D"):
        net(torch.zeros(1, CHANNELS, 8, 8, 8))
    with pytest.raises(ValueError, match=f"images of {CHANNELS} channels in 2D"):
        net(torch.zeros(1, CHANNELS + 1, 8, 8))
    with pytest.raises(ValueError, match="spatial_dims must be 2 or 3"):
        ZOO["hourglass"](1)
