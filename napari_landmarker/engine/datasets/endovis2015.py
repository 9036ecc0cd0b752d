"""Instruments in the videos of the EndoVis 2015 challenge: several classes of points, up to two instances of each.

Annotations: X. Du et al., *Articulated Multi-Instrument 2-D Pose Estimation Using Fully Convolutional Networks*, IEEE
Transactions on Medical Imaging 37 (2018), 1276-1287. Of each video the frames that have annotations are taken.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_landmarker.engine.datasets.benchmark import BenchmarkSplit, Kind, torch_datasets
from napari_landmarker.engine.datasets.fetch import Cancel, Fetch, RemoteFile
from napari_landmarker.engine.datasets.source import Source, fetch_and_unpack, require
from napari_landmarker.engine.datasets.video import write_frames
from napari_landmarker.engine.errors import AnnotationError, GeometryError, ImageError
from napari_landmarker.engine.io.fields import read_text
from napari_landmarker.engine.io.paths import file_name
from napari_landmarker.engine.progress import Progress

#: The points that are annotated.
ENDOVIS2015_CLASSES = (
    "LeftClasperPoint",
    "RightClasperPoint",
    "HeadPoint",
    "ShaftPoint",
    "TrackedPoint",
    "EndPoint",
)
#: Those that the paper takes: the others are more ambiguous.
CLASPERS = ENDOVIS2015_CLASSES[:2]

_VIDEOS_URL = "https://opencas.webarchiv.kit.edu/data/endovis15_ins"
_LABELS_URL = "https://raw.githubusercontent.com/surgical-vision/EndoVisPoseAnnotation/master"
_FRAME = re.compile(r"img_(\d+)(?:_raw)?\.png")
_INSTANCES = 2


@dataclass(frozen=True)
class _Part:
    """The files of one part.

    Attributes:
        name: ``"train"`` or ``"test"``.
        folder: of the part.
        unpacked: where its archive puts the videos.
        archive: its archive.
        count: number of videos.
    """

    name: str
    folder: str
    unpacked: str
    archive: RemoteFile
    count: int

    def labels(self, number: int) -> RemoteFile:
        """The annotations of a video."""
        name = f"{self.name}{number}_labels.json"
        return RemoteFile(f"{_LABELS_URL}/{self.name}_labels/{name}", f"{self.folder}/labels/{name}")

    def videos(self, root: Path) -> list[Path]:
        """The folder of each video: as the paper names them, or as they are unpacked."""
        names = [f"Dataset{number}" for number in range(1, self.count + 1)]
        return [
            root / (self.unpacked if (root / self.unpacked / name).is_dir() else self.folder) / name for name in names
        ]

    def is_unpacked(self, root: Path) -> bool:
        """Whether the folder of each video is there."""
        return all(video.is_dir() for video in self.videos(root))


_PARTS = tuple(
    _Part(name, folder, unpacked, RemoteFile(f"{_VIDEOS_URL}/{folder}.zip", f"{folder}.zip"), count)
    for name, folder, unpacked, count in (
        ("train", "Tracking_Robotic_Training", "Tracking_Robotic_Training/Training", 4),
        ("test", "Tracking_Robotic_Testing", "Tracking", 6),
    )
)


def load_endovis2015(
    folder: Path | str | None = None,
    class_names: Sequence[str] = CLASPERS,
    progress: Progress | None = None,
    *,
    cancel: Cancel | None = None,
    download: bool = True,
) -> dict[str, BenchmarkSplit]:
    """The instruments of the EndoVis 2015 challenge; sizes are in pixels.

    Annotated frames that are not there as images are taken from the videos, and written beside them.

    Args:
        folder: the folder of the data set, or the one around it, or where to download it; None for this computer's
            cache.
        class_names: which of `ENDOVIS2015_CLASSES`.
        progress: told bytes done and bytes in all of a download, or frames of a video.
        cancel: asked whether to stop.
        download: whether to download what is not there.

    Returns:
        ``train`` and ``test``, with landmarks ``(N, L, M, 2)``.

    Raises:
        AnnotationError: if annotations are missing or damaged.
        GeometryError: for a class that there is not.
        ImageError: if frames and their video are missing or damaged.
        ProjectError: if it cannot be downloaded or unpacked, or PyAV, which reads videos, is not installed.
    """
    unknown = [name for name in class_names if name not in ENDOVIS2015_CLASSES]
    if unknown or not class_names:
        raise GeometryError(f"class_names must be some of {', '.join(ENDOVIS2015_CLASSES)}, not {tuple(class_names)}.")
    root = _SOURCE.find(folder, progress, cancel, download)
    return {part.name: _load(root, part, tuple(class_names), progress, cancel) for part in _PARTS}


def _build(fetch: Fetch) -> None:
    for part in _PARTS:
        fetch_and_unpack(fetch, part.archive, part.is_unpacked)
        for number in range(1, part.count + 1):
            fetch(part.labels(number))
        require((video / "Video.avi" for video in part.videos(fetch.folder)), ImageError, fetch.folder)


_SOURCE = Source("EndoVis2015", tuple(place for part in _PARTS for place in (part.folder, part.unpacked)), _build)


def _load(
    root: Path, part: _Part, names: tuple[str, ...], progress: Progress | None, cancel: Cancel | None
) -> BenchmarkSplit:
    """One part, with its frames."""
    images: list[Path] = []
    points: list[list[list[list[float]]]] = []
    labels = [root / part.labels(number).name for number in range(1, part.count + 1)]
    require(labels, AnnotationError, root)
    for path, video in zip(labels, part.videos(root), strict=True):
        frames: dict[int, Path] = {}
        for number, file, found in _frames(path, names):
            if number in frames:
                raise AnnotationError(f"{path} has frame {number} twice: remove one of them.")
            frames[number] = _image(video, number, file)
            points.append([found[name] for name in names])
        if not frames:
            raise AnnotationError(f"{path} has no frame with annotations: download it again.")
        images += frames.values()
        absent = {number: image for number, image in frames.items() if not image.is_file()}
        if absent:
            write_frames(video / "Video.avi", absent, progress, cancel)
    most = max([_INSTANCES, *(len(rows) for of_image in points for rows in of_image)])
    out = np.full((len(points), len(names), most, 2), np.nan)
    for i, of_image in enumerate(points):
        for j, rows in enumerate(of_image):
            out[i, j, : len(rows)] = np.reshape(rows, (-1, 2))
    return BenchmarkSplit(part.name, tuple(images), out, names)


def _image(video: Path, number: int, file: str) -> Path:
    """The image of a frame, by any of the names it has; where there is none, the place it should have."""
    plain = file.replace("_raw", "")
    wanted = video / "raw" / plain
    return next((path for path in (wanted, video / "Raw" / plain, video / "Raw" / file) if path.is_file()), wanted)


def _frames(path: Path, names: tuple[str, ...]) -> Iterator[tuple[int, str, dict[str, list[list[float]]]]]:
    """The annotated frames of a file: number, file name and, by class, its points as ``[y, x]``.

    Raises:
        AnnotationError: if the file is damaged.
    """
    try:
        content = json.loads(read_text(path, "the annotations of a video"))
        if not isinstance(content, list):
            raise TypeError(content)
        for frame in content:
            file = file_name(frame["filename"])
            match = _FRAME.fullmatch(file)
            if match is None:
                raise AnnotationError(f"{path} names a frame '{file}', which is not like img_000001.png: correct it.")
            found: dict[str, list[list[float]]] = {name: [] for name in names}
            for point in frame["annotations"]:
                if point["class"] in found:
                    found[point["class"]].append([_number(point[axis]) for axis in "yx"])
            if frame["annotations"]:
                yield int(match[1]), file, found
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AnnotationError(
            f"{path} is damaged: it must be a list of frames with 'filename' and 'annotations', each with 'class', "
            "'x' and 'y'; download it again."
        ) from error


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def get_endovis2015_landmark_datasets(
    path_dir: Path | str,
    class_names: Sequence[str] = CLASPERS,
    train_transform: Any = None,
    inference_transform: Any = None,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """Train and test as `LandmarkDataset` (Jonkers et al., SoftwareX 2025).

    Args:
        path_dir: see ``folder`` of `load_endovis2015`.
        class_names: which of `ENDOVIS2015_CLASSES`.
        train_transform: random changes to the training images.
        inference_transform: random changes to the test images.
        kwargs: further arguments of the class.
    """
    return _datasets("landmark", path_dir, class_names, train_transform, inference_transform, **kwargs)


def get_endovis2015_heatmap_datasets(
    path_dir: Path | str,
    class_names: Sequence[str] = CLASPERS,
    sigma: Any = 1.0,
    train_transform: Any = None,
    inference_transform: Any = None,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """Train and test as `HeatmapDataset`; arguments as `get_endovis2015_landmark_datasets` and of that class."""
    return _datasets("heatmap", path_dir, class_names, train_transform, inference_transform, sigma=sigma, **kwargs)


def _datasets(
    kind: Kind, path_dir: Path | str, class_names: Sequence[str], train: Any, inference: Any, **options: Any
) -> tuple[Any, ...]:
    return torch_datasets(load_endovis2015(path_dir, class_names).values(), kind, train, inference, **options)
