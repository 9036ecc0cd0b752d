"""The command line, thin over the engine."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from napari_landmarker.terminal import bar, training_bar

if TYPE_CHECKING:
    from napari_landmarker.engine.datasets import Sample
    from napari_landmarker.engine.project import Project
    from napari_landmarker.engine.train.events import Control, Event

app = typer.Typer(
    name="napari-landmarker",
    help="Annotate anatomical landmarks in 2D and 3D medical images, and train models that predict them.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ProjectPath = Annotated[Path, typer.Argument(metavar="PROJECT", help="Folder of the project.")]
Preset = Annotated[str, typer.Option(help="How to train: fast or accurate.")]
Minutes = Annotated[float | None, typer.Option("--max-minutes", help="End the training after so many minutes.")]
Radii = Annotated[str | None, typer.Option(help="Radii of the success rates, such as 2,2.5,3,4.")]


class EventFormat(StrEnum):
    """How a training run says what it does."""

    JSONL = "jsonl"


class SplitName(StrEnum):
    """The splits of a project."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


def main() -> None:
    """Run the command line; what a user can mend is one sentence and exit code 2."""
    from napari_landmarker.engine.errors import LandmarkerError

    # Threads of torch that wait for work must sleep: where they spin, a window beside the training nearly stands still.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except LandmarkerError as error:
        _end(str(error))
    except OSError as error:  # such as a name that is too long, or a folder that may not be looked into
        _end(
            f"{error.filename or 'A file'} cannot be used ({error.strerror or error}): check its name and permissions."
        )


def _end(sentence: str) -> NoReturn:
    typer.secho(f"Error: {sentence}", fg=typer.colors.RED, err=True)
    sys.exit(2)


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Open the napari window when no command is given."""
    if context.invoked_subcommand is None:
        open_project(None)


@app.command("open")
def open_project(
    project: Annotated[Path | None, typer.Argument(metavar="[PROJECT]", help="Folder of a project.")] = None,
) -> None:
    """Open the napari window with the tool docked, on a project if one is named."""
    from napari_landmarker.engine.errors import LandmarkerError
    from napari_landmarker.engine.project import Project

    if project is not None:
        Project.open(project)
    if not _has_screen():
        raise LandmarkerError("This machine has no screen to open a window on: use the other commands, see --help.")
    from napari_landmarker.gui.open import open_window

    open_window(project)


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="Folder of the demo project.")] = None,
    no_gui: Annotated[bool, typer.Option("--no-gui", help="Open no window at the end.")] = False,
    dims: Annotated[int, typer.Option(min=2, max=3, help="2: fundus photographs; 3: MRI volumes.")] = 2,
    max_minutes: Minutes = None,
) -> None:
    """Do the whole job on the sample images: train, predict, report, and open the window on the result."""
    from napari_landmarker.engine.datasets import SAMPLES, sample_project

    sample = SAMPLES[dims]
    out = Path(f"landmarker-demo-{dims}d") if out is None else out
    project = sample_project(sample, out)
    typer.echo(f"Project with {len(project.cases)} sample images ({sample.title}): {out}")
    model = _train(project, "fast", max_minutes, None, None)
    if model is not None:
        _demo_report(project, sample, model, out)
    if no_gui:
        return
    if not _has_screen():
        where = "" if model is None else f"; the report is {_shown(out / 'reports' / f'{model}-test' / 'report.html')}"
        typer.echo(f"This machine has no screen, so no window is opened{where}")
        return
    from napari_landmarker.engine.project import Split
    from napari_landmarker.gui.open import open_window

    annotated = project.annotated_cases(Split.TEST)
    to_review = next((case.id for case in project.cases_in(Split.TEST) if case not in annotated), None)
    open_window(project.root, to_review)


@app.command()
def init(
    project: ProjectPath,
    images: Annotated[Path, typer.Option(help="Folder of the images; they stay where they are.")],
    landmarks: Annotated[str, typer.Option(help="Names with commas between, or a file with one name a line.")],
    annotations: Annotated[
        Path | None,
        typer.Option(help="Existing labelme or Slicer files, or a CSV (image, landmark, x, y[, z])."),
    ] = None,
    spacing: Annotated[
        str | None, typer.Option(help="Millimetres per pixel, Y,X or Z,Y,X; it replaces what the images state.")
    ] = None,
) -> None:
    """Make a project from a folder of images, with annotations that are there already."""
    from napari_landmarker.engine.exchange import create_project, parse_schema
    from napari_landmarker.engine.io import find_images

    made = create_project(
        project,
        parse_schema(landmarks),
        find_images(images),
        annotations=annotations,
        spacing=_numbers(spacing),
    )
    _describe(made, project)


@app.command()
def train(
    project: ProjectPath,
    preset: Preset = "fast",
    max_minutes: Minutes = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="End the training after so many steps.")] = None,
    events: Annotated[EventFormat | None, typer.Option(help="Say each event as a line of JSON, for programs.")] = None,
) -> None:
    """Train a model on the annotated cases. Ctrl+C stops and keeps the best so far; twice keeps nothing."""
    from napari_landmarker.engine.project import Project

    opened = Project.open(project)
    name = _train(opened, preset, max_minutes, max_steps, events)
    if name is not None and events is None:
        typer.echo(f"Model: {_shown(opened.model_path(name))}")


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a model.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Images, or folders of images.")],
    out: Annotated[Path, typer.Option(help="Folder for one annotation file an image, and predictions.csv.")],
    spacing: Annotated[
        str | None, typer.Option(help="Millimetres per pixel, Y,X or Z,Y,X; it replaces what the images state.")
    ] = None,
) -> None:
    """Predict the landmarks of images."""
    from napari_landmarker.engine.io import find_images
    from napari_landmarker.engine.predict import Predictor
    from napari_landmarker.engine.predict.batch import predict_files

    predictor = Predictor.load(model)
    paths = [path for given in images for path in (find_images(given) if given.is_dir() else [given])]
    with bar("Predicting") as say:
        table = predict_files(predictor, paths, out, spacing=_numbers(spacing), progress=say)
    typer.echo(f"Predicted {len(paths)} image{'s' * (len(paths) != 1)}: {_shown(table)}")


@app.command()
def evaluate(
    project: ProjectPath,
    model: Annotated[str, typer.Option(help="Name of a model of the project, or the folder of any.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.csv and report.json.")],
    split: Annotated[SplitName, typer.Option(help="Which cases.")] = SplitName.TEST,
    radii: Radii = None,
) -> None:
    """Judge a model on the annotated cases of a split, and write the report."""
    from napari_landmarker.engine.project import Project

    _evaluate(Project.open(project), model, split, out, _numbers(radii))


def _demo_report(project: Project, sample: Sample, model: str, out: Path) -> None:
    from napari_landmarker.engine.predict import Predictor
    from napari_landmarker.engine.predict.batch import predict_files
    from napari_landmarker.engine.project import Split

    report = out / "reports" / f"{model}-test"
    _evaluate(project, model, SplitName.TEST, report, list(sample.radii))
    if sample.radius_note:
        typer.echo(f"  ({sample.radius_note})")
    predictor, held_out = Predictor.load(project.model_path(model)), project.cases_in(Split.TEST)
    paths = [project.image_path(case.id) for case in held_out]
    table = predict_files(predictor, paths, out / "predicted" / model)
    for case, path in zip(held_out, paths, strict=True):
        if project.predictions(case.id, model) is not None:
            continue  # saved by the evaluation
        project.save_predictions(case.id, model, predictor.landmarks(project.image(case.id), path))
    typer.echo(f"Model: {_shown(out / 'models' / model)}\nPredictions: {_shown(table)}")


def _evaluate(project: Project, model: str, split: SplitName, out: Path, radii: list[float] | None) -> None:
    from napari_landmarker.engine.io.atomic import require_writable
    from napari_landmarker.engine.predict import evaluate_model
    from napari_landmarker.engine.project import Split
    from napari_landmarker.engine.report import write_report

    project.find_model(model)
    require_writable(out)
    with bar("Predicting") as say:
        evaluation = evaluate_model(project, model, Split(split.value), radii=radii, progress=say)
    files = write_report(evaluation, out, project.schema, project.image)
    overall = evaluation.overall
    rates = ", ".join(f"{rate:.1f} % within {radius:g}" for radius, rate in overall.sdr.items() if rate is not None)
    mean = "none could be measured" if overall.mean is None else f"mean error {overall.mean:.2f} {evaluation.unit}"
    typer.echo(f"{evaluation.n_images} {split.value} images, {overall.n} points: {mean}; {rates} {evaluation.unit}")
    typer.echo(f"Report: {_shown(files.html)}")


def _train(
    project: Project,
    preset: str,
    max_minutes: float | None,
    max_steps: int | None,
    events: EventFormat | None,
) -> str | None:
    """Train and say how it goes; the model's name, or None if nothing was kept."""
    from napari_landmarker.engine.errors import LandmarkerError
    from napari_landmarker.engine.train.config import preset_config
    from napari_landmarker.engine.train.events import Control, Failed

    control = Control()
    try:
        config = preset_config(preset, max_minutes)
        if max_steps is not None:
            config = config.model_copy(update={"max_steps": max_steps})
        if events is None:
            typer.echo("Getting ready to train ...")
        from napari_landmarker.engine.train.fit import train_project

        if events is not None:
            control.listen(sys.stdin)
            with _interrupts_to(control):
                return train_project(project, config, _write_line, control)
        with _interrupts_to(control), training_bar() as listener:
            name = train_project(project, config, listener, control)
    except LandmarkerError as error:
        if events is not None:
            _write_line(Failed(str(error)))
        raise
    if name is None:
        typer.echo("Cancelled: nothing was kept.")
    return name


def _write_line(event: Event) -> None:
    sys.stdout.write(event.to_json() + "\n")
    sys.stdout.flush()


@contextmanager
def _interrupts_to(control: Control) -> Iterator[None]:
    """Ctrl+C stops the training, and the second time cancels it; afterwards it ends the program as ever."""
    from napari_landmarker.engine.train.events import Ending

    def interrupted(_signal: int, _frame: object) -> None:
        control.ask(Ending.STOP if control.ending is None else Ending.CANCEL)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _numbers(text: str | None) -> list[float] | None:
    """Numbers with commas between."""
    from napari_landmarker.engine.errors import LandmarkerError

    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise LandmarkerError(
            f"'{text}' is no list of numbers: write them with commas between, such as 0.5,0.5."
        ) from None


def _describe(project: Project, where: Path) -> None:
    from napari_landmarker.engine.project import Split

    counts = ", ".join(f"{len(project.cases_in(split))} {split.value}" for split in Split)
    done = sum(len(project.annotated_cases(split)) for split in Split)
    typer.echo(f"Project with {len(project.cases)} images ({counts}), {done} of them annotated: {_shown(where)}")
    typer.echo(f"Landmarks: {', '.join(project.schema.names)}")
    first = project.geometry(project.cases[0].id).grid
    typer.echo(
        "No physical scale: the images state no spacing, so errors will be in pixels; --spacing gives one."
        if first.spacing is None
        else f"Spacing of the first image: {', '.join(f'{s:g}' for s in first.spacing)} mm"
    )


def _has_screen() -> bool:
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


def _shown(path: Path) -> str:
    """The path as a person would type it from here."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
