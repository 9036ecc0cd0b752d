"""`SchemaDraft`: the landmarks of a project while a person changes them; nothing of it counts until it is saved.

Items are known by themselves, not by their names, so a landmark can be renamed and all that uses it follows. A draft
may be wrong at any time: `problems` says what is, and only a draft without problems becomes a `LandmarkSchema`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from napari_landmarker.engine.schema import (
    PALETTE,
    LandmarkSchema,
    Measurement,
    MeasurementKind,
)


@dataclass(eq=False)
class LandmarkDraft:
    """A landmark; ``was`` is its name in the project, empty for a new one."""

    name: str
    was: str = ""
    color: str = ""
    description: str = ""
    group: str = ""
    example: str = ""
    picture: Path | None = None
    """A picture that was chosen now and is not in the project yet."""
    partner: LandmarkDraft | None = None
    """The landmark of the other side."""


@dataclass(eq=False)
class LineDraft:
    """A line between two landmarks."""

    ends: list[LandmarkDraft | None]


@dataclass(eq=False)
class MeasurementDraft:
    """A measurement; its numbers are as they were typed."""

    name: str
    kind: MeasurementKind
    landmarks: list[LandmarkDraft | None]
    norm: str = ""
    deviation: str = ""
    source: str = ""


Item = LandmarkDraft | LineDraft | MeasurementDraft


@dataclass
class SchemaDraft:
    """Landmarks, lines and measurements, in order."""

    landmarks: list[LandmarkDraft] = field(default_factory=list)
    lines: list[LineDraft] = field(default_factory=list)
    measurements: list[MeasurementDraft] = field(default_factory=list)
    before: LandmarkSchema | None = None
    """The schema that it was made from."""

    @classmethod
    def of(cls, schema: LandmarkSchema) -> SchemaDraft:
        """A draft that says what a schema says."""
        draft = cls(before=schema)
        draft.landmarks = [
            LandmarkDraft(d.name, d.name, d.color, d.description, d.group, d.example) for d in schema.landmarks
        ]
        by_name = {landmark.name: landmark for landmark in draft.landmarks}
        for left, right in schema.pairs:
            by_name[left].partner, by_name[right].partner = by_name[right], by_name[left]
        draft.lines = [LineDraft([by_name[a], by_name[b]]) for a, b in schema.edges]
        draft.measurements = [draft._measurement(m) for m in schema.measurements]
        return draft

    # ---- changing it

    def add_landmark(self, at: int) -> LandmarkDraft:
        """Add a landmark at a place of the list, with a name and a colour that no other has."""
        names = {landmark.name for landmark in self.landmarks}
        number = next(n for n in range(len(names) + 1, 2 * len(names) + 3) if f"landmark {n}" not in names)
        used = [landmark.color.lower() for landmark in self.landmarks]
        color = min(PALETTE, key=used.count)
        self.landmarks.insert(at, LandmarkDraft(f"landmark {number}", color=color))
        return self.landmarks[at]

    def remove_landmark(self, landmark: LandmarkDraft) -> tuple[int, list[str]]:
        """Remove a landmark and what cannot be without it: how many lines, and which measurements."""
        self.pair(landmark, None)
        self.landmarks.remove(landmark)
        lines = [line for line in self.lines if landmark in line.ends]
        measurements = [m for m in self.measurements if landmark in m.landmarks]
        self.lines = [line for line in self.lines if line not in lines]
        self.measurements = [m for m in self.measurements if m not in measurements]
        return len(lines), [m.name for m in measurements]

    def pair(self, landmark: LandmarkDraft, partner: LandmarkDraft | None) -> None:
        """Make two landmarks the two sides of a pair; each leaves the pair it was in."""
        for one in (landmark, partner):
            if one is not None and one.partner is not None:
                one.partner.partner = None
                one.partner = None
        if partner is not None:
            landmark.partner, partner.partner = partner, landmark

    def pair_by_name(self) -> int:
        """Pair landmarks whose names differ only in left and right; how many pairs are new."""
        by_name = {landmark.name: landmark for landmark in self.landmarks}
        found = 0
        for landmark in self.landmarks:
            other = by_name.get(_mirrored(landmark.name))
            if other is not None and other is not landmark and landmark.partner is None and other.partner is None:
                self.pair(landmark, other)
                found += 1
        return found

    def add_measurements(self, measurements: Iterable[Measurement]) -> int:
        """Add ready-made measurements whose landmarks are all there; how many."""
        titles, names = {m.name for m in self.measurements}, {landmark.name for landmark in self.landmarks}
        new = [m for m in measurements if m.name not in titles and names.issuperset(m.landmarks)]
        self.measurements += [self._measurement(m) for m in new]
        return len(new)

    def _measurement(self, m: Measurement) -> MeasurementDraft:
        by_name: dict[str, LandmarkDraft | None] = {landmark.name: landmark for landmark in self.landmarks}
        landmarks = [by_name[name] for name in m.landmarks]
        return MeasurementDraft(m.name, m.kind, landmarks, _written(m.norm), _written(m.deviation), m.source)

    # ---- what it comes to

    def schema(self) -> LandmarkSchema:
        """The schema; AnnotationError in one sentence if there are problems still."""
        before = self.before
        content = {
            "landmarks": [self._definition(landmark) for landmark in self.landmarks],
            "instances": 1 if before is None else before.instances,
            "pairs": [(a.name.strip(), b.name.strip()) for a, b in self._pairs()],
            "edges": [_names(line.ends) for line in self.lines],
            "measurements": [
                {
                    "name": m.name.strip(),
                    "kind": m.kind,
                    "landmarks": _names(m.landmarks),
                    "norm": number_in(m.norm),
                    "deviation": number_in(m.deviation),
                    "source": m.source.strip(),
                }
                for m in self.measurements
            ],
        }
        return LandmarkSchema.parse(content, "The new list of landmarks")

    @property
    def renamed(self) -> dict[str, str]:
        """Old names with their new ones."""
        return {d.was: d.name.strip() for d in self.landmarks if d.was and d.was != d.name.strip()}

    @property
    def removed(self) -> tuple[str, ...]:
        """Landmarks of the project that are gone; a new one of the same name takes the place of a removed one."""
        kept = {landmark.was or landmark.name.strip() for landmark in self.landmarks}
        return () if self.before is None else tuple(name for name in self.before.names if name not in kept)

    def _definition(self, landmark: LandmarkDraft) -> dict[str, str]:
        return {
            "name": landmark.name.strip(),
            "color": landmark.color,
            "description": landmark.description.strip(),
            "group": landmark.group.strip(),
            "example": landmark.example,
        }

    def _pairs(self) -> list[tuple[LandmarkDraft, LandmarkDraft]]:
        """Every pair once: as the project has it, else in the order of the list."""
        said = set() if self.before is None else set(self.before.pairs)
        pairs: list[tuple[LandmarkDraft, LandmarkDraft]] = []
        for landmark in self.landmarks:
            partner = landmark.partner
            if partner is not None and not any(landmark in pair for pair in pairs):
                turned = (partner.was, landmark.was) in said
                pairs.append((partner, landmark) if turned else (landmark, partner))
        return pairs


def number_in(text: str) -> float | None:
    """The number that was typed, with a point or a comma; None for nothing; ValueError for anything else."""
    return float(text.strip().replace(",", ".").replace("−", "-")) if text.strip() else None


def _written(number: float | None) -> str:
    return "" if number is None else f"{number:g}"


def _names(landmarks: Iterable[LandmarkDraft | None]) -> list[str]:
    return ["" if landmark is None else landmark.name.strip() for landmark in landmarks]


def _mirrored(name: str) -> str:
    """The name of the other side, the name itself where it has no side."""
    for left, right in (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT")):
        if left in name:
            return name.replace(left, right)
    for left, right in (("l", "r"), ("L", "R")):
        for joint in ("_", "-", " ", "."):
            if name.endswith(joint + left):
                return name[:-1] + right
            if name.startswith(left + joint):
                return right + name[1:]
    return name
