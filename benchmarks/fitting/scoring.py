"""Scores of a fitted model. The score of an image does not depend on the other images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import declaration

# Number of rows given to a model at once. In a matrix product the rounding of a row depends on its
# position, so most models get one row at a time. Trees sum each row separately and get all rows.
# In a network, the position in a full batch changes nothing, and batches take half the time.
WHOLE = 2**31


def average(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Average the scores of several views or cells.

    Parameters
    ----------
    scores : sequence of ndarray of shape (n,) or (n, k), float64
        One array per view or cell.

    Returns
    -------
    ndarray of shape (n,) or (n, k), float64
        Exactly the same for an image alone and among others: NumPy's own mean over an axis may
        order the sum by the number of images.

    Examples
    --------
    >>> average([np.array([0.25, 0.5]), np.array([0.75, 1.0])])
    array([0.5 , 0.75])
    """
    total = scores[0]
    for one in scores[1:]:
        total = total + one
    return np.asarray(total / len(scores))


def score(name: str, model: Any, X: NDArray[Any], block: int | None = None) -> NDArray[np.float64]:
    """Compute the probability of the positive class, or of each class if there are more than two.

    Parameters
    ----------
    name : str
        Key of ``MODELS``.
    model : Pipeline or CnnClassifier
        Fitted.
    X : ndarray of shape (n, d) float32, or (n, size, size) uint8
        Feature matrix or prepared images.
    block : int or None
        Number of rows given to the model at once; None: as many as do not change a row's score.

    Returns
    -------
    ndarray of shape (n,), or (n, k) for k > 2 classes, float64
        If ``block`` is None, exactly the same for a row alone and among others, on one machine with
        the same number of threads.
    """
    declared = declaration(name)
    alone = declared.rows_at_once or WHOLE
    block = alone if declared.on_images else min(block or alone, max(len(X), 1))
    parts = []
    for start in range(0, len(X), block):
        rows = X[start : start + block]
        short = np.zeros((block - len(rows), *X.shape[1:]), dtype=X.dtype)
        parts.append(model.predict_proba(np.concatenate([rows, short]))[: len(rows)])
    if not parts:
        return np.empty(0)
    proba = np.concatenate(parts).astype(np.float64, copy=False)
    return proba[:, 1].copy() if proba.shape[1] == 2 else proba
