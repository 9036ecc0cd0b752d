"""Make the sample data that ships in the package from the full data folder.

Usage: python scripts/make_sample_data.py DATA_FOLDER

DATA_FOLDER holds ``idrid/`` and ``hippocampus/`` (each with ``images/`` and ``landmarks.csv``). Choice and split
are deterministic: making the data again from the same folder gives the same files. The licence and attribution files
beside the data are written by hand and left alone.
"""

import argparse
import csv
import hashlib
import math
import shutil
from collections import defaultdict
from pathlib import Path

from PIL import Image

SAMPLE = Path(__file__).resolve().parent.parent / "napari_landmarker" / "engine" / "datasets" / "sample"
FUNDUS_COUNT = 100
HIPPOCAMPUS_COUNT = 44
JPEG_QUALITY = 88
MAX_BYTES = 6_000_000
TRAIN_FRACTION, VALIDATION_FRACTION = 0.60, 0.15

Points = dict[str, dict[str, tuple[float, ...]]]


def read_points(path: Path, image_column: str, axes: tuple[str, ...]) -> Points:
    """Landmark coordinates per image and landmark name, in the order of the file."""
    points: Points = defaultdict(dict)
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            points[row[image_column]][row["landmark"]] = tuple(float(row[axis]) for axis in axes)
    return points


def evenly_spaced(names: list[str], count: int) -> list[str]:
    """``count`` names spread over the whole sorted list."""
    return [names[(2 * k + 1) * len(names) // (2 * count)] for k in range(count)]


def split_by_image(names: list[str]) -> dict[str, str]:
    """train, validation or test for every image, from a hash of its name alone."""
    shuffled = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    n_train = round(TRAIN_FRACTION * len(names))
    n_validation = round(VALIDATION_FRACTION * len(names))
    parts = ["train"] * n_train + ["validation"] * n_validation
    parts += ["test"] * (len(names) - len(parts))
    return dict(zip(shuffled, parts, strict=True))


def write_points(path: Path, points: Points, names: list[str], axes: tuple[str, ...]) -> None:
    """Write ``image, landmark, <axes>, split``, one landmark a line."""
    split = split_by_image(names)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image", "landmark", *axes, "split"])
        for name in names:
            for landmark, position in points[name].items():
                writer.writerow([name, landmark, *position, split[name]])


def is_usable(position_by_name: dict[str, tuple[float, ...]], shape: tuple[int, ...], n_landmarks: int) -> bool:
    """All landmarks are there, finite and inside an image of ``shape`` (axes in the order of the coordinates)."""
    return len(position_by_name) == n_landmarks and all(
        math.isfinite(value) and 0 <= value <= size - 1
        for position in position_by_name.values()
        for value, size in zip(position, shape, strict=True)
    )


def fresh_folder(path: Path, pattern: str) -> Path:
    """The folder, without the images of an earlier run."""
    path.mkdir(parents=True, exist_ok=True)
    for old in path.glob(pattern):
        old.unlink()
    return path


def make_fundus(source: Path, target: Path) -> None:
    """Photographs halved by exact 2x2 averaging; a pixel centre at ``x`` moves to ``(x + 0.5) / 2 - 0.5``."""
    fresh_folder(target, "*.jpg")
    points = read_points(source / "landmarks.csv", "image", ("x", "y"))
    usable = []
    for name in sorted(points):
        with Image.open(source / "images" / name) as image:
            if is_usable(points[name], image.size, 2) and image.width % 2 == image.height % 2 == 0:
                usable.append(name)
    names = evenly_spaced(usable, FUNDUS_COUNT)
    halved: Points = {}
    for name in names:
        with Image.open(source / "images" / name) as image:
            image.convert("RGB").reduce(2).save(target / name, quality=JPEG_QUALITY, optimize=True)
        halved[name] = {
            landmark: tuple((value + 0.5) / 2 - 0.5 for value in position)
            for landmark, position in points[name].items()
        }
    write_points(target / "landmarks.csv", halved, names, ("x", "y"))


def make_hippocampus(source: Path, target: Path) -> None:
    """Volumes copied unchanged; ``x, y, z`` are the stored voxel indices ``i, j, k``."""
    import nibabel

    fresh_folder(target, "*.nii.gz")
    points = read_points(source / "landmarks.csv", "file", ("i", "j", "k"))
    usable = [
        name for name in sorted(points) if is_usable(points[name], nibabel.load(source / "images" / name).shape, 5)
    ]
    names = evenly_spaced(usable, HIPPOCAMPUS_COUNT)
    for name in names:
        shutil.copyfile(source / "images" / name, target / name)
    write_points(target / "landmarks.csv", points, names, ("x", "y", "z"))


def main() -> None:
    """Make both sets and check that they stay small."""
    parser = argparse.ArgumentParser(description="Make the sample data that ships in the package.")
    parser.add_argument("data", type=Path, help="folder with idrid/ and hippocampus/")
    data = parser.parse_args().data
    make_fundus(data / "idrid", SAMPLE / "fundus")
    make_hippocampus(data / "hippocampus", SAMPLE / "hippocampus")
    size = sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file())
    if size > MAX_BYTES:
        raise SystemExit(f"The sample data takes {size / 1e6:.2f} MB, more than the {MAX_BYTES / 1e6:.0f} MB allowed.")


if __name__ == "__main__":
    main()
