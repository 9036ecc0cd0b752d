"""Bad files of every format of images: one sentence that names the file, nothing else, at once."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import DICOM, PICTURES, VOLUMES, write_image
from PIL import Image as Pillow

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import read_geometry, read_image

SUFFIXES = (*VOLUMES, *PICTURES, DICOM[0])
PICTURE = np.random.default_rng(11).integers(0, 255, (37, 41), dtype="uint8")
VOLUME = np.random.default_rng(12).integers(0, 255, (5, 37, 41), dtype="uint8")

pytestmark = pytest.mark.timeout(60)  # a reader that hangs fails


def whole(folder: Path, suffix: str) -> Path:
    """A good file of a format."""
    return write_image(folder / f"image{suffix}", VOLUME if suffix in VOLUMES else PICTURE)


def parts(path: Path) -> list[Path]:
    """The file, and the one that holds its values if that is another."""
    return [path, *(other for other in path.parent.iterdir() if other != path)]


def sentence(reader: Callable[[Path], object], path: Path) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(ImageError) as raised:
        reader(path)
    return str(raised.value)


def assert_refused(path: Path, capfd: pytest.CaptureFixture[str], *, by_header: bool = True) -> None:
    """The file is refused in one sentence that names it, and nothing is written to the terminal."""
    for reader in (read_image, read_geometry) if by_header else (read_image,):
        said = sentence(reader, path)
        assert str(path.parent) in said
        assert path.stem.split(".")[0] in said
        assert said.endswith(".")
        assert "\n" not in said
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_good_file_is_read(tmp_path: Path, suffix: str) -> None:
    path = whole(tmp_path, suffix)
    image = read_image(path)
    if suffix not in (".jpg", ".jpeg"):
        expected = VOLUME if suffix in VOLUMES else PICTURE
        np.testing.assert_array_equal(image.array, expected)
    assert read_geometry(path).grid == image.grid


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0005, 0.02, 0.3, 0.7, 0.95])
def test_cut_off(tmp_path: Path, suffix: str, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    path = whole(tmp_path, suffix)
    for part in parts(path):
        content = part.read_bytes()
        part.write_bytes(content[: max(1, int(len(content) * share))])
        assert_refused(path, capfd, by_header=False)
        part.write_bytes(content)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"image{suffix}"
    path.touch()
    assert_refused(path, capfd)
    if suffix.endswith(".gz"):
        path.write_bytes(gzip.compress(b""))
        assert_refused(path, capfd)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_kind_of_file_under_its_name(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"image{suffix}"
    for other in (".png", ".nii", ".npy", ".nrrd"):
        if other == suffix or (other in PICTURES and suffix in PICTURES) or (other, suffix) == (".nrrd", ".nhdr"):
            continue
        (tmp_path / "other").mkdir(exist_ok=True)
        content = whole(tmp_path / "other", other).read_bytes()
        for bytes_of_it in (content, gzip.compress(content)) if suffix == ".npz" else (content,):
            path.write_bytes(bytes_of_it)
            assert_refused(path, capfd)
    for text in (b"not an image at all", b"{}", b"x" * 100_000, b"a = b\n" * 9, b"\n" * 20_000):
        path.write_bytes(text)
        assert_refused(path, capfd)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_noise(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"image{suffix}"
    start = whole(tmp_path, suffix).read_bytes()[:12]
    for number in range(6):
        noise = np.random.default_rng(number).bytes(20_000)
        for content in (noise, start + noise, gzip.compress(noise)):
            path.write_bytes(content)
            assert_refused(path, capfd)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / f"image{suffix}").mkdir()
    assert_refused(tmp_path / f"image{suffix}", capfd)


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
def test_values_in_a_file_that_is_gone_or_a_folder(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = whole(tmp_path, suffix)
    [values] = parts(path)[1:]
    values.unlink()
    assert_refused(path, capfd, by_header=False)
    values.mkdir()
    assert_refused(path, capfd, by_header=False)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_permission(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = whole(tmp_path, suffix)
    path.chmod(0)
    assert_refused(path, capfd)
    assert "permission" in sentence(read_image, path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_permission_is_said_as_such(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the superuser may read everything, the refusal of the system is acted here."""
    path = whole(tmp_path, suffix)

    def refuse(*args: object, **named: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    for name in ("builtins.open", "io.open"):
        monkeypatch.setattr(name, refuse)
    for opener in (nibabel.openers.Opener, nibabel.openers.ImageOpener):
        monkeypatch.setitem(opener.compress_ext_map, None, (refuse, ("mode",)))
    for reader in (read_image, read_geometry):
        said = sentence(reader, path)
        assert "permission" in said
        assert str(path) in said


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_numbers_that_are_none_in_the_geometry_of_nifti(
    tmp_path: Path, suffix: str, value: float, capfd: pytest.CaptureFixture[str]
) -> None:
    image = nibabel.Nifti1Image(VOLUME.T, np.diag([1.0, 2, 3, 1]))
    for row, column in ((0, 0), (2, 3)):
        if value == 0.0 and column == 3:
            continue  # an origin of 0 is fine
        image.header["srow_" + "xyz"[row]][column] = value
        path = tmp_path / f"image{suffix}"
        header = image.header.binaryblock + bytes(4) + VOLUME.tobytes()
        path.write_bytes(gzip.compress(header) if suffix.endswith(".gz") else header)
        assert_refused(path, capfd)


def test_four_dimensions(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    series = np.stack([VOLUME, VOLUME])
    nibabel.save(nibabel.Nifti1Image(series.T, np.eye(4)), tmp_path / "image.nii")
    nibabel.save(nibabel.Nifti1Image(series.T, np.eye(4)), tmp_path / "image.nii.gz")
    itk = SimpleITK.GetImageFromArray(series, isVector=False)
    for suffix in (".nrrd", ".nhdr", ".mha", ".mhd"):
        SimpleITK.WriteImage(itk, str(tmp_path / f"image{suffix}"))
    np.save(tmp_path / "image.npy", series)
    np.savez(tmp_path / "image.npz", image=series)
    tifffile.imwrite(tmp_path / "image.tif", series, imagej=True, metadata={"axes": "TZYX"})
    shutil.copy(tmp_path / "image.tif", tmp_path / "image.tiff")
    for suffix in VOLUMES:
        assert_refused(tmp_path / f"image{suffix}", capfd)
        assert "save one" in sentence(read_geometry, tmp_path / f"image{suffix}")


def test_sizes_that_no_memory_holds(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    huge = "sizes: 200000 200000 200000"
    fields = f"NRRD0004\ntype: short\ndimension: 3\n{huge}\nendian: little\nencoding: "
    for encoding, data in (("raw", b"1234"), ("gzip", gzip.compress(b"1234"))):
        (tmp_path / "image.nrrd").write_bytes(f"{fields}{encoding}\n\n".encode() + data)
        assert_refused(tmp_path / "image.nrrd", capfd, by_header=False)
    header = {"descr": "<i2", "fortran_order": False, "shape": (200_000, 200_000, 200_000)}
    with (tmp_path / "image.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    assert_refused(tmp_path / "image.npy", capfd, by_header=False)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_bytes_are_read_or_refused(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    good = tmp_path / "good" / f"image{suffix}"
    if not good.exists():
        good.parent.mkdir()
        whole(good.parent, suffix)
    content = bytearray(good.read_bytes())
    for place in data.draw(st.lists(st.integers(0, min(len(content), 450) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    damaged = good.with_name(f"damaged{suffix}")
    damaged.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    for reader in (read_geometry, read_image):
        try:
            reader(damaged)
        except ImageError as error:
            assert str(good.parent) in str(error)  # noqa: PT017


def test_a_picture_that_pillow_can_only_half_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "image.jpg"
    Pillow.fromarray(np.tile(PICTURE, (9, 9))).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    assert_refused(path, capfd, by_header=False)


def test_a_space_with_time_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fields = "type: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\nspace: left-posterior-superior-time\n"
    steps = "space directions: (1,0,0,0) (0,1,0,0) (0,0,1,0)\n"
    (tmp_path / "image.nrrd").write_bytes(f"NRRD0005\n{fields}{steps}\n".encode() + bytes(8))
    assert_refused(tmp_path / "image.nrrd", capfd)
