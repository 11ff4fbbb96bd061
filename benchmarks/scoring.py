"""Scores of a fitted model that depend on each image alone, whatever the others are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Trees add up each row by itself. In the others a matrix product rounds a row's sums by its place
# among the rows, so they are given one row at a time.
TOGETHER = ("forest", "xgboost")


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
    step = len(X) if name in TOGETHER else 1
    parts = [model.predict_proba(X[i : i + step])[:, 1] for i in range(0, len(X), max(step, 1))]
    return np.concatenate([np.empty(0), *parts]).astype(np.float64, copy=False)
