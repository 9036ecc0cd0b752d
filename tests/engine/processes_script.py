"""Trains several times in the same two processes: Lightning starts the second one by this script's own command."""

import json
import os
import sys
from pathlib import Path

import torch
from synthetic import small

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.heatmap.configs import GaussianTargetConfig
from napari_landmarker.engine.losses.configs import GaussianHeatmapL2Config, L2Config
from napari_landmarker.engine.models.configs import CascadeConfig, UNetConfig
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.train.config import OptimiserConfig, RefineConfig, TrainConfig
from napari_landmarker.engine.train.events import Judged
from napari_landmarker.engine.train.fit import train_project
from napari_landmarker.engine.train.sampling import StepSampler
from napari_landmarker.engine.train.trainer import Machines
from napari_landmarker.engine.transforms import AugmentationConfig

STILL = AugmentationConfig(probability=0)
SEED = 3


def still(steps: int, batch: int, **changes: object) -> TrainConfig:
    """A run without chance in its images, whose network is what its last step made it."""
    optimiser = OptimiserConfig(batch_size_2d=batch, ema=0.0, learning_rate=1e-3)
    common = {"precision": "float32", "validations": 1, "augmentation": STILL, "optimiser": optimiser, "seed": SEED}
    return small(steps, **{**common, **changes})


def runs(batch: int) -> dict[str, TrainConfig]:
    """What is compared: losses whose mean is over all landmarks, over each landmark's images, and two stages.

    All but the first change their images; the chance of each visit to an image is the same in any process.
    """
    moved = AugmentationConfig()
    coarse = UNetConfig(features_2d=(8,) * 5, stride_2d=1)
    cascade = CascadeConfig(coarse=coarse, downsample_2d=2, patch_2d=16, features_2d=(8, 8))
    refine = RefineConfig(jitter=1e-9, far_share=0, batch_size_2d=batch, ema=0.0, learning_rate=1e-3)
    learnt, scheduled = (GaussianTargetConfig(sigma=3, widths=widths) for widths in ("learned", "scheduled"))
    return {
        "still": still(3, batch),
        "learned": still(3, batch, target=learnt, loss=GaussianHeatmapL2Config(), augmentation=moved),
        "scheduled": still(3, batch, target=scheduled, loss=L2Config(), augmentation=moved, validations=3),
        "cascade": still(4, batch, model=cascade, refine=refine, augmentation=moved),
    }


def second_step_of_the_second_process(config: TrainConfig, images: int) -> int:
    """The image that the second process, and no other, is the first to see in the second step."""
    sampler = StepSampler(torch.ones(images).double().numpy(), config.optimiser.batch_size_2d, SEED, 0, bool)
    before = {index for index, _ in sampler.batch(0)}
    return next(index for index, _ in sampler.batch(1)[1::2] if index not in before)


def fails(project: Project, config: TrainConfig, name: str, case: str) -> str | None:
    """What a process says where an image cannot be read; None if it ends without a word."""
    path = project.image_path(case)
    first = int(os.environ["LOCAL_RANK"]) == 0
    whole = path.with_suffix(".whole")
    torch.distributed.barrier()
    if first:
        path.rename(whole)
        path.write_bytes(b"no image")
    torch.distributed.barrier()
    said = "It did not end."
    try:
        train_project(project, config, lambda event: None, machines=Machines(2), name=name)
    except LandmarkerError as error:
        said = f"{type(error).__name__}: {error}"
    except SystemExit as end:  # in the other
        said = None if not end.code else "It ended otherwise."
    torch.distributed.barrier()
    if first:
        path.unlink()
        whole.rename(path)
    torch.distributed.barrier()
    return said


def main(root: Path) -> None:
    """Train, and write what was found beside the project."""
    project = Project.open(root)
    first = int(os.environ.get("LOCAL_RANK", 0)) == 0
    found: dict[str, object] = {}
    for name, config in runs(5).items():
        # a process that is not the first is handed another configuration: it must train the first one's all the same
        given = config if first else config.changed(max_steps=1, seed=99)
        judged = []
        train_project(project, given, judged.append, machines=Machines(2), name=f"{name}-2")
        found[name] = [(e.validation_error, e.train_loss) for e in judged if isinstance(e, Judged)]
    config = still(4, 4, balance=0)
    learnt = [case.id for case in project.annotated_cases("train")]
    broken = learnt[second_step_of_the_second_process(config, len(learnt))]
    found["broken"] = [broken, fails(project, config, "broken", broken)]
    judged_on = [case.id for case in project.annotated_cases("validation")][1]
    found["judged"] = [judged_on, fails(project, config, "judged", judged_on)]
    if first:
        (root.parent / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
