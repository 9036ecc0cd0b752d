"""The pixel spacing of a single DICOM image, and what it is worth.

Source: DICOM PS3.3 10.7.1.3 (Pixel Spacing Value Order and Valid Values), C.8.4.2, C.8.11.4, C.8.6.2.
"""

from __future__ import annotations

from typing import Any

from napari_landmarker.engine.io.dicom_geometry import pixel_spacing
from napari_landmarker.engine.io.dicom_header import functional_group, number, text

_AT_DETECTOR = "which is measured at the detector, where the patient appears magnified"
_CALIBRATIONS = {
    "FIDUCIAL": "calibrated with an object of known size",
    "GEOMETRY": "corrected for magnification with the distances of the X-ray tube",
}


def picture_spacing(dataset: Any) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """Millimetres between rows and between columns, and a sentence on where they come from.

    The first of PixelSpacing, ImagerPixelSpacing and NominalScannedPixelSpacing that is valid counts; with none the
    spacing is None.
    """
    measures = functional_group(dataset, "PixelMeasuresSequence")
    pixel = pixel_spacing(measures, "PixelSpacing")
    imager = pixel_spacing(dataset, "ImagerPixelSpacing")
    scanned = pixel_spacing(dataset, "NominalScannedPixelSpacing")
    if pixel is not None:
        return pixel, (f"The spacing is the header's PixelSpacing{_worth(dataset, pixel, imager)}.",)
    if imager is not None:
        return imager, (f"The spacing is the header's ImagerPixelSpacing, {_AT_DETECTOR}{_factor(dataset)}.",)
    if scanned is not None:
        return scanned, ("The spacing is the header's NominalScannedPixelSpacing, the size on the scanned film.",)
    return None, ()


def _worth(dataset: Any, pixel: tuple[float, float], imager: tuple[float, float] | None) -> str:
    calibration = _CALIBRATIONS.get(text(dataset, "PixelSpacingCalibrationType"))
    if calibration is not None:
        return f", {calibration}"
    if pixel == imager:
        return f" and equals its ImagerPixelSpacing, {_AT_DETECTOR}{_factor(dataset)}"
    return ""


def _factor(dataset: Any) -> str:
    factor = number(dataset, "EstimatedRadiographicMagnificationFactor")
    return f" (about {factor:.3g} times, as the header estimates)" if factor is not None and factor > 0 else ""
