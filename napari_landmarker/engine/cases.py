"""The cases of a project: one for each image, with a name of its own and a split."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import count as count_from
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from napari_landmarker.engine.errors import AnnotationError, ImageError
from napari_landmarker.engine.io import image_stem, read_geometry
from napari_landmarker.engine.progress import Progress

#: A name that can be a file name on every system: on one line, without a slash of either kind.
FILE_NAME = r"^[^/\\\x00-\x1f]+$"


class Split(StrEnum):
    """What a case is used for."""

    TRAIN = "train"
    VALIDATION = "validation"
    CALIBRATION = "calibration"
    TEST = "test"


#: Shares of train, validation, calibration and test.
_SHARES = (0.7, 0.15, 0.0, 0.15)
#: With so many cases or more, some are kept to calibrate regions on: enough of them to promise 95 %.
MANY_CASES = 130
_SHARES_OF_MANY = (0.6, 0.1, 0.15, 0.15)


class Case(BaseModel):
    """One image of a project.

    Attributes:
        id: unique name, used for file names and in reports.
        image: path of the image, relative to the project folder where it lies beside or in it; always with ``/``.
        split: what the case is used for.
        spacing: millimetres per pixel in array order, said by a person; it replaces what the file states.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str = Field(pattern=FILE_NAME)
    image: str
    split: Split = Split.TRAIN
    spacing: tuple[float, ...] | None = None


def draw_splits(
    ids: Sequence[str], fractions: tuple[float, float, float, float] | None = None, seed: int = 0
) -> dict[str, Split]:
    """Deal ids to the splits at random, the same for the same ids and seed.

    With three ids or more each split of which there is a share gets at least one; with two there is no test, with one
    only train.

    Args:
        ids: of the cases.
        fractions: shares of train, validation, calibration and test; by default the calibration split has one only
            where there are so many cases that those left are enough.
        seed: of the order in which cases are dealt.
    """
    shuffled = sorted(ids)
    random.Random(seed).shuffle(shuffled)
    count = len(shuffled)
    shares = fractions or (_SHARES if count < MANY_CASES else _SHARES_OF_MANY)
    out = dict.fromkeys(shuffled, Split.TRAIN)
    for split, share, fewest in zip(
        (Split.TEST, Split.VALIDATION, Split.CALIBRATION), (shares[3], shares[1], shares[2]), (3, 2, 4), strict=True
    ):
        dealt = max(1, round(share * count)) if count >= fewest and share > 0 else 0
        out.update(dict.fromkeys(shuffled[:dealt], split))
        shuffled = shuffled[dealt:]
    return out


def check_images(
    paths: Sequence[Path],
    spacing: Sequence[float] | None,
    ndim: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Every image can be read, and all have the same number of dimensions, which the spacing fits.

    Args:
        paths: the images.
        spacing: what a person said, millimetres per pixel in array order.
        ndim: how many dimensions they must have; None for as many as the first.
        progress: is told how many are read, of how many.

    Raises:
        ImageError: for an image that cannot be read, that has other dimensions than the others (or than ``ndim``), or
            whose name cannot be kept in a project.
        GeometryError: if ``spacing`` is not one positive number for each dimension.
    """
    for number, path in enumerate(paths, start=1):
        if not re.match(FILE_NAME, path.name) or any(0xD800 <= ord(c) <= 0xDFFF for c in str(path)):
            raise ImageError(f"{str(path)!r} has characters in its name that not every computer can keep: rename it.")
        grid = read_geometry(path).grid
        if ndim is not None and grid.ndim != ndim:
            raise ImageError(
                f"{path} is {grid.ndim}D but the other images are {ndim}D: keep them in separate projects."
            )
        ndim = grid.ndim
        if spacing is not None:
            grid.with_spacing(spacing)
        if progress is not None:
            progress(number, len(paths))


def make_cases(
    root: Path,
    paths: Sequence[Path],
    spacing: Sequence[float] | None,
    splits: dict[str, Split],
    taken: frozenset[str] = frozenset(),
) -> tuple[Case, ...]:
    """A case for each image.

    Args:
        root: the project's folder.
        paths: the images.
        spacing: what a person said, millimetres per pixel in array order.
        splits: split of each image by file name; others are drawn.
        taken: ids that other cases have.

    Raises:
        AnnotationError: if an image is named twice.
    """
    ids: dict[str, Path] = {}
    seen, used = set[Path](), set(taken)
    for path in paths:
        if path in seen:
            raise AnnotationError(f"{path} is named twice: name each image once.")
        seen.add(path)
        name = next(name for name in _possible_ids(path) if name not in used)
        used.add(name)
        ids[name] = path
    drawn = draw_splits(list(ids))
    said = None if spacing is None else tuple(float(s) for s in spacing)
    return tuple(
        Case(id=key, image=_portable(root, path), split=splits.get(path.name, drawn[key]), spacing=said)
        for key, path in ids.items()
    )


def _possible_ids(path: Path) -> Iterator[str]:
    """The file's name without suffix; for where that is taken, with its folder's name or a number; without end."""
    yield image_stem(path)
    yield path.name
    yield f"{path.parent.name}_{path.name}"
    for number in count_from(2):
        yield f"{path.parent.name}_{path.name}_{number}"


def _portable(root: Path, path: Path) -> str:
    """Relative to the project where the image lies in or beside it, so that both can be moved together."""
    if path.is_relative_to(root.parent):
        return Path(os.path.relpath(path, root)).as_posix()
    return path.as_posix()
