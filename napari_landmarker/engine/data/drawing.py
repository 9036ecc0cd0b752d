"""Images drawn in the frame of a dataset, kept in memory or on disk so that each is read and drawn once."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_landmarker.engine.data.sources import ImageSource, Spacing, load
from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.io import Image
from napari_landmarker.engine.transforms import FloatImage, resample, standardise, with_channels


@dataclass(frozen=True, eq=False)
class DrawnImage:
    """An image in the frame of a dataset.

    Attributes:
        array: float32 ``(C, *space)``, standardised.
        grid: geometry of the image before it was drawn.
        to: map from that image to ``array``.
        stored: map from that image to the image as stored in its file.
    """

    array: FloatImage
    grid: Grid
    to: AffineMap
    stored: AffineMap


def draw(image: Image, to: AffineMap, channels: int | None) -> FloatImage:
    """An image in the target frame of ``to``: float32 ``(C, *space)``, standardised."""
    array = image.channels_first()
    if channels is not None:
        array = with_channels(array, channels)
    return resample(standardise(array), to)


class DiskCache:
    """Drawn images as files in a folder, through MONAI's `PersistentDataset`.

    A file is found again by the image's path, size and time of change and by the frame it was drawn in, so a changed
    image or another frame is drawn anew. Of an image in several files, all of its folder count where that was named,
    else those of the same name but for the ending (a header and its values).
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageError(f"{folder} cannot keep images ({error.strerror}): choose another cache_dir.") from error
        self.folder = folder

    def drawn(self, path: Path, to: AffineMap, spacing: Spacing, channels: int | None) -> FloatImage:
        """The drawn image of a file, from the folder where it is there."""
        from monai.data import PersistentDataset  # type: ignore[attr-defined]
        from monai.transforms import Lambda  # type: ignore[attr-defined]

        item = {
            "path": str(path.resolve()),
            "written": _written(path),
            "matrix": to.matrix.tolist(),
            "shapes": (to.source_shape, to.target_shape),
            "spacing": spacing,
            "channels": channels,
        }
        try:
            cached = PersistentDataset([item], Lambda(_draw_item, track_meta=False), self.folder)[0]
        except (RuntimeError, EOFError, pickle.UnpicklingError):  # a file that another process has half written
            cached = _draw_item(item)
        return np.asarray(cached["image"].numpy(), dtype=np.float32)


def _written(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of change of the files that hold an image."""
    files = [path]
    if path.is_dir():
        files = [file for file in path.iterdir() if file.is_file()]
    elif path.suffix.lower() in (".mhd", ".nhdr"):
        files = [file for file in path.parent.iterdir() if file.stem == path.stem]
    states = [(file.name, file.stat()) for file in files]
    return sorted((name, state.st_size, state.st_mtime_ns) for name, state in states)


def _draw_item(item: dict[str, Any]) -> dict[str, torch.Tensor]:
    source: ImageSource = Path(item["path"])
    to = AffineMap(np.asarray(item["matrix"]), *item["shapes"])
    image = load(source, to.ndim, item["spacing"])
    return {"image": torch.from_numpy(draw(image, to, item["channels"]))}
