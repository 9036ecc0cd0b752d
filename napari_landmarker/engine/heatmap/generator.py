"""Target heatmaps drawn around landmarks: what all distributions have in common.

Source: Payer et al., Integrating spatial configuration into heatmap regression based CNNs for landmark localization,
MedIA 2019 (learnable widths); Thaler et al., Modeling annotation uncertainty with Gaussian heatmaps in landmark
localization, MELBA 2021 (learnable covariances).
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.covariance import cholesky_root, linear_part, lower_factor
from napari_landmarker.engine.heatmap.drawing import Bells, Shape, blank, draw_products, draw_tiles, is_diagonal
from napari_landmarker.engine.heatmap.positivity import positive
from napari_landmarker.engine.heatmap.precision import full_precision
from napari_landmarker.engine.heatmap.widths import Numbers, Widths


class HeatmapGenerator(Widths, ABC):
    """Draws one map per landmark, ``h(x) = scale * profile((x - p).T inverse(S) (x - p))``.

    The base of every distribution. A subclass supplies `profile`, and nothing else is needed::

        class StudentHeatmapGenerator(HeatmapGenerator):
            def profile(self, squared_distance):
                return (1 + squared_distance / 4) ** -3

    It may also supply `reach`, which makes drawing much faster where a profile dies out, `mass`, where the integral has
    a closed form, and set `separable`.

    The covariance is ``S = R diag(positive(sigmas) ** 2) R.T``. Where maps of several instances of a landmark overlap,
    their values are added, so a map of peak 1 can exceed 1 there.

    Args:
        nb_landmarks: number of landmarks ``L``.
        sigmas: standard deviations in heatmap pixels: a number, ``(D,)`` per axis, ``(L,)`` per landmark (if ``L`` is
            not ``D``; ``(L, 1)`` always), or ``(L, D)``. Below 0.1 px they are drawn as `positive` says.
        gamma: None for maps of peak 1; a number for maps that integrate to it, so that the peak of a Gaussian is
            ``gamma / ((2 pi)^(D/2) sqrt(det S))``.
        rotation: of the principal axes, in radians. In 2D an angle or ``(L,)``, which turns the first axis (down)
            towards the second (right). In 3D a number, ``(3,)`` or ``(L, 3)``: yaw, pitch and roll about the last, the
            middle and the first axis of the array, ``R = yaw @ pitch @ roll``.
        heatmap_size: shape of the map, ``*space``, 2D or 3D.
        learnable: whether `sigmas` and `rotation` are parameters. They are leaves that an optimiser can be given, and
            the width that is used stays positive wherever it takes them. Otherwise they are buffers.
        background: put a channel in front: 1 minus the sum of all landmarks (below 0 where they overlap).
        all_points: put a channel in front: the sum of all landmarks. It takes precedence over `background`.
        continuous: draw around the sub-pixel position; else around the nearest pixel centre.
        na_zero: the map of a missing landmark is all 0; else all NaN. Where several instances of a landmark may be
            given, having none is an answer, and its map is 0 in either case. The other channels, also the one in front,
            are always what they are without it.
        covariance: instead of `sigmas` and `rotation`, see `set_covariance`.

    Attributes:
        sigmas: raw standard deviations, ``(L, D)``.
        rotation: angles in radians, ``(L,)`` in 2D and ``(L, 3)`` in 3D.

    Raises:
        ValueError: if an argument has a wrong shape, or a sigma is not positive.
    """

    separable: bool = False
    """Whether ``profile(a + b) = profile(a) * profile(b)`` and ``profile(0) = 1``: a Gaussian and nothing else."""

    def __init__(
        self,
        nb_landmarks: int,
        sigmas: Numbers = 1.0,
        gamma: float | None = None,
        rotation: Numbers = 0,
        heatmap_size: Sequence[int] = (512, 512),
        learnable: bool = False,
        background: bool = False,
        all_points: bool = False,
        continuous: bool = True,
        na_zero: bool = True,
        covariance: Numbers | None = None,
    ) -> None:
        super().__init__(nb_landmarks, heatmap_size, learnable)
        self.gamma = None if gamma is None else float(gamma)
        self.background = background
        self.all_points = all_points
        self.continuous = continuous
        self.na_zero = na_zero
        self.set_sigmas(sigmas)
        self.set_rotation(rotation)
        if covariance is not None:
            self.set_covariance(covariance)

    @abstractmethod
    def profile(self, squared_distance: Tensor) -> Tensor:
        """The radial shape: value at a squared Mahalanobis distance.

        Args:
            squared_distance: ``(x - p).T inverse(S) (x - p)``, not negative, of any shape; do not change it in place.

        Returns:
            Values of the same shape, 1 at distance 0. Its gradient must be finite everywhere, also at 0.
        """

    def reach(self, smallest: float) -> float:
        """Distance in standard deviations from which on the profile is below `smallest`; infinite where unknown."""
        return math.inf

    def mass(self) -> float:
        """Integral of the profile over the plane or the space for a unit covariance; `gamma` is a share of it.

        Raises:
            ValueError: if the integral is not finite.
        """
        from scipy.integrate import IntegrationWarning, quad

        ndim = self.spatial_dims

        def ring(radius: float) -> float:
            with torch.no_grad():
                height = float(self.profile(torch.tensor(radius * radius, dtype=torch.float64)))
            return radius ** (ndim - 1) * height

        with warnings.catch_warnings():
            warnings.simplefilter("error", IntegrationWarning)
            try:
                integral = float(quad(ring, 0, math.inf, limit=200)[0])
            except IntegrationWarning as error:
                raise ValueError("gamma needs a profile with a finite integral.") from error
        return sphere_area(ndim) * integral

    def forward(
        self, landmarks: Tensor, affine_matrix: Tensor | None = None, covariance: Tensor | None = None
    ) -> Tensor:
        """Draw the maps. Differentiable once, in the landmarks and in all that shapes the bells.

        Args:
            landmarks: index coordinates in the map, in array order: ``(B, L, D)``, ``(B, L, M, D)`` for several
                instances, or ``(B, D)`` for a single landmark. Not a number or infinite where missing; outside the map
                is fine.
            affine_matrix: how the image was turned and stretched, ``(n, n)`` or ``(B, n, n)``, in pixels and array
                order, homogeneous or not: covariances become ``A S A.T``.
            covariance: ``(D, D)``, ``(L, D, D)`` or ``(B, L, D, D)``, used in this call instead of the generator's own.

        Returns:
            ``(B, L, *space)``, or ``(B, 1 + L, *space)`` with a channel in front, of the float type of `landmarks` and
            on their device; half types are computed in float32.

        Raises:
            ValueError: if shapes do not fit or a matrix is not invertible.
        """
        points = self._points(landmarks)
        several = landmarks.ndim == 4
        with full_precision(points):
            present = torch.isfinite(points).all(dim=-1)
            out = self._draw(points, present, self._factors(points, affine_matrix, covariance))
            maps = out[:, 1:] if self._has_front else out
            if self.all_points:
                out[:, 0] = maps.sum(dim=1)
            elif self.background:
                out[:, 0] = 1 - maps.sum(dim=1)
            if not self.na_zero and not several:
                maps.masked_fill_(~present.view(*present.shape[:2], *[1] * self.spatial_dims), math.nan)
        return out.to(landmarks.dtype) if landmarks.is_floating_point() else out

    @property
    def _has_front(self) -> bool:
        """Whether a channel comes before those of the landmarks."""
        return self.all_points or self.background

    def _points(self, landmarks: Tensor) -> Tensor:
        """Landmarks as ``(B, L, M, D)`` in the float type of the computation."""
        shape, ndim = tuple(landmarks.shape), self.spatial_dims
        points = landmarks[:, None] if landmarks.ndim == 2 else landmarks
        if points.ndim not in (3, 4) or points.shape[-1] != ndim or points.shape[1] != self.nb_landmarks:
            allowed = f"(B, {self.nb_landmarks}, {ndim}) or (B, {self.nb_landmarks}, M, {ndim})"
            raise ValueError(f"landmarks must be {allowed}, not {shape}.")
        points = points if points.ndim == 4 else points[:, :, None]
        return points.to(torch.float64 if landmarks.dtype == torch.float64 else torch.float32)

    def _factors(self, points: Tensor, affine_matrix: Tensor | None, covariance: Tensor | None) -> Tensor:
        """Lower triangular factors of the covariances, ``(B, L, D, D)``, in float64 where the device knows it."""
        batch, ndim = points.shape[0], self.spatial_dims
        like = points.new_empty(0, dtype=torch.float32 if points.device.type == "mps" else torch.float64)
        whole = (batch, self.nb_landmarks, ndim, ndim)
        if covariance is None:
            root = self._root(self.sigmas.to(like), self.rotation.to(like))
        elif tuple(covariance.shape) in (whole, whole[1:], whole[2:]):
            root = cholesky_root(covariance.to(like))
        else:
            raise ValueError(f"covariance must be {whole[2:]}, {whole[1:]} or {whole}, not {tuple(covariance.shape)}.")
        if affine_matrix is not None:
            linear = linear_part(affine_matrix.to(like), ndim)
            if linear.shape[0] not in (1, batch):
                raise ValueError(f"affine_matrix must be one or {batch} matrices, not {linear.shape[0]}.")
            root = linear[:, None] @ root
        return lower_factor(root).expand(whole)

    def _draw(self, points: Tensor, present: Tensor, factors: Tensor) -> Tensor:
        """All channels, those of the landmarks filled."""
        scale = torch.ones_like(factors[..., 0, 0])
        if self.gamma is not None:
            scale = self.gamma / (self.mass() * factors.diagonal(dim1=-2, dim2=-1).prod(dim=-1))
        scale = scale.to(points.dtype)[..., None]
        centres = torch.where(present[..., None], points, torch.zeros_like(points)).clamp(-1e9, 1e9)
        bells = Bells(
            centres if self.continuous else centres.round(),
            factors.to(points.dtype),
            torch.where(present, scale, torch.zeros_like(scale)),
        )
        extra = int(self._has_front)
        own = (self.sigmas, self.rotation)
        learnt = tuple(p for p in self.parameters() if p.requires_grad and not any(p is mine for mine in own))
        needs_grad = torch.is_grad_enabled() and any(t.requires_grad for t in (*bells, *learnt))
        if self.separable and not needs_grad and points.shape[2] == 1 and is_diagonal(bells.factors):
            out = blank((points.shape[0], extra + self.nb_landmarks, *self.heatmap_size), points)
            draw_products(self.profile, bells, out[:, extra:])
            return out
        shape = Shape(self.profile, self.reach(torch.finfo(points.dtype).tiny), learnt)
        return draw_tiles(shape, bells, self.heatmap_size, extra)

    def extra_repr(self) -> str:
        """What is shown when the module is printed."""
        sigma = float(positive(self.sigmas.detach()).mean())
        return f"nb_landmarks={self.nb_landmarks}, heatmap_size={self.heatmap_size}, mean sigma={sigma:.2f}"


def sphere_area(ndim: int) -> float:
    """Circumference of the unit circle, or area of the unit sphere."""
    return 2 * math.pi if ndim == 2 else 4 * math.pi
