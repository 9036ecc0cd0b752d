"""Measurements that are ready to use: a cephalometric analysis for the 19 landmarks of the ISBI challenges.

Norms are those of the papers named in each measurement, most of them of young adults or adolescents of European origin
with normal occlusion. They say what is usual there, not what is healthy: age, sex and origin shift them, and lengths
are of the head only where the spacing of an image allows for its magnification.

Signs: ANB is above 0 where the upper jaw is in front of the lower one; the distances of incisors and lips from a line
are above 0 in front of it, whichever way the head faces, because the fourth landmark lies behind the line.

Not among them, as the 19 landmarks do not allow it: the lips' distance from the E-line (there is no tip of the nose;
their distance from the line from subnasale to soft tissue pogonion is measured instead), overjet and overbite (they are
measured along an occlusal plane, for which a molar is needed; the distances of both incisors from the line from A to
pogonion tell how they stand to each other), and the inclination of the incisors (there are no root apices).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_landmarker.engine.io.isbi import ISBI_NAMES
from napari_landmarker.engine.schema import LandmarkSchema, Measurement

_RIEDEL = "Riedel 1952, Angle Orthodontist 22:142-145: 52 adults of excellent occlusion"
_DOWNS = "Downs 1948, American Journal of Orthodontics 34:812-840: 20 people of 12 to 17 years"
_JARABAK = "Jarabak and Fizzell 1972, Technique and Treatment with Light-Wire Edgewise Appliances, after Björk 1947"
_RATIO = (
    "Jarabak and Fizzell 1972, Technique and Treatment with Light-Wire Edgewise Appliances: 0.62 to 0.65 count as usual"
)
_RICKETTS = "Ricketts 1981, Angle Orthodontist 51:115-150: clinical norm and clinical deviation"
_BURSTONE = "Burstone 1967, American Journal of Orthodontics 53:262-284: adolescents"
_EASTMAN = "Eastman standard; Mills 1982, Principles and Practice of Orthodontics"

_S, _N, _OR, _PO, _A, _B, _POG, _ME, _GN, _GO, _L1, _U1, _UL, _LL, _SN, _SPOG, _PNS, _ANS, _AR = ISBI_NAMES

#: Lateral cephalograms; landmarks are named as in `ISBI_NAMES`.
CEPHALOMETRIC = (
    Measurement(name="SNA", kind="angle", landmarks=(_S, _N, _A), norm=82.01, deviation=3.89, source=_RIEDEL),
    Measurement(name="SNB", kind="angle", landmarks=(_S, _N, _B), norm=79.97, deviation=3.60, source=_RIEDEL),
    Measurement(
        name="ANB", kind="angle_difference", landmarks=(_S, _N, _A, _B), norm=2.04, deviation=1.81, source=_RIEDEL
    ),
    Measurement(name="SN-GoGn", kind="angle", landmarks=(_S, _N, _GO, _GN), norm=31.71, deviation=5.19, source=_RIEDEL),
    Measurement(name="FMA", kind="angle", landmarks=(_PO, _OR, _GO, _ME), norm=21.9, deviation=3.24, source=_DOWNS),
    Measurement(
        name="Facial angle", kind="angle", landmarks=(_OR, _PO, _N, _POG), norm=87.8, deviation=3.57, source=_DOWNS
    ),
    Measurement(name="Y-axis", kind="angle", landmarks=(_PO, _OR, _S, _GN), norm=59.4, deviation=3.82, source=_DOWNS),
    Measurement(name="Saddle angle", kind="angle", landmarks=(_N, _S, _AR), norm=123.0, deviation=5.0, source=_JARABAK),
    Measurement(
        name="Articular angle", kind="angle", landmarks=(_S, _AR, _GO), norm=143.0, deviation=6.0, source=_JARABAK
    ),
    Measurement(
        name="Gonial angle", kind="angle", landmarks=(_AR, _GO, _ME), norm=130.0, deviation=7.0, source=_JARABAK
    ),
    Measurement(
        name="Face height ratio",
        kind="ratio",
        landmarks=(_S, _GO, _N, _ME),
        norm=0.635,
        deviation=0.015,
        source=_RATIO,
    ),
    Measurement(
        name="U1 to A-Pog",
        kind="distance_to_line",
        landmarks=(_U1, _A, _POG, _S),
        norm=2.7,
        deviation=1.8,
        source=_DOWNS,
    ),
    Measurement(
        name="L1 to A-Pog",
        kind="distance_to_line",
        landmarks=(_L1, _A, _POG, _S),
        norm=1.0,
        deviation=2.0,
        source=_RICKETTS,
    ),
    Measurement(
        name="Upper lip to Sn-Pog'",
        kind="distance_to_line",
        landmarks=(_UL, _SN, _SPOG, _S),
        norm=3.5,
        deviation=1.4,
        source=_BURSTONE,
    ),
    Measurement(
        name="Lower lip to Sn-Pog'",
        kind="distance_to_line",
        landmarks=(_LL, _SN, _SPOG, _S),
        norm=2.2,
        deviation=1.6,
        source=_BURSTONE,
    ),
    Measurement(
        name="Palatal plane-GoMe",
        kind="angle",
        landmarks=(_PNS, _ANS, _GO, _ME),
        norm=27.0,
        deviation=4.0,
        source=_EASTMAN,
    ),
)


@dataclass(frozen=True)
class MeasurementSet:
    """Measurements that belong together.

    Attributes:
        title: what a person reads.
        measurements: of landmarks of certain names.
    """

    title: str
    measurements: tuple[Measurement, ...]

    def for_landmarks(self, names: Sequence[str]) -> tuple[Measurement, ...]:
        """Those of its measurements that these landmarks allow."""
        known = set(names)
        return tuple(m for m in self.measurements if known.issuperset(m.landmarks))

    def missing_from(self, schema: LandmarkSchema) -> tuple[Measurement, ...]:
        """Those that its landmarks allow and that a schema has not, by name."""
        names = {measurement.name for measurement in schema.measurements}
        return tuple(m for m in self.for_landmarks(schema.names) if m.name not in names)


#: All sets that are ready to use.
MEASUREMENT_SETS = (MeasurementSet("Cephalometric analysis", CEPHALOMETRIC),)
