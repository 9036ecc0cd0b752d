"""The values of DICOM images: decoded, rescaled, with high values bright.

pydicom decodes what it can (uncompressed, deflated, RLE; 8-bit JPEG and JPEG 2000 through Pillow), GDCM the rest.
Frames are read from the file one at a time.

Source: DICOM PS3.3 C.7.6.3 (image pixels), C.11.1 (modality LUT), C.11.2 (VOI LUT: the window).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io.dicom_gdcm import GDCM_SYNTAXES
from napari_landmarker.engine.io.dicom_header import Header, functional_group, number, text, whole
from napari_landmarker.engine.io.formats import one_sentence

_GREY, _INVERTED, _PALETTE = "MONOCHROME2", "MONOCHROME1", "PALETTE COLOR"
_COLORS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_INT16 = np.iinfo(np.int16)
_INT32 = np.iinfo(np.int32)
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_JP2_START, _JP2_CODES = b"\x00\x00\x00\x0cjP  ", b"jp2c"

Pixels = npt.NDArray[Any]


@dataclass(frozen=True)
class Rescale:
    """The straight line from stored values to those that count, ``stored * slope + intercept``."""

    slope: float = 1.0
    intercept: float = 0.0

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return (self.slope, self.intercept) == (1.0, 0.0)

    def apply(self, stored: Pixels) -> Pixels:
        """As stored where nothing changes; int16 or int32 where all results are whole and fit; else float32."""
        if self.is_identity:
            return stored
        ends = [float(v) * self.slope + self.intercept for v in (stored.min(), stored.max())]
        low, high = min(ends), max(ends)
        is_whole = stored.dtype.kind in "iu" and self.slope.is_integer() and self.intercept.is_integer()
        if is_whole and _INT32.min <= low and high <= _INT32.max:
            kept = np.int16 if _INT16.min <= low and high <= _INT16.max else np.int32
            return np.asarray((stored * self.slope + self.intercept).astype(kept))
        return np.asarray((stored * self.slope + self.intercept).astype(np.float32))


def rescale_of(header: Header, frame: int) -> Rescale:
    """The modality LUT of a frame, where it is a straight line."""
    group = functional_group(header.dataset, "PixelValueTransformationSequence", frame)
    slope, intercept = number(group, "RescaleSlope"), number(group, "RescaleIntercept")
    return Rescale(slope or 1.0, intercept or 0.0)


def frame_values(header: Header) -> Iterator[Pixels]:
    """The finished values of each frame in turn: ``(Y, X)`` grey or ``(Y, X, 3)`` colour.

    Raises:
        ImageError: if a frame cannot be decoded, or its colours are of a kind that is not known here.
    """
    decoded = _decoded(header)
    for frame in range(header.frames):
        with one_sentence(header.path, "DICOM"):
            stored = next(decoded, None)
            if stored is None:
                raise ImageError(f"{header.path} ends before its last frame: copy or export it again.")
            values = _finished(header, frame, stored)
        yield values


def samples_shape(header: Header) -> tuple[int, ...]:
    """The trailing shape of the values: ``(3,)`` where they are colours."""
    colored = whole(header.dataset, "SamplesPerPixel", 1) > 1 or _interpretation(header) == _PALETTE
    return (3,) if colored else ()


def window_of(header: Header, frame: int) -> tuple[float, float] | None:
    """The values that the first window of a frame draws black and white, or None where it has none (PS3.3 C.11.2.1)."""
    group = functional_group(header.dataset, "FrameVOILUTSequence", frame)
    centre, width = number(group, "WindowCenter"), number(group, "WindowWidth")
    if centre is None or width is None or width <= 0 or samples_shape(header):
        return None
    if text(group, "VOILUTFunction") in ("", "LINEAR") and width > 1:
        low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    else:
        low, high = centre - width / 2, centre + width / 2
    if is_inverted(header):
        total = _ends_sum(header, frame)
        low, high = total - high, total - low
    return low, high


def is_inverted(header: Header) -> bool:
    """Whether the file means high stored values to be dark (MONOCHROME1)."""
    return _interpretation(header) == _INVERTED


def _interpretation(header: Header) -> str:
    return text(header.dataset, "PhotometricInterpretation") or _GREY


def _finished(header: Header, frame: int, stored: Pixels) -> Pixels:
    """Colours as red, green, blue; grey values rescaled, with high values bright."""
    kind = _interpretation(header)
    if samples_shape(header):
        return _palette_colors(header, stored) if kind == _PALETTE else stored
    if header.dataset.get("ModalityLUTSequence"):
        from pydicom.pixels.processing import apply_modality_lut

        values = np.asarray(apply_modality_lut(stored, header.dataset))
        return values.dtype.type(_ends_sum(header, frame)) - values if is_inverted(header) else values
    if is_inverted(header):
        stored = stored.dtype.type(_stored_ends_sum(header)) - stored
    return rescale_of(header, frame).apply(stored)


def _stored_ends_sum(header: Header) -> int:
    """The lowest and the highest value that can be stored, added: whole numbers change ends as ``sum - value``."""
    if header.pixel_keyword != "PixelData":
        return 0
    if whole(header.dataset, "PixelRepresentation", 0) == 1:
        return -1
    return (1 << whole(header.dataset, "BitsStored", 8)) - 1


def _ends_sum(header: Header, frame: int) -> float:
    """The lowest and the highest value behind the modality LUT, added."""
    table = header.dataset.get("ModalityLUTSequence")
    if table:
        return float((1 << int(table[0].LUTDescriptor[2])) - 1)
    line = rescale_of(header, frame)
    return _stored_ends_sum(header) * line.slope + 2 * line.intercept


def _palette_colors(header: Header, stored: Pixels) -> Pixels:
    """The colours of a palette, with 8 bits each; some writers fill only the lower 8 of 16."""
    from pydicom.pixels.processing import apply_color_lut

    colors = np.asarray(apply_color_lut(stored, header.dataset))
    return (colors >> 8 if colors.dtype.itemsize > 1 and colors.max() > 255 else colors).astype(np.uint8)


def _decoded(header: Header) -> Iterator[Pixels]:
    """Each frame as stored, ``(Y, X)`` or ``(Y, X, 3)``, in the machine's byte order; colours are RGB."""
    from pydicom.pixels.utils import as_pixel_options

    samples = whole(header.dataset, "SamplesPerPixel", 1)
    if samples not in (1, 3):
        raise ImageError(f"{header.path} has {samples} numbers at each pixel: export it as grey values or RGB.")
    kind = _interpretation(header)
    if kind not in (_COLORS if samples == 3 else (_GREY, _INVERTED, _PALETTE)):
        raise ImageError(f"{header.path} has pixels of an unknown kind ({kind}): export it as grey values or RGB.")
    options: dict[str, Any] = as_pixel_options(
        header.dataset,
        pixel_keyword=header.pixel_keyword,
        pixel_vr=header.pixel_vr or "OW",
        photometric_interpretation=kind,
        number_of_frames=header.frames,
        allow_excess_frames=False,
    )
    with _pixel_bytes(header) as source:
        for array in _frames(header, source, options):
            yield array.astype(array.dtype.newbyteorder("="), copy=False)


def _pixel_bytes(header: Header) -> BinaryIO:
    """A stream that stands where the value of the pixel element begins."""
    if header.pixel_offset is None:
        from pydicom import dcmread

        return BytesIO(dcmread(header.path, force=True)[header.pixel_keyword].value)
    stream = header.path.open("rb")
    stream.seek(header.pixel_offset)
    return stream


def _frames(header: Header, source: BinaryIO, options: dict[str, Any]) -> Iterator[Pixels]:
    """Decode each frame with the first decoder that can: those of pydicom, then GDCM."""
    begin = source.tell()
    decoders = _decoders(header)
    for frame in range(header.frames):
        if header.transfer_syntax in _JPEG_2000:
            _require_boxes(source, frame, options)
            source.seek(begin)
        while True:
            decoder, plugin = decoders[0]
            source.seek(begin)
            try:
                decoded, _ = decoder.as_array(source, index=frame, decoding_plugin=plugin, **options)
                break
            except RuntimeError:  # how pydicom says that a decoder failed
                if frame or len(decoders) == 1:
                    raise
                del decoders[0]
        yield decoded


def _require_boxes(source: BinaryIO, frame: int, options: dict[str, Any]) -> None:
    """ValueError for a frame in boxes, as a JP2 file, of which one has no length: pydicom would never get past it."""
    from pydicom.encaps import get_frame

    content = get_frame(
        source, frame, number_of_frames=options["number_of_frames"], extended_offsets=options.get("extended_offsets")
    )
    at = len(_JP2_START) + 4
    while content.startswith(_JP2_START) and at < len(content) and content[at + 4 : at + 8] != _JP2_CODES:
        length = int.from_bytes(content[at : at + 4], "big")
        if length < 8:
            raise ValueError("A box of a JPEG 2000 frame has no length.")
        at += length


def _decoders(header: Header) -> list[tuple[Any, str]]:
    """Decoders of a file's transfer syntax with the names of their plugins.

    Raises:
        ImageError: if there is none.
    """
    from pydicom.pixels.decoders.base import Decoder, get_decoder

    syntax = header.transfer_syntax
    found: list[tuple[Any, str]] = []
    try:
        decoder: Any = get_decoder(syntax)
        found = [(decoder, name) for name in decoder.available_plugins] if decoder.is_encapsulated else [(decoder, "")]
    except NotImplementedError:
        pass
    if syntax in GDCM_SYNTAXES:
        gdcm: Any = Decoder(syntax)
        gdcm.add_plugin("SimpleITK", ("napari_landmarker.engine.io.dicom_gdcm", "decode_frame"))
        found.append((gdcm, "SimpleITK"))
    if not found:
        raise ImageError(
            f"{header.path} is compressed in a way that cannot be read here ({syntax.name}): "
            "export it again without compression."
        )
    return found
