"""NIfTI: nibabel's and ITK's own idea of where a voxel is are the oracles."""

from __future__ import annotations

import gzip
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, ornt_transform

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import read_geometry, read_image

SHARED = Path(__file__).parents[2] / "../shared/data"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")

RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])
CODES = ["".join(c) for order in permutations(("RL", "AP", "IS")) for c in product(*order)]


def rotation(angle: float) -> np.ndarray:
    about_z = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    return about_z @ about_x


def affine(angle: float = 0.0) -> np.ndarray:
    out = np.eye(4)
    out[:3, :3] = rotation(angle) * [0.5, 1.25, 3.0]
    out[:3, 3] = [-7.0, 11.0, 5.0]
    return out


def volume(angle: float = 0.0, dtype: str = "int16") -> nibabel.Nifti1Image:
    data = np.random.default_rng(0).integers(-500, 900, (4, 5, 6)).astype(dtype)
    return nibabel.Nifti1Image(data, affine(angle))


def save(image: nibabel.Nifti1Image, path: Path) -> Path:
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_all_48_axis_orders_are_one_image(tmp_path: Path, angle: float) -> None:
    ras = volume(angle)
    expected = np.asarray(ras.dataobj)[::-1, ::-1, :].T  # (z to head, y to back, x to left)
    assert len(CODES) == 48
    for code in CODES:
        turned = ras.as_reoriented(ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(code)))
        path = save(turned, tmp_path / f"{code}.nii")
        image = read_image(path)
        assert image.array.dtype == np.int16
        np.testing.assert_array_equal(image.array, expected)
        assert image.grid.spacing == pytest.approx((3.0, 1.25, 0.5))
        assert read_geometry(path).grid == image.grid

        raw = np.asarray(turned.dataobj).T
        index = np.argwhere(np.ones(image.grid.shape))
        stored = image.stored.apply(index)
        np.testing.assert_array_equal(stored, stored.round())
        np.testing.assert_array_equal(raw[tuple(stored.astype(int).T)], image.array.ravel())
        world = nibabel.affines.apply_affine(nibabel.load(path).affine, stored[:, ::-1]) * RAS_TO_LPS
        np.testing.assert_allclose(image.grid.index_to_world(index), world, atol=1e-9)


def test_the_axes_point_to_left_back_and_head(tmp_path: Path) -> None:
    grid = read_geometry(save(volume(0.3), tmp_path / "oblique.nii.gz")).grid
    assert (np.diag(np.fliplr(grid.direction)) > 0.8).all()


@pytest.mark.parametrize("code", ["RAS", "LPS", "PIR", "SLA"])
def test_places_agree_with_itk(tmp_path: Path, code: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    turned = volume(0.2).as_reoriented(ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(code)))
    turned.set_qform(turned.affine, 1)
    path = save(turned, tmp_path / "image.nii.gz")
    itk = sitk.ReadImage(str(path))
    geometry = read_geometry(path)
    for ijk in [(0, 0, 0), (1, 2, 3), (3, 1, 0)]:
        ours = geometry.grid.index_to_world(geometry.stored.inverse.apply(ijk[::-1]))
        np.testing.assert_allclose(ours, itk.TransformIndexToPhysicalPoint(ijk), atol=1e-4)


def test_without_orientation_codes_it_is_shown_as_stored_where_itk_puts_it(tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    image = volume()
    image.header.set_zooms((0.5, 1.25, 3.0))
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    path = save(image, tmp_path / "plain.nii")
    ours, itk = read_image(path), sitk.ReadImage(str(path))
    np.testing.assert_array_equal(ours.array, np.asarray(image.dataobj).T)
    np.testing.assert_allclose(ours.grid.index_to_world([3, 2, 1]), itk.TransformIndexToPhysicalPoint((1, 2, 3)))


def test_a_missing_voxel_size_is_not_taken_for_one_millimetre(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = save(volume(), tmp_path / "image.nii")
    raw = bytearray(path.read_bytes())
    raw[80:92] = bytes(12)  # pixdim[1:4]
    raw[252:256] = bytes(4)  # qform_code, sform_code
    path.write_bytes(raw)
    assert read_geometry(path).grid.spacing is None
    assert read_image(path).grid.unit == "px"
    assert not caplog.records  # what nibabel mends in a header is not for the terminal


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1.0), ("micron", 1e-3), ("meter", 1e3), ("unknown", 1.0)])
def test_units_of_length_become_millimetres(tmp_path: Path, unit: str, factor: float) -> None:
    image = volume()
    image.header.set_xyzt_units(unit)
    grid = read_geometry(save(image, tmp_path / "image.nii")).grid
    assert grid.spacing == pytest.approx(np.array([3.0, 1.25, 0.5]) * factor)
    corner = nibabel.affines.apply_affine(image.affine, [3, 4, 0]) * RAS_TO_LPS * factor
    np.testing.assert_allclose(grid.origin, corner)


def test_scaling_in_the_header_is_applied(tmp_path: Path) -> None:
    image = volume()
    image.header.set_slope_inter(0.5, -10.0)
    image.set_data_dtype("int16")
    path = tmp_path / "scaled.nii"
    nibabel.save(image, path)
    values = nibabel.load(path).get_fdata()[::-1, ::-1, :].T
    array = read_image(path).array
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, values, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((4, 5, 6, 1), (6, 5, 4)), ((4, 5, 6, 1, 1), (6, 5, 4)), ((4, 5), (1, 5, 4)), ((4, 5, 1), (1, 5, 4))],
)
def test_axes_of_length_one(tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    data = np.arange(np.prod(shape), dtype="uint8").reshape(shape)
    path = save(nibabel.Nifti1Image(data, np.diag([-1.0, -1, 1, 1])), tmp_path / "image.nii.gz")
    image = read_image(path)
    assert image.grid.shape == read_geometry(path).grid.shape == expected
    np.testing.assert_array_equal(image.array, data.reshape(expected[::-1]).T)


def test_colours(tmp_path: Path) -> None:
    data = np.zeros((3, 4, 5), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    data["R"], data["G"], data["B"] = 10, 20, np.arange(60).reshape(3, 4, 5)
    image = read_image(save(nibabel.Nifti1Image(data, np.diag([-1.0, -1, 1, 1])), tmp_path / "rgb.nii"))
    assert image.is_color
    assert image.array[4, 3, 2].tolist() == [10, 20, 59]


def test_big_endian_values_come_in_the_machines_order(tmp_path: Path) -> None:
    image = volume(dtype="int16")
    swapped = nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header.as_byteswapped(">"))
    array = read_image(save(swapped, tmp_path / "big.nii")).array
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, np.asarray(image.dataobj)[::-1, ::-1, :].T)


def sheared() -> nibabel.Nifti1Image:
    image = volume()
    skew = image.affine.copy()
    skew[1, 2] = 0.4
    return nibabel.Nifti1Image(np.asarray(image.dataobj), skew)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (sheared(), "3D Slicer"),
        (nibabel.Nifti1Image(np.zeros((3, 4, 5, 2), "uint8"), np.eye(4)), "3 x 4 x 5 x 2"),
        (nibabel.Nifti1Image(np.zeros((3, 4, 5), "complex64"), np.eye(4)), "complex"),
    ],
)
def test_what_is_refused_in_one_sentence_that_names_the_file(
    tmp_path: Path, image: nibabel.Nifti1Image, words: str
) -> None:
    path = save(image, tmp_path / "bad.nii.gz")
    with pytest.raises(ImageError, match=words) as raised:
        read_image(path)
    assert str(raised.value).startswith(str(path))


def test_a_degenerate_affine_is_refused(tmp_path: Path) -> None:
    flat = nibabel.Nifti1Image(np.zeros((3, 4, 5), "uint8"), np.eye(4))
    flat.header["sform_code"], flat.header["qform_code"] = 2, 0
    path = save(flat, tmp_path / "flat.nii")
    raw = bytearray(path.read_bytes())
    raw[280:296] = bytes(16)  # srow_x
    path.write_bytes(raw)
    with pytest.raises(ImageError, match="voxel size"):
        read_geometry(path)


@needs_shared
def test_one_head_in_eight_axis_orders() -> None:
    images = [read_image(path) for path in sorted((SHARED / "orientation/nifti_axes").glob("*.nii.gz"))]
    assert len(images) == 8
    for image in images[1:]:
        np.testing.assert_array_equal(image.array, images[0].array)
        np.testing.assert_allclose(
            image.grid.index_to_world([20, 30, 40]), images[0].grid.index_to_world([20, 30, 40]), atol=1e-3
        )


@needs_shared
def test_the_sheared_volume_is_refused() -> None:
    with pytest.raises(ImageError, match=r"shear\.nii\.gz has axes that are not at right angles"):
        read_geometry(SHARED / "orientation/shear.nii.gz")


@needs_shared
def test_an_oblique_volume_agrees_with_itk() -> None:
    sitk = pytest.importorskip("SimpleITK")
    path = SHARED / "orientation/FLAIR.nii.gz"
    geometry, itk = read_geometry(path), sitk.ReadImage(str(path))
    for ijk in [(0, 0, 0), (100, 20, 70)]:
        ours = geometry.grid.index_to_world(geometry.stored.inverse.apply(ijk[::-1]))
        np.testing.assert_allclose(ours, itk.TransformIndexToPhysicalPoint(ijk), atol=1e-2)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_scaled_values_are_float32_whatever_is_stored(tmp_path: Path, suffix: str, dtype: str) -> None:
    path = tmp_path / f"scaled{suffix}"
    stored = np.abs(np.asarray(volume().dataobj)).clip(0, 255).astype(dtype)
    header = nibabel.Nifti1Header()
    header.set_data_shape(stored.shape)
    header.set_data_dtype(dtype)
    header.set_sform(np.diag([-1.0, -1, 1, 1]), 1)
    header.set_slope_inter(1 / 3, 1000.0)
    header["vox_offset"] = 352
    content = header.binaryblock + bytes(4) + stored.T.tobytes()
    path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    array = read_image(path).array
    assert array.dtype == np.float32
    slope = float(np.float32(1 / 3))  # as the header holds it
    np.testing.assert_array_equal(array, (stored.T.astype("float64") * slope + 1000.0).astype("float32"))


def test_a_wrong_checksum_is_noticed(tmp_path: Path) -> None:
    path = save(volume(), tmp_path / "image.nii.gz")
    raw = bytearray(path.read_bytes())
    raw[-8] ^= 1  # of the checksum that stands at the end (RFC 1952)
    path.write_bytes(raw)
    with pytest.raises(ImageError, match="damaged"):
        read_image(path)


def test_a_size_without_a_unit_is_noted(tmp_path: Path) -> None:
    image = volume()
    for unit, noted in (("mm", False), ("unknown", True)):
        image.header.set_xyzt_units(unit)
        notes = read_geometry(save(image, tmp_path / "image.nii")).notes
        assert any("unit" in note for note in notes) == noted


def test_a_file_that_states_two_places_says_which_one_counts(tmp_path: Path) -> None:
    image, path = volume(), tmp_path / "a.nii"
    for turn, expected in ((0.0, ()), (0.2, ("The file states two places in the patient (sform and qform)",))):
        image.set_qform(affine(turn), 1)
        image.set_sform(affine(), 1)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, path)
        read = read_image(path)
        np.testing.assert_allclose(read.grid.spacing, [3, 1.25, 0.5])
        assert np.abs(read.grid.direction).max() == pytest.approx(1)  # straight, as the sform is
        assert len(read.notes) == len(expected)
        assert all(note.startswith(start) for note, start in zip(read.notes, expected, strict=True))
