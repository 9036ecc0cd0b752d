"""Grey values: one scale for all images."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.transforms.base import IntensityTransform
from napari_landmarker.engine.transforms.resample import FloatImage

#: Weights of red, green and blue in what a person sees as brightness (ITU-R BT.601).
LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def standardise(array: FloatImage) -> FloatImage:
    """Clip to the 1st and 99th percentile, then mean 0 and standard deviation 1 over the whole image ``(C, *space)``.

    Where both percentiles are one value, as of a few bright marks on black, nothing is clipped. A flat image becomes
    all zero; values that are not finite take the median.
    """
    sample = array.ravel()
    sample = sample[:: max(1, sample.size // 1_000_000)]
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return np.zeros_like(array)
    low, middle, high = (float(value) for value in np.percentile(sample, (1, 50, 99)))
    if low == high:
        finite = np.isfinite(array)
        low, high = (float(end(array, where=finite, initial=middle)) for end in (np.min, np.max))
    out = np.nan_to_num(array, nan=middle, posinf=high, neginf=low)
    np.clip(out, low, high, out=out)
    for _ in range(2):  # the second time for what the first leaves of a mean that is large beside the spread
        out -= np.float32(out.mean(dtype=np.float64))
    flat = out.reshape(-1)
    spread = np.sqrt(np.einsum("i,i->", flat, flat, dtype=np.float64) / flat.size)
    return out if spread == 0 else np.divide(out, np.float32(spread), out=out)


def with_channels(array: FloatImage, channels: int) -> FloatImage:
    """``(C, *space)`` with as many channels as a network wants: colour to luminance, grey to several alike.

    Raises:
        GeometryError: for any other change.
    """
    if array.shape[0] == channels:
        return array
    if array.shape[0] == len(LUMINANCE) and channels == 1:
        return np.asarray(np.tensordot(LUMINANCE, array, axes=1)[None], dtype=np.float32)
    if array.shape[0] != 1:
        raise GeometryError(f"An image of {array.shape[0]} channels cannot become one of {channels}: choose a channel.")
    return np.repeat(array, channels, axis=0)


class RandomIntensity(IntensityTransform):
    """Gamma, contrast, brightness, blur and noise of a standardised image, which stays about standardised."""

    log_gamma: float = Field(0.5, ge=0, le=2, title="Gamma")
    log_contrast: float = Field(0.35, ge=0, le=2, title="Contrast")
    brightness: float = Field(0.25, ge=0, le=2, title="Brightness", description="In standard deviations.")
    noise: float = Field(0.08, ge=0, le=2, title="Noise", description="In standard deviations.")
    blur: float = Field(0.0, ge=0, le=3, title="Blur", description="Largest width of the blur, pixels.")

    def recolour(self, image: FloatImage, rng: np.random.Generator) -> FloatImage:
        """See `IntensityTransform`."""
        low, high = float(image.min()), float(image.max())
        out = image - np.float32(low)
        if high > low and self.log_gamma:
            # (x / r) ** g * r, in one go over the pixels and one number
            gamma = np.exp(rng.uniform(-self.log_gamma, self.log_gamma))
            np.power(out, np.float32(gamma), out=out)
            out *= np.float32((high - low) ** (1 - gamma))
        contrast = np.exp(rng.uniform(-self.log_contrast, self.log_contrast))
        out *= np.float32(contrast)
        out += np.float32(low * contrast + rng.uniform(-self.brightness, self.brightness))
        if self.blur:
            blur(out, rng.uniform(0, self.blur))
        if self.noise:
            noise = rng.standard_normal(image.shape, dtype=np.float32)
            noise *= np.float32(rng.uniform(0, self.noise))
            out += noise
        return out


def blur(image: FloatImage, sigma_px: float) -> None:
    """Blur an image ``(C, *space)`` in its place, its border continued.

    Each pass mixes every pixel with its two neighbours along each axis, so that ``n`` passes of weight ``w`` have the
    standard deviation ``sqrt(2 n w)``: a Gaussian for what a random blur is for, and many times faster than one.
    """
    passes = int(np.ceil(2 * sigma_px**2))  # of a weight of at most a quarter, which never overshoots
    for _ in range(passes):
        weight = np.float32(sigma_px**2 / (2 * passes))
        for axis in range(1, image.ndim):
            steps = np.diff(image, axis=axis)
            steps *= weight
            line = np.moveaxis(image, axis, 0)
            step = np.moveaxis(steps, axis, 0)
            line[:-1] += step
            line[1:] -= step
