"""What stands in a COCO file: its images, categories and annotations, checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.io.atomic import read_json
from napari_landmarker.engine.io.fields import FARTHEST, as_name, as_numbers
from napari_landmarker.engine.io.image_names import as_image_name

#: The lists of a COCO file.
PARTS = ("images", "annotations", "categories")

Key = int | str
Item = dict[str, Any]


@dataclass
class Category:
    """A category with keypoints.

    Attributes:
        item: as it stands in the file.
        names: the landmarks, in the order of its keypoints.
    """

    item: Item
    names: list[str]


@dataclass
class CocoContent:
    """A COCO file.

    Attributes:
        content: the whole file; the other attributes are parts of it.
        images: by id.
        categories: those with keypoints, by id.
        annotations: those with keypoints, by image and category, in the order of the file: the instances.
        others: images that have annotations without keypoints.
    """

    content: Item
    images: dict[Key, Item] = field(default_factory=dict)
    categories: dict[Key, Category] = field(default_factory=dict)
    annotations: dict[tuple[Key, Key], list[Item]] = field(default_factory=dict)
    others: set[Key] = field(default_factory=set)

    @property
    def names(self) -> list[str]:
        """All landmarks, by category."""
        return [name for category in self.categories.values() for name in category.names]


def read_coco_content(path: Path) -> CocoContent:
    """Read and check a COCO file; only what concerns keypoints is looked at.

    Raises:
        AnnotationError: if the file cannot be read, is no COCO file, or its parts do not belong together.
    """
    content = read_json(path, "a COCO file", AnnotationError)
    for part in PARTS:
        items = content.get(part)
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise AnnotationError(f"{path} is not a COCO file: it has no list of {part}.")
    out = CocoContent(content)
    file_names: set[str] = set()
    for item in content["images"]:
        key = _key(item.get("id"), f"{path} has an image", out.images)
        name = as_image_name(item.get("file_name"), f"{path}, image {key},")
        if name in file_names:
            raise AnnotationError(f"{path} has the image {name} twice: keep one of them.")
        file_names.add(name)
        item["file_name"] = name
        out.images[key] = item
    _read_categories(out, path)
    keys: set[Key] = set()
    for item in content["annotations"]:
        image, category = item.get("image_id"), item.get("category_id")
        if item.get("keypoints") is None:
            out.others |= {image} if isinstance(image, int | str) else set()
            continue
        key = _key(item.get("id"), f"{path} has an annotation with keypoints", keys)
        keys.add(key)
        if not isinstance(image, int | str) or image not in out.images:
            raise AnnotationError(f"{path}, annotation {key}, is of no image in the file: correct its image_id.")
        if not isinstance(category, int | str) or category not in out.categories:
            raise AnnotationError(
                f"{path}, annotation {key}, is of a category without names of keypoints: correct its category_id."
            )
        _check_keypoints(item, out.categories[category].names, f"{path}, annotation {key},")
        out.annotations.setdefault((image, category), []).append(item)
    return out


def size_of(image: Mapping[str, Any], path: Path) -> tuple[int, int] | None:
    """Height and width of an image as the file states them, or None where it does not; AnnotationError for others."""
    given = [image.get(key) for key in ("height", "width")]
    if None in given:
        return None
    for value in given:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= FARTHEST or value % 1:
            raise AnnotationError(f"{path}, image {image['id']}, has a size that is no number of pixels: correct it.")
    height, width = (int(value) for value in given if value is not None)
    return height, width


def own_list(item: Mapping[str, Any], key: str, count: int, source: str) -> list[Any]:
    """One of our own lists of an annotation, with a value or None for each keypoint."""
    values = item.get(key)
    if values is None:
        return [None] * count
    if not isinstance(values, list) or len(values) != count:
        raise AnnotationError(f"{source} has a '{key}' that is no list of {count} values: correct or remove it.")
    return list(values)


def _read_categories(out: CocoContent, path: Path) -> None:
    """The categories with keypoints; a name that several of them have gets the category's name in front."""
    known: set[Key] = set()
    for item in out.content["categories"]:
        if item.get("keypoints") is None:
            continue
        key = _key(item.get("id"), f"{path} has a category with keypoints", known)
        known.add(key)
        source = f"{path}, category {key},"
        if not isinstance(item["keypoints"], list):
            raise AnnotationError(f"{source} has keypoints that are no list of names: correct them.")
        names = [as_name(name, source) for name in item["keypoints"]]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise AnnotationError(f"{source} has the keypoint '{twice}' twice: give each a name of its own.")
        out.categories[key] = Category(item, names)
    if not out.categories:
        raise AnnotationError(f"{path} has no category with keypoints: it holds no landmarks.")
    counts = Counter(out.names)
    for key, category in out.categories.items():
        if any(counts[name] > 1 for name in category.names):
            title = as_name(category.item.get("name"), f"{path}, category {key},")
            category.names = [f"{title}/{name}" if counts[name] > 1 else name for name in category.names]
    if len(set(out.names)) < len(out.names):
        raise AnnotationError(f"{path} has categories of one name with the same keypoints: give each its own name.")


def _check_keypoints(item: Item, names: list[str], source: str) -> None:
    """Keypoints are x, y and visibility for each name, and own lists fit them."""
    values = item["keypoints"]
    if not isinstance(values, list) or len(values) != 3 * len(names):
        raise AnnotationError(f"{source} must have 3 numbers for each of {len(names)} keypoints: correct it.")
    for row, name in enumerate(names):
        _, _, visible = as_numbers(values[3 * row : 3 * row + 3], 3, name, source)
        if visible not in (0, 1, 2):
            raise AnnotationError(f"{source} gives '{name}' a visibility that is none of 0, 1, 2: correct it.")


def _key(value: object, what: str, known: Mapping[Key, object] | set[Key]) -> Key:
    """An id, of which there is no other."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise AnnotationError(f"{what} without an id: give each its own.")
    if value in known:
        raise AnnotationError(f"{what} with the id {value} a second time: give each its own.")
    return value
