"""Which DICOM files of a folder make one image.

DICOM says of each file which series it is of, but a series may be a volume or a bundle of separate pictures:

- Projections (radiographs, angiograms, ultrasound, photographs) are pictures, each file an image of its own, also
  where several views share a series.
- Parallel slices of one series that state their places are one volume; so are CT, MR and PET slices, and if these
  lack their places the series is refused. A slice without others of its series is a picture.
- A slice that is not parallel to others of its series (a localizer with three views) is a picture as well.
- A file with several frames stands alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io.dicom_geometry import Plane, plane_of
from napari_landmarker.engine.io.dicom_header import (
    DICOM_SUFFIXES,
    Header,
    NoImageError,
    has_dicom_mark,
    may_be_dicom,
    read_header,
    texts,
)
from napari_landmarker.engine.io.formats import one_sentence
from napari_landmarker.engine.io.paths import natural_order

_STORAGE = "1.2.840.10008.5.1.4.1.1."
#: CT, MR and PET, old and enhanced: always slices through a patient.
_SLICE_CLASSES = tuple(_STORAGE + end for end in ("2", "2.1", "2.2", "4", "4.1", "4.3", "4.4", "128", "128.1", "130"))
#: Radiographs, angiograms, ultrasound, photographs, images of a treatment beam: never slices that stack.
_PROJECTIONS = tuple(_STORAGE + start for start in ("1", "12", "6", "3", "77", "481.1"))


@dataclass(frozen=True)
class Member:
    """A DICOM file with an image.

    Attributes:
        path: the file.
        series: its series.
        frames: number of frames.
        plane: the place of a single frame.
        is_projection: whether it is never a slice of a volume.
        is_section: whether it is always a slice, by its class.
        is_localizer: whether it is an overview for planning other images.
    """

    path: Path
    series: str
    frames: int
    plane: Plane
    is_projection: bool
    is_section: bool
    is_localizer: bool

    @property
    def may_stack(self) -> bool:
        """Whether it may be a slice of a volume in several files."""
        return self.frames == 1 and not self.is_projection and (self.is_section or self.plane.is_placed)


@dataclass(frozen=True)
class Group:
    """Files that are one image, in natural order.

    Attributes:
        members: the files.
        is_volume: whether the image has three dimensions.
    """

    members: tuple[Member, ...]
    is_volume: bool

    @property
    def is_localizer(self) -> bool:
        """Whether it is an overview for planning other images."""
        return all(member.is_localizer for member in self.members)


@dataclass(frozen=True)
class Search:
    """What a folder holds.

    Attributes:
        groups: its images, in natural order of their first files.
        damaged: files that should be DICOM images and could not be read.
    """

    groups: tuple[Group, ...]
    damaged: tuple[Path, ...]

    @property
    def shown(self) -> tuple[Group, ...]:
        """The images without overviews, or with them where there is nothing else."""
        return tuple(group for group in self.groups if not group.is_localizer) or self.groups

    @property
    def only_volume(self) -> Group | None:
        """The one volume among those shown, if there is exactly one."""
        volumes = [group for group in self.shown if group.is_volume]
        return volumes[0] if len(volumes) == 1 else None


def search_files(paths: Iterable[Path], series: str | None = None) -> Search:
    """Group the DICOM files among ``paths``, which lie in one folder; only those of ``series`` if that is given."""
    members: list[Member] = []
    damaged: list[Path] = []
    for path in paths:
        try:
            member = _member_if_dicom(path)
        except ImageError:
            damaged.append(path)
            continue
        if member is not None and series in (None, member.series):
            members.append(member)
    members.sort(key=lambda member: natural_order(member.path))
    groups = sorted(_groups(members), key=lambda group: natural_order(group.members[0].path))
    return Search(tuple(groups), tuple(sorted(damaged, key=natural_order)))


def search_folder(folder: Path) -> Search:
    """Group the DICOM files of a folder, without its subfolders; ImageError if it cannot be listed.

    Files of any name are looked into where none of a name that DICOM files have is one.
    """
    found = search_files(_files(folder, may_be_dicom))
    return found if found.groups or found.damaged else search_files(_files(folder, bool))


def search_beside(path: Path) -> tuple[Group, tuple[Path, ...]]:
    """The image that a file is, or is a slice of, and the damaged files beside it.

    Raises:
        ImageError: if the file is no DICOM image, or its folder cannot be listed.
    """
    own = _member_of(read_header(path))
    if not own.may_stack:
        return Group((own,), own.frames > 1), ()
    suffixes = (path.suffix,) if path.suffix else ()
    beside = _files(path.parent, lambda name: may_be_dicom(name) or name.endswith(suffixes))
    found = search_files({*beside, path}, own.series)
    group = next((g for g in found.groups if any(m.path == path for m in g.members)), Group((own,), False))
    return group, found.damaged if group.is_volume else ()


def image_paths(folder: Path, paths: Iterable[Path]) -> list[Path]:
    """One path for each DICOM image among ``paths``, the files of a folder that may be DICOM.

    It is the folder where that holds one series that is a volume and nothing else; of further images each is named by
    its first file in natural order. Damaged files stand for themselves, so that a reader can say what is wrong.
    """
    found = search_files(paths)
    volume = found.only_volume
    alone = volume is not None and len(volume.members) > 1 and len(found.shown) == 1 and not found.damaged
    if alone and folder.name not in ("", ".."):
        return [folder]
    return [*(group.members[0].path for group in found.shown), *found.damaged]


def _files(folder: Path, is_wanted: Callable[[str], bool]) -> list[Path]:
    """The files of a folder whose names are wanted; none that are hidden."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_file()]
    except OSError as error:
        raise ImageError(f"{folder} could not be searched ({error.strerror}): check its permissions.") from error
    return [folder / name for name in names if not name.startswith(".") and is_wanted(name)]


def _member_if_dicom(path: Path) -> Member | None:
    """The file as a member, or None if it is not DICOM or meant to hold no image; ImageError if it is damaged."""
    try:
        if not path.name.lower().endswith(DICOM_SUFFIXES) and not has_dicom_mark(path):
            return None
        status = path.stat()
        return _cached_member(path, status.st_mtime_ns, status.st_size)
    except NoImageError:
        return None
    except OSError as error:
        raise ImageError(f"{path} could not be opened ({error.strerror}): check its permissions.") from error


@lru_cache(maxsize=20_000)
def _cached_member(path: Path, changed_ns: int, size: int) -> Member:
    """The member of a file that was last changed at a time and has a size, so that a changed file is read again."""
    return _member_of(read_header(path))


def _member_of(header: Header) -> Member:
    dataset = header.dataset
    with one_sentence(header.path, "DICOM"):
        kind = str(dataset.get("SOPClassUID") or "")
        return Member(
            path=header.path,
            series=str(dataset.get("SeriesInstanceUID") or ""),
            frames=header.frames,
            plane=plane_of(dataset, header.path.name),
            is_projection=any(kind == c or kind.startswith(f"{c}.") for c in _PROJECTIONS),
            is_section=kind in _SLICE_CLASSES,
            is_localizer="LOCALIZER" in texts(dataset, "ImageType"),
        )


def _groups(members: Sequence[Member]) -> list[Group]:
    """Every member in one group."""
    groups: list[Group] = []
    series: dict[tuple[str, bool], list[Member]] = {}
    for member in members:
        if member.may_stack:
            series.setdefault((member.series, member.is_localizer), []).append(member)
        else:
            groups.append(Group((member,), member.frames > 1))
    for slices in series.values():
        groups += _slice_groups(slices)
    return groups


def _slice_groups(slices: Sequence[Member]) -> list[Group]:
    """The slices of one series as volumes of parallel ones, and pictures."""
    if len(slices) > 1 and not all(member.plane.is_placed for member in slices):
        return [Group(tuple(slices), True)]
    parallel: list[list[Member]] = []
    for member in slices:
        fitting = next((few for few in parallel if few[0].plane.is_parallel(member.plane)), None)
        if fitting is None:
            parallel.append([member])
        else:
            fitting.append(member)
    groups: list[Group] = []
    for few in parallel:
        one_place = len({member.plane.position for member in few}) == 1 and not any(m.is_section for m in few)
        if len(few) == 1 or one_place:
            groups += [Group((member,), False) for member in few]
        else:
            groups.append(Group(tuple(few), True))
    return groups
