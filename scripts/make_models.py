"""Train and calibrate the models that come with the package, and put them into it as ordinary model folders.

Usage: python scripts/make_models.py [--data DATA_FOLDER] [--only fundus|hippocampus] [--calibrate]

DATA_FOLDER holds ``idrid/`` and ``hippocampus/`` (each with ``images/`` and ``landmarks.csv``). Without it, the models
learn from the sample images alone. The test images of the sample projects are never learnt from, so that what a model
says of them is what it says of images it does not know; neither are the last 40 hippocampi of the full data, which the
accuracy benchmark holds out. Of the full data, some images that are not in the sample are kept to calibrate on: no
model learns from them, is chosen on them or is judged on them. With ``--calibrate``, the models that are in the package
are calibrated and judged anew, without a training. A model is written only if it takes less than 5 MB.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from make_sample_data import Points, evenly_spaced, is_usable, read_points

from napari_landmarker.engine.datasets import SAMPLES, Sample
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.heatmap.configs import GaussianTargetConfig
from napari_landmarker.engine.io import read_geometry
from napari_landmarker.engine.io.atomic import write_json, write_text
from napari_landmarker.engine.io.table_text import write_sheet
from napari_landmarker.engine.metrics import Evaluation
from napari_landmarker.engine.model_folders import SHIPPED_DIR
from napari_landmarker.engine.models.configs import UNetConfig
from napari_landmarker.engine.predict import evaluate_model, read_info
from napari_landmarker.engine.predict.bundle import load_network, read_curve, save_bundle
from napari_landmarker.engine.predict.calibrate import CARD, COVERAGE, calibrate_model, promise
from napari_landmarker.engine.predict.calibration_file import NO_CALIBRATION, read_calibration, write_calibration
from napari_landmarker.engine.predict.ensemble import fingerprint_of
from napari_landmarker.engine.predict.model_card import words
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.train.config import FrameConfig, OptimiserConfig, TrainConfig
from napari_landmarker.engine.train.fit import train_project
from napari_landmarker.engine.uncertainty import leave_one_out
from napari_landmarker.terminal import training_bar

MAX_BYTES = 5_000_000
#: Of the images that are not in the sample, one in so many helps to choose the best model.
VALIDATION_EVERY = 10


@dataclass(frozen=True)
class Recipe:
    """One model.

    Attributes:
        sample: the sample images, whose landmarks it finds and whose test images it never sees.
        folder: of the full data.
        columns: of the full data's table: image, then the axes from the first stored one.
        held_out: so many of the last images of the full data are not learnt from; they are test images, too.
        calibration: so many images of the full data calibrate: of those held out where there are any, and none of the
            sample's. From 20 on, regions of 95 % can be judged in them, each by the others.
        config: how it is trained.
        attribution: whose images they are, and what may be done with what is made of them.
    """

    sample: Sample
    folder: str
    columns: tuple[str, ...]
    held_out: int
    calibration: int
    config: TrainConfig
    attribution: str


RECIPES = (
    Recipe(
        SAMPLES[2],
        "idrid",
        ("image", "x", "y"),
        0,
        39,
        TrainConfig(
            preset="fundus",
            reasons=("A network of 3.6 MB that looks at the whole photograph, so that the model can ship.",),
            max_minutes=7,
            frame=FrameConfig(budget_2d=173_000),
            model=UNetConfig(features_2d=(32, 32, 64, 96, 128), stride_2d=4),
            target=GaussianTargetConfig(sigma=1.0),
            optimiser=OptimiserConfig(ema=0.995),
        ),
        "Trained on photographs of the Indian Diabetic Retinopathy Image Dataset (IDRiD): P. Porwal, S. Pachade, "
        "R. Kamble, M. Kokare, G. Deshmukh, V. Sahasrabuddhe, F. Meriaudeau, Data 3(3):25, 2018, "
        "<https://doi.org/10.3390/data3030025>, licensed under CC BY 4.0 "
        "(<https://creativecommons.org/licenses/by/4.0/>). This model is given out under the same licence.",
    ),
    Recipe(
        SAMPLES[3],
        "hippocampus",
        ("file", "i", "j", "k"),
        40,
        20,
        TrainConfig(
            preset="hippocampus",
            reasons=("A small network that sees volumes at 1 mm per pixel, so that the model can ship.",),
            max_minutes=7,
            frame=FrameConfig(budget_3d=148_000),
            model=UNetConfig(features_3d=(8, 16, 32, 64, 96), stride_3d=1),
            target=GaussianTargetConfig(sigma=1.5),
            optimiser=OptimiserConfig(batch_size_3d=2, ema=0.995),
        ),
        "Trained on volumes of the Medical Segmentation Decathlon, task 04 (Hippocampus): M. Antonelli et al., Nature "
        "Communications 13:4128, 2022, <https://doi.org/10.1038/s41467-022-30695-9>, licensed under CC BY-SA 4.0 "
        "(<https://creativecommons.org/licenses/by-sa/4.0/>); the landmarks were computed from its segmentations. This "
        "model is given out under the same licence.",
    ),
)


def read_source(recipe: Recipe, data: Path | None) -> tuple[dict[Path, dict[str, tuple[float, ...]]], dict[str, Split]]:
    """The images with their landmarks (``x, y[, z]`` as stored), and the split of each by file name."""
    sample_split = {row["image"]: Split(row["split"]) for row in recipe.sample.rows()}
    if data is None:
        axes = ("x", "y", "z")[: len(recipe.columns) - 1]
        points: Points = read_points(recipe.sample.folder / "landmarks.csv", "image", axes)
        return {recipe.sample.folder / name: points[name] for name in sorted(points)}, sample_split
    folder = data / recipe.folder
    points = read_points(folder / "landmarks.csv", recipe.columns[0], recipe.columns[1:])
    usable = {}
    for name in sorted(points):
        stored_shape = read_geometry(folder / "images" / name).stored.target_shape[::-1]
        if is_usable(points[name], stored_shape, len(recipe.sample.landmarks)):
            usable[folder / "images" / name] = points[name]
    names = [path.name for path in usable]
    apart = [name for name in names[-recipe.held_out :] if name not in sample_split]  # all where none is held out
    calibration = set(evenly_spaced(apart, recipe.calibration))
    splits = {}
    for number, name in enumerate(names):
        drawn = Split.VALIDATION if number % VALIDATION_EVERY == 0 else Split.TRAIN
        is_last = number >= len(names) - recipe.held_out
        splits[name] = Split.TEST if is_last else sample_split.get(name, drawn)
        if name in calibration:
            splits[name] = Split.CALIBRATION
    return usable, splits


def make_project(recipe: Recipe, data: Path | None, root: Path, most: int | None) -> Project:
    """A project of the images that a model learns from and is judged on.

    Args:
        recipe: the model.
        data: the full data.
        root: folder of the project.
        most: at most so many images of each split, for a try.
    """
    points, splits = read_source(recipe, data)
    kept = [path for split in Split for path in [p for p in points if splits[p.name] is split][:most]]
    table = root / "landmarks.csv"
    rows = [[path.name, name, *map(str, place)] for path in kept for name, place in points[path].items()]
    write_sheet(table, ["image", "landmark", *"xyz"[: len(recipe.columns) - 1]], rows)
    return create_project(root, recipe.sample.schema, kept, annotations=table, splits=splits)


def ship(project: Project, model: str, recipe: Recipe, evaluation: Evaluation, out: Path) -> Path:
    """Put a trained model where the package looks for it, unless it is too large; returns its folder."""
    source, target = project.model_path(model), out / recipe.sample.name
    made = out / f".{target.name}.new"
    shutil.rmtree(made, ignore_errors=True)
    info = read_info(source).model_copy(update={"name": target.name})
    save_bundle(made, info, load_network(source, info), read_curve(source))
    write_json(made / "evaluations" / f"{evaluation.split}.json", evaluation.figures() | {"model": target.name})
    calibration, told = read_calibration(source), NO_CALIBRATION
    if calibration is not None:
        mark = fingerprint_of([made])
        write_calibration(made, calibration, fingerprint=mark, views=1, flips=False, split=Split.CALIBRATION.value)
        shutil.copyfile(source / COVERAGE, made / COVERAGE)
        told = f"{promise(calibration, leave_one_out(calibration))} {calibrated_on(project, recipe)}"
    write_text(made / CARD, f"{words(info, told)}\n{judged(project, evaluation)}\n\n{licence(recipe)}")
    size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    if size >= MAX_BYTES:
        shutil.rmtree(made)
        raise SystemExit(
            f"The model {target.name} takes {size / 1e6:.2f} MB, and less than {MAX_BYTES / 1e6:g} MB are allowed."
        )
    shutil.rmtree(target, ignore_errors=True)
    made.rename(target)
    return target


def calibrated_on(project: Project, recipe: Recipe) -> str:
    """Which images a model was calibrated on, in a sentence or two."""
    names = [project.image_path(case.id).name for case in project.annotated_cases(Split.CALIBRATION)]
    return (
        f"These images of the set named below are none that it learnt from, was chosen on or is judged on, and none of "
        f"the sample project {recipe.sample.name}: {', '.join(names)}."
    )


def judged(project: Project, evaluation: Evaluation) -> str:
    """How good a model is on images that it never saw, in a sentence or two."""
    case = project.cases_in(Split.TEST)[0]
    sizes = " x ".join(map(str, project.geometry(case.id).grid.shape))
    said = (
        f"On {evaluation.n_images} test images that it never saw, such as one of {sizes} pixels, its mean point error "
        f"is {evaluation.overall.mean:.2f} {evaluation.unit}"
    )
    if evaluation.coverage is None:
        return f"{said}."
    points = evaluation.coverage.points
    return (
        f"{said}, and {points.covered} of their {points.n} points lie inside regions that promise "
        f"{100 * evaluation.coverage.confidence:g} %."
    )


def licence(recipe: Recipe) -> str:
    """The last part of a model's card."""
    return f"## Sources and licence\n\n{recipe.attribution}\n"


def shipped_again(project: Project, recipe: Recipe) -> str:
    """Take the model that is in the package into a project, to calibrate it there; returns its name.

    It must have learnt from as many images as the recipe says today: those of another split may have met some of the
    images that are kept apart now.
    """
    source = SHIPPED_DIR / recipe.sample.name
    info = read_info(source)
    counts = tuple(len(project.annotated_cases(split)) for split in (Split.TRAIN, Split.VALIDATION))
    if (info.n_train, info.n_validation) != counts:
        raise SystemExit(
            f"The model {info.name} learnt from {info.n_train} images and was chosen on {info.n_validation}, which are "
            f"not the {counts[0]} and {counts[1]} of today: train it anew."
        )
    shutil.copytree(source, project.model_path(info.name))
    return info.name


def make(recipe: Recipe, given: argparse.Namespace) -> None:
    """Train or take up, calibrate, judge and ship one model."""
    config = recipe.config.changed(
        max_steps=given.max_steps, max_minutes=given.max_minutes or recipe.config.max_minutes
    )
    with tempfile.TemporaryDirectory() as temporary:
        project = make_project(recipe, given.data, Path(temporary) / "project", given.images)
        if given.calibrate:
            model = shipped_again(project, recipe)
            calibrate_model(project, model)
        else:
            with training_bar() as listener:
                trained = train_project(project, config, listener)  # which calibrates at its end
            assert trained is not None
            model = trained
        evaluation = evaluate_model(project, model, Split.TEST)
        folder = ship(project, model, recipe, evaluation, given.out)
        print(f"{folder.name}: {judged(project, evaluation)}")
    overall = evaluation.overall
    rates = ", ".join(f"{rate:.1f} % within {radius:g}" for radius, rate in overall.sdr.items() if rate is not None)
    print(f"{folder.name}: {evaluation.n_images} test images, mean error {overall.mean:.2f} {evaluation.unit}, {rates}")


def main() -> None:
    """Make the models that are asked for."""
    parser = argparse.ArgumentParser(description="Train and calibrate the models that come with the package.")
    parser.add_argument("--data", type=Path, help="folder with idrid/ and hippocampus/")
    parser.add_argument("--only", choices=[recipe.sample.name for recipe in RECIPES])
    parser.add_argument("--out", type=Path, default=SHIPPED_DIR, help="where the model folders go")
    parser.add_argument("--calibrate", action="store_true", help="calibrate what ships anew, without a training")
    parser.add_argument("--max-minutes", type=float, help="of each training")
    parser.add_argument("--max-steps", type=int, help="of each training")
    parser.add_argument("--images", type=int, help="at most so many of each split, for a try")
    given = parser.parse_args()
    for recipe in RECIPES:
        if given.only in (None, recipe.sample.name):
            make(recipe, given)


if __name__ == "__main__":
    main()
