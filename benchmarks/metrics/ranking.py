"""AUC and average precision, in many bootstrap draws at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.arrays import Floats, Labels
from features.compiled import compiled


class Ranking(NamedTuple):
    """AUC and average precision, each an ndarray of shape (draws,)."""

    auc: Floats
    average_precision: Floats


def ranking_metrics(
    label: Labels, score: Floats, weights: Floats, fold: NDArray[np.integer] | None = None
) -> Ranking:
    """Compute AUC and average precision in each draw.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,)
        Images with equal scores are ranked together, as in scikit-learn.
    weights : ndarray of shape (draws, n)
        How often each image is in each draw.
    fold : ndarray of shape (n,), optional
        Which model scored the image. Scores of several models have no common ranking: the values
        are then means over the folds, and NaN where a fold lacks a class.

    Returns
    -------
    Ranking
        Of arrays of shape (draws,).

    Examples
    --------
    >>> label, score = np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.9])
    >>> ranking_metrics(label, score, np.array([[1.0, 1, 1, 1], [1, 0, 1, 2]])).auc
    array([0.75, 1.  ])
    """
    sums = np.zeros((2, len(weights)))
    parts = fold_positions(len(label), fold)
    for part in parts:
        order = part[np.argsort(-score[part], kind="stable")]
        ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True]) + 1
        sums += _rank(weights, order, label[order] == 1, ends)
    return Ranking(*(sums / len(parts)))


def fold_positions(n: int, fold: NDArray[np.integer] | None) -> list[NDArray[np.intp]]:
    """List the positions of the images of each fold.

    Parameters
    ----------
    n : int
        Number of images.
    fold : ndarray of shape (n,), optional

    Returns
    -------
    list of ndarray of int
        In ascending order of the folds; all images in one array where there are no folds.
    """
    if fold is None:
        return [np.arange(n)]
    return [np.flatnonzero(fold == k) for k in np.unique(fold)]


@compiled
def _rank(
    weights: Floats, order: NDArray[np.intp], positive: NDArray[np.bool_], ends: NDArray[np.intp]
) -> Floats:
    """AUC and average precision of each draw; ``ends`` are the ends of runs of equal scores."""
    result = np.empty((2, len(weights)))
    for draw in range(len(weights)):
        drawn = weights[draw]
        true = false = lost = precision = 0.0
        start = 0
        for end in ends:
            hits = misses = 0.0
            for k in range(start, end):
                if positive[k]:
                    hits += drawn[order[k]]
                else:
                    misses += drawn[order[k]]
            lost += hits * (false + misses / 2)
            true += hits
            false += misses
            if hits > 0:
                precision += hits * (true / (true + false))
            start = end
        result[0, draw] = 1 - lost / (true * false) if true * false > 0 else np.nan
        result[1, draw] = precision / true if true > 0 else np.nan
    return result
