"""Projects on disk: made, opened, damaged, not writable; annotations taken in and given out."""

import json
import os

import numpy as np
import pytest
from PIL import Image as PilImage
from synthetic import make_project

from napari_landmarker.engine.errors import AnnotationError, GeometryError, ImageError, LandmarkerError, ProjectError
from napari_landmarker.engine.exchange import (
    create_project,
    merge,
    parse_schema,
    read_annotations,
    read_what_fits,
)
from napari_landmarker.engine.exporting import export_annotations
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project, Split, draw_splits
from napari_landmarker.engine.schema import LandmarkSchema


def picture(path, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    PilImage.new("L", size, 128).save(path)
    return path


def labelme(path, image, points, size=(40, 30)):
    shapes = [{"label": n, "points": [list(p)], "shape_type": "point", "flags": {}} for n, p in points.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": image, "imageData": None,
                    "imageHeight": size[1], "imageWidth": size[0]})
    )  # fmt: skip
    return path


@pytest.fixture
def folder(tmp_path):
    return [picture(tmp_path / "images" / f"{name}.png") for name in ("a", "b", "c", "d")]


SCHEMA = LandmarkSchema.from_names(("tip", "base"))


def test_a_project_opens_as_it_was_made_and_can_be_moved_with_its_images(tmp_path, folder):
    made = create_project(tmp_path / "p", SCHEMA, folder, spacing=(0.5, 0.25))
    landmarks = made.annotations("a").with_point("tip", (3.25, 7.125)).without_point("base", LandmarkStatus.ABSENT)
    made.save_annotations("a", landmarks)
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    os.rename(tmp_path, moved)
    project = Project.open(moved / "p")
    assert [c.id for c in project.cases] == ["a", "b", "c", "d"]
    assert project.schema == SCHEMA
    assert project.geometry("a").grid.spacing == (0.5, 0.25)
    read = project.annotations("a")
    np.testing.assert_array_equal(read.point("tip"), (3.25, 7.125))
    assert read.status_of("base") is LandmarkStatus.ABSENT
    assert Project.open(moved / "p" / "project.json").root == moved / "p"
    document = json.loads((moved / "p" / "annotations" / "rater1" / "a.json").read_text())
    assert document["shapes"][0]["points"] == [[7.625, 3.75]]
    assert document["imagePath"].endswith("images/a.png")


def test_unknown_keys_of_the_project_file_survive(tmp_path, folder):
    create_project(tmp_path / "p", SCHEMA, folder)
    path = tmp_path / "p" / "project.json"
    content = json.loads(path.read_text())
    content["hospital_note"] = {"x": 1}
    content["cases"][0]["tag"] = "first"
    path.write_text(json.dumps(content))
    Project.open(tmp_path / "p").set_split("b", Split.TEST)
    content = json.loads(path.read_text())
    assert content["hospital_note"] == {"x": 1}
    assert content["cases"][0]["tag"] == "first"
    assert content["cases"][1]["split"] == "test"


def test_predictions_never_touch_annotations(tmp_path):
    project, _ = make_project(tmp_path, count=4)
    case = project.cases[0].id
    before = project.annotation_path(case).read_bytes()
    grid = project.geometry(case).grid
    predicted = LandmarkSet.from_points(
        {"bright": (1, 2), "dark": (3, 4)}, grid, status=LandmarkStatus.PREDICTED, score={"bright": 0.5, "dark": 0.25}
    )
    project.save_predictions(case, "m", predicted)
    assert project.annotation_path(case).read_bytes() == before
    read = project.predictions(case, "m")
    assert read == predicted
    assert project.predictions(case, "other") is None


def test_splits_are_dealt_the_same_each_time_and_leave_none_empty():
    ids = [f"case{i}" for i in range(40)]
    dealt = draw_splits(ids)
    assert dealt == draw_splits(list(reversed(ids)))
    counts = {split: list(dealt.values()).count(split) for split in Split}
    assert counts == {Split.TRAIN: 28, Split.VALIDATION: 6, Split.CALIBRATION: 0, Split.TEST: 6}
    assert sorted(draw_splits(["a", "b", "c"]).values()) == [Split.TEST, Split.TRAIN, Split.VALIDATION]
    assert sorted(draw_splits(["a", "b"]).values()) == [Split.TRAIN, Split.VALIDATION]
    assert list(draw_splits(["a"]).values()) == [Split.TRAIN]


@pytest.mark.parametrize(
    ("count", "dealt"), [(129, (91, 19, 0, 19)), (130, (77, 13, 20, 20)), (400, (240, 40, 60, 60))]
)
def test_a_calibration_split_is_dealt_where_it_costs_little(count, dealt):
    splits = list(draw_splits([f"case{i}" for i in range(count)]).values())
    assert tuple(splits.count(split) for split in Split) == dealt


def test_images_of_one_name_in_two_folders_are_two_cases(tmp_path):
    images = [picture(tmp_path / side / "x.png") for side in ("left", "right")] + [picture(tmp_path / "left" / "x.jpg")]
    project = create_project(tmp_path / "p", SCHEMA, images)
    assert [c.id for c in project.cases] == ["x", "x.png", "x.jpg"]
    assert [project.image_path(c.id) for c in project.cases] == images


def test_more_images_join_a_project(tmp_path, folder):
    project = create_project(tmp_path / "p", SCHEMA, folder)
    added = project.add_images([*folder, picture(tmp_path / "more" / "e.png")])
    assert [c.id for c in added] == ["e"]
    assert [c.id for c in Project.open(tmp_path / "p").cases] == ["a", "b", "c", "d", "e"]
    import tifffile

    tifffile.imwrite(tmp_path / "volume.tif", np.zeros((8, 16, 16), np.uint8), photometric="minisblack")
    with pytest.raises(ImageError, match="3D"):
        project.add_images([tmp_path / "volume.tif"])


def test_annotations_come_in_from_labelme_and_csv_alike(tmp_path, folder):
    for path in folder[:2]:
        labelme(tmp_path / "lm" / f"{path.stem}.json", f"..\\images\\{path.name}", {"tip": (10.5, 20.5)})
    table = tmp_path / "t.csv"
    table.write_text("image,landmark,x,y\na.png,tip,10,20\nb.png,tip,10,20\n")
    for number, source in enumerate((tmp_path / "lm", table)):
        project = create_project(tmp_path / f"p{number}", SCHEMA, folder, annotations=source)
        for case in ("a", "b"):
            np.testing.assert_array_equal(project.annotations(case).point("tip"), (20, 10))
            assert project.annotations(case).status_of("base") is LandmarkStatus.UNPLACED
        assert not project.annotations("c").placed.any()


def test_what_was_exported_comes_in_again_unchanged(tmp_path):
    for ndim, fmt in ((2, "labelme"), (3, "slicer")):
        project, _ = make_project(tmp_path / str(ndim), ndim=ndim, count=6, missing=0.3, spacing=(0.7,) * ndim)
        files = export_annotations(project, tmp_path / f"out{ndim}", fmt).n_images
        assert files == export_annotations(project, tmp_path / f"out{ndim}.csv").n_images
        assert files == sum(project.annotations(c.id).placed.any() for c in project.cases)
        for source in (tmp_path / f"out{ndim}", tmp_path / f"out{ndim}.csv"):
            for case_id, landmarks in read_annotations(project, source).items():
                own = project.annotations(case_id)
                np.testing.assert_allclose(landmarks.points, own.points, atol=1e-6)
                np.testing.assert_array_equal(landmarks.status, own.status)
        other = "slicer" if fmt == "labelme" else "labelme"
        with pytest.raises(AnnotationError, match=f"has points in {ndim}D"):
            export_annotations(project, tmp_path / "no", other)


def test_merging_keeps_what_a_person_did():
    grid = Grid((30, 40))
    own = LandmarkSet.from_points({"tip": (1, 1)}, grid, names=("tip", "base"))
    incoming = LandmarkSet.from_points({"tip": (5, 5), "base": (6, 6)}, grid)
    merged = merge(own, incoming)
    assert merged.point("tip").tolist() == [1, 1]
    assert merged.point("base").tolist() == [6, 6]


def test_a_schema_is_typed_or_read(tmp_path):
    assert parse_schema("tip, base").names == ("tip", "base")
    (tmp_path / "names.txt").write_text("tip\n\n base \n")
    assert parse_schema(str(tmp_path / "names.txt")).names == ("tip", "base")
    with pytest.raises(AnnotationError, match=r"nowhere\.txt does not exist"):
        parse_schema(str(tmp_path / "nowhere.txt"))
    assert parse_schema("~no-such-user").names == ("~no-such-user",)
    assert parse_schema("x" * 300).names == ("x" * 300,)
    (tmp_path / "schema.json").write_text(SCHEMA.model_dump_json())
    assert parse_schema(str(tmp_path / "schema.json")) == SCHEMA


BAD_SOURCES = {
    "another image": (lambda p: labelme(p / "x.json", "other.png", {"tip": (1, 1)}), "other.png"),
    "unknown label": (lambda p: labelme(p / "x.json", "a.png", {"nose": (1, 1)}), "nose"),
    "other size": (lambda p: labelme(p / "x.json", "a.png", {"tip": (1, 1)}, (41, 30)), "41"),
    "broken": (lambda p: (p / "x.json").write_text("{") and p / "x.json", "x.json"),
    "no annotations": (lambda p: (p / "empty").mkdir() or p / "empty", "empty"),
    "absent": (lambda p: p / "nowhere", "nowhere"),
    "unknown image in a table": (
        lambda p: (p / "t.csv").write_text("image,landmark,x,y\nz.png,tip,1,1\n") and p / "t.csv",
        "z.png",
    ),
}


@pytest.mark.parametrize("kind", BAD_SOURCES)
def test_a_bad_annotation_source_is_one_sentence_and_makes_no_project(tmp_path, folder, kind):
    make, named = BAD_SOURCES[kind]
    source = make(tmp_path)
    with pytest.raises(AnnotationError) as caught:
        create_project(tmp_path / "p", SCHEMA, folder, annotations=source)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "p").exists()


def test_bad_input_is_one_sentence_that_names_the_file(tmp_path, folder):
    with pytest.raises(AnnotationError, match="'tip' is given twice"):
        LandmarkSchema.from_names(("tip", "tip "))
    with pytest.raises(AnnotationError, match="at least one"):
        parse_schema(" , ")
    with pytest.raises(ProjectError, match="without images"):
        create_project(tmp_path / "p", SCHEMA, [])
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"bad\.png"):
        create_project(tmp_path / "p", SCHEMA, [*folder, tmp_path / "bad.png"])
    with pytest.raises(AnnotationError, match="twice"):
        create_project(tmp_path / "p", SCHEMA, [folder[0], folder[0]])
    with pytest.raises(GeometryError, match="2 positive"):
        create_project(tmp_path / "p", SCHEMA, folder, spacing=(1, 0))
    assert not (tmp_path / "p").exists()
    create_project(tmp_path / "p", SCHEMA, folder)
    with pytest.raises(ProjectError, match="already holds a project"):
        create_project(tmp_path / "p", SCHEMA, folder)
    with pytest.raises(ProjectError, match="is no project"):
        Project.open(tmp_path / "images")


@pytest.mark.parametrize("change", [{"version": 99}, {"schema": {"landmarks": []}}, {"cases": 3}, {"format": "x"}])
def test_a_damaged_project_file_is_one_sentence(tmp_path, folder, change):
    create_project(tmp_path / "p", SCHEMA, folder)
    path = tmp_path / "p" / "project.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(LandmarkerError) as caught:
        Project.open(tmp_path / "p")
    assert "project.json" in str(caught.value)
    path.write_text("[1")
    with pytest.raises(ProjectError, match=r"project\.json"):
        Project.open(tmp_path / "p")


def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_lost(tmp_path, folder):
    project = create_project(tmp_path / "p", SCHEMA, folder)
    first = project.annotations("a").with_point("tip", (1, 1))
    project.save_annotations("a", first)
    # A file where a folder must be cannot be written by anybody, root included.
    (tmp_path / "p" / "annotations" / "rater2").write_text("in the way")
    with pytest.raises(ProjectError, match="could not be written"):
        project.save_annotations("a", first, rater="rater2")
    assert project.annotations("a") == first
    assert not list((tmp_path / "p").rglob("*.tmp"))
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="could not be written"):
        create_project(tmp_path / "file" / "p", SCHEMA, folder)


def test_what_was_exported_tells_images_of_one_name_apart(tmp_path):
    images = [picture(tmp_path / side / "x.png") for side in ("left", "right")]
    project = create_project(tmp_path / "p", SCHEMA, images)
    for number, case in enumerate(project.cases):
        project.save_annotations(case.id, project.annotations(case.id).with_point("tip", (number, 2)))
    assert export_annotations(project, tmp_path / "t.csv").n_images == 2
    assert [line.split(",")[0] for line in (tmp_path / "t.csv").read_text().splitlines()[1::2]] == [
        "left/x.png", "right/x.png",
    ]  # fmt: skip
    assert export_annotations(project, tmp_path / "lm", "labelme").n_images == 2
    for source in (tmp_path / "t.csv", tmp_path / "lm"):
        read = read_annotations(project, source)
        assert [read[case.id].point("tip").tolist() for case in project.cases] == [[0, 2], [1, 2]]
    labelme(tmp_path / "which.json", "x.png", {"tip": (1, 1)})
    with pytest.raises(AnnotationError, match="2 images have that name"):
        read_annotations(project, tmp_path / "which.json")


def test_what_fits_is_read_from_among_other_files_and_the_rest_is_said(tmp_path):
    images = [picture(tmp_path / "in" / name) for name in ("left/x.png", "right/x.png", "y.png")]
    project = create_project(tmp_path / "in" / "p", SCHEMA, images)
    project.save_annotations("y", project.annotations("y").with_point("tip", (9, 9)))
    labelme(tmp_path / "in" / "right" / "x.json", "x.png", {"tip": (1.5, 2.5)})
    labelme(tmp_path / "in" / "y.json", "y.png", {"tip": (3.5, 4.5)})
    labelme(tmp_path / "in" / "z.json", "z.png", {"tip": (1, 1)})
    (tmp_path / "in" / "about.json").write_text('{"title": "A study"}')
    (tmp_path / "in" / "notes.txt").write_text("Dear reader")
    found, left_out = read_what_fits(project, [tmp_path / "in"])
    right = project.cases[1].id
    assert {key: found[key].point("tip").tolist() for key in found} == {right: [2, 1], "y": [4, 3]}
    assert len(left_out) == 2
    assert "about.json is none of" in left_out[0]
    assert "z.json is of the image 'z.png', which is not in this project" in left_out[1]
    assert read_what_fits(project, [tmp_path / "in" / "left", tmp_path / "in" / "notes.txt"])[0] == {}


def test_an_accent_written_in_another_way_is_the_same_name_and_hidden_files_are_left_out(tmp_path):
    image = picture(tmp_path / "images" / "caf\u00e9.png")
    labelme(tmp_path / "lm" / "a.json", "cafe\u0301.png", {"tip": (1.5, 2.5)})
    (tmp_path / "lm" / "._a.json").write_bytes(b"\x00\x05")
    project = create_project(tmp_path / "p", SCHEMA, [image], annotations=tmp_path / "lm")
    assert project.annotations("caf\u00e9").point("tip").tolist() == [2, 1]


@pytest.mark.parametrize("name", ["a\nb.png", os.fsdecode(b"\xff.png")])
def test_an_image_name_that_no_project_can_keep_is_one_sentence(tmp_path, folder, name):
    try:
        os.rename(folder[0], folder[0].with_name(name))
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(ImageError, match="rename it") as caught:
        create_project(tmp_path / "p", SCHEMA, [folder[0].with_name(name)])
    assert str(caught.value).isprintable()


def test_an_image_with_the_longest_name_can_be_annotated(tmp_path):
    image = picture(tmp_path / "images" / f"{'x' * 240}.png")
    project = create_project(tmp_path / "p", SCHEMA, [image])
    project.save_annotations("x" * 240, project.annotations("x" * 240).with_point("tip", (1, 2)))
    assert project.annotations("x" * 240).point("tip").tolist() == [1, 2]


def test_a_spacing_a_person_said_replaces_what_the_file_states(tmp_path):
    import nibabel

    nibabel.Nifti1Image(np.zeros((4, 5, 6), np.float32), np.diag((1, 2, 3, 1))).to_filename(tmp_path / "v.nii")
    for said, spacing in ((None, (3, 2, 1)), ((0.5, 0.25, 0.125), (0.5, 0.25, 0.125))):
        project = create_project(tmp_path / str(said), SCHEMA, [tmp_path / "v.nii"], spacing=said)
        assert project.geometry("v").grid.spacing == project.image("v").grid.spacing == spacing


def test_a_project_whose_annotations_cannot_be_written_is_no_project(tmp_path, folder):
    table = tmp_path / "t.csv"
    table.write_text("image,landmark,x,y\na.png,tip,10,20\n")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "annotations").write_text("in the way")
    with pytest.raises(ProjectError, match="could not be written"):
        create_project(tmp_path / "p", SCHEMA, folder, annotations=table)
    assert not (tmp_path / "p" / "project.json").exists()
