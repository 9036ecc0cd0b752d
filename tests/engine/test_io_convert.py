"""Conversions lose nothing that the new format can carry, say the rest, and leave nothing half done."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import typer
from annotation_cases import SHARED
from PIL import Image as PillowImage
from typer.testing import CliRunner

from napari_landmarker.cli.convert import convert as convert_command
from napari_landmarker.engine.errors import AnnotationError, LandmarkerError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import (
    ANNOTATION_FORMATS,
    ImageAnnotations,
    find_images,
    image_stem,
    read_annotation_file,
    read_geometry,
)
from napari_landmarker.engine.io.annotations import annotation_stem, find_annotations
from napari_landmarker.engine.io.convert import ConversionResult, convert
from napari_landmarker.engine.io.fields import Entry
from napari_landmarker.engine.io.isbi import ISBI_NAMES
from napari_landmarker.engine.landmarks import LandmarkStatus

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")
FLAT = Grid((20, 30))
LABELME, COCO = ANNOTATION_FORMATS["labelme"], ANNOTATION_FORMATS["coco"]


def at(*point: float, status: LandmarkStatus = LandmarkStatus.CONFIRMED, **more: object) -> Entry:
    return Entry(np.array(point), status, **more)  # type: ignore[arg-type]


def rich(image: str | None = "one.png") -> ImageAnnotations:
    """An image with all that there can be in 2D."""
    entries = {
        "a": (at(3, 10.25, description="tip", locked=True), at(5, 6)),
        "b": (at(1, 2, status=LandmarkStatus.PREDICTED, score=0.5),),
        "c": (Entry(None, LandmarkStatus.ABSENT),),
    }
    return ImageAnnotations(image, FLAT, entries)


def write_image(path: Path, shape: tuple[int, int] = (20, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(np.zeros(shape, np.uint8)).save(path)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_many_files_become_one_and_one_becomes_many(tmp_path: Path) -> None:
    for name in ("one", "two"):
        LABELME.write(tmp_path / "in" / f"{name}.json", [rich(f"images/{name}.png")])
    assert convert(tmp_path / "in", tmp_path / "all.csv") == ConversionResult(
        2, 6, ("The locks of 2 points.", "The size of 2 images.")
    )
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 1 + 2 * 4
    for name in ("one", "two"):
        write_image(tmp_path / "images" / f"{name}.png")
    done = convert(tmp_path / "all.csv", tmp_path / "out", to="labelme", images=tmp_path / "images")
    assert done == ConversionResult(2, 6, ())
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["one.json", "two.json"]
    here, there = (json.loads((tmp_path / folder / "one.json").read_text()) for folder in ("in", "out"))
    assert there["imagePath"] == "../images/one.png"
    for shape in here["shapes"]:
        shape.pop("locked", None)
    assert there["shapes"] == here["shapes"]
    assert there["absent_landmarks"] == ["c"]
    assert (there["imageHeight"], there["imageWidth"]) == (20, 30)


@pytest.mark.parametrize(
    ("target", "lost"),
    [
        ("a.csv", ("The locks of 1 point.", "The size of 1 image.")),
        ("a.coco.json", ("The locks of 1 point.",)),
        (
            "a.tps",
            (
                "The names of the landmarks, which are told apart by their order in the file: a, b, c.",
                "That 1 landmark is absent: absent and not yet placed look the same.",
                "That 1 point came from a model: all points count as placed by a person.",
                "The scores of 1 point.",
                "The descriptions of 1 point.",
                "The locks of 1 point.",
                "The size of 1 image.",
            ),
        ),
        (
            "a.wide.csv",
            (
                "That 1 landmark is absent: absent and not yet placed look the same.",
                "1 point of landmarks with several in an image: only the first of each is kept.",
                "That 1 point came from a model: all points count as placed by a person.",
                "The scores of 1 point.",
                "The descriptions of 1 point.",
                "The locks of 1 point.",
                "The size of 1 image.",
            ),
        ),
    ],
)
def test_what_is_lost_is_said_and_nothing_else_is_lost(tmp_path: Path, target: str, lost: tuple[str, ...]) -> None:
    source = tmp_path / "one.json"
    LABELME.write(source, [rich()])
    to = {"a.coco.json": "coco", "a.wide.csv": "csv-wide"}.get(target)
    done = convert(source, tmp_path / target, to=to)
    assert done.lost == lost
    assert done.n_points == (2 if "wide" in target else 3)
    back = tmp_path / "back" / "one.json"
    image = write_image(tmp_path / "one.png")
    again = convert(tmp_path / target, back, image=image, names="abc" if target == "a.tps" else None)
    assert again.lost == () or again.lost[0].startswith("1 landmark is not placed")
    (one,) = read_annotation_file(back)
    np.testing.assert_allclose(one.entries["a"][0].point, [3, 10.25], atol=1e-9)
    np.testing.assert_allclose(one.entries["b"][0].point, [1, 2], atol=1e-9)
    said = " ".join(lost)
    assert (one.entries["a"][0].description == "tip") != ("descriptions" in said)
    assert (one.entries["b"][0].score == 0.5) != ("scores" in said)
    assert (one.entries["b"][0].status is LandmarkStatus.PREDICTED) != ("from a model" in said)
    assert (len(one.entries["a"]) == 2) != ("only the first" in said)
    assert ("c" in one.entries) != ("absent" in said)


def test_other_things_in_a_file_are_said_to_be_lost(tmp_path: Path) -> None:
    source = tmp_path / "one.json"
    LABELME.write(source, [rich()])
    content = json.loads(source.read_text())
    content["shapes"].append({"label": "bone", "shape_type": "polygon", "points": [[1, 1], [2, 2], [3, 1]]})
    source.write_text(json.dumps(content | {"flags": {"blurred": True}}))
    lost = convert(source, tmp_path / "b.json").lost
    assert lost == ("1 shape that is no point.", "The flags of the image or its points.")


def test_millimetres_and_pixels_need_the_image(tmp_path: Path) -> None:
    grid = Grid((4, 5, 6), (3.0, 2.0, 1.0), np.array([10.0, 20.0, 30.0]))
    source = tmp_path / "vol.mrk.json"
    ANNOTATION_FORMATS["slicer"].write(source, [ImageAnnotations(None, grid, {"a": (at(1, 2, 3),)})])
    import nibabel as nib

    stored = np.diag([-1.0, 2.0, 3.0, 1.0])  # RAS: i runs to the left, j to the front, k up
    stored[:3, 3] = [-10.0, -28.0, 30.0]
    nib.save(nib.Nifti1Image(np.zeros((6, 5, 4), np.int16), stored), tmp_path / "vol.nii.gz")
    np.testing.assert_allclose(read_geometry(tmp_path / "vol.nii.gz").grid.origin, grid.origin)
    convert(source, tmp_path / "vol.csv", image=tmp_path / "vol.nii.gz")
    (row,) = rows_of(tmp_path / "vol.csv")
    assert [float(row[axis]) for axis in "xyz"] == pytest.approx([3, 2, 1])  # j runs to the front: 4 - 2
    assert row["image"] == "vol.nii.gz"
    with pytest.raises(AnnotationError, match=r"b\.fcsv holds millimetres.*give the image"):
        convert(tmp_path / "vol.csv", tmp_path / "b.fcsv")
    convert(tmp_path / "vol.csv", tmp_path / "b.fcsv", images=tmp_path)
    (one,) = read_annotation_file(tmp_path / "b.fcsv")
    np.testing.assert_allclose(one.landmarks().world(), [[13, 24, 33]], atol=1e-5)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.fcsv", "vol.csv", "vol.mrk.json", "vol.nii.gz"]


def bad(tmp_path: Path) -> dict[str, Callable[[], object]]:
    one, two, solid = tmp_path / "one.json", tmp_path / "two.csv", tmp_path / "solid.mrk.json"
    return {
        "is there already": lambda: convert(one, two),
        "say one of labelme": lambda: convert(one, tmp_path / "folder"),
        "no format 'xml'": lambda: convert(one, tmp_path / "a.csv", to="xml"),
        r"must end in \.tps": lambda: convert(one, tmp_path / "a.csv", to="tps"),
        "two\\.csv has 2: give a folder": lambda: convert(two, tmp_path / "a.json"),
        "holds 2 images: give the folder": lambda: convert(two, tmp_path / "a.csv", image=tmp_path / "one.png"),
        "not both": lambda: convert(two, tmp_path / "a.csv", image=tmp_path / "one.png", images=tmp_path),
        "in 3D, but COCO keypoints holds 2D": lambda: convert(solid, tmp_path / "a.json", to="coco"),
        "in 2D, but 3D Slicer .fcsv holds 3D": lambda: convert(one, tmp_path / "a.fcsv"),
        "'c', which is none of a, b": lambda: convert(one, tmp_path / "a.csv", names=["a", "b"]),
        "does not exist": lambda: convert(tmp_path / "none.json", tmp_path / "a.csv"),
        r"a\.tps counts pixels from the bottom.*give the image": lambda: convert(two, tmp_path / "a.tps"),
        "exactly the 19": lambda: convert(one, tmp_path / "a.txt"),
    }


@pytest.mark.parametrize("words", bad(Path()))
def test_what_cannot_be_done_is_one_sentence_and_leaves_no_trace(tmp_path: Path, words: str) -> None:
    LABELME.write(tmp_path / "one.json", [rich()])
    (tmp_path / "two.csv").write_text("image,landmark,x,y\none.png,a,1,2\ntwo.png,a,3,4\n")
    solid = ImageAnnotations(None, Grid.without_image(3, world=True), {"a": (at(1, 2, 3),)})
    ANNOTATION_FORMATS["slicer"].write(tmp_path / "solid.mrk.json", [solid])
    write_image(tmp_path / "one.png")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(AnnotationError, match=words) as raised:
        bad(tmp_path)[words]()
    assert ".convert-" not in str(raised.value)
    assert str(raised.value).endswith(".")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_one_bad_image_of_many_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "two.csv").write_text("image,landmark,x,y\none.png,a,1,2\ntwo.png,a,3,4\n")
    write_image(tmp_path / "images" / "one.png")
    with pytest.raises(AnnotationError, match=r"out.two\.tps counts pixels from the bottom"):
        convert(tmp_path / "two.csv", tmp_path / "out", to="tps", images=tmp_path / "images")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "two.csv"]


def test_overwriting_replaces_the_file_and_no_other(tmp_path: Path) -> None:
    LABELME.write(tmp_path / "in" / "one.json", [rich()])
    out = tmp_path / "out"
    convert(tmp_path / "in", out, to="labelme")
    (out / "mine.txt").write_text("keep")
    (out / "one.json").write_text("{ half")
    with pytest.raises(AnnotationError, match="is there already"):
        convert(tmp_path / "in", out, to="labelme")
    convert(tmp_path / "in", out, to="labelme", overwrite=True)
    assert json.loads((out / "one.json").read_text())["shapes"]
    assert (out / "mine.txt").read_text() == "keep"
    inside = tmp_path / "in" / "all.csv"
    for _ in range(2):  # its own result is not taken for a source
        assert convert(tmp_path / "in", inside, overwrite=True).n_images == 1


def test_images_of_one_name(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("image,landmark,x,y\nl/one.png,a,1,2\nr/one.png,a,3,4\n")
    with pytest.raises(AnnotationError, match="two images called one"):
        convert(table, tmp_path / "out", to="labelme")
    for side in "lr":
        write_image(tmp_path / "images" / side / "one.png", (20, 30 + 10 * (side == "r")))
    convert(table, tmp_path / "a.json", to="coco", images=tmp_path / "images")
    assert [one.grid.shape for one in read_annotation_file(tmp_path / "a.json")] == [(20, 30), (20, 40)]
    table.write_text("image,landmark,x,y\none.png,a,1,2\n")
    with pytest.raises(LandmarkerError, match="rename one of the two"):
        convert(table, tmp_path / "b.json", to="coco", images=tmp_path / "images")


def test_the_command(tmp_path: Path) -> None:
    LABELME.write(tmp_path / "one.json", [rich()])
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(convert_command)
    run = CliRunner().invoke
    done = run(app, [str(tmp_path / "one.json"), str(tmp_path / "a.csv")])
    assert done.exit_code == 0, done.output
    assert "Converted 3 points of 1 image: " in done.output
    assert "Not carried over:\n  - The locks of 1 point.\n" in done.output
    assert "Please check" not in done.output
    write_image(tmp_path / "other.png", (4, 30))
    table = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--image", str(tmp_path / "other.png"), "--several"]
    assert "Please check: 1 point of 3 lies outside its image" in run(app, table).output
    again = run(app, [str(tmp_path / "one.json"), str(tmp_path / "a.csv"), "--names", "c,b,a", "--overwrite"])
    assert again.exit_code == 0, again.output
    assert [row["landmark"] for row in rows_of(tmp_path / "a.csv")] == ["c", "b", "a", "a"]
    refused = run(app, [str(tmp_path / "one.json"), str(tmp_path / "a.csv")])
    assert isinstance(refused.exception, AnnotationError)


# ---- all landmarks of the shared data, through every format that can carry them


def points_of(path: Path, images: Path | None, names: Sequence[str] | None = None) -> dict[tuple[str, str], np.ndarray]:
    """World mm (3D) or pixels (2D) of all points of a file or folder, by image without ending, and landmark."""
    known = {image_stem(p): p for p in find_images(images)} if images is not None else {}
    out = {}
    for file in find_annotations(path) if path.is_dir() else [path]:
        stem = annotation_stem(file)

        def geometry_of(name: str | None, stem: str = stem):
            found = known.get(image_stem(name or stem)) or (known.get(image_stem(stem)) if len(known) == 1 else None)
            return None if found is None else read_geometry(found)

        for one in read_annotation_file(file, geometry_of, names):
            image = "" if len(known) <= 1 and one.grid.ndim == 3 else image_stem(one.image or stem)
            for name, (entry,) in one.entries.items():
                assert entry.point is not None
                index = entry.point
                out[image, name] = one.grid.index_to_world(index) if one.grid.ndim == 3 else index
    return out


def through(
    source: Path, to: str, folder: Path, images: Path | None, names: Sequence[str] | None = None
) -> tuple[dict[tuple[str, str], np.ndarray], dict[tuple[str, str], np.ndarray]]:
    """The points of a file, and those after a way through another format and back."""
    fmt = ANNOTATION_FORMATS[to]
    given = points_of(source, images, names)
    order = list(dict.fromkeys(name for _, name in given))
    target = folder / (to if not fmt.capabilities.several_images and len(given) > len(order) else f"a{fmt.suffixes[0]}")
    assert convert(source, target, to=to, images=images, names=names).n_points == len(given)
    back = folder / "back.csv"
    convert(target, back, images=images, names=None if fmt.capabilities.names else order)
    return given, points_of(back, images)


def assert_alike(
    given: dict[tuple[str, str], np.ndarray], back: dict[tuple[str, str], np.ndarray], atol: float
) -> None:
    assert len(given) > 1
    assert set(back) == set(given)
    assert max(np.abs(back[key] - point).max() for key, point in given.items()) <= atol


SOLID_FORMATS = [key for key, fmt in ANNOTATION_FORMATS.items() if 3 in fmt.capabilities.dimensions]
FLAT_FORMATS = [key for key, fmt in ANNOTATION_FORMATS.items() if 2 in fmt.capabilities.dimensions]


@needs_shared
@pytest.mark.parametrize("to", SOLID_FORMATS)
@pytest.mark.parametrize("with_image", [False, True])
def test_the_fiducials_of_an_atlas(tmp_path: Path, to: str, with_image: bool) -> None:
    folder = SHARED / "formats/slicer"
    images = None
    if with_image:
        images = tmp_path / "images"
        images.mkdir()
        name = "tpl-MNI152NLin2009cAsym_afids.nii.gz"
        (images / name).symlink_to((folder / "tpl-MNI152NLin2009cAsym_res-02_T1w.nii.gz").resolve())
    given, back = through(folder / "tpl-MNI152NLin2009cAsym_afids.fcsv", to, tmp_path, images)
    assert len(given) == 32
    assert_alike({name: p for (_, name), p in given.items()}, {name: p for (_, name), p in back.items()}, 1e-3)


@needs_shared
@pytest.mark.parametrize("to", SOLID_FORMATS)
def test_the_landmarks_of_a_mouse(tmp_path: Path, to: str) -> None:
    given, back = through(SHARED / "formats/slicer/mouse_A_J.mrk.json", to, tmp_path, None)
    assert_alike({name: p for (_, name), p in given.items()}, {name: p for (_, name), p in back.items()}, 1e-3)


def first_rows(path: Path, out: Path, images: int, column: str) -> Path:
    """A table's rows of its first images."""
    lines = path.read_text().splitlines(keepends=True)
    at_column = lines[0].strip().split(",").index(column)
    known = list(dict.fromkeys(line.split(",")[at_column] for line in lines[1:]))[:images]
    out.write_text(lines[0] + "".join(line for line in lines[1:] if line.split(",")[at_column] in known))
    return out


@needs_shared
@pytest.mark.parametrize("to", SOLID_FORMATS)
def test_the_landmarks_of_hippocampi(tmp_path: Path, to: str) -> None:
    source = first_rows(SHARED / "hippocampus/landmarks.csv", tmp_path / "source.csv", 3, "file")
    images = tmp_path / "images"
    images.mkdir()
    rows = rows_of(source)
    for name in {row["file"] for row in rows}:
        (images / name).symlink_to((SHARED / "hippocampus/images" / name).resolve())
    given, back = through(source, to, tmp_path, images)
    assert len(given) == len(rows)
    assert_alike(given, back, 1e-3)
    ras = [[float(row[f"{axis}_ras_mm"]) for axis in "xyz"] for row in rows]
    np.testing.assert_allclose(list(given.values()), np.array(ras) * [-1, -1, 1], atol=2e-3)


@needs_shared
@pytest.mark.parametrize("to", [key for key in FLAT_FORMATS if key != "isbi"])
def test_the_landmarks_of_fundus_photographs(tmp_path: Path, to: str) -> None:
    source = first_rows(SHARED / "idrid/landmarks.csv", tmp_path / "source.csv", 3, "image")
    images = tmp_path / "images"
    images.mkdir()
    for line in source.read_text().splitlines()[1::2]:
        name = line.split(",")[0]
        (images / name).symlink_to((SHARED / "idrid/images" / name).resolve())
    given, back = through(source, to, tmp_path, images)
    assert len(given) == 6
    assert_alike(given, back, 1e-6)


@needs_shared
@pytest.mark.parametrize("to", FLAT_FORMATS)
def test_the_landmarks_of_cephalograms(tmp_path: Path, to: str) -> None:
    table = first_rows(SHARED / "isbi2015/landmarks.csv", tmp_path / "theirs.csv", 2, "image")
    rows = rows_of(table)
    source = tmp_path / "source.csv"
    means = [[(float(r[f"senior_{a}"]) + float(r[f"junior_{a}"])) / 2 for a in "xy"] for r in rows]
    cells = [f"{r['image']},{r['landmark']},{x!r},{y!r}\n" for r, (x, y) in zip(rows, means, strict=True)]
    source.write_text("image,landmark,x,y\n" + "".join(cells))
    assert {row["landmark"] for row in rows} == set(ISBI_NAMES)
    images = tmp_path / "images"
    images.mkdir()
    for name in {row["image"] for row in rows}:
        (found,) = (SHARED / "isbi2015/images").rglob(f"{name}.*")
        (images / found.name).symlink_to(found.resolve())
    given, back = through(source, to, tmp_path, images)
    assert len(given) == 38
    assert_alike(given, back, 1e-6)


@needs_shared
@pytest.mark.parametrize("to", [key for key in FLAT_FORMATS if key != "isbi"])
def test_the_keypoints_of_flies(tmp_path: Path, to: str) -> None:
    given, back = through(SHARED / "formats/coco/fly/test_fly.json", to, tmp_path, SHARED / "formats/coco/fly")
    assert len(given) == 64
    assert_alike(given, back, 1e-6)


@needs_shared
@pytest.mark.parametrize("to", [key for key in FLAT_FORMATS if key != "isbi"])
def test_the_landmarks_of_a_tps_file(tmp_path: Path, to: str) -> None:
    theirs = (SHARED / "formats/tps/tps-example.tps").read_text().replace("\r\n", "\n")
    ends = [i for i, line in enumerate(theirs.splitlines()) if line.startswith("LM=")]
    source = tmp_path / "source.tps"
    source.write_text("\n".join(theirs.splitlines()[: ends[3]]) + "\n")
    for line in source.read_text().splitlines():
        if line.startswith("IMAGE="):
            write_image(tmp_path / "images" / line.removeprefix("IMAGE="), (480, 640))
    given, back = through(source, to, tmp_path, tmp_path / "images")
    assert len(given) == 36
    assert_alike(given, back, 1e-6)
