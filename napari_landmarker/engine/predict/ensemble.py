"""An ensemble: a model folder that holds others, whose answers are averaged.

```
configs/ensemble.json     {"format": ..., "version": 1, "members": ["fold-1", ...]}
configs/landmarker.json   what it is, as of any model;  configs/metadata.json
fold-1/ ...               each member, an ordinary model folder
```
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from napari_landmarker.engine.errors import ModelError, ProjectError
from napari_landmarker.engine.io.atomic import read_json, write_bytes, write_json
from napari_landmarker.engine.predict.bundle import FORMAT, INFO, VERSION, WEIGHTS, ModelInfo
from napari_landmarker.engine.schema import LandmarkDefinition, LandmarkSchema

ENSEMBLE = Path("configs") / "ensemble.json"
ENSEMBLE_FORMAT = "napari-landmarker ensemble"
ENSEMBLE_VERSION = 1
_METADATA = Path("configs") / "metadata.json"


def save_ensemble(folder: Path, members: Sequence[Path], info: ModelInfo) -> None:
    """Make a model folder of several; they are moved into it, and it appears whole or not at all.

    Whenever the program is ended, the members are where they were or the ensemble is whole: they are copied to where it
    is made, and their old folders go only when it is there. What an end leaves over of either, the next call for the
    same ensemble removes, or `remove_moved`.

    Args:
        folder: to be made; its name is the ensemble's.
        members: model folders of different names.
        info: of the ensemble.

    Raises:
        ModelError: for no member, or two of one name.
        ProjectError: if the folder cannot be written or is taken; the members are where they were.
    """
    names = [member.name for member in members]
    if not names or len(set(names)) < len(names) or {"configs", "evaluations"} & set(names):
        raise ModelError(f"{folder} cannot be made of {', '.join(names) or 'nothing'}: give models of different names.")
    if folder.exists():
        raise ProjectError(f"{folder} is there already: choose another name for the model.")
    partial = folder.with_name(f".{folder.name}.partial")
    content = {"format": FORMAT, "version": VERSION, **info.model_dump(mode="json"), "name": folder.name}
    shutil.rmtree(partial, ignore_errors=True)
    try:
        write_json(partial / INFO, content)
        write_json(partial / ENSEMBLE, {"format": ENSEMBLE_FORMAT, "version": ENSEMBLE_VERSION, "members": names})
        write_bytes(partial / _METADATA, (members[0] / _METADATA).read_bytes())
        for member in members:
            shutil.copytree(member, partial / member.name, copy_function=_copy)
        partial.rename(folder)
    except ProjectError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = error.strerror or "its members could not be read"
        raise ProjectError(f"{folder} could not be written ({reason}): check the folder.") from error
    remove_moved(members)


def remove_moved(members: Sequence[Path]) -> None:
    """Remove the folders of members that are in an ensemble now, each at once; those that are gone are left alone."""
    for member in members:
        old = member.with_name(f".{member.name}.moved")
        shutil.rmtree(old, ignore_errors=True)
        with suppress(OSError):  # gone, or in use: what is left over is in nobody's way
            member.rename(old)
        shutil.rmtree(old, ignore_errors=True)


def member_folders(folder: Path) -> list[Path]:
    """The models that a model folder stands for: its members if it is an ensemble, else itself.

    Raises:
        ModelError: if the list of members is damaged or names a folder elsewhere.
    """
    if not (folder / ENSEMBLE).exists():
        return [folder]
    content = read_json(folder / ENSEMBLE, "an ensemble of napari-landmarker", ModelError)
    version = content.get("version")
    if content.get("format") != ENSEMBLE_FORMAT or not isinstance(version, int):
        raise ModelError(f"{folder / ENSEMBLE} is not an ensemble of napari-landmarker.")
    if version > ENSEMBLE_VERSION:
        raise ModelError(f"{folder} was made by a newer napari-landmarker: update this program to use it.")
    names = content.get("members")
    if not isinstance(names, list) or not names or not all(_is_plain(name) for name in names):
        raise ModelError(f"{folder / ENSEMBLE} is damaged at 'members': get the model folder again.")
    return [folder / name for name in names]


def fingerprint_of(folders: Sequence[Path]) -> str:
    """What tells models from all others: a hash of their weights and of what these mean, whatever their order."""
    members = [member for folder in folders for member in member_folders(folder)]
    hashes = sorted(
        hashlib.sha256((member / INFO).read_bytes() + (member / WEIGHTS).read_bytes()).hexdigest() for member in members
    )
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def common_info(infos: Sequence[ModelInfo], name: str) -> ModelInfo:
    """What several models are together: the first, with the landmarks of all.

    Args:
        infos: at least one.
        name: of the whole.

    Raises:
        ModelError: if they do not agree which landmark is on the other side of another.
    """
    schemas = [info.landmarks for info in infos]
    definitions: dict[str, LandmarkDefinition] = {}
    for schema in schemas:
        for definition in schema.landmarks:
            definitions.setdefault(definition.name, definition)
    landmarks = LandmarkSchema(
        landmarks=tuple(definitions.values()),
        instances=max(schema.instances for schema in schemas),
        pairs=_common_pairs(schemas, name),
        edges=tuple(dict.fromkeys(edge for schema in schemas for edge in schema.edges)),
        measurements=tuple({m.name: m for schema in reversed(schemas) for m in schema.measurements}.values()),
    )
    return infos[0].model_copy(update={"name": name, "landmarks": landmarks})


def _common_pairs(schemas: Sequence[LandmarkSchema], name: str) -> tuple[tuple[str, str], ...]:
    """The left-right pairs of all schemas, each once, whichever side is named first."""
    pairs: dict[frozenset[str], tuple[str, str]] = {}
    for pair in (pair for schema in schemas for pair in schema.pairs):
        pairs.setdefault(frozenset(pair), pair)
    found = tuple(pairs.values())
    sides = [side for pair in found for side in pair]
    shared = next((side for side in sides if sides.count(side) > 1), None)
    if shared is not None:
        others = [pair[1] if pair[0] == shared else pair[0] for pair in found if shared in pair]
        raise ModelError(
            f"The models {name} do not agree whether '{others[0]}' or '{others[1]}' is the other side of '{shared}': "
            "choose models of one project."
        )
    return found


def _copy(source: str, target: str) -> None:
    """Copy a file so that it is on the disk, and not on its way there, when this returns."""
    write_bytes(target, Path(source).read_bytes())


def _is_plain(name: object) -> bool:
    """Whether a name is that of a folder inside, and not a way to another."""
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\:\0")
