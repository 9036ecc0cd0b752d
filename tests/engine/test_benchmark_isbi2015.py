"""The cephalograms of ISBI 2015: the challenge's layout, the table's, folds, spacing, downloads, bad files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from benchmark_copies import (
    CEPHA_MM,
    CEPHA_SHAPE,
    assert_seen,
    cepha_points,
    install_unpacker,
    isbi2015_archives,
    make_isbi2015,
    tree,
)
from benchmark_server import Mirror, redirect, serving
from PIL import Image as Pillow

from napari_landmarker.engine import datasets
from napari_landmarker.engine.datasets import DownloadCancelled, isbi2015, load_isbi2015
from napari_landmarker.engine.errors import (
    AnnotationError,
    GeometryError,
    ImageError,
    LandmarkerError,
    ProjectError,
)
from napari_landmarker.engine.io import read_image
from napari_landmarker.engine.io.isbi import ISBI_NAMES

COUNTS = {"train": 150, "test1": 150, "test2": 100}
FIRST = {"train": 1, "test1": 151, "test2": 301}
ARCHIVE = "https://figshare.com/ndownloader/articles/3471833?private_link=37ec464af8e81ae6ebbf"
FOLDS = (
    "https://raw.githubusercontent.com/christianpayer/MedicalDataAugmentationTool-HeatmapUncertainty/main/setup_ann/"
    "all_landmarks/cv/{}"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make_isbi2015(tmp_path_factory.mktemp("isbi") / "PATH" / "ISBI2015")


@pytest.fixture
def copy(whole, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(whole, tmp_path / "ISBI2015", copy_function=_link)
    return tmp_path / "ISBI2015"


def _link(source: str, target: str) -> None:
    Path(target).symlink_to(source)


@pytest.fixture(scope="module")
def lent(whole, tmp_path_factory):
    """A copy for several tests, which put back what they damage."""
    shutil.copytree(whole, tmp_path_factory.mktemp("lent") / "ISBI2015", copy_function=_link)
    return tmp_path_factory.getbasetemp() / "lent0/ISBI2015"


def test_the_official_split_with_the_mean_of_both_annotators(whole):
    splits = load_isbi2015(whole)
    assert {name: len(split) for name, split in splits.items()} == COUNTS
    for name, split in splits.items():
        assert split.class_names == ISBI_NAMES
        assert split.unit == "mm"
        np.testing.assert_allclose(split.spacing, CEPHA_MM)
        for i in (0, len(split) - 1):
            number = FIRST[name] + i
            assert split.images[i].name == f"{number:03d}.bmp"
            np.testing.assert_array_equal(split.landmarks[i], cepha_points(number, "mean"))
            assert_seen(read_image(split.images[i]).array, split.landmarks[i])


@pytest.mark.parametrize("rater", ["senior", "junior"])
def test_one_annotator_needs_no_files_of_the_other(lent, rater):
    other = lent / "AnnotationsByMD" / {"senior": "400_junior", "junior": "400_senior"}[rater]
    other.rename(lent / "aside")
    points = load_isbi2015(lent, rater)["test1"].landmarks
    np.testing.assert_array_equal(points[4], cepha_points(155, rater))
    with pytest.raises(AnnotationError, match=rf"{other.name}.*is missing \(and 399 more files\)"):
        load_isbi2015(lent)
    (lent / "aside").rename(other)


def test_the_folds_of_payer(whole):
    folds = load_isbi2015(whole, split="payer")
    assert {name: len(fold) for name, fold in folds.items()} == {f"fold{n}": 100 for n in range(1, 5)}
    listed = [int(n) for n in (whole / "cv_payer/2.txt").read_text().split()]
    assert [int(path.stem) for path in folds["fold2"].images] == listed
    np.testing.assert_array_equal(folds["fold2"].landmarks, [cepha_points(n, "mean") for n in listed])
    assert len({path for fold in folds.values() for path in fold.images}) == 400


def test_the_folder_around_and_other_ways_to_unpack(whole, copy):
    assert load_isbi2015(whole.parent)["train"].images[0].is_relative_to(whole)
    for rater in ("senior", "junior"):
        (copy / f"AnnotationsByMD/400_{rater}").rename(copy / f"400_{rater}")
    (copy / "RawImage").rename(copy / "inner")
    (copy / "RawImage").mkdir()
    (copy / "inner").rename(copy / "RawImage/RawImage")
    np.testing.assert_array_equal(load_isbi2015(copy)["test2"].landmarks[-1], cepha_points(400, "mean"))


def test_spacing_is_known_for_scaled_copies_only(tmp_path):
    sizes = {
        "whole": (1935, 2400, 0.1),
        "fifth": (387, 480, 0.5),
        "squeezed": (387, 400, None),
        "near": (413, 512, None),
    }
    for name, (width, height, mm) in sizes.items():
        path = tmp_path / f"{name}.png"
        Pillow.new("L", (width, height)).save(path)
        found = isbi2015._spacing([path])
        assert (found is None) == (mm is None)
        if mm is not None:
            np.testing.assert_allclose(found, [[mm, mm]])


def test_datasets_of_the_paper(whole):
    train, test1, test2 = datasets.get_cepha_landmark_datasets(whole.parent, store_imgs=False)
    assert (len(train), len(test1), len(test2)) == (150, 150, 100)
    item = test2[99]
    assert_seen(item["image"][0].numpy(), item["landmark"].numpy())
    np.testing.assert_allclose(item["spacing"], CEPHA_MM)
    one = datasets.get_cepha_mask_datasets(str(whole), single_dataset=True, junior=True)
    assert len(one) == 400
    item = one[399]
    expected = np.zeros((19, *CEPHA_SHAPE))
    for number, (y, x) in enumerate(cepha_points(400, "junior")):
        expected[number, y, x] = 1
    np.testing.assert_array_equal(item["mask"], expected)
    folds = datasets.get_cepha_heatmap_datasets(whole, cv=True, sigma=2, dim_img=(80, 64), resize_pad=False)
    assert [len(fold) for fold in folds] == [100] * 4
    item = folds[0][0]
    peaks = item["heatmap"].flatten(1).argmax(1).numpy()
    np.testing.assert_allclose(np.stack(np.unravel_index(peaks, (80, 64)), 1), item["landmark"], atol=0.5001)
    with pytest.raises(GeometryError, match="exclude each other"):
        datasets.get_cepha_landmark_datasets(whole, single_dataset=True, cv=True)


def test_patches_of_the_paper_are_about_their_landmark(whole):
    options = {"dim_patch": (21, 31), "range_aug_patch": 4}
    for make in (datasets.get_cepha_patch_datasets, datasets.get_cepha_patch_mask_datasets):
        train, _, _ = make(whole, 7, **options)
        item = train[0]
        assert item["image"].shape == (1, 21, 31)
        np.testing.assert_array_equal(item["landmark_original"], cepha_points(1, "mean")[7])
        place = tuple(item["landmark"].long().tolist())
        assert item["image"][0][place] == item["image"].max() or item["image"][0][place] > 1
        if "mask" in item:
            assert item["mask"][0][place] == 1
            assert item["mask"].sum() == 1


def test_training_alone_is_changed_at_random(whole):
    class Shift:
        def __call__(self, image, points, rng):
            return image, points + 1

    train, test1, _ = datasets.get_cepha_landmark_datasets(whole, train_transform=Shift())
    np.testing.assert_array_equal(train[0]["landmark"], cepha_points(1, "mean") + 1)
    np.testing.assert_array_equal(test1[0]["landmark"], cepha_points(151, "mean"))


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("AnnotationsByMD/400_senior/007.txt", "1,2\n", "1 of the 19|line 2"),
        ("AnnotationsByMD/400_junior/301.txt", b"\xff\xfe\x00", "no text"),
        ("AnnotationsByMD/400_junior/400.txt", None, "is missing: put it there"),
        ("RawImage/Test2Data/301.bmp", None, "is missing: put it there"),
        ("RawImage/TrainingData/003.bmp", b"no picture", "could not be read"),
        ("cv_payer/3.txt", None, "download it by hand from https"),
        ("cv_payer/3.txt", "", "is empty"),
        ("cv_payer/3.txt", "12\n401\n", "line 2, has '401'"),
        ("cv_payer/3.txt", "twelve\n", "line 1, has 'twelve'"),
        ("cv_payer/4.txt", "\n".join(str(n) for n in range(1, 101)), "each image is in one fold"),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_named(lent, file, content, words):
    path = lent / file
    kept = path.readlink()
    path.unlink()
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(LandmarkerError, match=words) as raised:
        load_isbi2015(lent, split="payer" if "cv" in file else "official")
    path.unlink(missing_ok=True)
    path.symlink_to(kept)
    assert str(raised.value).startswith(str(path))
    assert str(raised.value).endswith(".")


def test_arguments_and_folders_that_cannot_be(tmp_path):
    for options in ({"annotator": "both"}, {"split": "random"}):
        with pytest.raises(GeometryError, match="must be"):
            load_isbi2015(tmp_path, **options)
    with pytest.raises(ProjectError, match="does not hold the data set ISBI2015"):
        load_isbi2015(tmp_path / "nowhere", download=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="is a file"):
        load_isbi2015(tmp_path / "file")
    (tmp_path / "ISBI2015").mkdir()
    (tmp_path / "ISBI2015/notes.txt").write_text("")
    with pytest.raises(ProjectError, match="holds something else"):
        load_isbi2015(tmp_path)
    assert tree(tmp_path) == ["ISBI2015/notes.txt", "file"]


# ---- download


@pytest.fixture(scope="module")
def remote(whole):
    archive, folds = isbi2015_archives(whole)
    return {ARCHIVE: archive} | {FOLDS.format(name): data for name, data in folds.items()}


@pytest.fixture
def mirror(remote, monkeypatch):
    with serving(Mirror(dict(remote))) as served:
        redirect(monkeypatch, served)
        yield served


@pytest.mark.parametrize("inside", ["", "ISBI2015"])
def test_a_download_is_unpacked_and_has_its_name_when_it_is_complete(tmp_path, monkeypatch, mirror, inside):
    install_unpacker(monkeypatch, tmp_path / "bin")
    told = []
    folder = tmp_path / "data"
    splits = load_isbi2015(folder / inside, progress=lambda done, total: told.append((done, total)))
    assert {name: len(split) for name, split in splits.items()} == COUNTS
    np.testing.assert_array_equal(splits["test2"].landmarks[-1], cepha_points(400, "mean"))
    assert sorted(p.name for p in folder.iterdir()) == ["ISBI2015", "ISBI2015.checksums.json"]
    assert sorted(p.name for p in (folder / "ISBI2015").iterdir()) == [
        "400_junior",
        "400_senior",
        "RawImage",
        "cv_payer",
    ]
    assert (len(mirror.files[ARCHIVE]),) * 2 in told
    requests = len(mirror.log)
    assert len(load_isbi2015(folder, split="payer")) == 4
    assert len(mirror.log) == requests


def test_the_cache_of_this_computer(tmp_path, monkeypatch, whole):
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    (tmp_path / "napari-landmarker").mkdir()
    (tmp_path / "napari-landmarker/ISBI2015").symlink_to(whole)
    assert load_isbi2015()["train"].images[0].is_relative_to(tmp_path / "napari-landmarker/ISBI2015")


def test_a_stopped_download_leaves_no_data_set(tmp_path, monkeypatch, mirror):
    install_unpacker(monkeypatch, tmp_path / "bin")
    told = []
    with pytest.raises(DownloadCancelled):
        load_isbi2015(tmp_path / "data", progress=lambda *a: told.append(a), cancel=lambda: len(told) > 2)
    assert not (tmp_path / "data/ISBI2015").exists()
    assert len(load_isbi2015(tmp_path / "data")["train"]) == 150
    assert [asked for url, asked in mirror.log if url == ARCHIVE][-1].startswith("bytes=")


def test_archives_unpacked_by_hand(tmp_path, monkeypatch, whole, mirror):
    monkeypatch.setenv("PATH", str(tmp_path))
    place = tmp_path / "data/ISBI2015.unfinished"
    for name in ("AnnotationsByMD", "RawImage"):
        with pytest.raises(ProjectError, match="no program that unpacks it") as raised:
            load_isbi2015(tmp_path / "data")
        assert str(raised.value).startswith(str(place / f"{name}.rar"))
        assert f"by hand into {place}" in str(raised.value)
        shutil.copytree(whole / name, place / name)
    assert {name: len(split) for name, split in load_isbi2015(tmp_path / "data").items()} == COUNTS
    assert sum(url == ARCHIVE for url, _ in mirror.log) == 1


def test_a_download_that_lacks_images_is_not_taken_for_the_data_set(tmp_path, monkeypatch, whole, mirror):
    install_unpacker(monkeypatch, tmp_path / "bin")
    mirror.files[ARCHIVE] = isbi2015_archives(whole, without="RawImage/Test1Data/151.bmp")[0]
    with pytest.raises(ImageError, match=r"151\.bmp is missing"):
        load_isbi2015(tmp_path / "data")
    assert not (tmp_path / "data/ISBI2015").exists()
