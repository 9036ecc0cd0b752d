"""Datasets of masks and patches, in 2D and 3D."""

import nibabel
import numpy as np
import pytest
import torch
from test_data import SPACES, make

from napari_landmarker.engine.data import LandmarkDataset, MaskDataset, PatchDataset, PatchMaskDataset
from napari_landmarker.engine.errors import GeometryError, ImageError
from napari_landmarker.engine.transforms import RandomFlip


@pytest.mark.parametrize("space", SPACES)
def test_masks_mark_the_nearest_pixel(space):
    ndim = len(space)
    points = np.full((1, 4, ndim), 3.0)
    points[0, 0] += 0.49
    points[0, 1] += 0.51
    points[0, 2] = np.nan
    points[0, 3] = np.array(space) - 0.4  # beyond the last pixel's border
    mask = MaskDataset([np.zeros(space)], points, ndim)[0]["mask"]
    assert mask.shape == (4, *space)
    assert mask.sum(dim=tuple(range(1, ndim + 1))).tolist() == [1, 1, 0, 0]
    assert mask[(0, *[3] * ndim)] == 1
    assert mask[(1, *[4] * ndim)] == 1


@pytest.mark.parametrize("space", SPACES)
def test_landmarks_are_read_from_masks(space, tmp_path):
    ndim = len(space)
    first, second = np.zeros(space, np.uint8), np.zeros(space, np.uint8)
    first[(2,) * ndim] = 1
    first[(8,) * ndim] = 1
    first[(slice(4, 7),) * ndim] = 2  # a patch: its centroid
    second[(3,) * ndim] = 2
    paths = []
    for number, mask in enumerate((first, second)):
        paths.append(tmp_path / f"mask{number}.npy")
        np.save(paths[-1], mask)
    dataset = MaskDataset([np.zeros(space)] * 2, spatial_dims=ndim, mask_paths=paths, nb_landmarks=2)
    assert dataset.landmarks.shape == (2, 2, 2, ndim)
    np.testing.assert_allclose(dataset.landmarks[0, 0], [[2] * ndim, [8] * ndim])
    np.testing.assert_allclose(dataset.landmarks[0, 1, 0], [5] * ndim)
    assert np.isnan(dataset.landmarks[1, 0]).all()
    single = MaskDataset([np.zeros(space)], spatial_dims=ndim, mask_paths=[second])
    np.testing.assert_allclose(single.landmarks, [[[3] * ndim]])


def test_masks_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "mask.npy"
    np.save(path, np.full((4, 4), 3, np.uint8))
    with pytest.raises(ImageError, match=r"mask.npy.*3"):
        MaskDataset([np.zeros((4, 4))], mask_paths=[path], nb_landmarks=2)
    with pytest.raises(ImageError, match=r"mask.npy.*size"):
        MaskDataset([np.zeros((5, 4))], mask_paths=[path])
    with pytest.raises(GeometryError, match="one of them"):
        MaskDataset([np.zeros((4, 4))])
    with pytest.raises(GeometryError, match="2 masks"):
        MaskDataset([np.zeros((4, 4))], mask_paths=[path, path])
    with pytest.raises(GeometryError, match="mask_paths is empty"):
        MaskDataset([np.zeros((4, 4))], mask_paths=[])
    with pytest.raises(GeometryError, match="nb_landmarks"):
        MaskDataset([np.zeros((4, 4))], mask_paths=[path], nb_landmarks=0)


def save_nifti(path, values, affine):
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


def test_masks_of_volumes_lie_where_their_images_lie(tmp_path):
    affine = np.array([[0, -1.5, 0, 3], [1, 0, 0, 4], [0, 0, -2, 5], [0, 0, 0, 1.0]])
    mask = np.zeros((9, 9, 9), np.uint8)
    mask[3, 1, 7] = 1
    image = save_nifti(tmp_path / "image.nii", mask, affine)
    same = save_nifti(tmp_path / "same.nii", mask, affine)
    turned = tmp_path / "turned.nii"
    nibabel.save(nibabel.as_closest_canonical(nibabel.load(same)), turned)
    for path in (same, turned):
        item = MaskDataset([image], spatial_dims=3, mask_paths=[path])[0]
        stored = item["frame"].numpy() @ [*item["landmark"][0].numpy(), 1]
        np.testing.assert_allclose(stored[:3], [7, 1, 3], atol=1e-5)  # k, j, i
    shift, larger = affine.copy(), affine * [2, 2, 2, 1]
    shift[:3, 3] += 5
    for wrong in (shift, larger, None):  # without an affine the file states no orientation
        with pytest.raises(ImageError, match=r"wrong\.nii does not lie where its image lies"):
            MaskDataset([image], spatial_dims=3, mask_paths=[save_nifti(tmp_path / "wrong.nii", mask, wrong)])
    alone = save_nifti(tmp_path / "alone.nii", mask, None)
    assert MaskDataset([alone], spatial_dims=3, mask_paths=[alone]).landmarks.ravel().tolist() == [7, 1, 3]


def test_what_is_not_a_number_marks_nothing():
    mask = np.full((8, 9), np.nan)
    mask[2, 3:6] = 1
    assert MaskDataset([np.zeros((8, 9))], mask_paths=[mask]).landmarks.ravel().tolist() == [2, 4]


@pytest.mark.parametrize("space", SPACES)
def test_patches_are_cut_where_they_say(space):
    ndim = len(space)
    images, points = make(space)
    size = tuple(range(5, 5 + ndim))
    whole = LandmarkDataset(images, points, ndim)
    dataset = PatchMaskDataset(images, points, 2, ndim, dim_patch=size, range_aug_patch=6, seed=5)
    for index in range(3):
        item = dataset[index]
        corner = item["roi_corner_point"].numpy().astype(int)
        np.testing.assert_allclose(item["landmark"].numpy() + corner, points[index, 2], atol=1e-4)
        np.testing.assert_allclose(item["landmark_original"], points[index, 2], atol=1e-4)
        assert item["image"].shape == item["mask"].shape == (1, *size)
        assert item["offset"].abs().max() <= 6
        picture = whole[index]["image"].numpy()
        for at in np.ndindex(*size):
            source = np.clip(corner + at, 0, np.array(space) - 1)
            assert item["image"][(0, *at)] == picture[(0, *source)]
        nearest = np.floor(item["landmark"].numpy() + 0.5).astype(int)
        inside = all(0 <= p < n for p, n in zip(nearest, size, strict=True))
        assert item["mask"].sum() == inside
        np.testing.assert_allclose(item["dim_original"], size)
        np.testing.assert_allclose(item["dim_original_full_image"], space)


@pytest.mark.parametrize("flips", [False, True])
def test_a_patch_leads_back_to_the_image_as_stored(tmp_path, flips):
    path = save_nifti(tmp_path / "a.nii", np.zeros((20, 24, 28), np.float32), np.diag([1, 2, 3, 1.0]))
    transform = RandomFlip(without_pairs=True, probability=1.0, axis=0) if flips else None
    item = PatchDataset([path], [[[7, 15, 10]]], 0, 3, transform=transform, dim_patch=(9, 8, 7), range_aug_patch=2)[0]
    whole = np.linalg.inv(item["affine"].numpy()) @ [*item["landmark"].numpy(), 1]
    np.testing.assert_allclose((item["frame"].numpy() @ whole)[:3], [7, 24 - 1 - 15, 20 - 1 - 10], atol=1e-4)


@pytest.mark.parametrize("space", SPACES)
def test_a_patch_without_offset_has_the_landmark_in_its_middle(space):
    ndim = len(space)
    points = np.full((1, 1, ndim), 6.2)
    item = PatchDataset([np.zeros(space)], points, spatial_dims=ndim, dim_patch=(7,) * ndim, range_aug_patch=0)[0]
    np.testing.assert_allclose(item["landmark"], [3.2] * ndim, atol=1e-5)


@pytest.mark.parametrize("space", SPACES)
def test_a_missing_landmark_gives_a_whole_patch_and_an_empty_mask(space):
    ndim = len(space)
    item = PatchMaskDataset(
        [np.ones(space)], np.full((1, 1, ndim), np.nan), spatial_dims=ndim, dim_patch=(8,) * ndim, range_aug_patch=0
    )[0]
    assert item["image"].shape == (1, *(8,) * ndim)
    assert torch.isfinite(item["image"]).all()
    assert torch.isnan(item["landmark"]).all()
    assert item["mask"].sum() == 0


def test_patches_of_several_instances_are_about_one_that_is_there():
    points = np.full((1, 1, 3, 2), np.nan)
    points[0, 0, 1], points[0, 0, 2] = [5, 5], [20, 21]
    dataset = PatchDataset([np.zeros((30, 30))], points, dim_patch=(4, 4), range_aug_patch=0)
    seen = {tuple(dataset[0]["landmark_original"].tolist()) for _ in range(30)}
    assert seen == {(5.0, 5.0), (20.0, 21.0)}


def test_patch_options_that_cannot_be():
    with pytest.raises(GeometryError, match="index_landmark"):
        PatchDataset([np.zeros((4, 4))], np.zeros((1, 1, 2)), index_landmark=1)
    with pytest.raises(GeometryError, match="dim_patch"):
        PatchDataset([np.zeros((4, 4))], np.zeros((1, 1, 2)), dim_patch=(4, 4, 4))
    with pytest.raises(GeometryError, match="range_aug_patch"):
        PatchDataset([np.zeros((4, 4))], np.zeros((1, 1, 2)), range_aug_patch=-1)
