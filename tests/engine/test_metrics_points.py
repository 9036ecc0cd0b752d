"""Point error and SDR of arrays, against numbers computed by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.metrics import point_counts, point_error, sdr

NAN = float("nan")


def test_error_in_2d_is_euclidean_in_pixels() -> None:
    truth = np.array([[0.0, 0.0], [10.0, 20.0]])
    predicted = np.array([[3.0, 4.0], [10.0, 20.0]])
    assert point_error(truth, predicted, reduction="none").tolist() == [5.0, 0.0]
    assert point_error(truth, predicted) == 2.5


def test_error_in_3d_uses_the_spacing_of_each_axis() -> None:
    truth = np.array([[1.0, 1.0, 1.0]])
    predicted = np.array([[2.0, 3.0, 5.0]])  # 1, 2 and 4 px off
    assert point_error(truth, predicted) == pytest.approx(np.sqrt(21), abs=1e-12)
    assert point_error(truth, predicted, (2.0, 1.0, 0.5)) == pytest.approx(np.sqrt(12), abs=1e-12)
    assert point_error(truth, predicted, 2.0) == pytest.approx(2 * np.sqrt(21), abs=1e-12)


def test_error_with_a_spacing_for_each_image() -> None:
    truth = np.zeros((2, 3, 2))
    predicted = truth + np.array([3.0, 4.0])
    errors = point_error(truth, predicted, [(1.0, 1.0), (2.0, 2.0)], reduction="none")
    assert errors.tolist() == [[5.0] * 3, [10.0] * 3]


def test_missing_truth_and_missed_prediction_are_kept_apart() -> None:
    truth = np.array([[0.0, 0.0], [NAN, NAN], [5.0, 5.0], [NAN, NAN]])
    predicted = np.array([[0.0, 2.0], [1.0, 1.0], [NAN, NAN], [NAN, NAN]])
    errors = point_error(truth, predicted, reduction="none")
    assert errors[0] == 2.0
    assert np.isnan(errors[1:]).all()
    assert point_error(truth, predicted) == 2.0
    assert point_counts(truth, predicted) == (2, 2, 1)
    assert sdr(2.0, truth, predicted) == 50.0


def test_a_point_with_one_missing_coordinate_is_no_point() -> None:
    assert point_counts([[0.0, NAN], [0.0, 0.0]], [[0.0, 0.0], [NAN, 0.0]]) == (1, 1, 1)


def test_sdr_leaves_missing_truth_out() -> None:
    truth = np.array([[[0.0, 0.0], [5.0, 5.0], [NAN, NAN]]])
    assert sdr(1.0, truth, np.nan_to_num(truth)) == 100.0


def test_sdr_counts_a_missed_prediction_as_failure() -> None:
    truth = np.zeros((1, 3, 3))
    predicted = truth.copy()
    predicted[0, 1] = NAN
    assert sdr(1.0, truth, predicted) == pytest.approx(200 / 3, abs=1e-12)


def test_the_radius_belongs_to_success_without_tolerance() -> None:
    truth, predicted = [[0.0, 0.0]], [[3.0, 4.0]]
    assert sdr([5.0, np.nextafter(5.0, 0.0)], truth, predicted) == {5.0: 100.0, np.nextafter(5.0, 0.0): 0.0}


def test_sdr_of_several_radii_in_mm() -> None:
    truth = np.zeros((4, 3))
    predicted = np.array([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 3.0], [4.0, 0, 0]])
    # with 2, 1 and 0.5 mm: 2, 2, 1.5 and 8 mm
    assert sdr((1, 1.5, 2, 8), truth, predicted, (2, 1, 0.5)) == {1.0: 0.0, 1.5: 25.0, 2.0: 75.0, 8.0: 100.0}


def test_nothing_to_compare_is_nan_and_warns_not() -> None:
    truth = np.full((2, 2), NAN)
    assert np.isnan(point_error(truth, truth))
    assert np.isnan(sdr(1.0, truth, truth))
    assert point_counts(truth, truth) == (0, 2, 0)


def test_tensors_are_accepted_and_inputs_unchanged() -> None:
    torch = pytest.importorskip("torch")
    truth = torch.zeros((1, 2, 3))
    predicted = torch.full((1, 2, 3), 1.0, requires_grad=True)
    assert point_error(truth, predicted) == pytest.approx(np.sqrt(3))
    assert truth.eq(0).all()
    assert predicted.requires_grad


@pytest.mark.parametrize("shape", [(3, 2), (2, 3)])
def test_shapes_that_differ_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(GeometryError, match="cannot be compared"):
        point_error(np.zeros((2, 2)), np.zeros(shape))


@pytest.mark.parametrize("spacing", [0.0, -1.0, NAN, (1.0, 0.0)])
def test_a_spacing_that_is_not_positive_is_refused(spacing: object) -> None:
    with pytest.raises(GeometryError, match="positive"):
        point_error(np.zeros((1, 2)), np.zeros((1, 2)), spacing)


def test_a_spacing_of_other_dimensions_is_refused() -> None:
    with pytest.raises(GeometryError, match="does not fit"):
        point_error(np.zeros((1, 2)), np.zeros((1, 2)), (1.0, 1.0, 1.0))


def test_metrics_need_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, napari_landmarker.engine.metrics;"
        "sys.exit(', '.join({'torch', 'monai', 'matplotlib', 'napari'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
