"""DICOM series: their order and place, what is refused, and which files of a folder are one image."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import PIL.Image
import pydicom
import pytest
from dicom_files import (
    AXIAL,
    CAPTURE,
    CORONAL,
    CT,
    MR,
    PATIENT,
    PET,
    RADIOGRAPH,
    REPORT,
    SAGITTAL,
    PerSlice,
    numbered,
    write,
    write_series,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import Image, distinct_images, find_images, read_geometry, read_image
from napari_landmarker.engine.io.dicom_header import has_dicom_mark

SHARED = Path(__file__).parents[2] / "../shared/data/orientation"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")
VOLUME = numbered((5, 4, 6))


def places_by_header(paths: list[Path]) -> dict[int, np.ndarray]:
    """World coordinates of every pixel value, by the equation of PS3.3 C.7.6.2.1.1 from each file's own header."""
    places = {}
    for path in paths:
        header = pydicom.dcmread(path)
        origin, both = np.array(header.ImagePositionPatient, float), np.array(header.ImageOrientationPatient, float)
        down, right = np.array(header.PixelSpacing, float)
        for row, column in np.ndindex(header.Rows, header.Columns):
            value = int(header.pixel_array[row, column])
            places[value] = origin + both[:3] * right * column + both[3:] * down * row
    return places


def require_places(image: Image, paths: list[Path], atol: float = 1e-6) -> None:
    index = np.argwhere(np.ones(image.grid.shape))
    expected = places_by_header(paths)
    assert len(expected) == len(index)
    world = np.array([expected[int(image.array[tuple(i)])] for i in index])
    np.testing.assert_allclose(image.grid.index_to_world(index), world, atol=atol)


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, CORONAL, (-1, 0, 0, 0, -1, 0)])
def test_a_series_is_the_same_volume_by_any_of_its_files_and_by_its_folder(
    tmp_path: Path, orientation: tuple[float, ...]
) -> None:
    paths = write_series(tmp_path / "s", VOLUME, orientation=orientation, WindowCenter=10, WindowWidth=21)
    images = [read_image(path) for path in [*paths, tmp_path / "s"]]
    require_places(images[0], paths)
    assert (np.diag(np.fliplr(images[0].grid.direction)) > 0.99).all()
    for image in images:
        np.testing.assert_array_equal(image.array, images[0].array)
        assert image.array.dtype == np.int16
        assert image.grid == images[0].grid
        assert image.display_range == (-0.5, 19.5)
    for path in [*paths, tmp_path / "s"]:
        geometry = read_geometry(path)
        assert geometry.grid == images[0].grid
        assert geometry.notes == images[0].notes
        np.testing.assert_array_equal(geometry.stored.matrix, images[0].stored.matrix)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    order=st.permutations(range(5)),
    sizes=st.tuples(*[st.floats(0.2, 6)] * 3),
)
def test_slices_of_any_name_and_number_lie_where_their_headers_say(
    tmp_path: Path, angles: tuple[float, ...], order: list[int], sizes: tuple[float, ...]
) -> None:
    folder = tmp_path / "s"
    shutil.rmtree(folder, ignore_errors=True)
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    where = [np.array([5.0, -7.0, 9.0]) + k * sizes[0] * turn[:, 2] for k in order]
    paths = write_series(
        folder,
        VOLUME[order],
        orientation=(*turn[:, 0], *turn[:, 1]),
        spacing=sizes,
        positions=where,
        InstanceNumber=PerSlice(range(5)),
    )
    image = read_image(paths[0])
    require_places(image, paths, 1e-4)
    assert sorted(image.grid.spacing or ()) == pytest.approx(sorted(sizes), rel=1e-6)
    index = np.argwhere(np.ones(image.grid.shape))
    stored = image.stored.apply(index)
    np.testing.assert_allclose(stored, stored.round(), atol=1e-6)
    np.testing.assert_array_equal(VOLUME[tuple(stored.round().astype(int).T)], image.array.ravel())


def test_the_place_agrees_with_itk(tmp_path: Path) -> None:
    import SimpleITK

    turn = Rotation.from_euler("xyz", (20, -15, 130), degrees=True).as_matrix()
    write_series(tmp_path / "s", VOLUME, orientation=(*turn[:, 0], *turn[:, 1]))
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "s")))
    itk, image = reader.Execute(), read_image(tmp_path / "s")
    values = SimpleITK.GetArrayFromImage(itk)
    for index in [(0, 0, 0), (3, 2, 1), image.grid.shape]:
        index = np.minimum(index, np.array(image.grid.shape) - 1)
        k, j, i = (int(v) for v in image.stored.apply(index).round())
        assert values[k, j, i] == image.array[tuple(index)]
        there = itk.TransformIndexToPhysicalPoint((i, j, k))
        np.testing.assert_allclose(image.grid.index_to_world(index), there, atol=1e-5)


def test_the_distance_is_measured_and_not_the_thickness(tmp_path: Path) -> None:
    write_series(tmp_path, VOLUME, SliceThickness=5)
    image = read_image(tmp_path)
    assert image.grid.spacing == pytest.approx((2.5, 0.75, 0.5))
    assert any("2.5 mm" in note and "5 mm" in note for note in image.notes)


def test_every_slice_of_a_pet_series_has_its_own_scale(tmp_path: Path) -> None:
    slopes = [1.0, 2.0, 0.5, 0.25, 3.0]
    write_series(tmp_path, VOLUME, sop_class=PET, RescaleSlope=PerSlice(slopes), RescaleIntercept=0)
    image = read_image(tmp_path)
    assert image.array.dtype == np.float32
    np.testing.assert_array_equal(image.array, VOLUME * np.array(slopes)[:, None, None])


def test_slices_whose_values_need_more_room(tmp_path: Path) -> None:
    volume = np.zeros((3, 2, 2), "uint16")
    volume[2] = 65535
    write_series(tmp_path, volume, RescaleSlope=1, RescaleIntercept=-1024)
    image = read_image(tmp_path)
    assert image.array.dtype == np.int32
    np.testing.assert_array_equal(image.array, volume.astype(int) - 1024)


def test_a_series_takes_little_more_memory_than_its_volume(tmp_path: Path) -> None:
    write_series(tmp_path, np.ones((40, 128, 128), "int16"), orientation=SAGITTAL, RescaleSlope=1, RescaleIntercept=-9)
    read_geometry(tmp_path)
    tracemalloc.start()
    image = read_image(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * image.array.nbytes  # a second copy would make 2


def axis(*heights: float) -> list[tuple[float, float, float]]:
    return [(0.0, 0.0, height) for height in heights]


@pytest.mark.parametrize(
    ("heights", "words"),
    [
        ((0, 2, 4, 8, 10), r"lacks slices between IM0002.dcm and IM0003.dcm \(4 mm instead of 2 mm\)"),
        ((0, 2, 4, 4, 6), "two slices at one place, IM0002.dcm and IM0003.dcm"),
        ((0, 0, 2, 2), "2 images at every place"),
        ((7, 7, 7), "3 images at every place"),
        ((1, 1), "two slices at one place"),
        ((0, 2, 4.5, 6, 8), "uneven distances"),
        ((0, 2, 4.2, 6.6, 9.2), "uneven distances"),
    ],
)
def test_slices_that_make_no_regular_volume(tmp_path: Path, heights: tuple[float, ...], words: str) -> None:
    paths = write_series(tmp_path, VOLUME[: len(heights)], positions=axis(*heights))
    for path in (paths[0], tmp_path):
        for reader in (read_image, read_geometry):
            with pytest.raises(ImageError, match=words) as raised:
                reader(path)
            message = str(raised.value)
            assert message.startswith(str(tmp_path))
            assert message.endswith(".")
            assert ": " in message
            assert PATIENT not in message


@pytest.mark.parametrize("heights", [(0, 0.6, 1.3, 1.9, 2.5), (0, 2.02, 3.99, 6, 8.01), (0, 0.104, 0.2, 0.3, 0.4)])
def test_rounded_positions_are_even_enough(tmp_path: Path, heights: tuple[float, ...]) -> None:
    write_series(tmp_path, VOLUME, positions=axis(*heights))
    assert read_geometry(tmp_path).grid.spacing == pytest.approx((heights[-1] / 4, 0.75, 0.5))


def test_other_stacks_that_are_refused(tmp_path: Path) -> None:
    tilted = write_series(tmp_path / "tilt", VOLUME, positions=[(0, 0.4 * k, 2 * k) for k in range(5)])
    with pytest.raises(ImageError, match=r"tilted gantry.*resample"):
        read_image(tilted[0])
    series = write_series(tmp_path / "size", VOLUME)
    other = pydicom.dcmread(series[2])
    write(
        series[2],
        VOLUME[2, :3],
        CT,
        **{e.keyword: e.value for e in other if e.keyword.startswith(("Im", "Ser", "PixelSp"))},
    )
    with pytest.raises(ImageError, match=r"IM0000.dcm and IM0002.dcm differ in size or pixel spacing"):
        read_image(series[0])
    spacings = PerSlice([[0.5, 0.5]] * 4 + [[0.5, 0.6]])
    write_series(tmp_path / "spacing", VOLUME, PixelSpacing=spacings)
    with pytest.raises(ImageError, match="differ in size or pixel spacing"):
        read_image(tmp_path / "spacing")
    for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        paths = write_series(tmp_path / tag, VOLUME)
        for number, path in enumerate(paths):
            header = pydicom.dcmread(path)
            if number == 3 or tag == "ImagePositionPatient":
                delattr(header, tag)
                header.save_as(path)
        for path in (tmp_path / tag, paths[0], paths[3]):
            with pytest.raises(ImageError, match="states no valid position, orientation or pixel spacing: export"):
                read_image(path)


def test_two_series_in_a_folder(tmp_path: Path) -> None:
    first = write_series(tmp_path, VOLUME, name="A{}.dcm")
    second = write_series(tmp_path, VOLUME[:3] + np.int16(500), name="B{}")
    with pytest.raises(ImageError, match="holds 2 DICOM series: choose a file") as raised:
        read_image(tmp_path)
    assert str(raised.value).startswith(str(tmp_path))
    require_places(read_image(first[2]), first)
    require_places(read_image(second[1]), second)
    assert find_images(tmp_path) == [first[0], second[0]]


def test_what_is_no_slice_of_the_series_is_left_out(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "s", VOLUME, SeriesInstanceUID="1.2.3")
    folder = tmp_path / "s"
    write(folder / "report", None, REPORT)
    write(folder / "DICOMDIR", None, "1.2.840.10008.1.3.10")
    (folder / "notes").write_text("x" * 500)
    (folder / "._IM0001.dcm").write_bytes(b"x")
    (folder / "thumbs.db").write_bytes(bytes(300))
    write_series(
        folder, VOLUME[:1], orientation=CORONAL, SeriesInstanceUID="1.2.3",
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], name="scout{}.dcm",
    )  # fmt: skip
    assert find_images(tmp_path) == [folder]
    for path in (folder, paths[1]):
        require_places(read_image(path), paths)
    assert read_image(folder / "scout0.dcm").array.shape == (4, 6)
    write(folder / "capture.dcm", VOLUME[0], CAPTURE)
    assert any("no part of this one: 2" in note for note in read_image(folder).notes)
    assert find_images(tmp_path) == [folder / "capture.dcm", paths[0]]
    (folder / "broken.dcm").write_bytes(b"x" * 50)
    assert any("could not be read and were left out: 1" in note for note in read_image(paths[0]).notes)


def test_a_localizer_of_three_views_is_three_pictures(tmp_path: Path) -> None:
    for number, view in enumerate((AXIAL, SAGITTAL, CORONAL)):
        write_series(tmp_path, VOLUME[number : number + 1], orientation=view, sop_class=MR,
                     SeriesInstanceUID="1.2.3", name=f"L{number}.dcm")  # fmt: skip
    paths = find_images(tmp_path)
    assert [path.name for path in paths] == ["L0.dcm", "L1.dcm", "L2.dcm"]
    for number, path in enumerate(paths):
        np.testing.assert_array_equal(read_image(path).array, VOLUME[number])
    with pytest.raises(ImageError, match="3 separate DICOM images"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("sop_class", "tags"),
    [
        (RADIOGRAPH, {}),
        (RADIOGRAPH, {"ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": list(AXIAL)}),
        (CAPTURE, {}),
        (CAPTURE, {"ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": list(AXIAL), "PixelSpacing": [1, 1]}),
    ],
)
@pytest.mark.parametrize("shared", [True, False])
def test_pictures_in_a_folder_stay_apart(tmp_path: Path, sop_class: str, tags: dict[str, object], shared: bool) -> None:
    own = {"SeriesInstanceUID": "1.2.3"} if shared else {}
    paths = [write(tmp_path / f"{n}.dcm", VOLUME[n], sop_class, **tags, **own) for n in range(3)]
    assert find_images(tmp_path) == paths
    for number, path in enumerate(paths):
        np.testing.assert_array_equal(read_image(path).array, VOLUME[number])
    with pytest.raises(ImageError, match="3 separate DICOM images: choose a file"):
        read_image(tmp_path)


@pytest.mark.parametrize("name", ["slice{}.MR", "a{}.img"])
def test_a_folder_of_a_series_may_have_files_of_any_name(tmp_path: Path, name: str) -> None:
    paths = write_series(tmp_path, VOLUME, name=name)
    (tmp_path / "README").write_text("no image")
    for path in (tmp_path, paths[1]):
        require_places(read_image(path), paths)


def test_a_tree_is_searched_without_opening_what_is_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path / "p2" / "ct", VOLUME, name="IM{}")
    write_series(tmp_path / "p10" / "ct", VOLUME, name="1.2.840.{}")
    (tmp_path / "x").mkdir()
    write(tmp_path / "x" / "a.dcm", VOLUME[0], RADIOGRAPH)
    (tmp_path / "x" / "b.png").write_bytes(b"x")
    (tmp_path / "x" / "damaged.dcm").write_bytes(b"x")
    for number in range(30):
        (tmp_path / "x" / f"{number}.txt").write_bytes(b"x")
    (tmp_path / "x" / "noending").write_bytes(b"x")
    opened: list[str] = []

    def looked(path: Path) -> bool:
        opened.append(path.name)
        return has_dicom_mark(path)

    monkeypatch.setattr("napari_landmarker.engine.io.dicom_series.has_dicom_mark", looked)
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["p2/ct", "p10/ct", "x/a.dcm", "x/b.png", "x/damaged.dcm"]
    assert not [name for name in opened if name.endswith((".txt", ".png"))]
    monkeypatch.chdir(tmp_path / "p2" / "ct")
    assert find_images(".") == [Path("IM0")]  # a folder without a name of its own


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    paths = write_series(tmp_path, VOLUME)
    assert read_geometry(paths[0]).grid.shape == (5, 4, 6)
    os.remove(paths[4])
    assert read_geometry(paths[0]).grid.shape == (4, 4, 6)
    write_series(tmp_path, VOLUME[:, :3], spacing=(1.5, 0.75, 0.5))
    assert read_geometry(tmp_path).grid.spacing == pytest.approx((1.5, 0.75, 0.5))


def test_a_slice_with_damaged_pixels_is_named(tmp_path: Path) -> None:
    paths = write_series(tmp_path, VOLUME)
    paths[2].write_bytes(paths[2].read_bytes()[:-10])
    with pytest.raises(ImageError, match=r"IM0002\.dcm could not be read"):
        read_image(paths[0])


@needs_shared
@pytest.mark.parametrize("name", ["dicom_series_3", "dicom_series_17"])
def test_series_of_scanners_lie_where_itk_puts_them(name: str) -> None:
    import SimpleITK

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(SHARED / name)))
    itk, image = reader.Execute(), read_image(SHARED / name)
    values = SimpleITK.GetArrayFromImage(itk)
    index = np.argwhere(np.ones(image.grid.shape))[::4999]
    stored = image.stored.apply(index).round().astype(int)
    np.testing.assert_array_equal(values[tuple(stored.T)], image.array[tuple(index.T)])
    there = [itk.TransformIndexToPhysicalPoint([int(v) for v in place[::-1]]) for place in stored]
    np.testing.assert_allclose(image.grid.index_to_world(index), there, atol=1e-6)
    assert find_images(SHARED / name) == [SHARED / name]


def test_chosen_slices_of_a_series_are_one_image(tmp_path: Path) -> None:
    picture = tmp_path / "photo.png"
    PIL.Image.fromarray(np.zeros((4, 5), np.uint8)).save(picture)
    slices = write_series(tmp_path / "series", numbered((5, 6, 7)))
    assert distinct_images([picture, *slices]) == [picture, tmp_path / "series"]
    assert distinct_images([tmp_path / "series"]) == [tmp_path / "series"]
    assert distinct_images([slices[2]]) == [slices[2]]
