"""Decoding compressed DICOM frames with GDCM, which SimpleITK carries: JPEG lossless, JPEG-LS, 12-bit JPEG.

It is a plugin as pydicom expects them (pydicom, "Plugins for decoding pixel data"). SimpleITK reads files only, so a
frame goes through a temporary file that holds the compressed pixels and no more of the image.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from napari_landmarker.engine.io.itk import itk_pixels

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset
    from pydicom.pixels.decoders.base import DecodeRunner

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_JPEG_START = b"\xff\xd8"
#: Markers of a frame's size: SOF0 to SOF15 without those of tables, and SOF55 of JPEG-LS (T.81 table B.1, T.87).
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}

#: Transfer syntaxes that are left to GDCM: 12-bit JPEG, JPEG lossless, JPEG-LS.
GDCM_SYNTAXES = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (51, 57, 70, 80, 81))
#: pydicom asks for these names, and does not look at them while `is_available` says yes.
DECODER_DEPENDENCIES = {syntax: ("SimpleITK",) for syntax in GDCM_SYNTAXES}


def is_available(uid: str) -> bool:
    """Whether frames of a transfer syntax can be decoded."""
    return uid in GDCM_SYNTAXES


def decode_frame(src: bytes, runner: DecodeRunner) -> bytearray:
    """The pixels of one compressed frame, in the order of bytes that pydicom expects.

    Raises:
        ValueError: if the frame cannot be decoded.
    """
    _require_size(src, runner)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "frame.dcm"
        _bare(src, runner).save_as(path, enforce_file_format=True)
        pixels = itk_pixels(path)
    if pixels is None:
        raise ValueError("The frame cannot be decoded.")
    runner.set_option("planar_configuration", 0)
    return bytearray(pixels.astype(runner.pixel_dtype, copy=False).tobytes())


def _require_size(src: bytes, runner: DecodeRunner) -> None:
    """ValueError unless a JPEG or JPEG-LS frame has the size that the header states: GDCM may crash on others."""
    at = len(_JPEG_START)
    while src.startswith(_JPEG_START) and at + 10 <= len(src) and src[at] == 0xFF:
        if src[at + 1] in _FRAME_MARKERS:
            bits, rows, columns = src[at + 4], *(int.from_bytes(src[at + n : at + n + 2], "big") for n in (5, 7))
            stated = (runner.rows, runner.columns, runner.samples_per_pixel)
            if (rows, columns, src[at + 9]) == stated and 2 <= bits <= runner.bits_allocated:
                return
            break
        at += 2 + int.from_bytes(src[at + 2 : at + 4], "big")
    raise ValueError("The frame is not of the size that the header states.")


def _bare(src: bytes, runner: DecodeRunner) -> FileDataset:
    """A data set with one frame and what describes its pixels; colours are left as they are stored."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = runner.transfer_syntax
    meta.MediaStorageSOPClassUID = UID(_SECONDARY_CAPTURE)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    bare = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    bare.SOPClassUID, bare.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    bare.SamplesPerPixel = runner.samples_per_pixel
    bare.PhotometricInterpretation = "RGB" if runner.samples_per_pixel > 1 else "MONOCHROME2"
    if runner.samples_per_pixel > 1:
        bare.PlanarConfiguration = 0
    bare.Rows, bare.Columns = runner.rows, runner.columns
    bare.BitsAllocated, bare.BitsStored = runner.bits_allocated, runner.bits_stored
    bare.HighBit = runner.bits_stored - 1
    bare.PixelRepresentation = runner.pixel_representation
    bare.PixelData = encapsulate([src])
    bare["PixelData"].VR = "OB"
    bare["PixelData"].is_undefined_length = True
    return bare
