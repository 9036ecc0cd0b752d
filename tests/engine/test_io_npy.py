"""NumPy arrays and archives; numpy itself writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import read_geometry, read_image
from napari_landmarker.engine.io.orient import NO_ORIENTATION

RNG = np.random.default_rng(8)
GREY = RNG.integers(0, 255, (40, 50), dtype="uint8")
VOLUME = RNG.integers(-500, 900, (4, 5, 6)).astype("int16")
COLOUR = RNG.integers(0, 255, (40, 50, 3), dtype="uint8")


def save(path: Path, array: np.ndarray, **given: object) -> Path:
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        np.savez_compressed(path, array, **given)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">u2", ">i4", "<i8", "f2", "<f4", ">f4", ">f8", "longdouble"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_kind_of_number_in_either_order(tmp_path: Path, suffix: str, dtype: str, order: str) -> None:
    for array in (GREY, np.abs(VOLUME) // 8):
        written = np.array(array, dtype=dtype, order=order)
        path = save(tmp_path / f"a{suffix}", written)
        image = read_image(path)
        np.testing.assert_array_equal(image.array, written)
        assert image.array.dtype == (np.float64 if dtype == "longdouble" else np.dtype(dtype).newbyteorder("="))
        assert image.grid.spacing is None
        assert read_geometry(path).grid == image.grid
        assert (NO_ORIENTATION in image.notes) == (array.ndim == 3)


def test_black_and_white(tmp_path: Path) -> None:
    image = read_image(save(tmp_path / "a.npy", GREY > 100))
    np.testing.assert_array_equal(image.array, np.where(GREY > 100, 255, 0))
    assert image.array.dtype == np.uint8


def test_an_array_that_python_2_wrote(tmp_path: Path) -> None:
    text = "{'descr': '<i2', 'fortran_order': False, 'shape': (4L, 5L, 6L)}".ljust(117) + "\n"
    header = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    (tmp_path / "a.npy").write_bytes(header + VOLUME.tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy").array, VOLUME)


@pytest.mark.parametrize(
    ("shape", "dtype", "color"),
    [
        ((40, 50, 3), "u1", True),
        ((40, 50, 3), "u2", True),
        ((40, 50, 3), "f4", True),
        ((40, 50, 3), "i2", False),
        ((40, 50, 3), "i8", False),
        ((40, 50, 3), "bool", False),
        ((40, 50, 4), "u1", False),
        ((3, 40, 50), "u1", False),
        ((5, 40, 50, 3), "u1", True),
        ((1, 40, 50), "u1", False),
    ],
)
def test_which_arrays_are_in_colour(tmp_path: Path, shape: tuple[int, ...], dtype: str, color: bool) -> None:
    path = save(tmp_path / "a.npy", np.ones(shape, dtype))
    image = read_image(path)
    assert image.is_color == color
    assert image.grid.shape == (shape[:-1] if color else shape) == read_geometry(path).grid.shape
    said = any("colour" in note for note in image.notes)
    assert said == (color and len(shape) == 3)


def test_a_stated_spacing_decides_what_is_colour(tmp_path: Path) -> None:
    for spacing, shape in (((2.0, 3.0), (40, 50)), ((1.0, 2.0, 3.0), (40, 50, 3))):
        path = tmp_path / "a.npz"
        np.savez(path, image=COLOUR, spacing=spacing)
        image = read_image(path)
        assert image.grid.shape == shape
        assert image.grid.spacing == spacing
        np.testing.assert_array_equal(image.array, COLOUR)


def test_geometry_in_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    turned = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])  # x of the array runs to the patient's right
    np.savez(path, image=VOLUME, spacing=[3.0, 2.0, 0.5], origin=[10.0, 20, 30], direction=turned)
    image = read_image(path)
    np.testing.assert_array_equal(image.array, VOLUME[..., ::-1])
    assert image.grid.spacing == (3.0, 2.0, 0.5)
    at = image.stored.inverse.apply([1, 2, 3])
    np.testing.assert_allclose(image.grid.index_to_world(at), [10 - 3 * 0.5, 20 + 2 * 2, 30 + 1 * 3])
    assert image.notes == ()
    assert read_geometry(path).grid == image.grid
    np.savez(path, image=VOLUME, origin=[10.0, 20, 30])
    assert read_geometry(path).grid.spacing is None
    np.testing.assert_array_equal(read_geometry(path).grid.origin, [10, 20, 30])


def test_which_array_of_an_archive_is_the_image(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for name in ("image", "array"):
        np.savez(path, other=GREY, **{name: VOLUME})
        image = read_image(path)
        np.testing.assert_array_equal(image.array, VOLUME)
        assert any("other" in note for note in image.notes)
    np.savez(path, anything=VOLUME)
    np.testing.assert_array_equal(read_image(path).array, VOLUME)
    for arrays in ({"a": GREY, "b": GREY}, {"image": GREY, "array": GREY}, {"spacing": np.ones(2)}, {}):
        np.savez(path, **arrays)
        with pytest.raises(ImageError, match=r"a\.npz holds .*save one image"):
            read_image(path)


class Harm:
    """An object that tells when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("unpickled"),)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_objects_are_never_loaded(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    array = np.array([[Harm(), Harm()]], dtype=object)
    path = tmp_path / f"bad{suffix}"
    np.save(path, array, allow_pickle=True) if suffix == ".npy" else np.savez(path, array)
    for reader in (read_image, read_geometry):
        with pytest.raises(ImageError, match="plain numbers"):
            reader(path)
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(5), "2 or 3 dimensions"),
        (np.float32(3), "2 or 3 dimensions"),
        (np.zeros((3, 0)), "2 or 3 dimensions"),
        (np.zeros((2, 3, 4, 5)), "several volumes"),
        (np.zeros((3, 4), "c8"), "plain numbers"),
        (np.zeros((3, 4), "U3"), "plain numbers"),
        (np.zeros((3, 4), "M8[s]"), "plain numbers"),
        (np.zeros((3, 4), [("a", "u1"), ("b", "f4")]), "plain numbers"),
    ],
)
def test_what_is_refused(tmp_path: Path, array: np.ndarray, words: str) -> None:
    for suffix in (".npy", ".npz"):
        path = save(tmp_path / f"bad{suffix}", array)
        for reader in (read_image, read_geometry):
            with pytest.raises(ImageError, match=words) as raised:
                reader(path)
            assert str(raised.value).startswith(str(path))


@pytest.mark.parametrize(
    "given",
    [
        {"spacing": [1.0, 2.0]},
        {"spacing": [1.0, -2.0, 1.0]},
        {"spacing": [1.0, np.nan, 1.0]},
        {"spacing": [1.0, np.inf, 1.0]},
        {"spacing": ["a", "b", "c"]},
        {"spacing": np.ones(100)},
        {"origin": [1.0, 2.0]},
        {"origin": [1.0, 2.0, np.nan], "spacing": [1, 1, 1]},
        {"direction": np.eye(2)},
        {"direction": np.zeros((3, 3))},
        {"direction": np.full((3, 3), 3**-0.5)},
        {"direction": np.full((3, 3), np.inf)},
    ],
)
def test_geometry_that_is_none(tmp_path: Path, given: dict[str, object]) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, image=VOLUME, **given)
    with pytest.raises(ImageError) as raised:
        read_geometry(path)
    assert str(raised.value).startswith(str(path))
