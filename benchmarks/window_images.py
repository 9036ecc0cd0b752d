"""How long it takes until images, heatmaps and slices are seen."""

from __future__ import annotations

import time
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image as PillowImage
from qtpy.QtWidgets import QApplication
from window_bench import Bench, FakePrediction, Line, drawn_ms

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema

NEXT_MS, HEATMAPS_MS, SCROLL_MS, VOLUME_MS = 300, 150, 100, 3_000
_CHUNK_BYTES = 16 * 1024 * 1024


def step(bench: Bench) -> list[Line]:
    """Steps to the next cephalogram of 2400 x 1935, which was read ahead, until it is drawn."""
    project = _cephalograms(bench)
    bench.widget.session.open_project(project)
    spent = []
    for _ in project.cases[1:]:
        bench.settle()
        spent.append(drawn_ms(bench, bench.widget.session.next_case))
    return [Line("next: image of 2400 x 1935, read ahead", spent, NEXT_MS)]


def review(bench: Bench) -> list[Line]:
    """Ticks of the review, each until the next cephalogram is drawn at the landmark that it is opened for."""
    project, session, panel = _cephalograms(bench), bench.widget.session, bench.widget.predict.review
    rng = np.random.default_rng(1)
    for case in project.cases:
        grid, names = project.geometry(case.id).grid, project.schema.names
        points = {name: rng.uniform(50, 1900, 2) for name in names}
        scores = dict(zip(names, rng.uniform(0.1, 0.9, len(names)), strict=True))
        found = LandmarkSet.from_points(points, grid, names=names, status=LandmarkStatus.PREDICTED, score=scores)
        project.save_predictions(case.id, "model", found)
    session.open_project(project)
    session.model = "model"
    panel.start()
    while panel.task is not None:
        QApplication.processEvents()
    spent = []
    for _ in project.cases[2:]:
        bench.settle()
        before = session.case_id
        spent.append(drawn_ms(bench, panel.tick))
        assert session.case_id != before
    return [Line("review: the next image to look at, read ahead", spent, NEXT_MS)]


def heatmaps(bench: Bench) -> list[Line]:
    """From a prediction to its points and its 19 heatmaps of 512 x 512 on the screen (the strongest of all)."""
    folder = bench.folder / "square"
    folder.mkdir()
    PillowImage.fromarray(np.zeros((512, 512), np.uint8)).save(folder / "square.png")
    names = tuple(f"landmark {number}" for number in range(1, 20))
    project = create_project(bench.folder / "squares", LandmarkSchema.from_names(names), [folder / "square.png"])
    session = bench.widget.session
    session.open_project(project)
    bench.settle()
    grid = project.geometry("square").grid
    rng = np.random.default_rng(0)
    spent = []
    for _ in range(bench.times(30) + 1):
        points = {name: rng.uniform(20, 490, 2) for name in names}
        scores = dict.fromkeys(names, 0.5)
        found = LandmarkSet.from_points(points, grid, names=names, status=LandmarkStatus.PREDICTED, score=scores)
        maps = rng.random((19, 512, 512), dtype=np.float32)
        made = FakePrediction(found, maps, names, AffineMap.identity(grid.shape))
        session.model = "model"
        bench.settle(50)
        spent.append(drawn_ms(bench, lambda made=made: session.take_prediction("square", made, model="model")))
    return [Line("heatmaps: 19 of 512 x 512", spent[1:], HEATMAPS_MS), Line("heatmaps: the very first", spent[:1])]


def volume(bench: Bench) -> list[Line]:
    """A CT of 512 x 512 x 400 (int16): opening it, and its slices with 300 landmarks, until they are drawn."""
    shape = (512, 512, 40 if bench.quick else 400)
    path = bench.folder / "ct.nii"
    voxels = np.random.default_rng(0).integers(-1024, 2000, shape, dtype=np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([0.7, 0.7, 1.0, 1.0])), path)
    del voxels
    names = [f"landmark {number}" for number in range(1, 301)]
    project = create_project(bench.folder / "volumes", LandmarkSchema.from_names(names), [path])
    grid = project.geometry("ct").grid
    rng = np.random.default_rng(1)
    points = {name: rng.uniform(0, np.array(grid.shape) - 1) for name in names}
    project.save_annotations("ct", LandmarkSet.from_points(points, grid, names=names))
    reading, rest = [], []
    for _ in range(3):
        bench.widget.session.close_project(discard=True)
        bench.settle()
        reading.append(_read_ms(path))
        rest.append(drawn_ms(bench, lambda: bench.widget.session.open_project(project)) - reading[-1])
    bench.settle()
    dims = bench.canvas.viewer.dims
    slices = range(grid.shape[0])
    dims.set_current_step(0, len(slices) - 1)
    QApplication.processEvents()
    spent = [drawn_ms(bench, lambda at=at: dims.set_current_step(0, at)) for at in slices]
    return [
        Line(f"volume: reading {path.stat().st_size / 2**20:.0f} MiB from the file once", reading),
        Line("volume: opening it, beyond that", rest, VOLUME_MS),
        Line("scroll: a slice of it, 300 landmarks", spent, SCROLL_MS),
    ]


def _cephalograms(bench: Bench) -> Project:
    """A project of cephalograms of 2400 x 1935 with 19 landmarks."""
    root, folder = bench.folder / "heads", bench.folder / "cephalograms"
    if root.exists():
        return Project.open(root)
    folder.mkdir()
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(0, 200, (240, 194)), np.ones((10, 10)))[:2400, :1935]
    for number in range(bench.times(30) + 1):
        image = PillowImage.fromarray((smooth + rng.integers(0, 50, smooth.shape)).astype(np.uint8))
        image.save(folder / f"head_{number:02d}.png", compress_level=1)
    names = [f"landmark {number}" for number in range(1, 20)]
    return create_project(root, LandmarkSchema.from_names(names), sorted(folder.iterdir()))


def _read_ms(path: Path) -> float:
    """How long reading a file takes, in milliseconds."""
    begin = time.perf_counter()
    with path.open("rb") as file:
        while file.read(_CHUNK_BYTES):
            pass
    return (time.perf_counter() - begin) * 1000
