"""Putting landmarks into the content of a COCO file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.io.annotation_format import ImageAnnotations
from napari_landmarker.engine.io.coco_content import (
    Category,
    CocoContent,
    Item,
    Key,
    own_list,
    read_coco_content,
    size_of,
)
from napari_landmarker.engine.io.fields import Entry, require_pixels, save_json
from napari_landmarker.engine.io.image_names import ImageIndex, portable_name
from napari_landmarker.engine.landmarks import LandmarkStatus

#: Our own lists in an annotation, with a value or None for each keypoint.
STATUS, SCORE, DESCRIPTION = "landmark_status", "landmark_score", "landmark_description"
#: How the description of a keypoint with visibility 1 begins.
OCCLUDED = "occluded"
_OCCLUDED = re.compile(rf"{OCCLUDED}\b", re.IGNORECASE)
_NOTHING = Entry(None, LandmarkStatus.UNPLACED)


class CocoWriter:
    """A COCO file that is being changed.

    Args:
        path: the file; where it is there, what is in it stays.

    Raises:
        AnnotationError: if the file is there and is no COCO file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        empty = CocoContent({"images": [], "annotations": [], "categories": []})
        self._coco = read_coco_content(path) if path.exists() else empty
        self._keys = list(self._coco.images)
        self._index = ImageIndex(self._coco.images[key]["file_name"] for key in self._keys)
        self._next_annotation = _next_id(self._coco.content["annotations"])

    def add(self, image: ImageAnnotations) -> None:
        """Put in what is known of one image; AnnotationError where COCO cannot hold it."""
        key = self._image(image)
        self._add_names(list(image.entries))
        for number, category in self._coco.categories.items():
            entries = {name: image.entries[name] for name in category.names if image.entries.get(name)}
            if entries:
                self._fill(key, number, category, entries)

    def save(self) -> None:
        """Write the file; AnnotationError or ProjectError if that fails."""
        save_json(self._path, self._coco.content)

    def _image(self, image: ImageAnnotations) -> Key:
        """The id of an image, which is added where it is not there."""
        if image.grid.ndim != 2:
            raise AnnotationError(f"{self._path} is a COCO file, which holds 2D points only: write a .mrk.json file.")
        require_pixels(image.grid, self._path)
        if image.image is None:
            raise AnnotationError(f"{self._path} must name the image of its keypoints: give the image.")
        coco, name = self._coco, portable_name(image.image)
        at = self._index.to_write(name, self._path)
        key = _next_id(coco.content["images"]) if at is None else self._keys[at]
        item = {"id": key, "file_name": name} if at is None else coco.images[key]
        before = size_of(item, self._path)
        size = image.grid.shape if image.grid.has_image else before
        if size is None:
            raise AnnotationError(f"{self._path} must state the size of {name}, which is not known: give the image.")
        if before is not None and before != size:
            raise AnnotationError(
                f"{self._path} has {name} with {before[1]} x {before[0]} pixels, but it has {size[1]} x {size[0]}: "
                "write another file."
            )
        item |= {"width": size[1], "height": size[0]}
        if at is None:
            coco.content["images"].append(item)
            coco.images[key] = item
        return key

    def _add_names(self, names: Sequence[str]) -> None:
        """Make sure that each landmark is a keypoint of a category."""
        coco = self._coco
        new = [name for name in names if name not in coco.names]
        shared = {str(name).strip() for c in coco.categories.values() for name in c.item["keypoints"]} & set(new)
        if shared:
            raise AnnotationError(
                f"{self._path} has the keypoint '{min(shared)}' in several categories: call it category/{min(shared)}."
            )
        if not new:
            return
        if len(coco.categories) == 1:
            number = next(iter(coco.categories))
        else:
            named = [key for key, c in coco.categories.items() if c.item.get("name") == "landmarks"]
            number = named[0] if named else _next_id(coco.content["categories"])
        if number not in coco.categories:
            item: Item = {
                "id": number,
                "name": "landmarks",
                "supercategory": "landmarks",
                "keypoints": [],
                "skeleton": [],
            }
            coco.content["categories"].append(item)
            coco.categories[number] = Category(item, [])
        category = coco.categories[number]
        category.names += new
        category.item["keypoints"] = [*category.item["keypoints"], *new]
        for (_, of), items in coco.annotations.items():
            for annotation in items if of == number else []:
                annotation["keypoints"] = annotation["keypoints"] + [0, 0, 0] * len(new)
                for key in (STATUS, SCORE, DESCRIPTION):
                    if isinstance(annotation.get(key), list):
                        annotation[key] = annotation[key] + [None] * len(new)

    def _fill(self, image: Key, number: Key, category: Category, entries: Mapping[str, Sequence[Entry]]) -> None:
        """Put the instances of one category in one image into its annotations."""
        items = self._coco.annotations.setdefault((image, number), [])
        all_of_them = self._coco.content["annotations"]
        count = max(len(given) for given in entries.values())
        said = any(entry.status is not LandmarkStatus.UNPLACED for given in entries.values() for entry in given)
        while len(items) < count and (said or items):
            item: Item = {"id": self._next_annotation, "image_id": image, "category_id": number, "iscrowd": 0}
            item |= {"segmentation": [], "keypoints": [0, 0, 0] * len(category.names), "bbox": _box([])}
            self._next_annotation += 1
            items.append(item)
            all_of_them.append(item)
        for instance, item in enumerate(list(items)):
            only_points = any(item["keypoints"][2::3]) and not item.get("segmentation")
            only_points = only_points and (item.get("bbox") is None or is_box_of_points(item))
            now = {name: given[instance] if instance < len(given) else _NOTHING for name, given in entries.items()}
            _fill_annotation(item, category.names, now, f"{self._path}, annotation {item['id']},")
            if instance >= count and only_points and not item["num_keypoints"]:
                items.remove(item)
                self._coco.content["annotations"] = all_of_them = [a for a in all_of_them if a is not item]


def _fill_annotation(item: Item, names: Sequence[str], entries: Mapping[str, Entry], source: str) -> None:
    """Set what one annotation says of some of its keypoints."""
    boxed = is_box_of_points(item)
    before: list[Any] = item["keypoints"]
    keypoints = list(before)
    status, score, text = (own_list(item, key, len(names), source) for key in (STATUS, SCORE, DESCRIPTION))
    for name, entry in entries.items():
        row = list(names).index(name)
        triple = slice(3 * row, 3 * row + 3)
        hidden = bool(_OCCLUDED.match(entry.description)) or (not entry.description and before[3 * row + 2] == 1)
        usual = LandmarkStatus.UNPLACED if entry.point is None else LandmarkStatus.CONFIRMED
        status[row] = None if entry.status is usual else entry.status.value
        score[row] = None if math.isnan(entry.score) else entry.score
        if entry.description:
            text[row] = None if entry.description == OCCLUDED else entry.description
        if entry.point is None:
            keypoints[triple] = [0, 0, 0]
        else:
            keypoints[triple] = [float(entry.point[1]), float(entry.point[0]), 1 if hidden else 2]
    item["keypoints"] = keypoints
    item["num_keypoints"] = len(_placed(keypoints))
    if boxed:
        item["bbox"] = _box(_placed(keypoints))
        item["area"] = item["bbox"][2] * item["bbox"][3]
    for key, values in ((STATUS, status), (SCORE, score), (DESCRIPTION, text)):
        if any(value is not None for value in values):
            item[key] = values
        else:
            item.pop(key, None)


def _placed(keypoints: Sequence[float]) -> list[tuple[float, float]]:
    """``x, y`` of the keypoints that are labelled."""
    return [(keypoints[i], keypoints[i + 1]) for i in range(0, len(keypoints), 3) if keypoints[i + 2]]


def is_box_of_points(item: Item) -> bool:
    """Whether an annotation's box is only the one around its points, which follows them; any other stays."""
    return not item.get("segmentation") and item.get("bbox") == _box(_placed(item["keypoints"]))


def _box(points: Sequence[tuple[float, float]]) -> list[float]:
    """The box ``[left, top, width, height]`` around the pixels of points, as COCO has it."""
    if not points:
        return [0.0, 0.0, 0.0, 0.0]
    xs, ys = zip(*points, strict=True)
    return [min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1]


def _next_id(items: Sequence[Item]) -> int:
    """An id that none of the items has."""
    known = [item.get("id") for item in items]
    return max((key for key in known if isinstance(key, int) and not isinstance(key, bool)), default=0) + 1
