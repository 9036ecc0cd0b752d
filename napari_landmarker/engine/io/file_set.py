"""New annotation files that appear together: all of them once each is complete, or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.io.annotation_format import AnnotationFormat, ImageAnnotations
from napari_landmarker.engine.io.atomic import require_writable

#: Writes images to a file, by its name, in a format.
WriteFile = Callable[[str, Sequence[ImageAnnotations], AnnotationFormat], None]


@contextmanager
def new_files(target: Path, to_folder: bool) -> Iterator[WriteFile]:
    """Write files, which take their places where the block ends; an exception in it leaves nothing behind.

    Args:
        target: the file, or the folder of the files.
        to_folder: which of the two.

    Yields:
        What writes one file of the folder (or the file itself) by its name.

    Raises:
        ProjectError: if the target cannot be written.
    """
    place = target if to_folder else target.parent
    names: list[str] = []
    require_writable(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".convert-") as hidden:
        folder = Path(hidden)

        def write(name: str, images: Sequence[ImageAnnotations], fmt: AnnotationFormat) -> None:
            try:
                fmt.write(folder / name, images)
            except LandmarkerError as error:  # which is to speak of the place that a person knows
                said = str(error).replace(str(folder / "x")[:-1], str(place / "x")[:-1])
                raise type(error)(said) from error
            names.append(name)

        yield write
        if names:
            require_writable(place)
        for name in names:
            _put(folder / name, place / name)


def one_point_each(image: ImageAnnotations, fmt: AnnotationFormat) -> ImageAnnotations:
    """The annotations as a format holds them: one point a landmark, the first, where it has no place for several."""
    if fmt.capabilities.instances:
        return image
    return replace(
        image,
        entries={
            name: (next((entry for entry in given if entry.point is not None), given[0]),)
            for name, given in image.entries.items()
            if given
        },
    )


def _put(made: Path, target: Path) -> None:
    try:
        os.replace(made, target)
    except OSError as error:
        raise ProjectError(f"{target} could not be written ({error.strerror}): choose another name.") from error
