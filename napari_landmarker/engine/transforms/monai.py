"""MONAI's transforms: the image moves, and the landmarks with it, by the affine that MONAI keeps track of."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from typing import Any, cast

import numpy as np

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.transforms.base import LandmarkTransform, Moved, SampleTransform
from napari_landmarker.engine.transforms.flip import Pairs, mirror_swaps
from napari_landmarker.engine.transforms.resample import FloatImage
from napari_landmarker.engine.transforms.warp import Warp

#: Transforms that move pixels by an affine which MONAI tracks, and rightly so: each is tested with drawn blobs.
TRACKED = frozenset({
    "Affine", "RandAffine", "Flip", "RandFlip", "RandAxisFlip", "Rotate90", "RandRotate90", "Rotate",
    "RandRotate", "Zoom", "RandZoom", "Resize", "Spacing", "Orientation", "Pad", "SpatialPad", "BorderPad",
    "DivisiblePad", "SpatialCrop", "CenterSpatialCrop", "CenterScaleCrop", "RandSpatialCrop", "RandScaleCrop",
    "CropForeground", "ResizeWithPadOrCrop",
})  # fmt: skip

#: Transforms that change grey values and move nothing.
UNMOVED = frozenset({
    "RandGaussianNoise", "RandRicianNoise", "ShiftIntensity", "RandShiftIntensity", "StdShiftIntensity",
    "RandStdShiftIntensity", "ScaleIntensity", "ScaleIntensityFixedMean", "RandScaleIntensityFixedMean",
    "RandScaleIntensity", "RandBiasField", "NormalizeIntensity", "ThresholdIntensity", "ScaleIntensityRange",
    "ClipIntensityPercentiles", "AdjustContrast", "RandAdjustContrast", "ScaleIntensityRangePercentiles",
    "MaskIntensity", "SavitzkyGolaySmooth", "MedianSmooth", "GaussianSmooth", "RandGaussianSmooth",
    "GaussianSharpen", "RandGaussianSharpen", "RandHistogramShift", "HistogramNormalize", "GibbsNoise",
    "RandGibbsNoise", "KSpaceSpikeNoise", "RandKSpaceSpikeNoise", "RandCoarseDropout", "RandIntensityRemap",
    "RandSmoothFieldAdjustContrast", "RandSmoothFieldAdjustIntensity", "Identity", "CastToType", "EnsureType",
})  # fmt: skip

_CONTAINERS = frozenset({"Compose", "OneOf", "SomeOf", "RandomOrder"})
_INTERPOLATING = frozenset({"Affine", "RandAffine", "Rotate", "RandRotate", "Zoom", "RandZoom", "Resize", "Spacing"})

#: What to use instead, by a part of a name.
_CURES = {
    "Elastic": "use RandomElastic of napari_landmarker.engine.transforms",
    "Distortion": "use RandomGridDeformation of napari_landmarker.engine.transforms",
    "Deform": "use RandomGridDeformation of napari_landmarker.engine.transforms",
    "Transpose": "use Orientation or Rotate90",
    "LowResolution": "use RandGaussianSmooth",
}


class MonaiTransform(LandmarkTransform):
    """One of MONAI's transforms, or a `monai.transforms.Compose` of them, for an image with its landmarks.

    Args:
        transform: with or without dictionaries; containers are looked into.
        key: of the image, for transforms of dictionaries; other keys, as of a mask, are passed over.
        names: of the landmarks, in order; needed with ``pairs``.
        pairs: left-right pairs of landmarks, which change names with each other where the image is mirrored.

    Two things differ from MONAI. The default mode ``area`` of ``Resize`` and ``Zoom`` averages windows of unequal
    size, by which parts of the image move by up to 0.07 px: it becomes linear interpolation, after smoothing where
    ``Resize`` shrinks the image (and is not lazy). And chance comes from the generator that is handed in, not from
    MONAI's own state, so that the given transform (which is copied) is never changed.

    The image's pixels count as 1 mm, in MONAI's transforms that speak of spacing.

    Raises:
        GeometryError: for a transform that moves pixels without tracking where to, or is not known not to: it is
            named, with what to use instead.
    """

    def __init__(self, transform: object, *, key: str = "image", names: Sequence[str] = (), pairs: Pairs = ()) -> None:
        from monai.transforms.compose import Compose

        self.key, self.swaps = key, mirror_swaps(names, pairs)
        transform = list(transform) if isinstance(transform, list | tuple) else transform
        leaves = list(_leaves(transform))
        for leaf in leaves:
            _check(leaf, key)
        kinds = {_takes_dictionaries(leaf) for leaf in leaves}
        if len(kinds) > 1:
            raise GeometryError("Use either MONAI's transforms of dictionaries (with a 'd' at the end) or the others.")
        self.dictionary = kinds == {True}
        copied = copy.deepcopy(cast(Any, transform))
        whole = copied if isinstance(copied, Compose) else Compose(copied)
        for leaf in _leaves(whole) if self.dictionary else ():
            cast(Any, leaf).allow_missing_keys = True
        self._averaging = [
            leaf for leaf in _leaves(whole) if _base_name(leaf) in _INTERPOLATING and _mode(leaf, key) == "area"
        ]
        self._transform: Callable[[Any], Any] = whole
        self._lazy = whole.lazy is not False
        self._seed: Callable[[int], object] = whole.set_random_state

    def trace(self, image: FloatImage, points: FloatArray, rng: np.random.Generator) -> Moved:
        """See `LandmarkTransform`.

        Raises:
            GeometryError: if the transform lost track of where pixels went, or does not work on this image.
        """
        import torch
        from monai.data.meta_tensor import MetaTensor

        self._seed(int(rng.integers(2**32)))
        for leaf in self._averaging:
            _interpolate(leaf, image.ndim - 1, smooth=not self._lazy)
        given = MetaTensor(torch.from_numpy(np.array(image, dtype=np.float32)), affine=torch.eye(4))
        try:
            result = self._transform({self.key: given} if self.dictionary else given)
        except RuntimeError as error:
            raise GeometryError(f"MONAI failed on an image of {image.shape[1:]}: {error.__cause__ or error}") from error
        out = result[self.key] if self.dictionary else result
        ndim = image.ndim - 1
        if not isinstance(out, MetaTensor) or out.ndim != image.ndim:
            raise GeometryError("A transform of MONAI's lost track of where pixels went: take out what changes types.")
        affine = np.asarray(out.affine, dtype=np.float64)
        back = np.eye(ndim + 1)
        back[:-1, :-1], back[:-1, -1] = affine[:ndim, :ndim], affine[:ndim, -1]
        move = AffineMap(back, tuple(out.shape[1:]), image.shape[1:]).inverse
        warp = Warp.of(move, swaps=self.swaps if np.linalg.det(back[:-1, :-1]) < 0 else ())
        drawn = np.array(out.as_tensor().numpy(), dtype=np.float32)
        return Moved(drawn, warp.landmarks(points), warp)


def from_monai(
    transform: object, *, key: str = "image", names: Sequence[str] = (), pairs: Pairs = ()
) -> MonaiTransform:
    """A `SampleTransform` of one or more of MONAI's transforms; see `MonaiTransform`."""
    return MonaiTransform(transform, key=key, names=names, pairs=pairs)


def as_sample_transform(transform: object, *, names: Sequence[str] = (), pairs: Pairs = ()) -> SampleTransform | None:
    """What a dataset can call, of whatever a user gives as ``transform``.

    Args:
        transform: None, one of this package's transforms, MONAI's (see `from_monai`), a list of MONAI's, or a
            function of three arguments, which is trusted to move points as it moves pixels; see `SampleTransform`.
        names: of the landmarks, in order.
        pairs: left-right pairs of landmarks.

    Raises:
        GeometryError: for anything else, by name.
    """
    if transform is None or isinstance(transform, LandmarkTransform):
        return transform
    if callable(transform) and not _is_monai(transform) and _needs(transform) == 3:
        return transform
    return from_monai(transform, names=names, pairs=pairs)


def _needs(function: Callable[..., Any]) -> int:
    """How many arguments a function must be given; 0 where it does not say."""
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return 0
    return sum(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)


class UseOnlyFirstChannel:
    """Keep the first channel of the images ``(C, *space)`` under some keys of a dictionary.

    Args:
        keys: one or several.
        allow_missing_keys: whether to pass over a key that is not there.
    """

    def __init__(self, keys: str | Sequence[str], allow_missing_keys: bool = False) -> None:
        self.keys = (keys,) if isinstance(keys, str) else tuple(keys)
        self.allow_missing_keys = allow_missing_keys

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """A new dictionary; KeyError for a key that is not there."""
        out = dict(data)
        for key in self.keys:
            if key in out or not self.allow_missing_keys:
                out[key] = out[key][:1]
        return out


def _leaves(transform: object) -> Iterator[object]:
    """The transforms in a container, in containers of containers too."""
    inner: Sequence[object] = ()
    if isinstance(transform, list):
        inner = transform
    elif _is_monai(transform) and type(transform).__name__ in _CONTAINERS:
        inner = cast(Any, transform).transforms
    else:
        yield transform
    for one in inner:
        yield from _leaves(one)


def _is_monai(transform: object) -> bool:
    return type(transform).__module__.startswith("monai.transforms.")


def _takes_dictionaries(transform: object) -> bool:
    return hasattr(transform, "keys")


def _base_name(transform: object) -> str:
    """The name without the ``d`` of transforms of dictionaries."""
    name = type(transform).__name__
    return name.removesuffix("d") if _takes_dictionaries(transform) else name


def _check(transform: object, key: str) -> None:
    """GeometryError for a transform that landmarks cannot follow."""
    name, base = getattr(transform, "__name__", type(transform).__name__), _base_name(transform)
    if not isinstance(transform, UseOnlyFirstChannel) and not (_is_monai(transform) and base in TRACKED | UNMOVED):
        cure = next((cure for part, cure in _CURES.items() if part in name), "take it out")
        raise GeometryError(f"Landmarks cannot follow the transform '{name}', which keeps no track of pixels: {cure}.")
    keys = tuple(getattr(transform, "keys", (key,)))
    if key not in keys:
        raise GeometryError(f"The transform '{name}' is for {list(keys)}, and would leave '{key}' where it is.")
    reason = _lost(transform, key) if base in _INTERPOLATING else ""
    if reason:
        raise GeometryError(f"Landmarks cannot follow the transform '{name}' {reason}.")


def _lost(transform: object, key: str) -> str:
    """Why the affine that MONAI tracks is not where pixels went (each measured with a drawn blob), or nothing."""
    mode = _mode(transform, key)
    if "nearest" in mode or mode == "0":
        return "with mode 'nearest', which moves pixels by up to a half: interpolate linearly"
    if not getattr(getattr(transform, "affine", transform), "norm_coord", True):
        return "with normalized=True, which MONAI does not track: give the matrix in pixels"
    if getattr(getattr(transform, "spacing_transform", transform), "recompute_affine", False):
        return "with recompute_affine=True, which tracks a rounded spacing: leave it out"
    return ""


def _mode(transform: Any, key: str) -> str:
    """How a transform interpolates the image, which goes by ``key``."""
    mode = getattr(getattr(transform, "sp_resample", transform), "mode", "")
    if isinstance(mode, list | tuple):  # of transforms of dictionaries: one for each key
        mode = mode[transform.keys.index(key)]
    return str(getattr(mode, "value", mode)).lower()


def _interpolate(transform: Any, ndim: int, *, smooth: bool) -> None:
    """Linear interpolation instead of averages over windows of unequal size; ``smooth`` before, where it can be."""
    linear, several = "bilinear" if ndim == 2 else "trilinear", _takes_dictionaries(transform)
    transform.mode = (linear,) * len(transform.mode) if several else linear
    if hasattr(transform, "anti_aliasing"):
        transform.anti_aliasing = (smooth,) * len(transform.mode) if several else smooth
