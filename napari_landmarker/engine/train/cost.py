"""What a run would cost: memory and seconds of a step, estimated without building a network.

The unit is the *activation*: one number that one convolution of a network gives. A U-Net has two convolutions on its
way down and two on its way up at every level, and two at the bottom, so that a grid of ``n`` pixels in ``D`` dimensions
has ``sum_l n / 2^(D l) * f_l * (4 or 2)`` activations for ``f_l`` channels at level ``l``. Measured on the U-Net and
the refiner of this package, in 2D and 3D, from 8 to 160 channels: autograd keeps 12 to 13 bytes for each (what the
convolution gave, what the normalisation gave, and the joined input of the way up), and the time of a step in single
precision is the same for each within a factor of 1.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

#: Kept bytes of an activation, and the gradients that live at the same time.
BYTES_PER_ELEMENT = 18
#: Copies of the maps that the loss keeps: logits, their logarithms and softmax, the target, and two gradients.
MAP_COPIES = 6
#: Python, torch and Lightning.
BASE_BYTES = 700 * 2**20
#: Drawn images of a run, training and validation, are kept in memory up to here, by all processes of a machine.
KEPT_BYTES = 4 * 2**30
#: Seconds to change a pixel at random (augmentation), by the number of dimensions.
AUGMENT_S = {2: 25e-9, 3: 60e-9}
#: Seconds that a step takes however little there is to learn from.
STEP_S = 0.03


def unet_elements(features: Sequence[int], cells: float, ndim: int) -> float:
    """Activations of a U-Net on a grid of so many cells, for one image."""
    last = len(features) - 1
    return float(
        sum(cells / 2.0 ** (ndim * level) * f * (2 if level == last else 4) for level, f in enumerate(features))
    )


def step_bytes(elements: float, map_cells: float, landmarks: int) -> float:
    """Memory of a step: activations of all its images or patches, and their maps.

    Args:
        elements: activations of the step.
        map_cells: pixels of one landmark's maps, of the whole step.
        landmarks: maps beside each other, 1 for patches.
    """
    return elements * BYTES_PER_ELEMENT + map_cells * landmarks * MAP_COPIES * 4


def kept_bytes(images: int, channels: int, shape: Sequence[int], processes: int = 1) -> float:
    """Memory of the drawn images that one process keeps; 0 where they are read again each time.

    Args:
        images: of the run, training and validation.
        channels: of the images.
        shape: of the frame.
        processes: that train on one machine; each of them comes to see every training image.
    """
    whole = 4.0 * images * channels * math.prod(shape)
    return whole if processes * whole < KEPT_BYTES else 0.0


def step_seconds(elements: float, drawn_pixels: float, rate: float, ndim: int) -> float:
    """Time of a step.

    Args:
        elements: activations of the step.
        drawn_pixels: of the images that are changed at random for it.
        rate: of the machine, see `Machine.rate`.
        ndim: ``D``.
    """
    return STEP_S + elements / rate + drawn_pixels * AUGMENT_S[ndim]
