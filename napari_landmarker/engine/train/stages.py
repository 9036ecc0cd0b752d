"""What a run trains, one after the other: a whole network, or the two stages of a cascade."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, cast

import torch
from torch import Tensor, nn

from napari_landmarker.engine.heatmap.configs import GaussianTargetConfig
from napari_landmarker.engine.losses.configs import CrossEntropyConfig
from napari_landmarker.engine.models import CascadeNet, LandmarkNetwork
from napari_landmarker.engine.models.configs import CascadeConfig, ModelConfig, UNetConfig
from napari_landmarker.engine.predict.reading import read_answer
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.frame import NetworkFrame
from napari_landmarker.engine.train.objective import Objective


class Stage(nn.Module, ABC):
    """A part of a run, with the network that it trains and what that is to learn.

    Args:
        network: what is trained; its parameters that want no gradient stay as they are.
        objective: the loss, with parameters of its own.
        frame: in which images are drawn for it.

    Attributes:
        name: for people.
        end: share of the run at which it ends.
        batch_size: images of a step.
        learning_rate: the largest.
        ema: decay of the running average of the weights.
    """

    name: str = "network"
    end: float = 1.0

    def __init__(
        self,
        network: LandmarkNetwork,
        objective: Objective,
        frame: NetworkFrame,
        batch_size: int,
        learning_rate: float,
        ema: float,
    ) -> None:
        super().__init__()
        self.network, self.objective, self.frame = network, objective, frame
        self.batch_size, self.learning_rate, self.ema = batch_size, learning_rate, ema

    def begin(self) -> None:
        """It is this stage's turn."""

    @property
    @abstractmethod
    def model(self) -> ModelConfig:
        """The configuration of its network."""

    @abstractmethod
    def loss(self, network: nn.Module, image: Tensor, landmark: Tensor) -> Tensor:
        """The loss of a batch: images ``(B, C, *space)`` and points ``(B, L, [M,] D)``, NaN where missing."""

    @abstractmethod
    def judge(self, network: nn.Module, image: Tensor, landmark: Tensor) -> tuple[Tensor, Any]:
        """The loss of a batch of validation images, and what the network answers for them."""

    @abstractmethod
    def points(self, answer: Any) -> Tensor:
        """Points ``(B, L, D)`` of what `judge` answered, index coordinates of the frame."""


class WholeStage(Stage):
    """A network that sees whole images."""

    def __init__(self, network: LandmarkNetwork, config: TrainConfig, frame: NetworkFrame, landmarks: int) -> None:
        self.config, self.stride = config, network.stride if config.model.answer != "points" else 1
        maps = tuple(-(-size // self.stride) for size in frame.shape)
        objective = Objective(config, landmarks, maps, self.stride)
        options, flat = config.optimiser, len(frame.shape) == 2
        size = options.batch_size_2d if flat else options.batch_size_3d
        super().__init__(network, objective, frame, size, options.learning_rate, options.ema)

    @property
    def model(self) -> ModelConfig:
        """The network's configuration."""
        return self.config.model

    def loss(self, network: nn.Module, image: Tensor, landmark: Tensor) -> Tensor:
        """See `Stage`."""
        loss: Tensor = self.objective(network(image), landmark)
        return loss

    def judge(self, network: nn.Module, image: Tensor, landmark: Tensor) -> tuple[Tensor, Any]:
        """See `Stage`."""
        answer = network(image)
        return self.objective(answer, landmark), answer

    def points(self, answer: Any) -> Tensor:
        """See `Stage`."""
        return read_answer(answer, self.config, self.stride).points


class CoarseStage(WholeStage):
    """The first stage of a cascade, on images that are drawn as coarsely as it sees them."""

    name = "first stage"

    def __init__(self, cascade: CascadeNet, config: TrainConfig, frame: NetworkFrame, landmarks: int) -> None:
        model = cast(CascadeConfig, config.model)
        coarse = frame.coarser(cascade.downsample)
        super().__init__(cascade.coarse, config.changed(model=model.coarse), coarse, landmarks)
        self.end = 1.0 - config.refine.share


class RefineStage(Stage):
    """The second stage of a cascade, on patches around points that are wrong by as much as the first stage's."""

    name = "second stage"

    def __init__(self, cascade: CascadeNet, config: TrainConfig, frame: NetworkFrame, landmarks: int) -> None:
        self.config, self.options = config, config.refine
        stride = cascade.refiner.stride
        maps = tuple(size // stride for size in cascade.patch_size)
        learns = config.changed(
            model=UNetConfig(),
            target=GaussianTargetConfig(sigma=self.options.sigma),
            loss=CrossEntropyConfig(distance_weight=self.options.distance_weight),
        )
        flat = len(frame.shape) == 2
        size = self.options.batch_size_2d if flat else self.options.batch_size_3d
        objective = Objective(learns, landmarks, maps, stride)
        super().__init__(cascade, objective, frame, size, self.options.learning_rate, self.options.ema)

    @property
    def model(self) -> ModelConfig:
        """See `Stage`."""
        return self.config.model

    def begin(self) -> None:
        """The first stage stays as it is."""
        cast(CascadeNet, self.network).coarse.requires_grad_(False)

    def train(self, mode: bool = True) -> RefineStage:
        """The first stage is never trained here: its dropout stays off."""
        super().train(mode)
        cast(CascadeNet, self.network).coarse.eval()
        return self

    def loss(self, network: nn.Module, image: Tensor, landmark: Tensor) -> Tensor:
        """See `Stage`."""
        cascade = cast(CascadeNet, network)
        maps, corners = cascade.refine(image, landmark + self._jitter(cascade, landmark))
        return self._loss(maps, corners, landmark)

    def judge(self, network: nn.Module, image: Tensor, landmark: Tensor) -> tuple[Tensor, Any]:
        """See `Stage`."""
        answer = network(image)
        return self._loss(answer.patch_maps, answer.corners, landmark), answer

    def points(self, answer: Any) -> Tensor:
        """See `Stage`."""
        points: Tensor = answer.points
        return points

    def _loss(self, maps: Tensor, corners: Tensor, landmark: Tensor) -> Tensor:
        """A landmark beyond its patch counts as missing."""
        within = landmark - corners
        size = torch.tensor(maps.shape[2:], device=maps.device) * cast(CascadeNet, self.network).refiner.stride
        inside = ((within >= -0.5) & (within <= size - 0.5)).all(dim=-1, keepdim=True)
        loss: Tensor = self.objective(maps, torch.where(inside, within, torch.nan))
        return loss

    def _jitter(self, cascade: CascadeNet, landmark: Tensor) -> Tensor:
        """How far each patch lies from its landmark, frame pixels: near most times, and anywhere within at others."""
        size = torch.tensor(cascade.patch_size, dtype=landmark.dtype, device=landmark.device)
        near = torch.randn_like(landmark).clamp(-3, 3) * self.options.jitter
        far = (2 * torch.rand_like(landmark) - 1) * self.options.far
        anywhere = torch.rand(landmark.shape[:-1], device=landmark.device)[..., None] < self.options.far_share
        return torch.where(anywhere, far, near) * size


def stages_of(network: LandmarkNetwork, config: TrainConfig, frame: NetworkFrame, landmarks: int) -> list[Stage]:
    """The stages of a run, in order."""
    if isinstance(network, CascadeNet):
        return [
            CoarseStage(network, config, frame, landmarks),
            RefineStage(network, config, frame, landmarks),
        ]
    return [WholeStage(network, config, frame, landmarks)]
