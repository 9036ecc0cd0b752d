"""The instruments of EndoVis 2015: frames of videos, several instances, downloads, bad files."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
from benchmark_copies import ENDO_FRAMES, ENDO_SHAPE, as_zip, assert_seen, endo_points, files_of, make_endovis, tree
from benchmark_server import Mirror, redirect, serving

from napari_landmarker.engine import datasets
from napari_landmarker.engine.datasets import DownloadCancelled, load_endovis2015
from napari_landmarker.engine.errors import GeometryError, LandmarkerError, ProjectError
from napari_landmarker.engine.io import read_image

VIDEOS = "https://opencas.webarchiv.kit.edu/data/endovis15_ins/"
LABELS = "https://raw.githubusercontent.com/surgical-vision/EndoVisPoseAnnotation/master/"
COUNTS = {"train": 4, "test": 6}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """As it is downloaded, without images of frames."""
    pytest.importorskip("av", reason="PyAV is not installed")
    return make_endovis(tmp_path_factory.mktemp("endovis") / "EndoVis2015")


@pytest.fixture(scope="module")
def whole(fresh, tmp_path_factory):
    """With images of the annotated frames."""
    folder = shutil.copytree(fresh, tmp_path_factory.mktemp("whole") / "EndoVis2015")
    load_endovis2015(folder)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "EndoVis2015")


def test_annotated_frames_and_their_instances(fresh, tmp_path):
    folder = shutil.copytree(fresh, tmp_path / "EndoVis2015")
    told = []
    splits = load_endovis2015(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told[:2] == [(1, 2), (2, 2)]
    assert len(told) == 20
    for name, split in splits.items():
        assert split.landmarks.shape == (COUNTS[name] * 2, 2, 2, 2)
        assert split.class_names == ("LeftClasperPoint", "RightClasperPoint")
        assert split.unit == "px"
        for index, image in enumerate(split.images):
            video, frame = index // 2 + 1, ENDO_FRAMES[index % 2]
            assert image.parent == folder / f"Tracking_Robotic_{name.capitalize()}ing" / f"Dataset{video}/raw"
            assert image.name == ("img_{:06d}.png" if name == "train" else "img_{:04d}.png").format(frame)
            points = endo_points(video, frame)
            for found, kind in zip(split.landmarks[index], split.class_names, strict=True):
                rows = found[np.isfinite(found).all(axis=1)]
                np.testing.assert_array_equal(rows, points[kind])
            array = read_image(image).array
            assert array.shape == (*ENDO_SHAPE, 3)
            assert_seen(array[..., 0], split.landmarks[index], background=frame)
    assert not list(folder.rglob("*.part"))


def test_other_points_may_be_asked_for(whole):
    split = load_endovis2015(whole, ("HeadPoint", "RightClasperPoint"))["test"]
    assert np.isnan(split.landmarks[:, 0]).all()
    np.testing.assert_array_equal(split.landmarks[:, 1, 0], [[20, 30]] * 12)
    for names in (("Nose",), ()):
        with pytest.raises(GeometryError, match="class_names must be some of LeftClasperPoint"):
            load_endovis2015(whole, names)


def test_three_instances_are_kept(copy):
    labels = copy / "Tracking_Robotic_Testing/labels/test2_labels.json"
    content = json.loads(labels.read_text())
    content[0]["annotations"].append({"class": "LeftClasperPoint", "x": 3, "y": 4})
    labels.write_text(json.dumps(content))
    points = load_endovis2015(copy)["test"].landmarks
    assert points.shape == (12, 2, 3, 2)
    np.testing.assert_array_equal(points[2, 0], [[7, 8], [40, 60], [4, 3]])
    assert np.isnan(points[3, 0, 1:]).all()


def test_frames_by_the_names_of_the_challenge(copy):
    place = copy / "Tracking_Robotic_Training/Dataset1"
    (place / "raw").rename(place / "Raw.old")
    (place / "Raw.old").rename(place / "Raw")
    (place / "Raw/img_000001.png").rename(place / "Raw/img_000001_raw.png")
    (place / "Video.avi").unlink()
    images = load_endovis2015(copy)["train"].images
    assert [image.name for image in images[:2]] == ["img_000001_raw.png", "img_000004.png"]


def test_datasets_of_the_paper(whole):
    train, test = datasets.get_endovis2015_landmark_datasets(whole.parent)
    assert (len(train), len(test)) == (8, 12)
    item = test[5]
    assert_seen(item["image"][0].numpy(), item["landmark"].numpy(), background=4)
    assert item["spacing"].isnan().all()
    train, test = datasets.get_endovis2015_heatmap_datasets(str(whole), ["LeftClasperPoint"], sigma=2.0)
    peaks = (train[0]["heatmap"][0] > 0.99 * train[0]["heatmap"].max()).nonzero().tolist()
    assert sorted(peaks) == [[6, 8], [40, 60]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "", "is damaged: it must be a list of frames"),
        (lambda text: text[:-5], "is damaged"),
        (lambda text: "{}", "is damaged"),
        (lambda text: "[]", "has no frame with annotations"),
        (lambda text: "[1]", "is damaged"),
        (lambda text: text.replace('"x": 60.0', '"x": "60"'), "is damaged"),
        (lambda text: text.replace('"x": 60.0', '"x": NaN'), "is damaged"),
        (lambda text: text.replace('"x": 60.0, ', ""), "is damaged"),
        (lambda text: text.replace("img_0001", "frame1"), "frame1.*not like img_000001.png"),
        (lambda text: text.replace("img_0004", "img_0001"), "has frame 1 twice"),
        (None, "is missing: put it there"),
    ],
)
def test_damaged_annotations_are_named(copy, change, words):
    path = copy / "Tracking_Robotic_Testing/labels/test3_labels.json"
    text = path.read_text()
    if change is None:
        path.unlink()
    else:
        path.write_text(change(text))
    with pytest.raises(LandmarkerError, match=words) as raised:
        load_endovis2015(copy)
    assert str(raised.value).startswith(str(path))


def test_videos_that_are_missing_damaged_or_cut_off(copy, fresh):
    place = copy / "Tracking_Robotic_Training/Dataset2"
    shutil.rmtree(place / "raw")
    video = place / "Video.avi"
    content = video.read_bytes()
    for change, words in (
        (None, "is missing"),
        (b"", "could not be read as a video"),
        (b"no video" * 100, "could not be read as a video"),
    ):
        video.unlink()
        if change is not None:
            video.write_bytes(change)
        with pytest.raises(LandmarkerError, match=words) as raised:
            load_endovis2015(copy)
        assert str(raised.value).startswith(str(video))
        video.write_bytes(content)
    labels = copy / "Tracking_Robotic_Training/labels/train2_labels.json"
    labels.write_text(labels.read_text().replace("img_000004", "img_000009"))
    with pytest.raises(LandmarkerError, match="ends before frame 9") as raised:
        load_endovis2015(copy)
    assert str(raised.value).startswith(str(video))


def test_without_pyav_the_extra_is_named(copy, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert len(load_endovis2015(copy)["train"]) == 8
    shutil.rmtree(copy / "Tracking_Robotic_Training/Dataset2/raw")
    with pytest.raises(ProjectError, match=r"pip install napari-landmarker\[datasets\]"):
        load_endovis2015(copy)


def test_taking_videos_apart_can_be_stopped(copy):
    shutil.rmtree(copy / "Tracking_Robotic_Training/Dataset2/raw")
    with pytest.raises(DownloadCancelled, match="was stopped"):
        load_endovis2015(copy, cancel=lambda: True)


def test_download(fresh, tmp_path, monkeypatch):
    archives: dict[str, dict[str, bytes]] = {"Training": {}, "Testing": {}}
    remote: dict[str, bytes] = {}
    for name, content in files_of(fresh).items():
        part = "Training" if "Training" in name else "Testing"
        if name.endswith("json"):
            remote[f"{LABELS}{part[:-3].lower()}_labels/{name.rpartition('/')[2]}"] = content
        else:
            inner = "Tracking_Robotic_Training/Training" if part == "Training" else "Tracking"
            archives[part][name.replace(f"Tracking_Robotic_{part}", inner)] = content
    remote |= {f"{VIDEOS}Tracking_Robotic_{part}.zip": as_zip(files) for part, files in archives.items()}
    with serving(Mirror(remote)) as mirror:
        redirect(monkeypatch, mirror)
        splits = load_endovis2015(tmp_path)
        assert len(mirror.log) == len(remote) == 12
    assert {name: len(split) for name, split in splits.items()} == {"train": 8, "test": 12}
    assert_seen(read_image(splits["test"].images[-1]).array[..., 1], splits["test"].landmarks[-1], background=4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["EndoVis2015", "EndoVis2015.checksums.json"]
    assert not [name for name in tree(tmp_path) if name.endswith(".zip")]
    assert len(load_endovis2015(tmp_path / "EndoVis2015", download=False)["train"]) == 8
