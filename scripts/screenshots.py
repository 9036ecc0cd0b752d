"""Drive the real window as a person would, and take the pictures of the documentation.

Usage: python scripts/screenshots.py [SCENE ...]

Writes the pictures of the scenes into ``docs/images``; those of all scenes without a name. Each scene has a window and
a process of its own. It needs a screen, or ``xvfb-run`` in front, and ends with 1 if a scene failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def take(name: str) -> None:
    """Play one scene in this process."""
    with tempfile.TemporaryDirectory() as folder:
        from pictures_stage import Stage

        stage = Stage(Path(folder))
        try:
            scenes()[name](stage)
        finally:
            stage.close()
    for path in stage.taken:
        print(path.relative_to(path.parents[2]), flush=True)


def scenes() -> dict[str, Callable[..., None]]:
    """All scenes by their names."""
    from model_pictures import MODEL_SCENES
    from place_pictures import PLACE_SCENES
    from shell_pictures import SHELL_SCENES

    return {**SHELL_SCENES, **PLACE_SCENES, **MODEL_SCENES}


def main() -> None:
    """Play the scenes that are named, or all."""
    # The window as it is for someone who never changed a setting; those of this computer stay as they are.
    os.environ["NAPARI_CONFIG"] = ""
    parser = argparse.ArgumentParser(description="Take the pictures of the documentation.")
    parser.add_argument("names", nargs="*", metavar="SCENE", help="which scenes; all by default")
    names = parser.parse_args().names
    unknown = [name for name in names if name not in scenes()]
    if unknown:
        parser.error(f"there is no scene {unknown[0]}: choose from {', '.join(scenes())}")
    if len(names) == 1:
        take(names[0])
        return
    failed = [name for name in names or scenes() if subprocess.run([sys.executable, __file__, name]).returncode]
    if failed:
        raise SystemExit(f"These scenes failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
