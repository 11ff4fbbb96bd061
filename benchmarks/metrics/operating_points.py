"""Thresholds that reach a given recall."""

from __future__ import annotations

import numpy as np

from benchmarks.metrics.arrays import Floats, Labels

TARGET_RECALL = 0.95


def threshold_at_recall(label: Labels, score: Floats, recall: float = TARGET_RECALL) -> float:
    """Find the largest threshold with at least a given recall.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,)
        An image is predicted positive if ``score >= threshold``.
    recall : float in (0, 1]

    Returns
    -------
    float
        The score of one of the positives.

    Raises
    ------
    ValueError
        If there is no positive.

    Examples
    --------
    >>> threshold_at_recall(np.array([0, 1, 1, 1, 1]), np.array([.9, .1, .3, .5, .7]), recall=0.75)
    0.3
    """
    positives = np.sort(score[label == 1])[::-1]
    if len(positives) == 0:
        raise ValueError(
            "Got no positive image, but expected at least one to find a threshold for a recall."
        )
    needed = int(np.ceil(round(recall * len(positives), 9)))
    return float(positives[needed - 1])
