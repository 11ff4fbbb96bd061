"""Patient-grouped cross-validation on the training images, beside the official split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.operating_points import (
    TARGET_RECALL,
    threshold_at_recall,
    thresholds_in_draws,
)

CV = "cv"


def fold_rows(
    rows: SplitIndices, fold: NDArray[np.integer], keep: tuple[str, ...] = ()
) -> dict[int, SplitIndices]:
    """Make the row numbers of each fold: fit on the other folds, score this one.

    Parameters
    ----------
    rows : SplitIndices
    fold : ndarray of shape (len(rows.train),)
        From ``benchmarks.datasets.splits.folds``.
    keep : tuple of str
        Parts of ``rows`` to keep: a network selects its epoch on ``validation``.

    Returns
    -------
    dict of SplitIndices
        By fold number; ``parts["cv"]`` are the held-out images.
    """
    kept = {name: rows.parts[name] for name in keep}
    return {
        int(k): replace(
            rows, train=rows.train[fold != k], parts={**kept, CV: rows.train[fold == k]}
        )
        for k in np.unique(fold)
    }


def cross_fitted_thresholds(
    label: Labels, score: Floats, fold: NDArray[np.integer], recall: float = TARGET_RECALL
) -> Floats:
    """Select the threshold of each fold on the held-out scores of the other folds.

    Parameters
    ----------
    label, score, fold : ndarrays of shape (n,)
        Label (1 = positive), held-out score and fold of each image.
    recall : float in (0, 1]

    Returns
    -------
    ndarray of shape (n,)
        Threshold of each image; an image has no influence on its own threshold.

    Examples
    --------
    >>> label, fold = np.ones(4, int), np.array([1, 1, 2, 2])
    >>> cross_fitted_thresholds(label, np.array([0.1, 0.2, 0.3, 0.4]), fold, 1.0)
    array([0.3, 0.3, 0.1, 0.1])
    """
    threshold = np.empty(len(label))
    for k in np.unique(fold):
        others = fold != k
        threshold[fold == k] = threshold_at_recall(label[others], score[others], recall)
    return threshold


def cross_fitted_thresholds_in_draws(
    label: Labels, score: Floats, fold: NDArray[np.integer], weights: Floats,
    recall: float = TARGET_RECALL,
) -> Floats:  # fmt: skip
    """Find what :func:`cross_fitted_thresholds` finds, in each bootstrap draw.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,)
    fold : ndarray of shape (n,)
    weights : ndarray of shape (draws, n)
        How often each image is in each draw.
    recall : float in (0, 1]

    Returns
    -------
    ndarray of shape (draws, n)
    """
    threshold = np.empty(weights.shape)
    for k in np.unique(fold):
        others = np.where(fold != k, label, 0)  # a positive image of this fold is not used
        drawn = thresholds_in_draws(others, score, weights, recall)
        threshold[:, fold == k] = drawn[:, None]
    return threshold


def recall_threshold(
    rows: SplitIndices, fold: NDArray[np.integer], split: str, scores: Mapping[str, Floats]
) -> float | Floats:
    """Select the threshold for a recall of 0.95 in the same way as in the comparison.

    Parameters
    ----------
    rows : SplitIndices
    fold : ndarray of shape (len(rows.train),)
    split : str
        ``test``: selected on the validation set. ``cv``: for each fold, on the other folds.
    scores : dict of ndarray
        Scores by split; must hold ``validation``, or ``cv`` for the split ``cv``.

    Returns
    -------
    float or ndarray of shape (len(rows.train),)
        An array, the threshold of each image, for the split ``cv``.
    """
    if split == CV:
        return cross_fitted_thresholds(rows.label[rows.train], scores[CV], fold)
    return threshold_at_recall(rows.label[rows.parts["validation"]], scores["validation"])


def in_training_order(fold: NDArray[np.integer], by_fold: Mapping[int, Floats]) -> Floats:
    """Put the held-out scores of all folds in the order of the training images.

    Parameters
    ----------
    fold : ndarray of shape (n,)
        Fold of each training image.
    by_fold : dict of ndarray
        Scores of the images of each fold, of shape (images,) or (images, classes).

    Returns
    -------
    ndarray of shape (n,) or (n, classes)
        NaN for images of other folds.

    Examples
    --------
    >>> in_training_order(np.array([2, 1, 2]), {1: np.array([0.5]), 2: np.array([0.1, 0.9])})
    array([0.1, 0.5, 0.9])
    """
    columns = next((scores.shape[1:] for scores in by_fold.values()), ())
    score = np.full((len(fold), *columns), np.nan)
    for k, held_out in by_fold.items():
        score[fold == k] = held_out
    return score
