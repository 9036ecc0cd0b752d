"""The command line, which notes in a file, that a variable names, which of its processes plans."""

import os
from pathlib import Path
from typing import Any

from napari_landmarker.cli import main
from napari_landmarker.engine.train import planner

NOTES = "WHO_PLANS"
plan = planner.plan


def noting(*given: Any) -> Any:
    """Plan, and note who does."""
    with Path(os.environ[NOTES]).open("a") as file:
        file.write(os.environ.get("LOCAL_RANK", "0") + "\n")
    return plan(*given)


if __name__ == "__main__":
    planner.plan = noting
    main()
