"""The sample images that ship: real ones, with landmarks and with the licence beside them."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.exchange import read_annotations, save_new
from napari_landmarker.engine.io.paths import whole_path
from napari_landmarker.engine.project import PROJECT_FILE, Project, Split
from napari_landmarker.engine.schema import LandmarkSchema

SAMPLE_DIR = Path(__file__).parent / "sample"


@dataclass(frozen=True)
class Sample:
    """One set of sample images.

    Attributes:
        name: folder name.
        title: what a person calls it.
        landmarks: name, and where it lies.
        radii: radii for success rates, in the unit of the images.
        radius_note: what a radius means.
        unannotated: so many images of the test split come without landmarks in a sample project, so that there is
            something to place, or to predict and correct.
    """

    name: str
    title: str
    landmarks: dict[str, str]
    radii: tuple[float, ...]
    radius_note: str
    unannotated: int

    @property
    def folder(self) -> Path:
        """Where its images lie."""
        return SAMPLE_DIR / self.name

    def rows(self) -> list[dict[str, str]]:
        """The table of its landmarks: ``image, landmark, x, y[, z], split``."""
        with (self.folder / "landmarks.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    @property
    def images(self) -> tuple[Path, ...]:
        """Its images, in order."""
        return tuple(self.folder / name for name in dict.fromkeys(row["image"] for row in self.rows()))

    @property
    def schema(self) -> LandmarkSchema:
        """Its landmarks as a schema."""
        return LandmarkSchema.parse(
            {"landmarks": [{"name": name, "description": text} for name, text in self.landmarks.items()]}
        )


SAMPLES: dict[int, Sample] = {
    2: Sample(
        name="fundus",
        title="Fundus photographs (IDRiD)",
        landmarks={
            "optic_disc_centre": "Centre of the bright disc where the optic nerve leaves the eye.",
            "fovea": "Centre of the dark spot of sharpest sight, beside the disc.",
        },
        radii=(5.0, 10.0, 20.0, 35.0),
        radius_note="35 px is the radius of one optic disc",
        unannotated=5,
    ),
    3: Sample(
        name="hippocampus",
        title="Hippocampus MRI crops (MSD)",
        landmarks={
            "anterior_tip": "Foremost point of the hippocampus.",
            "head_centroid": "Centre of gravity of the head.",
            "head_body_junction": "Where head and body of the hippocampus meet.",
            "body_centroid": "Centre of gravity of the body.",
            "posterior_tip": "Rearmost point of the hippocampus.",
        },
        radii=(2.0, 2.5, 3.0, 4.0),
        radius_note="",
        unannotated=3,
    ),
}


def sample_project(sample: Sample, root: Path | str) -> Project:
    """A project of its own around a copy of the sample images, or the one that is there already.

    The last images of the test split come without landmarks; see `Sample.unannotated`.

    Raises:
        ProjectError: if the folder cannot be written, or holds a project of something else.
    """
    root = whole_path(root)
    if (root / PROJECT_FILE).exists():
        project = Project.open(root)
        if project.schema.names != sample.schema.names:
            raise ProjectError(f"{root} holds a project of other landmarks than {sample.title}: choose another folder.")
        return project
    images = root / "images"
    try:
        images.mkdir(parents=True, exist_ok=True)
        for path in (*sample.images, *sample.folder.glob("*.txt"), *sample.folder.glob("*.md")):
            shutil.copyfile(path, images / path.name)
    except OSError as error:
        raise ProjectError(f"{root} could not be written ({error.strerror}): choose another folder.") from error
    project = Project.prepare(
        root,
        sample.schema,
        [images / path.name for path in sample.images],
        splits={row["image"]: Split(row["split"]) for row in sample.rows()},
    )
    annotations = read_annotations(project, sample.folder / "landmarks.csv")
    for case in project.cases_in(Split.TEST)[-sample.unannotated :]:
        del annotations[case.id]
    save_new(project, annotations)
    return project
