"""Small copies of the true layouts of the benchmark sets, whose landmarks can be seen in their images.

The pixel at landmark ``l`` has the value ``LOWEST + l`` in an image that is 0 elsewhere, but for a white bar along the
first axis, so that a loader which mixes up axes, images or landmarks cannot pass.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

LOWEST = 100
#: So many first rows are white, so that the bright pixels are not taken for outliers of intensity.
BAR = 3
RAR = b"Rar!\x1a\x07\x00"
#: The images of ISBI 2015 at a fifteenth of their size.
CEPHA_SHAPE, CEPHA_MM = (160, 129), 1.5
CEPHA_PARTS = {"TrainingData": range(1, 151), "Test1Data": range(151, 301), "Test2Data": range(301, 401)}

_UNPACK = "import sys, zipfile; zipfile.ZipFile(sys.argv[-1]).extractall(sys.argv[-2])"


def install_unpacker(monkeypatch, folder: Path, script: str = _UNPACK, name: str = "unar") -> None:
    """A program, alone on the path, that takes its last words for folder and archive, and the archive for a zip."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def as_zip(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as content:
        for name, data in files.items():
            content.writestr(name, data)
    return out.getvalue()


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def marked(shape: tuple[int, ...], points: np.ndarray, background: int = 0) -> np.ndarray:
    """An image with a bright pixel at each of the points ``(L, [M,] D)``; several of one landmark look alike."""
    out = np.full(shape, background, np.uint8)
    out[:BAR] = 255
    for number, own in enumerate(points):
        for point in np.atleast_2d(own):
            if np.isfinite(point).all():
                out[tuple(point.astype(int))] = LOWEST + number
    return out


def assert_seen(image: np.ndarray, points: np.ndarray, background: int = 0) -> None:
    """Each point lies on the bright pixel of its landmark, and every bright pixel has its point.

    Args:
        image: one channel, as `marked` made it, standardised or not.
        points: ``(L, [M,] D)``, NaN where missing.
        background: as in `marked`.
    """
    image = np.asarray(image, np.float64)
    image = (image - np.median(image)) / (image.max() - np.median(image)) * (255 - background) + background
    numbers = [(n, p) for n, own in enumerate(np.asarray(points)) for p in np.atleast_2d(own) if np.isfinite(p).all()]
    assert all(np.abs(p - np.round(p)).max() < 1e-3 for _, p in numbers)
    seen = [image[tuple(np.round(p).astype(int))] for _, p in numbers]
    np.testing.assert_allclose(seen, [LOWEST + n for n, _ in numbers], atol=0.1)
    assert ((image > background + 20) & (image < 250)).sum() == len(numbers)


# ---- ISBI 2015


def cepha_points(number: int, rater: str) -> np.ndarray:
    """The landmarks ``(19, 2)``, as y and x: those of the annotators lie 2 px apart, so that their mean is whole."""
    rows = np.arange(19)
    mean = np.stack([5 + (rows * 8 + number) % 150, 5 + (rows * 37 + 3 * number) % 119], axis=1)
    return mean + {"mean": 0, "senior": (1, -1), "junior": (-1, 1)}[rater]


def make_isbi2015(root: Path) -> Path:
    """All 400 images, of which 1, 150, 151, 300, 301 and 400 show their landmarks, and four folds."""
    flat = io.BytesIO()
    Pillow.fromarray(np.zeros(CEPHA_SHAPE, np.uint8)).save(flat, format="BMP")
    for folder, numbers in CEPHA_PARTS.items():
        images = root / "RawImage" / folder
        images.mkdir(parents=True)
        for number in numbers:
            (images / f"{number:03d}.bmp").write_bytes(flat.getvalue())
        for number in (numbers[0], numbers[-1]):
            picture = marked(CEPHA_SHAPE, cepha_points(number, "mean"))
            Pillow.fromarray(picture).save(images / f"{number:03d}.bmp")
    for rater in ("senior", "junior"):
        folder = root / "AnnotationsByMD" / f"400_{rater}"
        folder.mkdir(parents=True)
        for number in range(1, 401):
            lines = [f"{x},{y}" for y, x in cepha_points(number, rater)]
            (folder / f"{number:03d}.txt").write_text("\n".join([*lines, *"12311214"]) + "\n")
    (root / "cv_payer").mkdir()
    for fold in range(4):
        numbers = np.random.default_rng(1).permutation(np.arange(1, 401))[fold::4]
        (root / f"cv_payer/{fold + 1}.txt").write_text("".join(f"{n:03d}\n" for n in numbers))
    return root


def isbi2015_archives(copy: Path, without: str = "") -> tuple[bytes, dict[str, bytes]]:
    """The archive that holds archives, but for one file, and the lists of folds."""
    files = {name: data for name, data in files_of(copy).items() if name != without}
    images = {name: data for name, data in files.items() if name.startswith("RawImage")}
    texts = {name.partition("/")[2]: data for name, data in files.items() if name.startswith("Annotations")}
    folds = {Path(name).name: data for name, data in files.items() if name.startswith("cv_payer")}
    rars = {"RawImage.rar": RAR + as_zip(images, 0), "AnnotationsByMD.rar": RAR + as_zip(texts, 0)}
    return as_zip(rars | {"EvaluationCode.rar": RAR}, 0), folds


# ---- plant centroids


def make_plants(root: Path) -> Path:
    """Two images for each field, the second with one plant less."""
    for number, field in enumerate(("G_W5", "H_W5", "I_W6", "J_W8", "K_W8", "A_W4", "B_W5", "C_W8")):
        for kind in ("label_sparse", "rgb_undistorted", "nir"):
            (root / field / kind).mkdir(parents=True)
        for index in range(2):
            points = np.array([[[4, 6 + number], [20, 9], [30, 40]][index:]])
            picture = marked((36, 48), points)
            name = f"img_{index + 9}.png"  # img_9 comes before img_10
            Pillow.fromarray(np.where((picture > 0) & (picture < 255), 255, 0).astype(np.uint8)).save(
                root / field / "label_sparse" / name
            )
            Pillow.fromarray(np.repeat(picture[..., None], 3, 2)).save(root / field / "rgb_undistorted" / name)
            Pillow.fromarray(picture // 2).save(root / field / "nir" / name)
    return root


# ---- hand X-rays


def hand_points(number: int) -> np.ndarray:
    rows = np.arange(37)
    return np.stack([3 + rows, 2 + (rows * 11 + number) % 50], axis=1)


def make_hand(root: Path, setup: bool = True) -> Path:
    """Six images of numbers 3140 to 3145."""
    (root / "images").mkdir(parents=True)
    lines = []
    for number in range(3140, 3146):
        points = hand_points(number)
        Pillow.fromarray(marked((50, 60), points)).save(root / f"images/{number}.png")
        lines.append(",".join(map(str, [number, *points[:, ::-1].ravel()])))
    (root / "setup").mkdir()
    (root / "setup/all.csv").write_text("\n".join(lines) + "\n")
    for fold in (1, 2, 3):
        folder = root / f"setup/cv/set{fold}"
        folder.mkdir(parents=True)
        test = (3138 + 2 * fold, 3139 + 2 * fold)
        (folder / "test.txt").write_text("".join(f"{n}\n" for n in test))
        (folder / "train.txt").write_text("".join(f"{n}\n" for n in range(3140, 3146) if n not in test))
    if not setup:
        shutil.rmtree(root / "setup")
    return root


# ---- MML


#: Directions of the file's axes i, j, k in LPS, as columns, and their steps in mm.
MML_AXES = {
    "straight": np.eye(3),
    "flipped": np.diag([-1.0, -1.0, 1.0]),
    "turned": np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
}
MML_SPACING = (0.4, 0.5, 1.25)


def mml_points(number: int) -> np.ndarray:
    """``(14, 3)`` voxel indices i, j, k; the fourth landmark is absent."""
    rows = np.arange(14)
    points = np.stack([1 + rows, 2 + (rows * 3 + number) % 9, BAR + (rows * 5 + number) % 11], axis=1).astype(float)
    points[3] = -1000
    return points


def make_mml(root: Path) -> Path:
    """Three volumes in the training part, which lie in three ways, and one in each of the others."""
    import SimpleITK

    parts = {"train": ("straight", "flipped", "turned"), "val": ("flipped",), "test": ("turned",)}
    for part, ways in parts.items():
        (root / part).mkdir(parents=True)
        for number, way in enumerate(ways):
            points = mml_points(number)
            placed = np.where(points > -1, points, np.nan)
            image = SimpleITK.GetImageFromArray(marked((14, 12, 16), placed[:, ::-1]))
            image.SetSpacing(MML_SPACING)
            image.SetDirection(MML_AXES[way].ravel())
            case = root / part / f"case{number}"
            SimpleITK.WriteImage(image, f"{case}_volume.nrrd")
            np.save(f"{case}_label.npy", points)
            np.save(f"{case}_spacing.npy", np.array(MML_SPACING))
    return root


# ---- EndoVis 2015

ENDO_SHAPE = (64, 80)
#: For each video, its annotated frames; the second has one instance less.
ENDO_FRAMES = (1, 4)


def endo_points(video: int, frame: int) -> dict[str, list[tuple[int, int]]]:
    """By class, the points as y and x."""
    left = [(5 + video, 7 + frame), (40, 60)]
    return {"LeftClasperPoint": left if frame == 1 else left[:1], "RightClasperPoint": [(20, 30)], "HeadPoint": []}


def _endo_video(path: Path, video: int) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = ENDO_SHAPE
        stream.pix_fmt = "bgr0"
        for number in range(1, 6):
            points = endo_points(video, number)
            rows = [points["LeftClasperPoint"], points["RightClasperPoint"]]
            picture = marked(ENDO_SHAPE, np.array([(row * 2)[:2] for row in rows], float), background=number)
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, 2), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def endo_labels(video: int, train: bool) -> list[dict]:
    name = "img_{:06d}_raw.png" if train else "img_{:04d}.png"
    content = []
    for number in range(1, 6):
        points = endo_points(video, number) if number in ENDO_FRAMES else {}
        rows = [
            {"class": kind, "id": f"tool{i + 1}", "x": float(x), "y": float(y)}
            for kind, own in points.items()
            for i, (y, x) in enumerate(own)
        ]
        path = f"/Users/someone/data/Dataset{video}/Raw/{name.format(number)}"
        content.append({"annotations": rows, "class": "image", "filename": path})
    return content


def make_endovis(root: Path) -> Path:
    """Four and six videos of five frames; frame n has the background n."""
    import json

    for part, folder, count in (("train", "Training", 4), ("test", "Testing", 6)):
        for video in range(1, count + 1):
            place = root / f"Tracking_Robotic_{folder}" / f"Dataset{video}"
            place.mkdir(parents=True)
            _endo_video(place / "Video.avi", video)
            labels = place.parent / "labels"
            labels.mkdir(exist_ok=True)
            (labels / f"{part}{video}_labels.json").write_text(json.dumps(endo_labels(video, part == "train")))
    return root


def tree(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(os.path.relpath(p, folder) for p in folder.rglob("*") if p.is_file())
