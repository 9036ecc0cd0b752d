"""Layers that napari saves with this plugin: a point is dragged, saved and read again; what cannot be is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dropped import FCSV, WORLD, labelme, opened, save
from napari import Viewer
from napari.layers import Points

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import read_image, read_landmarks, write_landmarks
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.state.session import Session

SLICER = Path(__file__).parents[2].parent / "shared" / "data" / "formats" / "slicer"
MNI = SLICER / "tpl-MNI152NLin2009cAsym_res-02_T1w.nii.gz"


@pytest.mark.parametrize("name", ["out.mrk.json", "out.fcsv", "out.csv"])
def test_a_point_of_a_volume_that_is_dragged_is_saved(model, images_3d, tmp_path, name):
    opened(model, images_3d[0])
    (tmp_path / "in.fcsv").write_text(FCSV)
    (layer,) = opened(model, tmp_path / "in.fcsv")
    data = layer.data.copy()
    data[0] += (1, -2, 3)  # voxels of 5, 0.8 and 0.8 mm, to the head, the back and the left
    layer.data = data
    assert save(layer, tmp_path / name) == [str(tmp_path / name)]
    back = read_landmarks(tmp_path / name, read_image(images_3d[0]))
    assert back.names == ("apex", "base")
    world = dict(zip(back.names, back.world(), strict=True))
    np.testing.assert_allclose(world["apex"], np.add(WORLD["apex"], (2.4, -1.6, 5)), atol=1e-9)
    np.testing.assert_allclose(world["base"], WORLD["base"], atol=1e-12)
    text = (tmp_path / name).read_text()
    assert "of the heart" in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize("name", ["out.json", "out.csv"])
def test_a_point_of_a_photograph_that_is_dragged_is_saved(model, images_2d, tmp_path, name):
    source = labelme(
        tmp_path / "in.json", {"tip": (10.5, 20.5), "root": (3, 4)}, images_2d[0].name, (120, 160), status="predicted"
    )
    (layer,) = opened(model, source)
    layer.data = np.array([(30.25, 40.5), layer.data[1]])
    save(layer, tmp_path / name)
    back = read_landmarks(tmp_path / name, Grid((120, 160)), image_name=images_2d[0].name)
    np.testing.assert_allclose(back.point("tip"), (30.25, 40.5))
    np.testing.assert_allclose(back.point("root"), (3.5, 2.5))
    assert back.status_of("tip") is LandmarkStatus.EDITED
    assert back.status_of("root") is LandmarkStatus.PREDICTED


def test_saving_over_the_file_keeps_what_is_no_landmark_and_drops_what_was_deleted(model, images_2d, tmp_path):
    path = labelme(tmp_path / "x.json", {"tip": (10.5, 20.5), "root": (3, 4)}, images_2d[0].name, (120, 160))
    content = json.loads(path.read_text())
    content["shapes"].append({"label": "lesion", "points": [[1, 1], [5, 5]], "shape_type": "rectangle"})
    path.write_text(json.dumps({**content, "reader": "A. B."}))
    (layer,) = opened(model, path)
    layer.selected_data = {0}
    layer.remove_selected()
    save(layer, path)
    after = json.loads(path.read_text())
    assert after["reader"] == "A. B."
    assert [shape["label"] for shape in after["shapes"]] == ["root", "lesion"]
    assert after["shapes"][0]["points"] == [[3, 4]]


def test_absent_landmarks_survive(model, images_3d, tmp_path):
    grid = read_image(images_3d[0]).grid
    landmarks = LandmarkSet.from_points({"a": (1, 2, 3)}, grid, names=("a", "b", "c")).without_point(
        "b", LandmarkStatus.ABSENT
    )
    write_landmarks(landmarks, images_3d[0].parent / "scan_0.mrk.json")
    (layer,) = opened(model, images_3d[0].parent / "scan_0.mrk.json")
    save(layer, tmp_path / "out.mrk.json")
    assert read_landmarks(tmp_path / "out.mrk.json", grid).status.tolist() == ["confirmed", "absent", "unplaced"]


def test_points_drawn_over_an_image_are_its_landmarks(model, images_3d, images_2d, tmp_path):
    opened(model, images_3d[0])
    grid = read_image(images_3d[0]).grid
    drawn = model.add_points([(25.0, 8.0, 16.0)], features={"label": ["apex"]})  # in mm, as the viewer counts
    save(drawn, tmp_path / "drawn.fcsv")
    expected = grid.index_to_world((25.0 / 5, 8.0 / 0.8, 16.0 / 0.8))
    np.testing.assert_allclose(read_landmarks(tmp_path / "drawn.fcsv").world(), [expected])
    model.layers.clear()
    model.open(str(images_2d[0]), plugin="napari")
    flat = model.add_points([(4.0, 6.0), (1.0, 2.0)], scale=(0.5, 0.5))
    save(flat, images_2d[0].parent / "x.json")
    content = json.loads((images_2d[0].parent / "x.json").read_text())
    assert (content["imagePath"], content["imageHeight"], content["imageWidth"]) == ("head_0.png", 120, 160)
    assert [(s["label"], s["points"]) for s in content["shapes"]] == [("1", [[3.5, 2.5]]), ("2", [[1.5, 1.0]])]


def test_points_of_the_window_are_saved_with_their_status(model, project_3d, tmp_path):
    session = Session()
    layers = CaseLayers(model, session)
    session.open_project(project_3d)
    session.place((2.0, 3.0, 4.0))
    save(layers.points, tmp_path / "out.mrk.json")
    grid = project_3d.image("scan_0").grid
    np.testing.assert_allclose(read_landmarks(tmp_path / "out.mrk.json", grid).point("nasion"), (2, 3, 4))


def test_other_images_of_a_table_stay(model, images_2d, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("image,landmark,x,y\nhead_0.png,eye,1,2\nhead_1.png,eye,3,4\n")
    model.open(str(images_2d[0]), plugin="napari")
    (layer,) = opened(model, path)
    layer.data = [(7.0, 8.0)]
    save(layer, path)
    rows = path.read_text().splitlines()
    assert [row.split(",")[:4] for row in rows[1:]] == [
        ["head_0.png", "eye", "8.0", "7.0"],
        ["head_1.png", "eye", "3.0", "4.0"],
    ]
    wider = path.read_text().replace("status", "status,reader").replace("confirmed", "confirmed,A. B.")
    path.write_text(wider)
    with pytest.raises(AnnotationError, match="also holds the column 'reader'"):
        save(layer, path)
    assert path.read_text() == wider


def test_what_cannot_be_saved_is_refused_in_one_sentence(model, images_2d, images_3d, tmp_path):
    def refusal(layer: Points, name: str) -> str:
        with pytest.raises(AnnotationError) as caught:
            save(layer, tmp_path / name)
        assert not (tmp_path / name).exists()
        assert "\n" not in str(caught.value)
        return str(caught.value)

    flat, solid = Points([(1.0, 2)], name="flat"), Points([(1.0, 2, 3)], name="solid")
    assert "holds 3D points" in refusal(flat, "a.mrk.json")
    assert "holds 3D points" in refusal(flat, "a.fcsv")
    assert "2D points only" in refusal(solid, "a.json")
    assert "give the image" in refusal(solid, "a.fcsv")
    assert "two or three dimensions" in refusal(Points(np.zeros((1, 4))), "a.csv")
    assert "19 landmarks" in refusal(flat, "a.txt")
    twice = Points([(1.0, 2), (3, 4)], features={"name": ["A", "A"], "instance": [1, 1]}, name="twice")
    assert "two points called 'A'" in refusal(twice, "a.json")
    nameless = Points([(1.0, 2), (3, 4)], features={"name": ["A", np.nan]}, name="nameless")
    assert "'nameless' has a point without a usable label" in refusal(nameless, "a.csv")
    odd = Points([(1.0, 2)], features={"name": ["A"], "status": ["absent"]})
    assert "status 'absent'" in refusal(odd, "a.json")
    for path in images_3d:
        opened(model, path)
    assert "hide the other images" in refusal(solid, "a.mrk.json")
    model.layers[0].visible = False
    save(solid, tmp_path / "a.mrk.json")
    assert (tmp_path / "a.mrk.json").exists()


def test_what_a_format_cannot_carry_is_told(model, images_3d, tmp_path, told):
    opened(model, images_3d[0])
    layer = Points([(1.0, 2, 3)], features={"name": ["A"], "status": ["predicted"], "score": [0.5]})
    save(layer, tmp_path / "a.fcsv")
    assert len(told) == 1
    assert "came from a model" in told[0]
    assert "scores of 1 point" in told[0]
    assert save(layer, tmp_path / "plain") == [str(tmp_path / "plain.csv")]
    assert len(told) == 1


# ---- in a real window


def test_reading_and_writing_loads_no_heavy_library():
    code = "import sys, napari_landmarker.gui.readers, napari_landmarker.gui.writers; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True)
    heavy = {"torch", "monai", "pytorch_lightning", "SimpleITK", "nibabel", "pydicom", "matplotlib"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.skipif(not MNI.exists(), reason="needs the shared data")
def test_fiducials_dropped_on_the_head_lie_in_it_and_survive(viewer: Viewer, tmp_path: Path) -> None:
    (head,) = viewer.open(str(MNI), plugin="napari-landmarker")
    source = SLICER / "tpl-MNI152NLin2009cAsym_afids.fcsv"
    (layer,) = viewer.open(str(source), plugin=None)
    assert len(layer.data) == 32
    inside = [head.data[tuple(point.round().astype(int))] for point in layer.data]
    assert min(inside) > 0.2 * head.data.max()
    new = layer.data.copy()
    layer.add(new[0] + 1)
    assert layer.features["name"].iloc[-1] == "", "a new point has no name of another"
    layer.selected_data = {32}
    layer.remove_selected()
    for name in ("out.fcsv", "out.mrk.json", "out.csv"):
        assert layer.save(str(tmp_path / name), plugin="napari-landmarker") == [str(tmp_path / name)]
        # A table holds the voxels of an image that is at hand, the others millimetres.
        back = read_landmarks(tmp_path / name, read_image(MNI) if name == "out.csv" else None)
        expected = read_landmarks(source)
        assert back.names == expected.names
        np.testing.assert_allclose(back.world(), expected.world(), atol=1e-3)
