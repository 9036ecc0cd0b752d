"""Files that napari opens with this plugin: what is claimed, how images look, and where landmarks lie on them."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
from dicom_files import numbered, write_series
from dropped import FCSV, WORLD, in_viewer, labelme, opened, save
from image_files import write_image
from napari.layers import Image as ImageLayer
from npe2 import PluginManifest
from window import SPACING_3D

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import ANNOTATION_SUFFIXES, IMAGE_SUFFIXES, read_image, read_landmarks, write_landmarks
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.gui.file_choice import ANNOTATION_KINDS
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.looks import image_arguments
from napari_landmarker.gui.origin import PLAIN_SUFFIXES
from napari_landmarker.gui.readers import annotation_reader, image_layers, image_reader
from napari_landmarker.state.session import Session

# ---- what is claimed


def test_the_manifest_names_the_endings_that_the_engine_knows():
    manifest = PluginManifest.from_distribution("napari-landmarker")
    images, annotations = manifest.contributions.readers
    by_ending = {p.removeprefix("*") for p in images.filename_patterns if p.startswith("*.")}
    assert by_ending == set(IMAGE_SUFFIXES) - set(PLAIN_SUFFIXES)
    patterns = {p.removeprefix("*") for p in annotations.filename_patterns}
    assert all(suffix.endswith(tuple(patterns)) for suffix in ANNOTATION_SUFFIXES)
    assert patterns <= set(ANNOTATION_SUFFIXES)
    assert not {"*", "*.*"} & {*images.filename_patterns, *annotations.filename_patterns}
    assert set(ANNOTATION_KINDS.removeprefix("Annotations (").removesuffix(")").split()) == {
        f"*{suffix}" for suffix in ANNOTATION_SUFFIXES
    }


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("IM000001", True), ("I10", True), ("1.2.840.113619.2.55", True), ("scan.NII.GZ", True), ("a.dcm", True),
        ("photo.png", False), ("stack.tif", False), ("notes.md", False), ("my_long_file_name", False),
        ("1.5 mm.tif", False), ("x.npz", False), ("film.avi", False),
    ],
)  # fmt: skip
def test_napari_asks_the_image_reader_only_for_names_that_medical_images_have(plugins, tmp_path, name, asked):
    readers = plugins.iter_compatible_readers([str(tmp_path / name)])
    assert ("napari-landmarker.read_image" in [reader.command for reader in readers]) == asked


def test_only_files_that_hold_what_their_names_say_are_claimed(tmp_path):
    def file(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    coco = {
        "images": [{"id": 1, "file_name": "a.png", "height": 5, "width": 5}],
        "categories": [{"id": 1, "name": "hand", "keypoints": ["tip"]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2]}],
    }
    ours = [
        file("a.json", '{"shapes": []}'), file("b.JSON", '{"markups": []}'), file("c.json", json.dumps(coco)),
        file("d.fcsv", FCSV), file("e.csv", "landmark,x,y\nA,1,2\n"), file("f.txt", "1,2\n" * 19),
        file("g.tps", "LM=1\n1 2\nIMAGE=a.png\n"), file("h.tsv", "image\tA_x\tA_y\na\t1\t2\n"),
    ]  # fmt: skip
    others = [
        file("a2.json", '{"name": "package"}'), file("b2.json", "[1, 2]"), file("c2.json", '{"images": []}'),
        file("d2.fcsv", "nothing"), file("e2.csv", "index,axis-0,axis-1\n0,1,2\n"), file("f2.txt", "Dear all,\n"),
        file("g2.tps", "tpsreport"), file("h2.csv", ""), file("i2.json", b"\xff\xfe\x00"),
        str(tmp_path / "missing.json"), str(tmp_path), "https://example.org/a.json", "\0.json",
    ]  # fmt: skip
    assert [path for path in ours if annotation_reader(path) is None] == []
    assert [path for path in others if annotation_reader(path) is not None] == []
    assert annotation_reader(ours) is None


def test_images_are_claimed_by_ending_or_by_their_dicom_mark(tmp_path):
    series = write_series(tmp_path / "ct", numbered((3, 4, 5)), name="IM{:04d}")
    other = write_series(tmp_path / "mr", numbered((2, 4, 5)))
    (tmp_path / "README").write_text("x" * 200)
    (tmp_path / "words.dic").write_text("cat\ndog\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "IM0001").write_text("no image")
    volume = write_image(tmp_path / "a.nii.gz", numbered((2, 3, 4)))
    assert all(image_reader(str(path)) for path in (*series, *other, tmp_path / "ct", volume))
    for path in ("README", "words.dic", "empty", "texts", "texts/IM0001", "missing.nii", "\0.nii"):
        assert image_reader(str(tmp_path / path)) is None, path
    assert image_reader([str(path) for path in series]) is not None
    assert image_reader([str(series[0]), str(other[0])]) is None
    assert image_reader([]) is None


def test_napari_still_opens_and_saves_its_own_tables(model, tmp_path):
    layer = model.add_points([[1.0, 2.0], [3.0, 4.0]])
    layer.save(str(tmp_path / "points.csv"))
    assert (tmp_path / "points.csv").read_text().startswith("index,axis-0,axis-1")
    assert annotation_reader(str(tmp_path / "points.csv")) is None


# ---- images


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha", "a.tif", "a.npy", "a.png", "a.jpg", "a.bmp"])
def test_every_format_opens_as_the_window_shows_it(tmp_path, name):
    array = numbered((4, 5, 6)) if name[2:] not in ("png", "jpg", "bmp") else np.full((5, 6), 7, np.uint8)
    path = write_image(tmp_path / name, array)
    image = read_image(path)
    ((data, arguments, kind),) = image_layers(path)
    assert kind == "image"
    assert arguments["name"] == "a"
    np.testing.assert_array_equal(data, image.array)
    assert {key: arguments[key] for key in image_arguments(image)} == image_arguments(image)
    layer = ImageLayer(data, **arguments)
    assert tuple(layer.scale) == (image.grid.spacing or (1.0,) * image.grid.ndim)


def test_a_dropped_volume_lies_as_that_of_an_open_case(model, project_3d):
    session = Session()
    layers = CaseLayers(model, session)
    session.open_project(project_3d)
    (dropped,) = opened(model, project_3d.image_path("scan_0"))
    case = layers.image
    np.testing.assert_array_equal(dropped.data, case.data)
    for key in ("scale", "translate", "units", "axis_labels", "rgb", "contrast_limits"):
        assert np.array_equal(getattr(dropped, key), getattr(case, key)), key
    assert tuple(dropped.scale) == pytest.approx(SPACING_3D)
    assert dropped.source.reader_plugin == "napari-landmarker"


def test_the_window_of_a_dicom_file_is_its_contrast_here_and_in_the_window(model, tmp_path):
    volume = numbered((3, 40, 50))
    files = write_series(tmp_path / "ct", volume, name="IM{:04d}", WindowCenter=40, WindowWidth=400)
    layers = opened(model, files[1])
    layers += opened(model, files[0])
    assert len(layers) == 1, "the series is open already"
    assert opened(model, files[1]) != [], "asked for again by the same file"
    (layer,) = layers
    assert layer.name == "ct"
    assert layer.data.shape == volume.shape
    # PS3.3 C.11.2.1.2: centre - 0.5 -+ (width - 1) / 2
    assert layer.contrast_limits == pytest.approx([-160, 239])
    (folder,) = opened(model, tmp_path / "ct")
    assert folder.contrast_limits == pytest.approx([-160, 239])


def test_a_damaged_image_is_told_in_one_sentence(model, tmp_path, told):
    path = tmp_path / "broken.nii"
    path.write_bytes(b"noise" * 100)
    assert opened(model, path) == []
    assert len(told) == 1
    assert str(path) in told[0]
    assert "\n" not in told[0]


# ---- landmarks over images


@pytest.mark.parametrize("where", ["by its name", "beside", "on the screen"])
def test_points_in_millimetres_lie_on_their_voxels(model, images_3d, tmp_path, where):
    image_path = images_3d[0]
    folder = image_path.parent if where == "beside" else tmp_path
    path = folder / ("points.fcsv" if where == "on the screen" else "scan_0.fcsv")
    path.write_text(FCSV)
    if where != "beside":
        opened(model, image_path)
    (layer,) = opened(model, path)
    affine = np.linalg.inv(nibabel.load(image_path).affine)
    array = np.asarray(nibabel.load(image_path).dataobj)
    image = read_image(image_path).array
    for point, lps in zip(layer.data, WORLD.values(), strict=True):
        i, j, k = (affine @ (-lps[0], -lps[1], lps[2], 1))[:3].round().astype(int)
        assert image[tuple(point.round().astype(int))] == array[i, j, k]
    np.testing.assert_allclose(in_viewer(layer), layer.data * SPACING_3D)
    assert list(layer.features["name"]) == ["apex", "base"]
    assert layer.units == ImageLayer(image, units="mm").units


def test_the_sliders_go_to_a_landmark(model, images_3d, tmp_path):
    opened(model, images_3d[0])
    path = tmp_path / "points.fcsv"
    path.write_text(FCSV)
    for shown in (30.0, 0.0):  # voxel 6 holds the second landmark, voxel 0 none, voxel 3 the first
        model.dims.set_point(0, shown)
        opened(model, path)
        assert model.dims.point[0] == (shown or 15.0)


def test_points_follow_an_image_that_was_moved_in_napari(model, images_3d, tmp_path):
    (image,) = opened(model, images_3d[0])
    turn = np.deg2rad(20)
    image.rotate = [[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]]
    image.translate = (7, -3, 2)
    path = tmp_path / "points.fcsv"
    path.write_text(FCSV)
    (layer,) = opened(model, path)
    grid = read_image(images_3d[0]).grid
    expected = [image.data_to_world(grid.world_to_index(lps)) for lps in WORLD.values()]
    np.testing.assert_allclose(in_viewer(layer), expected)
    save(layer, tmp_path / "out.fcsv")
    back = read_landmarks(tmp_path / "out.fcsv")
    np.testing.assert_allclose(back.world(), list(WORLD.values()), atol=1e-9)


def test_millimetres_without_an_image_lie_in_the_world(model, tmp_path, told):
    path = tmp_path / "points.fcsv"
    path.write_text(FCSV)
    (layer,) = opened(model, path)
    np.testing.assert_allclose(in_viewer(layer), [lps[::-1] for lps in WORLD.values()])
    assert any("image is not open" in sentence for sentence in told)
    save(layer, tmp_path / "out.mrk.json")
    np.testing.assert_allclose(read_landmarks(tmp_path / "out.mrk.json").world(), list(WORLD.values()))


def test_an_image_that_no_point_lies_on_is_not_taken_for_theirs(model, images_3d, tmp_path):
    opened(model, images_3d[0])
    path = tmp_path / "points.fcsv"
    path.write_text(FCSV.replace(",26,", ",926,").replace(",41,", ",941,"))
    (layer,) = opened(model, path)
    assert in_viewer(layer)[0][0] == 926


def test_labelme_points_lie_on_a_photograph_that_napari_opened(model, images_2d, tmp_path):
    path = labelme(
        tmp_path / "x.json", {"tip": (10.5, 20.5), "root": (3, 4)}, f"..\\pictures\\{images_2d[1].name}", (120, 160)
    )
    photo = model.open(str(images_2d[1]), plugin="napari")[0]
    photo.scale = (2, 2)
    (layer,) = opened(model, path)
    np.testing.assert_allclose(layer.data, [(20, 10), (3.5, 2.5)])
    np.testing.assert_allclose(in_viewer(layer), 2 * layer.data)
    photo.data = np.zeros((50, 60), np.uint8)  # no longer what the file was made for
    (alone,) = opened(model, path)
    np.testing.assert_allclose(alone.scale, (1, 1))


def test_of_a_table_of_many_images_the_open_ones_are_shown(model, images_2d, tmp_path, told):
    rows = [f"{path.name},eye,{number},5" for number, path in enumerate(images_2d)]
    rows += [f"other_{number}.png,eye,1,1" for number in range(20)]
    path = tmp_path / "table.csv"
    path.write_text("image,landmark,x,y\n" + "\n".join(rows))
    assert opened(model, path) == []
    assert "23 images" in told[0]
    model.open(str(images_2d[2]), plugin="napari")
    (layer,) = opened(model, path)
    assert layer.name == "head_2 landmarks"
    np.testing.assert_array_equal(layer.data, [(5, 2)])


def test_status_colour_and_instances_are_shown(model, images_2d, tmp_path):
    grid = Grid((120, 160))
    points = np.array([[[1.0, 2], [3, 4]], [[5, 6], [np.nan, np.nan]]])
    status = [["predicted", "edited"], ["confirmed", "unplaced"]]
    landmarks = LandmarkSet(("a", "b"), points, status, grid, np.array([[0.5, np.nan], [np.nan, np.nan]]))
    write_landmarks(landmarks, tmp_path / "x.json", images_2d[0])
    (layer,) = opened(model, tmp_path / "x.json")
    assert layer.features["instance"].tolist() == [1, 2, 1]
    assert [str(symbol) for symbol in layer.symbol] == ["ring", "disc", "disc"]
    assert layer.features["score"][0] == 0.5
    assert (layer.face_color[0] == layer.face_color[1]).all()
    assert (layer.face_color[0] != layer.face_color[2]).any()
    np.testing.assert_array_equal(layer.border_color[:, :3], [(0, 0, 0), (1, 1, 1), (0, 0, 0)])


def test_a_damaged_file_is_told_in_one_sentence(model, tmp_path, told):
    path = tmp_path / "bad.fcsv"
    path.write_text(FCSV.replace("26", "high"))
    assert opened(model, path) == []
    assert len(told) == 1
    assert str(path) in told[0]
