"""Point error and SDR of arrays, against numbers computed by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from napari_landmarker.engine.errors import GeometryError, LandmarkerError
from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.metrics import cumulative_error, frame_map, point_counts, point_error, sdr

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
    assert point_error(truth, predicted, pixel_spacing=(2.0, 1.0, 0.5)) == pytest.approx(np.sqrt(12), abs=1e-12)
    assert point_error(truth, predicted, pixel_spacing=2.0) == pytest.approx(2 * np.sqrt(21), abs=1e-12)


def test_error_with_a_spacing_for_each_image() -> None:
    truth = np.zeros((2, 3, 2))
    predicted = truth + np.array([3.0, 4.0])
    errors = point_error(truth, predicted, pixel_spacing=[(1.0, 1.0), (2.0, 2.0)], reduction="none")
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
    assert sdr((1, 1.5, 2, 8), truth, predicted, pixel_spacing=(2, 1, 0.5)) == {
        1.0: 0.0,
        1.5: 25.0,
        2.0: 75.0,
        8.0: 100.0,
    }


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
    for dtype in (torch.float16, torch.bfloat16, torch.int64):
        assert point_error(truth.to(dtype), list(predicted.to(dtype))) == pytest.approx(np.sqrt(3))
    for radius in (torch.tensor(2.0), np.array(2.0), np.float32(2)):
        assert sdr(radius, truth, predicted) == 100.0  # type: ignore[call-overload]
    assert sdr(torch.tensor([1.0, 2.0]), truth, predicted) == {1.0: 0.0, 2.0: 100.0}


@pytest.mark.parametrize("shape", [(3, 2), (2, 3)])
def test_shapes_that_differ_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(GeometryError, match="cannot be compared"):
        point_error(np.zeros((2, 2)), np.zeros(shape))


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("inf"), (1.0, 0.0)])
def test_a_spacing_that_is_not_positive_is_refused(spacing: object) -> None:
    with pytest.raises(GeometryError, match="positive"):
        point_error(np.zeros((1, 2)), np.zeros((1, 2)), pixel_spacing=spacing)


def test_a_spacing_of_other_dimensions_is_refused() -> None:
    with pytest.raises(GeometryError, match="does not fit"):
        point_error(np.zeros((1, 2)), np.zeros((1, 2)), pixel_spacing=(1.0, 1.0, 1.0))


def test_unknown_spacing_is_pixels_and_half_known_is_refused() -> None:
    truth, predicted = np.zeros((2, 1, 2)), np.full((2, 1, 2), 3.0)
    assert point_error(truth, predicted, pixel_spacing=np.full((2, 2), NAN)) == pytest.approx(np.sqrt(18))
    with pytest.raises(GeometryError, match="Some images state no pixel spacing"):
        point_error(truth, predicted, pixel_spacing=[(0.5, 0.5), (NAN, NAN)])


def test_the_network_frame_is_undone_by_hand() -> None:
    # 100 x 200 pixels in 64 x 64: scale 0.32, so 32 rows, and 16 rows of padding before and behind.
    there = [[(10.5 * 0.32 - 0.5 + 16, 50.5 * 0.32 - 0.5)]]
    here = frame_map((64, 64), (100, 200), (16, 0)).inverse.apply(there)
    assert here == pytest.approx(np.array([[[10.0, 50.0]]]), abs=1e-12)
    off = np.add(there, (0.32, 0.0))  # one row of the image
    arguments = ((64, 64), np.array([[100, 200]]), np.array([[0.5, 0.25]]), np.array([[16.0, 0.0]]))
    assert point_error(there, off, *arguments) == pytest.approx(0.5, abs=1e-12)
    assert point_error(there, off, arguments[0], arguments[1], padding=arguments[3]) == pytest.approx(1.0, abs=1e-12)
    assert sdr([0.4, 0.6], there, off, *arguments) == {0.4: 0.0, 0.6: 100.0}


@pytest.mark.parametrize("keep_aspect", [True, False])
@pytest.mark.parametrize(
    ("sizes", "frame"), [([(100, 200), (90, 31), (64, 64)], (64, 48)), ([(30, 120, 121), (9, 64, 50)], (48, 48, 40))]
)
def test_images_of_several_sizes_in_one_batch(
    sizes: list[tuple[int, ...]], frame: tuple[int, ...], keep_aspect: bool
) -> None:
    rng = np.random.default_rng(0)
    ndim = len(frame)
    maps = [(AffineMap.fit if keep_aspect else AffineMap.resize)(size, frame) for size in sizes]
    padding = [to.apply(np.full(ndim, -0.5)) + 0.5 for to in maps]  # where the image's first border lies
    truth = np.stack([rng.uniform(0, size, (7, ndim)) for size in sizes])
    predicted = truth + rng.normal(0, 3, truth.shape)
    predicted[0, 2] = NAN
    there = [np.stack([to.apply(p) for to, p in zip(maps, points, strict=True)]) for points in (truth, predicted)]
    spacing = rng.uniform(0.2, 3, (len(sizes), ndim))
    found = point_error(*there, frame, sizes, spacing, padding, "none")  # type: ignore[call-overload]
    wanted = np.sqrt((((truth - predicted) * spacing[:, None]) ** 2).sum(-1))
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize("ndim", [2, 3])
def test_items_of_a_dataset_give_errors_of_the_image_on_disk(ndim: int) -> None:
    torch = pytest.importorskip("torch")
    from napari_landmarker.engine.data import LandmarkDataset

    shape, frame, spacing = ((40, 61), (32, 32), (0.5, 0.25)) if ndim == 2 else ((12, 40, 31), (24, 24, 24), (3, 1, 1))
    truth = np.stack([np.asarray(shape) * 0.4, np.asarray(shape) * 0.6])
    ds = LandmarkDataset([np.zeros(shape)] * 2, np.stack([truth] * 2), ndim, pixel_spacing=spacing, dim_img=frame)
    items = [ds[0], ds[1]]
    batch = {key: torch.stack([item[key] for item in items]) for key in items[0] if key != "index"}
    step = torch.tensor(np.ones(ndim), dtype=torch.float32)
    predicted = batch["landmark"] + step / batch["step"][:, None]  # one pixel of the image along each axis
    shape_of = tuple(batch["image"].shape[2:])
    error = point_error(
        batch["landmark"], predicted, shape_of, batch["dim_original"], batch["spacing"], batch["padding"]
    )
    assert error == pytest.approx(np.linalg.norm(spacing), rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"dim": (8, 8)}, "belong together"),
        ({"dim_orig": (8, 8)}, "belong together"),
        ({"padding": (1, 0)}, "only be undone with dim"),
        ({"dim": (8, 8), "dim_orig": (8, 8), "padding": (4, 0)}, "leaves no room"),
        ({"dim": (8, 8, 8), "dim_orig": (8, 8)}, "dim of shape"),
        ({"dim": (8, 8), "dim_orig": (0, 8)}, "whole pixels"),
        ({"dim": (8, 8), "dim_orig": (8.5, 8)}, "whole pixels"),
        ({"dim": (8, 8), "dim_orig": [(8, 8)] * 3}, "a row for each image"),
    ],
)
def test_frames_that_make_no_sense(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        point_error(np.zeros((2, 1, 2)), np.zeros((2, 1, 2)), **arguments)  # type: ignore[call-overload]


def test_zero_padding_without_a_frame_is_nothing() -> None:
    assert point_error(np.zeros((1, 1, 2)), np.ones((1, 1, 2)), padding=np.zeros((1, 2))) == pytest.approx(np.sqrt(2))


def test_mean_and_nanmean_are_the_same_and_other_reductions_are_refused() -> None:
    truth, predicted = [[[0.0, 0.0], [0.0, 0.0]]], [[[3.0, 4.0], [NAN, NAN]]]
    assert point_error(truth, predicted, reduction="nanmean") == point_error(truth, predicted) == 5.0
    with pytest.raises(LandmarkerError, match="'sum' is not known"):
        point_error(truth, predicted, reduction="sum")  # type: ignore[call-overload]


@pytest.mark.parametrize("ndim", [2, 3])
def test_two_perfect_points_and_one_without_truth_are_all_of_them(ndim: int) -> None:
    truth = np.zeros((1, 3, ndim))
    predicted = truth.copy()
    truth[0, 1] = NAN
    assert sdr(2.0, truth, predicted) == sdr(2.0, truth, predicted, nanmean=True) == 100.0
    assert sdr(np.array([1.0, 2.0]), truth, predicted) == {1.0: 100.0, 2.0: 100.0}


def test_the_cumulative_curve_is_the_sdr_at_each_distance() -> None:
    errors = np.array([2.0, 2.0, 8.0, NAN, 4.0])
    curve = cumulative_error(errors)
    assert curve.distance.tolist() == [2.0, 4.0, 8.0]
    assert curve.percent.tolist() == [40.0, 60.0, 80.0]
    assert cumulative_error([NAN]).distance.size == 0
    truth = np.zeros((5, 2))
    predicted = np.column_stack([errors, np.where(np.isnan(errors), NAN, 0.0)])
    assert sdr(curve.distance, truth, predicted) == dict(zip(curve.distance, curve.percent, strict=True))


def test_metrics_need_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, napari_landmarker.engine.metrics;"
        "sys.exit(', '.join({'torch', 'monai', 'matplotlib', 'napari'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
