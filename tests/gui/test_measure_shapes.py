"""What is drawn of a measurement, and the words for its value: by hand, without a window."""

from __future__ import annotations

import numpy as np
import pytest

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics import measurements_of
from napari_landmarker.engine.schema import Measurement
from napari_landmarker.gui.measure_shapes import drawing
from napari_landmarker.gui.measure_words import (
    FORMS,
    Verdict,
    explanation,
    norm_text,
    sentence,
    value_text,
    verdict,
    verdict_text,
)


def landmarks(spacing: tuple[float, ...] | None = None, **points: tuple[float, ...]) -> LandmarkSet:
    ndim = len(next(iter(points.values())))
    return LandmarkSet.from_points(points, Grid((200,) * ndim, spacing))


def measurement(kind: str, names: str, **more: object) -> Measurement:
    return Measurement(name="m", kind=kind, landmarks=tuple(names), **more)  # type: ignore[arg-type]


def ends(segments: np.ndarray) -> set[frozenset[tuple[float, ...]]]:
    """The lines as sets of their ends, rounded."""
    return {frozenset(tuple(float(v) + 0.0 for v in np.round(point, 6)) for point in segment) for segment in segments}


def test_a_distance_is_a_line_with_its_value_in_the_middle() -> None:
    drawn = drawing(measurement("distance", "ab"), landmarks(a=(0, 0), b=(10, 20)))
    assert ends(drawn.segments) == {frozenset({(0.0, 0.0), (10.0, 20.0)})}
    np.testing.assert_allclose(drawn.label, (5, 10))


@pytest.mark.parametrize("spacing", [None, (1.0, 1.0), (2.0, 0.5)])
def test_the_arc_of_an_angle_is_round_in_millimetres(spacing: tuple[float, float] | None) -> None:
    seen = landmarks(spacing, a=(10, 50), v=(50, 50), b=(50, 90))
    drawn = drawing(measurement("angle", "avb"), seen)
    scale = np.array(spacing or (1, 1))
    sides, arc = drawn.segments[:2], drawn.segments[2:]
    assert ends(sides) == {frozenset({(10.0, 50.0), (50.0, 50.0)}), frozenset({(50.0, 50.0), (50.0, 90.0)})}
    radii = np.linalg.norm((arc.reshape(-1, 2) - (50, 50)) * scale, axis=1)
    np.testing.assert_allclose(radii, radii[0])
    assert radii[0] < 40 * min(scale)
    np.testing.assert_allclose(arc[0, 0], (50 - radii[0] / scale[0], 50))
    np.testing.assert_allclose(arc[-1, 1], (50, 50 + radii[0] / scale[1]))


def test_two_angles_at_one_corner_have_arcs_of_their_own() -> None:
    seen = landmarks(a=(10, 50), v=(50, 50), b=(50, 90))
    inner, outer = (drawing(measurement("angle", "avb"), seen, ring) for ring in (0, 1))
    assert np.linalg.norm(outer.label - (50, 50)) > 1.2 * np.linalg.norm(inner.label - (50, 50))


def test_lines_that_meet_nearby_are_followed_to_where_they_do() -> None:
    seen = landmarks(a=(10, 0), b=(10, 30), c=(30, 40), d=(20, 40))
    drawn = drawing(measurement("angle", "abcd"), seen)
    lines = ends(drawn.segments)
    assert frozenset({(10.0, 30.0), (10.0, 40.0)}) in lines
    assert frozenset({(20.0, 40.0), (10.0, 40.0)}) in lines


def test_lines_that_meet_far_away_or_never_have_no_arc() -> None:
    for d in ((20, 30), (20.5, 30)):
        drawn = drawing(measurement("angle", "abcd"), landmarks(a=(10, 0), b=(10, 30), c=(20, 0), d=d))
        assert len(drawn.segments) == 2
        np.testing.assert_allclose(drawn.label, np.mean([(20, 0), d], axis=0))


def test_the_upright_to_a_line_meets_it_also_beyond_its_ends() -> None:
    seen = landmarks((1.0, 2.0), p=(5, 40), a=(0, 0), b=(0, 20))
    lines = ends(drawing(measurement("distance_to_line", "pab"), seen).segments)
    assert lines == {frozenset({(0.0, 0.0), (0.0, 40.0)}), frozenset({(5.0, 40.0), (0.0, 40.0)})}


def test_an_angle_in_space_lies_in_its_plane() -> None:
    seen = landmarks((5.0, 1.0, 1.0), a=(2, 0, 0), v=(0, 0, 0), b=(0, 10, 10))
    drawn = drawing(measurement("angle", "avb"), seen)
    mm = drawn.segments.reshape(-1, 3) * (5, 1, 1)
    np.testing.assert_allclose(mm[:, 1], mm[:, 2], atol=1e-9)
    arc = mm[4:]
    np.testing.assert_allclose(np.linalg.norm(arc, axis=1), np.linalg.norm(arc[0]))


def test_all_kinds_are_drawn_and_none_without_its_points() -> None:
    rng = np.random.default_rng(0)
    for ndim in (2, 3):
        seen = landmarks(None, **{name: tuple(rng.uniform(0, 100, ndim)) for name in "abcd"})
        for form in FORMS:
            wanted = measurement(form.kind, "abcd"[: len(form.roles)])
            drawn = drawing(wanted, seen)
            assert np.isfinite(drawn.segments).all()
            assert drawn.segments.shape[1:] == (2, ndim)
            assert np.isfinite(drawn.label).all()
            assert drawing(wanted, seen.without_point("b")) is None
            assert drawing(wanted, seen.reordered("a")) is None


def test_points_in_the_same_place_are_no_error() -> None:
    seen = landmarks(**dict.fromkeys("abcd", (5.0, 5.0)))
    for form in FORMS:
        assert np.isfinite(drawing(measurement(form.kind, "abcd"[: len(form.roles)]), seen).segments).all()


# ---- words


@pytest.mark.parametrize(
    ("spacing", "norm", "deviation", "said", "words"),
    [
        ((1.0, 1.0), 19.5, 1.0, Verdict.USUAL, "+0.5 usual"),
        ((1.0, 1.0), 18.5, 1.0, Verdict.OFF, "+1.5 high"),
        ((1.0, 1.0), 30.0, 2.0, Verdict.FAR, "−5.0 very low"),
        ((1.0, 1.0), 20.0, None, Verdict.UNKNOWN, ""),
        (None, 20.0, 1.0, Verdict.UNKNOWN, ""),
    ],
)
def test_how_far_from_the_norm_is_said_in_words(
    spacing: tuple[float, float] | None, norm: float, deviation: float | None, said: Verdict, words: str
) -> None:
    seen = landmarks(spacing, a=(0, 0), b=(0, 20))
    (one,) = measurements_of(seen, [measurement("distance", "ab", norm=norm, deviation=deviation)])
    assert (verdict(one), verdict_text(one)) == (said, words)


def test_values_have_their_unit_and_no_value_is_a_dash() -> None:
    seen = landmarks((1.0, 1.0), a=(0, 0), b=(0, 20), c=(10, 0), d=(-1, 9))
    kinds = {"distance": "ab", "angle": "bac", "ratio": "acab", "distance_to_line": "dabc"}
    texts = {kind: value_text(measurements_of(seen, [measurement(kind, names)])[0]) for kind, names in kinds.items()}
    assert texts == {"distance": "20.0 mm", "angle": "90.0°", "ratio": "0.500", "distance_to_line": "1.0 mm"}
    (gone,) = measurements_of(seen.without_point("b"), [measurement("distance", "ab")])
    assert value_text(gone) == "–"
    assert "b has no place" in explanation(gone)


def test_a_norm_has_its_unit() -> None:
    assert norm_text(measurement("distance", "ab", norm=2.7, deviation=1.8)) == "2.7 ± 1.8 mm"
    assert norm_text(measurement("angle", "abc", norm=-4.5)) == "−4.5°"
    assert norm_text(measurement("ratio", "abcd", norm=0.635, deviation=0.015)) == "0.635 ± 0.015"
    assert norm_text(measurement("distance", "ab")) == ""


def test_px_and_square_pixels_are_explained() -> None:
    (one,) = measurements_of(landmarks(a=(0, 0), b=(0, 20)), [measurement("distance", "ab", norm=5, deviation=1)])
    assert "cannot be compared with the norm of 5.0 ± 1.0 mm" in explanation(one)
    assert "taken as square" in explanation(one)


def test_every_form_says_what_it_measures() -> None:
    for form in FORMS:
        names = "abcd"[: len(form.roles)]
        assert all(name in sentence(measurement(form.kind, names)) for name in names)
