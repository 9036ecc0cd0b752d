"""Small DICOM files for tests, written with pydicom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
PET = "1.2.840.10008.5.1.4.1.1.128"
RADIOGRAPH = "1.2.840.10008.5.1.4.1.1.1.1"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
ULTRASOUND_FILM = "1.2.840.10008.5.1.4.1.1.3.1"
REPORT = "1.2.840.10008.5.1.4.1.1.88.11"

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
PATIENT = "Secret^Person"


def dataset(
    array: np.ndarray | None, sop_class: str = CAPTURE, syntax: str = ExplicitVRLittleEndian, **tags: Any
) -> Any:
    """A data set with the pixels ``(Y, X)``, ``(frames, Y, X)`` or, with SamplesPerPixel=3, colours last."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    out = Dataset()
    out.file_meta = meta
    out.SOPClassUID, out.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    out.PatientName, out.PatientID = PATIENT, "4711"
    out.SeriesInstanceUID = generate_uid()
    if array is not None:
        size = array.dtype.itemsize * 8
        samples = tags.get("SamplesPerPixel", 1)
        space = array.shape[:-1] if samples > 1 else array.shape
        out.SamplesPerPixel = samples
        out.PhotometricInterpretation = "MONOCHROME2" if samples == 1 else "RGB"
        if samples > 1:
            out.PlanarConfiguration = 0
        if len(space) == 3:
            out.NumberOfFrames = space[0]
        out.Rows, out.Columns = space[-2:]
        out.BitsAllocated = out.BitsStored = size
        out.HighBit = size - 1
        out.PixelRepresentation = int(array.dtype.kind == "i")
        out.PixelData = array.tobytes() + bytes(array.nbytes % 2)
        out["PixelData"].VR = "OB" if size == 8 else "OW"
    for name, value in tags.items():
        if value is None:
            del out[name]
        else:
            setattr(out, name, value)
    return out


def write(path: Path, array: np.ndarray | None, sop_class: str = CAPTURE, **tags: Any) -> Path:
    """Write `dataset` to a file."""
    dataset(array, sop_class, **tags).save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder: Path,
    volume: np.ndarray,
    *,
    sop_class: str = CT,
    orientation: Sequence[float] = AXIAL,
    spacing: Sequence[float] = (2.5, 0.75, 0.5),
    origin: Sequence[float] = (-30.0, 12.0, 100.0),
    name: str = "IM{:04d}.dcm",
    positions: Sequence[Sequence[float]] | None = None,
    **tags: Any,
) -> list[Path]:
    """Write ``(slices, Y, X)`` as one file a slice along the normal; ``spacing`` is mm per array axis."""
    folder.mkdir(parents=True, exist_ok=True)
    tags = {"SeriesInstanceUID": generate_uid(), "PixelSpacing": list(spacing[1:]), **tags}
    normal = np.cross(orientation[:3], orientation[3:])
    if positions is None:
        positions = [np.asarray(origin) + k * spacing[0] * normal for k in range(len(volume))]
    paths = []
    for k, (values, position) in enumerate(zip(volume, positions, strict=True)):
        where = {"ImagePositionPatient": [f"{p:.10g}" for p in position]}
        where["ImageOrientationPatient"] = [f"{o:.10g}" for o in orientation]
        own = {key: value[k] if isinstance(value, PerSlice) else value for key, value in (where | tags).items()}
        paths.append(write(folder / name.format(k), values, sop_class, **own))
    return paths


class PerSlice(list[Any]):
    """Values of a tag that differ from slice to slice."""


def group(**sequences: dict[str, Any]) -> Dataset:
    """A functional group: an item with a sequence of one item for each keyword."""
    out = Dataset()
    for keyword, tags in sequences.items():
        item = Dataset()
        for name, value in tags.items():
            setattr(item, name, value)
        setattr(out, keyword, [item])
    return out


def numbered(shape: Sequence[int], dtype: str = "int16") -> np.ndarray:
    """An array in which every pixel has a value of its own."""
    return np.arange(int(np.prod(shape)), dtype=dtype).reshape(shape)
