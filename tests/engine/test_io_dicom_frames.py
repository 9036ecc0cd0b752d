"""DICOM files with several frames: enhanced volumes, and films that are refused."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import (
    AXIAL,
    CAPTURE,
    ENHANCED_CT,
    SAGITTAL,
    ULTRASOUND_FILM,
    dataset,
    group,
    numbered,
    write,
)
from pydicom.uid import RLELossless

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import find_images, read_geometry, read_image

SHARED = Path(__file__).parents[2] / "../shared/data/orientation"
VOLUME = numbered((4, 3, 5))


def groups(
    heights: list[float], orientation: tuple[float, ...] = AXIAL, slopes: list[float] | None = None
) -> dict[str, Any]:
    """Functional groups of frames that lie along the normal of ``orientation``."""
    normal = np.cross(orientation[:3], orientation[3:])
    own = []
    for number, height in enumerate(heights):
        sequences: dict[str, Any] = {
            "PlanePositionSequence": {"ImagePositionPatient": (np.array([1.0, 2, 3]) + height * normal).tolist()}
        }
        if slopes is not None:
            sequences["PixelValueTransformationSequence"] = {"RescaleSlope": slopes[number], "RescaleIntercept": -8}
        sequences["FrameVOILUTSequence"] = {"WindowCenter": 10 + number, "WindowWidth": 5}
        own.append(group(**sequences))
    shared = group(
        PixelMeasuresSequence={"PixelSpacing": [0.75, 0.5], "SliceThickness": 9},
        PlaneOrientationSequence={"ImageOrientationPatient": list(orientation)},
    )
    return {"PerFrameFunctionalGroupsSequence": own, "SharedFunctionalGroupsSequence": [shared]}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL])
def test_frames_are_a_volume_in_order_of_their_positions(
    tmp_path: Path, orientation: tuple[float, ...], compressed: bool
) -> None:
    path, heights = tmp_path / "a.dcm", [6.0, 0.0, 4.0, 2.0]
    source = dataset(VOLUME, ENHANCED_CT, **groups(heights, orientation))
    if compressed:
        source.compress(RLELossless)
    source.save_as(path, enforce_file_format=True)
    image, geometry = read_image(path), read_geometry(path)
    assert geometry.grid == image.grid
    assert geometry.notes == image.notes
    normal = np.cross(orientation[:3], orientation[3:])
    for index in np.ndindex(*image.grid.shape):
        frame, row, column = np.unravel_index(int(image.array[index]), VOLUME.shape)
        place = [1, 2, 3] + heights[frame] * normal + np.array(orientation[:3]) * 0.5 * column
        place = place + np.array(orientation[3:]) * 0.75 * row
        np.testing.assert_allclose(image.grid.index_to_world(index), place, atol=1e-9)
        np.testing.assert_allclose(image.stored.apply(index), [[1, 3, 2, 0].index(frame), row, column], atol=1e-9)
    assert image.display_range == (9.5, 13.5)  # of frame 2, which is third in place: 12 - 0.5 -+ 2
    assert any("2 mm" in note and "9 mm" in note for note in image.notes)
    assert find_images(tmp_path) == [path]


def test_every_frame_has_its_own_scale(tmp_path: Path) -> None:
    slopes = [1.0, 0.5, 2.0, 3.0]
    image = read_image(write(tmp_path / "a.dcm", VOLUME, ENHANCED_CT, **groups([0, 1, 2, 3], slopes=slopes)))
    np.testing.assert_array_equal(image.array, VOLUME * np.array(slopes)[:, None, None] - 8)
    whole = read_image(write(tmp_path / "b.dcm", VOLUME, ENHANCED_CT, **groups([0, 1, 2, 3], slopes=[1, 2, 3, 4])))
    assert whole.array.dtype == np.int16


def test_an_enhanced_file_of_one_frame_is_a_picture(tmp_path: Path) -> None:
    image = read_image(write(tmp_path / "a.dcm", VOLUME[:1], ENHANCED_CT, **groups([3.0])))
    np.testing.assert_array_equal(image.array, VOLUME[0])
    assert image.grid.spacing == (0.75, 0.5)


def test_enhanced_files_of_one_frame_are_a_series(tmp_path: Path) -> None:
    for number in range(4):
        tags = groups([2.0 * (3 - number)])
        write(tmp_path / f"{number}.dcm", VOLUME[number : number + 1], ENHANCED_CT, SeriesInstanceUID="1.2.3", **tags)
    image = read_image(tmp_path / "1.dcm")
    np.testing.assert_array_equal(image.array, VOLUME[::-1])
    assert image.grid.spacing == (2.0, 0.75, 0.5)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({}, "film over time"),
        ({"ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": list(AXIAL)}, "film over time"),
        (groups([0, 1, 3, 4]), "lacks slices between frame 2 and frame 3"),
        (groups([0, 1, 1, 2]), "two slices at one place, frame 2 and frame 3"),
        (groups([0, 0, 1, 1]), "2 images at every place"),
        (groups([0, 1, 2, 3]) | {"SharedFunctionalGroupsSequence": []}, "frame 1 states no valid position"),
    ],
)
def test_frames_that_are_no_volume(tmp_path: Path, tags: dict[str, Any], words: str) -> None:
    path = write(tmp_path / "a.dcm", VOLUME, ENHANCED_CT if tags else ULTRASOUND_FILM, **tags)
    for reader in (read_image, read_geometry):
        with pytest.raises(ImageError, match=words) as raised:
            reader(path)
        assert str(raised.value).startswith(str(path))


def test_frames_that_are_not_parallel(tmp_path: Path) -> None:
    tags = groups([0, 1, 2, 3])
    turned = groups([9], SAGITTAL)["SharedFunctionalGroupsSequence"][0]
    tags["PerFrameFunctionalGroupsSequence"][2].PlaneOrientationSequence = turned.PlaneOrientationSequence
    with pytest.raises(ImageError, match="frame 1 and frame 3 are not parallel"):
        read_image(write(tmp_path / "a.dcm", VOLUME, ENHANCED_CT, **tags))


def test_a_file_that_ends_before_its_last_frame(tmp_path: Path) -> None:
    source = dataset(VOLUME, ENHANCED_CT, **groups([0, 1, 2, 3]))
    source.PixelData = VOLUME[:3].tobytes()
    source.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(ImageError, match=r"a\.dcm .*(damaged|ends before)"):
        read_image(tmp_path / "a.dcm")


def test_colour_frames(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (4, 3, 6, 3), dtype="uint8")
    image = read_image(write(tmp_path / "a.dcm", colours, CAPTURE, SamplesPerPixel=3, **groups([3, 2, 1, 0])))
    np.testing.assert_array_equal(image.array, colours[::-1])
    assert image.is_color


def test_many_frames_take_little_more_memory_than_the_volume(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", np.ones((40, 128, 128), "int16"), ENHANCED_CT, **groups(list(range(40))))
    read_geometry(path)
    tracemalloc.start()
    image = read_image(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.6 * image.array.nbytes  # a second copy would make 2


@pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")
def test_an_enhanced_file_of_a_scanner_lies_where_its_header_says() -> None:
    path = SHARED / "enh.dcm"
    image, header = read_image(path), pydicom.dcmread(path)
    frames, shared = header.PerFrameFunctionalGroupsSequence, header.SharedFunctionalGroupsSequence[0]
    measures = (frames[0].get("PixelMeasuresSequence") or shared.PixelMeasuresSequence)[0]
    for number, frame in enumerate(frames):
        origin = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        both = (frame.get("PlaneOrientationSequence") or shared.PlaneOrientationSequence)[0].ImageOrientationPatient
        row, column = np.reshape(np.array(both, float), (2, 3))
        place = origin + 11 * measures.PixelSpacing[1] * row + 7 * measures.PixelSpacing[0] * column
        index = image.grid.world_to_index(place)
        np.testing.assert_allclose(index, index.round(), atol=1e-3)
        value = image.array[tuple(index.round().astype(int))]
        assert value == header.pixel_array[number, 7, 11]
