"""Detection reports and the cumulative curve of arrays, against numbers computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_landmarker.engine.errors import GeometryError, LandmarkerError
from napari_landmarker.engine.metrics import multi_instance_point_error
from napari_landmarker.engine.visualize import detection_report, multi_instance_detection_report, plot_cpe, to_png

NAN = float("nan")


def landmarks(ndim: int) -> tuple[np.ndarray, np.ndarray]:
    """Four images, two landmarks; errors in px: 1, 2, 3 and no truth; 10, missed, 30, 40."""
    true = np.full((4, 2, ndim), 50.0)
    predicted = true.copy()
    predicted[:, :, -1] += [[1, 10], [2, 20], [3, 30], [4, 40]]
    true[3, 0], predicted[1, 1] = NAN, NAN
    return true, predicted


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_numbers_of_a_report(ndim: int) -> None:
    report = detection_report(*landmarks(ndim), class_names=["a", "b"], radius=[2, 30], output_dict=True)
    assert list(report) == ["a", "b"]
    a, b = report["a"], report["b"]
    assert (a["Mean"], a["Median"], a["Min"], a["Max"], a["N"], a["Missing"], a["Missed"]) == (2, 2, 1, 3, 3, 1, 0)
    assert a["Std"] == pytest.approx(np.sqrt(2 / 3))
    assert a["SDR"] == {2: pytest.approx(200 / 3), 30: 100.0}
    assert (b["Mean"], b["N"], b["Missing"], b["Missed"]) == (pytest.approx(80 / 3), 4, 0, 1)
    assert b["SDR"] == {2: 0.0, 30: 50.0}


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_text_of_a_report(ndim: int, capsys: pytest.CaptureFixture[str]) -> None:
    spacing = (2.0,) * (ndim - 1) + (0.5,)
    text = detection_report(*landmarks(ndim), pixel_spacing=spacing, class_names=["a", "b"], digits=3)
    assert capsys.readouterr().out == ""
    rows = {line.split()[0]: line.split()[1:] for line in text.split("\n\n")[0].splitlines() if line[:1] in "ab"}
    assert rows["a"] == ["1.000", "1.000", f"{np.sqrt(1 / 6):.3f}", "0.500", "1.500", "3", "1", "0"]
    assert rows["b"][-3:] == ["4", "0", "1"]
    assert "Point error (mm)" in text
    assert "<= 2.5 mm" in text
    assert "All landmarks" in text
    widths = {len(line) for line in text.split("\n\n")[1].splitlines()[1:]}
    assert len(widths) == 1


def test_a_report_undoes_the_network_frame() -> None:
    true, predicted = np.full((1, 1, 2), 30.0), np.full((1, 1, 2), 30.0)
    predicted[..., 1] += 0.32
    report = detection_report(true, predicted, (64, 64), (100, 200), (1, 0.5), (16, 0), output_dict=True)
    assert report["Landmark 0"]["Mean"] == pytest.approx(0.5)


def test_units_and_radii_follow_the_spacing() -> None:
    true, predicted = landmarks(2)
    assert "<= 5 px" in detection_report(true, predicted)
    assert "<= 2 mm" in detection_report(true, predicted, pixel_spacing=0.1, unit="mm")
    for radius in (3, [3], iter([3]), np.array([3]), np.array(3)):
        assert list(detection_report(true, predicted, radius=radius, output_dict=True)["Landmark 0"]["SDR"]) == [3.0]
    with pytest.raises(LandmarkerError, match="errors are in px, not in mm"):
        detection_report(true, predicted, unit="mm")


def test_a_landmark_without_truth_has_no_numbers() -> None:
    true, predicted = landmarks(2)
    true[:, 0] = NAN
    report = detection_report(true, predicted, output_dict=True)["Landmark 0"]
    assert np.isnan([report["Mean"], report["Max"], *report["SDR"].values()]).all()
    assert (report["N"], report["Missing"]) == (0, 4)
    text = detection_report(true, predicted)
    assert "nan" not in text
    assert next(line for line in text.splitlines() if line.startswith("Landmark 0")).split()[2:] == [*"-----", *"040"]


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_report_of_several_points(ndim: int) -> None:
    true = np.full((2, 1, 3, ndim), NAN)
    true[0, 0, 0], true[0, 0, 1], true[1, 0, 0] = 0.0, 50.0, 20.0
    first, second = np.zeros(ndim), np.full(ndim, 20.0)
    first[0], second[0] = 3.0, 21.0
    found = multi_instance_point_error(true, [[[first]], [[second, second + 30]]], reduction="none", threshold=5)
    report = multi_instance_detection_report(true, found.matched, *found[1:4], class_names=["a"], output_dict=True)
    a = report["a"]  # type: ignore[index]
    assert (a["TP"], a["FP"], a["FN"]) == (2, 1, 1)
    assert (a["TPR"], a["Precision"], a["F1"]) == (pytest.approx(2 / 3),) * 3
    assert (a["Mean"], a["N"], a["Missing"], a["Missed"]) == (2.0, 3, 0, 1)
    assert a["SDR"][5.0] == pytest.approx(200 / 3)
    assert detection_report(true, found.matched, class_names=["a"], output_dict=True)["a"] == {
        key: value for key, value in a.items() if key not in ("TP", "FP", "FN", "TPR", "Precision", "F1")
    }
    text = multi_instance_detection_report(true, found.matched, *found[1:4], class_names=["a"])
    assert "Points found" in text
    assert "Success detection rate" in text
    with pytest.raises(GeometryError, match="reduction='none'"):
        multi_instance_detection_report(true, found.matched, 2, 1, 1)


def test_names_must_fit() -> None:
    for names in (["a"], ["a", "a"]):
        with pytest.raises(GeometryError, match="2 different names"):
            detection_report(*landmarks(2), class_names=names)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_curve_of_each_landmark(ndim: int) -> None:
    figure = plot_cpe(*landmarks(ndim), class_names=["a", "b $x"], group=False, stat="percent", title="cost $5")
    axes = figure.axes[0]
    a, b = axes.lines
    assert np.asarray(a.get_ydata()).tolist() == pytest.approx([0, 100 / 3, 200 / 3, 100, 100])
    assert np.asarray(a.get_xdata())[:4].tolist() == [0, 1, 2, 3]
    assert np.asarray(b.get_ydata())[-1] == 75.0
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b $x (1 not found)"]
    assert axes.get_xlabel() == "point error (px)"
    assert to_png(figure, dpi=50)


def test_the_curve_of_images_is_that_of_their_means() -> None:
    line = plot_cpe(*landmarks(2), pixel_spacing=0.5).axes[0].lines[0]
    # Means in mm: (1 + 10) / 4, 2 / 2, (3 + 30) / 4 and 40 / 2.
    assert np.asarray(line.get_xdata())[1:-1].tolist() == [1.0, 2.75, 8.25, 20.0]
    assert np.asarray(line.get_ydata())[1:-1].tolist() == [0.25, 0.5, 0.75, 1.0]
    assert line.get_label() == "mean error of an image (1 point not found left out)"


@pytest.mark.parametrize("ndim", [2, 3])
def test_curves_of_several_points_of_a_landmark(ndim: int) -> None:
    true, predicted = np.zeros((2, 2, 3, ndim)), np.zeros((2, 2, 3, ndim))
    predicted[..., 0] = [[[1, 2, 3], [4, NAN, 6]], [[7, 8, 9], [10, 11, 12]]]
    true[1, 1, 2] = NAN
    first, second = plot_cpe(true, predicted, group=False, stat="count").axes[0].lines
    assert np.asarray(first.get_xdata())[1:-1].tolist() == [1, 2, 3, 7, 8, 9]
    assert np.asarray(first.get_ydata())[-1] == 6
    assert np.asarray(second.get_xdata())[1:-1].tolist() == [4, 6, 10, 11]
    assert second.get_label() == "Landmark 1 (1 not found)"
    assert first.axes is not None
    assert first.axes.get_ylabel() == "number of points"
    means = plot_cpe(true, predicted).axes[0]
    assert np.asarray(means.lines[0].get_xdata())[1:-1].tolist() == [16 / 5, 45 / 5]
    assert means.get_ylabel() == "proportion of images"


def test_the_legend_of_good_results_hides_no_curve() -> None:
    errors = np.random.default_rng(0).rayleigh(1.0, (60, 1, 1)) * [1.0, 0.0]
    errors[0] = 20.0
    figure = plot_cpe(np.zeros((60, 1, 2)), errors)
    to_png(figure, dpi=60)
    (axes,) = figure.axes
    legend = axes.get_legend().get_window_extent()
    line = axes.transData.transform(np.asarray(axes.lines[0].get_xydata()))
    assert not any(legend.contains(x, y) for x, y in line)


@pytest.mark.parametrize("kind", ["ecdf", "kde", "hist"])
@pytest.mark.parametrize(("stat", "most"), [("proportion", 1.0), ("percent", 100.0), ("count", 30.0)])
def test_every_kind_of_curve_ends_where_it_should(kind: str, stat: str, most: float) -> None:
    rng = np.random.default_rng(0)
    true = np.zeros((30, 3, 2))
    figure = plot_cpe(true, rng.normal(0, 3, true.shape), kind=kind, stat=stat)  # type: ignore[arg-type]
    axes = figure.axes[0]
    if kind == "hist":
        last = float(axes.patches[-1].get_data().values[-1])  # type: ignore[attr-defined]
    else:
        y = np.asarray(axes.lines[0].get_ydata())
        assert (np.diff(y) >= 0).all()
        last = float(y[-1])
    assert last == pytest.approx(most, rel=0.05 if kind == "kde" else 1e-9)
    assert axes.get_ylim()[1] >= most


def test_the_legend_covers_no_axis_and_stays_inside() -> None:
    rng = np.random.default_rng(0)
    true = np.zeros((10, 45, 2))
    names = [f"landmark number {number}" for number in range(45)]
    figure = plot_cpe(true, rng.normal(0, 3, true.shape), class_names=names, group=False)
    to_png(figure, dpi=100)
    legend = figure.axes[0].get_legend().get_window_extent()
    assert legend.x0 >= figure.axes[0].get_window_extent().x1
    assert legend.x1 <= figure.bbox.x1
    assert legend.y0 >= 0
    assert legend.y1 <= figure.bbox.y1


def test_curves_are_written_and_odd_ones_refused(tmp_path: Path) -> None:
    plot_cpe(*landmarks(2), save_path=tmp_path / "curve.pdf")
    assert (tmp_path / "curve.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(LandmarkerError, match="kind is one of"):
        plot_cpe(*landmarks(2), kind="box")  # type: ignore[arg-type]
    with pytest.raises(LandmarkerError, match="stat one of"):
        plot_cpe(*landmarks(2), stat="density")  # type: ignore[arg-type]
    with pytest.raises(LandmarkerError, match="nothing to draw"):
        plot_cpe(np.full((2, 1, 2), NAN), np.zeros((2, 1, 2)))
