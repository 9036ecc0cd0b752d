"""The reference package, `landmarker` 0.4.1, in an environment of its own, and running the same work in both.

Nothing of the reference enters the project's environment: each side is a subprocess with its own interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: What makes the environment, where the shared tools lie beside the repository.
_MAKER = ROOT.parent / "shared" / "tools" / "make-reference-env"
_DEFAULT = ROOT / ".venv-reference"
_PACKAGES = {"ours": "napari_landmarker.engine", "reference": "landmarker"}


def reference_python(given: Path | None = None) -> Path:
    """The interpreter of an environment that holds the reference package; one is made where there is none.

    Args:
        given: the folder of an environment, or None for the default one.

    Raises:
        SystemExit: if there is none and it cannot be made here.
    """
    folder = (_DEFAULT if given is None else given).absolute()
    python = folder / "bin" / "python"
    if not python.exists():
        if not _MAKER.exists():
            raise SystemExit(f"{folder} is no environment with landmarker 0.4.1: make one and name it by --reference.")
        sys.stderr.write(f"Making the reference package's environment in {folder} (about two minutes) ...\n")
        subprocess.run([str(_MAKER), str(folder)], check=True, stdout=subprocess.DEVNULL)
    return python


def run_worker(worker: Path, side: str, *arguments: str, python: Path) -> Any:
    """What a worker script prints as JSON on its last line, run for ``"ours"`` or the ``"reference"``.

    Raises:
        SystemExit: if it fails.
    """
    interpreter = sys.executable if side == "ours" else str(python)
    environment = os.environ | {"PYTHONPATH": str(ROOT) if side == "ours" else "", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [interpreter, str(worker), _PACKAGES[side], *arguments], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise SystemExit(f"{worker.name} {side} {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
