"""What a conversion must not do silently: swap landmarks, take voxels for others, drop what other programs say."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import ANNOTATION_FORMATS, ImageAnnotations, read_annotation_file, read_geometry
from napari_landmarker.engine.io.convert import convert
from napari_landmarker.engine.io.fields import Entry
from napari_landmarker.engine.landmarks import LandmarkStatus

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


def solid(path: Path) -> Path:
    """An upright volume of 4 x 5 x 6 voxels (z, y, x) of 1 mm, stored with x and y reversed (RAS)."""
    import nibabel as nib

    nib.save(nib.Nifti1Image(np.zeros((6, 5, 4), np.int16), np.eye(4)), path)
    return path


def test_files_without_names_have_one_order_in_a_folder(tmp_path: Path) -> None:
    """A labelme file lists only what is placed: the same number must mean the same landmark in each file."""
    one, two = {"a": (at(1, 2),), "c": (at(3, 4),)}, {"b": (at(5, 6),), "c": (at(7, 8),)}
    for name, entries in (("one", one), ("two", two)):
        LABELME.write(tmp_path / "in" / f"{name}.json", [ImageAnnotations(f"{name}.png", FLAT, entries)])
    done = convert(tmp_path / "in", tmp_path / "out", to="tps", names=["a", "b", "c"])
    assert "a, b, c" in done.lost[0]
    texts = [(tmp_path / "out" / f"{name}.tps").read_text().splitlines()[:4] for name in ("one", "two")]
    assert texts == [["LM=3", "2.0 19.0", "-1 -1", "4.0 17.0"], ["LM=3", "-1 -1", "6.0 15.0", "8.0 13.0"]]
    convert(tmp_path / "in", tmp_path / "all.tps")
    assert (tmp_path / "all.tps").read_text().count("LM=3") == 2


def test_voxels_as_shown_are_not_taken_for_voxels_as_stored(tmp_path: Path) -> None:
    unsized = Grid((4, 5, 6))
    source = tmp_path / "vol.mrk.json"
    ANNOTATION_FORMATS["slicer"].write(source, [ImageAnnotations(None, unsized, {"a": (at(1, 2, 3),)})])
    with pytest.raises(AnnotationError, match=r"vol\.mrk\.json counts voxels of the volume as it is shown: give the"):
        convert(source, tmp_path / "a.csv")
    header = "ObjectType = Image\nNDims = 3\nDimSize = 6 5 4\nTransformMatrix = -1 0 0 0 -1 0 0 0 1\n"
    volume = tmp_path / "vol.mha"
    volume.write_bytes(f"{header}ElementType = MET_UCHAR\nElementDataFile = LOCAL\n".encode() + bytes(120))
    assert read_geometry(volume).grid == unsized
    convert(source, tmp_path / "a.csv", image=volume)
    assert [float(rows_of(tmp_path / "a.csv")[0][axis]) for axis in "xyz"] == [2, 2, 1]  # 5 - 3, 4 - 2, 1


def test_points_of_one_name_where_several_are_allowed(tmp_path: Path) -> None:
    points = [{"label": "tip", "shape_type": "point", "points": [[x + 0.5, 1.5]]} for x in (3, 1)]
    (tmp_path / "a.json").write_text(json.dumps({"shapes": points, "imagePath": "a.png"}))
    with pytest.raises(AnnotationError, match="has 'tip' twice"):
        convert(tmp_path / "a.json", tmp_path / "a.csv")
    convert(tmp_path / "a.json", tmp_path / "a.csv", several=True)
    assert [(row["instance"], row["x"]) for row in rows_of(tmp_path / "a.csv")] == [("1", "3.0"), ("2", "1.0")]


def test_what_looks_wrong_is_said(tmp_path: Path) -> None:
    volume = solid(tmp_path / "head.nii.gz")
    table = tmp_path / "head.csv"
    table.write_text("image,landmark,x_ras_mm,y_ras_mm,z_ras_mm\nhead.nii.gz,a,1,2,3\nhead.nii.gz,b,5,4,3\n")
    assert convert(table, tmp_path / "a.mrk.json", image=volume).doubts == ()
    table.write_text("image,landmark,x_mm,y_mm,z_mm\nbrain.nii,a,1,2,3\nbrain.nii,b,0,0,0\n")  # RAS, not said
    assert convert(table, tmp_path / "b.mrk.json", image=volume).doubts == (
        "The annotations name the image brain.nii, but head.nii.gz was taken, as it was given.",
        "1 point of 2 lies outside its image: check that image and annotations belong together.",
    )
    table.write_text("image,landmark,x,y\na.png,a,40,1\nb.png,a,50,2\n")
    for name in "ab":
        write_image(tmp_path / "images" / f"{name}.png")
    (said,) = convert(table, tmp_path / "c.json", to="coco", images=tmp_path / "images").doubts
    assert said.startswith("2 points of 2 lie outside their image (such as in a.png): check that")


def test_what_other_programs_say_is_not_lost_unsaid(tmp_path: Path) -> None:
    LABELME.write(tmp_path / "one.json", [rich()])
    content = json.loads((tmp_path / "one.json").read_text()) | {"imageData": "aGk=", "reviewer": "x", "empty": []}
    (tmp_path / "one.json").write_text(json.dumps(content))
    lost = convert(tmp_path / "one.json", tmp_path / "a.json", to="coco").lost
    assert lost[-2:] == ("The copy of the image in the file.", "The key 'reviewer' of other programs.")
    point = {"label": "a", "position": [1, 2, 3], "side": "left"}
    markup = {"type": "Fiducial", "controlPoints": [point], "measurements": [{"name": "length"}]}
    (tmp_path / "s.mrk.json").write_text(json.dumps({"markups": [markup]}))
    assert convert(tmp_path / "s.mrk.json", tmp_path / "s.csv").lost == (
        "The keys 'measurements', 'side' of other programs.",
    )
    (tmp_path / "f.fcsv").write_text("# columns = label,x,y,z,rater\na,1,2,3,me\n")
    assert convert(tmp_path / "f.fcsv", tmp_path / "f.csv").lost == ("The column 'rater'.",)


def test_images_are_found_where_they_were_moved_to(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("image,landmark,x,y\nC:\\old\\one.png,a,1,2\nr/two,a,3,4\n")
    for name, width in (("l/one.png", 30), ("l/two.jpg", 40), ("r/two.jpg", 50)):
        write_image(tmp_path / "images" / name, (20, width))
    convert(table, tmp_path / "a.json", to="coco", images=tmp_path / "images")
    assert [one.grid.shape for one in read_annotation_file(tmp_path / "a.json")] == [(20, 30), (20, 50)]
