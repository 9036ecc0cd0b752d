"""What is wrong with a configuration, in one sentence that names the file, the key, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.train.config import TrainConfig


def check(content: Any, path: Path) -> TrainConfig:
    """The configuration that a file's content stands for; what is left out has its default.

    Raises:
        TrainingError: if it cannot be one.
    """
    if not isinstance(content, dict):
        raise TrainingError(f"{path} is not a configuration: it holds no keys such as 'preset' and 'model'.")
    try:
        return TrainConfig.model_validate(content)
    except ValidationError as cause:
        raise TrainingError(f"{path}: {sentence(cause.errors()[0])}") from cause


def sentence(error: ErrorDetails) -> str:
    """The first mistake."""
    kind, allowed = error["type"], error.get("ctx", {})
    keys, models = _walk(error["loc"])
    key = ".".join(keys)
    if kind == "extra_forbidden":
        place = f" in '{'.'.join(keys[:-1])}'" if keys[:-1] else ""
        return f"unknown key '{keys[-1]}'{place}; the keys there are {', '.join(models[-1].model_fields)}."
    if kind == "union_tag_invalid":
        return f"'{key}.kind' must be one of {allowed['expected_tags']}, not '{allowed['tag']}'."
    if kind == "union_tag_not_found":
        return f"'{key}' must name its kind, such as 'kind: {_first_kind(error)}'."
    message = _plain(error)
    if not key:
        return f"{message}."
    given = error["input"]
    if kind == "value_error":
        return f"'{key}': {message}."
    shown = f", not {given!r}" if isinstance(given, (str, int, float)) else ""
    return f"'{key}' {message}{shown}."


def _plain(error: ErrorDetails) -> str:
    """Pydantic's message as a part of a sentence."""
    if error["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return "must hold keys of its own"
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be").removesuffix(".")
    message = message.replace("String should match pattern", "must match")
    return message[0].lower() + message[1:]


def _walk(loc: tuple[int | str, ...]) -> tuple[list[str], list[type[BaseModel]]]:
    """The keys of a place as a person writes them, without the kinds that were chosen, and the model of each."""
    keys: list[str] = []
    models: list[type[BaseModel]] = [TrainConfig]
    choice: Any = None
    for part in loc:
        if choice is not None and part in (chosen := dict(_kinds(choice))):
            models.append(chosen[str(part)])
            choice = None
            continue
        field = models[-1].model_fields.get(str(part))
        keys.append(str(part))
        choice = None if field is None else field.annotation
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            models.append(choice)
    return keys, models


def _kinds(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """The models of a union by their kinds."""
    for member in (annotation, *get_args(annotation)):
        if isinstance(member, type) and issubclass(member, BaseModel) and "kind" in member.model_fields:
            yield str(member.model_fields["kind"].default), member


def _first_kind(error: ErrorDetails) -> str:
    """A kind that may be there."""
    keys, models = _walk(error["loc"])
    field = models[-1].model_fields[keys[-1]]
    return next(iter(_kinds(field.annotation)))[0]
