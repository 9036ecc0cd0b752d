"""COCO keypoints: many images in one JSON file, with visibility.

COCO measures keypoints in pixels from the top left, from 0. As COCO's own tools draw and compare them, a whole number
is a pixel's centre, so they are our index coordinates, x first. Visibility ``v`` is 0 for a keypoint that is not
labelled: *unplaced*. With 1, labelled but hidden, it has a place: it is read with the description ``occluded``, and a
point whose description begins with that word is written with ``v = 1``.

Several annotations of one category in an image are instances of its landmarks. A keypoint whose name several
categories share is called ``category/keypoint``. What COCO cannot say stands in lists of our own in an annotation,
one value for each keypoint: ``landmark_status``, ``landmark_score`` and ``landmark_description``; other programs leave
them alone. Where a status no longer fits the visibility, as another program changed it, the visibility counts.

Format: https://cocodataset.org/#format-data.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.annotation_format import (
    AnnotationFormat,
    Capabilities,
    GeometryOf,
    ImageAnnotations,
)
from napari_landmarker.engine.io.coco_content import PARTS, CocoContent, Item, Key, own_list, read_coco_content, size_of
from napari_landmarker.engine.io.coco_write import DESCRIPTION, OCCLUDED, SCORE, STATUS, CocoWriter, is_box_of_points
from napari_landmarker.engine.io.fields import Entry, as_score, other_keys, with_gaps
from napari_landmarker.engine.landmarks import LandmarkStatus

#: Keys that are read, or follow from those that are; others belong to other programs.
_IMAGE_KEYS = ("id", "file_name", "width", "height")
_CATEGORY_KEYS = ("id", "name", "supercategory", "keypoints", "skeleton")
_ANNOTATION_KEYS = (
    "id", "image_id", "category_id", "iscrowd", "segmentation", "keypoints", "num_keypoints", "bbox", "area",
    STATUS, SCORE, DESCRIPTION,
)  # fmt: skip


def read_coco(path: Path | str, geometry_of: GeometryOf) -> list[ImageAnnotations]:
    """Read the keypoints of a COCO file.

    Args:
        path: the file.
        geometry_of: the images' geometry, as far as they are at hand; others have the size that the file states.

    Raises:
        AnnotationError: if the file is damaged, or an image has another size than the file says.
    """
    path = Path(path)
    content = read_coco_content(path)
    return [_annotations(content, key, path, geometry_of) for key in content.images]


def write_coco(path: Path | str, images: Iterable[ImageAnnotations]) -> None:
    """Write landmarks as COCO keypoints, atomically; what else is in the file already stays.

    Landmarks of a new file are of one category ``landmarks``. In a file that is there, landmarks belong to the category
    that has their names; new ones join its category, or where it has several, one called ``landmarks``. An annotation's
    ``num_keypoints`` is updated, and, where ``bbox`` is the box around its points, ``bbox`` and ``area`` too.
    Images and landmarks of the file that are not written stay.

    Raises:
        AnnotationError: if the file is there and is damaged or has images of another size, or an image is not 2D, has
            no name or no known size.
        ProjectError: if the file cannot be written.
    """
    path = Path(path)
    writer = CocoWriter(path)
    for image in images:
        writer.add(image)
    writer.save()


def _annotations(content: CocoContent, key: Key, path: Path, geometry_of: GeometryOf) -> ImageAnnotations:
    """What the file says of one image."""
    image = content.images[key]
    name, size = image["file_name"], size_of(image, path)
    geometry = geometry_of(name)
    if geometry is not None and geometry.grid.ndim != 2:
        raise AnnotationError(f"{path} has keypoints of {name}, which is a volume: COCO is for 2D images.")
    if geometry is not None and size is not None and geometry.grid.shape != size:
        raise AnnotationError(
            f"{path} was made for {name} with {size[1]} x {size[0]} pixels, but it has "
            f"{geometry.grid.shape[1]} x {geometry.grid.shape[0]}: choose the file that belongs to the image."
        )
    unknown = Grid.without_image(2) if size is None else Grid(size)
    grid = unknown if geometry is None else geometry.grid
    entries: dict[str, tuple[Entry, ...]] = {}
    for number, category in content.categories.items():
        instances = [_entries(item, category.names, path) for item in content.annotations.get((key, number), [])]
        for row, landmark in enumerate(category.names):
            entries[landmark] = with_gaps({i: of[row] for i, of in enumerate(instances)})
    return ImageAnnotations(name, grid, entries, geometry, _unread(content, key))


def _unread(content: CocoContent, key: Key) -> tuple[str, ...]:
    """What the file says of an image besides keypoints, in words."""
    own = [item for number in content.categories for item in content.annotations.get((key, number), [])]
    skeleton = any(category.item.get("skeleton") for category in content.categories.values())
    found = {
        "annotations without keypoints": key in content.others,
        "segmentations": any(item.get("segmentation") for item in own),
        "boxes": any(item.get("bbox") and not item.get("segmentation") and not is_box_of_points(item) for item in own),
        "the lines of the skeleton": skeleton,
    }
    keys = other_keys(
        (content.content, PARTS),
        (content.images[key], _IMAGE_KEYS),
        *((item, _ANNOTATION_KEYS) for item in own),
        *((category.item, _CATEGORY_KEYS) for category in content.categories.values()),
    )
    return (*(words for words, there in found.items() if there), *keys)


def _entries(item: Item, names: list[str], path: Path) -> list[Entry]:
    """What an annotation says of each keypoint."""
    source = f"{path}, annotation {item['id']},"
    status, score, text = (own_list(item, key, len(names), source) for key in (STATUS, SCORE, DESCRIPTION))
    out = []
    for row, name in enumerate(names):
        x, y, visible = item["keypoints"][3 * row : 3 * row + 3]
        default = LandmarkStatus.CONFIRMED if visible else LandmarkStatus.UNPLACED
        stated = _status(status[row], name, source)
        description = text[row] if isinstance(text[row], str) else ""
        if visible == 1 and not description:
            description = OCCLUDED
        out.append(
            Entry(
                np.array([float(y), float(x)]) if visible else None,
                stated if stated is not None and stated.has_point == default.has_point else default,
                as_score(score[row], name, source) if visible else np.nan,
                description,
            )
        )
    return out


def _status(value: object, name: str, source: str) -> LandmarkStatus | None:
    known = [status.value for status in LandmarkStatus]
    if value is not None and value not in known:
        raise AnnotationError(f"{source} gives '{name}' a status that is none of {', '.join(known)}: correct it.")
    return None if value is None else LandmarkStatus(str(value))


def _recognises(path: Path) -> bool:
    try:
        read_coco_content(path)
    except AnnotationError:
        return False
    return True


#: COCO keypoints.
COCO = AnnotationFormat(
    name="COCO keypoints",
    read_by="Programs that train on keypoints, such as MMPose; one file for all.",
    suffixes=(".json",),
    capabilities=Capabilities(
        dimensions=(2,),
        coordinates=("px",),
        unplaced=True,
        absent=True,
        status=True,
        score=True,
        instances=True,
        several_images=True,
        description=True,
        image_size=True,
        states_size=True,
    ),
    recognises=_recognises,
    read=lambda path, geometry_of, names: read_coco(path, geometry_of),
    write=write_coco,
)
