"""Annotations out of a project in every format: they come in again as they were, and nothing goes out unasked."""

import csv
import json
import re

import numpy as np
import pytest
import typer
from PIL import Image as PilImage
from synthetic import make_project
from typer.testing import CliRunner

from napari_landmarker.cli.convert import convert
from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.exchange import create_project, read_annotations
from napari_landmarker.engine.exporting import ExportResult, Selection, export_annotations
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import ANNOTATION_FORMATS
from napari_landmarker.engine.io.isbi import ISBI_NAMES
from napari_landmarker.engine.io.limits import left_out, unit_written, why_not
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.schema import LandmarkSchema

SPACING = {2: (0.5, 0.25), 3: (2.0, 0.5, 0.25)}
HELD = [
    (key, ndim)
    for key, fmt in ANNOTATION_FORMATS.items()
    for ndim in fmt.capabilities.dimensions
    if fmt.capabilities.landmarks is None
]


def project_of(tmp_path, ndim=2, spacing=None, count=3):
    project, truth = make_project(tmp_path, ndim=ndim, count=count, spacing=spacing)
    return project, truth, [case.id for case in project.cases]


def ending(key, one_file=True):
    return ANNOTATION_FORMATS[key].suffixes[0] if one_file else ""


@pytest.mark.parametrize(("key", "ndim"), HELD)
def test_all_images_come_in_again_where_they_were(tmp_path, key, ndim):
    project, truth, ids = project_of(tmp_path, ndim, SPACING[ndim])
    several = ANNOTATION_FORMATS[key].capabilities.several_images
    done = export_annotations(project, tmp_path / f"out{ending(key, several)}", key)
    assert (done.n_images, done.n_points) == (3, 6)
    assert len(list((tmp_path / "out").iterdir()) if not several else [0]) == (1 if several else 3)
    read = read_annotations(project, tmp_path / f"out{ending(key, several)}")
    assert sorted(read) == sorted(ids)
    for case_id in ids:
        np.testing.assert_allclose(read[case_id].points, truth[case_id], atol=1e-6)


@pytest.mark.parametrize(("key", "ndim"), HELD)
def test_one_image_comes_in_again_for_that_image_whatever_the_file_is_called(tmp_path, key, ndim):
    project, truth, ids = project_of(tmp_path, ndim, SPACING[ndim])
    file = tmp_path / f"any name{ending(key)}"
    assert export_annotations(project, file, key, Selection(case_ids=(ids[1],))).n_images == 1
    read = read_annotations(project, file, ids[1])
    assert list(read) == [ids[1]]
    np.testing.assert_allclose(read[ids[1]].points, truth[ids[1]], atol=1e-6)


def test_the_isbi_text_of_a_cephalogram_has_its_19_points_in_order(tmp_path):
    PilImage.new("L", (40, 30)).save(tmp_path / "ceph.png")
    project = create_project(tmp_path / "p", LandmarkSchema.from_names(ISBI_NAMES), [tmp_path / "ceph.png"])
    points = {name: (number, 2 * number) for number, name in enumerate(ISBI_NAMES)}
    project.save_annotations("ceph", LandmarkSet.from_points(points, project.geometry("ceph").grid))
    export_annotations(project, tmp_path / "out", "isbi")
    lines = (tmp_path / "out" / "ceph.txt").read_text().splitlines()
    assert [tuple(map(float, line.split(","))) for line in lines] == [(2.0 * n, float(n)) for n in range(19)]
    read = read_annotations(project, tmp_path / "out" / "ceph.txt", "ceph")["ceph"]
    np.testing.assert_array_equal(read.points, [points[name] for name in ISBI_NAMES])


@pytest.mark.parametrize(("key", "ndim"), HELD)
def test_no_place_of_this_computer_stands_in_a_file(tmp_path, key, ndim):
    project, _, _ = project_of(tmp_path / "Smith John", ndim, SPACING[ndim])
    several = ANNOTATION_FORMATS[key].capabilities.several_images
    target = tmp_path / "Smith John" / f"out{ending(key, several)}"
    export_annotations(project, target, key)
    files = [target] if several else list(target.iterdir())
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert str(tmp_path) not in text
        assert "Smith" not in text
        assert project.rater not in text


def waiting(project, case_id):
    """One landmark placed by a person, the other of a model, in the annotations and apart from them."""
    own = project.annotations(case_id)
    own = own.with_status("dark", LandmarkStatus.PREDICTED)
    project.save_annotations(case_id, own)
    predicted = own.with_point("bright", (3, 4), LandmarkStatus.PREDICTED, 0.5)
    project.save_predictions(case_id, "m", predicted)
    return own


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["image"], row["landmark"], row.get("status")) for row in csv.DictReader(file) if row["x"]]


def test_points_that_wait_to_be_accepted_go_out_only_when_asked_for(tmp_path):
    project, _, ids = project_of(tmp_path)
    for case_id in ids[:2]:
        waiting(project, case_id)
    project.save_annotations(ids[1], project.annotations(ids[1]).without_point("bright"))
    export_annotations(project, tmp_path / "placed.csv")
    assert [row[:2] for row in rows(tmp_path / "placed.csv")] == [
        ("case00.tif", "bright"), ("case02.tif", "bright"), ("case02.tif", "dark"),
    ]  # fmt: skip
    export_annotations(project, tmp_path / "all.csv", chosen=Selection(predicted=True, model="m"))
    assert rows(tmp_path / "all.csv") == [
        ("case00.tif", "bright", "confirmed"), ("case00.tif", "dark", "predicted"),
        ("case01.tif", "bright", "predicted"), ("case01.tif", "dark", "predicted"),
        ("case02.tif", "bright", "confirmed"), ("case02.tif", "dark", "confirmed"),
    ]  # fmt: skip
    hidden = Selection(predicted=True, model="m", hidden={ids[1]: frozenset({"bright"})})
    export_annotations(project, tmp_path / "hidden.csv", chosen=hidden)
    assert ("case01.tif", "bright", "predicted") not in rows(tmp_path / "hidden.csv")
    assert len(rows(tmp_path / "hidden.csv")) == 5


def test_only_finished_images_are_those_in_which_a_person_answered_for_every_landmark(tmp_path):
    project, _, ids = project_of(tmp_path, count=4)
    waiting(project, ids[0])
    project.save_annotations(ids[1], project.annotations(ids[1]).without_point("dark"))
    project.save_annotations(ids[2], project.annotations(ids[2]).without_point("dark", LandmarkStatus.ABSENT))
    done = export_annotations(project, tmp_path / "out.json", "coco", Selection(finished=True))
    assert (done.n_images, done.n_points) == (2, 3)
    names = [image["file_name"] for image in json.loads((tmp_path / "out.json").read_text())["images"]]
    assert names == ["case02.tif", "case03.tif"]


def test_another_rater_can_be_exported_without_becoming_the_one_at_work(tmp_path):
    project, _, ids = project_of(tmp_path)
    other = project.annotations(ids[0]).with_point("bright", (1, 2))
    project.save_annotations(ids[0], other, rater="second")
    assert export_annotations(project, tmp_path / "o.csv", chosen=Selection(rater="second")).n_images == 1
    assert read_annotations(project, tmp_path / "o.csv")[ids[0]].point("bright").tolist() == [1, 2]
    assert project.rater == "rater1"


@pytest.mark.parametrize("key", ["slicer", "csv", "csv-wide"])
def test_without_spacing_a_volume_goes_out_in_voxels_and_never_in_mm(tmp_path, key):
    project, truth, ids = project_of(tmp_path, 3)
    file = tmp_path / f"out{ending(key)}"
    export_annotations(project, file, key, Selection(case_ids=(ids[0],)))
    text = file.read_text(encoding="utf-8")
    assert "mm" not in text.replace("comment", "")
    assert unit_written(ANNOTATION_FORMATS[key], project.geometry(ids[0]).grid) == "px"
    np.testing.assert_allclose(read_annotations(project, file, ids[0])[ids[0]].points, truth[ids[0]], atol=1e-6)


@pytest.mark.parametrize("key", ["fcsv", "tps"])
def test_a_format_of_millimetres_refuses_a_volume_without_spacing_before_and_at_the_export(tmp_path, key):
    project, _, ids = project_of(tmp_path, 3)
    assert "pixel size" in why_not(ANNOTATION_FORMATS[key], project.geometry(ids[0]).grid, 2)
    with pytest.raises(AnnotationError, match="set the image's spacing first"):
        export_annotations(project, tmp_path / f"out{ending(key)}", key, Selection(case_ids=(ids[0],)))
    assert not (tmp_path / f"out{ending(key)}").exists()


@pytest.mark.parametrize(("key", "fmt"), ANNOTATION_FORMATS.items())
def test_what_is_refused_beforehand_is_what_the_export_refuses(tmp_path, key, fmt):
    for ndim in (2, 3):
        project, _, ids = project_of(tmp_path / str(ndim), ndim, SPACING[ndim], count=1)
        refused = why_not(fmt, project.geometry(ids[0]).grid, 2)
        target = tmp_path / f"{ndim}{ending(key)}"
        if refused:
            with pytest.raises(AnnotationError):
                export_annotations(project, target, key)
        else:
            assert export_annotations(project, target, key).n_images == 1


def test_what_a_format_leaves_out_is_said_before_and_counted_after(tmp_path):
    project, _, ids = project_of(tmp_path, count=2)
    own = project.annotations(ids[0]).with_locked("bright", True)
    project.save_annotations(ids[0], own.without_point("dark", LandmarkStatus.ABSENT))
    wide = export_annotations(project, tmp_path / "w.csv", "csv-wide")
    assert set(left_out(ANNOTATION_FORMATS["csv-wide"])) >= {"locks"}
    assert any("absent" in sentence for sentence in wide.lost)
    assert any("locks of 1 point" in sentence for sentence in wide.lost)
    assert export_annotations(project, tmp_path / "lm", "labelme").lost == ()
    assert left_out(ANNOTATION_FORMATS["labelme"]) == left_out(ANNOTATION_FORMATS["slicer"]) == ()
    assert "names" in " ".join(left_out(ANNOTATION_FORMATS["tps"]))


def test_a_stopped_export_leaves_nothing_behind(tmp_path):
    project, _, _ = project_of(tmp_path)
    asked = []

    def stop(done, total):
        asked.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    for key, target in (("labelme", tmp_path / "out"), ("csv", tmp_path / "out.csv")):
        before = sorted(tmp_path.iterdir())
        with pytest.raises(KeyboardInterrupt):
            export_annotations(project, target, key, progress=stop)
        assert sorted(tmp_path.iterdir()) == before
    assert asked == [(0, 3), (1, 3), (2, 3)] * 2


def test_what_stands_there_is_replaced_only_when_allowed(tmp_path):
    project, _, ids = project_of(tmp_path)
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / f"{ids[1]}.json").write_text("somebody's")
    with pytest.raises(AnnotationError, match=r"case01\.json is there already"):
        export_annotations(project, folder, "labelme")
    assert [path.name for path in folder.iterdir()] == ["case01.json"]
    assert (folder / "case01.json").read_text() == "somebody's"
    assert export_annotations(project, folder, "labelme", overwrite=True).n_images == 3
    assert len(json.loads((folder / "case01.json").read_text())["shapes"]) == 2


@pytest.mark.parametrize("place", ["project.json", "annotations/rater1", "models"])
def test_the_projects_own_files_are_never_written_over(tmp_path, place):
    project, _, _ = project_of(tmp_path)
    before = {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}
    with pytest.raises(AnnotationError, match="keeps its own files"):
        export_annotations(project, project.root / place, "labelme", overwrite=True)
    assert {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()} == before


def test_nothing_annotated_is_nothing_written_and_no_image_is_needed_for_that(tmp_path):
    project, _, ids = project_of(tmp_path)
    for case_id in ids:
        project.annotation_path(case_id).unlink()
    project.image_path(ids[2]).unlink()
    for target, key in ((tmp_path / "out", "labelme"), (tmp_path / "out.csv", "csv")):
        assert export_annotations(project, target, key) == ExportResult(0, 0)
        assert not target.exists()


def test_a_file_of_another_image_is_not_taken_for_this_one(tmp_path):
    project, _, ids = project_of(tmp_path)
    export_annotations(project, tmp_path / "one.json", "labelme", Selection(case_ids=(ids[0],)))
    with pytest.raises(AnnotationError, match=r"case00\.tif"):
        read_annotations(project, tmp_path / "one.json", ids[1])
    export_annotations(project, tmp_path / "all.csv")
    assert list(read_annotations(project, tmp_path / "all.csv", ids[1])) == [ids[1]]


def run_convert(*arguments):
    app = typer.Typer()
    app.command()(convert)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_convert_exports_a_project_to_every_format_it_names(tmp_path):
    project, truth, ids = project_of(tmp_path)
    help_text = " ".join(run_convert("--help").output.replace("│", " ").split())
    for key, fmt in ANNOTATION_FORMATS.items():
        assert re.search(rf"\b{key}\b", help_text)
        if 2 in fmt.capabilities.dimensions and fmt.capabilities.landmarks is None:
            said = run_convert(project.root, tmp_path / f"cli-{key}", "--to", key)
            assert "Exported 6 points of 3 images" in said.output
            read = read_annotations(project, tmp_path / f"cli-{key}")
            np.testing.assert_allclose(read[ids[2]].points, truth[ids[2]], atol=1e-6)
    assert "already" in str(run_convert(project.root, tmp_path / "cli-labelme", "--to", "labelme").exception)
    assert run_convert(project.root, tmp_path / "cli-labelme", "--to", "labelme", "--overwrite").exit_code == 0
    assert "leave out --names" in str(run_convert(project.root, tmp_path / "x.csv", "--names", "a").exception)


def test_every_format_says_in_one_line_who_reads_it():
    lines = [fmt.read_by for fmt in ANNOTATION_FORMATS.values()]
    assert len(set(lines)) == len(lines)
    assert all(line.endswith(".") and 20 < len(line) <= 70 and "\n" not in line for line in lines)
    assert why_not(ANNOTATION_FORMATS["labelme"], Grid((4, 5, 6)), 2).startswith("Only for 2D images")
