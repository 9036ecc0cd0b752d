"""Plant centroids, hand X-rays and mandibular molars: layouts, geometry, downloads, bad files."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from benchmark_copies import (
    MML_AXES,
    MML_SPACING,
    as_zip,
    assert_seen,
    files_of,
    hand_points,
    make_hand,
    make_mml,
    make_plants,
    mml_points,
)
from benchmark_server import Mirror, redirect, serving
from PIL import Image as Pillow

from napari_landmarker.engine import datasets
from napari_landmarker.engine.datasets import BenchmarkSplit, load_hand_xray, load_mml, load_plant_centroids
from napari_landmarker.engine.errors import GeometryError, LandmarkerError, ProjectError
from napari_landmarker.engine.io import read_geometry, read_image

PLANTS = "http://plantcentroids.cs.uni-freiburg.de/dataset/plantcentroids.zip"
MML = "https://drive.usercontent.google.com/download?id=1NGsBbqXZLDlkiSJtDQdyMlXzgnkFoVON&export=download&confirm=t"
HAND = (
    "https://raw.githubusercontent.com/christianpayer/MedicalDataAugmentationTool-HeatmapRegression/master/hand_xray/"
    "hand_xray_dataset/"
)


def refused(load, *args, **options) -> str:
    with pytest.raises(LandmarkerError) as raised:
        load(*args, **options)
    message = str(raised.value)
    assert message.endswith(".")
    return message


# ---- plant centroids


def test_plants(tmp_path):
    make_plants(tmp_path / "plantcentroids")
    splits = load_plant_centroids(tmp_path)
    assert {name: split.landmarks.shape for name, split in splits.items()} == {
        "train": (10, 1, 3, 2),
        "A_W4": (2, 1, 3, 2),
        "B_W5": (2, 1, 3, 2),
        "C_W8": (2, 1, 3, 2),
    }
    assert [path.name for path in splits["A_W4"].images] == ["img_9.png", "img_10.png"]
    assert splits["train"].unit == "px"
    for split in splits.values():
        assert split.class_names == ("plant",)
        for image, mask, points in zip(split.images, split.masks, split.landmarks, strict=True):
            assert (image.parent.name, mask.parent.name) == ("rgb_undistorted", "label_sparse")
            assert_seen(read_image(image).array[..., 0], points)
    np.testing.assert_array_equal(splits["C_W8"].landmarks[0, 0], [[4, 13], [20, 9], [30, 40]])
    near = load_plant_centroids(tmp_path, "nir")["train"]
    assert near.images[0].parent.name == "nir"
    np.testing.assert_array_equal(near.landmarks, splits["train"].landmarks)


def test_plants_as_datasets_of_the_paper(tmp_path):
    make_plants(tmp_path / "plantcentroids/plantcentroids_dataset")
    landmark = datasets.get_plant_centroids_landmark_datasets(str(tmp_path))
    mask = datasets.get_plant_centroids_mask_datasets(tmp_path)
    heatmap = datasets.get_plant_centroids_heatmap_datasets(tmp_path, sigma=1.5)
    assert [len(d) for d in landmark] == [len(d) for d in mask] == [len(d) for d in heatmap] == [10, 2, 2, 2]
    item = landmark[1][1]
    assert_seen(item["image"][0].numpy(), item["landmark"].numpy())
    assert mask[0][0]["mask"].nonzero()[:, 1:].tolist() == [[4, 6], [20, 9], [30, 40]]
    assert (heatmap[0][1]["heatmap"][0] > 0.99 * heatmap[0][1]["heatmap"].max()).sum() == 2


def test_plants_that_do_not_belong_together(tmp_path):
    root = make_plants(tmp_path / "plantcentroids")
    masks = root / "B_W5/label_sparse"
    (masks / "img_9.png").rename(masks / "img_8.png")
    assert "has no counterpart" in refused(load_plant_centroids, root)
    for index, path in enumerate(sorted(masks.iterdir())):
        path.rename(masks / f"label_{index}.png")
    assert len(load_plant_centroids(root)["B_W5"]) == 2  # by their order
    (masks / "label_1.png").unlink()
    assert refused(load_plant_centroids, root).startswith(f"{root / 'B_W5'} has 2 images but 1 masks")
    (masks / "label_0.png").unlink()
    assert refused(load_plant_centroids, root).startswith(f"{masks} holds no PNG")
    shutil.rmtree(root / "B_W5")
    assert str(root / "B_W5") in refused(load_plant_centroids, root)
    with pytest.raises(GeometryError, match="rgb or nir"):
        load_plant_centroids(root, "infrared")


def test_a_damaged_mask_of_plants_is_named(tmp_path):
    root = make_plants(tmp_path)
    path = root / "J_W8/label_sparse/img_9.png"
    path.write_bytes(path.read_bytes()[:40])
    assert refused(load_plant_centroids, root).startswith(str(path))
    Pillow.new("L", (9, 9)).save(path)
    assert refused(load_plant_centroids, root).startswith(str(path))


def test_download_of_plants(tmp_path, monkeypatch):
    make_plants(tmp_path / "in/plantcentroids_dataset")
    with serving(Mirror({PLANTS: as_zip(files_of(tmp_path / "in"))})) as mirror:
        redirect(monkeypatch, mirror)
        assert len(load_plant_centroids(tmp_path / "out")["train"]) == 10
        assert len(load_plant_centroids(tmp_path / "out/plantcentroids")["train"]) == 10
        assert len(mirror.log) == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["plantcentroids", "plantcentroids.checksums.json"]


# ---- hand X-rays


@pytest.mark.parametrize("fold", [1, 2, 3])
def test_hands(tmp_path, fold):
    make_hand(tmp_path / "hand_xray")
    splits = load_hand_xray(tmp_path, fold)
    assert [int(p.stem) for p in splits["test"].images] == [3138 + 2 * fold, 3139 + 2 * fold]
    assert len(splits["train"]) == 4
    for split in splits.values():
        assert (split.unit, len(split.class_names)) == ("px", 37)
        for image, points in zip(split.images, split.landmarks, strict=True):
            np.testing.assert_array_equal(points, hand_points(int(image.stem)))
            assert_seen(read_image(image).array, points)
    item = splits["test"].landmark_dataset()[0]
    assert_seen(item["image"][0].numpy(), item["landmark"].numpy())


def test_millimetres_of_hands_by_the_wrist_are_asked_for(tmp_path):
    root = make_hand(tmp_path)
    split = load_hand_xray(root, wrist_mm=50)["train"]
    for points, spacing, image in zip(split.landmarks, split.spacing, split.images, strict=True):
        first, fifth = hand_points(int(image.stem))[[0, 4]]
        assert spacing[0] == spacing[1] == pytest.approx(50 / np.hypot(*(first - fifth)))
        assert np.linalg.norm((points[0] - points[4]) * spacing) == pytest.approx(50)
    for wrong in (0, -1, np.nan, np.inf):
        with pytest.raises(GeometryError, match="wrist_mm"):
            load_hand_xray(root, wrist_mm=wrong)
    with pytest.raises(GeometryError, match="fold must be"):
        load_hand_xray(root, 0)


def test_images_of_hands_cannot_be_downloaded_but_lists_can(tmp_path, monkeypatch):
    make_hand(tmp_path / "whole")
    make_hand(tmp_path / "bare", setup=False)
    message = refused(load_hand_xray, tmp_path / "none")
    assert str(tmp_path / "none/images") in message
    assert "www.ipilab.org/BAAweb" in message
    assert "setup/all.csv is missing" in refused(load_hand_xray, tmp_path / "bare", download=False)
    setup = {HAND + name: data for name, data in files_of(tmp_path / "whole").items() if name.startswith("setup")}
    with serving(Mirror(setup)) as mirror:
        redirect(monkeypatch, mirror)
        splits = load_hand_xray(tmp_path / "bare", 2)
        assert len(mirror.log) == 3
    expected = load_hand_xray(tmp_path / "whole", 2)
    np.testing.assert_array_equal(splits["test"].landmarks, expected["test"].landmarks)
    np.testing.assert_array_equal(splits["train"].landmarks, expected["train"].landmarks)


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("setup/all.csv", lambda text: text.replace("3141,", "3141,nan,", 1), "line 2, must be the number"),
        ("setup/all.csv", lambda text: text.rpartition(",")[0] + "\n", "line 6, must be the number"),
        ("setup/all.csv", lambda text: text.replace("3141", "3140", 1), "line 2, has image 3140 again"),
        ("setup/all.csv", lambda text: text.replace(",3,", ",three,", 1), "must be the number"),
        ("setup/all.csv", lambda text: "\0" + text, "is no text"),
        ("setup/cv/set1/train.txt", lambda text: "", "is empty"),
        ("setup/cv/set1/train.txt", lambda text: text + "3199\n", "lists image 3199, which has no landmarks"),
        ("setup/cv/set1/test.txt", lambda text: text + "3144\n", "listed already"),
    ],
)
def test_damaged_lists_of_hands_are_named(tmp_path, file, change, words):
    root = make_hand(tmp_path)
    (root / file).write_text(change((root / file).read_text()))
    message = refused(load_hand_xray, root)
    assert message.startswith(str(root / file))
    assert words in message


def test_missing_and_doubled_images_of_hands(tmp_path):
    root = make_hand(tmp_path)
    (root / "images/3141.png").rename(root / "images/other.png")
    message = refused(load_hand_xray, root)
    assert "3141.jpg is missing" in message
    (root / "images/other.png").rename(root / "images/3140.bmp")
    assert "has the same number" in refused(load_hand_xray, root)


def test_hands_whose_wrist_has_no_width(tmp_path):
    root = make_hand(tmp_path)
    lines = (root / "setup/all.csv").read_text().splitlines()
    cells = lines[3].split(",")
    cells[9:11] = cells[1:3]
    (root / "setup/all.csv").write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]))
    assert load_hand_xray(root)["train"].spacing is None
    assert refused(load_hand_xray, root, wrist_mm=50.0).startswith(str(root / "images/3143.png"))


# ---- mandibular molars


@pytest.mark.parametrize("inside", ["", "mmld_dataset"])
def test_molars_lie_where_they_are_seen_whatever_way_the_volume_lies(tmp_path, inside):
    make_mml(tmp_path / inside)
    splits = load_mml(tmp_path)
    assert {name: len(split) for name, split in splits.items()} == {"train": 3, "val": 1, "test": 1}
    for split in splits.values():
        assert split.ndim == 3
        for image, points, spacing in zip(split.images, split.landmarks, split.spacing, strict=True):
            assert np.flatnonzero(np.isnan(points).any(axis=1)).tolist() == [3]
            assert_seen(read_image(image).array, points)
            np.testing.assert_allclose(spacing, read_geometry(image).grid.spacing)  # what the header states
    for way, points in zip(MML_AXES, splits["train"].landmarks, strict=True):
        number = list(MML_AXES).index(way)
        world = read_geometry(splits["train"].images[number]).grid.index_to_world(points)
        expected = mml_points(number) * MML_SPACING @ MML_AXES[way].T
        placed = np.isfinite(points).all(axis=1)
        np.testing.assert_allclose(world[placed], expected[placed], atol=1e-4)


def test_molars_as_datasets(tmp_path):
    split = load_mml(make_mml(tmp_path))["train"]
    for item in (split.landmark_dataset()[2], split.mask_dataset()[2]):
        assert_seen(item["image"][0].numpy(), item["landmark"].numpy())
        np.testing.assert_allclose(item["spacing"], split.spacing[2])
    assert item["mask"].flatten(1).sum(1).tolist() == [1.0] * 3 + [0.0] + [1.0] * 10
    maps = split.heatmap_dataset(sigma=1)[1]["heatmap"]
    assert maps.shape == (14, *read_geometry(split.images[1]).grid.shape)
    patch = split.patch_mask_dataset(index_landmark=5, dim_patch=(5, 5, 5), range_aug_patch=0)[1]
    assert patch["mask"].nonzero().tolist() == [[0, 2, 2, 2]]


@pytest.mark.parametrize(
    ("what", "content", "words"),
    [
        ("label", None, "is missing"),
        ("label", np.zeros((13, 3)), "shape \\(14, 3\\)"),
        ("label", np.full((14, 3), np.inf), "infinite"),
        ("label", np.full((14, 3), "x"), "NumPy file of numbers"),
        ("label", np.array([{}] * 14), "NumPy file of numbers"),
        ("label", b"", "NumPy file of numbers"),
        ("label", b"\x93NUMPY junk", "NumPy file of numbers"),
        ("spacing", np.ones(2), "shape \\(3,\\)"),
        ("spacing", np.array([1, 0, 1.0]), "three positive numbers"),
        ("spacing", np.array([1, np.nan, 1.0]), "three positive numbers"),
        ("volume", b"NRRD0004\n", "case1_volume.nrrd"),
        ("volume", None, "case1_volume.nrrd is missing"),
    ],
)
def test_damaged_files_of_molars_are_named(tmp_path, what, content, words):
    root = make_mml(tmp_path)
    path = root / "train" / f"case1_{what}.{'nrrd' if what == 'volume' else 'npy'}"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(LandmarkerError, match=words) as raised:
        load_mml(root)
    assert str(raised.value).startswith(str(path))


def test_a_missing_part_of_molars(tmp_path):
    root = make_mml(tmp_path)
    shutil.rmtree(root / "val")
    assert refused(load_mml, root).startswith(str(root / "val"))


def test_download_of_molars_and_a_web_page_instead(tmp_path, monkeypatch):
    make_mml(tmp_path / "in/mmld_dataset")
    with serving(Mirror({MML: as_zip(files_of(tmp_path / "in"))}, page=True)) as mirror:
        redirect(monkeypatch, mirror)
        with pytest.raises(ProjectError, match="a web page instead of the file") as raised:
            load_mml(tmp_path / "out")
        by_hand = tmp_path / "out/mmld_dataset.unfinished/mmld_dataset.zip"
        assert str(raised.value).endswith(f"by hand to {by_hand}.")
        mirror.page = False
        assert len(load_mml(tmp_path / "out")["train"]) == 3
        shutil.rmtree(tmp_path / "out")
        by_hand.parent.mkdir(parents=True)
        by_hand.write_bytes(mirror.files[MML])
        mirror.files.clear()
        assert len(load_mml(tmp_path / "out")["train"]) == 3


# ---- the common type


def test_a_split_checks_what_it_is_made_of_and_does_not_change(tmp_path):
    points = np.zeros((2, 3, 2))
    images = (tmp_path / "a.png", tmp_path / "b.png")
    split = BenchmarkSplit("x", images, points, ("a", "b", "c"), np.ones((2, 2)))
    points[:] = 7
    assert split.landmarks.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        split.landmarks[0] = 1
    for wrong in (
        {"landmarks": np.zeros((3, 3, 2))},
        {"landmarks": np.zeros((2, 3, 4))},
        {"class_names": ("a",)},
        {"spacing": np.ones(2)},
        {"masks": images[:1]},
    ):
        with pytest.raises(GeometryError):
            BenchmarkSplit(
                **{"name": "x", "images": images, "landmarks": split.landmarks, "class_names": ("a", "b", "c")} | wrong
            )


def test_importing_the_data_sets_is_cheap():
    import subprocess
    import sys

    code = "import sys, napari_landmarker.engine.datasets as d; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "monai", "requests", "pooch", "av", "PIL", "SimpleITK"} & set(loaded)
