"""The cephalometric analysis: against angles from complex numbers, and cephalograms of the challenge."""

from __future__ import annotations

import cmath
import csv
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.isbi import ISBI_NAMES
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.measurement_sets import CEPHALOMETRIC, MEASUREMENT_SETS
from napari_landmarker.engine.metrics import measurements_of
from napari_landmarker.engine.schema import LandmarkSchema

TABLE = Path("../shared/data/isbi2015/landmarks.csv")
#: A head that faces right, x and y in mm, y down; S and N lie level.
HEAD = {
    "Sella": (0, 0),
    "Nasion": (70, 0),
    "Orbitale": (60, 25),
    "Porion": (-15, 25),
    "Subspinale_A": (62, 52),
    "Supramentale_B": (58, 90),
    "Pogonion": (58, 105),
    "Menton": (50, 112),
    "Gnathion": (55, 110),
    "Gonion": (-8, 75),
    "Incision_inferius": (64, 72),
    "Incision_superius": (66, 75),
    "Upper_lip": (80, 65),
    "Lower_lip": (76, 80),
    "Subnasale": (75, 55),
    "Soft_tissue_pogonion": (70, 106),
    "Posterior_nasal_spine": (15, 47),
    "Anterior_nasal_spine": (66, 47),
    "Articulare": (-12, 32),
}


def values(points: dict[str, tuple[float, float]], spacing: tuple[float, float] | None) -> dict[str, float]:
    """The measurements of points in x, y."""
    landmarks = LandmarkSet.from_points({n: (y, x) for n, (x, y) in points.items()}, Grid((200, 200), spacing))
    found = {one.measurement.name: one.value for one in measurements_of(landmarks, CEPHALOMETRIC)}
    assert None not in found.values()
    return found  # type: ignore[return-value]


def between(points: dict[str, complex], first: tuple[str, str], second: tuple[str, str]) -> float:
    """The angle between two directions, by the argument of a quotient."""
    u, v = (points[to] - points[start] for start, to in (first, second))
    return math.degrees(abs(cmath.phase(u / v)))


def test_every_measurement_is_of_the_challenge_s_landmarks_and_has_its_norm_and_source() -> None:
    assert set(HEAD) == set(ISBI_NAMES)
    schema = LandmarkSchema.from_names(ISBI_NAMES).model_copy(update={"measurements": CEPHALOMETRIC})
    assert LandmarkSchema.model_validate(schema.model_dump()).measurements == CEPHALOMETRIC
    assert all(m.norm is not None and m.deviation is not None and m.source for m in CEPHALOMETRIC)


def test_the_angles_are_those_of_the_textbook() -> None:
    found = values(HEAD, (1.0, 1.0))
    z = {name: complex(x, y) for name, (x, y) in HEAD.items()}
    n, s, po, orb, go = "Nasion", "Sella", "Porion", "Orbitale", "Gonion"
    expected = {
        "SNA": between(z, (n, s), (n, "Subspinale_A")),
        "SNB": between(z, (n, s), (n, "Supramentale_B")),
        "SN-GoGn": between(z, (s, n), (go, "Gnathion")),
        "FMA": between(z, (po, orb), (go, "Menton")),
        "Facial angle": between(z, (orb, po), (n, "Pogonion")),
        "Y-axis": between(z, (po, orb), (s, "Gnathion")),
        "Saddle angle": between(z, (s, n), (s, "Articulare")),
        "Articular angle": between(z, ("Articulare", s), ("Articulare", go)),
        "Gonial angle": between(z, (go, "Articulare"), (go, "Menton")),
        "Palatal plane-GoMe": between(z, ("Posterior_nasal_spine", "Anterior_nasal_spine"), (go, "Menton")),
        "Face height ratio": abs(z[s] - z[go]) / abs(z[n] - z["Menton"]),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name
    assert found["SNA"] == pytest.approx(math.degrees(math.atan2(52, 8)))
    assert found["ANB"] == pytest.approx(expected["SNA"] - expected["SNB"])


def test_lengths_are_above_0_in_front_of_their_line_whichever_way_the_head_faces() -> None:
    mirrored = {name: (150.0 - x, float(y)) for name, (x, y) in HEAD.items()}
    found, turned = values(HEAD, (1.0, 1.0)), values(mirrored, (1.0, 1.0))
    for name in found:
        assert turned[name] == pytest.approx(found[name]), name
    # The line A-Pog from (62, 52) to (58, 105); U1 (66, 75): the cross product over the line's length.
    assert found["U1 to A-Pog"] == pytest.approx(((66 - 62) * 53 + 4 * (75 - 52)) / math.hypot(4, 53))
    assert found["U1 to A-Pog"] > found["L1 to A-Pog"] > 0
    behind = values(HEAD | {"Upper_lip": (70, 65)}, (1.0, 1.0))
    assert behind["Upper lip to Sn-Pog'"] < 0 < found["Upper lip to Sn-Pog'"]


def test_pixels_that_are_not_square_are_measured_in_mm() -> None:
    squeezed = {name: (x / 2, float(y)) for name, (x, y) in HEAD.items()}
    found, right = values(squeezed, (1.0, 2.0)), values(HEAD, (1.0, 1.0))
    assert found == pytest.approx(right)
    assert values(squeezed, None)["SNA"] != pytest.approx(right["SNA"], abs=1.0)


def test_a_set_offers_what_the_landmarks_allow_and_the_project_has_not() -> None:
    (ready,) = MEASUREMENT_SETS
    some = LandmarkSchema.from_names(["Sella", "Nasion", "Subspinale_A", "Supramentale_B", "other"])
    assert [m.name for m in ready.missing_from(some)] == ["SNA", "SNB", "ANB"]
    with_sna = some.model_copy(update={"measurements": CEPHALOMETRIC[:1]})
    assert [m.name for m in ready.missing_from(with_sna)] == ["SNB", "ANB"]
    assert ready.missing_from(LandmarkSchema.from_names(["optic disc"])) == ()


@pytest.mark.skipif(not TABLE.is_file(), reason="the landmarks of the ISBI challenge are not here")
def test_300_cephalograms_measure_what_people_do() -> None:
    points: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    with TABLE.open(newline="") as file:
        for row in csv.DictReader(file):
            points[row["image"]][row["landmark"]] = (float(row["senior_x"]), float(row["senior_y"]))
    heads = [head for head in points.values() if set(head) == set(ISBI_NAMES)]
    assert len(heads) == 300
    found = {
        name: np.array([values(head, (0.25, 0.25))[name] for head in heads[::8]]) for name in ("SNA", "SNB", "ANB")
    }
    np.testing.assert_allclose(found["ANB"], found["SNA"] - found["SNB"])
    # The challenge's own limits of what counts as class I are 3.2 to 5.7 for ANB, and 79.4 to 83.2 for SNA.
    assert 79 < np.median(found["SNA"]) < 86
    assert 76 < np.median(found["SNB"]) < 84
    assert (found["ANB"] < 0).any()
    assert (found["ANB"] > 5.7).any()
