"""TIFF; tifffile and Pillow write, each with values and sizes that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import read_geometry, read_image

RNG = np.random.default_rng(4)
GREY = RNG.integers(0, 255, (5, 7), dtype="uint8")
DEEP = RNG.integers(0, 60000, (5, 7), dtype="uint16")
COLOUR = RNG.integers(0, 255, (5, 7, 3), dtype="uint8")
STACK = RNG.integers(0, 60000, (4, 5, 7), dtype="uint16")


@pytest.mark.parametrize(
    ("array", "options", "shape"),
    [
        (GREY, {}, (5, 7)),
        (DEEP, {}, (5, 7)),
        (DEEP.astype("float32") / 7, {}, (5, 7)),
        (DEEP, {"byteorder": ">"}, (5, 7)),
        (COLOUR, {"photometric": "rgb"}, (5, 7)),
        (STACK, {"photometric": "minisblack"}, (4, 5, 7)),
        (STACK, {"imagej": True, "metadata": {"axes": "ZYX"}}, (4, 5, 7)),
        (STACK, {"ome": True, "metadata": {"axes": "ZYX"}}, (4, 5, 7)),
        (STACK[:1], {"photometric": "minisblack"}, (5, 7)),
        (STACK[:, :1], {"photometric": "minisblack"}, (4, 1, 7)),
        (np.stack([COLOUR] * 4), {"photometric": "rgb"}, (4, 5, 7)),
        (np.stack([COLOUR] * 4), {"imagej": True, "metadata": {"axes": "ZYXS"}}, (4, 5, 7)),
        (GREY, {"compression": "zlib"}, (5, 7)),
        (STACK, {"photometric": "minisblack", "tile": (16, 16)}, (4, 5, 7)),
    ],
)
def test_values_and_axes(tmp_path: Path, array: np.ndarray, options: dict[str, Any], shape: tuple[int, ...]) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, array, **options)
    image = read_image(path)
    assert image.grid.shape == shape
    assert image.array.dtype == array.dtype
    assert image.array.dtype.isnative
    np.testing.assert_array_equal(image.array, array.reshape(image.array.shape))
    assert image.is_color == (array.shape[-1] == 3)
    assert image.grid.spacing is None
    assert read_geometry(path).grid == image.grid


def test_colours_in_separate_planes(tmp_path: Path) -> None:
    path = tmp_path / "planar.tif"
    tifffile.imwrite(path, np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(path).array, COLOUR)


def test_alpha_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "alpha.tif"
    rgba = np.dstack([COLOUR, GREY])
    tifffile.imwrite(path, rgba, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(read_image(path).array, COLOUR)
    tifffile.imwrite(
        path,
        np.dstack([GREY, GREY]),
        photometric="minisblack",
        extrasamples=["unassalpha"],
        planarconfig="contig",
    )
    np.testing.assert_array_equal(read_image(path).array, GREY)


def test_a_palette_becomes_colours(tmp_path: Path) -> None:
    path = tmp_path / "palette.tif"
    colours = np.zeros((3, 256), "uint16")
    colours[:, 1], colours[:, 2] = (65535, 0, 0), (0, 32768, 65535)
    tifffile.imwrite(path, np.array([[1, 2], [0, 1]], "uint8"), photometric="palette", colormap=colours)
    image = read_image(path)
    assert image.is_color
    assert image.array.tolist() == [[[255, 0, 0], [0, 128, 255]], [[0, 0, 0], [255, 0, 0]]]


def test_white_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "film.tif"
    tifffile.imwrite(path, GREY, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(path).array, 255 - GREY)
    tifffile.imwrite(path, DEEP, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(path).array, 65535 - DEEP)


def test_black_and_white(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    tifffile.imwrite(path, GREY > 100, photometric="minisblack")
    np.testing.assert_array_equal(read_image(path).array, np.where(GREY > 100, 255, 0).astype("uint8"))


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_compressed_by_another_program(tmp_path: Path, compression: str) -> None:
    for name, array in {"grey": GREY, "deep": DEEP, "colour": COLOUR}.items():
        path = tmp_path / f"{name}.tif"
        Pillow.fromarray(array).save(path, compression=compression)
        np.testing.assert_array_equal(read_image(path).array, array)
    pages = [Pillow.fromarray(page) for page in STACK]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:], compression=compression)
    np.testing.assert_array_equal(read_image(tmp_path / "stack.tif").array, STACK)


def test_compressed_black_and_white_of_either_sense(tmp_path: Path) -> None:
    mask = GREY > 100
    for sense in (0, 1):
        path = tmp_path / f"fax{sense}.tif"
        Pillow.fromarray(mask).save(path, compression="tiff_lzw", tiffinfo={262: sense})
        with Pillow.open(path) as picture:
            expected = np.asarray(picture.convert("L"))
        np.testing.assert_array_equal(read_image(path).array, expected)


@pytest.mark.parametrize(
    ("unit", "mm"), [("um", 1e-3), ("micron", 1e-3), ("mm", 1.0), ("\\u00B5m", 1e-3), ("cm", 10.0)]
)
def test_spacing_that_imagej_states(tmp_path: Path, unit: str, mm: float) -> None:
    path = tmp_path / "image.tif"
    metadata = {"axes": "ZYX", "unit": unit, "spacing": 3.0}
    tifffile.imwrite(path, STACK, imagej=True, resolution=(2.0, 4.0), metadata=metadata)  # pixels per unit in x, y
    assert read_geometry(path).grid.spacing == pytest.approx((3.0 * mm, 0.25 * mm, 0.5 * mm))


@pytest.mark.parametrize(
    "metadata",
    [{"axes": "ZYX"}, {"axes": "ZYX", "unit": "pixel", "spacing": 1}, {"axes": "ZYX", "unit": "mm"}],
)
def test_spacing_that_imagej_leaves_open(tmp_path: Path, metadata: dict[str, Any]) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, STACK, imagej=True, resolution=(2.0, 4.0), metadata=metadata)
    assert read_geometry(path).grid.spacing is None


def test_spacing_that_ome_states(tmp_path: Path) -> None:
    path = tmp_path / "image.ome.tif"
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 250, "PhysicalSizeYUnit": "nm"}
    depth = {"PhysicalSizeZ": 2, "PhysicalSizeZUnit": "mm"}
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "ZYX", **sizes, **depth})
    assert read_geometry(path).grid.spacing == pytest.approx((2.0, 0.00025, 0.0005))
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "ZYX", **sizes})
    assert read_geometry(path).grid.spacing is None
    tifffile.imwrite(path, GREY, ome=True, metadata={"axes": "YX", **sizes})
    assert read_geometry(path).grid.spacing == pytest.approx((0.00025, 0.0005))


def test_dots_per_inch_are_no_spacing(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, GREY, resolution=(300, 300), resolutionunit="inch")
    assert read_geometry(path).grid.spacing is None


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (STACK, {"imagej": True, "metadata": {"axes": "CYX"}}),
        (STACK, {"imagej": True, "metadata": {"axes": "TYX"}}),
        (STACK.reshape(2, 2, 5, 7), {"imagej": True, "metadata": {"axes": "TZYX"}}),
        (STACK[:3], {"photometric": "minisblack", "planarconfig": "separate"}),
        (STACK.astype("complex64"), {"photometric": "minisblack"}),
    ],
)
def test_what_is_refused(tmp_path: Path, array: np.ndarray, options: dict[str, Any]) -> None:
    path = tmp_path / "many.tif"
    tifffile.imwrite(path, array, **options)
    for reader in (read_image, read_geometry):
        with pytest.raises(ImageError, match="save"):
            reader(path)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "ZYX"}},
        {"compression": "zlib"},
        {"tile": (16, 16)},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"contiguous": False, "metadata": None},
    ],
)
def test_a_stack_that_is_cut_off_never_seems_a_smaller_one(tmp_path: Path, options: dict[str, Any]) -> None:
    stack = np.random.default_rng(5).integers(0, 60000, (6, 30, 40), dtype="uint16")
    path = tmp_path / "image.tif"
    with tifffile.TiffWriter(path, **{k: options[k] for k in options if k in WRITER}) as writer:
        rest = {k: options[k] for k in options if k not in WRITER}
        for pages in [stack] if rest.get("contiguous", True) else stack:
            writer.write(pages, photometric="minisblack", **rest)
    np.testing.assert_array_equal(read_image(path).array, stack)
    whole = path.read_bytes()
    refused = 0
    for size in range(1, len(whole), len(whole) // 60):
        path.write_bytes(whole[:size])
        try:
            array = read_image(path).array
        except ImageError:
            refused += 1
        else:
            np.testing.assert_array_equal(array, stack)
    assert refused >= 55


WRITER = ("imagej", "ome", "bigtiff", "byteorder")


def test_pages_in_a_circle(tmp_path: Path) -> None:
    path = tmp_path / "circle.tif"
    pages = [Pillow.fromarray(page) for page in STACK]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with tifffile.TiffFile(path) as file:
        first, last = file.pages.first.offset, file.pages.next_page_offset
    raw = bytearray(path.read_bytes())
    raw[last : last + 4] = first.to_bytes(4, "little")
    path.write_bytes(raw)
    for reader in (read_image, read_geometry):
        with pytest.raises(ImageError, match="circle"):
            reader(path)


def test_a_pyramid_is_read_in_full_resolution(tmp_path: Path) -> None:
    path = tmp_path / "pyramid.ome.tif"
    grey = np.random.default_rng(6).integers(0, 255, (64, 96), dtype="uint8")
    sizes = {"axes": "YX", "PhysicalSizeX": 2, "PhysicalSizeXUnit": "mm", "PhysicalSizeY": 3, "PhysicalSizeYUnit": "mm"}
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(grey, subifds=2, metadata=sizes, tile=(32, 32))
        for step in (2, 4):
            writer.write(grey[::step, ::step], subfiletype=1, tile=(32, 32))
    image = read_image(path)
    np.testing.assert_array_equal(image.array, grey)
    assert image.grid.spacing == (3, 2)
    assert image.notes == ()


def test_of_several_images_the_first_is_read_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(GREY, photometric="minisblack")
        writer.write(DEEP, photometric="minisblack")
    image = read_image(path)
    np.testing.assert_array_equal(image.array, GREY)
    assert image.notes == read_geometry(path).notes == ("The file holds 2 images, of which this is the first.",)


def test_the_unit_of_ome_without_one_is_the_schemas(tmp_path: Path) -> None:
    path = tmp_path / "image.ome.tif"
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 2}
    tifffile.imwrite(path, GREY, ome=True, metadata={"axes": "YX", **sizes})
    assert read_geometry(path).grid.spacing == pytest.approx((0.002, 0.0005))  # micrometres
    pixels = {"PhysicalSizeXUnit": "pixel", "PhysicalSizeYUnit": "pixel"}
    tifffile.imwrite(path, GREY, ome=True, metadata={"axes": "YX", **sizes, **pixels})
    assert read_geometry(path).grid.spacing is None


def test_units_that_imagej_states_for_single_axes(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    units = {"axes": "ZYX", "unit": "um", "yunit": "mm", "zunit": "cm", "spacing": 3.0}
    tifffile.imwrite(path, STACK, imagej=True, resolution=(2.0, 4.0), metadata=units)
    assert read_geometry(path).grid.spacing == pytest.approx((30.0, 0.25, 0.0005))
    tifffile.imwrite(path, STACK, imagej=True, resolution=(2.0, 4.0), metadata={**units, "zunit": "sec"})
    assert read_geometry(path).grid.spacing is None


def ome_in_two_files(folder: Path) -> tuple[Path, Path]:
    """An OME image of two slices, each in a file of its own."""
    names, ids = ("one.ome.tif", "two.ome.tif"), [f"urn:uuid:0000000{n}-0000-0000-0000-000000000000" for n in (1, 2)]
    parts = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{names[z]}">{ids[z]}</UUID></TiffData>'
        for z in (0, 1)
    )
    for z, name in enumerate(names):
        text = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{ids[z]}"><Image ID="Image:0">'
            '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="7" SizeY="5" SizeZ="2" SizeC="1" '
            f'SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{parts}</Pixels></Image></OME>'
        )
        tifffile.imwrite(folder / name, STACK[z], description=text, metadata=None, photometric="minisblack")
    return folder / names[0], folder / names[1]


def test_an_ome_image_in_several_files_is_read_only_as_a_whole(tmp_path: Path) -> None:
    one, two = ome_in_two_files(tmp_path)
    for path in (one, two):
        np.testing.assert_array_equal(read_image(path).array, STACK[:2])
    two.unlink()
    for reader in (read_image, read_geometry):
        with pytest.raises(ImageError, match="several files"):
            reader(one)


def test_compressed_deep_colours_keep_their_bits(tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    colours = np.random.default_rng(9).integers(0, 65535, (5, 7, 3), dtype="uint16")
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(tmp_path / "deep.tif"))
    writer.UseCompressionOn()
    writer.SetCompressor("LZW")
    writer.Execute(sitk.GetImageFromArray(colours, isVector=True))
    image = read_image(tmp_path / "deep.tif")
    assert image.array.dtype == np.uint16
    np.testing.assert_array_equal(image.array, colours)


def test_colours_that_are_not_red_green_and_blue_are_refused(tmp_path: Path) -> None:
    picture = Pillow.fromarray(np.random.default_rng(3).integers(0, 255, (9, 8, 3), dtype="uint8"))
    picture.convert("YCbCr").save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"a\.tif has 3 channels that are not red, green and blue"):
        read_image(tmp_path / "a.tif")
