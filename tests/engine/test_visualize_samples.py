"""Figures of a dataset and of a model on it: what is drawn lies where it should, and nothing covers anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from napari_landmarker.engine.errors import GeometryError, LandmarkerError, ProjectError
from napari_landmarker.engine.schema import PALETTE
from napari_landmarker.engine.visualize import (
    inspection_plot,
    prediction_inspect_plot,
    prediction_inspect_plot_multi_instance,
    to_png,
)
from napari_landmarker.engine.visualize.planes import Plane
from napari_landmarker.engine.visualize.samples import overlay

torch = pytest.importorskip("torch")

NAN = float("nan")
POINTS = {2: [(10.0, 30.0), (40.0, 12.5), (NAN, NAN)], 3: [(4.0, 10.0, 20.0), (8.0, 30.0, 5.5), (NAN, NAN, NAN)]}
SHAPES = {2: (50, 60), 3: (12, 40, 30)}


class Items:
    """A dataset of one point a landmark whose images are bright in one pixel: that of the first landmark."""

    class_names = ("tip", "cost $\\bad{$", "gone")

    def __init__(self, ndim: int, channels: int = 1, spacing: tuple[float, ...] | None = None, m: int = 0) -> None:
        self.ndim, self.channels, self.spacing, self.m = ndim, channels, spacing, m

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = torch.zeros((self.channels, *SHAPES[self.ndim]))
        image[(slice(None), *(int(v) for v in POINTS[self.ndim][0]))] = 1.0
        points = torch.tensor(POINTS[self.ndim])
        item = {"image": image, "landmark": points[:, None].repeat(1, self.m, 1) if self.m else points}
        if self.m:
            item["landmark"][:, 1:] += 6.0
        if self.spacing is not None:
            item |= {"spacing": torch.tensor(self.spacing), "frame": torch.eye(self.ndim + 1)}
        return item


def gaussians(points: Any, shape: tuple[int, ...], sigma: float = 1.5) -> Any:
    """Maps ``(B, L, *space)`` of points ``(B, L, [M,] D)``: the highest of the bells of a landmark."""
    points = points if points.ndim == 4 else points[:, :, None]
    grid = torch.stack(torch.meshgrid(*[torch.arange(n).float() for n in shape], indexing="ij"), dim=-1)
    places = points.reshape(*points.shape[:3], *[1] * len(shape), len(shape))
    squared = (grid - places).square().sum(-1)
    return torch.nan_to_num(torch.exp(-squared / (2 * sigma**2))).amax(dim=2)


class Model(torch.nn.Module):
    """Finds each landmark ``off`` pixels away from where it is, on maps of the image's size divided by ``stride``."""

    def __init__(self, ds: Items, off: float = 2.0, stride: int = 1, extra: int = 0) -> None:
        super().__init__()
        self.ds, self.off, self.stride, self.extra = ds, off, stride, extra
        self.modes: list[bool] = []

    def forward(self, image: Any) -> Any:
        self.modes.append(self.training)
        shape = tuple(n // self.stride for n in image.shape[2:])
        points = (self.ds[0]["landmark"][None] + self.off + 0.5) / self.stride - 0.5
        maps = gaussians(points, shape)
        return torch.cat([1 - maps[:, : self.extra], maps], dim=1)


def marks(axes: Axes, face: str | None = None) -> set[tuple[float, float]]:
    """Places (x, y) of discs or, with ``face="none"``, of rings."""
    lines = [line for line in axes.lines if line.get_marker() == "o"]
    wanted = [line for line in lines if (line.get_markerfacecolor() == "none") == (face == "none")]
    return {(float(x), float(y)) for line in wanted for x, y in zip(*line.get_data(), strict=True)}


def texts(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in figure.texts)


def assert_nothing_is_cut_or_covered(figure: Figure) -> None:
    to_png(figure, dpi=60)
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes += [item.get_window_extent() for item in (*figure.legends, *figure.texts)]
    for number, box in enumerate(boxes):
        assert min(box.x0, box.y0) >= -1
        assert box.x1 <= figure.bbox.x1 + 1
        assert box.y1 <= figure.bbox.y1 + 1
        for other in boxes[:number]:
            apart = max(box.x0 - other.x1, other.x0 - box.x1, box.y0 - other.y1, other.y0 - box.y1)
            assert apart >= -1, "two things of the figure overlap"


def test_2d_points_lie_on_their_pixels_in_their_colours() -> None:
    figure = inspection_plot(Items(2), 0, fig_title="A title")
    (axes,) = figure.axes
    assert marks(axes) == {(30.0, 10.0), (12.5, 40.0)}
    assert np.asarray(axes.images[0].get_array())[10, 30] == 1.0
    assert axes.get_xlim() == (-0.5, 59.5)
    colors = {line.get_xdata()[0]: line.get_color() for line in axes.lines if line.get_marker() == "o"}
    assert (colors[30.0], colors[12.5]) == PALETTE[:2]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["true point", "tip", "cost $\\bad{$", "gone"]
    assert "A title" in texts(figure)
    assert "Image 0, without a true point: 1 of 3 landmarks" in texts(figure)
    assert_nothing_is_cut_or_covered(figure)


def test_3d_slices_pass_through_each_point() -> None:
    figure = inspection_plot(Items(3, spacing=(3.0, 1.0, 1.0)), 0)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["z = 4", "y = 10", "x = 20", "z = 8", "y = 30", "x = 6", "z = 6", "y = 20", "x = 15"]
    z, y, x = figure.axes[:3]
    assert (marks(z), marks(y), marks(x)) == ({(20.0, 10.0)}, {(20.0, 4.0)}, {(10.0, 4.0)})
    assert np.asarray(z.images[0].get_array())[10, 20] == 1.0
    assert y.get_aspect() == pytest.approx(3.0)
    assert "gone: no point in this image" in texts(figure)
    assert any("mm" in text.get_text() for text in z.texts)
    assert_nothing_is_cut_or_covered(figure)


@pytest.mark.parametrize("ndim", [2, 3])
def test_maps_of_the_generator_lie_over_their_points(ndim: int) -> None:
    figure = inspection_plot(Items(ndim), 0, lambda points: gaussians(points, SHAPES[ndim]))
    axes = figure.axes[1] if ndim == 2 else figure.axes[0]
    veil = np.asarray(axes.images[1].get_array())
    row, column = (int(v) for v in POINTS[ndim][0][-2:])
    assert np.unravel_index(veil[..., 3].argmax(), veil.shape[:2]) == (row, column)
    assert veil[row, column, :3] == pytest.approx(to_rgba(PALETTE[0])[:3], abs=0.01)
    assert axes.images[1].get_extent() == axes.images[0].get_extent()
    assert_nothing_is_cut_or_covered(figure)


def test_maps_of_the_dataset_are_taken_where_it_has_some() -> None:
    class WithMaps(Items):
        def __getitem__(self, index: int) -> dict[str, Any]:
            item = super().__getitem__(index)
            return item | {"heatmap": gaussians(item["landmark"][None] / 2, (25, 30))[0]}

    axes = inspection_plot(WithMaps(2), 0).axes[1]
    assert np.asarray(axes.images[1].get_array()).shape == (25, 30, 4)
    assert axes.images[1].get_extent() == [-0.5, 59.5, 49.5, -0.5]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_predicted_points_are_in_the_image_frame(ndim: int, stride: int) -> None:
    ds = Items(ndim)
    model = Model(ds, 2.0, stride, extra=1)
    model.train()
    figure = prediction_inspect_plot(ds, model, 0)
    axes = figure.axes[0]
    x, y = POINTS[ndim][0][-1], POINTS[ndim][0][-2]
    rings = marks(axes, "none")
    assert any(abs(a - x - 2) <= 0.05 and abs(b - y - 2) <= 0.05 for a, b in rings)
    assert (x, y) in marks(axes)
    assert model.modes == [False]
    assert model.training
    assert_nothing_is_cut_or_covered(figure)


def test_a_model_keeps_its_modes_and_its_float_type() -> None:
    ds = Items(2)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.BatchNorm2d(3)).double().train()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    prediction_inspect_plot(ds, model, 0)
    assert [model.training, model[0].training, model[1].training] == [True, True, False]
    assert all((value == before[name]).all() for name, value in model.state_dict().items())


@pytest.mark.parametrize("indices", [[0, 1], range(2), np.arange(2), torch.arange(2)])
def test_items_are_named_by_any_kind_of_index(indices: Any) -> None:
    figure = inspection_plot(Items(2), indices)
    assert len(figure.axes) == 2
    assert len(inspection_plot(Items(2), indices[1]).axes) == 1


def test_the_heading_says_how_far_predictions_are_off() -> None:
    ds = Items(2, spacing=(0.5, 0.5))
    figure = prediction_inspect_plot(ds, Model(ds, 2.0), [0, 1], activation=lambda maps: maps)
    said = texts(figure)
    assert f"Image 0, mean distance {np.sqrt(2):.2f} mm, 0" not in said
    assert "Image 1, mean distance" in said
    assert "mm" in said
    assert "without a true point: 1 of 3 landmarks" in said
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == ["true point", "predicted point"]
    assert len(figure.axes) == 4


@pytest.mark.parametrize("ndim", [2, 3])
def test_several_points_of_a_landmark(ndim: int) -> None:
    ds = Items(ndim, m=2)
    figure = inspection_plot(ds, 0)
    assert len(marks(figure.axes[0])) == (4 if ndim == 2 else 2)
    assert_nothing_is_cut_or_covered(figure)
    figure = prediction_inspect_plot_multi_instance(ds, Model(ds, 1.0), 0, threshold=0.5, window=3)
    rings = marks(figure.axes[0], "none")
    assert len(rings) == (4 if ndim == 2 else 2)
    x, y = POINTS[ndim][0][-1] + 1, POINTS[ndim][0][-2] + 1
    assert min(np.hypot(a - x, b - y) for a, b in rings) < 0.75


@pytest.mark.parametrize("shape", [(20, 300), (300, 20), (64, 64)])
@pytest.mark.parametrize("n_landmarks", [1, 45])
def test_long_names_and_odd_images_cover_nothing(shape: tuple[int, int], n_landmarks: int) -> None:
    class Odd:
        class_names = [f"{number} a name that goes on and on and on and on and on" for number in range(n_landmarks)]

        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> dict[str, Any]:
            points = np.full((n_landmarks, 2), 5.0)
            points[n_landmarks // 2] = NAN
            return {"image": np.zeros((3, *shape)), "landmark": points}

    title = "A title that goes on and on, and then on again until nobody wants to read it any more, and further"
    assert_nothing_is_cut_or_covered(inspection_plot(Odd(), [0, 0], lambda p: gaussians(p, shape), fig_title=title))


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_images_of_any_number_of_channels(channels: int) -> None:
    pixels = np.asarray(inspection_plot(Items(2, channels), 0).axes[0].images[0].get_array())
    assert pixels.shape == ((50, 60, 3) if channels == 3 else (50, 60))


def test_raw_outputs_are_seen_above_their_middle() -> None:
    map_ = np.full((1, 9, 9), -20.0, dtype=np.float32)
    map_[0, 4, 4] = 5.0
    veil = overlay(map_, Plane(0, 1), (9, 9), ["#ff0000"])
    assert veil[4, 4, 3] > 0.5
    assert np.count_nonzero(veil[..., 3]) == 1
    for nothing in (0.0, NAN, np.inf):
        assert not overlay(np.full((1, 9, 9), nothing, dtype=np.float32), Plane(0, 1), (9, 9), ["#ff0000"]).any()
    map_[0, 0, :8], map_[0, 2, 2] = NAN, np.inf
    veil = overlay(map_, Plane(0, 1), (9, 9), ["#ff0000"])
    assert np.argwhere(veil[..., 3]).tolist() == [[2, 2], [4, 4]]


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf", ".PNG"])
def test_figures_are_written(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"new folder/figure{ending}"
    inspection_plot(Items(2), 0, save_path=path)
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert path.read_bytes().startswith(starts[ending.lower()])
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_what_cannot_be_drawn_or_written_is_one_sentence(tmp_path: Path) -> None:
    ds = Items(2)
    with pytest.raises(LandmarkerError, match=r"ends in \.png, \.svg or \.pdf"):
        inspection_plot(ds, 0, save_path=tmp_path / "figure.docx")
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="could not be written"):
        inspection_plot(ds, 0, save_path=tmp_path / "file" / "figure.png")
    with pytest.raises(GeometryError, match="no item 2"):
        inspection_plot(ds, 2)
    with pytest.raises(GeometryError, match="at least one item"):
        inspection_plot(ds, [])
    with pytest.raises(GeometryError, match="no heatmap for each of 3 landmarks"):
        prediction_inspect_plot(ds, torch.nn.Conv2d(1, 2, 3), 0)
    ds.class_names = ("one",)  # type: ignore[assignment]
    with pytest.raises(GeometryError, match="1 class_names for 3 landmarks"):
        inspection_plot(ds, 0)


def test_items_of_the_real_dataset_are_drawn() -> None:
    from napari_landmarker.engine.data import LandmarkDataset

    points = np.array([[[10.0, 30.0], [40.0, 12.0]]])
    ds = LandmarkDataset([np.eye(50, 60)], points, 2, pixel_spacing=(0.5, 0.5), dim_img=(25, 30))
    axes = inspection_plot(ds, 0).axes[0]
    assert sorted(marks(axes)) == [pytest.approx((5.75, 19.75)), pytest.approx((14.75, 4.75))]


def test_the_scale_follows_a_transform() -> None:
    class Turned(Items):
        def __getitem__(self, index: int) -> dict[str, Any]:
            # Twice as large along rows, turned by a quarter: a column of the picture is half a row of the image.
            affine = torch.eye(4)
            affine[:2, :2] = torch.tensor([[0.0, -1.0], [2.0, 0.0]])
            return super().__getitem__(index) | {"affine": affine}

    axes = inspection_plot(Turned(2, spacing=(0.5, 0.75)), 0).axes[0]
    assert axes.get_aspect() == pytest.approx(0.75 / 0.25)
    assert any("mm" in text.get_text() for text in axes.texts)


def test_the_scale_follows_a_transform_that_resizes() -> None:
    from napari_landmarker.engine.data import LandmarkDataset
    from napari_landmarker.engine.transforms import Resize

    resize = Resize(size=(25, 120), pad=False)
    ds = LandmarkDataset([np.eye(50, 60)], [[[20.0, 30.0]]], pixel_spacing=(0.5, 1.5), transform=resize)
    axes = inspection_plot(ds, 0).axes[0]  # 50 rows of 0.5 mm in 25, 60 columns of 1.5 mm in 120
    assert axes.get_aspect() == pytest.approx(1.0 / 0.75)


@pytest.mark.parametrize("ndim", [2, 3])
def test_patches_are_drawn_with_their_landmark(ndim: int) -> None:
    from napari_landmarker.engine.data import PatchDataset

    shape, points = (20,) * ndim, np.stack([np.full(ndim, 4.0), np.full(ndim, 9.0)])[None]
    ds = PatchDataset([np.zeros(shape)], points, 1, ndim, class_names=["a", "b"], dim_patch=(8,) * ndim)
    figure = inspection_plot(ds, 0)
    assert len(marks(figure.axes[0])) == 1
    shown = [text.get_text() for legend in figure.legends for text in legend.get_texts()] + texts(figure).split(" | ")
    assert "b" in shown
    assert "a" not in shown
