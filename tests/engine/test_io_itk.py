"""NRRD and MetaImage: SimpleITK's values and its idea of where a voxel is are the oracles."""

from __future__ import annotations

import bz2
import gzip
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import Image, read_geometry, read_image
from napari_landmarker.engine.io.orient import NO_ORIENTATION, NO_UNIT

RNG = np.random.default_rng(7)
VOLUME = RNG.integers(-500, 900, (4, 5, 6)).astype("int16")
PICTURE = RNG.integers(0, 60000, (5, 6)).astype("uint16")
COLOUR = RNG.integers(0, 255, (5, 6, 3)).astype("uint8")
FORMATS = (".nrrd", ".nhdr", ".mha", ".mhd")


def rotation(angle: float) -> np.ndarray:
    about_z = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    return about_z @ about_x


def itk_image(array: np.ndarray, direction: np.ndarray, color: bool = False) -> Any:
    image = SimpleITK.GetImageFromArray(array, isVector=color)
    ndim = image.GetDimension()
    image.SetSpacing([0.5, 1.25, 3.0][:ndim])
    image.SetOrigin([-7.0, 11.0, 5.0][:ndim])
    image.SetDirection(direction.ravel().tolist())
    return image


def assert_is(image: Image, itk: Any) -> None:
    """Every value and its place are as ITK has them."""
    raw = SimpleITK.GetArrayFromImage(itk)
    index = np.argwhere(np.ones(image.grid.shape))
    stored = image.stored.apply(index)
    np.testing.assert_allclose(stored, stored.round(), atol=1e-9)
    places = stored.round().astype(int)
    np.testing.assert_array_equal(raw[tuple(places.T)], image.array[tuple(index.T)])
    world = [itk.TransformIndexToPhysicalPoint(place[::-1].tolist()) for place in places]
    np.testing.assert_allclose(image.grid.index_to_world(index), world, atol=1e-6)
    assert image.array.dtype == raw.dtype


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_all_axis_orders_are_turned_to_lps_with_values_and_places_of_itk(
    tmp_path: Path, suffix: str, angle: float
) -> None:
    for number, (order, signs) in enumerate(product(permutations(range(3)), product((1, -1), repeat=3))):
        if number % 5:  # ten of the 48, of every permutation
            continue
        itk = itk_image(VOLUME, rotation(angle) @ (np.eye(3)[list(order)] * signs))
        path = tmp_path / f"{number}{suffix}"
        SimpleITK.WriteImage(itk, str(path), number % 2 == 0)  # half of them compressed
        image = read_image(path)
        assert_is(image, itk)
        assert (np.diag(np.fliplr(image.grid.direction)) > 0.8).all()
        assert read_geometry(path).grid == image.grid
        assert image.notes == ()


@pytest.mark.parametrize("suffix", FORMATS)
def test_pictures_and_colours(tmp_path: Path, suffix: str) -> None:
    angle = 0.2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for array, color in ((PICTURE, False), (COLOUR, True), (COLOUR.astype("uint16") * 257, True)):
        itk = itk_image(array, turn, color)
        path = tmp_path / f"image{suffix}"
        SimpleITK.WriteImage(itk, str(path))
        image = read_image(path)
        assert_is(image, itk)
        assert image.is_color == color
        np.testing.assert_array_equal(image.array, array)
    rgb_volume = itk_image(np.stack([COLOUR] * 4), np.diag([-1.0, 1, -1]), True)
    SimpleITK.WriteImage(rgb_volume, str(tmp_path / f"volume{suffix}"), True)
    assert_is(read_image(tmp_path / f"volume{suffix}"), rgb_volume)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_kind_of_number(tmp_path: Path, suffix: str, dtype: str) -> None:
    itk = itk_image((VOLUME // 8).astype(dtype), np.eye(3))
    SimpleITK.WriteImage(itk, str(tmp_path / f"image{suffix}"))
    assert_is(read_image(tmp_path / f"image{suffix}"), itk)


@pytest.mark.parametrize("suffix", FORMATS)
def test_vectors_and_several_volumes_are_refused_with_the_cure(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    field = SimpleITK.GetImageFromArray(RNG.random((4, 5, 6, 3)), isVector=True)
    two = SimpleITK.GetImageFromArray(COLOUR[..., :2].copy(), isVector=True)
    many = SimpleITK.GetImageFromArray(RNG.random((2, 4, 5, 6)), isVector=False)
    for itk, words in ((field, "3 numbers"), (two, "2 numbers"), (many, "several volumes")):
        SimpleITK.WriteImage(itk, str(path))
        for reader in (read_image, read_geometry):
            with pytest.raises(ImageError, match=f"{words}.*save") as raised:
                reader(path)
            assert str(raised.value).startswith(str(path))


@pytest.mark.parametrize("suffix", FORMATS)
def test_names_in_any_writing(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "Zähne 歯"
    folder.mkdir()
    itk = itk_image(VOLUME, np.eye(3))
    SimpleITK.WriteImage(itk, str(folder / f"Röntgen{suffix}"))
    assert_is(read_image(folder / f"Röntgen{suffix}"), itk)


def nrrd(path: Path, header: str, data: bytes = b"") -> Path:
    path.write_bytes(f"NRRD0004\n{header.strip()}\n\n".encode() + data)
    return path


def header(array: np.ndarray, *lines: str, encoding: str = "raw", endian: str = "little") -> str:
    kind = {"uint8": "unsigned char", "int16": "short"}[array.dtype.name]
    sizes = " ".join(str(n) for n in reversed(array.shape))
    common = f"type: {kind}\ndimension: {array.ndim}\nsizes: {sizes}\nencoding: {encoding}\nendian: {endian}"
    return "\n".join([common, *lines])


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
        ("LAS", (1, -1, 1)),
        ("left-posterior-superior", (1, 1, 1)),
        ("LPS", (1, 1, 1)),
    ],
)
def test_spaces_of_the_patient(tmp_path: Path, space: str, signs: tuple[int, ...]) -> None:
    lines = (f"space: {space}", "space directions: (0,0.5,0) (1.25,0,0) (0,0,-3)", "space origin: (1,2,3)")
    path = nrrd(tmp_path / "a.nrrd", header(VOLUME, *lines), VOLUME.tobytes())
    image = read_image(path)
    index = image.stored.inverse.apply([1, 2, 3])  # k, j, i
    expected = np.array([1 + 2 * 1.25, 2 + 3 * 0.5, 3 - 3.0]) * signs  # by hand, in the file's space
    np.testing.assert_allclose(image.grid.index_to_world(index), expected)
    assert image.array[tuple(index.round().astype(int))] == VOLUME[1, 2, 3]
    assert_is(image, SimpleITK.ReadImage(str(path)))


@pytest.mark.parametrize("space", ["space: 3D-right-handed", "space: scanner-xyz", "space dimension: 3"])
def test_a_space_that_is_not_the_patients_is_shown_as_stored_where_itk_has_it(tmp_path: Path, space: str) -> None:
    lines = (space, "space directions: (0,0.5,0) (1.25,0,0) (0,0,-3)", "space origin: (1,2,3)")
    path = nrrd(tmp_path / "a.nrrd", header(VOLUME, *lines), VOLUME.tobytes())
    image = read_image(path)
    np.testing.assert_array_equal(image.array, VOLUME)
    assert_is(image, SimpleITK.ReadImage(str(path)))
    assert NO_ORIENTATION in image.notes


@pytest.mark.parametrize(
    ("lines", "spacing", "note"),
    [
        ((), None, False),
        (("spacings: 0.5 1.25 3",), (3.0, 1.25, 0.5), True),
        (("spacings: 0.5 1.25 3", 'units: "mm" "mm" "mm"'), (3.0, 1.25, 0.5), False),
        (("spacings: 500 1250 3000", 'units: "um" "um" "micron"'), (3.0, 1.25, 0.5), False),
        (("spacings: 0.5 1.25 nan",), None, False),
        (("spacings: 0.5 1.25 3", 'units: "mm" "mm" "s"'), None, False),
    ],
)
def test_a_spacing_is_known_as_far_as_it_is_stated(
    tmp_path: Path, lines: tuple[str, ...], spacing: tuple[float, ...] | None, note: bool
) -> None:
    path = nrrd(tmp_path / "a.nrrd", header(VOLUME, *lines), VOLUME.tobytes())
    image = read_image(path)
    np.testing.assert_array_equal(image.array, VOLUME)
    assert image.grid.spacing == (None if spacing is None else pytest.approx(spacing))
    assert (NO_UNIT in image.notes) == note
    assert NO_ORIENTATION in image.notes
    assert read_geometry(path).notes == image.notes


def test_units_of_the_space(tmp_path: Path) -> None:
    lines = ["space: LPS", "space directions: (5,0,0) (0,6,0) (0,0,7)", "space origin: (10,20,30)"]
    path = nrrd(tmp_path / "a.nrrd", header(VOLUME, *lines, 'space units: "cm" "cm" "cm"'), VOLUME.tobytes())
    grid = read_geometry(path).grid
    assert grid.spacing == pytest.approx((70, 60, 50))
    np.testing.assert_allclose(grid.origin, [100, 200, 300])
    path = nrrd(tmp_path / "b.nrrd", header(VOLUME, *lines, 'space units: "voxel" "" ""'), VOLUME.tobytes())
    assert read_geometry(path).grid.spacing is None


@pytest.mark.parametrize("encoding", ["raw", "gzip", "gz", "bzip2", "bz2", "ascii", "text"])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_encodings_and_byte_orders(tmp_path: Path, encoding: str, endian: str) -> None:
    raw = VOLUME.astype(">i2" if endian == "big" else "<i2").tobytes()
    text = " ".join(str(n) for n in VOLUME.ravel()).encode()
    packed = {"gzip": gzip.compress, "gz": gzip.compress, "bzip2": bz2.compress, "bz2": bz2.compress}
    data = packed[encoding](raw) if encoding in packed else raw if encoding == "raw" else text
    path = nrrd(tmp_path / "a.nrrd", header(VOLUME, encoding=encoding, endian=endian), data)
    image = read_image(path)
    np.testing.assert_array_equal(image.array, VOLUME)
    assert image.array.dtype.isnative


@pytest.mark.parametrize(("skip", "before"), [("byte skip: 7", b"x" * 7), ("byte skip: -1", b"any words")])
def test_detached_values_behind_something_else(tmp_path: Path, skip: str, before: bytes) -> None:
    (tmp_path / "values.bin").write_bytes(b"first line\n" + before + VOLUME.tobytes())
    lines = ["data file: values.bin", skip] + (["line skip: 1"] if "7" in skip else [])
    path = tmp_path / "a.nhdr"
    path.write_text("NRRD0004\n" + header(VOLUME, *lines))  # no blank line at its end
    np.testing.assert_array_equal(read_image(path).array, VOLUME)


def test_colours_of_an_nrrd_on_any_axis(tmp_path: Path) -> None:
    for axis in range(3):
        array = np.ascontiguousarray(np.moveaxis(COLOUR, -1, axis))
        kinds = ["domain", "domain"]
        kinds.insert(2 - axis, "RGB-color")
        path = nrrd(tmp_path / "a.nrrd", header(array, f"kinds: {' '.join(kinds)}"), array.tobytes())
        np.testing.assert_array_equal(read_image(path).array, COLOUR)
    rgba = np.dstack([COLOUR, COLOUR[..., :1]])
    path = nrrd(tmp_path / "a.nrrd", header(rgba, "kinds: RGBA-color domain domain"), rgba.tobytes())
    np.testing.assert_array_equal(read_image(path).array, COLOUR)


def test_axes_of_one_sample_are_dropped(tmp_path: Path) -> None:
    array = VOLUME[:, None]
    lines = ("space: LPS", "kinds: domain domain list domain")
    directions = "space directions: (1,0,0) (0,1,0) none (0,0,1)"
    path = nrrd(tmp_path / "a.nrrd", header(array, *lines, directions), array.tobytes())
    np.testing.assert_array_equal(read_image(path).array, VOLUME)


def test_a_slice_somewhere_in_a_volume_is_a_picture(tmp_path: Path) -> None:
    lines = ("space: LPS", "space directions: (0,0.6,0.8) (2,0,0)", "space origin: (1,2,3)")
    path = nrrd(tmp_path / "a.nrrd", header(VOLUME[0], *lines), VOLUME[0].tobytes())
    image = read_image(path)
    assert image.grid.spacing == pytest.approx((2, 1))
    assert len(image.notes) == 1


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("space: LPS", "space directions: (1,0,0) (0,1,0) (0,0.4,1)"), "sheared.*3D Slicer"),
        (("space: LPS", "space directions: (1,0,0) (0,1,0) (0,0,nan)"), "voxel size"),
        (("space: LPS", "space directions: (1,0,0) (0,1,0) (0,0,inf)"), "voxel size"),
        (("space: LPS", "space directions: (1,0,0) (0,1,0) (0,0,0)"), "voxel size"),
        (("space: LPS", "space directions: (1,0,0) (0,1,0) (0,0,1)", "space origin: (1,nan,2)"), "voxel size"),
        (("space: LPS", "space directions: (1,0,0) (0,1,0) (0,0,1)", "space origin: (1,2)"), "does not fit"),
        (("space: LPS", "space directions: (1,0,0) (0,1,0)"), "do not fit"),
        (("space: LPS", "space directions: (1,0) (0,1) (1,1)"), "does not fit"),
        (("spacings: 1 -1 1",), "spacing"),
        (("spacings: 1 inf 1",), "spacing"),
        (("sizes: 1 2",), "sizes"),
        (("sizes: 0 5 4",), "sizes"),
        (("type: block",), "plain numbers"),
        (("encoding: hex",), "hex"),
        (("kinds: domain domain time",), "several volumes"),
        (("kinds: domain domain list",), "several volumes"),
        (("data file: other.raw",), r"other\.raw, which is not there"),
        (("data file: a%02d.raw 1 4 1",), "several files"),
        (("data file: LIST",), "several files"),
        (("byte skip: 100",), "cut off"),
    ],
)
def test_what_is_refused_of_nrrd(tmp_path: Path, lines: tuple[str, ...], words: str) -> None:
    path = nrrd(tmp_path / "bad.nrrd", header(VOLUME, *lines), VOLUME.tobytes())
    with pytest.raises(ImageError, match=words) as raised:
        read_image(path)
    assert str(tmp_path) in str(raised.value)


def mha(path: Path, data: bytes, **fields: str) -> Path:
    common = {"ObjectType": "Image", "NDims": "3", "DimSize": "6 5 4", "ElementType": "MET_SHORT"}
    lines = {**common, **fields, "ElementDataFile": fields.get("ElementDataFile", "LOCAL")}
    lines["ElementDataFile"] = lines.pop("ElementDataFile")
    path.write_bytes("".join(f"{name} = {text}\n" for name, text in lines.items()).encode() + data)
    return path


def test_what_a_metaimage_does_not_state_is_not_known(tmp_path: Path) -> None:
    path = mha(tmp_path / "a.mha", VOLUME.tobytes())
    image = read_image(path)
    np.testing.assert_array_equal(image.array, VOLUME)
    assert image.grid.spacing is None
    assert NO_ORIENTATION in image.notes
    path = mha(tmp_path / "b.mha", VOLUME.tobytes(), ElementSpacing="0.5 1 2", Offset="1 2 3")
    image = read_image(path)
    assert_is(image, SimpleITK.ReadImage(str(path)))
    assert NO_ORIENTATION in image.notes
    path = mha(tmp_path / "c.mha", VOLUME.tobytes(), ElementSpacing="5 10 20", Offset="1 2 3", DistanceUnits="cm")
    assert read_geometry(path).grid.spacing == pytest.approx((200, 100, 50))
    np.testing.assert_allclose(read_geometry(path).grid.origin, [10, 20, 30])


@pytest.mark.parametrize("name", ["TransformMatrix", "Orientation", "Rotation"])
def test_old_names_of_a_metaimages_fields(tmp_path: Path, name: str) -> None:
    matrix = "0 1 0 0 0 1 1 0 0"  # neither symmetric nor straight: rows and columns cannot be mistaken
    fields = {name: matrix, "Position": "1 2 3", "ElementSpacing": "0.5 1 2"}
    path = mha(tmp_path / "a.mha", VOLUME.tobytes(), **fields)
    assert_is(read_image(path), SimpleITK.ReadImage(str(path)))


def test_other_ways_to_write_a_metaimage(tmp_path: Path) -> None:
    swapped = {"BinaryDataByteOrderMSB": "True"}
    path = mha(tmp_path / "a.mha", VOLUME.astype(">i2").tobytes(), **swapped)
    np.testing.assert_array_equal(read_image(path).array, VOLUME)
    text = " ".join(str(n) for n in VOLUME.ravel()).encode()
    np.testing.assert_array_equal(read_image(mha(tmp_path / "b.mha", text, BinaryData="False")).array, VOLUME)
    (tmp_path / "values").write_bytes(b"something" + VOLUME.tobytes())
    for size in ("9", "-1"):
        path = mha(tmp_path / "c.mhd", b"", HeaderSize=size, ElementDataFile="values")
        np.testing.assert_array_equal(read_image(path).array, VOLUME)
    path = mha(tmp_path / "d.mha", VOLUME.tobytes(), NDims="4", DimSize="6 5 4 1", ElementSpacing="1 2 3 4")
    assert read_image(path).grid.spacing == (3, 2, 1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"TransformMatrix": "1 0 0 0 1 0.4 0 0 1"}, "sheared.*3D Slicer"),
        ({"TransformMatrix": "1 0 0 0 1 0 0 0 nan"}, "voxel size"),
        ({"TransformMatrix": "1 0 0 0 1 0 0 0 0"}, "voxel size"),
        ({"TransformMatrix": "1 0 0 1"}, "does not fit"),
        ({"Offset": "1 inf 2"}, "voxel size"),
        ({"ElementSpacing": "1 nan 2"}, "spacing"),
        ({"ElementSpacing": "1 -1 2"}, "spacing"),
        ({"ElementSpacing": "1 0 2"}, "spacing"),
        ({"DimSize": "6 5"}, "sizes"),
        ({"DimSize": "6 -5 4"}, "sizes"),
        ({"ElementType": "MET_OTHER"}, "plain numbers"),
        ({"ElementDataFile": "LIST"}, "several files"),
        ({"ElementDataFile": "a%02d.raw 1 4 1"}, "several files"),
        ({"ElementDataFile": "gone.raw"}, r"gone\.raw, which is not there"),
        ({"CompressedData": "True"}, "could not be read"),
        ({"NDims": "4", "DimSize": "6 5 2 2"}, "several volumes"),
        ({"ElementSpacing": "one two three"}, "could not be read"),
    ],
)
def test_what_is_refused_of_metaimage(tmp_path: Path, fields: dict[str, str], words: str) -> None:
    path = mha(tmp_path / "bad.mha", VOLUME.tobytes(), **fields)
    with pytest.raises(ImageError, match=words) as raised:
        read_image(path)
    assert str(raised.value).startswith(str(path))
