"""COCO keypoints: index coordinates, visibility, and all that other programs keep in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotation_cases import FAST, SHARED, annotations, assert_reads_or_refuses, flat, mutated, save, turned
from hypothesis import given
from hypothesis import strategies as st

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import read_geometry
from napari_landmarker.engine.io.annotation_format import ImageAnnotations
from napari_landmarker.engine.io.coco import COCO, read_coco, write_coco
from napari_landmarker.engine.io.fields import Entry
from napari_landmarker.engine.landmarks import LandmarkStatus

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")
CONFIRMED, UNPLACED, ABSENT = LandmarkStatus.CONFIRMED, LandmarkStatus.UNPLACED, LandmarkStatus.ABSENT


def nowhere(name: str | None) -> None:
    """No image is at hand."""


def content() -> dict[str, Any]:
    """Two images, one of them with two instances, and much that is no landmark."""
    return {
        "info": {"year": 2026},
        "images": [
            {"id": 7, "file_name": "set/a.png", "height": 20, "width": 30, "licence": 3},
            {"id": 8, "file_name": "set/b.png", "height": 20, "width": 30},
        ],
        "categories": [
            {"id": 1, "name": "car"},
            {"id": 2, "name": "fly", "keypoints": ["head", "tail", "wing"], "skeleton": [[1, 2]]},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 5, 5]},
            {
                "id": 4, "image_id": 7, "category_id": 2, "keypoints": [3, 4.5, 2, 10, 12, 1, 0, 0, 0],
                "bbox": [3, 4.5, 8, 8.5], "area": 68, "num_keypoints": 2, "track": "x",
            },
            {
                "id": 5, "image_id": 7, "category_id": 2, "keypoints": [1, 2, 2, 0, 0, 0, 5, 5, 2],
                "segmentation": [[0, 0, 9, 0, 9, 9]], "bbox": [0, 0, 9, 9], "area": 40.5, "num_keypoints": 2,
            },
        ],
    }  # fmt: skip


def written(path: Path, changed: dict[str, Any] | None = None) -> Path:
    return save(path, json.dumps(content() if changed is None else changed))


def placed(y: float, x: float, status: LandmarkStatus = CONFIRMED, text: str = "") -> tuple[Entry, ...]:
    return (Entry(np.array([y, x]), status, np.nan, text),)


def test_points_visibility_and_instances(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json")
    assert COCO.recognises(path)
    first, second = read_coco(path, nowhere)
    assert (first.image, second.image) == ("set/a.png", "set/b.png")
    assert first.grid == Grid((20, 30))
    assert first.unread == (
        "annotations without keypoints",
        "segmentations",
        "the lines of the skeleton",
        "the keys 'info', 'licence', 'track' of other programs",
    )
    landmarks = first.landmarks(["tail", "head", "wing"])
    assert landmarks.status.tolist() == [
        ["confirmed", "unplaced"], ["confirmed", "confirmed"], ["unplaced", "confirmed"],
    ]  # fmt: skip
    assert landmarks.points[1].tolist() == [[4.5, 3], [2, 1]]
    assert landmarks.point("tail").tolist() == [12, 10]
    assert first.entries["tail"][0].description == "occluded"
    assert {name: [e.status for e in of] for name, of in second.entries.items()} == {
        "head": [UNPLACED], "tail": [UNPLACED], "wing": [UNPLACED],
    }  # fmt: skip


def test_writing_what_was_read_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json")
    write_coco(path, read_coco(path, nowhere))
    assert json.loads(path.read_text()) == content()


def test_what_others_keep_survives_a_change(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json")
    entries = {"head": placed(6, 1), "tail": placed(12, 10), "antenna": (Entry(None, ABSENT),)}
    write_coco(path, [ImageAnnotations("a.png", Grid((20, 30)), entries)])
    now = json.loads(path.read_text())
    expected = content()
    expected["categories"][1]["keypoints"].append("antenna")
    expected["annotations"][1] |= {
        "keypoints": [1, 6, 2, 10, 12, 1, 0, 0, 0, 0, 0, 0],  # still hidden
        "bbox": [1, 6, 10, 7],
        "area": 70,
        "landmark_status": [None, None, None, "absent"],
    }
    expected["annotations"][2] |= {"keypoints": [0, 0, 0, 0, 0, 0, 5, 5, 2, 0, 0, 0], "num_keypoints": 1}
    assert now == expected  # the segmentation's box and area stay
    first = read_coco(path, nowhere)[0].landmarks()
    assert first.status_of("antenna") is ABSENT
    assert first.point("wing", 1).tolist() == [5, 5]


def test_instances_that_are_gone(tmp_path: Path) -> None:
    changed = content()
    del changed["annotations"][2]["segmentation"]
    path = written(tmp_path / "a.json", changed)
    entries = {"head": placed(6, 1), "tail": placed(1, 1), "wing": placed(2, 2)}
    write_coco(path, [ImageAnnotations("set/a.png", Grid((20, 30)), entries)])
    now = json.loads(path.read_text())["annotations"]
    assert [item["id"] for item in now] == [1, 4, 5]  # a box that another program drew stays
    assert (now[2]["bbox"], now[2]["num_keypoints"]) == ([0, 0, 9, 9], 0)
    changed["annotations"][2]["bbox"] = [1, 2, 5, 4]  # around its points
    write_coco(written(path, changed), [ImageAnnotations("set/a.png", Grid((20, 30)), entries)])
    assert [item["id"] for item in json.loads(path.read_text())["annotations"]] == [1, 4]


def test_a_person_without_keypoints_and_a_box_of_others_stay(tmp_path: Path) -> None:
    changed = content()
    changed["annotations"][1]["bbox"] = [0, 0, 20, 20]
    nobody = {"id": 9, "image_id": 7, "category_id": 2, "keypoints": [0] * 9, "bbox": [9, 9, 4, 4], "num_keypoints": 0}
    path = written(tmp_path / "a.json", changed | {"annotations": [*changed["annotations"], nobody]})
    (first, _) = read_coco(path, nowhere)
    assert "boxes" in first.unread
    head = Entry(np.array([1.0, 2.0]), CONFIRMED)
    moved = {name: (head, *given[1:]) for name, given in first.entries.items()}
    write_coco(path, [ImageAnnotations("set/a.png", Grid((20, 30)), moved)])
    now = {item["id"]: item for item in json.loads(path.read_text())["annotations"]}
    assert now[9] == nobody
    assert (now[4]["bbox"], now[4]["area"]) == ([0, 0, 20, 20], 68)


def test_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    grid = Grid((20, 30), (0.5, 0.5))
    entries = {
        "tip": placed(4.5, 3, LandmarkStatus.EDITED, "occluded by the jaw"),
        "base": (Entry(None, ABSENT), Entry(np.array([1.0, 2.0]), LandmarkStatus.PREDICTED, 0.25)),
    }
    images = [
        ImageAnnotations("/home/someone/a.png", grid, entries),
        ImageAnnotations("sub/b.png", grid, {"tip": (Entry(None, UNPLACED),)}),
    ]
    write_coco(path, images)
    assert json.loads(path.read_text()) == {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 30, "height": 20},
            {"id": 2, "file_name": "sub/b.png", "width": 30, "height": 20},
        ],
        "annotations": [
            {
                "id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [],
                "keypoints": [3.0, 4.5, 1, 0, 0, 0], "num_keypoints": 1, "bbox": [3.0, 4.5, 1.0, 1.0], "area": 1.0,
                "landmark_status": ["edited", "absent"], "landmark_description": ["occluded by the jaw", None],
            },
            {
                "id": 2, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [],
                "keypoints": [0, 0, 0, 2.0, 1.0, 2], "num_keypoints": 1, "bbox": [2.0, 1.0, 1.0, 1.0], "area": 1.0,
                "landmark_status": [None, "predicted"], "landmark_score": [None, 0.25],
            },
        ],
        "categories": [
            {"id": 1, "name": "landmarks", "keypoints": ["tip", "base"], "supercategory": "landmarks", "skeleton": []},
        ],
    }  # fmt: skip


def test_images_of_one_name_in_two_folders_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    names = ["1.png", "a/1.png", "b/1.png"]
    images = [ImageAnnotations(name, Grid((20, 30)), {"p": placed(1, x)}) for x, name in enumerate(names)]
    write_coco(path, images)
    write_coco(path, images[1:])
    back = read_coco(path, nowhere)
    assert [(image.image, image.landmarks().points[0, 1]) for image in back] == list(zip(names, range(3), strict=True))
    with pytest.raises(AnnotationError, match="cannot tell the images"):
        write_coco(path, [images[0], images[0]])


def test_a_visibility_that_another_program_changed_counts(tmp_path: Path) -> None:
    changed = content()
    changed["annotations"][1]["landmark_status"] = ["absent", "edited", "predicted"]
    landmarks = read_coco(written(tmp_path / "a.json", changed), nowhere)[0].landmarks()
    assert landmarks.status[:, 0].tolist() == ["confirmed", "edited", "unplaced"]


def test_categories_that_share_names(tmp_path: Path) -> None:
    changed = content()
    changed["categories"].append({"id": 3, "name": "bee", "keypoints": ["head"]})
    path = written(tmp_path / "a.json", changed)
    assert list(read_coco(path, nowhere)[0].entries) == ["fly/head", "tail", "wing", "bee/head"]
    write_coco(path, read_coco(path, nowhere))
    assert json.loads(path.read_text()) == changed
    write_coco(path, [ImageAnnotations("set/b.png", Grid((20, 30)), {"bee/head": placed(1, 2), "sting": placed(3, 4)})])
    back = read_coco(path, nowhere)[1].landmarks()
    assert (back.point("bee/head").tolist(), back.point("sting").tolist()) == ([1, 2], [3, 4])
    assert back.status_of("fly/head") is UNPLACED
    with pytest.raises(AnnotationError, match="the keypoint 'head' in several categories"):
        write_coco(path, [ImageAnnotations("set/b.png", Grid((20, 30)), {"head": placed(1, 2)})])
    changed["categories"][2]["name"] = "fly"
    with pytest.raises(AnnotationError, match="categories of one name"):
        read_coco(written(tmp_path / "b.json", changed), nowhere)


def broken(change: str, value: Any) -> dict[str, Any]:
    out = content()
    where: Any = out
    *way, last = change.split("/")
    for step in way:
        where = where[int(step) if step.isdigit() else step]
    where[last] = value
    return out


@pytest.mark.parametrize(
    ("change", "value", "words"),
    [
        ("images", {}, "no list of images"),
        ("annotations", [1], "no list of annotations"),
        ("categories", [], "no category with keypoints"),
        ("images/0/id", None, "an image without an id"),
        ("images/0/id", 8, "an image with the id 8 a second time"),
        ("images/0/file_name", 5, "image 7, does not name its image"),
        ("images/0/file_name", "set/b.png", "set/b.png twice"),
        ("images/0/height", "20", "image 7, has a size"),
        ("images/0/height", 1e300, "image 7, has a size"),
        ("categories/1/keypoints", "head", "category 2, has keypoints that are no list"),
        ("categories/1/keypoints", ["head", "head", "wing"], "category 2, has the keypoint 'head' twice"),
        ("categories/1/keypoints", ["head", 3, "wing"], "category 2, has a point without a usable label"),
        ("annotations/1/id", 5, "with the id 5 a second time"),
        ("annotations/1/id", [5], "without an id"),
        ("annotations/1/image_id", 9, "annotation 4, is of no image"),
        ("annotations/1/image_id", [7], "annotation 4, is of no image"),
        ("annotations/1/category_id", 1, "annotation 4, is of a category without names"),
        ("annotations/1/keypoints", [1, 2, 2], "annotation 4, must have 3 numbers for each of 3"),
        ("annotations/1/keypoints", {"a": 1}, "annotation 4, must have 3 numbers"),
        ("annotations/1/keypoints", [1, 2, 2, 1, "2", 2, 0, 0, 0], "annotation 4, gives 'tail' a position"),
        ("annotations/1/keypoints", [1, 2, 2, 1, float("nan"), 2, 0, 0, 0], "annotation 4, gives 'tail' a position"),
        ("annotations/1/keypoints", [1, 2, 2, 1, 10**400, 2, 0, 0, 0], "annotation 4, gives 'tail' a position"),
        ("annotations/1/keypoints", [1, 2, 2, 1, 1e300, 2, 0, 0, 0], "annotation 4, gives 'tail' a position"),
        ("annotations/1/keypoints", [1, 2, 3, 1, 2, 2, 0, 0, 0], "annotation 4, gives 'head' a visibility"),
        ("annotations/1/landmark_status", ["lost", None, None], "annotation 4, gives 'head' a status"),
        ("annotations/1/landmark_status", [[], None, None], "annotation 4, gives 'head' a status"),
        ("annotations/1/landmark_score", [1], "annotation 4, has a 'landmark_score' that is no list of 3"),
        ("annotations/1/landmark_score", ["1", 1, 1], "annotation 4, gives 'head' a score"),
    ],
)
def test_bad_files_are_refused_in_one_sentence_that_names_them(
    tmp_path: Path, change: str, value: Any, words: str
) -> None:
    path = written(tmp_path / "a.json", broken(change, value))
    before = path.read_bytes()
    with pytest.raises(AnnotationError, match=words) as raised:
        read_coco(path, nowhere)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert message.endswith(".")
    assert path.read_bytes() == before


def test_files_that_are_not_coco(tmp_path: Path) -> None:
    for text in ("", "[]", "{}", '{"shapes": []}', "[" * 100000, json.dumps(content())[:200], "\x89PNG\r\n"):
        path = save(tmp_path / "a.json", text)
        assert not COCO.recognises(path)
        with pytest.raises(AnnotationError, match=r"a\.json"):
            read_coco(path, nowhere)
        with pytest.raises(AnnotationError, match=r"a\.json"):
            write_coco(path, [])


def test_images_that_do_not_fit(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json")
    with pytest.raises(AnnotationError, match=r"set/a\.png with 30 x 20 pixels, but it has 31 x 20"):
        read_coco(path, lambda name: flat((20, 31)))
    with pytest.raises(AnnotationError, match="is a volume"):
        read_coco(path, lambda name: turned())
    for image, words in (
        (ImageAnnotations("set/a.png", Grid((20, 31)), {"head": placed(1, 1)}), "30 x 20 pixels, but it has 31 x 20"),
        (ImageAnnotations("c.png", Grid.without_image(2), {"head": placed(1, 1)}), r"size of c\.png"),
        (ImageAnnotations("c.png", Grid.without_image(2, world=True), {"head": placed(1, 1)}), "millimetres"),
        (ImageAnnotations(None, Grid((20, 30)), {"head": placed(1, 1)}), "must name the image"),
        (ImageAnnotations("v.nii", turned().grid, {"head": (Entry(None, UNPLACED),)}), "2D points only"),
    ):
        with pytest.raises(AnnotationError, match=words):
            write_coco(path, [image])
    write_coco(path, [ImageAnnotations("set/a.png", Grid.without_image(2), {"head": placed(1, 1)})])  # size is there
    assert read_coco(path, nowhere)[0].landmarks().point("head").tolist() == [1, 1]


@FAST
@given(data=st.data(), over=st.booleans())
def test_round_trip(tmp_path: Path, data: st.DataObject, over: bool) -> None:
    images = [data.draw(annotations(COCO, flat(), flat().grid, name)) for name in ("x/c.png", "d.png")]
    path = tmp_path / "a.json"
    path.unlink(missing_ok=True)
    if over:
        written(path)
    write_coco(path, images)
    assert COCO.recognises(path)
    back = {image.image: image for image in read_coco(path, lambda name: None if "set" in str(name) else flat())}
    for image in images:
        read = back[image.image]
        assert read.grid == image.grid
        for name, entries in image.entries.items():
            said = [entry for entry in entries if entry.status is not UNPLACED]
            got = [entry for entry in read.entries[name] if entry.status is not UNPLACED]
            assert [e.status for e in got] == [e.status for e in said]
            assert [e.description for e in got] == [e.description for e in said]
            np.testing.assert_array_equal([e.score for e in got], [e.score for e in said])
            for here, there in zip(got, said, strict=True):
                np.testing.assert_array_equal(here.point, there.point)


@FAST
@given(data=st.data())
def test_a_mutated_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(mutated(data, json.dumps(content())))
    geometry = data.draw(st.sampled_from([None, flat(), turned()]))
    assert_reads_or_refuses(path, lambda: read_coco(path, lambda name: geometry), COCO)


@needs_shared
def test_flies_of_another_program(tmp_path: Path) -> None:
    folder = SHARED / "formats/coco/fly"
    images = read_coco(folder / "test_fly.json", lambda name: read_geometry(folder / str(name)))
    assert [image.image for image in images] == ["1400.jpg", "1450.jpg"]
    landmarks = images[0].landmarks()
    assert len(landmarks) == 32
    assert landmarks.point("head").tolist() == [95, 146]
    write_coco(tmp_path / "new.json", images)
    theirs, ours = (json.loads(p.read_text()) for p in (folder / "test_fly.json", tmp_path / "new.json"))
    for there, here in zip(theirs["annotations"], ours["annotations"], strict=True):
        for key in ("keypoints", "bbox", "area", "num_keypoints"):
            assert here[key] == pytest.approx(there[key])
