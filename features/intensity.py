"""First-order statistics of grey values: moments, percentiles, entropy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base import GreyImages, ImageDescriptor
from features.compiled import compiled

PERCENTILES = (5, 25, 50, 75, 95)
STATISTICS = ("mean", "std", "skewness", "kurtosis", *[f"p{p:02d}" for p in PERCENTILES], "entropy")
_WORDS = {
    "mean": "mean grey value", "std": "standard deviation of grey values",
    "skewness": "skewness of grey values", "kurtosis": "kurtosis of grey values",
    **{f"p{p:02d}": f"{p}th percentile of grey values" for p in PERCENTILES},
    "entropy": "entropy of grey values",
}  # fmt: skip


def grey_statistics(grey: GreyImages) -> NDArray[np.float64]:
    """Compute the statistics of one set of grey values, in the order of ``STATISTICS``.

    Parameters
    ----------
    grey : ndarray of any shape, uint8

    Returns
    -------
    ndarray of shape (10,)
        Mean, standard deviation and percentiles in grey levels; skewness and excess kurtosis
        (0 for constant values); Shannon entropy of the 256-bin histogram in bits.

    Examples
    --------
    >>> grey_statistics(np.array([0, 0, 2, 2], np.uint8)).tolist()
    [1.0, 1.0, 0.0, -2.0, 0.0, 0.0, 1.0, 2.0, 2.0, 1.0]
    """
    statistics = np.empty(len(STATISTICS), np.float64)
    _statistics(np.bincount(grey.ravel(), minlength=256), statistics)
    return statistics


@compiled
def _order_statistic(counts: NDArray[np.int64], rank: int) -> int:
    """Grey value of the pixel that has ``rank`` pixels before it in ascending order."""
    value, below = 0, counts[0]
    while below <= rank and value < 255:
        value += 1
        below += counts[value]
    return value


@compiled
def _statistics(counts: NDArray[np.int64], out: NDArray[np.floating]) -> None:
    """Write the statistics of the pixels that a histogram counts."""
    pixels, total = np.int64(0), np.int64(0)
    for value in range(256):
        pixels += counts[value]
        total += counts[value] * value
    mean = total / pixels
    square = cube = fourth = entropy = 0.0
    for value in range(256):
        if counts[value]:
            p, centred = counts[value] / pixels, value - mean
            square += p * centred**2
            cube += p * centred**3
            fourth += p * centred**4
            entropy -= p * np.log2(p)
    std = np.sqrt(square)
    out[0], out[1] = mean, std
    out[2], out[3] = (cube / std**3, fourth / square**2 - 3) if std > 0 else (0.0, 0.0)
    for k in range(len(PERCENTILES)):
        # Interpolated as by np.percentile, from the nearer neighbour.
        place = (pixels - 1) * (PERCENTILES[k] / 100)
        rank = int(place)
        low, high = _order_statistic(counts, rank), _order_statistic(counts, rank + 1)
        t = place - rank
        out[4 + k] = low + (high - low) * t if t < 0.5 else high - (high - low) * (1 - t)
    out[4 + len(PERCENTILES)] = max(entropy, 0.0)


@compiled
def _describe(images: GreyImages, grid: int, out: NDArray[np.float32]) -> None:
    height, width = images.shape[1:]
    counts = np.empty((grid, 256), np.int64)
    whole = np.empty(256, np.int64)
    n_statistics = len(PERCENTILES) + 5
    for n in range(images.shape[0]):
        whole[:] = 0
        for i in range(grid):
            counts[:] = 0
            for row in range(height * i // grid, height * (i + 1) // grid):
                line = images[n, row]
                for j in range(grid):
                    count = counts[j]
                    for c in range(width * j // grid, width * (j + 1) // grid):
                        count[line[c]] += 1
            for j in range(grid):
                start = (1 + i * grid + j) * n_statistics
                _statistics(counts[j], out[n, start : start + n_statistics])
                whole += counts[j]
        _statistics(whole, out[n, :n_statistics])


class Intensity(ImageDescriptor):
    """First-order statistics of grey values, of the whole image and of each cell.

    Parameters
    ----------
    grid : int
        Cells down and across.
    n_jobs : int or None
        Number of threads, as joblib counts; changes no value.

    Notes
    -----
    Output: ``(n, d)`` float32, d = (1 + grid²) × 10. ``intensity/p50`` is the median of the
    image, ``intensity/p50/cell03`` that of cell 3, counted row by row. Units are those of
    :func:`grey_statistics`.

    References
    ----------
    Gonzalez RC, Woods RE. Digital Image Processing, 4th ed., Pearson 2018, ISBN 9780133356724,
    section on statistical texture descriptors.

    Examples
    --------
    >>> images = np.zeros((2, 64, 64), dtype=np.uint8)
    >>> Intensity(grid=2).fit_transform(images).shape
    (2, 50)
    """

    title = "Intensity"
    description = "intensity statistics"
    measures = "grey values"
    libraries = ("numba", "numpy")

    def __init__(self, grid: int = 4, n_jobs: int | None = 1) -> None:
        self.grid = grid
        self.n_jobs = n_jobs

    def describe_batch(self, images: GreyImages) -> NDArray[np.floating]:
        """Describe several images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, d), float32
        """
        matrix = np.empty((len(images), (1 + self.grid**2) * len(STATISTICS)), np.float32)
        _describe(images, self.grid, matrix)
        return matrix

    def feature_names(self, height: int, width: int) -> list[str]:
        """Name the ``d`` columns; see the notes of the class.

        Parameters
        ----------
        height, width : int
            Of the images, in pixels.

        Returns
        -------
        list of str
        """
        ends = ["", *[f"/cell{cell:02d}" for cell in range(self.grid**2)]]
        return [f"intensity/{name}{end}" for end in ends for name in STATISTICS]

    def in_words(self, column: str) -> str:
        """Say what a column measures, and where on the image.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        str
        """
        return self._placed(_WORDS[self.part(column)], column)
