"""What the header of a DICOM file says, read without its pixels.

Source: DICOM PS3.10 (file format), PS3.3 C.7.6.16 (functional groups of multi-frame images).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io.formats import one_sentence

#: Endings that DICOM files have, where they have one.
DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")

_PREAMBLE_BYTES, _MAGIC = 128, b"DICM"
_PIXEL_KEYWORDS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_DEFLATED = "1.2.840.10008.1.2.1.99"


def may_be_dicom(name: str) -> bool:
    """Whether a file of this name is worth a look inside when a folder is searched.

    It is where its ending is of DICOM, or it has none, or only digits, as names that are made of DICOM UIDs have.

    >>> [may_be_dicom(name) for name in ("a.DCM", "IM000001", "1.2.840.77", "notes.txt", ".hidden")]
    [True, True, True, False, False]
    """
    suffix = PurePath(name).suffix.lower()
    return not name.startswith(".") and (suffix in DICOM_SUFFIXES or not suffix or suffix[1:].isdecimal())


def has_dicom_mark(path: Path) -> bool:
    """Whether a file has ``DICM`` behind 128 bytes, as every DICOM file should; OSError if it cannot be opened."""
    with path.open("rb") as file:
        return file.read(_PREAMBLE_BYTES + len(_MAGIC))[_PREAMBLE_BYTES:] == _MAGIC


class NoImageError(ImageError):
    """A DICOM file that is whole but is meant to hold no image, such as a report."""


@dataclass(frozen=True, eq=False)
class Header:
    """The header of one DICOM file that holds an image.

    Attributes:
        path: the file.
        dataset: pydicom's data set, up to the pixels.
        pixel_keyword: name of the element with the pixels.
        pixel_vr: its value representation, None where the file does not state it.
        pixel_offset: byte of the file where its value begins; None where the whole file is compressed.
    """

    path: Path
    dataset: Any
    pixel_keyword: str
    pixel_vr: str | None
    pixel_offset: int | None

    @property
    def frames(self) -> int:
        """Number of frames, at least 1."""
        return max(1, whole(self.dataset, "NumberOfFrames", 1))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return whole(self.dataset, "Rows", 0), whole(self.dataset, "Columns", 0)

    @property
    def transfer_syntax(self) -> Any:
        """UID of how the file is encoded; guessed from its bytes where it is not stated."""
        from pydicom import uid

        stated = self.dataset.file_meta.get("TransferSyntaxUID")
        if stated:
            return stated
        implicit, little = self.dataset.original_encoding
        if implicit:
            return uid.ImplicitVRLittleEndian
        return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian


def read_header(path: Path) -> Header:
    """Read a file's header.

    Raises:
        ImageError: if it cannot be read, is no DICOM file, or holds no image.
    """
    from pydicom.filereader import read_partial

    place: list[tuple[str, str | None]] = []

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        if tag in _PIXEL_KEYWORDS:
            place.append((_PIXEL_KEYWORDS[tag], vr))
        return bool(place)

    with one_sentence(path, "DICOM"), path.open("rb") as file:
        dataset: Any = read_partial(file, stop_when=at_pixels, force=True)
        begin = file.tell()
        _require_image(path, dataset, bool(place))
        keyword, vr = place[0]
        deflated = dataset.file_meta.get("TransferSyntaxUID") == _DEFLATED
        # the file stands before the element: 4 bytes of tag, then 4 of length, or 8 with the representation
        offset = None if deflated else begin + (8 if vr is None else 12)
        return Header(path, dataset, keyword, vr, offset)


def _require_image(path: Path, dataset: Any, has_pixels: bool) -> None:
    """ImageError unless there are rows, columns and pixels; `NoImageError` where there should be none."""
    from pydicom.uid import UID

    kind = UID(str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or ""))
    if kind == _DIRECTORY_CLASS:
        raise NoImageError(f"{path} only lists the images of a disc: choose a DICOM image, or the folder of a series.")
    sized = whole(dataset, "Rows", 0) > 0 and whole(dataset, "Columns", 0) > 0
    if sized and has_pixels:
        return
    if not kind and not sized:
        raise ImageError(
            f"{path} could not be read as DICOM: it seems damaged or of another kind; "
            "export it again from the program that made it."
        )
    if sized or "Image" in kind.name:
        raise ImageError(f"{path} is a DICOM file that lacks its pixels: copy or export it again.")
    raise NoImageError(
        f"{path} is a DICOM file without an image (such as a report or a plan): choose a file with an image."
    )


def functional_group(dataset: Any, sequence: str, frame: int = 0) -> Any:
    """The data set with what ``sequence`` says of a frame: its own group, else that of all frames, else the top."""
    groups: list[Any] = []
    own = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    if frame < len(own):
        groups.append(own[frame])
    groups += list(dataset.get("SharedFunctionalGroupsSequence") or ())[:1]
    for group in groups:
        items = group.get(sequence)
        if items:
            return items[0]
    return dataset


def numbers(dataset: Any, keyword: str, count: int) -> tuple[float, ...] | None:
    """``count`` finite numbers of an element, or None where it is missing or holds anything else."""
    try:
        value = dataset.get(keyword)
        if value is None or isinstance(value, str):
            return None
        values = tuple(float(v) for v in (value if isinstance(value, Sequence) or count > 1 else [value]))
    except (TypeError, ValueError, OverflowError):
        return None
    return values if len(values) == count and all(math.isfinite(v) for v in values) else None


def number(dataset: Any, keyword: str) -> float | None:
    """The first number of an element that may hold several, or None."""
    try:
        value = dataset.get(keyword)
        if isinstance(value, Sequence) and not isinstance(value, str):
            value = value[0] if len(value) else None
        result = math.nan if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def whole(dataset: Any, keyword: str, default: int) -> int:
    """A whole number, or ``default`` where there is none."""
    value = number(dataset, keyword)
    return default if value is None or value != int(value) else int(value)


def text(dataset: Any, keyword: str) -> str:
    """A single text, trimmed and in capitals; empty where there is none."""
    try:
        value = dataset.get(keyword)
    except (TypeError, ValueError):
        return ""
    return value.strip().upper() if isinstance(value, str) else ""


def texts(dataset: Any, keyword: str) -> tuple[str, ...]:
    """All texts of an element, trimmed and in capitals."""
    try:
        value = dataset.get(keyword)
    except (TypeError, ValueError):
        return ()
    if isinstance(value, str):
        return (value.strip().upper(),)
    return tuple(str(v).strip().upper() for v in value) if isinstance(value, Sequence) else ()
