"""Whatever a person did, in whatever order: undo leads back to the start, redo to the end, and no other rater loses."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results import NAMES, result

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.session import Session

RATERS = ("rater1", "Eva")


class Hand:
    """Does one thing after the other at random."""

    def __init__(self, session: Session, seed: int, images: list[Path]) -> None:
        self.session, self.draw, self.images = session, random.Random(seed), images
        self.done: list[str] = []
        self._steps: tuple[Callable[[], object], ...] = (
            self.place, self.move, self.remove, self.mark_absent, self.accept, self.lock, self.open, self.split,
            self.size, self.add, self.take_out, self.rename, self.drop, self.swap, self.insert, self.undo, self.redo,
        )  # fmt: skip

    def step(self) -> None:
        act = self.draw.choice(self._steps)
        self.done.append(act.__name__)
        try:
            act()
        except LandmarkerError as error:
            self.done[-1] += f": {error}"

    def name(self) -> str:
        return self.draw.choice(self.session.names)

    def case(self) -> str:
        return self.draw.choice(self.session.project.cases).id

    def point(self) -> tuple[float, float]:
        return self.draw.uniform(0, 30), self.draw.uniform(0, 30)

    def schema(self, names: list[str], renamed: dict[str, str] | None = None) -> None:
        self.session.change_schema(LandmarkSchema.from_names(names), renamed)

    def place(self) -> None:
        self.session.place(self.point())

    def move(self) -> None:
        self.session.move(self.name(), self.point())

    def remove(self) -> None:
        self.session.remove(self.name())

    def mark_absent(self) -> None:
        self.session.mark_absent(self.name())

    def accept(self) -> None:
        self.session.accept_all()

    def lock(self) -> None:
        self.session.set_locked(self.name(), self.draw.random() < 0.5)

    def open(self) -> None:
        self.session.open_case(self.case())

    def split(self) -> None:
        self.session.set_split(self.case(), self.draw.choice(list(Split)))

    def size(self) -> None:
        self.session.set_spacing((self.draw.choice((0.5, 1.0)),) * 2, [self.case()])

    def add(self) -> None:
        self.session.add_images(self.draw.sample(self.images, 2))

    def take_out(self) -> None:
        self.session.take_out({self.case(), self.case()})

    def rename(self) -> None:
        name, new = self.name(), f"n{len(self.done)}"
        self.schema([new if one == name else one for one in self.session.names], {name: new})

    def drop(self) -> None:
        gone = self.name()
        self.schema([name for name in self.session.names if name != gone])

    def swap(self) -> None:
        first, last = self.session.names[0], self.session.names[-1]
        self.schema([last, *self.session.names[1:-1], first], {first: last, last: first})

    def insert(self) -> None:
        self.schema([f"n{len(self.done)}", *self.session.names])

    def undo(self) -> None:
        self.session.undo()

    def redo(self) -> None:
        self.session.redo()


def plain(landmarks: LandmarkSet | None) -> object:
    """What is said of each landmark, to a hundred-thousandth of a pixel: a file keeps its points in its own way."""
    if landmarks is None:
        return None
    points = np.nan_to_num(np.round(landmarks.points, 5), nan=-1.0).tolist()
    states = zip(landmarks.status.tolist(), landmarks.locked.tolist(), strict=True)
    return dict(zip(landmarks.names, zip(points, states, strict=True), strict=True)), landmarks.grid.spacing


def content(session: Session) -> dict[str, Any]:
    """All that a fresh look finds; the session shows the same."""
    project = Project.open(session.project.root)
    assert (project.cases, project.schema) == (session.project.cases, session.project.schema)
    assert plain(project.annotations(session.case_id)) == plain(session.annotations)
    found: dict[str, Any] = {"cases": project.cases, "schema": project.schema}
    for case in project.cases:
        found |= {f"{case.id} by {rater}": plain(project.annotations(case.id, rater)) for rater in RATERS}
        found[f"{case.id} by m"] = plain(project.predictions(case.id, "m"))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_all_steps_are_taken_back_and_done_again(session: Session, seed: int) -> None:
    project = session.project
    images = [project.image_path(case.id) for case in project.cases]
    for case in project.cases:
        empty = project.annotations(case.id)
        project.save_annotations(case.id, empty.with_point("A", (3, 4)).with_point("C", (5, 6)), "Eva")
    session.take_prediction("x", result(session, A=(7, 8), C=(9, 9)), "m")
    session.open_case("x")
    hand = Hand(session, seed, images)
    start = content(session)
    for _ in range(14):
        hand.step()
        content(session)
    while session.can_redo:
        session.redo()
    end = content(session)
    while session.can_undo:
        session.undo()
        content(session)
    assert content(session) == start, hand.done
    assert session.names == NAMES
    while session.can_redo:
        session.redo()
        content(session)
    assert content(session) == end, hand.done
    assert (session.conflicts, session.unsaved) == ((), False)
