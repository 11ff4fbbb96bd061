"""Training images that are most like one image, as a feature set sees it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CHUNK = 512  # rows in float64 at once


def standardised(
    rows: NDArray[np.floating], row: NDArray[np.floating]
) -> tuple[NDArray[np.float64], Floats]:
    """How far one row is from the mean of others, in their standard deviations.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
    row : ndarray of shape (d,)

    Returns
    -------
    z : ndarray of shape (d,), float64
        0 in columns that are constant.
    scale : ndarray of shape (d,), float64
        Standard deviations of the columns; infinite where constant.

    Examples
    --------
    >>> z, scale = standardised(np.array([[1.0, 7.0], [3.0, 7.0]]), np.array([4.0, 8.0]))
    >>> z.tolist(), scale.tolist()
    ([2.0, 0.0], [1.0, inf])
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    square = np.zeros(rows.shape[1])
    for start in range(0, len(rows), CHUNK):
        square += ((rows[start : start + CHUNK] - mean) ** 2).sum(axis=0)
    scale = np.sqrt(square / len(rows))
    flat = scale <= 1e-9 * np.maximum(1.0, np.abs(mean))
    scale[flat] = np.inf
    return (row - mean) / scale, scale


def squared_distances(
    rows: NDArray[np.floating], row: NDArray[np.floating], scale: Floats
) -> Floats:
    """Squared Euclidean distances of one row to others, each column divided by its scale.

    Squares add up over the families of a feature set.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
    row : ndarray of shape (d,)
    scale : ndarray of shape (d,)
        From :func:`standardised`.

    Returns
    -------
    ndarray of shape (n,), float64

    Examples
    --------
    >>> rows = np.array([[1.0, 7.0], [3.0, 7.0]])
    >>> squared_distances(rows, np.array([4.0, 8.0]), np.array([1.0, np.inf])).tolist()
    [9.0, 1.0]
    """
    parts = [
        (((rows[start : start + CHUNK] - row) / scale) ** 2).sum(axis=1)
        for start in range(0, len(rows), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def nearest(squared: Floats, k: int, left_out: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Positions of the k smallest distances, nearest first; of equal ones the first row's.

    Parameters
    ----------
    squared : ndarray of shape (n,)
    k : int
        Fewer are returned where fewer are left.
    left_out : ndarray of shape (n,), bool
        Rows that don't count: the image itself.

    Examples
    --------
    >>> nearest(np.array([0.0, 4.0, 1.0, 4.0]), 2, np.array([True, False, False, False])).tolist()
    [2, 1]
    """
    order = np.argsort(squared, kind="stable")
    return order[~left_out[order]][:k]
