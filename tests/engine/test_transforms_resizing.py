"""Landmarks and images under the names of the paper."""

import numpy as np
import pytest
import torch
from blobs import centroid, draw_blob

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.transforms import affine_landmarks, crop_landmarks, resize_landmarks, resize_with_pad


@pytest.mark.parametrize(
    ("shape", "dim", "padding"),
    [
        ((240, 194), (64, 64), (0, (240 - 194) / 2)),
        ((50, 100), (64, 64), (25, 0)),
        ((30, 60, 60), (48, 48, 48), (15, 0, 0)),
        ((60, 40, 50), (48, 24, 48), (10, 0, 15)),
        ((64, 64), (32, 32), (0, 0)),
    ],
)
def test_a_blob_stays_at_its_landmark_when_resized_with_padding(shape, dim, padding):
    place = np.array(shape) * 0.45 + 0.3
    images, added = resize_with_pad(torch.from_numpy(draw_blob(shape, place, 4.0))[None], dim)
    assert images.shape == (1, 1, *dim)
    assert added == pytest.approx(padding)
    landmark = resize_landmarks(torch.from_numpy(place)[None], shape, dim, added)
    np.testing.assert_allclose(centroid(images[0].numpy()), landmark[0].numpy(), atol=0.05)


def test_padding_is_zero_and_types_are_kept():
    image = np.full((3, 10, 20), 200, np.uint8)
    drawn, padding = resize_with_pad(image, (20, 20))
    assert drawn.dtype == np.uint8
    assert padding == (5, 0)
    assert (drawn[:, 5:15] == 200).all()
    assert (drawn[:, :5] == 0).all()
    assert (drawn[:, 15:] == 0).all()
    half = resize_with_pad(torch.ones(2, 3, 8, 4, dtype=torch.float16), (4, 4))[0]
    assert half.dtype == torch.float16
    assert half[0, 0, 0].tolist() == [0, 1, 1, 0]
    assert resize_with_pad(np.ones((4, 4)), (2, 2))[0].shape == (2, 2)
    with pytest.raises(GeometryError, match="cannot be drawn"):
        resize_with_pad(image, (3, 10, 20, 5))


def test_resizing_landmarks_by_hand():
    landmarks = torch.tensor([[[-0.5, 0.0], [255.5, 100.0]], [[float("nan")] * 2, [127.5, 127.5]]])
    moved = resize_landmarks(landmarks, (256, 256), (64, 64))
    expected = [[[-0.5, -0.375], [63.5, 24.625]], [[float("nan")] * 2, [31.5, 31.5]]]
    torch.testing.assert_close(moved, torch.tensor(expected), equal_nan=True)
    padded = resize_landmarks(np.array([[0.0, 0.0, 0.0]]), torch.tensor([30, 120, 120]), (48, 48, 48), (45, 0, 0))
    np.testing.assert_allclose(padded, [[17.7, -0.3, -0.3]])
    assert resize_landmarks(np.array([[1, 2]]), (4, 4), (8, 8)).tolist() == [[2.5, 4.5]]


def test_affine_maps_of_landmarks_in_both_sizes_of_matrix():
    push = torch.eye(4)
    push[:2, :2] = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    push[:2, 3] = torch.tensor([10.0, 20.0])
    flat = torch.tensor([[[1.0, 2.0]]], requires_grad=True)
    moved = affine_landmarks(flat, push)
    assert moved.tolist() == [[[8, 21]]]
    moved.sum().backward()
    assert flat.grad.tolist() == [[[1, -1]]]
    small = np.array([[0.0, -1, 10], [1, 0, 20], [0, 0, 1]])
    np.testing.assert_allclose(affine_landmarks(np.array([[1.0, 2.0]]), small), [[8, 21]])
    np.testing.assert_allclose(affine_landmarks(np.array([1.0, 2.0, 5.0]), push), [8, 21, 5])
    with pytest.raises(GeometryError, match="cannot move"):
        affine_landmarks(np.zeros((2, 3)), small)


def test_cropping_landmarks_by_hand():
    landmarks = np.array([[5.0, 6.25], [1.0, 1.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(crop_landmarks(landmarks, (2, 3))[:2], [[3, 3.25], [-1, -2]])
    cut = crop_landmarks(torch.from_numpy(landmarks), (2, 3), (10, 10))
    np.testing.assert_array_equal(cut, [[3, 3.25], [np.nan, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(crop_landmarks(landmarks, (-2, -2), (20, 20))[:2], landmarks[:2] + 2)
    np.testing.assert_array_equal(crop_landmarks(np.array([[4.5, 0.0]]), (0, 0), (5, 5)), [[4.5, 0]])
    assert np.isnan(crop_landmarks(np.array([[4.6, 0.0, 0.0]]), (0, 0, 0), (5, 5, 5))).all()
