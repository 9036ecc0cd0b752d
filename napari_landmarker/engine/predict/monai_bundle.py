"""The parts of a model folder's ``configs/inference.json`` that are ours; MONAI's ``monai.bundle run`` joins them.

They give what `Predictor` gives for the images of a folder, with MONAI's Compose, Dataset, DataLoader and inferers.
This program itself never reads that file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.transforms.transform import Transform
from torch import Tensor

from napari_landmarker.engine.errors import AnnotationError, ImageError
from napari_landmarker.engine.io import find_images, image_stem, read_image, read_landmarks, write_landmarks
from napari_landmarker.engine.models import CascadeAnswer, LandmarkNetwork
from napari_landmarker.engine.predict.bundle import ModelInfo, read_info
from napari_landmarker.engine.predict.member import Member, Picture
from napari_landmarker.engine.predict.predictor import Predictor
from napari_landmarker.engine.transforms import resample

logger = logging.getLogger(__name__)

#: One image on its way: ``path``, ``source``, ``image``, then ``pred``, then ``landmarks``, then ``saved``.
Item = dict[str, Any]


def image_files(folder: Path | str) -> list[Item]:
    """The images of a folder and its subfolders, ``{"path": file}`` each.

    Raises:
        ImageError: if there is none, or two have one name, by which their annotation files are called.
    """
    paths = find_images(folder)
    names = [image_stem(path) for path in paths]
    twice = next((path for path, name in zip(paths, names, strict=True) if names.count(name) > 1), None)
    if twice is not None:
        raise ImageError(f"{twice} has the same name as another image: predict these in two runs.")
    return [{"path": str(path)} for path in paths]


def collate(items: Sequence[Item]) -> Item:
    """A batch: tensors of one name stacked, anything else in lists."""
    batch: Item = {key: [item[key] for item in items] for key in items[0]}
    return {key: torch.stack(values) if isinstance(values[0], Tensor) else values for key, values in batch.items()}


class DrawInFrame(Transform):
    """Reads the image at ``path`` and draws it for the network: adds ``source`` and ``image``, ``(C, *space)``.

    Args:
        model: the model folder.
    """

    def __init__(self, model: Path | str) -> None:
        self.info = read_info(model)

    def __call__(self, data: Item) -> Item:
        """The item with two more entries; ImageError or ModelError for an image that does not fit."""
        image = read_image(data["path"])
        drawn = resample(Picture(image).array(self.info.channels), self.info.frame.map_for(image.grid))
        return {**data, "source": image, "image": torch.from_numpy(drawn)}


class FindLandmarks(Transform):
    """Reads points from what the network answered, ``pred``, as `Predictor` does: adds ``landmarks``.

    Args:
        model: the model folder.
        network: the one that answered; of a cascade, the second stage is asked once more.
    """

    def __init__(self, model: Path | str, network: LandmarkNetwork) -> None:
        self.info, self.network = read_info(model), network

    def __call__(self, data: Item) -> Item:
        """The item with one more entry, a `LandmarkSet`."""
        device = str(next(self.network.parameters()).device)
        member = _Answered(self.info, self.network, device, data["pred"])
        prediction = Predictor([member], window=False).predict(data["source"])
        return {**data, "landmarks": prediction.landmarks}


class SaveLandmarks(Transform):
    """Writes ``landmarks`` as labelme (2D) or 3D Slicer (3D) does: adds ``saved``, the path of the file.

    Args:
        output_dir: folder for the files; it is made where there is none.
    """

    def __init__(self, output_dir: Path | str) -> None:
        self.output_dir = Path(output_dir)

    def __call__(self, data: Item) -> Item:
        """The item with one more entry; AnnotationError where a file holds what a person placed."""
        landmarks, path = data["landmarks"], Path(data["path"])
        ending = ".json" if landmarks.grid.ndim == 2 else ".mrk.json"
        target = self.output_dir / f"{image_stem(path)}{ending}"
        if target.exists() and read_landmarks(target, landmarks.grid, image_name=path.name).by_person.any():
            raise AnnotationError(f"{target} holds landmarks placed by a person: choose another folder.")
        write_landmarks(landmarks, target, path)
        return {**data, "saved": str(target)}


class LandmarkEvaluator:
    """Takes every batch through the network and every image of it through what comes after.

    It does what MONAI's ``SupervisedEvaluator`` does with the same arguments, without ignite, and for networks that
    answer with more than one tensor.

    Args:
        device: of the network.
        val_data_loader: batches as of `collate`.
        network: on that device.
        inferer: one of MONAI's.
        postprocessing: called with each image's item, ``pred`` in it.
    """

    def __init__(
        self,
        device: torch.device | str,
        val_data_loader: Iterable[Item],
        network: LandmarkNetwork,
        inferer: Callable[[Tensor, LandmarkNetwork], Any],
        postprocessing: Callable[[Item], Item],
    ) -> None:
        self.device, self.loader, self.network = device, val_data_loader, network
        self.inferer, self.postprocessing = inferer, postprocessing

    def run(self) -> None:
        """Predict all images."""
        self.network.eval()
        for batch in self.loader:
            with torch.inference_mode():
                answer = self.inferer(batch["image"].to(self.device), self.network)
                for row in range(len(batch["image"])):
                    item = {key: values[row] for key, values in batch.items()}
                    done = self.postprocessing({**item, "pred": _of_one(answer, row)})
                    logger.info("%s: %d landmarks", done["path"], int(done["landmarks"].placed.sum()))


class _Answered(Member):
    """A network that has answered for the only image it will be asked about."""

    def __init__(self, info: ModelInfo, network: LandmarkNetwork, device: str, answer: Any) -> None:
        super().__init__(info, network, device)
        self._answer = answer.maps if isinstance(answer, CascadeAnswer) else answer

    def answer(self, drawn: Tensor) -> Any:
        """As of `Member`."""
        return self._answer


def _of_one(answer: Any, row: int) -> Any:
    """What a network answered for one image of a batch, as a batch of one."""
    if isinstance(answer, Tensor):
        return answer[row : row + 1]
    parts = [_of_one(part, row) for part in answer]
    return CascadeAnswer(*parts) if isinstance(answer, CascadeAnswer) else type(answer)(parts)
