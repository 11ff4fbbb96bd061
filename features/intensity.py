"""First-order statistics of grey values: moments, percentiles, entropy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base import GreyImages, ImageDescriptor, grid_cells

PERCENTILES = (5, 25, 50, 75, 95)
STATISTICS = ("mean", "std", "skewness", "kurtosis", *[f"p{p:02d}" for p in PERCENTILES], "entropy")


def grey_statistics(grey: GreyImages) -> NDArray[np.float64]:
    """Statistics of one set of grey values, in the order of ``STATISTICS``.

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
    counts = np.bincount(grey.ravel(), minlength=256)
    p = counts / counts.sum()
    values = np.arange(256)
    mean = p @ values
    centred = values - mean
    std = np.sqrt(p @ centred**2)
    z = centred / std if std > 0 else np.zeros(256)
    skewness = p @ z**3
    kurtosis = p @ z**4 - 3 if std > 0 else 0.0
    seen = p[p > 0]
    entropy = -(seen @ np.log2(seen))
    percentiles = np.percentile(grey, PERCENTILES)
    return np.array([mean, std, skewness, kurtosis, *percentiles, max(entropy, 0.0)])


class Intensity(ImageDescriptor):
    """First-order grey-value statistics of the whole image and of each cell.

    Parameters
    ----------
    grid : int
        Cells down and across.
    n_jobs : int or None
        Processes.

    Notes
    -----
    Output: ``(n, d)`` float32, d = (1 + grid²) × 10. ``intensity/p50`` is the image's median,
    ``intensity/p50/cell03`` that of cell 3 (row by row).

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

    family = "intensity"

    def __init__(self, grid: int = 4, n_jobs: int | None = 1) -> None:
        self.grid = grid
        self.n_jobs = n_jobs

    def describe(self, image: GreyImages) -> NDArray[np.floating]:
        """Describe one image: ``(H, W)`` uint8 to ``(d,)``."""
        cells = grid_cells(image.shape, self.grid)
        return np.concatenate(
            [grey_statistics(image), *[grey_statistics(image[cell]) for cell in cells]]
        )

    def feature_names(self, height: int, width: int) -> list[str]:
        """Names of the columns; see the class."""
        ends = ["", *[f"/cell{cell:02d}" for cell in range(self.grid**2)]]
        return [f"intensity/{name}{end}" for end in ends for name in STATISTICS]
