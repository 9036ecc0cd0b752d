"""Take a model from elsewhere into a project: a folder or a zip, looked at first, and whole or not at all.

A model is staged in the project (`stage_model`), where it can be looked at, and then adopted under a name, with its
landmarks called as the project calls them (`adopt_model`), or thrown away (`discard`). Its weights stay as they are.
"""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from napari_landmarker.engine.errors import AnnotationError, ModelError
from napari_landmarker.engine.io.atomic import read_json, write_json
from napari_landmarker.engine.model_folders import MARK
from napari_landmarker.engine.predict.bundle import INFO, ModelInfo, load_network, read_info
from napari_landmarker.engine.predict.calibration_file import CALIBRATION, stored_calibration
from napari_landmarker.engine.predict.ensemble import fingerprint_of, member_folders
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema

#: What a landmark is called that the project has a namesake of, but which is not the same.
_OTHER = "{} (of the model)"


@dataclass(frozen=True)
class StagedModel:
    """A model that waits in a project to be adopted.

    Attributes:
        folder: where it waits.
        name: which it would have.
        info: what it is.
    """

    folder: Path
    name: str
    info: ModelInfo

    def suggested(self, names: tuple[str, ...]) -> dict[str, str]:
        """Which of the model's landmarks each of these most likely is: one of the same name, whatever its letters."""
        same = {_plain(name): name for name in self.info.names}
        return {name: same[_plain(name)] for name in names if _plain(name) in same}


def stage_model(project: Project, path: Path) -> StagedModel:
    """Copy a model into a project, to wait there; it is not one of the project's models yet.

    Args:
        project: the project.
        path: a model folder, or a zip with one in it.

    Raises:
        ModelError: if it holds no model that can be used here, or could not be copied; nothing is left then.
    """
    prefix, name = _top(path) if path.is_file() else (PurePosixPath(), path.name)
    if path.is_dir():
        read_info(path)
    name = name if name not in project.models else project.new_model_name(name)
    staged = project.models_dir / f".{name}.partial"
    shutil.rmtree(staged, ignore_errors=True)
    try:
        staged.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, staged, ignore=shutil.ignore_patterns(".*"))
        else:
            _extract(path, prefix, staged)
        info = _checked(staged, name)
    except (OSError, zipfile.BadZipFile) as error:
        discard(staged)
        raise ModelError(f"{path.name} could not be copied into the project ({_reason(error)}).") from error
    except ModelError as error:
        discard(staged)
        raise ModelError(str(error).replace(str(staged), path.name)) from error
    return StagedModel(staged, name, info)


def adopt_model(project: Project, staged: StagedModel, landmarks: Mapping[str, str]) -> str:
    """Make a staged model one of the project's.

    Args:
        project: the project.
        staged: the model.
        landmarks: for landmarks of the project, which one of the model each is. Others of the model keep their names,
            unless the project means something else by them.

    Returns:
        Its name.

    Raises:
        ModelError: if nothing is left that it could find here, two are the same, or it cannot be written.
    """
    chosen = list(landmarks.values())
    if not chosen:
        raise ModelError(f"The model '{staged.name}' finds nothing of this project: say which landmarks it finds.")
    twice = next((name for name in chosen if chosen.count(name) > 1), None)
    if twice is not None or not set(chosen) <= set(staged.info.names):
        raise ModelError(f"A landmark of the model can stand for one of the project only: look at '{twice}' again.")
    renamed = {theirs: ours for ours, theirs in landmarks.items()}
    for name in staged.info.names:
        if name not in renamed:
            renamed[name] = _OTHER.format(name) if name in project.schema.names else name
    target = project.model_path(staged.name)
    try:
        if any(old != new for old, new in renamed.items()):
            _rename(staged.folder, renamed)
        staged.folder.rename(target)
    except OSError as error:
        raise ModelError(f"The model could not be written in the project ({_reason(error)}).") from error
    return target.name


def discard(folder: Path) -> None:
    """Throw a staged model away."""
    shutil.rmtree(folder, ignore_errors=True)


def _checked(folder: Path, name: str) -> ModelInfo:
    """What a model is; every part of it is read, weights included."""
    info = read_info(folder).model_copy(update={"name": name})
    if info.landmarks.instances > 1:
        raise ModelError(f"The model '{name}' finds several points of one landmark, which the window cannot show.")
    for member in member_folders(folder):
        load_network(member, read_info(member))
    return info


def _rename(folder: Path, names: Mapping[str, str]) -> None:
    """Call landmarks otherwise in all that a model says of itself; what was learnt of regions stays good."""
    stored = stored_calibration(folder)
    for part in {folder, *member_folders(folder)}:
        content = read_json(part / INFO, "a model of napari-landmarker", ModelError)
        content["landmarks"] = _renamed(content["landmarks"], names)
        write_json(part / INFO, content)
    if stored.calibration is not None:
        content = read_json(folder / CALIBRATION, "a calibration", ModelError)
        calibration = content["calibration"]
        calibration["names"] = [names.get(name, name) for name in stored.calibration.names]
        if stored.calibration.scaling is not None:
            for by_name in filter(calibration["temperature"].__contains__, ("own", "scatter")):
                own = calibration["temperature"][by_name]
                calibration["temperature"][by_name] = {names.get(name, name): value for name, value in own.items()}
        write_json(folder / CALIBRATION, {**content, "weights": fingerprint_of([folder])})


def _renamed(schema: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    changed = {
        **schema,
        "landmarks": [{**one, "name": names.get(one["name"], one["name"])} for one in schema["landmarks"]],
        **{
            key: [[names.get(name, name) for name in pair] for pair in schema.get(key, ())]
            for key in ("pairs", "edges")
        },
        "measurements": [
            {**one, "landmarks": [names.get(name, name) for name in one["landmarks"]]}
            for one in schema.get("measurements", ())
        ],
    }
    try:
        return LandmarkSchema.parse(changed).model_dump(mode="json")
    except AnnotationError as error:
        raise ModelError(f"The landmarks of the model cannot be called so: {error}") from error


def _top(path: Path) -> tuple[PurePosixPath, str]:
    """Where in a zip the model lies, and its name; ModelError if there is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            marks = [PurePosixPath(name) for name in archive.namelist() if PurePosixPath(name).match(MARK.as_posix())]
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path.name} is no zip that can be read: get the model again.") from error
    tops = sorted((mark.parents[1] for mark in marks), key=lambda top: len(top.parts))
    if not tops:
        raise ModelError(f"{path.name} holds no model: choose the zip or the folder of one.")
    return tops[0], tops[0].name or path.stem


def _extract(path: Path, prefix: PurePosixPath, folder: Path) -> None:
    """Unpack a part of a zip; only plain files that lie inside the folder."""
    with zipfile.ZipFile(path) as archive:
        members = [one for one in archive.infolist() if not one.is_dir()]
        members = [one for one in members if PurePosixPath(one.filename).is_relative_to(prefix)]
        if sum(one.file_size for one in members) > shutil.disk_usage(folder.parent).free:
            raise ModelError(f"{path.name} needs more room than there is on the disk: make room and try again.")
        for one in members:
            inside = PurePosixPath(one.filename).relative_to(prefix)
            target = folder.joinpath(*inside.parts)
            link = stat.S_ISLNK(one.external_attr >> 16)
            if link or ".." in inside.parts or not target.resolve().is_relative_to(folder.resolve()):
                raise ModelError(f"{path.name} holds files that would land elsewhere: it is no model of this program.")
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(one) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
