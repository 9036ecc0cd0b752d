"""What ``info`` says of files: by hand, of files whose headers were written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import typer
from image_files import PICTURES, VOLUMES, write_image
from typer.testing import CliRunner

from napari_landmarker.cli.info import info
from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import write_landmarks
from napari_landmarker.engine.io.describe import describe_file, describe_image
from napari_landmarker.engine.io.describe_annotations import describe_annotations
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

SHARED = Path(__file__).parents[2] / "../shared/data"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")

app = typer.Typer()
app.command()(info)


def turned(angle: float = 0.0) -> nibabel.Nifti1Image:
    """Stored as PIR, turned by ``angle`` about the axis to the patient's right."""
    axes = np.array([[0.0, 0, 3], [-1, 0, 0], [0, -2, 0]])  # RAS world; steps of i to the back, j to the feet, k right
    about_x = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = about_x @ axes
    affine[:3, 3] = [10, 20, 30]
    image = nibabel.Nifti1Image(np.arange(4 * 5 * 6, dtype="int16").reshape(4, 5, 6) - 7, affine)
    image.header.set_xyzt_units("mm")
    return image


def test_a_volume(tmp_path: Path) -> None:
    nibabel.save(turned(), tmp_path / "a.nii")
    said = describe_image(tmp_path / "a.nii")
    assert said.format == "NIfTI"
    assert said.size == (5, 4, 6)  # z from j, y from i, x from k
    assert said.spacing_mm == pytest.approx((2, 1, 3))
    assert said.orientation == ("Head", "Posterior", "Left")
    assert said.stored_axes == "PIR" == "".join(nibabel.aff2axcodes(turned().affine))
    assert said.oblique_degrees == pytest.approx(0, abs=1e-4)
    # the first that is shown is the lowest (j = 4) and furthest right (k = 5): RAS (10 + 15, 20, 30 - 8), then LPS
    assert said.origin_mm == pytest.approx((-25, -20, 22))
    assert said.values == (-7, 112)
    assert said.dtype == "int16"
    assert not said.is_color
    assert said.notes == ()
    lines = dict(said.lines())
    assert lines["Size"] == "5 x 4 x 6 (z, y, x)"
    assert lines["Spacing"] == "2, 1, 3 mm (z, y, x)"
    assert lines["Orientation"] == "z to Head, y to Posterior, x to Left; straight"
    assert lines["On disk"] == "axes in the order PIR"


def test_an_oblique_volume(tmp_path: Path) -> None:
    nibabel.save(turned(np.radians(12.5)), tmp_path / "a.nii")
    said = describe_image(tmp_path / "a.nii")
    assert said.oblique_degrees == pytest.approx(12.5, abs=1e-3)
    assert said.stored_axes == "PIR"
    assert dict(said.lines())["Orientation"].endswith("oblique by 12.5 degrees")


def test_a_volume_that_does_not_say_how_it_lies(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 6), "int16"))
    said = describe_image(tmp_path / "a.npy")
    assert said.orientation is said.stored_axes is said.oblique_degrees is said.origin_mm is said.spacing_mm is None
    lines = dict(said.lines())
    assert lines["Orientation"] == "unknown: shown as stored"
    assert lines["Spacing"] == "unknown: measurements will be in pixels"
    assert "Note" not in lines


def test_a_colour_picture_and_its_note(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((40, 50, 3), [[[3, 7, 200]]], "uint8"))
    said = describe_image(tmp_path / "a.npy")
    assert said.is_color
    assert said.values == (3, 200)
    lines = dict(said.lines())
    assert lines["Pixels"] == "red, green, blue, uint8"
    assert "Orientation" not in lines
    assert "colour" in lines["Note"]


def test_values_that_are_no_numbers_are_left_out_of_the_range(tmp_path: Path) -> None:
    for values, expected in (([[1.5, np.nan], [np.inf, -2]], (-2, 1.5)), ([[np.nan, np.nan]], None)):
        np.save(tmp_path / "a.npy", np.array(values, "float32"))
        said = describe_image(tmp_path / "a.npy")
        assert said.values == expected
        json.dumps(said.to_json(), allow_nan=False)


@pytest.mark.parametrize("suffix", [*VOLUMES, *PICTURES])
def test_the_name_of_every_format(tmp_path: Path, suffix: str) -> None:
    path = write_image(tmp_path / f"image{suffix}", np.zeros((5, 7), "uint8"))
    names = {
        ".nii": "NIfTI", ".nii.gz": "NIfTI", ".nrrd": "NRRD", ".nhdr": "NRRD", ".mha": "MetaImage",
        ".mhd": "MetaImage", ".npy": "NumPy", ".npz": "NumPy", ".tif": "TIFF", ".tiff": "TIFF", ".png": "PNG",
        ".jpg": "JPG", ".jpeg": "JPEG", ".bmp": "BMP",
    }  # fmt: skip
    assert describe_image(path).format == names[suffix]


def landmarks(grid: Grid) -> LandmarkSet:
    out = LandmarkSet.empty(["sella", "nasion", "orbitale"], grid)
    return out.with_point("sella", np.ones(grid.ndim)).without_point("nasion", LandmarkStatus.ABSENT)


@pytest.mark.parametrize(
    ("name", "grid", "unit", "system"),
    [
        ("a.json", Grid((20, 30), (0.5, 0.5)), "px", None),
        ("a.mrk.json", Grid((20, 30, 40), (3.0, 1.5, 0.5)), "mm", "LPS"),
        ("a.mrk.json", Grid((20, 30, 40)), "px", None),
        ("a.fcsv", Grid((20, 30, 40), (3.0, 1.5, 0.5)), "mm", "RAS"),
        ("a.csv", Grid((20, 30), (0.5, 0.5)), "px", None),
        ("a.csv", Grid((20, 30, 40), (3.0, 1.5, 0.5)), "mm", "LPS"),
    ],
)
def test_landmarks(tmp_path: Path, name: str, grid: Grid, unit: str, system: str | None) -> None:
    write_landmarks(landmarks(grid), tmp_path / name, tmp_path / "skull.png")
    said = describe_annotations(tmp_path / name)
    assert (said.unit, said.system, said.dimensions) == (unit, system, grid.ndim)
    assert said.names[0] == "sella"
    assert said.n_placed == 1
    assert said.counts[LandmarkStatus.CONFIRMED] == 1
    assert said.n_images == 1
    assert str(tmp_path) not in json.dumps(said.to_json())
    if name == "a.json":
        assert said.images == ("skull.png",)
        assert dict(said.lines())["Points"] == "1 placed (1 confirmed), 1 absent"
        assert dict(said.lines())["Landmarks"] == "2: sella, nasion"
    if name == "a.mrk.json":
        assert dict(said.lines())["Points"] == "1 placed (1 confirmed), 1 absent, 1 unplaced"


@pytest.mark.parametrize(
    ("name", "text", "system"),
    [
        ("a.csv", "landmark,x_ras_mm,y_ras_mm,z_ras_mm\na,1,2,3\n", "RAS"),
        ("a.csv", "landmark,x_mm,y_mm\na,1,2\n", None),
        ("a.tps", "LM3=1\n1 2 3\nCOMMENT=RAS mm\n", "RAS"),
        ("a.fcsv", "# columns = label,x,y,z,sel,vis\na,1,2,3,1,1\n", "RAS"),
        ("a.mrk.json", '{"markups": [{"type": "Fiducial", "controlPoints": []}]}', "LPS"),
    ],
)
def test_the_system_in_which_millimetres_are_read(tmp_path: Path, name: str, text: str, system: str | None) -> None:
    (tmp_path / name).write_text(text)
    assert describe_annotations(tmp_path / name).system == system


@needs_shared
def test_files_of_other_programs() -> None:
    slicer = describe_file(SHARED / "formats/slicer/tpl-MNI152NLin2009cAsym_afids.fcsv").to_json()
    assert (slicer["placed"], slicer["unit"], slicer["coordinate_system"]) == (32, "mm", "RAS")
    coco = describe_file(SHARED / "formats/coco/fly/test_fly.json").to_json()
    assert coco["images"] == ["1400.jpg", "1450.jpg"]
    assert len(coco["landmarks"]) == 32
    table = describe_annotations(SHARED / "hippocampus/landmarks.csv")
    assert (table.n_images, table.n_placed) == (200, 1000)
    assert dict(table.lines())["Images"].endswith("and 195 more")


@needs_shared
def test_the_axis_orders_are_said() -> None:
    for path in (SHARED / "orientation/nifti_axes").glob("*.nii.gz"):
        assert describe_image(path).stored_axes == path.name[:3]


def test_the_command_says_it_of_many_files_and_goes_on_behind_a_bad_one(tmp_path: Path) -> None:
    good = write_image(tmp_path / "image.png", np.zeros((5, 7), "uint8"))
    marks = tmp_path / "image.json"
    write_landmarks(landmarks(Grid((5, 7))), marks, good)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"nothing")
    run = CliRunner().invoke(app, [str(good), str(bad), str(marks)])
    assert run.exit_code == 2
    assert f"{good}\n  Format   PNG\n  Size     5 x 7 (y, x)\n" in run.stdout
    assert "2: sella, nasion" in run.stdout
    assert "\x1b" not in run.stdout  # no colours where it is no terminal
    assert run.stderr.count("Error: ") == 1
    assert str(bad) in run.stderr
    assert CliRunner().invoke(app, [str(good), str(marks)]).exit_code == 0


def test_the_command_says_the_same_in_json(tmp_path: Path) -> None:
    good = write_image(tmp_path / "image.nii.gz", np.full((4, 5, 7), 3, "uint8"))
    run = CliRunner().invoke(app, [str(good), str(tmp_path / "gone.png"), "--json"])
    found = json.loads(run.stdout)
    assert run.exit_code == 2
    assert found[0] == {"file": str(good), **describe_file(good).to_json()}
    assert found[0]["values"] == [3, 3]
    assert found[0]["axes"] == ["z", "y", "x"]
    assert "does not exist" in found[1]["error"]


@pytest.mark.parametrize("name", ["notes.docx", "gone.nii", "gone.json", "folder.png", "folder.json"])
def test_what_is_neither_is_refused(tmp_path: Path, name: str) -> None:
    if name.startswith("folder"):
        (tmp_path / name).mkdir()
    elif name.startswith("notes"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(LandmarkerError) as raised:
        describe_file(tmp_path / name)
    assert name in str(raised.value)
