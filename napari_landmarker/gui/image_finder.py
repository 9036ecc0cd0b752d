"""`ImageFinder`: the images that an annotation file is about, among what is open and what lies beside it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from napari.layers import Layer

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io import Capabilities, ImageGeometry, image_stem, is_image_file, read_geometry
from napari_landmarker.engine.io.annotations import annotation_stem
from napari_landmarker.engine.io.image_names import portable_name
from napari_landmarker.gui.origin import ShownImage, shown_images


@dataclass(frozen=True, eq=False)
class FoundImage:
    """An image that an annotation file is about.

    Attributes:
        path: its file, or None if it comes from none.
        geometry: where its pixels are.
        shown: how it is open, or None if it is not.
        assumed: whether it was taken only because it is what a person looks at.
    """

    path: Path | None
    geometry: ImageGeometry
    shown: ShownImage | None = None
    assumed: bool = False


class ImageFinder:
    """Finds the images of one annotation file.

    An image is the one of the given name that is open or lies beside the file. A file that names none, as most do that
    speak of one image, is of the image with the same name but for the ending; if there is none, it is taken to be of
    the image that a person looks at: the selected one, or else the topmost that is visible.

    Args:
        path: the annotation file.
        layers: what is open, from bottom to top.
        selected: the active layer.
        capabilities: of the file's format. Where it speaks of many images, their folders tell them apart.
        in_folder: whether to look for images beside the file too, and not only among those that are open.

    Attributes:
        may_assume: whether the image a person looks at may be taken where nothing tells which it is.
    """

    def __init__(
        self,
        path: Path,
        layers: Sequence[Layer],
        selected: Layer | None,
        capabilities: Capabilities,
        in_folder: bool = True,
    ) -> None:
        self._path, self._selected, self._in_folder = path, selected, in_folder
        self._many, self._ndims = capabilities.several_images, capabilities.dimensions
        self._shown = [shown for shown in shown_images(layers) if shown.origin.geometry.grid.ndim in self._ndims]
        self._found: dict[str | None, FoundImage | None] = {}
        self.may_assume = True

    @property
    def has_assumed(self) -> bool:
        """Whether an image was taken only because a person looks at it."""
        return self.may_assume and any(found is not None and found.assumed for found in self._found.values())

    def find(self, name: str | None) -> FoundImage | None:
        """The image of that name, or the one a file without names is about; None if it is not at hand."""
        if name not in self._found:
            self._found[name] = self._search(name)
        found = self._found[name]
        return None if found is not None and found.assumed and not self.may_assume else found

    def geometry(self, name: str | None) -> ImageGeometry | None:
        """Where the pixels of that image are; None if it is not at hand."""
        found = self.find(name)
        return None if found is None else found.geometry

    def _search(self, name: str | None) -> FoundImage | None:
        wanted = annotation_stem(self._path) if name is None else portable_name(name).replace("\\", "/")
        found = self._open(wanted) or self._beside(wanted)
        return self._looked_at() if found is None and name is None else found

    def _open(self, name: str) -> FoundImage | None:
        """The open image that ends in this path; by its file's name alone only where that tells images apart."""
        parts = tuple(part for part in PurePosixPath(name).parts if part not in (".", ".."))
        for wanted in (parts,) if self._many else (parts, parts[-1:]):
            for shown in self._shown:
                path = shown.origin.path
                if path is not None and _ends_in(path, wanted):
                    return FoundImage(path, shown.origin.geometry, shown)
        return None

    def _beside(self, name: str) -> FoundImage | None:
        """The image at this path, as seen from the annotation file, or right beside it."""
        folder, last = self._path.parent, PurePosixPath(name).name
        if not last or not self._in_folder:
            return None
        alike = (folder / last, *_of_stem(folder, last)) if not self._many or last == name else ()
        for path in (folder / name, *alike):
            try:
                if path.is_file() and path != self._path and is_image_file(path):
                    geometry = read_geometry(path)
                    return FoundImage(path, geometry) if geometry.grid.ndim in self._ndims else None
            except (ImageError, OSError, ValueError):  # damaged, or a name that no file can have: not at hand
                continue
        return None

    def _looked_at(self) -> FoundImage | None:
        """The image that a person looks at."""
        visible = [shown for shown in self._shown if shown.layer.visible]
        chosen = [shown for shown in visible if shown.layer is self._selected] or visible
        if not chosen:
            return None
        origin = chosen[0].origin
        return FoundImage(origin.path, origin.geometry, chosen[0], assumed=True)


def _ends_in(path: Path, parts: tuple[str, ...]) -> bool:
    """Whether a path ends in these parts; the ending of the file's name may be missing in them."""
    own, parts = (tuple(unicodedata.normalize("NFC", part) for part in p) for p in (path.parts[-len(parts) :], parts))
    return bool(parts) and (own == parts or (*own[:-1], image_stem(own[-1])) == parts)


def _of_stem(folder: Path, stem: str) -> list[Path]:
    """The image files of a folder whose name is ``stem`` and an ending."""
    try:
        names = sorted(path.name for path in folder.iterdir() if path.name.startswith(stem))
    except OSError:
        return []
    return [folder / name for name in names if name != stem and image_stem(name) == stem]
