"""NIfTI-1 and NIfTI-2 volumes; nibabel reads the header.

Sources: NIfTI-1 data format, https://nifti.nimh.nih.gov/nifti-1; its world is RAS, ours is LPS. A file whose
qform and sform codes are both 0 states no orientation: it is shown as stored, as ITK and 3D Slicer place it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.channels import several_volumes
from napari_landmarker.engine.io.formats import ImageFormat
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.orient import NO_UNIT, StoredGeometry, oriented_grid
from napari_landmarker.engine.io.stream import read_values, skip

#: NIfTI's codes for units of length, in mm; 0 (unknown) is read as mm, as every program does.
_MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 1e-3}
_RAS_TO_LPS = np.array([[-1.0], [-1.0], [1.0]])
_COLORS = ("R", "G", "B")
_TWO_PLACES = "The file states two places in the patient (sform and qform) that differ; the sform is used."


def read_nifti(path: Path) -> Image:
    """Read a volume as ``(Z, Y, X)`` or, where it is RGB, ``(Z, Y, X, 3)``, turned to lie nearest to LPS.

    Raises:
        ImageError: if it is not one 3D volume of real numbers or colours, or its axes are sheared.
    """
    volume = _load(path)
    return _stored(volume, path).image(_pixels(volume, path))


def read_nifti_geometry(path: Path) -> ImageGeometry:
    """The geometry of a NIfTI file from its header; raises as `read_nifti`."""
    return _stored(_load(path), path).geometry()


def _load(path: Path) -> Any:
    import nibabel

    logger = logging.getLogger("nibabel.global")
    logger.addFilter(_nothing)  # nibabel reports to the terminal what it mends in a header
    try:
        return nibabel.load(path, mmap=False)
    finally:
        logger.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False


def _shape(volume: Any, path: Path) -> tuple[int, int, int]:
    """The shape ``(i, j, k)``; further axes of length 1 are dropped, one slice is a volume of one."""
    shape = tuple(int(n) for n in volume.shape)
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) < 3 or min(shape) < 1:
        raise ImageError(f"{path} holds no volume (its shape is {shape}): choose an image with three dimensions.")
    if any(n > 1 for n in shape[3:]):
        raise several_volumes(path, shape)
    return shape[0], shape[1], shape[2]


def _stored(volume: Any, path: Path) -> StoredGeometry:
    """The geometry of the array in order ``(k, j, i)``, as stored."""
    shape = tuple(reversed(_shape(volume, path)))
    header = volume.header
    unit = int(header["xyzt_units"]) & 7
    scale = _MM_PER_UNIT.get(unit, 1.0)
    has_sform = int(header["sform_code"]) > 0
    coded = has_sform or int(header["qform_code"]) > 0
    sized = has_sform or _states_size(header, path)
    notes = (NO_UNIT,) if sized and unit not in _MM_PER_UNIT else ()
    if has_sform and int(header["qform_code"]) > 0 and not _agree(header, shape[::-1]):
        notes = (*notes, _TWO_PLACES)
    if not coded:
        sizes = tuple(abs(float(n)) * scale for n in header["pixdim"][3:0:-1])
        return StoredGeometry(Grid(shape, sizes if sized else None), False, notes)
    lps = np.asarray(volume.affine, dtype=np.float64)[:3] * _RAS_TO_LPS * scale
    return StoredGeometry(oriented_grid(shape, np.fliplr(lps[:, :3]), lps[:, 3], path, sized=sized), True, notes)


def _agree(header: Any, shape: Sequence[int]) -> bool:
    """Whether sform and qform, if that is valid, put the corners of ``(i, j, k)`` at one place, to half a voxel."""
    from nibabel.spatialimages import HeaderDataError

    try:
        sform, qform = header.get_sform(), header.get_qform()
    except (ValueError, HeaderDataError):
        return True
    corners = np.array([(*corner, 1) for corner in np.ndindex(2, 2, 2)]) * (*(n - 1 for n in shape), 1)
    off = np.linalg.norm(corners @ (sform - qform).T, axis=1).max()
    return not off > np.linalg.norm(sform[:3, :3], axis=0).min() / 2


def _states_size(header: Any, path: Path) -> bool:
    """Whether pixdim gives a size for every axis, as the file says (nibabel makes 1 of a missing one)."""
    from nibabel.openers import ImageOpener

    with ImageOpener(str(path)) as file:
        raw = type(header).from_fileobj(file, check=False)
    used = np.asarray(raw["pixdim"][1 : 1 + min(3, int(raw["dim"][0]))], dtype=np.float64)
    return bool(np.isfinite(used).all() and (used != 0).all())


def _pixels(volume: Any, path: Path) -> npt.NDArray[Any]:
    """The values in order ``(k, j, i)``: as stored where no scaling is stated, else scaled, as float32."""
    from nibabel.openers import ImageOpener

    shape = tuple(reversed(_shape(volume, path)))
    stored, proxy = volume.get_data_dtype(), volume.dataobj
    packed = path.name.lower().endswith(".gz")
    slope, inter = float(proxy.slope), float(proxy.inter)
    channels = len(stored.names or ())
    if channels:
        stored, shape = np.dtype(np.uint8), (*shape, channels)
    elif stored.kind not in "iuf":
        raise ImageError(f"{path} holds complex numbers: save their magnitude as a new file and choose that.")

    def scaled(piece: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return piece.astype(np.float64) * slope + inter

    is_scaled = not channels and (slope, inter) != (1.0, 0.0)
    kept = np.float32 if is_scaled else np.float64 if stored.itemsize > 8 else None
    with ImageOpener(str(path)) as stream:
        skip(stream, proxy.offset, path)
        values = read_values(
            stream,
            int(np.prod(shape, dtype=object)),
            stored,
            path,
            available=None if packed else path.stat().st_size - proxy.offset,
            kept=kept,
            convert=scaled if is_scaled else None,
        )
    return values.reshape(shape)[..., : len(_COLORS)] if channels else values.reshape(shape)


NIFTI = ImageFormat("NIfTI", (".nii", ".nii.gz"), read_nifti, read_nifti_geometry)
