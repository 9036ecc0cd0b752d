"""Head X-rays: train on the cephalograms of ISBI 2015, and report how many landmarks lie within 2 mm of the truth.

    python docs/tutorials/cephalograms.py --data ISBI2015 --minutes 30 --out cephalograms

The folder ISBI2015 holds the images of the challenge; a folder that is not there yet is filled by a download. Without
``--data``, small heads are drawn instead, in the same layout.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from drawn_images import draw_heads

from napari_landmarker.engine.datasets import load_isbi2015
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics import Evaluation
from napari_landmarker.engine.predict import evaluate_model
from napari_landmarker.engine.project import Split
from napari_landmarker.engine.report import write_report
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.fit import train_project
from napari_landmarker.engine.train.planner import plan_config
from napari_landmarker.engine.visualize import error_by_landmark_figure, save_figure
from napari_landmarker.terminal import training_bar


def main(data: Path | None, minutes: float, out: Path, **changes: Any) -> Evaluation:
    """Train and report; returns the figures of the test images."""
    # The set by one call. The truth is the mean of what two annotators placed, as (y, x) in pixels; the spacing says
    # how many millimetres a pixel is.
    if data is None:
        data = draw_heads(out / "heads", {"train": 30, "test1": 10})
    parts = load_isbi2015(data)
    train, test = parts["train"], parts["test1"]

    # A project is a folder: which images there are, which of them are learnt from, and one labelme file for each.
    # The window opens it, too: napari-landmarker open cephalograms/project
    splits = {path.name: Split.TRAIN for path in train.images} | {path.name: Split.TEST for path in test.images}
    project = create_project(
        out / "project",
        LandmarkSchema.from_names(train.class_names),
        [*train.images, *test.images],
        spacing=None if train.spacing is None else train.spacing[0],
        splits=splits,
    )
    for part in (train, test):
        for path, points in zip(part.images, part.landmarks, strict=True):
            grid = project.geometry(path.stem).grid
            named = dict(zip(part.class_names, points, strict=True))
            project.save_annotations(path.stem, LandmarkSet.from_points(named, grid))

    # "auto" looks at the images, this computer and the minutes, and says why it chooses what it chooses. All of it can
    # be changed: config.changed(seed=1), or any part of it, see napari_landmarker.engine.train.config.
    config = plan_config(project, minutes).changed(**changes)
    for reason in config.reasons:
        print("-", reason)

    # No validation images were named, so 15 % of the training images are held out to choose the best model by.
    with training_bar() as listener:
        model = train_project(project, config, listener)

    # The test images were never seen. Their predictions are kept in the project, and the report is a page to read.
    evaluation = evaluate_model(project, model, Split.TEST, radii=(2, 2.5, 3, 4))
    report = write_report(evaluation, out / "report", project.schema, project.image)
    save_figure(error_by_landmark_figure(evaluation), out / "errors.png")
    for name, summary in (*evaluation.landmarks.items(), ("all landmarks", evaluation.overall)):
        print(f"{name:24}{summary.mean:6.2f} {evaluation.unit}{summary.sdr[2.0]:7.1f} % within 2 {evaluation.unit}")
    print("Report:", report.html)
    return evaluation


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train on cephalograms and report errors in millimetres.")
    parser.add_argument("--data", type=Path, help="folder of ISBI 2015; without it, heads are drawn")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long to train")
    parser.add_argument("--steps", type=int, help="end the training after so many steps")
    parser.add_argument("--out", type=Path, default=Path("cephalograms"), help="a new folder")
    given = parser.parse_args()
    main(given.data, given.minutes, given.out, max_steps=given.steps)
