"""Annotates a project without a break until it is killed, and says on its standard output what was completed.

Usage: python faults_script.py PROJECT SEED

Each edit is two lines, ``begin`` before it and ``done`` after it, each followed by case, landmark, y, x; ``absent`` in
place of the coordinates for a landmark that was marked so, and ``none`` for one that was taken away.
"""

from __future__ import annotations

import sys

import numpy as np

from napari_landmarker.engine.project import Project
from napari_landmarker.state.modes import LabelMode
from napari_landmarker.state.session import Session


def main() -> None:
    """Edit for ever."""
    rng = np.random.default_rng(int(sys.argv[2]))
    session = Session()
    session.open_project(Project.open(sys.argv[1]))
    assert session.project is not None
    session.set_mode(LabelMode.QUICK)
    cases = [case.id for case in session.project.cases]
    while True:
        if rng.random() < 0.2:
            session.open_case(str(rng.choice(cases)))
        name = str(rng.choice(session.names))
        kind = rng.random()
        point = tuple(float(value) for value in rng.integers(0, 20, 2))
        edit = "absent" if kind < 0.15 else "none" if kind < 0.25 else f"{point[0]} {point[1]}"
        say(f"begin {session.case_id} {name} {edit}")
        if edit == "absent":
            session.mark_absent(name)
        elif edit == "none":
            session.remove(name)
        else:
            session.set_current(name)
            session.place(point)
        say(f"done {session.case_id} {name} {edit}")


def say(line: str) -> None:
    """Write a line so that it is out before anything else happens."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
