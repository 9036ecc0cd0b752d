"""`LandmarkSchema`: which landmarks a project has, in which order, and how they belong together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from napari_landmarker.engine.errors import AnnotationError

#: Colours that also colour-blind people can tell apart (Okabe and Ito 2008, then Paul Tol's "muted" and "bright").
PALETTE = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
    "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255",
    "#aa4499", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377",
)  # fmt: skip


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LandmarkDefinition(_Frozen):
    """One landmark of a schema."""

    name: str = Field(min_length=1, title="Name")
    color: str = Field("", title="Colour", description="#rrggbb", pattern=r"^(#[0-9a-fA-F]{6})?$")
    description: str = Field("", title="Description", description="Where it lies, in words a person can follow.")
    group: str = Field("", title="Group")
    example: str = Field(
        "", title="Example", description="A picture of where it lies: a path relative to the project, with /."
    )

    @field_validator("name")
    @classmethod
    def _tidy(cls, name: str) -> str:
        name = name.strip()
        if not name or any(ord(c) < 32 for c in name):
            raise ValueError("a landmark's name must be text on one line")
        return name


class Measurement(_Frozen):
    """A number computed from landmarks.

    Attributes:
        name: unique among the measurements of a schema.
        kind: ``"distance"`` of two landmarks; ``"angle"`` at the second of three, or between the lines from the first
            to the second and from the third to the fourth of four; ``"ratio"`` of the distances of the first two and
            of the last two of four.
        landmarks: their names.
    """

    name: str = Field(min_length=1)
    kind: Literal["distance", "angle", "ratio"]
    landmarks: tuple[str, ...]

    @model_validator(mode="after")
    def _check(self) -> Measurement:
        words = {"distance": "2 landmarks", "angle": "3 landmarks (the vertex second) or 4", "ratio": "4 landmarks"}
        if len(self.landmarks) not in {"distance": (2,), "angle": (3, 4), "ratio": (4,)}[self.kind]:
            count, needed = len(self.landmarks), words[self.kind]
            raise ValueError(f"the {self.kind} '{self.name}' is taken between {needed}, not {count}")
        vertex = self.landmarks[1:3] if len(self.landmarks) == 3 else self.landmarks[2:]
        if any(len(set(line)) == 1 for line in (self.landmarks[:2], vertex) if line):
            raise ValueError(f"the {self.kind} '{self.name}' needs two different landmarks for each of its lines")
        return self


class LandmarkSchema(_Frozen):
    """The template of a project: which landmarks there are, in which order they are placed.

    Attributes:
        landmarks: definitions; names are unique, and a missing colour is taken from `PALETTE`.
        instances: how many points one landmark may have in an image (``M``); 1 for named anatomy.
        pairs: left-right pairs of names; a name is in one at most.
        edges: pairs of names that are joined by a line.
        measurements: numbers derived from the points.
    """

    landmarks: tuple[LandmarkDefinition, ...] = Field(min_length=1)
    instances: int = Field(1, ge=1)
    pairs: tuple[tuple[str, str], ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    measurements: tuple[Measurement, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> LandmarkSchema:
        names = [d.name for d in self.landmarks]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"the landmark name '{twice[0]}' is given twice")
        used = [n for group in (self.pairs, self.edges) for pair in group for n in pair]
        used += [n for m in self.measurements for n in m.landmarks]
        unknown = [n for n in used if n not in names]
        if unknown:
            raise ValueError(f"'{unknown[0]}' is used in a pair, edge or measurement but is no landmark")
        sides = [name for pair in self.pairs for name in pair]
        shared = [name for name in sides if sides.count(name) > 1]
        if shared:
            raise ValueError(
                f"'{shared[0]}' stands in more than one left-right pair, or twice in one: give it one other side"
            )
        titles = [m.name for m in self.measurements]
        repeated = [title for title in titles if titles.count(title) > 1]
        if repeated:
            raise ValueError(f"the measurement name '{repeated[0]}' is given twice")
        coloured = tuple(
            d if d.color else d.model_copy(update={"color": PALETTE[i % len(PALETTE)]})
            for i, d in enumerate(self.landmarks)
        )
        object.__setattr__(self, "landmarks", coloured)
        return self

    @classmethod
    def from_names(cls, names: Iterable[str], *, instances: int = 1) -> LandmarkSchema:
        """A schema of plain names.

        Args:
            names: of the landmarks, in order.
            instances: how many points one landmark may have in an image.

        Raises:
            AnnotationError: for no name, an empty name, a name given twice, or less than one instance.
        """
        return cls.parse({"landmarks": [{"name": name} for name in names], "instances": instances})

    @classmethod
    def parse(cls, content: object, source: str = "The list of landmarks") -> LandmarkSchema:
        """A schema from parsed JSON; AnnotationError in one sentence that begins with ``source``."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            reason = first["msg"].removeprefix("Value error, ")
            if first["type"] == "too_short" and where == "landmarks":
                reason, where = "it names no landmark; give at least one", ""
            raise AnnotationError(f"{source} is not valid: {f'{where}: ' if where else ''}{reason}.") from error

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in order; ``L`` of them."""
        return tuple(d.name for d in self.landmarks)

    def reduced(self, names: Sequence[str]) -> LandmarkSchema:
        """The schema of some of the landmarks, with the pairs, edges and measurements that are among them."""
        keep = set(names)
        return self.model_copy(
            update={
                "landmarks": tuple(self.definition(name) for name in names),
                "pairs": tuple(pair for pair in self.pairs if keep.issuperset(pair)),
                "edges": tuple(edge for edge in self.edges if keep.issuperset(edge)),
                "measurements": tuple(m for m in self.measurements if keep.issuperset(m.landmarks)),
            }
        )

    def definition(self, name: str) -> LandmarkDefinition:
        """The definition of a landmark; AnnotationError if there is none of that name."""
        for definition in self.landmarks:
            if definition.name == name:
                return definition
        raise AnnotationError(f"There is no landmark '{name}': this project has {', '.join(self.names)}.")
