"""Several points of one kind in an image: find all of them, and count what was found, made up and missed.

    python docs/tutorials/several_instances.py --minutes 2 --out fields

The images are drawn: fields with up to four wheat plants and up to four weeds. Real sets of this kind are EndoVis 2015
and the plant centroids, see `napari_landmarker.engine.datasets`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from drawn_images import draw_fields

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics import InstanceErrors, multi_instance_point_error
from napari_landmarker.engine.predict import Predictor
from napari_landmarker.engine.project import Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.fit import train_project
from napari_landmarker.engine.train.planner import plan_config
from napari_landmarker.engine.visualize import multi_instance_detection_report
from napari_landmarker.terminal import training_bar

NAMES = ("wheat", "weed")
MOST = 4
#: A peak of a map counts as a plant from this score on, and as that plant if it is at most so far away.
SURE, NEAR_PX = 0.4, 5.0


def main(images: int, minutes: float, out: Path, **changes: Any) -> InstanceErrors:
    """Train and count; returns what was found in the test images."""
    # Points of an image are (L, M, D): landmarks, points of each, and y, x. NaN fills up where there are fewer than M.
    fields = draw_fields(out / "images", images, MOST)
    schema = LandmarkSchema.parse({"landmarks": [{"name": name} for name in NAMES], "instances": MOST})
    project = create_project(out / "project", schema, fields)  # splits are drawn: 70 % train, 15 % each of the others
    for path, points in fields.items():
        status = np.where(np.isfinite(points).all(axis=-1), "confirmed", "unplaced")
        project.save_annotations(path.stem, LandmarkSet(NAMES, points, status, project.geometry(path.stem).grid))

    # Where a landmark has several points, "auto" chooses maps with a peak of height 1 at each of them, and the squared
    # difference as the loss: maps that are a probability over the pixels know only one point.
    config = plan_config(project, minutes).changed(**changes)
    print("Loss:", config.loss.kind)
    with training_bar() as listener:
        model = train_project(project, config, listener)

    # A predictor reads up to M peaks from each map, the highest first; the score is the height of the peak.
    predictor = Predictor.load(project.model_path(model))
    truth, found = [], []
    for case in project.cases_in(Split.TEST):
        landmarks = predictor.predict(project.image(case.id)).landmarks
        truth.append(project.annotations(case.id).points)
        found.append(np.where(landmarks.score[..., None] >= SURE, landmarks.points, np.nan))

    # Which prediction is which plant? They are matched so that as many as possible lie near each other. The rest is
    # made up (false positives) or missed (false negatives).
    both = np.array(truth), np.array(found)
    each = multi_instance_point_error(*both, threshold=NEAR_PX, reduction="none")
    counts = each.true_positives, each.false_positives, each.false_negatives
    report = multi_instance_detection_report(both[0], each.matched, *counts, class_names=NAMES, radius=[1, 2, 5])
    (out / "report.txt").write_text(report + "\n", encoding="utf-8")
    total = multi_instance_point_error(*both, threshold=NEAR_PX)
    print(report)
    print(f"precision {total.precision:.2f}, recall {total.recall:.2f}, F1 {total.f1:.2f}, error {total.error:.2f} px")
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Find several points of one kind.")
    parser.add_argument("--images", type=int, default=60, help="how many fields to draw")
    parser.add_argument("--minutes", type=float, default=2.0, help="how long to train")
    parser.add_argument("--steps", type=int, help="end the training after so many steps")
    parser.add_argument("--out", type=Path, default=Path("fields"), help="a new folder")
    given = parser.parse_args()
    main(given.images, given.minutes, given.out, max_steps=given.steps)
