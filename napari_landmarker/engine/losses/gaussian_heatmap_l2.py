"""Squared differences of heatmaps whose width is learnt."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from napari_landmarker.engine.heatmap.positivity import positive
from napari_landmarker.engine.losses.base import LandmarkLoss, full_precision
from napari_landmarker.engine.losses.presence import keep, reduced_per_map, where_present


class GaussianHeatmapL2Loss(LandmarkLoss):
    """Squared difference to heatmaps of learnt widths, and a price on the widths; missing landmarks contribute nothing.

    For each landmark ``sum((heatmap - heatmap_target) ** 2) + alpha * prod_d positive(sigma_d)``. Without the price
    wide bells, which are easy to predict, would win. It is that of the width that is drawn, and not of the raw value
    behind it, so the loss is never below 0 wherever an optimiser takes the raw values. A landmark that no image of the
    batch shows adds no price either: its width is left alone.
    Source: Payer et al., Integrating spatial configuration into heatmap regression based CNNs for landmark
    localization, MedIA 2019; Thaler et al., Modeling annotation uncertainty with Gaussian heatmaps in landmark
    localization, MELBA 2021.

    Args:
        alpha: weight of the price.
        reduction: ``"mean"``: the sum over landmarks of the mean over the images that show them, as in the papers.
            ``"sum"``: over both. ``"none"``.
        spatial_dims: ``D``, if it is to be checked.
    """

    def __init__(self, alpha: float = 5.0, reduction: str = "mean", spatial_dims: int | None = None) -> None:
        super().__init__(reduction, spatial_dims)
        self.alpha = alpha

    @full_precision
    def forward(self, heatmap: Tensor, sigmas: Tensor, heatmap_target: Tensor, present: Tensor | None = None) -> Tensor:
        """The loss of the landmarks that are there.

        Args:
            heatmap: predicted, ``(B, L, *space)``, or ``(B, 1 + L, *space)`` with a channel in front, such as a
                background, which has no width.
            sigmas: raw standard deviations of the targets in pixels, ``(L, D)``: those of a `HeatmapGenerator`.
            heatmap_target: of the shape of `heatmap`; NaN where a landmark is missing.
            present: bool ``(B, L)``, see `where_present`.

        Returns:
            A scalar, 0 if every landmark is missing; for ``"none"`` ``(B, L)`` or ``(B, 1 + L)``, with 0 for what is
            missing. In float32 for half types.

        Raises:
            ValueError: if shapes do not fit.
        """
        self.check(heatmap, heatmap_target)
        there = where_present(heatmap_target, present)
        squares = functional.mse_loss(keep(heatmap, there), keep(heatmap_target, there), reduction="none")
        values = squares.flatten(2).sum(dim=-1)
        if sigmas.ndim != 2 or sigmas.shape[1] != heatmap.ndim - 2:
            raise ValueError(f"sigmas must be (L, {heatmap.ndim - 2}), not {tuple(sigmas.shape)}.")
        price = self.alpha * positive(sigmas).prod(dim=-1)
        return reduced_per_map(keep(values + of_channels(price, values), there), there, self.reduction)


def of_channels(price: Tensor, values: Tensor) -> Tensor:
    """What the widths of landmarks cost, for channels: nothing for one in front.

    Args:
        price: ``(L,)`` or ``(B, L)``.
        values: of channels, ``(B, L)`` or ``(B, 1 + L)``.

    Returns:
        ``(L,)`` or ``(1 + L,)``, or one for each image.

    Raises:
        ValueError: if there are other numbers of landmarks or images.
    """
    extra = values.shape[1] - price.shape[-1]
    if extra not in (0, 1) or price.shape[:-1] not in ((), values.shape[:1]):
        raise ValueError(
            f"The widths are those of {tuple(price.shape)} landmarks, but there are {values.shape[1]} maps."
        )
    return functional.pad(price, (extra, 0))
