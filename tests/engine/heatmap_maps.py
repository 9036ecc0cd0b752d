"""Maps with a known answer for tests of decoders."""

import math

import numpy as np
import torch

SPACES = [(64, 64), (32, 32, 32)]


def grid_of(space):
    """Index coordinates of all pixels, float64 ``(*space, D)``."""
    return np.moveaxis(np.indices(space), 0, -1).astype(np.float64)


def gaussian_map(points, space, covariance, peak=1.0, dtype=torch.float32):
    """One Gaussian per point ``(L, D)``; `covariance` is a variance or ``(D, D)``; gives ``(1, L, *space)``."""
    precision = np.linalg.inv(np.eye(len(space)) * covariance if np.isscalar(covariance) else covariance)
    maps = []
    for point in np.asarray(points, np.float64):
        away = grid_of(space) - point
        maps.append(peak * np.exp(-0.5 * np.einsum("...i,ij,...j->...", away, precision, away)))
    return torch.from_numpy(np.stack(maps))[None].to(dtype)


def turned_covariance(ndim, seed, low=0.7, high=6.0):
    """A covariance with random axes and standard deviations between `low` and `high` pixels."""
    rng = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    return axes @ np.diag(rng.uniform(low, high, ndim) ** 2) @ axes.T


def activate(values, activation, t=1.0):
    """Weights by the definition, in float64."""
    values = np.asarray(values, np.float64)
    return {
        None: lambda: values,
        "softmax": lambda: np.exp(t * values),
        "sigmoid": lambda: 1 / (1 + np.exp(-values)),
        "ReLU": lambda: np.maximum(values, 0),
    }[activation]()


def loop_moments(weight, about=None):
    """Mean, covariance and sum of squared shares by a loop over all pixels."""
    total = weight.sum()
    ndim = weight.ndim
    mean = np.zeros(ndim)
    for place in np.ndindex(weight.shape):
        mean += weight[place] / total * np.array(place)
    centre = mean if about is None else np.asarray(about)
    second, squares = np.zeros((ndim, ndim)), 0.0
    for place in np.ndindex(weight.shape):
        away = np.array(place) - centre
        second += weight[place] / total * np.outer(away, away)
        squares += (weight[place] / total) ** 2
    return mean, second / (1 - squares)


def integral_peak(integral, covariance):
    """Peak of a Gaussian of that integral."""
    ndim = len(covariance)
    return integral / math.sqrt((2 * math.pi) ** ndim * np.linalg.det(covariance))
