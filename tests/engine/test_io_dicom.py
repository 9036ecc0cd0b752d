"""Single DICOM images: spacing, values, colours, and files that are none."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import dicom_files
import numpy as np
import pydicom
import pytest
from dicom_files import CAPTURE, CT, MR, RADIOGRAPH, REPORT, dataset, numbered, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import image_stem, is_image_file, read_geometry, read_image

GREY = numbered((6, 9), "uint16")


@pytest.mark.parametrize("sop_class", [RADIOGRAPH, CAPTURE, MR])
def test_a_single_file_is_an_image_of_two_dimensions(tmp_path: Path, sop_class: str) -> None:
    path = write(
        tmp_path / "a.dcm",
        GREY,
        sop_class,
        PixelSpacing=[0.2, 0.3],
        ImagePositionPatient=[1, 2, 3],
        ImageOrientationPatient=list(dicom_files.SAGITTAL),
    )
    for given_path in (path, tmp_path):
        image, geometry = read_image(given_path), read_geometry(given_path)
        np.testing.assert_array_equal(image.array, GREY)
        assert image.array.dtype == np.uint16
        assert image.grid == geometry.grid
        assert image.grid.spacing == (0.2, 0.3)
        assert image.notes == geometry.notes
        np.testing.assert_array_equal(image.stored.matrix, np.eye(3))


@pytest.mark.parametrize(
    ("tags", "spacing", "words"),
    [
        ({"PixelSpacing": [0.2, 0.3]}, (0.2, 0.3), ["header's PixelSpacing."]),
        ({"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2]}, (0.2, 0.2), ["PixelSpacing", "magnified"]),
        (
            {"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.3, 0.3], "PixelSpacingCalibrationType": "FIDUCIAL"},
            (0.2, 0.2),
            ["header's PixelSpacing", "object of known size"],
        ),
        ({"ImagerPixelSpacing": [0.14, 0.15]}, (0.14, 0.15), ["ImagerPixelSpacing", "at the detector", "magnified"]),
        (
            {"ImagerPixelSpacing": [0.14, 0.15], "EstimatedRadiographicMagnificationFactor": 1.25},
            (0.14, 0.15),
            ["1.25 times"],
        ),
        ({"NominalScannedPixelSpacing": [0.1, 0.1]}, (0.1, 0.1), ["NominalScannedPixelSpacing", "film"]),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.5, 0.5]}, (0.5, 0.5), ["ImagerPixelSpacing"]),
        ({"PixelSpacing": [-1, 1]}, None, []),
        ({}, None, []),
    ],
)
def test_which_spacing_counts_is_said(
    tmp_path: Path, tags: dict[str, Any], spacing: tuple[float, ...] | None, words: list[str]
) -> None:
    image = read_image(write(tmp_path / "a.dcm", GREY, RADIOGRAPH, **tags))
    assert image.grid.spacing == spacing
    assert len(image.notes) == bool(words)
    for word in words:
        assert word in image.notes[0]


def test_a_spacing_that_is_no_number_counts_as_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", GREY, RADIOGRAPH, PixelSpacing=[0.25, 0.25])
    content = path.read_bytes()
    assert content.count(b"0.25\\0.25") == 1
    path.write_bytes(content.replace(b"0.25\\0.25", b"0,25\\0,25"))
    assert read_image(path).grid.spacing is None


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32"])
def test_values_without_a_scale_stay_as_stored(tmp_path: Path, dtype: str) -> None:
    array = np.array([[np.iinfo(dtype).min, 0, 1], [7, 100, np.iinfo(dtype).max]], dtype)
    image = read_image(write(tmp_path / "a.dcm", array))
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(image.array, array)


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "dtype"),
    [
        ("uint16", 1, -1024, "int16"),
        ("int16", 2, 5, "int16"),
        ("uint8", 1, 0, "uint8"),
        ("uint16", 1000, 0, "int32"),
        ("uint16", 0.5, 0, "float32"),
        ("int16", 1, 0.25, "float32"),
    ],
)
def test_values_are_rescaled(tmp_path: Path, stored: str, slope: float, intercept: float, dtype: str) -> None:
    array = numbered((6, 9), stored)
    tags = {"Modality": "CT", "RescaleSlope": slope, "RescaleIntercept": intercept}
    image = read_image(write(tmp_path / "a.dcm", array, CT, **tags))
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(image.array, array.astype(float) * slope + intercept)
    assert any("Hounsfield" in note for note in image.notes)


def test_high_bits_that_are_not_used_do_not_count(tmp_path: Path) -> None:
    array = np.array([[0x0001, 0x8001], [0x0FFF, 0xF800]], "uint16")
    unsigned = write(tmp_path / "u.dcm", array, BitsStored=12, HighBit=11)
    signed = write(tmp_path / "s.dcm", array, BitsStored=12, HighBit=11, PixelRepresentation=1)
    np.testing.assert_array_equal(read_image(unsigned).array, [[1, 1], [4095, 2048]])
    np.testing.assert_array_equal(read_image(signed).array, [[1, 1], [-1, -2048]])


def test_a_table_for_values_is_applied(tmp_path: Path) -> None:
    table = pydicom.Dataset()
    table.ModalityLUTType = "US"
    table.add_new("LUTDescriptor", "US", [4, 0, 16])
    table.add_new("LUTData", "US", [0, 10, 200, 3000])
    array = np.array([[0, 1], [2, 3]], "uint8")
    plain = write(tmp_path / "a.dcm", array, ModalityLUTSequence=[table])
    np.testing.assert_array_equal(read_image(plain).array, [[0, 10], [200, 3000]])
    dark = write(tmp_path / "b.dcm", array, ModalityLUTSequence=[table], PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_image(dark).array, 65535 - np.array([[0, 10], [200, 3000]]))


@pytest.mark.parametrize(
    ("function", "centre", "width", "expected"),
    [
        (None, 40, 400, (-160, 239)),  # PS3.3 C.11.2.1.2.1: c - 0.5 -+ (w - 1) / 2
        ("LINEAR", [2048, 7], [4096, 3], (0, 4095)),
        ("LINEAR_EXACT", 40, 400, (-160, 240)),
        ("SIGMOID", 0.5, 1, (0, 1)),
        (None, 40, 0, None),
    ],
)
def test_the_window_is_the_display_range(
    tmp_path: Path, function: str | None, centre: object, width: object, expected: object
) -> None:
    tags = {"WindowCenter": centre, "WindowWidth": width} | ({"VOILUTFunction": function} if function else {})
    image = read_image(write(tmp_path / "a.dcm", GREY, CT, RescaleIntercept=-1024, RescaleSlope=1, **tags))
    assert image.display_range == expected


@pytest.mark.parametrize(("stored", "bits"), [("uint8", 8), ("uint16", 12), ("int16", 16), ("int16", 12)])
def test_monochrome1_is_inverted_and_bright_stays_bright(tmp_path: Path, stored: str, bits: int) -> None:
    array = numbered((6, 9), stored)
    tags = {"BitsStored": bits, "HighBit": bits - 1, "WindowCenter": 20, "WindowWidth": 11}
    path = write(tmp_path / "a.dcm", array, RADIOGRAPH, PhotometricInterpretation="MONOCHROME1", **tags)
    image = read_image(path)
    low, high = (0, 2**bits - 1) if stored.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    np.testing.assert_array_equal(image.array, high - (array.astype(int) - low))
    assert image.array.dtype == stored
    assert any("MONOCHROME1" in note for note in image.notes)
    black, white = image.display_range or (0, 0)
    as_dicom = np.clip((array - 14.5) / 10, 0, 1)  # the window of the standard: 14.5 to 24.5
    np.testing.assert_allclose(np.clip((image.array - black) / (white - black), 0, 1), 1 - as_dicom, atol=1e-12)


def test_colours(tmp_path: Path) -> None:
    colours = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype="uint8")
    rgb = read_image(write(tmp_path / "rgb.dcm", colours, SamplesPerPixel=3))
    np.testing.assert_array_equal(rgb.array, colours)
    assert rgb.is_color
    assert rgb.display_range is None
    planar = dataset(colours, SamplesPerPixel=3, PlanarConfiguration=1)
    planar.PixelData = np.ascontiguousarray(np.moveaxis(colours, -1, 0)).tobytes()
    planar.save_as(tmp_path / "planar.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_image(tmp_path / "planar.dcm").array, colours)
    ycbcr = np.array(Pillow.fromarray(colours).convert("YCbCr"))
    ybr = read_image(write(tmp_path / "ybr.dcm", ycbcr, SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(ybr.array.astype(int) - colours).max() <= 2  # of rounding
    unknown = write(tmp_path / "hsv.dcm", colours, SamplesPerPixel=3, PhotometricInterpretation="HSV")
    with pytest.raises(ImageError, match="HSV"):
        read_image(unknown)


@pytest.mark.parametrize("bits", [8, 16])
def test_palettes_become_colours(tmp_path: Path, bits: int) -> None:
    levels = np.array([[0, 128, 255], [10, 20, 30]])
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, table in zip(("Red", "Green", "Blue"), levels.T, strict=True):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [2, 0, bits]
        entries = (
            np.array(table, "uint8").tobytes() if bits == 8 else (np.array(table) * 257).astype("uint16").tobytes()
        )
        tags[f"{colour}PaletteColorLookupTableData"] = entries
    image = read_image(write(tmp_path / "a.dcm", np.array([[0, 1], [1, 0]], "uint8"), **tags))
    np.testing.assert_array_equal(image.array, levels[[[0, 1], [1, 0]]])
    assert image.array.dtype == np.uint8


@pytest.mark.parametrize("name", ["IM000001", "1.2.840.77", "scan.mr", "a.IMA", "b.DCM", "c.dicom"])
def test_the_mark_inside_a_file_counts_where_its_name_says_nothing(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, GREY)
    assert is_image_file(path)
    np.testing.assert_array_equal(read_image(path).array, GREY)
    (tmp_path / "other.mr").write_bytes(bytes(200))
    assert not is_image_file(tmp_path / "other.mr")


def test_a_file_without_the_mark_is_read_where_its_name_says_dicom(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.dcm", GREY).read_bytes()
    (tmp_path / "bare.dcm").write_bytes(whole[132:])
    np.testing.assert_array_equal(read_image(tmp_path / "bare.dcm").array, GREY)


def test_stems() -> None:
    names = {"a.dcm": "a", "b.IMA": "b", "IM0001": "IM0001", "1.2.840.77": "1.2.840.77", "folder": "folder"}
    assert {name: image_stem(name) for name in names} == names


def bad_files(folder: Path) -> dict[str, str]:
    whole = write(folder / "whole.dcm", GREY).read_bytes()
    (folder / "empty.dcm").touch()
    (folder / "noise.dcm").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "words.dcm").write_text("no image")
    (folder / "marked.dcm").write_bytes(bytes(128) + b"DICM" + np.random.default_rng(0).bytes(500))
    (folder / "short_pixels.dcm").write_bytes(whole[:-20])
    (folder / "short_header.dcm").write_bytes(whole[:300])
    (folder / "picture.dcm").write_bytes(b"\x89PNG\r\n\x1a\n" + zlib.compress(bytes(500)))
    write(folder / "report.dcm", None, REPORT)
    write(folder / "header.dcm", GREY, CT, PixelData=None)
    write(folder / "directory.dcm", None, "1.2.840.10008.1.3.10")
    write(folder / "samples.dcm", np.zeros((4, 4, 2), "uint8"), SamplesPerPixel=2)
    write(folder / "unknown.dcm", GREY, PhotometricInterpretation="XYZ")
    return {
        "empty.dcm": "empty",
        "noise.dcm": "damaged",
        "words.dcm": "damaged",
        "marked.dcm": "damaged",
        "short_pixels.dcm": "damaged",
        "short_header.dcm": "lacks its pixels",
        "picture.dcm": "damaged",
        "report.dcm": "without an image",
        "header.dcm": "lacks its pixels",
        "directory.dcm": "lists the images",
        "samples.dcm": "2 numbers",
        "unknown.dcm": "XYZ",
    }


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name, words in bad_files(tmp_path).items():
        with pytest.raises(ImageError, match=words) as raised:
            read_image(tmp_path / name)
        message = str(raised.value)
        assert message.startswith(str(tmp_path / name))
        assert message.endswith(".")
        assert "\n" not in message
        assert dicom_files.PATIENT not in message
        if name not in ("short_pixels.dcm", "samples.dcm", "unknown.dcm"):  # their headers are whole
            with pytest.raises(ImageError, match=words):
                read_geometry(tmp_path / name)


def test_a_folder_without_dicom(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for reader in (read_image, read_geometry):
        with pytest.raises(ImageError, match="is a folder without DICOM images") as raised:
            reader(tmp_path)
        assert str(raised.value).startswith(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
@pytest.mark.parametrize("name", ["a.dcm", "noending"])
def test_a_file_that_may_not_be_read(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, GREY)
    path.chmod(0)
    for reader in (read_image, read_geometry):
        with pytest.raises(ImageError, match="permission"):
            reader(path)
    assert is_image_file(path) is name.endswith(".dcm")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = tmp_path / "whole.bin"
    if not whole.exists():
        write(whole, GREY, CT, PixelSpacing=[1, 2], RescaleSlope=1, RescaleIntercept=-5, WindowCenter=1, WindowWidth=9)
    content = bytearray(whole.read_bytes())
    for place in data.draw(st.lists(st.integers(128, len(content) - 1), max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    damaged = tmp_path / "damaged.dcm"
    damaged.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    for reader in (read_geometry, read_image):
        said = str(damaged)
        try:
            reader(damaged)
        except ImageError as error:
            said = str(error)
        assert str(tmp_path) in said
        assert dicom_files.PATIENT not in said
