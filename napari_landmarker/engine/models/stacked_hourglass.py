"""Stacked hourglasses (Newell et al., Stacked hourglass networks for human pose estimation, ECCV 2016)."""

from __future__ import annotations

from torch import Tensor

from napari_landmarker.engine.models.hourglass_stage import HourglassStack


class StackedHourglass(HourglassStack):
    """Hourglasses one after the other, each of which is judged: a loss is to look at the maps of all.

    Each refines what the one before found. Two have 55.7 M parameters in 2D with 1 channel and 19 landmarks; the
    published eight, of 256 channels at all levels, have 25.1 M. The arguments are those of `HourglassStack`.
    """

    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps of each stack, ``(B, L, *ceil(space / stride))`` each, for an image ``(B, C, *space)`` of any size.

        The last ones are the answer, in training and after.
        """
        return [answer.maps for answer in self.stack_answers(image)]
