"""NIfTI-1 and NIfTI-2 volumes, through nibabel.

Sources: NIfTI-1 data format, https://nifti.nimh.nih.gov/nifti-1; its world is RAS, ours is LPS. A file whose
qform and sform codes are both 0 states no orientation: it is shown as stored, as ITK and 3D Slicer place it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.formats import ImageFormat
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.orient import Reorientation

#: NIfTI's codes for units of length, in mm; 0 (unknown) is read as mm, as every program does.
_MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 1e-3}
_RAS_TO_LPS = np.array([[-1.0], [-1.0], [1.0]])


def read_nifti(path: Path) -> Image:
    """Read a volume as ``(Z, Y, X)`` or, where it is RGB, ``(Z, Y, X, 3)``, turned to lie nearest to LPS.

    Raises:
        ImageError: if it is not one 3D volume of real numbers or colours, or its axes are sheared.
    """
    volume = _load(path)
    grid = _stored_grid(volume, path)
    array = _pixels(volume, path)
    turn = Reorientation.to_lps(grid)
    geometry = turn.geometry(grid)
    return Image(turn.apply(array), geometry.grid, geometry.stored)


def read_nifti_geometry(path: Path) -> ImageGeometry:
    """The geometry of a NIfTI file from its header; raises as `read_nifti`."""
    grid = _stored_grid(_load(path), path)
    return Reorientation.to_lps(grid).geometry(grid)


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
        sizes = " x ".join(str(n) for n in shape)
        raise ImageError(f"{path} holds several volumes ({sizes}): save one of them as a 3D file and choose that.")
    return shape[0], shape[1], shape[2]


def _stored_grid(volume: Any, path: Path) -> Grid:
    """The grid of the array in order ``(k, j, i)``, as stored."""
    shape = tuple(reversed(_shape(volume, path)))
    header = volume.header
    scale = _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    coded = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    stated = int(header["sform_code"]) > 0 or _states_size(header, path)
    if not coded:
        sizes = [abs(float(n)) * scale for n in header["pixdim"][3:0:-1]]
        return Grid(shape, tuple(sizes) if stated else None)
    lps = np.asarray(volume.affine, dtype=np.float64)[:3] * _RAS_TO_LPS * scale
    axes = np.fliplr(lps[:, :3])
    spacing = np.linalg.norm(axes, axis=0)
    if not np.isfinite(lps).all() or (spacing <= 0).any():
        raise ImageError(f"{path} states no valid voxel size or place: export it again from the program that made it.")
    direction = axes / spacing
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-3):
        raise ImageError(
            f"{path} has axes that are not at right angles (sheared): resample it to a regular "
            "grid, for example with Resample Scalar Volume in 3D Slicer, and choose the result."
        )
    return Grid(shape, tuple(spacing) if stated else None, lps[:, 3], direction)


def _states_size(header: Any, path: Path) -> bool:
    """Whether pixdim gives a size for every axis, as the file says (nibabel makes 1 of a missing one)."""
    from nibabel.openers import ImageOpener

    with ImageOpener(str(path)) as file:
        raw = type(header).from_fileobj(file, check=False)
    used = np.asarray(raw["pixdim"][1 : 1 + min(3, int(raw["dim"][0]))], dtype=np.float64)
    return bool(np.isfinite(used).all() and (used != 0).all())


def _pixels(volume: Any, path: Path) -> npt.NDArray[Any]:
    """The values in order ``(k, j, i)``: as stored where no scaling is stated, else scaled, as float32."""
    stored_dtype = volume.get_data_dtype()
    shape = _shape(volume, path)
    data = np.asanyarray(volume.dataobj).reshape(shape)
    if data.dtype.names:
        return np.stack([data[channel].T for channel in ("R", "G", "B")], axis=-1)
    if data.dtype.kind not in "iuf":
        raise ImageError(f"{path} holds complex numbers: save their magnitude as a new file and choose that.")
    if data.dtype != stored_dtype and data.dtype.kind == "f" and stored_dtype.kind != "f":
        data = data.astype(np.float32)
    elif data.dtype.itemsize > 8:
        data = data.astype(np.float64)
    return np.asarray(data.astype(data.dtype.newbyteorder("="), copy=False).T)


NIFTI = ImageFormat("NIfTI", (".nii", ".nii.gz"), read_nifti, read_nifti_geometry)
