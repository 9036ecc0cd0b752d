"""What a large volume costs to predict through windows: memory at its highest, and seconds of each stage.

Usage: python benchmarks/sliding_window.py [--shape 512,512,400] [--landmarks 32] [--frame 128] [--limit-gib 6]

The volume is noise and the network small and untrained: neither changes what is kept in memory. Ends with exit code 1
if more memory was taken than the limit.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.models.configs import UNetConfig
from napari_landmarker.engine.predict.bundle import ModelInfo
from napari_landmarker.engine.predict.member import Look, Member
from napari_landmarker.engine.predict.predictor import Predictor
from napari_landmarker.engine.predict.stream import Stream
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.frame import NetworkFrame


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted to a stage."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            out = function(*args, **kwargs)
            self.seconds[stage] += time.perf_counter() - start
            return out

        return wrapped


def predictor_for(landmarks: int, frame: int) -> Predictor:
    """A small untrained network for volumes at 1 mm."""
    torch.manual_seed(0)
    config = TrainConfig(model=UNetConfig(features_3d=(8, 8, 8, 8, 8), stride_3d=1))
    info = ModelInfo(
        name="random",
        landmarks=LandmarkSchema.from_names([f"point {number}" for number in range(landmarks)]),
        ndim=3,
        channels=1,
        frame=NetworkFrame(shape=(frame,) * 3, spacing_mm=1.0, multiple=config.model.multiple(3)),
        config=config,
        n_train=0,
        n_validation=0,
        validation_error=None,
        minutes=0.0,
        steps=0,
    )
    return Predictor([Member(info, config.model.build(3, 1, landmarks))], window=True)


def peak_mib() -> float:
    """The most memory that this process has taken."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def main() -> None:
    """Predict one volume, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="512,512,400", help="voxels along x, y and z")
    parser.add_argument("--landmarks", type=int, default=32)
    parser.add_argument("--frame", type=int, default=128, help="width of the volumes that the network learnt from")
    parser.add_argument("--limit-gib", type=float, default=6.0)
    given = parser.parse_args()
    shape = tuple(int(size) for size in given.shape.split(","))[::-1]
    predictor, watch = predictor_for(given.landmarks, given.frame), Stopwatch()
    network = predictor.members[0].network
    network.forward = watch.timed("network", network.forward)  # type: ignore[method-assign]
    Look.drawn = watch.timed("drawing", Look.drawn)  # type: ignore[method-assign]
    for name in ("aggregate", "finalize"):
        setattr(Stream, name, watch.timed("decoding", getattr(Stream, name)))
    volume = np.random.default_rng(0).integers(0, 2000, shape, dtype=np.int16)
    before = peak_mib()
    start = time.perf_counter()
    prediction = predictor.predict(Image.from_array(volume, Grid(shape, (1.0, 1.0, 1.0))))
    total = time.perf_counter() - start
    peak = peak_mib()
    whole = 4 * given.landmarks * volume.size / 2**20
    print(f"volume {' x '.join(map(str, shape[::-1]))}, {given.landmarks} landmarks, {torch.get_num_threads()} threads")
    for stage, seconds in watch.seconds.items():
        print(f"  {stage:9} {seconds:8.1f} s")
    print(f"  {'all':9} {total:8.1f} s")
    print(f"memory at its highest: {peak:.0f} MiB, of which {before:.0f} MiB before (the volume and the libraries)")
    print(f"the maps as a whole would have taken {whole:.0f} MiB; {prediction.landmarks.placed.sum()} points found")
    if peak > given.limit_gib * 1024:
        raise SystemExit(f"That is more than {given.limit_gib:g} GiB.")


if __name__ == "__main__":
    main()
