"""From an image to landmarks with scores and heatmaps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ModelError
from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.predict.bundle import ModelInfo, load_network, read_info
from napari_landmarker.engine.transforms import resample, standardise, with_channels

if TYPE_CHECKING:
    from napari_landmarker.engine.models import LandmarkNetwork


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of one image.

    Attributes:
        landmarks: the points, in index coordinates of the image, with scores in [0, 1]: the share of the heatmap's
            probability that lies around the point.
        heatmaps: float32 ``(L, *space)`` in [0, 1], each with its maximum at 1.
        to_heatmap: map from image to heatmap index coordinates.
    """

    landmarks: LandmarkSet
    heatmaps: npt.NDArray[np.float32]
    to_heatmap: AffineMap

    @property
    def names(self) -> tuple[str, ...]:
        """The landmarks, ``L`` of them."""
        return self.landmarks.names


class Predictor:
    """A loaded model. Make one with `load`."""

    def __init__(self, info: ModelInfo, network: LandmarkNetwork, device: str) -> None:
        self.info, self.device = info, device
        self._network = network.to(device)

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto") -> Predictor:
        """Load a model folder.

        Args:
            folder: the folder.
            device: a torch device, or ``"auto"`` for a GPU where there is one.

        Raises:
            ModelError: if the folder is no model, or its weights are damaged.
        """
        import torch

        info = read_info(folder)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(info, load_network(Path(folder), info), device)

    def predict(self, image: Image) -> Prediction:
        """Find the landmarks of one image.

        Raises:
            ModelError: if the image does not fit the model: other dimensions, or no spacing where one is needed.
        """
        import torch

        from napari_landmarker.engine.heatmap import decode_heatmap

        to_frame = self.info.frame.map_for(image.grid)
        array = standardise(with_channels(image.channels_first(), self.info.channels))
        drawn = torch.from_numpy(resample(array, to_frame))[None].to(self.device)
        try:
            with torch.inference_mode():
                logits = self._network(drawn).float()
                window = 2 * self.info.config.heatmap.window + 1
                decoded = decode_heatmap(logits, "local_soft_argmax", window=window, t=1.0)
                maps = torch.exp(
                    logits - logits.flatten(2).amax(dim=-1).view(*logits.shape[:2], *[1] * image.grid.ndim)
                )
        except torch.cuda.OutOfMemoryError as error:
            raise ModelError("The graphics card has too little memory for this image: predict on the CPU.") from error
        to_heatmap = to_frame.then(self._to_heatmap(to_frame.target_shape))
        points = to_heatmap.inverse.apply(decoded.points[0].cpu().numpy())
        score = decoded.score[0].cpu().numpy()
        status = np.where(
            np.isfinite(points).all(axis=-1), LandmarkStatus.PREDICTED.value, LandmarkStatus.UNPLACED.value
        )
        points, status = self._on_image(points, status, image)
        landmarks = LandmarkSet(self.info.names, points, status, image.grid, score)
        return Prediction(landmarks, maps[0].cpu().numpy(), to_heatmap)

    def landmarks(self, image: Image, source: object) -> LandmarkSet:
        """The landmarks of one image; raises as `predict`, with a message that names ``source``."""
        try:
            return self.predict(image).landmarks
        except ModelError as error:
            raise ModelError(f"{source}: {error}") from error

    def _to_heatmap(self, frame_shape: tuple[int, ...]) -> AffineMap:
        target = tuple(size // self.info.stride for size in frame_shape)
        return AffineMap.scaling(frame_shape, [1 / self.info.stride] * self.info.ndim, target, centred=False)

    def _on_image(
        self, points: npt.NDArray[np.float64], status: npt.NDArray[np.str_], image: Image
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.str_]]:
        """A point in the padding beyond the image is moved to its border."""
        inside = np.clip(points, -0.5, np.asarray(image.grid.shape) - 0.5)
        return np.where((status == LandmarkStatus.UNPLACED.value)[:, None], np.nan, inside), status
