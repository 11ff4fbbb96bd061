"""Array types, and what several metrics do with weights and quotients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.integer]


def divide(numerator: Floats, denominator: Floats, otherwise: float = 0.0) -> Floats:
    """Divide where the denominator is positive.

    Parameters
    ----------
    numerator, denominator : ndarray of one shape
    otherwise : float, default=0.0
        Value where the denominator is not positive.

    Returns
    -------
    ndarray of the same shape

    Examples
    --------
    >>> divide(np.array([1.0, 1.0]), np.array([4.0, 0.0]))
    array([0.25, 0.  ])
    """
    empty = np.full(np.shape(denominator), otherwise, dtype=float)
    return np.divide(numerator, denominator, out=empty, where=np.greater(denominator, 0))


def weights_or_ones(weights: Floats | None, n: int) -> Floats:
    """Return the weights, or a weight of 1 for each image where there are none.

    Parameters
    ----------
    weights : ndarray of shape (..., n), optional
    n : int
        Number of images.

    Returns
    -------
    ndarray of shape (..., n) or (n,)
    """
    return np.ones(n) if weights is None else weights
