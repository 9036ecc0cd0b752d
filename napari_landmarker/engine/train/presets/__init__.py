"""Presets: whole training runs as files that a person can read, copy, change and train with.

Each preset but ``auto`` is a file beside this one, which says what it changes and why; all else is the default of
`TrainConfig`. ``auto`` has no file: the planner writes one for a project. Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.io.atomic import write_text
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.presets.dialect import ConfigLoader, as_yaml
from napari_landmarker.engine.train.presets.mistakes import check

__all__ = ["PRESETS", "Preset", "read_config", "write_config"]

_HEAD = "# A whole training run: change what you like and train with it. Comments are not kept.\n"


class Preset(NamedTuple):
    """A way to train.

    Attributes:
        name: what the command line calls it.
        title: the same for a person.
        description: what it does, and what it is good for.
        config: the whole run; None for ``auto``, which the planner makes for a project.
    """

    name: str
    title: str
    description: str
    config: TrainConfig | None


_WORDS = (
    (
        "auto",
        "Automatic",
        "Looks at your images, their landmarks, the computer and the minutes given, chooses and says why.",
    ),
    (
        "static",
        "Heatmaps of a fixed width",
        "A spatial configuration network learns to draw a bell of a fixed width around each landmark.",
    ),
    (
        "adaptive",
        "Heatmaps of a learnt width",
        "As fixed heatmaps, but each landmark's bell becomes as narrow as it can be told, along every axis.",
    ),
    (
        "adaloss",
        "Heatmaps that grow narrower",
        "Begins with wide bells, which are easy to learn, and narrows each as its landmark settles (Adaloss).",
    ),
    (
        "one-hot",
        "The landmark's pixel",
        "A U-Net learns in which pixel each landmark lies, as a probability; the sharpest maps of all.",
    ),
    (
        "soft-argmax",
        "Points through heatmaps",
        "The points that are read from the maps are compared, with how sure the maps are of them.",
    ),
    (
        "coordinate",
        "Points without heatmaps",
        "An encoder answers with coordinates: small and fast, less exact where images are few.",
    ),
    (
        "cascade",
        "Coarse to fine",
        "Finds all landmarks in a coarse image and refines each in a patch of the fine one; for large images.",
    ),
)


def read_config(path: Path | str) -> TrainConfig:
    """Read a configuration, in YAML or in JSON, which is a part of it. What a file leaves out has its default.

    Raises:
        TrainingError: if the file cannot be read, is no YAML, or says what cannot be: one sentence that names the file,
            the key, and what is allowed.
    """
    path = Path(path)
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), ConfigLoader)
    except FileNotFoundError as cause:
        raise TrainingError(f"{path} does not exist: choose a configuration file.") from cause
    except OSError as cause:
        raise TrainingError(f"{path} could not be read ({cause.strerror}): check its permissions.") from cause
    except (yaml.YAMLError, ValueError, RecursionError) as cause:
        raise TrainingError(f"{path} is not valid YAML{_place(cause)}: correct it, or write it anew.") from cause
    return check(content, path)


def write_config(path: Path | str, config: TrainConfig) -> None:
    """Write a whole configuration as YAML, atomically; the reasons for it stand first.

    Raises:
        ProjectError: if the file cannot be written.
    """
    content = config.model_dump(mode="json")
    ordered = {"reasons": content.pop("reasons"), **content}
    write_text(path, _HEAD + as_yaml(ordered))


def _place(cause: Exception) -> str:
    """Where a file is no YAML, in words."""
    mark = getattr(cause, "problem_mark", None)
    problem = getattr(cause, "problem", None)
    line = "" if mark is None else f" in line {mark.line + 1}"
    return line if problem is None else f"{line} ({problem})"


def _shipped() -> dict[str, Preset]:
    folder = Path(__file__).parent
    presets: dict[str, Preset] = {}
    for name, title, words in _WORDS:
        config: Any = None if name == "auto" else read_config(folder / f"{name}.yaml")
        presets[name] = Preset(name, title, words, config)
    return presets


#: All presets by their names, ``auto`` first.
PRESETS: Mapping[str, Preset] = MappingProxyType(_shipped())
