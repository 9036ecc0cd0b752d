"""Gaussian blobs, drawn at a sub-pixel place and found again."""

import numpy as np


def draw_blob(shape, centre, sigma):
    """A Gaussian of peak 1 with ``sigma`` in pixels, ``(1, *shape)``."""
    out = np.ones((1,), np.float32)
    for axis, (size, place) in enumerate(zip(shape, centre, strict=True)):
        line = np.exp(-0.5 * ((np.arange(size) - place) / sigma) ** 2).astype(np.float32)
        out = out[..., None] * line.reshape((1,) * axis + (1, size))
    return out.reshape(1, *shape)


def centroid(image):
    """Centre of mass of the first channel."""
    mass = np.asarray(image[0], dtype=np.float64)
    total = mass.sum()
    return np.array(
        [
            (np.arange(size) * mass.sum(axis=tuple(a for a in range(mass.ndim) if a != axis))).sum() / total
            for axis, size in enumerate(mass.shape)
        ]
    )


def peak(image):
    """Top of a parabola fitted to the logarithm around the brightest pixel of the first channel."""
    values = np.asarray(image[0], dtype=np.float64)
    index = np.argwhere(values > 0.25 * values.max())
    heights = values[tuple(index.T)]
    offset = index - index[heights.argmax()]
    ndim = values.ndim
    pairs = [(a, b) for a in range(ndim) for b in range(a, ndim)]
    columns = [np.ones(len(index)), *offset.T, *(offset[:, a] * offset[:, b] for a, b in pairs)]
    # cubic terms take what a bend does to the flanks
    columns += [offset[:, a] * offset[:, b] * offset[:, c] for a, b in pairs for c in range(b, ndim)]
    fit = np.linalg.lstsq(np.stack(columns, 1) * heights[:, None] ** 2, np.log(heights) * heights**2, rcond=None)[0]
    slope, curve = fit[1 : 1 + ndim], np.zeros((ndim, ndim))
    for (a, b), value in zip(pairs, fit[1 + ndim :], strict=False):
        curve[a, b] += value
        curve[b, a] += value
    place = np.zeros(ndim)
    for _ in range(20):  # Newton, with the slope of the cubic terms
        cubic, bend = np.zeros(ndim), np.zeros((ndim, ndim))
        triples = [(a, b, c) for a, b in pairs for c in range(b, ndim)]
        for (a, b, c), value in zip(triples, fit[1 + ndim + len(pairs) :], strict=True):
            for first, second, third in ((a, b, c), (b, c, a), (c, a, b)):
                cubic[first] += value * place[second] * place[third]
                bend[first, second] += value * place[third]
                bend[first, third] += value * place[second]
        place = place - np.linalg.solve(curve + bend, slope + curve @ place + cubic)
    return index[heights.argmax()] + place


def centroid_in_source(image, warp):
    """Centre of mass of the first channel, taken back to the frame that a warp comes from.

    Every pixel counts with its place there and with the area it covers there, by which the centre of mass stays what
    it was however the warp bends the image.
    """
    axes = tuple(range(warp.ndim))
    bright = np.argwhere(image[0] > 1e-4 * image[0].max())
    lines = [np.arange(low, high + 1) for low, high in zip(bright.min(0), bright.max(0), strict=True)]
    places = warp.pull(np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1))
    slopes = np.stack([np.stack(np.gradient(places[..., d], axis=axes), axis=-1) for d in axes], axis=-2)
    mass = image[0][np.ix_(*lines)] * np.abs(np.linalg.det(slopes))
    return (places * mass[..., None]).sum(axis=axes) / mass.sum()
