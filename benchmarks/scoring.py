"""Scores of a fitted model that depend on each image alone, whatever the others are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Rows given to a model at once. A matrix product rounds a row's sums by its place among the rows,
# so most models see one row at a time. Trees add up each row by itself: None, all at once. A
# network treats the images of one full batch alike, at half the time of single images.
BLOCKS: dict[str, int | None] = {"forest": None, "xgboost": None, "cnn": 32}


def score(name: str, model: Any, X: NDArray[Any]) -> NDArray[np.float64]:
    """Probability of pneumonia.

    Parameters
    ----------
    name : str
        Key of ``MODELS``.
    model : Pipeline or CnnClassifier
        Fitted.
    X : ndarray of shape (n, d) float32, or (n, size, size) uint8
        Feature matrix or prepared images.

    Returns
    -------
    ndarray of shape (n,), float64
        The same for a row to the last bit, alone or among others, on one machine with as many
        threads.
    """
    block = BLOCKS.get(name, 1) or max(len(X), 1)
    parts = [np.empty(0)]
    for start in range(0, len(X), block):
        rows = X[start : start + block]
        short = np.zeros((block - len(rows), *X.shape[1:]), dtype=X.dtype)
        parts.append(model.predict_proba(np.concatenate([rows, short]))[: len(rows), 1])
    return np.concatenate(parts).astype(np.float64, copy=False)
