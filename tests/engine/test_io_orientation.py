"""Volumes come in where their headers say, in one order of axes, and without a second copy in memory."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import read_geometry, read_image
from napari_landmarker.engine.io.orient import Reorientation
from napari_landmarker.engine.transforms import resample

SHARED = Path(__file__).parents[2] / "../shared/data/orientation"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")

#: 16 MB, which shows as well as more what is copied.
SHAPE = (32, 512, 512)
BYTES = int(np.prod(SHAPE)) * 2


@needs_shared
def test_eight_axis_orders_are_one_image() -> None:
    paths = sorted((SHARED / "nifti_axes").glob("*.nii.gz"))
    assert len(paths) == 8
    images = [read_image(path) for path in paths]
    for path, image in zip(paths, images, strict=True):
        np.testing.assert_array_equal(image.array, images[0].array)
        assert image.grid == images[0].grid
        assert read_geometry(path).grid == image.grid
        # the file's name is its order of axes: nibabel agrees
        assert "".join(nibabel.aff2axcodes(nibabel.load(path).affine)) == path.name[:3]


def assert_places_of_itk(path: Path, tolerance: float) -> None:
    itk, image = SimpleITK.ReadImage(str(path)), read_image(path)
    raw = SimpleITK.GetArrayFromImage(itk)
    rng = np.random.default_rng(0)
    for index in rng.integers(0, image.grid.shape, (50, 3)):
        stored = image.stored.apply(index).round().astype(int)
        assert raw[tuple(stored)] == image.array[tuple(index)]
        expected = itk.TransformIndexToPhysicalPoint(stored[::-1].tolist())
        np.testing.assert_allclose(image.grid.index_to_world(index), expected, atol=tolerance)


@needs_shared
@pytest.mark.parametrize(("name", "tolerance"), [("mha.mha", 1e-6), ("FLAIR.nrrd", 1e-6), ("FLAIR.nii.gz", 1e-2)])
def test_values_and_places_are_those_of_itk(name: str, tolerance: float) -> None:
    assert_places_of_itk(SHARED / name, tolerance)


@needs_shared
def test_the_flipped_volume_is_turned() -> None:
    geometry = read_geometry(SHARED / "mha.mha")
    assert geometry.grid.spacing == pytest.approx((3.8, 3.4375, 3.4375))
    np.testing.assert_allclose(geometry.grid.direction, np.fliplr(np.eye(3)))
    # by hand: y runs down from 82.3795, so the first row that is shown is the last of 64 that is stored
    np.testing.assert_allclose(geometry.grid.origin, [-108.281, 82.3795 - 63 * 3.4375, -47.8356], atol=1e-4)


@needs_shared
def test_the_oblique_volume_is_the_same_in_both_formats() -> None:
    one, other = read_image(SHARED / "FLAIR.nii.gz"), read_image(SHARED / "FLAIR.nrrd")
    np.testing.assert_array_equal(one.array, other.array)
    assert one.grid.shape == other.grid.shape
    np.testing.assert_allclose(one.grid.spacing, other.grid.spacing, atol=1e-4)
    np.testing.assert_allclose(one.grid.origin, other.grid.origin, atol=1e-4)
    np.testing.assert_allclose(one.grid.direction, other.grid.direction, atol=1e-4)


@needs_shared
def test_the_sheared_volume_is_refused_with_the_cure() -> None:
    for reader in (read_image, read_geometry):
        with pytest.raises(ImageError, match=r"shear\.nii\.gz has axes that are not at right .* resample it"):
            reader(SHARED / "shear.nii.gz")


def volume() -> np.ndarray:
    return np.broadcast_to(np.arange(512, dtype="int16"), SHAPE)


def write_nifti(path: Path, slope: float = 1.0, order: str = "<") -> None:
    header = nibabel.Nifti1Header().as_byteswapped(order)
    header.set_data_shape(SHAPE[::-1])
    header.set_data_dtype(np.dtype("int16").newbyteorder(order))
    header.set_sform(np.diag([1.0, 2, 3, 1]), 1)
    header.set_slope_inter(slope, 0.0)
    header["vox_offset"] = 352
    data = header.binaryblock + bytes(4) + volume().astype(f"{order}i2").tobytes()
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)


def write_itk(path: Path, compress: bool = False) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.array(volume())), str(path), compress)


def write_tiff(path: Path, **options: object) -> None:
    tifffile.imwrite(path, volume().astype("uint16"), **{"photometric": "minisblack", **options})  # type: ignore[arg-type]


WRITERS: dict[str, Callable[[Path], object]] = {
    "plain.nii": write_nifti,
    "packed.nii.gz": write_nifti,
    "swapped.nii": lambda path: write_nifti(path, order=">"),
    "scaled.nii": lambda path: write_nifti(path, slope=0.5),
    "scaled.nii.gz": lambda path: write_nifti(path, slope=0.5),
    "plain.nrrd": write_itk,
    "packed.nrrd": lambda path: write_itk(path, compress=True),
    "plain.mha": write_itk,
    "packed.mha": lambda path: write_itk(path, compress=True),
    "plain.npy": lambda path: np.save(path, volume()),
    "swapped.npy": lambda path: np.save(path, volume().astype(">i2")),
    "packed.npz": lambda path: np.savez_compressed(path, image=volume()),
    "plain.tif": write_tiff,
    "swapped.tif": lambda path: write_tiff(path, byteorder=">"),
    "packed.tif": lambda path: write_tiff(path, compression="zlib"),
    "white.tif": lambda path: write_tiff(path, photometric="miniswhite"),
    "imagej.tif": lambda path: write_tiff(path, imagej=True, metadata={"axes": "ZYX"}),
    "image.ome.tif": lambda path: write_tiff(path, ome=True, metadata={"axes": "ZYX"}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_volume_comes_in_without_a_second_copy(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    read_geometry(path)  # imports what it takes
    size = BYTES * (2 if "scaled" in name else 1)  # scaled values are float32
    tracemalloc.start()
    try:
        image = read_image(path)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == image.array.nbytes <= kept
    assert peak < 1.15 * size + (1 << 20)  # a piece of 1 MiB is read at a time
    last = image.stored.inverse.apply([0, 0, 511]).round().astype(int)
    expected = 65535 - 511 if "white" in name else 511 * (0.5 if "scaled" in name else 1)
    assert image.array[tuple(last)] == expected
    assert image.array.flags.writeable
    path.write_bytes(b"another file now")  # nothing holds the old one: what was read stays
    assert image.array[tuple(last)] == expected


def test_the_header_alone_is_read_for_the_geometry(tmp_path: Path) -> None:
    path = tmp_path / "image.npy"
    np.save(path, volume())
    read_geometry(path)
    tracemalloc.start()
    try:
        assert read_geometry(path).grid.shape == SHAPE
        assert tracemalloc.get_traced_memory()[1] < BYTES / 50
    finally:
        tracemalloc.stop()


def test_a_turn_is_a_view() -> None:
    array = np.arange(24).reshape(2, 3, 4)
    turn = Reorientation((2, 0, 1), (0, 2))
    turned = turn.apply(array)
    assert np.shares_memory(turned, array)
    np.testing.assert_array_equal(turned, array.transpose(2, 0, 1)[::-1, :, ::-1])
    geometry = turn.geometry(Grid(array.shape, (1.0, 2.0, 3.0)))
    for index in np.ndindex(*turned.shape):
        assert array[tuple(geometry.stored.apply(index).astype(int))] == turned[index]


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_what_torch_is_given_of_a_turned_volume_is_contiguous(tmp_path: Path, dtype: str) -> None:
    data = np.random.default_rng(1).integers(0, 99, (4, 5, 6)).astype(dtype)
    nibabel.save(nibabel.Nifti1Image(data, np.diag([1.0, 1, -1, 1])), tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    assert min(image.array.strides) < 0
    planes = image.channels_first()
    assert planes.flags.c_contiguous
    assert not np.shares_memory(planes, image.array)
    from napari_landmarker.engine.geometry import AffineMap

    np.testing.assert_allclose(resample(planes, AffineMap.identity(image.grid.shape)), planes, atol=1e-4)
