"""The evaluation of a model on a split of a project: what the report, the window and the command line show.

Only what a person stands behind is truth (`LandmarkSet.truth`), and truth meets prediction by landmark name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_landmarker.engine.errors import GeometryError, LandmarkerError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.metrics.bootstrap import (
    LEVEL,
    MIN_IMAGES,
    RESAMPLES,
    SEED,
    Intervals,
    Weights,
    bootstrap_intervals,
    draw_weights,
)
from napari_landmarker.engine.metrics.case import CaseResult, CaseScore, Unit
from napari_landmarker.engine.metrics.measurements import MeasurementScore, score_measurements
from napari_landmarker.engine.metrics.points import success_rate
from napari_landmarker.engine.schema import Measurement

if TYPE_CHECKING:
    from napari_landmarker.engine.uncertainty import CoverageReport

#: Radii of the SDR where every image states its spacing: those of the cephalometric challenges.
DEFAULT_RADII_MM = (2.0, 2.5, 3.0, 4.0)
#: Radii of the SDR where a millimetre is not known.
DEFAULT_RADII_PX = (5.0, 10.0, 20.0, 40.0)


@dataclass(frozen=True)
class Summary:
    """The numbers of one landmark, or of all landmarks together.

    Attributes:
        n: true points.
        missing: images (for all landmarks: landmarks of images) without a true point, unplaced or absent;
            left out.
        missed: true points for which the model gave no point; they have no error, and fail at every radius.
        mean: mean error over ``n - missed`` points, in the evaluation's unit; None if there is no error.
        median: median error.
        std: standard deviation of these errors as a population (``ddof=0``).
        max: largest error.
        sdr: percent of the ``n`` points within each radius (``error <= radius``); None where ``n`` is 0.
        intervals: confidence intervals of mean, median and ``sdr``, by resampling the images.
    """

    n: int
    missing: int
    missed: int
    mean: float | None
    median: float | None
    std: float | None
    max: float | None
    sdr: dict[float, float | None]
    intervals: Intervals = field(default_factory=Intervals)

    @classmethod
    def of(
        cls, errors: FloatArray, missing: int, radii: Sequence[float], intervals: Intervals | None = None
    ) -> Summary:
        """Summarise the errors of true points ``(n,)``, NaN where the model gave no point."""
        measured = errors[np.isfinite(errors)]
        return cls(
            n=int(errors.size),
            missing=missing,
            missed=int(errors.size - measured.size),
            mean=float(measured.mean()) if measured.size else None,
            median=float(np.median(measured)) if measured.size else None,
            std=float(measured.std()) if measured.size else None,
            max=float(measured.max()) if measured.size else None,
            sdr={radius: success_rate(errors, radius) if errors.size else None for radius in radii},
            intervals=Intervals() if intervals is None else intervals,
        )

    def to_dict(self) -> dict[str, Any]:
        """The numbers as strict JSON; radii are keys such as ``"2.0"``."""
        numbers = {key: getattr(self, key) for key in ("n", "missing", "missed", "mean", "median", "std", "max")}
        sdr = {radius_key(radius): percent for radius, percent in self.sdr.items()}
        return {**numbers, "sdr": sdr, "intervals": self.intervals.to_dict()}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well a model does on a split.

    Attributes:
        model: name of the model.
        split: name of the split.
        unit: ``"mm"`` if every image states its spacing, else ``"px"``; of every error and radius.
        radii: radii of the SDR, ascending.
        cases: the images, in the order they were given.
        overall: all landmarks of all images together (every point weighs the same).
        landmarks: a summary for each landmark name.
        physical_scale: the images' spacing, in words.
        measurements: how well distances, angles and ratios are predicted, by name.
        coverage: how often the model's regions contain the true points; None where it promises none.
        uncovered: one sentence why, where ``coverage`` is None; empty where nobody asked.
        left_out: a sentence on images of the split that were left out, as the model had met them; else empty.
        rater: whose annotations are the truth, where the project has those of several raters; else empty.
    """

    model: str
    split: str
    unit: Unit
    radii: tuple[float, ...]
    cases: tuple[CaseScore, ...]
    overall: Summary
    landmarks: dict[str, Summary]
    physical_scale: str
    measurements: dict[str, MeasurementScore] = field(default_factory=dict)
    coverage: CoverageReport | None = None
    uncovered: str = ""
    left_out: str = ""
    rater: str = ""

    @property
    def n_images(self) -> int:
        """Number of images that were evaluated."""
        return len(self.cases)

    @property
    def ndim(self) -> int:
        """Number of spatial dimensions ``D``."""
        return self.cases[0].truth.grid.ndim

    @property
    def image_shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of the images, along each axis ``(D,)`` the fewest pixels and the most."""
        shapes = np.asarray([case.truth.grid.shape for case in self.cases])
        return tuple(map(int, shapes.min(axis=0))), tuple(map(int, shapes.max(axis=0)))

    def errors(self, name: str | None = None) -> FloatArray:
        """Errors ``(n,)`` of the true points of one landmark, or of all; NaN where there is no prediction."""
        values = [
            np.nan if error is None else error
            for case in self.cases
            for error in (case.errors.values() if name is None else case.errors_of(name))
        ]
        return np.asarray(values, dtype=np.float64)

    def worst_cases(self, count: int | None = None) -> tuple[CaseScore, ...]:
        """Images with truth, worst first: by points not found, then by largest error, then by name."""
        scored = [case for case in self.cases if case.n]
        ordered = sorted(scored, key=lambda case: (-case.missed, -(case.max or 0.0), case.case_id))
        return tuple(ordered[:count])

    def to_dict(self) -> dict[str, Any]:
        """What report.json holds: strict JSON, None where there is no number."""
        return {
            "model": self.model,
            "split": self.split,
            "unit": self.unit,
            "n_images": self.n_images,
            "physical_scale": self.physical_scale,
            "image_shapes": [list(shape) for shape in self.image_shapes],
            "radii": list(self.radii),
            "overall": self.overall.to_dict(),
            "landmarks": {name: summary.to_dict() for name, summary in self.landmarks.items()},
            "intervals": {
                "level": LEVEL,
                "method": "percentile bootstrap over images",
                "resamples": RESAMPLES,
                "seed": SEED,
                "least_images": MIN_IMAGES,
            },
            "measurements": {name: score.to_dict() for name, score in self.measurements.items()},
            "coverage": None if self.coverage is None else self.coverage.to_dict(),
            "uncovered": self.uncovered,
            "left_out": self.left_out,
            "rater": self.rater,
            "cases": [case.to_dict() | self._measured(number) for number, case in enumerate(self.cases)],
        }

    def figures(self) -> dict[str, Any]:
        """`to_dict` without what names images or persons, for a model that may be given away."""
        return {key: value for key, value in self.to_dict().items() if key not in ("cases", "rater")}

    def _measured(self, number: int) -> dict[str, Any]:
        """The measurements of one case, for report.json."""
        cases = {name: score.cases[number] for name, score in self.measurements.items()}
        return {"measurements": {name: {"true": c.true, "predicted": c.predicted} for name, c in cases.items()}}


def shapes_text(shapes: Sequence[Sequence[int]]) -> str:
    """`Evaluation.image_shapes` in words: ``356 x 536 pixels``."""
    least, most = (" x ".join(map(str, shape)) for shape in shapes)
    return f"{least} pixels" if least == most else f"{least} to {most} pixels"


def radius_key(radius: float) -> str:
    """How a radius is written as a key: ``"2.0"``, ``"2.5"``."""
    return str(float(radius))


def evaluate(
    results: Iterable[CaseResult],
    *,
    model: str,
    split: str,
    radii: Sequence[float] | None = None,
    measurements: Iterable[Measurement] = (),
) -> Evaluation:
    """Compare predictions with the truth of a split.

    Args:
        results: the images; each id once. Where a landmark may have several points in an image, predictions are
            matched with true points (`one_point_each`); one that belongs to none counts neither as right nor as wrong.
        model: name of the model; of a path, only the last part is kept, so that no report names a person's
            folders.
        split: name of the split.
        radii: radii of the SDR in the evaluation's unit; by default `DEFAULT_RADII_MM` (2, 2.5, 3 and 4 mm)
            if every image states its spacing, else `DEFAULT_RADII_PX` (5, 10, 20 and 40 px).
        measurements: distances, angles and ratios to compare as well; those of the project's schema.

    Raises:
        LandmarkerError: if there is no image or no true point in the split, an id is given twice, 2D and 3D
            are mixed, a radius is not positive, or truth and prediction of a case do not belong together.
    """
    results = tuple(results)
    _check(results, split)
    unit: Unit = "px" if any(result.truth.grid.spacing is None for result in results) else "mm"
    default = DEFAULT_RADII_MM if unit == "mm" else DEFAULT_RADII_PX
    chosen = _tidy_radii(default if radii is None else radii)
    names = tuple(dict.fromkeys(name for result in results for name in result.truth.names))
    cases = tuple(CaseScore.of(result, unit, names) for result in results)
    if not any(case.n for case in cases):
        raise LandmarkerError(
            f"No image of the '{split}' split has an annotated landmark: annotate at least one and try again."
        )
    weights = draw_weights(len(cases))
    return Evaluation(
        model=PureWindowsPath(model).name or model,
        split=str(split),
        unit=unit,
        radii=chosen,
        cases=cases,
        overall=_summarise(cases, names, chosen, weights),
        landmarks={name: _summarise(cases, (name,), chosen, weights) for name in names},
        physical_scale=_physical_scale(results),
        measurements=score_measurements(measurements, cases, unit, weights),
    )


def _check(results: tuple[CaseResult, ...], split: str) -> None:
    if not results:
        raise LandmarkerError(f"The '{split}' split holds no image: give it images, or evaluate another split.")
    seen: set[str] = set()
    for result in results:
        if result.case_id in seen:
            raise LandmarkerError(f"The case '{result.case_id}' is given twice: evaluate each image once.")
        seen.add(result.case_id)
    if len({result.truth.grid.ndim for result in results}) > 1:
        raise GeometryError(f"The '{split}' split mixes 2D and 3D images: evaluate them apart.")


def _summarise(
    cases: tuple[CaseScore, ...], names: tuple[str, ...], radii: tuple[float, ...], weights: Weights
) -> Summary:
    of_each = [(number, case.errors_of(name)) for number, case in enumerate(cases) for name in names]
    found = [(number, error) for number, errors in of_each for error in errors]
    values = np.asarray([np.nan if error is None else error for _, error in found], dtype=np.float64)
    image = np.asarray([number for number, _ in found], dtype=np.intp)
    intervals = bootstrap_intervals(values, image, radii, weights)
    return Summary.of(values, sum(not errors for _, errors in of_each), radii, intervals)


def _tidy_radii(radii: Sequence[float]) -> tuple[float, ...]:
    tidy = tuple(sorted({float(radius) for radius in radii}))
    if not tidy or not all(np.isfinite(radius) and radius > 0 for radius in tidy):
        raise LandmarkerError("The radii of a report are one or more positive numbers, such as 2, 2.5, 3 and 4.")
    return tidy


def _physical_scale(results: tuple[CaseResult, ...]) -> str:
    """The spacing of the images, in words."""
    known = [result.truth.grid.spacing for result in results if result.truth.grid.spacing is not None]
    if not known:
        return "no physical scale: pixels"
    if len(known) < len(results):
        unknown = len(results) - len(known)
        return f"no physical scale: pixels ({unknown} of {len(results)} images state no spacing)"
    spacing = np.asarray(known)
    low, high = spacing.min(axis=0), spacing.max(axis=0)
    spans = [
        f"{a:.4g}" if np.isclose(a, b, rtol=1e-3) else f"{a:.4g} to {b:.4g}" for a, b in zip(low, high, strict=True)
    ]
    element = "voxel" if spacing.shape[1] == 3 else "pixel"
    if np.allclose(spacing, spacing[:, :1], rtol=1e-3):
        return f"{spans[0]} mm per {element}"
    axes = ("z", "y", "x")[-len(spans) :]
    return ", ".join(f"{axis} {span}" for axis, span in zip(axes, spans, strict=True)) + f" mm per {element}"
