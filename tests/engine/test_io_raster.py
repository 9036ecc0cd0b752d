"""PNG, JPEG and BMP; Pillow's own turning by EXIF is the oracle for orientation."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import read_geometry, read_image

GREY = np.random.default_rng(2).integers(0, 255, (5, 7), dtype="uint8")
COLOUR = np.random.default_rng(3).integers(0, 255, (5, 7, 3), dtype="uint8")


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_values_are_kept(tmp_path: Path, suffix: str) -> None:
    for name, array in {"grey": GREY, "colour": COLOUR}.items():
        path = tmp_path / (name + suffix)
        Pillow.fromarray(array).save(path)
        image = read_image(path)
        np.testing.assert_array_equal(image.array, array)
        assert image.array.dtype == np.uint8
        assert image.is_color == (name == "colour")
        assert image.grid.shape == (5, 7)
        assert image.grid.spacing is None


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    array = GREY.astype("uint16") * 257
    Pillow.fromarray(array).save(tmp_path / "deep.png")
    image = read_image(tmp_path / "deep.png")
    assert image.array.dtype == np.uint16
    np.testing.assert_array_equal(image.array, array)


def test_dots_per_inch_are_no_spacing(tmp_path: Path) -> None:
    Pillow.fromarray(GREY).save(tmp_path / "a.png", dpi=(300, 300))
    assert read_geometry(tmp_path / "a.png").grid.spacing is None


def test_a_palette_becomes_colours(tmp_path: Path) -> None:
    picture = Pillow.fromarray(np.array([[0, 1], [2, 1]], dtype="uint8"))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.info["transparency"] = bytes([0, 128, 255])
    picture.save(tmp_path / "palette.png", transparency=bytes([0, 128, 255]))
    array = read_image(tmp_path / "palette.png").array
    assert array.tolist() == [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [0, 255, 0]]]


@pytest.mark.parametrize(("mode", "channels"), [("RGBA", 3), ("LA", 1), ("1", 1), ("CMYK", 3)])
def test_other_modes(tmp_path: Path, mode: str, channels: int) -> None:
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    picture = Pillow.fromarray(np.full((5, 7, 3), 255, "uint8")).convert(mode)
    if mode in ("RGBA", "LA"):
        picture.putalpha(0)  # transparent white stays white
    picture.save(path)
    array = read_image(path).array
    assert array.shape == ((5, 7) if channels == 1 else (5, 7, 3))
    assert array.dtype == np.uint8
    assert (array == 255).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_by_image_and_header(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = tmp_path / f"turned{suffix}"
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(COLOUR).save(path, exif=exif)
    with Pillow.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    image = read_image(path)
    np.testing.assert_array_equal(image.array, expected)
    assert read_geometry(path).grid.shape == image.grid.shape == expected.shape[:2]
    np.testing.assert_array_equal(image.stored.matrix, np.eye(3))


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_unknown_orientation_turns_nothing(tmp_path: Path, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(COLOUR).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").array, COLOUR)


def test_exif_behind_the_pixels_cannot_make_header_and_image_disagree(tmp_path: Path) -> None:
    path = tmp_path / "late.png"
    Pillow.fromarray(COLOUR).save(path)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    raw = path.read_bytes()
    path.write_bytes(raw[:-12] + chunk + raw[-12:])
    assert read_image(path).grid == read_geometry(path).grid


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    Pillow.fromarray(np.tile(COLOUR, (30, 30, 1))).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ImageError, match=r"cut\.jpg could not be read"):
        read_image(path)


def test_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Pillow.fromarray(COLOUR).save(tmp_path / "a.png")
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ImageError, match="too many pixels"):
        read_geometry(tmp_path / "a.png")
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 20)  # here Pillow only warns, which must not reach a user
    assert read_geometry(tmp_path / "a.png").grid.shape == (5, 7)


def deep_png(path: Path, array: np.ndarray, kind: int) -> Path:
    """Write 16 bits a channel by hand (PNG specification, sections 9 to 11), as Pillow cannot."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    size = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], 16, kind, 0, 0, 0)
    body = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


DEEP = np.random.default_rng(4).integers(0, 65535, (5, 7, 4), dtype="uint16")


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (6, 4)])
@pytest.mark.parametrize("name", ["deep.png", "Röntgen 歯.png", "deep.jpg"])
def test_sixteen_bits_of_colour_are_kept(tmp_path: Path, kind: int, channels: int, name: str) -> None:
    path = deep_png(tmp_path / name, DEEP[..., :channels], kind)
    image = read_image(path)
    assert image.array.dtype == np.uint16
    np.testing.assert_array_equal(image.array, DEEP[..., :3])
    assert image.notes == read_geometry(path).notes == ()


def test_sixteen_bits_of_grey_with_transparency_are_rounded_and_that_is_said(tmp_path: Path) -> None:
    path = deep_png(tmp_path / "deep.png", DEEP[..., :2], 4)
    image = read_image(path)
    assert image.array.dtype == np.uint8
    assert image.array.shape == (5, 7)
    np.testing.assert_allclose(image.array, DEEP[..., 0] / 257, atol=1)
    assert image.notes == read_geometry(path).notes == ("The file's 16-bit values are read with 8 bits.",)


def test_deep_colours_that_only_pillow_reads_are_rounded_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = deep_png(tmp_path / "deep.png", DEEP[..., :3], 2)
    monkeypatch.setattr("napari_landmarker.engine.io.raster.itk_pixels", lambda path: None)
    image = read_image(path)
    np.testing.assert_allclose(image.array, DEEP[..., :3] / 257, atol=1)
    assert image.array.dtype == np.uint8
    assert len(image.notes) == 1
