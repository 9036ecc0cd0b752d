"""The cephalograms of ISBI 2015 as a table beside scaled images, and the real ones where they are at hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from annotation_cases import SHARED
from benchmark_copies import CEPHA_MM, CEPHA_SHAPE, cepha_points
from PIL import Image as Pillow

from napari_landmarker.engine.datasets import load_isbi2015
from napari_landmarker.engine.errors import AnnotationError, LandmarkerError
from napari_landmarker.engine.io.isbi import ISBI_NAMES

real = pytest.mark.skipif(not (SHARED / "isbi2015").exists(), reason="the folder ../shared/data/isbi2015 is not here")


def make_table(root: Path, change=lambda rows: rows) -> Path:
    (root / "images").mkdir(parents=True)
    rows = []
    for number, part in ((7, "train"), (160, "test1")):
        Pillow.fromarray(np.zeros(CEPHA_SHAPE, np.uint8)).save(root / f"images/{number:03d}.jpg")
        for index, name in enumerate(ISBI_NAMES):
            points = [cepha_points(number, rater)[index] + 0.25 for rater in ("senior", "junior")]
            rows.append([f"{number:03d}", part, name, *(f"{v}" for p in points for v in p[::-1])])
    header = ["image", "split", "landmark", "senior_x", "senior_y", "junior_x", "junior_y"]
    with (root / "landmarks.csv").open("w", newline="") as file:
        csv.writer(file).writerows(change([header, *rows]))
    return root


def test_the_table_of_a_copy(tmp_path):
    splits = load_isbi2015(make_table(tmp_path / "copy"))
    assert list(splits) == ["train", "test1"]
    np.testing.assert_array_equal(splits["test1"].landmarks[0], cepha_points(160, "mean") + 0.25)
    np.testing.assert_allclose(splits["train"].spacing, [[CEPHA_MM] * 2])
    junior = load_isbi2015(tmp_path / "copy", "junior")["train"]
    np.testing.assert_array_equal(junior.landmarks[0], cepha_points(7, "junior") + 0.25)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:1], "has no landmarks"),
        (lambda rows: rows[:-1], "lacks 1 of the landmarks of image 160"),
        (lambda rows: [*rows, rows[-1]], "line 40, gives an image another split, or a landmark twice"),
        (lambda rows: [rows[0][:-1], *rows[1:]], "must have the columns"),
        (lambda rows: [*rows[:3], [*rows[3][:3], "nan", *rows[3][4:]], *rows[4:]], "line 4, has 'nan'"),
        (lambda rows: [*rows[:3], rows[3][:5], *rows[4:]], "line 4, has 'None'"),
        (lambda rows: [*rows[:3], [*rows[3][:2], "Nose", *rows[3][3:]], *rows[4:]], "line 4, has no known"),
        (lambda rows: [*rows[:3], ["009", *rows[3][1:]], *rows[4:]], "009.* is missing"),
        (lambda rows: [[]], "must have the columns"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, change, words):
    root = make_table(tmp_path / "copy", change)
    with pytest.raises(LandmarkerError, match=words) as raised:
        load_isbi2015(root)
    assert str(root) in str(raised.value)
    assert str(raised.value).endswith(".")


@real
def test_the_real_copy():
    splits = load_isbi2015(SHARED / "isbi2015")
    assert {name: len(split) for name, split in splits.items()} == {"train": 150, "test1": 150}
    raters = {rater: load_isbi2015(SHARED / "isbi2015", rater) for rater in ("senior", "junior")}
    apart = []
    for name, split in splits.items():
        np.testing.assert_array_equal(split.spacing, np.full((150, 2), 0.25))
        senior, junior = (raters[rater][name].landmarks for rater in raters)
        np.testing.assert_allclose(split.landmarks, (senior + junior) / 2)
        apart.append(np.linalg.norm((senior - junior) * split.spacing[:, None], axis=-1))
    with (SHARED / "isbi2015/landmarks.csv").open(newline="") as file:
        rows = [[float(row[f"{rater}_{axis}"]) for rater in raters for axis in "xy"] for row in csv.DictReader(file)]
    expected = np.mean([np.hypot(a - c, b - d) for a, b, c, d in rows]) * 0.25
    assert np.mean(apart) == pytest.approx(expected)
    item = splits["train"].heatmap_dataset(dim_img=(480, 387), sigma=2)[0]
    np.testing.assert_allclose(item["landmark"][0], ((np.array([397.1, 332.5]) + 0.5) / 2 - 0.5), atol=1e-4)
    assert item["heatmap"].shape == (19, 480, 387)
    with pytest.raises(AnnotationError, match="cv_payer"):
        load_isbi2015(SHARED / "isbi2015", split="payer")
