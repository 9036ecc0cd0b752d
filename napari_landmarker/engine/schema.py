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


MeasurementKind = Literal["distance", "angle", "ratio", "distance_to_line", "angle_difference"]

#: How many landmarks each kind of measurement is taken between, in words.
_NEEDED: dict[MeasurementKind, str] = {
    "distance": "2 landmarks",
    "angle": "3 landmarks (the vertex second) or 4",
    "ratio": "4 landmarks",
    "distance_to_line": "3 landmarks (the line second and third) or 4",
    "angle_difference": "4 landmarks (the vertex second)",
}
#: Which of the landmarks must differ, by kind and number of landmarks.
_DIFFERENT: dict[tuple[MeasurementKind, int], tuple[tuple[int, int], ...]] = {
    ("distance", 2): ((0, 1),),
    ("angle", 3): ((0, 1), (1, 2)),
    ("angle", 4): ((0, 1), (2, 3)),
    ("ratio", 4): ((0, 1), (2, 3)),
    ("distance_to_line", 3): ((1, 2), (0, 1), (0, 2)),
    ("distance_to_line", 4): ((1, 2), (0, 1), (0, 2), (1, 3), (2, 3)),
    ("angle_difference", 4): ((0, 1), (1, 2), (1, 3), (2, 3)),
}


class Measurement(_Frozen):
    """A number computed from landmarks.

    Attributes:
        name: unique among the measurements of a schema.
        kind: what it is; its landmarks stand in this order:

            - ``"distance"`` of two landmarks;
            - ``"angle"`` at the second of three, or between the lines from the first to the second and from the third
              to the fourth of four;
            - ``"ratio"`` of the distances of the first two and of the last two of four;
            - ``"distance_to_line"``: of the first landmark from the straight line through the second and third. With
              three landmarks it has no sign. With four it is negative on the side of the line on which the fourth
              lies, and positive on the other, so that it does not matter which way the image faces;
            - ``"angle_difference"``: the angle at the second between the first and third, less that between the first
              and fourth, as ANB is SNA less SNB.
        landmarks: their names.
        norm: what is usual, in mm for distances, in degrees for angles; None if nobody says.
        deviation: the standard deviation of the norm, in the same unit, or half of the range that counts as usual.
        source: where norm and deviation are published.
    """

    name: str = Field(min_length=1)
    kind: MeasurementKind
    landmarks: tuple[str, ...]
    norm: float | None = Field(None, allow_inf_nan=False)
    deviation: float | None = Field(None, gt=0, allow_inf_nan=False)
    source: str = ""

    @model_validator(mode="after")
    def _check(self) -> Measurement:
        title = f"the {self.kind.replace('_', ' ')} '{self.name}'"
        pairs = _DIFFERENT.get((self.kind, len(self.landmarks)))
        if pairs is None:
            raise ValueError(f"{title} is taken between {_NEEDED[self.kind]}, not {len(self.landmarks)}")
        same = [self.landmarks[a] for a, b in pairs if self.landmarks[a] == self.landmarks[b]]
        if same:
            raise ValueError(f"{title} needs two different landmarks where it has '{same[0]}' twice")
        if self.deviation is not None and self.norm is None:
            raise ValueError(f"{title} has a deviation but no norm that it could be from: give both, or none")
        return self

    @property
    def is_length(self) -> bool:
        """Whether it is in mm, or in px where the spacing is not known."""
        return self.kind in ("distance", "distance_to_line")


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
