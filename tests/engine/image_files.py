"""A small file of every format of images, written by programs other than ours, for tests of readers."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import SimpleITK
import tifffile
from PIL import Image as Pillow

#: Endings of the formats that hold volumes in one file, of those that hold pictures only, and of DICOM.
VOLUMES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".npy", ".npz", ".tif", ".tiff")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
DICOM = (".dcm", ".dicom", ".dic", ".ima")


def write_image(path: Path, array: np.ndarray) -> Path:
    """Write a grey picture ``(Y, X)`` or volume ``(Z, Y, X)`` in the format of the ending of its name."""
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        volume = array if array.ndim == 3 else array[None]
        nibabel.save(nibabel.Nifti1Image(volume.T, np.diag([-0.5, -1.0, 2.0, 1.0])), path)
    elif name.endswith((".nrrd", ".nhdr", ".mha", ".mhd")):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path), name.endswith(".nrrd"))
    elif name.endswith(DICOM):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), f"{path}.dcm")  # its writer asks for this ending
        Path(f"{path}.dcm").rename(path)
    elif name.endswith(".npy"):
        np.save(path, array)
    elif name.endswith(".npz"):
        np.savez_compressed(path, image=array)
    elif name.endswith((".tif", ".tiff")):
        tifffile.imwrite(path, array, photometric="minisblack")
    else:
        Pillow.fromarray(array).save(path)
    return path
