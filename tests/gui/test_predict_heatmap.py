"""`place` and `HeatmapLayer`: a heatmap lies on its image to half a pixel, in 2D and on volumes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from napari import Viewer

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.heatmap_layer import ALL, CURRENT, HEATMAP_NAME, place
from napari_landmarker.gui.widget import LandmarkerWidget


def blob(shape: tuple[int, ...], centre: npt.ArrayLike, width: float = 2.0) -> npt.NDArray[np.float32]:
    axes = np.indices(shape).reshape(len(shape), -1).T - np.asarray(centre)
    return np.exp(-(axes**2).sum(axis=1) / (2 * width**2)).reshape(shape).astype(np.float32)


def centre_of_mass(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    weights = array / array.sum()
    return np.array([(weights * grid).sum() for grid in np.indices(array.shape)])


@pytest.mark.parametrize("point", [(40.0, 70.0), (33.3, 98.7)])
def test_a_map_lands_on_its_point_in_2d(point: tuple[float, float]) -> None:
    fit = AffineMap.fit((120, 160), (128, 128))
    to_heatmap = fit.then(AffineMap.scaling((128, 128), [0.25, 0.25], (32, 32), centred=False))
    heatmap = blob((32, 32), to_heatmap.apply(point))
    cut, (scale, first) = place(heatmap, to_heatmap)
    assert first + scale * centre_of_mass(cut) == pytest.approx(point, abs=0.1)
    last = first + scale * (np.array(cut.shape) - 1)
    assert (first >= -0.5).all()
    assert (last <= np.array([119.5, 159.5])).all()


def test_a_map_takes_the_slices_of_its_volume() -> None:
    shape, point = (20, 60, 70), (11.4, 30.2, 41.8)
    to_heatmap = AffineMap.scaling(shape, [2.5, 0.5, 0.5], (64, 32, 48))
    cut, (scale, first) = place(blob((64, 32, 48), to_heatmap.apply(point), width=4.0), to_heatmap)
    assert cut.shape[0] == 20
    assert (scale[0], first[0]) == (1.0, 0.0)
    assert first + scale * centre_of_mass(cut) == pytest.approx(point, abs=0.1)


def test_there_is_nothing_on_slices_beyond_the_map() -> None:
    to_heatmap = AffineMap.crop((10, 8, 8), (3, 0, 0), (4, 8, 8))
    cut, _ = place(np.ones((4, 8, 8), dtype=np.float32), to_heatmap)
    assert cut[:, 0, 0].tolist() == [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]


# ---- in the window


@dataclass(frozen=True)
class Predicted:
    landmarks: LandmarkSet
    heatmaps: npt.NDArray[np.float32]
    names: tuple[str, ...]
    to_heatmap: AffineMap


def predicted(project: Project, case_id: str, points: dict[str, tuple[float, ...]]) -> Predicted:
    grid = project.geometry(case_id).grid
    target = tuple(max(8, size // 2) for size in grid.shape)
    to_heatmap = AffineMap.fit(grid.shape, target)
    heatmaps = np.stack([blob(target, to_heatmap.apply(point)) for point in points.values()])
    landmarks = LandmarkSet.from_points(points, grid, status=LandmarkStatus.PREDICTED, score=dict.fromkeys(points, 0.5))
    return Predicted(landmarks, heatmaps, tuple(points), to_heatmap)


@pytest.mark.parametrize("dims", [2, 3])
def test_overlay_lies_on_the_image(
    dims: int, widget: LandmarkerWidget, viewer: Viewer, request: pytest.FixtureRequest
) -> None:
    project: Project = request.getfixturevalue(f"project_{dims}d")
    session = widget.session
    session.open_project(project)
    points = {"nasion": (40.0, 70.0), "sella": (80.0, 110.0)} if dims == 2 else {"nasion": (3.0, 20.0, 40.0)}
    steps = viewer.dims.nsteps
    session.take_prediction(session.case_id, predicted(project, session.case_id, points), "given")
    assert HEATMAP_NAME not in viewer.layers
    session.model = "given"
    session.take_prediction(session.case_id, predicted(project, session.case_id, points))
    heat, image = viewer.layers[HEATMAP_NAME], widget.layers.image
    assert viewer.layers.index(heat) == viewer.layers.index(image) + 1
    assert viewer.layers.selection.active is widget.layers.points
    assert viewer.dims.nsteps == steps
    heat_point = widget.predict.heatmaps.layer
    heat_point.which = "nasion"
    heat_point.refresh()
    world = np.array(heat.data_to_world(centre_of_mass(heat.data)))
    off_px = np.asarray(image.world_to_data(world)) - points["nasion"]
    assert np.abs(off_px).max() < 0.5


def test_one_all_or_the_current_landmark(widget: LandmarkerWidget, viewer: Viewer, project_2d: Project) -> None:
    session, panel = widget.session, widget.predict
    session.open_project(project_2d)
    session.model = "given"
    points = {"nasion": (30.0, 40.0), "sella": (90.0, 120.0)}
    prediction = predicted(project_2d, session.case_id, points)
    session.take_prediction(session.case_id, prediction)
    heat = viewer.layers[HEATMAP_NAME]

    def peaks() -> int:
        return int((heat.data > 0.9 * heat.data.max()).any(axis=1).sum())

    choices = [panel.heatmaps.which.itemData(row) for row in range(panel.heatmaps.which.count())]
    assert choices == [ALL, CURRENT, *project_2d.schema.names]
    both = peaks()
    panel.heatmaps.which.setCurrentIndex(choices.index("sella"))
    assert heat.data.shape == place(prediction.heatmaps[1], prediction.to_heatmap)[0].shape
    assert np.array_equal(heat.data, place(prediction.heatmaps[1], prediction.to_heatmap)[0])
    assert peaks() < both
    panel.heatmaps.which.setCurrentIndex(choices.index("menton"))
    assert not heat.data.any()
    panel.heatmaps.which.setCurrentIndex(choices.index(CURRENT))
    session.set_current("nasion")
    assert np.array_equal(heat.data, place(prediction.heatmaps[0], prediction.to_heatmap)[0])
    panel.heatmaps.opacity.setValue(30)
    assert heat.opacity == pytest.approx(0.3)
    panel.heatmaps.shown.setChecked(False)
    assert not heat.visible
    panel.heatmaps.shown.setChecked(True)
    assert heat.visible
    session.next_case()
    assert not heat.visible
    assert not panel.heatmaps.shown.isEnabled()
