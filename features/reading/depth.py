"""Reduce pictures of more than 8 bits to 8, whatever part of their range they fill."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOW, HIGH = 0.5, 99.5  # percentiles


def grey_levels(values: NDArray[np.generic], counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Choose the grey level, 0 to 255, of each value that a deep picture may hold.

    Parameters
    ----------
    values : ndarray of shape (n,), real
        Values that pixels may have, in any order, for example 0 to 65535.
    counts : ndarray of shape (n,), int
        Number of pixels of each value, without padding. All may be 0.

    Returns
    -------
    ndarray of shape (n,), uint8
        Increasing with the value.

    Notes
    -----
    Files of 16 bits rarely say how many of them are used. The range that becomes 0 to 255 is:

    1. [0, 2ᵏ − 1] with the smallest k that holds the maximum, if the 0.5th and the 99.5th
       percentile are at least half of this range apart. A picture of 8 bits that is stored in 10,
       12 or 16 bits becomes itself again.
    2. Otherwise the two percentiles: a narrow picture keeps its contrast, and a few outliers do
       not take it away. At most 1 % of the pixels are clipped, half of what the contrast stretch of
       the resized image clips later.
    3. If these are equal, the minimum and the maximum.

    Examples
    --------
    >>> grey_levels(np.arange(4096), np.ones(4096, int))[[0, 16, 2048, 4095]].tolist()
    [0, 1, 128, 255]
    >>> grey_levels(np.array([3000, 3100, 3200]), np.array([9, 9, 9])).tolist()
    [0, 128, 255]
    """
    bottom, top = _range(values, counts)
    span = top - bottom or np.inf
    levels = np.floor((values.astype(np.float64) - bottom) * 255 / span + 0.5)
    return np.clip(levels, 0, 255).astype(np.uint8)


def _range(values: NDArray[np.generic], counts: NDArray[np.int64]) -> tuple[float, float]:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(counts[order])
    total = int(below[-1])
    if total == 0:
        return 0.0, 0.0
    # The value of a rank, counted from 1, is the first whose cumulative count reaches the rank.
    ranks = [1, *(max(1, int(np.ceil(total * p / 100))) for p in (LOW, HIGH)), total]
    found = np.searchsorted(below, ranks)
    least, low, high, most = values[order][found].astype(np.float64).tolist()
    nominal = 2.0 ** np.ceil(np.log2(most + 1)) - 1 if most > 0 else 0.0
    if least >= 0 and high > low and 2 * (high - low) >= nominal:
        return 0.0, float(nominal)
    return (low, high) if high > low else (least, most)
