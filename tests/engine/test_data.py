"""Datasets: items, frames, masks, patches, caches and workers, in 2D and 3D."""

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image as Picture
from torch.utils.data import DataLoader

from napari_landmarker.engine.data import HeatmapDataset, LandmarkDataset, drawing
from napari_landmarker.engine.errors import GeometryError, ImageError
from napari_landmarker.engine.transforms import Augmentation, AugmentationConfig

SPACES = [(31, 44), (12, 19, 23)]


def blob(space, at, sigma=2.5):
    axes = np.meshgrid(*[np.arange(n) for n in space], indexing="ij")
    return np.exp(-sum((a - p) ** 2 for a, p in zip(axes, at, strict=True)) / (2 * sigma**2)).astype(np.float32)


def centroid(image):
    """Centre of the bright pixels of a standardised blob ``(1, *space)``."""
    weight = np.clip(image[0] - image[0].min() - 0.3 * np.ptp(image[0]), 0, None)
    axes = np.meshgrid(*[np.arange(n) for n in weight.shape], indexing="ij")
    return np.array([(a * weight).sum() / weight.sum() for a in axes])


def make(space, count=3, landmarks=4, seed=0):
    rng = np.random.default_rng(seed)
    images = [rng.random(space, dtype=np.float32) for _ in range(count)]
    return images, rng.random((count, landmarks, len(space))) * (np.array(space) - 1)


@pytest.mark.parametrize("space", SPACES)
def test_items_hold_what_maps_back_to_the_image(space):
    images, points = make(space)
    target = tuple(2 * n + 7 for n in space)
    spacing = np.linspace(0.5, 1.5, len(space))
    dataset = LandmarkDataset(images, points, len(space), pixel_spacing=spacing, dim_img=target)
    item = dataset[1]
    assert item["image"].shape == (1, *target)
    assert item["image"].dtype == item["landmark"].dtype == torch.float32
    scale = min(t / s for s, t in zip(space, target, strict=True))
    padding = (np.array(target) - scale * np.array(space)) / 2
    np.testing.assert_allclose(item["padding"], padding, atol=1e-5)
    np.testing.assert_allclose(item["landmark"], (points[1] + 0.5) * scale - 0.5 + padding, atol=1e-4)
    np.testing.assert_allclose(item["dim_original"], space)
    np.testing.assert_allclose(item["spacing"], spacing, rtol=1e-6)
    np.testing.assert_allclose(item["step"], np.full(len(space), 1 / scale), rtol=1e-6)
    homogeneous = np.c_[item["landmark"].numpy(), np.ones(4)]
    np.testing.assert_allclose((homogeneous @ item["frame"].numpy().T)[:, :-1], points[1], atol=1e-4)
    np.testing.assert_array_equal(item["affine"], np.eye(4))


@pytest.mark.parametrize(
    ("shape", "target"), [((256, 256), (64, 64)), ((240, 194), (96, 96)), ((30, 120, 120), (48,) * 3)]
)
@pytest.mark.parametrize("pad", [True, False])
def test_a_blob_and_its_landmark_stay_together_when_resized(shape, target, pad):
    at = np.array(shape) * 0.4 + 0.3
    widths = 3.5 if len(shape) == 3 else 0.06 * max(shape)
    item = LandmarkDataset([blob(shape, at, widths)], [[at]], len(shape), dim_img=target, resize_pad=pad)[0]
    assert np.abs(centroid(item["image"].numpy()) - item["landmark"][0].numpy()).max() < 0.05


def test_the_frame_leads_to_the_image_as_stored(tmp_path):
    volume = np.zeros((9, 10, 11), np.float32)
    volume[1:4, 2:5, 3:6] = 1  # about (2, 3, 4): i, j, k of a file whose axes run to R, A, S
    path = tmp_path / "head.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([1.0, 2.0, 3.0, 1.0])), path)
    item = LandmarkDataset([path], np.zeros((1, 1, 3)), 3)[0]
    shown = centroid(item["image"].numpy())
    np.testing.assert_allclose(item["frame"].numpy() @ [*shown, 1], [4, 3, 2, 1], atol=1e-4)
    np.testing.assert_allclose(item["spacing"], [3, 2, 1], rtol=1e-6)


def test_unknown_spacing_is_not_a_number():
    images, points = make((8, 9))
    assert torch.isnan(LandmarkDataset(images, points)[0]["spacing"]).all()


@pytest.mark.parametrize("space", SPACES)
def test_images_come_as_lists_stacks_tensors_and_files(space, tmp_path):
    images, points = make(space)
    paths = []
    for number, image in enumerate(images):
        paths.append(tmp_path / f"{number}.npy")
        np.save(paths[-1], image)
    forms = [
        images,
        np.stack(images),
        torch.from_numpy(np.stack(images)),
        [torch.from_numpy(image)[None] for image in images],
        [torch.from_numpy(image).requires_grad_() for image in images],
        paths,
        [str(path) for path in paths],
    ]
    expected = LandmarkDataset(images, points, len(space))[2]["image"]
    for form in forms:
        torch.testing.assert_close(LandmarkDataset(form, torch.from_numpy(points), len(space))[2]["image"], expected)
    rough = LandmarkDataset([torch.from_numpy(image).bfloat16() for image in images], points, len(space))[2]["image"]
    torch.testing.assert_close(rough, expected, atol=0.02, rtol=0)


def test_nothing_handed_in_is_changed():
    images, points = make((20, 24))
    given, kept = list(images), points.copy()
    dataset = LandmarkDataset(given, points, dim_img=(16, 16), transform=Augmentation(AugmentationConfig()))
    before = [image.copy() for image in images]
    for index in range(3):
        _ = dataset[index]
    assert all(a is b for a, b in zip(given, images, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(before, images, strict=True))
    np.testing.assert_array_equal(points, kept)


@pytest.mark.parametrize("transform", [None, lambda image, points, rng: (np.multiply(image, 0, out=image), points)])
def test_an_item_that_is_changed_leaves_the_kept_image_alone(transform):
    images, points = make((20, 24))
    dataset = LandmarkDataset(images, points, transform=transform)
    kept = dataset.drawn(1).array.copy()
    dataset[1]["image"].zero_()
    np.testing.assert_array_equal(dataset.drawn(1).array, kept)


def test_items_are_counted_from_the_end_too():
    dataset = LandmarkDataset(*make((20, 24)), transform=Augmentation(AugmentationConfig()))
    assert dataset[-1]["index"] == 2
    with pytest.raises(IndexError, match="no item 3"):
        _ = dataset[3]


def test_several_instances_may_differ_in_number():
    rows = [np.ones((2, 3, 2)), np.ones((2, 1, 2))]
    dataset = LandmarkDataset([np.zeros((8, 8))] * 2, rows)
    assert dataset[1]["landmark"].shape == (2, 3, 2)
    assert torch.isnan(dataset[1]["landmark"][:, 1:]).all()
    assert torch.isfinite(dataset[1]["landmark"][:, 0]).all()
    moved = LandmarkDataset([np.zeros((8, 8))] * 2, rows, transform=Augmentation(AugmentationConfig()))[1]
    assert moved["landmark"].shape == (2, 3, 2)


@pytest.mark.parametrize(
    ("imgs", "landmarks", "options", "says"),
    [
        ([], np.zeros((0, 1, 2)), {}, "empty"),
        ("image.png", np.zeros((1, 1, 2)), {}, "list"),
        ([np.zeros((4, 4))] * 3, np.zeros((2, 1, 2)), {}, "3 images"),
        ([np.zeros((4, 4))] * 3, [np.zeros((1, 2))] * 2, {}, "3 images"),
        ([np.zeros((4, 4))] * 2, [np.zeros((1, 2)), np.zeros((2, 2))], {}, "image 2"),
        ([np.zeros((4, 4))], np.zeros((1, 1, 3)), {}, "2 dimensions"),
        ([np.zeros((4, 4))], np.zeros((1, 1, 2)), {"class_names": ["a", "b"]}, "2 names"),
        ([np.zeros((4, 4))], np.zeros((1, 1, 2)), {"spatial_dims": 4}, "2 or 3"),
        ([np.zeros((4, 4))], np.zeros((1, 1, 2)), {"dim_img": (4, 4, 4)}, "dim_img"),
        ([np.zeros((4, 4))], np.zeros((1, 1, 2)), {"pixel_spacing": [1, 2, 3]}, "pixel_spacing"),
        ([np.zeros((4, 4))], np.zeros((1, 1, 2)), {"pixel_spacing": [0, 1]}, "positive"),
        ([np.zeros((4, 4))], np.zeros((1, 1, 2)), {"img_paths": ["a", "b"]}, "img_paths"),
        ([np.zeros((4, 4))], [["a"]], {}, "numbers"),
        (None, np.zeros((1, 1, 2)), {}, "imgs must be a list"),
        ([np.zeros((4, 4))], None, {}, "landmarks must be"),
        ([np.zeros((4, 4))] * 2, [[[1, 1]], [[1, np.inf]]], {}, "image 2 hold an infinite"),
        ([np.zeros((4, 4))], np.zeros((1, 2, 2)), {"class_names": ["a", "a"]}, "twice"),
        ([np.zeros((4, 4))], np.zeros((1, 1, 2)), {"dim_img": 64}, "dim_img"),
        ([np.zeros((4, 4))], np.zeros((1, 1, 2)), {"dim_img": (64.5, 64)}, "dim_img"),
        ([np.zeros((4, 4))], np.zeros((1, 1, 2)), {"channels": 2}, "channels"),
        ([np.zeros((4, 4))], np.zeros((1, 1, 2)), {"seed": -1}, "seed"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(imgs, landmarks, options, says):
    with pytest.raises(GeometryError, match=says):
        LandmarkDataset(imgs, landmarks, **options)


def test_arrays_that_are_no_images():
    for image, says in [(np.zeros((40, 40, 3)), "channels last"), (np.zeros((4, 4), complex), "no real numbers")]:
        with pytest.raises(ImageError, match=says):
            LandmarkDataset([image], np.zeros((1, 1, 2)))[0]
    with pytest.raises(GeometryError, match="2 channels"):
        LandmarkDataset([np.zeros((2, 4, 4))], np.zeros((1, 1, 2)), channels=1)[0]


def test_an_image_of_other_dimensions_is_named(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 6)))
    for cache in (None, tmp_path / "cache"):
        with pytest.raises(ImageError, match=r"a\.npy has 3 dimensions"):
            LandmarkDataset([tmp_path / "a.npy"], np.zeros((1, 1, 2)), cache_dir=cache)[0]


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG nothing")
    with pytest.raises(ImageError, match=r"broken\.png"):
        LandmarkDataset([path], np.zeros((1, 1, 2)))[0]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_random_changes_follow_the_seed_whatever_the_number_of_workers(workers):
    images, points = make((20, 24), count=4)

    def epochs(number):
        dataset = LandmarkDataset(images, points, transform=Augmentation(AugmentationConfig()), seed=3)
        torch.manual_seed(1)
        loader = DataLoader(dataset, batch_size=2, num_workers=number)
        return [torch.cat([batch["landmark"] for batch in loader]) for _ in range(2)]

    first, second = epochs(workers)
    assert not torch.equal(first.nan_to_num(), second.nan_to_num())
    again = epochs(2 if workers == 1 else workers)
    torch.testing.assert_close(torch.stack(again), torch.stack([first, second]), equal_nan=True, rtol=0, atol=0)


def test_workers_that_live_on_do_not_repeat_each_other():
    dataset = LandmarkDataset(*make((8, 9), count=4), transform=Augmentation(AugmentationConfig(probability=1.0)))
    loader = DataLoader(dataset, batch_size=1, num_workers=2, shuffle=True, persistent_workers=True)
    seen = {index: set() for index in range(4)}
    for _ in range(5):
        for item in loader:
            seen[int(item["index"])].add(float(item["image"].sum()))
    assert [len(different) for different in seen.values()] == [5] * 4


def test_the_affine_of_an_item_moves_points_as_the_transform_did():
    images, points = make((40, 44))
    points = points * 0.2 + 16
    plain, changed = (
        LandmarkDataset(images, points, transform=transform)[0]
        for transform in (None, Augmentation(AugmentationConfig(probability=1.0, elastic=0, collimation=0)))
    )
    affine = changed["affine"].numpy()
    assert not np.allclose(affine, np.eye(4), atol=1e-3)
    moved = plain["landmark"].numpy() @ affine[:2, :2].T + affine[:2, 3]
    np.testing.assert_allclose(moved, changed["landmark"], atol=1e-3)


def test_drawn_images_are_kept_on_disk_until_the_file_changes(tmp_path, monkeypatch):
    image, cache = tmp_path / "a.png", tmp_path / "cache"
    Picture.fromarray(np.arange(120, dtype=np.uint8).reshape(10, 12)).save(image)
    reads = []
    load = drawing.load
    monkeypatch.setattr(drawing, "load", lambda *given: reads.append(given) or load(*given))

    def fresh(**options):
        return LandmarkDataset([image], np.zeros((1, 1, 2)), cache_dir=cache, store_imgs=False, **options)[0]["image"]

    first = fresh()
    torch.testing.assert_close(fresh(), first)
    assert len(reads) == 1
    torch.testing.assert_close(first, LandmarkDataset([image], np.zeros((1, 1, 2)))[0]["image"])
    assert fresh(dim_img=(5, 6)).shape == (1, 5, 6)
    assert len(reads) == 2
    Picture.fromarray(np.full((10, 12), 7, np.uint8)).save(image)
    assert not torch.equal(fresh(), first)
    assert len(reads) == 3


def test_values_that_change_beside_their_header_are_read_again(tmp_path):
    header = "NDims = 2\nDimSize = 4 3\nElementType = MET_UCHAR\nElementDataFile = a.raw\n"
    (tmp_path / "a.mhd").write_text(header)
    items = []
    for values in (np.arange(12), np.arange(12)[::-1]):
        values.astype(np.uint8).tofile(tmp_path / "a.raw")
        dataset = LandmarkDataset([tmp_path / "a.mhd"], np.zeros((1, 1, 2)), cache_dir=tmp_path / "cache")
        items.append(dataset[0]["image"])
    torch.testing.assert_close(items[1], items[0].flip(1, 2))
    with pytest.raises(ImageError, match=r"a\.raw.*cache_dir"):
        LandmarkDataset([tmp_path / "a.mhd"], np.zeros((1, 1, 2)), cache_dir=tmp_path / "a.raw")


def test_images_are_drawn_once_in_memory_and_before_workers_start():
    images, points = make((10, 12))
    dataset = LandmarkDataset(images, points)
    said = []
    dataset.preload(lambda done, total: said.append((done, total)))
    assert said == [(1, 3), (2, 3), (3, 3)]
    assert dataset.drawn(1) is dataset.drawn(1)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("count", [1, 3, 33])
def test_heatmaps_are_drawn_for_any_number_of_images(space, count):
    points = np.full((count, 2, len(space)), 5.25)
    points[0, 1] = np.nan
    dataset = HeatmapDataset([np.zeros(space, np.float32)] * count, points, len(space), sigma=2.0, background=True)
    for index in (0, count - 1):
        maps = dataset[index]["heatmap"]
        assert maps.shape == (3, *space)
        np.testing.assert_allclose(maps[1], blob(space, points[index, 0], 2.0), atol=1e-5)
    lone = dataset[0]["heatmap"]
    assert (lone[2] == 0).all()
    np.testing.assert_allclose(lone[0], 1 - lone[1], atol=1e-6)


@pytest.mark.parametrize("space", SPACES)
def test_smaller_heatmaps_lie_where_the_image_shows_the_landmark(space):
    size = tuple(n // 2 for n in space)
    at = np.array(space) * 0.45
    dataset = HeatmapDataset([np.zeros(space)], [[at]], len(space), sigma=1.5, heatmap_size=size)
    inner = (at + 0.5) * np.array(size) / np.array(space) - 0.5
    np.testing.assert_allclose(dataset[0]["heatmap"][0], blob(size, inner, 1.5), atol=1e-5)
    assert dataset[0]["mask"] is dataset[0]["heatmap"] or torch.equal(dataset[0]["mask"], dataset[0]["heatmap"])


def test_heatmap_options_that_cannot_be():
    with pytest.raises(GeometryError, match="gaussian, laplacian"):
        HeatmapDataset([np.zeros((4, 4))], np.zeros((1, 1, 2)), heatmap_fun="box")
    with pytest.raises(GeometryError, match="heatmap_size"):
        HeatmapDataset([np.zeros((4, 4))], np.zeros((1, 1, 2)), heatmap_size=(4,))
    for sigma in (-1, (1, 2, 3), "wide"):
        with pytest.raises(GeometryError, match="cannot be drawn"):
            HeatmapDataset([np.zeros((4, 4))], np.zeros((1, 1, 2)), sigma=sigma)


@pytest.mark.parametrize("kind", [LandmarkDataset, HeatmapDataset])
def test_transforms_of_monai_move_image_and_points_alike(kind):
    from monai.transforms import Compose, RandAffined, RandGaussianNoised

    keys = ("image", "mask") if kind is HeatmapDataset else ("image",)
    transform = Compose(
        [
            RandAffined(keys=keys, prob=1.0, rotate_range=(0.4,), scale_range=(0.2, 0.2), translate_range=(3, 3)),
            RandGaussianNoised(keys=("image",), prob=0.5, std=0.01),
        ]
    )
    at = np.array([34.2, 29.7])
    item = kind([blob((64, 60), at, 4.0)], [[at]], transform=transform, seed=2)[0]
    assert np.abs(item["landmark"][0].numpy() - at).max() > 1
    assert np.abs(centroid(item["image"].numpy()) - item["landmark"][0].numpy()).max() < 0.1


def test_a_transform_that_cannot_move_points_is_refused_by_name():
    from monai.transforms import Compose, Rand2DElasticd

    elastic = Rand2DElasticd(keys=("image",), spacing=(8, 8), magnitude_range=(1, 2), prob=1.0)
    with pytest.raises(GeometryError, match="Rand2DElasticd"):
        LandmarkDataset([np.zeros((8, 8))], np.zeros((1, 1, 2)), transform=Compose([elastic]))


def test_a_transform_that_resizes_changes_the_step():
    from napari_landmarker.engine.transforms import Resize

    item = LandmarkDataset([np.zeros((20, 30))], [[[5, 5]]], transform=Resize(size=(10, 60), pad=False))[0]
    assert item["image"].shape == (1, 10, 60)
    np.testing.assert_allclose(item["step"], [2, 0.5], rtol=1e-6)
