"""DICOM files of every encoding and compression; other decoders and the uncompressed pixels are the oracles."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import dataset, numbered
from PIL import Image as Pillow
from pydicom.data.data_manager import DATA_ROOT
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import read_image

SAMPLES = Path(DATA_ROOT) / "test_files"
GREY = numbered((6, 9), "uint16")


def sample(name: str, folder: Path) -> Path:
    """A copy, in a folder alone, of a file that pydicom installs with its tests."""
    if not (SAMPLES / name).exists():
        pytest.skip(f"this pydicom comes without {name}")
    return Path(shutil.copy(SAMPLES / name, folder / name))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_encodings_without_compression_of_pixels(tmp_path: Path, syntax: str) -> None:
    source = dataset(GREY)
    source.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        source.PixelData = GREY.astype(">u2").tobytes()
    source.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    image = read_image(tmp_path / "a.dcm")
    np.testing.assert_array_equal(image.array, GREY)
    assert image.array.dtype.isnative


def test_rle(tmp_path: Path) -> None:
    for name, source in (("a", dataset(GREY)), ("b", dataset(numbered((6, 9)) - np.int16(20)))):
        expected = source.pixel_array
        source.compress(RLELossless)
        source.save_as(tmp_path / f"{name}.dcm", enforce_file_format=True)
        np.testing.assert_array_equal(read_image(tmp_path / f"{name}.dcm").array, expected)


def test_jpeg_baseline(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(32), np.arange(40)).astype("uint8")
    packed = io.BytesIO()
    Pillow.fromarray(smooth).save(packed, "JPEG", quality=95)
    source = dataset(smooth, syntax=JPEGBaseline8Bit)
    source.PixelData = encapsulate([packed.getvalue()])
    source["PixelData"].is_undefined_length = True
    source.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm").array, np.array(Pillow.open(packed)))


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_lossless_jpeg_and_jpeg_2000_as_itk_writes_them(
    tmp_path: Path, compressor: str, dtype: str, capfd: pytest.CaptureFixture[str]
) -> None:
    import SimpleITK

    array = (np.random.default_rng(2).integers(0, 250, (24, 33)) * (1 if dtype == "uint8" else 99)).astype(dtype)
    array -= 0 if dtype[0] == "u" else np.int16(9000)
    writer = SimpleITK.ImageFileWriter()
    writer.SetFileName(str(tmp_path / "a.dcm"))
    writer.SetUseCompression(True)
    writer.SetCompressor(compressor)
    writer.Execute(SimpleITK.GetImageFromArray(array))
    syntax = pydicom.dcmread(tmp_path / "a.dcm").file_meta.TransferSyntaxUID
    assert syntax.name.startswith({"JPEG": "JPEG Lossless", "JPEG2000": "JPEG 2000"}[compressor])
    capfd.readouterr()
    image = read_image(tmp_path / "a.dcm")
    np.testing.assert_array_equal(image.array, array)
    assert image.array.dtype == dtype
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("SC_rgb_jpeg_gdcm.dcm", None),
        ("SC_rgb_jls_lossy_line.dcm", None),
        ("SC_rgb_dcmtk_+eb+cy+s2.dcm", None),
        ("examples_jpeg2k.dcm", None),
        ("J2K_pixelrep_mismatch.dcm", None),
        ("JPGExtended.dcm", None),
        ("693_J2KI.dcm", None),
    ],
)
def test_compressed_files_of_other_programs(tmp_path: Path, name: str, plain: str | None) -> None:
    import SimpleITK

    path = sample(name, tmp_path)
    image = read_image(path)
    if plain is not None:
        expected = pydicom.dcmread(SAMPLES / plain).pixel_array
    else:
        expected = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))[0]
    np.testing.assert_array_equal(image.array, expected)


def test_compression_that_is_not_known_here(tmp_path: Path) -> None:
    source = dataset(GREY, syntax="1.2.840.10008.1.2.4.201")
    source.PixelData = encapsulate([b"rubbish"])
    source["PixelData"].is_undefined_length = True
    source.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(ImageError, match=r"High-Throughput JPEG 2000.*without compression\.$"):
        read_image(tmp_path / "a.dcm")


def test_a_frame_that_would_crash_its_decoder_is_refused(tmp_path: Path) -> None:
    path = sample("SC_rgb_jpeg_gdcm.dcm", tmp_path)
    content = bytearray(path.read_bytes())
    start = content.index(b"\xff\xc3")  # of the frame: marker, length, then bits, rows, columns
    for place, value in ((4, 255), (6, 7), (8, 7), (9, 1)):
        damaged = tmp_path / f"{place}.dcm"
        damaged.write_bytes(content[: start + place] + bytes([value]) + content[start + place + 1 :])
        with pytest.raises(ImageError, match="damaged"):
            read_image(damaged)


def test_a_frame_at_which_its_decoder_would_hang_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    Pillow.fromarray(GREY.astype("uint8")).save(packed, "JPEG2000")  # with the boxes of a JP2 file
    whole = packed.getvalue()
    for content, is_good in ((whole, True), (whole[:12] + bytes(4) + whole[16:], False)):
        source = dataset(GREY.astype("uint8"), syntax=JPEG2000Lossless)
        source.PixelData = encapsulate([content])
        source["PixelData"].is_undefined_length = True
        source.save_as(tmp_path / f"{is_good}.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_image(tmp_path / "True.dcm").array, GREY)
    with pytest.raises(ImageError, match="damaged"):
        read_image(tmp_path / "False.dcm")
