"""A drawn lateral head for the pictures: no patient, but with the proportions that cephalometric norms describe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema

Floats = npt.NDArray[np.float64]
Points = dict[str, tuple[float, float]]

#: Millimetres per pixel, and of the left upper corner from the sella.
PIXEL_MM = 0.25
CORNER_MM = (-104.0, -96.0)
SIZE_MM = (218.0, 232.0)
#: The ends of the ruler that is drawn beside the face, which is 50 mm long.
RULER_MM = ((103.0, -84.0), (103.0, -34.0))
RULER_LENGTH_MM = 50.0

_GROUPS = ("Skull", "Upper jaw", "Lower jaw", "Soft tissue")
#: Name, place in mm from the sella (x forwards, y down), group, and where it lies.
_LANDMARKS = (
    ("Sella", (0.0, 0.0), 0, "Middle of the hollow of the sella turcica."),
    ("Nasion", (69.5, -8.5), 0, "Foremost point of the suture between frontal and nasal bone."),
    ("Orbitale", (55.0, 21.0), 0, "Lowest point of the rim of the orbit."),
    ("Porion", (-19.0, 21.0), 0, "Highest point of the ear canal."),
    ("Subspinale_A", (68.5, 46.5), 1, "Deepest point of the curve below the anterior nasal spine."),
    ("Supramentale_B", (63.2, 86.4), 2, "Deepest point of the curve above the chin."),
    ("Pogonion", (65.7, 101.4), 2, "Foremost point of the chin."),
    ("Menton", (58.0, 110.0), 2, "Lowest point of the chin."),
    ("Gnathion", (63.0, 107.5), 2, "Between pogonion and menton, on the outline of the chin."),
    ("Gonion", (-2.0, 78.0), 2, "Middle of the angle of the lower jaw."),
    ("Incision_inferius", (68.8, 70.0), 2, "Edge of the foremost lower incisor."),
    ("Incision_superius", (71.2, 72.0), 1, "Edge of the foremost upper incisor."),
    ("Upper_lip", (84.0, 62.0), 3, "Foremost point of the upper lip."),
    ("Lower_lip", (82.0, 77.0), 3, "Foremost point of the lower lip."),
    ("Subnasale", (80.0, 47.0), 3, "Where the nose and the upper lip meet."),
    ("Soft_tissue_pogonion", (77.0, 101.0), 3, "Foremost point of the chin's outline."),
    ("Posterior_nasal_spine", (20.0, 42.0), 1, "Rear end of the hard palate."),
    ("Anterior_nasal_spine", (73.0, 41.0), 1, "Tip of the bone below the nose."),
    ("Articulare", (-16.2, 33.3), 0, "Where the skull base crosses the rear edge of the lower jaw."),
)
_LINES = (
    ("Sella", "Nasion"),
    ("Porion", "Orbitale"),
    ("Gonion", "Menton"),
    ("Posterior_nasal_spine", "Anterior_nasal_spine"),
)
_FACE = (
    (0, -86), (40, -77), (66, -52), (77, -25), (79, -12), (77, -4), (85, 12), (98, 31), (92, 42), (80, 47), (84, 62),
    (79, 69), (82, 77), (76, 87), (77, 101), (66, 118), (42, 120), (24, 118), (22, 140), (-52, 140), (-54, 66),
    (-86, 24), (-94, -20), (-72, -66), (-35, -84),
)  # fmt: skip
_VAULT = (
    (0, -78), (38, -70), (61, -48), (70, -22), (69.5, -8.5), (40, -2), (14, -4), (6, 2), (0, 6), (-6, 2), (-16, 12),
    (-34, 30), (-60, 30), (-80, 16), (-86, -20), (-66, -60), (-32, -77),
)  # fmt: skip
_JAW = (
    (-14, 18), (-7, 24), (4, 34), (14, 24), (20, 46), (30, 74), (46, 80), (66, 80), (63.2, 86.4), (65.7, 101.4),
    (63, 107.5), (58, 110), (40, 104), (16, 90), (-2, 78), (-9, 62), (-15, 34),
)  # fmt: skip
_PALATE = ((20, 42), (48, 40), (73, 41), (68.5, 46.5), (70, 60), (60, 62), (36, 60), (26, 52))
_TEETH = (
    ((64, 50), (70, 52), (72.5, 66), (71.2, 72), (68, 66)),
    ((62, 92), (67, 90), (70.5, 76), (68.8, 70), (65, 76)),
    ((36, 56), (46, 56), (46, 70), (36, 69)),
    ((48, 56), (57, 57), (57, 70), (48, 70)),
    ((33, 71), (43, 71), (42, 86), (34, 85)),
    ((45, 72), (55, 71), (54, 87), (46, 87)),
)
_NOSE = ((69.5, -8.5), (80, 8), (78, 12), (67, 2))
_SPINE = tuple(
    ((-40 - k, 44 + 24 * k), (-18 - k, 48 + 24 * k), (-18 - k, 62 + 24 * k), (-40 - k, 60 + 24 * k)) for k in range(4)
)


def head_project(folder: Path, count: int = 3) -> Project:
    """A project of drawn heads that differ a little, the last not annotated. Nothing says how large a pixel is."""
    rng = np.random.default_rng(3)
    images = folder / "head X-rays"
    images.mkdir(parents=True)
    placed: dict[str, Points] = {}
    for number in range(count):
        change = np.eye(2) + rng.normal(0, 0.02, (2, 2))
        _draw(change, rng).save(images / f"head{number + 1:02d}.png")
        placed[f"head{number + 1:02d}"] = {
            name: tuple((change @ place - CORNER_MM) / PIXEL_MM)[::-1] for name, place, _, _ in _LANDMARKS
        }
    landmarks = [{"name": name, "group": _GROUPS[group], "description": where} for name, _, group, where in _LANDMARKS]
    schema = LandmarkSchema.parse({"landmarks": landmarks, "edges": _LINES})
    project = create_project(folder / "head study", schema, sorted(images.iterdir()))
    for case in project.cases[:-1]:
        grid = project.geometry(case.id).grid
        project.save_annotations(case.id, LandmarkSet.from_points(placed[case.id], grid, names=schema.names))
    return project


def ruler_ends() -> tuple[tuple[float, float], tuple[float, float]]:
    """The ends of the ruler in index coordinates."""
    first, last = (tuple((np.array(end) - CORNER_MM) / PIXEL_MM)[::-1] for end in RULER_MM)
    return first, last


def _draw(change: Floats, rng: np.random.Generator) -> Image.Image:
    """A head as an X-ray would show it, bone bright."""
    shape = np.round(np.array(SIZE_MM) / PIXEL_MM).astype(int)
    light = np.full(shape[::-1], 14.0)
    for outline, brightness, blur in (
        (_FACE, 52, 6), (_VAULT, 46, 5), (_JAW, 62, 4), (_PALATE, 52, 4), (_NOSE, 40, 3),
    ):  # fmt: skip
        light += _filled(outline, change, shape, blur) * brightness
    light += _outlined(_VAULT, change, shape, 12, 4) * 62 + _outlined(_JAW, change, shape, 6, 3) * 40
    light += _outlined(_circle((56, 6), 15), change, shape, 5, 3) * 34
    light += _outlined(_circle((-19, 25), 4), change, shape, 5, 2) * 60
    light += _outlined(_circle((0, -1), 6), change, shape, 6, 3) * 40
    for tooth in _TEETH:
        light += _filled(tooth, change, shape, 2) * 60
    for bone in _SPINE:
        light += _filled(bone, change, shape, 4) * 46
    light += _ruler(shape) * 150
    light += rng.normal(0, 4, light.shape)
    return Image.fromarray(light.clip(0, 255).astype(np.uint8))


def _circle(middle: tuple[float, float], radius: float) -> list[tuple[float, float]]:
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return [(middle[0] + radius * np.cos(t), middle[1] + radius * np.sin(t)) for t in turns]


def _smooth(outline: object, change: Floats) -> list[tuple[float, float]]:
    """A closed curve through points in mm, in pixels (Catmull-Rom)."""
    points = (np.asarray(outline, float) @ change.T - CORNER_MM) / PIXEL_MM
    before, after, beyond = (np.roll(points, shift, axis=0) for shift in (1, -1, -2))
    steps = np.linspace(0, 1, 12, endpoint=False)[:, None, None]
    curve = points + steps / 2 * (
        after - before
        + steps * (2 * before - 5 * points + 4 * after - beyond + steps * (3 * (points - after) + beyond - before))
    )  # fmt: skip
    return [tuple(point) for point in curve.transpose(1, 0, 2).reshape(-1, 2)]


def _filled(outline: object, change: Floats, shape: npt.NDArray[np.int_], blur: float) -> Floats:
    layer = Image.new("L", tuple(shape))
    ImageDraw.Draw(layer).polygon(_smooth(outline, change), fill=255)
    return np.asarray(layer.filter(ImageFilter.GaussianBlur(blur)), float) / 255


def _outlined(outline: object, change: Floats, shape: npt.NDArray[np.int_], width: int, blur: float) -> Floats:
    layer = Image.new("L", tuple(shape))
    curve = _smooth(outline, change)
    ImageDraw.Draw(layer).line([*curve, curve[0]], fill=255, width=width, joint="curve")
    return np.asarray(layer.filter(ImageFilter.GaussianBlur(blur)), float) / 255


def _ruler(shape: npt.NDArray[np.int_]) -> Floats:
    """A scale as cephalostats put it beside the face: a mark each 5 mm, a long one each 10 mm."""
    layer = Image.new("L", tuple(shape))
    draw = ImageDraw.Draw(layer)
    (top_y, x), (bottom_y, _) = ruler_ends()
    draw.line((x, top_y, x, bottom_y), fill=255, width=3)
    for mark in range(round(RULER_LENGTH_MM / 5) + 1):
        y = top_y + mark * 5 / PIXEL_MM
        draw.line((x, y, x - (24 if mark % 2 == 0 else 14), y), fill=255, width=3)
    return np.asarray(layer.filter(ImageFilter.GaussianBlur(0.8)), float) / 255
