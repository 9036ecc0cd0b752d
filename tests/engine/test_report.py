"""The report: its three files agree, it needs nothing else, and it names nobody's folders."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from napari_landmarker.engine.errors import ImageError, ProjectError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.metrics import CaseResult, Evaluation, evaluate
from napari_landmarker.engine.report import ReportFiles, write_report
from napari_landmarker.engine.schema import LandmarkSchema, Measurement

GRIDS = {2: Grid((60, 80)), 3: Grid((12, 20, 24), (2.0, 1.0, 1.0))}
EVIL = "<script>alert('x')</script> & \"y\""
NAMES = ("tip", EVIL, "never, placed")
MEASUREMENTS = (
    Measurement(name="width", kind="distance", landmarks=NAMES[:2]),
    Measurement(name="<bend>", kind="angle", landmarks=(NAMES[0], NAMES[1], NAMES[0], NAMES[2])),
)


class Reader(HTMLParser):
    """The texts of a report: rows of its tables by id and the intervals in them, sources, tags, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.intervals: dict[str, list[list[str]]] = {}
        self.rows: list[list[str]] = []
        self._grey = False
        self.sources: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self._cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.sources += [value or "" for key, value in attrs if key in ("src", "href")]
        if tag == "table":
            self.name = str(dict(attrs)["id"])
            self.rows = self.tables.setdefault(self.name, [])
        self._grey = ("class", "ci") in attrs
        if tag == "tr":
            self.rows.append([])
            self.intervals.setdefault(self.name, []).append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False
        self._grey = False

    def handle_data(self, data: str) -> None:
        self.text += data.replace("\u00a0", " ")
        if self._cell and self._grey:
            self.intervals[self.name][-1].append(data.strip())
        elif self._cell:
            self.rows[-1][-1] += data.strip()


def read(files: ReportFiles) -> Reader:
    reader = Reader()
    reader.feed(files.html.read_text(encoding="utf-8"))
    return reader


def make(ndim: int, split: str = "test", radii: tuple[float, ...] | None = None, n_images: int = 4) -> Evaluation:
    """Images; `tip` missed in one, the second name absent in one, the third never placed."""
    grid = GRIDS[ndim]
    rng = np.random.default_rng(3)
    results = []
    for number in range(n_images):
        true = {name: rng.uniform(3, 9, ndim) for name in NAMES[:2]}
        found = {name: point + rng.normal(0, 1.3, ndim) for name, point in true.items()}
        truth = LandmarkSet.from_points(true, grid, names=NAMES)
        predicted = LandmarkSet.from_points(found, grid, names=NAMES, status=LandmarkStatus.PREDICTED)
        if number == 1:
            predicted = predicted.without_point("tip")
        if number == 2:
            truth = truth.without_point(EVIL, LandmarkStatus.ABSENT)
        results.append(CaseResult(f"case {number} <b>", truth, predicted))
    model = "/home/someone/models/U-Net"
    return evaluate(results, model=model, split=split, radii=radii, measurements=MEASUREMENTS)


def image_of(ndim: int) -> Callable[[str], Image]:
    array = np.random.default_rng(0).normal(size=GRIDS[ndim].shape)
    return lambda case_id: Image.from_array(array, GRIDS[ndim])


SCHEMA = LandmarkSchema.from_names(NAMES)


@pytest.fixture(scope="module", params=[2, 3])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, ReportFiles]:
    evaluation = make(request.param, radii=(1.5, 3.0))
    out = tmp_path_factory.mktemp("report") / "out"
    return evaluation, write_report(evaluation, out, SCHEMA, image_of(request.param))


def test_the_files_of_a_report_and_nothing_else(made: tuple[Evaluation, ReportFiles]) -> None:
    _, files = made
    names = ["report.csv", "report.html", "report.json", "report_cases.csv", "report_measurements.csv"]
    assert sorted(path.name for path in files.html.parent.iterdir()) == names
    assert files.measurements_csv is not None
    paths = (files.csv, files.html, files.json, files.cases_csv, files.measurements_csv)
    assert [path.name for path in paths] == names


def test_json_is_the_evaluation(made: tuple[Evaluation, ReportFiles]) -> None:
    evaluation, files = made
    assert json.loads(files.json.read_text(encoding="utf-8")) == evaluation.to_dict()


def test_csv_carries_the_numbers_of_json_in_full(made: tuple[Evaluation, ReportFiles]) -> None:
    _, files = made
    content = json.loads(files.json.read_text(encoding="utf-8"))
    with files.csv.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["landmark"] for row in rows] == [*NAMES, "overall"]
    for row, numbers in zip(rows, [*content["landmarks"].values(), content["overall"]], strict=True):
        assert row["unit"] == content["unit"]
        for key in ("n", "missing", "missed", "mean", "median", "std", "max"):
            assert (float(row[key]) if row[key] else None) == numbers[key]
        for key, percent in numbers["sdr"].items():
            assert (float(row[f"sdr_{key}"]) if row[f"sdr_{key}"] else None) == percent


def number(text: str) -> float | None:
    return float(text) if text else None


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("ndim", [2, 3])
def test_confidence_intervals_agree_in_all_files(ndim: int, tmp_path: Path) -> None:
    files = write_report(make(ndim, radii=(1.5, 3.0), n_images=14), tmp_path, SCHEMA, image_of(ndim), worst=0)
    content = json.loads(files.json.read_text(encoding="utf-8"))
    digits = 1 if content["unit"] == "px" else 2
    reader, rows = read(files), table(files.csv)
    summaries = [*content["landmarks"].values(), content["overall"]]
    assert summaries[-1]["intervals"]["mean"] is not None
    for row, shown, numbers in zip(rows, reader.intervals["landmarks"][1:], summaries, strict=True):
        intervals = numbers["intervals"]
        wanted = {"mean": intervals["mean"], "median": intervals["median"]}
        wanted |= {f"sdr_{key}": interval for key, interval in intervals["sdr"].items()}
        printed = []
        for key, interval in wanted.items():
            assert [number(row[f"{key}_{end}"]) for end in ("low", "high")] == (interval or [None, None])
            if interval is not None:
                places = digits if key in ("mean", "median") else 1
                printed.append(f"{interval[0]:.{places}f}–{interval[1]:.{places}f}")
        assert shown == printed
    assert files.measurements_csv is not None
    width, bend = table(files.measurements_csv)
    score = content["measurements"]["width"]
    low, high = score["mean_interval"]
    assert [number(width[key]) for key in ("mean_low", "mean_high")] == [low, high]
    assert [bend[key] for key in ("mean_low", "mean_high")] == ["", ""]
    assert reader.intervals["measurements"][1:] == [[f"{low:.{digits}f}–{high:.{digits}f}"], []]
    assert "95 % confidence interval" in reader.text
    assert "no confidence intervals" not in reader.text


def test_few_images_have_no_interval_and_it_is_said(made: tuple[Evaluation, ReportFiles]) -> None:
    reader = read(made[1])
    assert not any(interval for rows in reader.intervals.values() for interval in rows)
    assert "With 4 images no confidence intervals can be given: at least 10 are needed." in reader.text


def test_each_image_has_a_row_in_all_files(made: tuple[Evaluation, ReportFiles]) -> None:
    _, files = made
    cases = json.loads(files.json.read_text(encoding="utf-8"))["cases"]
    digits = 1 if made[0].unit == "px" else 2
    shown = read(files).tables["images"][1:]
    for case, row, printed in zip(cases, table(files.cases_csv), shown, strict=True):
        assert row["case"] == printed[0] == case["case"]
        assert [int(row[key]) for key in ("n", "missing", "missed")] == [case[k] for k in ("n", "missing", "missed")]
        assert [int(text) for text in printed[1:4]] == [case[k] for k in ("n", "missing", "missed")]
        for key, text in zip(("mean", "median", "max"), printed[4:7], strict=True):
            assert number(row[key]) == case[key]
            assert text == f"{case[key]:.{digits}f}"
        for name in NAMES:
            text = row[f"error of {name}"]
            assert (name in case["errors"]) == bool(text)
            if name in case["errors"]:
                assert (None if text == "missed" else float(text)) == case["errors"][name]
        unit = "mm" if made[0].unit == "mm" else "px"
        assert number(row[f"width ({unit}), true"]) == case["measurements"]["width"]["true"]
        assert number(row[f"width ({unit}), predicted"]) == case["measurements"]["width"]["predicted"]


def test_measurements_agree_in_all_files(made: tuple[Evaluation, ReportFiles]) -> None:
    _, files = made
    assert files.measurements_csv is not None
    scores = json.loads(files.json.read_text(encoding="utf-8"))["measurements"]
    shown = read(files).tables["measurements"][1:]
    keys = ("n", "missing", "missed", "mean", "median", "std", "max", "bias")
    for (name, score), row, printed in zip(scores.items(), table(files.measurements_csv), shown, strict=True):
        assert (row["measurement"], row["unit"]) == (name, score["unit"])
        assert [number(row[key]) for key in keys] == [score[key] for key in keys]
        assert printed[0] == f"{name} ({score['unit']})"
        assert printed[1:4] == [str(score[key]) for key in keys[:3]]
        digits = 1 if score["unit"] == "px" else 2
        assert printed[4] == ("–" if score["mean"] is None else f"{score['mean']:.{digits}f}")
    assert (scores["width"]["n"], scores["width"]["missing"], scores["width"]["missed"]) == (3, 1, 1)
    assert (scores["<bend>"]["n"], scores["<bend>"]["missing"]) == (0, 4)
    said = "pixels were taken as square for <bend>" in read(files).text
    assert said == (made[0].unit == "px")


def test_html_table_carries_the_numbers_of_json(made: tuple[Evaluation, ReportFiles]) -> None:
    _, files = made
    content = json.loads(files.json.read_text(encoding="utf-8"))
    header, *rows = read(files).tables["landmarks"]
    unit, digits = content["unit"], 1 if content["unit"] == "px" else 2
    assert header[:8] == [
        "Landmark",
        "n",
        "Missing",
        "Missed",
        f"Mean({unit})",
        f"Median({unit})",
        f"SD({unit})",
        f"Max({unit})",
    ]
    assert header[8:] == [f"≤\u00a01.5\u00a0{unit}(%)", f"≤\u00a03\u00a0{unit}(%)"]
    assert [row[0] for row in rows] == [*NAMES, "All landmarks"]
    for row, numbers in zip(rows, [*content["landmarks"].values(), content["overall"]], strict=True):
        assert [int(cell) for cell in row[1:4]] == [numbers[key] for key in ("n", "missing", "missed")]
        shown = [(value, digits) for value in (numbers[key] for key in ("mean", "median", "std", "max"))]
        shown += [(value, 1) for value in numbers["sdr"].values()]
        assert row[4:] == ["–" if value is None else f"{value:.{places}f}" for value, places in shown]


def test_html_says_what_was_evaluated(made: tuple[Evaluation, ReportFiles]) -> None:
    evaluation, files = made
    text = read(files).text
    assert "U-Net" in text
    assert "4 held-out images" in text
    assert evaluation.physical_scale in text
    overall = evaluation.overall
    assert overall.mean is not None
    if evaluation.unit == "mm":
        assert f"The mean distance is {overall.mean:.2f} mm" in text
        assert "z 2, y 1, x 1 mm per voxel" in text
    else:
        assert f"The mean distance is {overall.mean:.1f} px" in text
        assert "no physical scale: pixels" in text
    assert f"{overall.sdr[3.0]:.1f} % of the points lie within 3 {evaluation.unit}" in text
    assert "1 true point got no prediction" in text
    assert "5 landmarks of these images have no true point" in text


def test_html_is_self_contained_and_safe(made: tuple[Evaluation, ReportFiles]) -> None:
    _, files = made
    html = files.html.read_text(encoding="utf-8")
    reader = read(files)
    assert not reader.tags & {"script", "link", "iframe", "object"}
    assert "b" not in reader.tags
    assert len(reader.sources) == 6
    assert all(source.startswith("data:image/") for source in reader.sources)
    outside = re.sub(r"data:image/[^\"]+", "", html)
    assert "http://" not in outside
    assert "https://" not in outside
    assert "url(" not in outside
    assert EVIL in reader.text
    assert "case 3 <b>" in reader.text


def test_pictures_are_real_and_carry_no_names(made: tuple[Evaluation, ReportFiles]) -> None:
    _, files = made
    starts = []
    for source in read(files).sources:
        content = base64.b64decode(source.split(",", 1)[1], validate=True)
        starts.append(content[:5])
        assert b"someone" not in content
    assert starts == [b"<?xml"] * 2 + [b"\x89PNG\r"] * 4


def test_no_folder_or_user_in_any_file(made: tuple[Evaluation, ReportFiles]) -> None:
    for path in made[1].html.parent.iterdir():
        content = path.read_text(encoding="utf-8")
        assert "someone" not in content
        assert "/home" not in content
        assert str(made[1].html.parent) not in content


def test_the_worst_cases_come_first_and_are_limited(tmp_path: Path) -> None:
    files = write_report(make(2), tmp_path, SCHEMA, image_of(2), worst=2)
    reader = read(files)
    assert len(reader.sources) == 4
    assert re.findall(r"case \d", reader.text)[0] == "case 1"
    assert "missed" in reader.text


def test_an_image_that_is_gone_leaves_a_sentence(tmp_path: Path) -> None:
    def gone(case_id: str) -> Image:
        raise ImageError("/home/someone/secret.png does not exist.")

    files = write_report(make(2), tmp_path, SCHEMA, gone)
    reader = read(files)
    assert len(reader.sources) == 2
    assert reader.text.count("No picture:") == 4
    assert "secret" not in files.html.read_text(encoding="utf-8")


def test_an_image_of_another_size_leaves_a_sentence(tmp_path: Path) -> None:
    reader = read(write_report(make(2), tmp_path, SCHEMA, lambda _: Image.from_array(np.zeros((9, 9)))))
    assert reader.text.count("No picture:") == 4


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("train", "was trained on"),
        ("validation", "helped to choose"),
        ("extra", "4 images of the split “extra”"),
    ],
)
def test_other_splits_are_not_called_held_out(split: str, words: str, tmp_path: Path) -> None:
    text = read(write_report(make(2, split), tmp_path, SCHEMA, image_of(2), worst=0)).text
    assert words in text
    assert "4 held-out images" not in text


def test_a_model_that_finds_nothing_has_a_report(tmp_path: Path) -> None:
    grid = GRIDS[2]
    truth = LandmarkSet.from_points({"tip": (5, 5)}, grid)
    result = CaseResult("only", truth, LandmarkSet.empty(("tip",), grid))
    files = write_report(evaluate([result], model="m", split="test"), tmp_path, SCHEMA, image_of(2))
    reader = read(files)
    assert "The model found no point at all." in reader.text
    assert reader.tables["landmarks"][-1][:5] == ["All landmarks", "1", "0", "1", "–"]
    assert json.loads(files.json.read_text(encoding="utf-8"))["overall"]["mean"] is None


def test_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old", encoding="utf-8")
    files = write_report(make(2), tmp_path, SCHEMA, image_of(2), worst=0)
    assert files.html.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    evaluation = replace(make(2), measurements={})
    assert write_report(evaluation, tmp_path, SCHEMA, image_of(2), worst=0).measurements_csv is None
    assert not (tmp_path / "report_measurements.csv").exists()
    assert "Bias" not in read(files).text


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(ProjectError, match="could not be written"):
        write_report(make(2), blocked, SCHEMA, image_of(2), worst=0)
