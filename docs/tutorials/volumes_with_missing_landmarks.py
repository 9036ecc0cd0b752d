"""Volumes in which landmarks are missing: train on them as they are, predict all, judge what can be judged.

    python docs/tutorials/volumes_with_missing_landmarks.py --minutes 5 --out volumes

The volumes are the MRI crops of hippocampi that come with napari-landmarker; a fifth of their landmarks is removed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from napari_landmarker.engine.datasets import SAMPLES, sample_project
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.metrics import Evaluation
from napari_landmarker.engine.models.configs import UNetConfig
from napari_landmarker.engine.predict import Predictor, evaluate_model
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.report import write_report
from napari_landmarker.engine.train.config import FrameConfig, TrainConfig
from napari_landmarker.engine.train.events import Event, Judged
from napari_landmarker.engine.train.fit import train_project


def remove_some(project: Project, share: float) -> int:
    """Take landmarks away at random; returns how many."""
    rng, removed = np.random.default_rng(0), 0
    for case in project.cases:
        landmarks = project.annotations(case.id)
        for name in landmarks.names:
            if landmarks.status_of(name).has_point and rng.random() < share:
                # Two different facts, and both are kept: nobody has looked yet, and it is not in this image. Neither
                # is learnt from or counted as an error.
                why = LandmarkStatus.UNPLACED if rng.random() < 0.5 else LandmarkStatus.ABSENT
                landmarks = landmarks.without_point(name, why)
                removed += 1
        project.save_annotations(case.id, landmarks)
    return removed


def tell(event: Event) -> None:
    """Training says what it does in events; here, only what the validation images say is printed."""
    if isinstance(event, Judged):
        print(f"step {event.step}: {event.validation_error:.2f} {event.unit} on validation images")


def main(minutes: float, out: Path, **changes: Any) -> Evaluation:
    """Train, predict and report; returns the figures of the test volumes."""
    project = sample_project(SAMPLES[3], out / "project")
    print(f"{remove_some(project, 0.2)} landmarks removed")

    # A configuration of our own instead of "auto": a small network that sees volumes at full resolution. What is not
    # said has its default. Images of landmarks that are seldom placed are shown oftener (balance).
    config = TrainConfig(
        preset="small",
        max_minutes=minutes,
        balance=0.5,
        frame=FrameConfig(budget_3d=60_000),
        model=UNetConfig(features_3d=(16, 16, 32, 48, 64), stride_3d=2),
    ).changed(**changes)
    model = train_project(project, config, tell)

    # The model finds every landmark in every volume, where one was removed, too. Points are in voxels, z first; world
    # coordinates are millimetres, as in DICOM. The score says how sure the model is.
    predictor = Predictor.load(project.model_path(model))
    case = project.cases_in(Split.TEST)[0]
    found = predictor.predict(project.image(case.id)).landmarks
    for name, world in zip(found.names, found.world(), strict=True):
        print(f"{name:20} voxel {found.point(name).round(1)}, mm {world.round(1)}, score {found.score_of(name):.2f}")

    # Errors are of the true points that there are; how many are missing is said beside them.
    evaluation = evaluate_model(project, model, Split.TEST)
    report = write_report(evaluation, out / "report", project.schema, project.image)
    for name, summary in (*evaluation.landmarks.items(), ("all landmarks", evaluation.overall)):
        error = "no true point" if summary.mean is None else f"{summary.mean:.2f} {evaluation.unit}"
        print(f"{name:20} {error} over {summary.n} points, {summary.missing} missing")
    print("Report:", report.html)
    return evaluation


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train on volumes of which landmarks are missing.")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long to train")
    parser.add_argument("--steps", type=int, help="end the training after so many steps")
    parser.add_argument("--out", type=Path, default=Path("volumes"), help="a new folder")
    given = parser.parse_args()
    main(given.minutes, given.out, max_steps=given.steps)
