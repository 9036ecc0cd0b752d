"""The sample images that ship, against their own table and, where it is at hand, the data they were made from."""

import csv

import numpy as np
import pytest

from napari_landmarker.engine.datasets import SAMPLES, sample_project
from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.project import Split


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_sample_project_has_the_images_the_splits_and_the_points_of_the_table(tmp_path, ndim):
    sample = SAMPLES[ndim]
    project = sample_project(sample, tmp_path / "p")
    rows = {(r["image"], r["landmark"]): r for r in sample.rows()}
    assert len(project.cases) == len({image for image, _ in rows}) >= {2: 60, 3: 24}[ndim]
    assert all(len(project.cases_in(split)) >= 5 for split in Split if split is not Split.CALIBRATION)
    empty = [c for c in project.cases if not project.annotations(c.id).placed.any()]
    assert [c.id for c in empty] == [c.id for c in project.cases_in(Split.TEST)[-sample.unannotated :]]
    for case in project.cases:
        image = project.image_path(case.id).name
        geometry, landmarks = project.geometry(case.id), project.annotations(case.id)
        for name in landmarks.names:
            row = rows[image, name]
            assert row["split"] == case.split
            if case not in empty:
                stored = [float(row[axis]) for axis in "zyx"[-ndim:]]
                np.testing.assert_allclose(geometry.stored.apply(landmarks.point(name)), stored, atol=1e-6)
                assert geometry.grid.contains(landmarks.point(name))
    assert (project.geometry(project.cases[0].id).grid.spacing is None) == (ndim == 2)
    licence = [p.name for p in (tmp_path / "p" / "images").iterdir() if p.suffix in (".txt", ".md")]
    assert sorted(licence) == ["ATTRIBUTION.md", "LICENSE.txt"]


def test_a_sample_project_that_is_there_is_opened_with_the_work_done_in_it(tmp_path):
    first = sample_project(SAMPLES[3], tmp_path / "p")
    case = first.cases[0].id
    changed = first.annotations(case).without_point("anterior_tip")
    first.save_annotations(case, changed)
    assert sample_project(SAMPLES[3], tmp_path / "p").annotations(case) == changed


def test_the_fundus_photographs_lie_at_half_the_size_of_the_originals(repository):
    source = repository.parent / "shared" / "data" / "idrid"
    if not source.exists():
        pytest.skip(f"the data the sample was made from is not at {source.parent.name}/{source.name}")
    with (source / "landmarks.csv").open(newline="") as file:
        original = {(r["image"], r["landmark"]): (float(r["x"]), float(r["y"])) for r in csv.DictReader(file)}
    for row in SAMPLES[2].rows():
        x, y = original[row["image"], row["landmark"]]
        assert (float(row["x"]), float(row["y"])) == pytest.approx(((x + 0.5) / 2 - 0.5, (y + 0.5) / 2 - 0.5))


def test_a_sample_is_not_made_in_a_project_of_something_else(tmp_path):
    sample_project(SAMPLES[3], tmp_path / "p")
    with pytest.raises(ProjectError, match="other landmarks"):
        sample_project(SAMPLES[2], tmp_path / "p")
