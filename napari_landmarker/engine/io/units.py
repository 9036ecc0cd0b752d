"""Units of length as other programs write them."""

from __future__ import annotations

_MM_PER_UNIT = {
    "nm": 1e-6, "nanometer": 1e-6, "nanometre": 1e-6,
    "um": 1e-3, "\u00b5m": 1e-3, "\u03bcm": 1e-3, "micron": 1e-3, "microns": 1e-3,
    "micrometer": 1e-3, "micrometre": 1e-3,
    "mm": 1.0, "millimeter": 1.0, "millimetre": 1.0,
    "cm": 10.0, "centimeter": 10.0, "centimetre": 10.0,
    "m": 1000.0, "meter": 1000.0, "metre": 1000.0,
}  # fmt: skip


def mm_per_unit(unit: str) -> float | None:
    """Millimetres in one ``unit``, or None where it is no metric unit of length.

    Inches are left out: where image files state them they mean the size on paper, not in the patient.

    >>> mm_per_unit("cm")
    10.0
    >>> mm_per_unit("pixel") is None
    True
    """
    return _MM_PER_UNIT.get(unit.strip().casefold())
