"""Scores of a fitted model that depend on each image alone, whatever the others are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import declaration

# Rows given to a model at once. A matrix product rounds a row's sums by its place among the rows,
# so most models see one row at a time. Trees add up each row by itself: all at once. A network
# treats the images of one full batch alike, in half the time of single images.
WHOLE = 2**31


def score(name: str, model: Any, X: NDArray[Any], block: int | None = None) -> NDArray[np.float64]:
    """Probability of pneumonia, or of each class where there are more than two.

    Parameters
    ----------
    name : str
        Key of ``MODELS``.
    model : Pipeline or CnnClassifier
        Fitted.
    X : ndarray of shape (n, d) float32, or (n, size, size) uint8
        Feature matrix or prepared images.
    block : int or None
        Rows given to the model at once; None: as many as leave a row's score as it is alone.

    Returns
    -------
    ndarray of shape (n,), or (n, k) for k > 2 classes, float64
        With ``block`` None the same for a row to the last bit, alone or among others, on one
        machine with as many threads.
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
