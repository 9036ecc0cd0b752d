"""Finding images, reading them by name, and what happens to files that are none."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import write_image

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import (
    IMAGE_SUFFIXES,
    find_images,
    image_stem,
    is_image_file,
    read_geometry,
    read_image,
)

SHARED = Path(__file__).parents[2] / "../shared/data"


def one_of_each(folder: Path) -> list[Path]:
    array = np.random.default_rng(1).integers(0, 255, (20, 30), dtype="uint8")
    paths = []
    for suffix in IMAGE_SUFFIXES:
        path = folder / f"image{suffix}"
        write_image(path, array)
        paths.append(path)
    return paths


def test_every_known_suffix_is_read_and_header_and_image_agree(tmp_path: Path) -> None:
    for path in one_of_each(tmp_path):
        image, geometry = read_image(path), read_geometry(path)
        assert image.grid == geometry.grid
        np.testing.assert_array_equal(image.stored.matrix, geometry.stored.matrix)
        assert image.array.flags["WRITEABLE"]


@pytest.mark.parametrize("name", ["a.PNG", "b.jpeg", "c.nii.gz", "d.NII", "e.TiFf", "f.bmp"])
def test_names_of_images(name: str) -> None:
    assert is_image_file(name)


@pytest.mark.parametrize("name", ["a.txt", "png", "b.gz", "c.json", "d.png.json", "e"])
def test_names_of_other_files(name: str) -> None:
    assert not is_image_file(name)


def test_images_are_found_in_natural_order_without_hidden_and_other_files(tmp_path: Path) -> None:
    names = [
        "scan10.png",
        "scan2.png",
        "Scan1.png",
        "b/3.jpg",
        "b/20.jpg",
        "notes.txt",
        ".hidden.png",
        ".git/x.png",
    ]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["b/3.jpg", "b/20.jpg", "Scan1.png", "scan2.png", "scan10.png"]


def test_a_folder_inside_a_hidden_one_is_searched(tmp_path: Path) -> None:
    folder = tmp_path / ".cache" / "images"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"x")
    assert [path.name for path in find_images(folder)] == ["a.png"]


def test_folders_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ImageError, match="holds no images") as raised:
        find_images(tmp_path)
    assert str(tmp_path) in str(raised.value)
    with pytest.raises(ImageError, match=r"nowhere does not exist"):
        find_images(tmp_path / "nowhere")
    with pytest.raises(ImageError, match=r"notes\.txt is a file"):
        find_images(tmp_path / "notes.txt")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(ImageError, match="permissions"):
        find_images(tmp_path)


@pytest.mark.parametrize("reader", [read_image, read_geometry])
def test_files_that_are_no_images(tmp_path: Path, reader: object) -> None:
    cases = {
        "missing.png": "does not exist",
        "folder.png": "is a folder",
        "a.docx": "no image format",
        "b.png": "empty",
    }
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "a.docx").write_bytes(b"x")
    (tmp_path / "b.png").touch()
    for name, words in cases.items():
        with pytest.raises(ImageError, match=words) as raised:
            reader(tmp_path / name)  # type: ignore[operator]
        message = str(raised.value)
        assert message.startswith(str(tmp_path / name))
        assert message.endswith(".")
        assert "\n" not in message


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
@pytest.mark.parametrize(
    "content",
    [b"not an image at all", b"\x89PNG\r\n\x1a\n" + bytes(64), b"II*\0" + b"\xff" * 200],
    ids=["text", "png-head", "tiff-head"],
)
def test_rubbish(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"image{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    for reader in (read_image, read_geometry):
        with pytest.raises(ImageError) as raised:
            reader(path)
        assert str(path) in str(raised.value)


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_read_or_refused(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    whole = tmp_path / f"image{suffix}"
    if not whole.exists():
        one_of_each(tmp_path)
    content = bytearray(whole.read_bytes())
    cut = data.draw(st.integers(1, len(content)))
    for place in data.draw(st.lists(st.integers(0, min(len(content), 400) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    damaged = tmp_path / f"damaged{suffix}"
    damaged.write_bytes(content[:cut])
    for reader in (read_geometry, read_image):
        said = str(damaged)
        try:
            reader(damaged)
        except ImageError as error:
            said = str(error)
        assert str(damaged) in said


def test_importing_the_package_loads_no_heavy_library() -> None:
    heavy = ["torch", "SimpleITK", "nibabel", "pydicom", "tifffile", "PIL", "matplotlib", "napari", "qtpy"]
    code = f"import sys, napari_landmarker.engine.io; print([m for m in {heavy} if m in sys.modules])"
    root = Path(__file__).parents[2]
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert out.stdout.strip() == "[]"


@pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")
def test_fundus_photographs_have_their_size() -> None:
    paths = find_images(SHARED / "idrid/images")
    assert len(paths) == 413
    for path in paths[::100]:
        image = read_image(path)
        assert image.array.shape == (712, 1072, 3)
        assert image.array.dtype == np.uint8
        assert image.grid.spacing is None


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.png", "a"), ("scan.v2.nii.gz", "scan.v2"), ("A.NII.GZ", "A"), ("x.y.TIFF", "x.y"), ("png", "png")],
)
def test_the_stem_is_the_name_without_the_ending_of_an_image(name: str, stem: str) -> None:
    assert image_stem(f"/folder.d/{name}") == stem
